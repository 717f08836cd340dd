/* quantize_row.h - quantize_row over lanes.
 *
 * The sum of a block is below 2^15, so lanes of floats hold it exactly. */
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "kernels/panels.h"

/* Writes (size + 15) / 16 * 16 values of q and returns their sum. */
static inline int32_t quantize_block(int8_t *q, const float *x, int size, float inverse)
{
    const lanes factor = lanes_set(inverse);
    lanes sum = lanes_set(0.0f);

    for (int e = 0; e < size; e += 16) {
        const lanes v = lanes_rint(lanes_mul(lanes_load_upto(x + e, size - e), factor));
        lanes_store_i8(q + e, v);
        sum = lanes_add(sum, v);
    }
    return (int32_t)lanes_sum(sum);
}

static inline void quantize_row_lanes(const mc_q8_rows *out, int i, const float *x, int k)
{
    int8_t *q = out->q + i * out->stride;
    float *scales = out->scale + (size_t)i * out->blocks;
    int32_t *sums = out->sum + (size_t)i * out->blocks;

    memset(q + k / 64 * 64, 0, (size_t)(mc_k_padded(k) - k / 64 * 64));
    for (int b = 0; b < out->blocks; b++, q += MC_BLOCK_K, x += MC_BLOCK_K) {
        const int left = k - b * MC_BLOCK_K, size = left < MC_BLOCK_K ? left : MC_BLOCK_K;
        lanes largest = lanes_set(0.0f), zeros = lanes_set(0.0f);
        for (int e = 0; e < size; e += 16) {
            const lanes v = lanes_load_upto(x + e, size - e);
            largest = lanes_max(lanes_abs(v), largest);
            zeros = lanes_fma(v, lanes_set(0.0f), zeros);   /* NaN once v is inf or NaN */
        }
        const float amax = lanes_largest(largest), zero = lanes_sum(zeros);
        if (amax >= 1e-30f && zero == zero) {
            scales[b] = amax / 127.0f;
            sums[b] = quantize_block(q, x, size, 127.0f / amax);
        } else {
            memset(q, 0, (size_t)size);
            scales[b] = zero == zero ? 0.0f : NAN;
            sums[b] = 0;
        }
    }
}
