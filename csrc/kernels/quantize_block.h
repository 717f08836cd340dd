/* quantize_block.h - the definition of a block in 8 bits. */
#ifndef MC_QUANTIZE_BLOCK_H
#define MC_QUANTIZE_BLOCK_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* The largest |x| as bits: they order as the floats do, with inf and NaN on top. */
static inline uint32_t mc_amax_bits(const float *x, int n)
{
    uint32_t amax = 0;
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffff;
        amax = bits > amax ? bits : amax;
    }
    return amax;
}

/* Writes x (n) to q (n) as mc_quantize_row says, and its scale; returns the sum of q. */
static inline int32_t mc_quantize_block(int8_t *q, float *scale, const float *x, int n)
{
    const uint32_t bits = mc_amax_bits(x, n);
    float amax;
    int32_t sum = 0;

    for (int i = 0; i < n; i++)
        q[i] = 0;
    memcpy(&amax, &bits, sizeof amax);
    *scale = bits >= 0x7f800000 ? NAN : 0.0f;
    if (bits >= 0x7f800000 || amax < 1e-30f)
        return 0;
    *scale = amax / 127.0f;
    for (int i = 0; i < n; i++) {
        q[i] = (int8_t)rintf(x[i] * (127.0f / amax));
        sum += q[i];
    }
    return sum;
}

#endif
