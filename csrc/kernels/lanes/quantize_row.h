/* quantize_row.h - quantize_row over lanes. */
#include "kernels.h"
#include "kernels/lanes/quantize_block.h"
#include "kernels/panels.h"

static inline void quantize_row_lanes(const mc_q8_rows *out, int i, const float *x, int k)
{
    int8_t *q = out->q + i * out->stride;

    memset(q + k / 64 * 64, 0, (size_t)(mc_k_padded(k) - k / 64 * 64));
    for (int b = 0; b < out->blocks; b++) {
        const int k0 = b * MC_BLOCK_K, size = k - k0 < MC_BLOCK_K ? k - k0 : MC_BLOCK_K;
        const size_t at = (size_t)i * out->blocks + b;
        out->sum[at] = quantize_block(q + k0, &out->scale[at], x + k0, size);
    }
}
