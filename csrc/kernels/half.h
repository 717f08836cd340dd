/* half.h - IEEE half precision in plain C, as the kernels' contracts round it. */
#ifndef MC_HALF_H
#define MC_HALF_H

#include <math.h>
#include <string.h>
#include <stdint.h>

/* Ties to even, clamped to +-65504; NaN gives a quiet NaN. */
static inline uint16_t mc_f32_to_half(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000)
        return sign | 0x7e00;
    if (bits >= 0x477ff000)                     /* would round past 65504 */
        return sign | 0x7bff;
    if (bits < 0x38800000) {                    /* subnormal: in units of 2^-24 */
        float magnitude;
        memcpy(&magnitude, &bits, sizeof magnitude);
        return sign | (uint16_t)rintf(magnitude * 16777216.0f);
    }
    bits += 0xfff + (bits >> 13 & 1);
    return sign | (uint16_t)((bits - 0x38000000) >> 13);
}

static inline float mc_half_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;
    uint32_t bits;
    float f;
    if (rest < 0x0400) {
        f = (float)rest * 0x1p-24f;
        memcpy(&bits, &f, sizeof bits);
    } else if (rest < 0x7c00) {
        bits = (rest << 13) + 0x38000000;
    } else {
        bits = (rest << 13) | 0x7f800000;
    }
    bits |= sign;
    memcpy(&f, &bits, sizeof f);
    return f;
}

#endif
