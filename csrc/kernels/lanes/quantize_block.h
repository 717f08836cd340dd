/* quantize_block.h - a block in 8 bits over lanes.
 *
 * The sum of a block of up to 4,096 is below 2^24, so lanes of floats hold it exactly. */
#ifndef MC_LANES_QUANTIZE_BLOCK_H
#define MC_LANES_QUANTIZE_BLOCK_H

#include <math.h>
#include <string.h>

/* mc_quantize_block, which writes (n + 15) / 16 * 16 values of q, zeros behind the n. */
static inline int32_t quantize_block(int8_t *q, float *scale, const float *x, int n)
{
    lanes largest = lanes_set(0.0f), zeros = lanes_set(0.0f), sum = lanes_set(0.0f);

    for (int e = 0; e < n; e += 16) {
        const lanes v = lanes_load_upto(x + e, n - e);
        largest = lanes_max(lanes_abs(v), largest);
        zeros = lanes_fma(v, lanes_set(0.0f), zeros);   /* NaN once v is inf or NaN */
    }
    const float amax = lanes_largest(largest), zero = lanes_sum(zeros);
    if (!(amax >= 1e-30f && zero == zero)) {
        memset(q, 0, (size_t)(n + 15) / 16 * 16);
        *scale = zero == zero ? 0.0f : NAN;
        return 0;
    }
    const lanes factor = lanes_set(127.0f / amax);
    for (int e = 0; e < n; e += 16) {
        const lanes v = lanes_rint(lanes_mul(lanes_load_upto(x + e, n - e), factor));
        lanes_store_i8(q + e, v);
        sum = lanes_add(sum, v);
    }
    *scale = amax / 127.0f;
    return (int32_t)lanes_sum(sum);
}

#endif
