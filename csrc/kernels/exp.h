/* exp.h - the transcendental functions, the same bits everywhere; exp is good to 1.1 ulp.
 *
 * exp after Cephes' expf: x = n ln2 + r, |r| <= ln2 / 2, a polynomial of degree 6. */
#ifndef MC_EXP_H
#define MC_EXP_H

#include <math.h>
#include <string.h>
#include <stdint.h>

#define MC_EXP_LO (-87.0f)      /* below: exactly 0 */
#define MC_EXP_HI 88.0f         /* above: infinity */
#define MC_GELU_SLOPE (-1.5957691216057308f)    /* -2 sqrt(2 / pi) */

/* NaN gives NaN. */
static inline float mc_exp(float x)
{
    if (x < MC_EXP_LO)
        return 0.0f;
    if (x > MC_EXP_HI)
        return INFINITY;
    if (x != x)
        return x;
    const float n = rintf(x * 1.44269504088896341f);
    float r = fmaf(n, -0.693359375f, x);
    r = fmaf(n, 2.12194440e-4f, r);
    float y = 1.9875691500e-4f;
    y = fmaf(y, r, 1.3981999507e-3f);
    y = fmaf(y, r, 8.3334519073e-3f);
    y = fmaf(y, r, 4.1665795894e-2f);
    y = fmaf(y, r, 1.6666665459e-1f);
    y = fmaf(y, r, 5.0000001201e-1f);
    y = fmaf(y, r * r, r) + 1.0f;
    int32_t bits;
    memcpy(&bits, &y, sizeof bits);
    bits += (int32_t)n * (1 << 23);
    memcpy(&y, &bits, sizeof y);
    return y;
}

static inline float mc_silu(float x) { return x / (1.0f + mc_exp(-x)); }

/* 1 - 2 / (exp(2x) + 1): good to 2e-7, absolutely. */
static inline float mc_tanh(float x) { return 1.0f - 2.0f / (mc_exp(x + x) + 1.0f); }

/* gelu's tanh form, 0.5 x (1 + tanh(y)) with y = sqrt(2 / pi) (x + 0.044715 x^3), as the
 * equal x / (1 + exp(-2 y)), which keeps its precision where tanh is near -1. */
static inline float mc_gelu_tanh(float x)
{
    const float inner = fmaf(0.044715f * x * x, x, x);
    return x / (1.0f + mc_exp(MC_GELU_SLOPE * inner));
}

#endif
