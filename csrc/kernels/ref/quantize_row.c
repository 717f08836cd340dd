/* ref/quantize_row.c - the definition of quantize_row. */
#include "kernels.h"
#include "kernels/panels.h"
#include "kernels/quantize_block.h"

mc_quantize_row mc_quantize_row_ref;

void mc_quantize_row_ref(const mc_q8_rows *out, int i, const float *x, int k)
{
    int8_t *q = out->q + i * out->stride;
    memset(q, 0, (size_t)mc_k_padded(k));

    for (int b = 0; b < out->blocks; b++) {
        const int k0 = b * MC_BLOCK_K, size = k - k0 < MC_BLOCK_K ? k - k0 : MC_BLOCK_K;
        const size_t at = (size_t)i * out->blocks + b;
        out->sum[at] = mc_quantize_block(q + k0, &out->scale[at], x + k0, size);
    }
}
