/* exp.h - the functions of kernels/exp.h, sixteen at a time, with the same bits. */
#ifndef MC_LANES_EXP_H
#define MC_LANES_EXP_H

#include "kernels/exp.h"

/* No lane is above MC_EXP_HI. */
static inline lanes lanes_exp_bounded(lanes x)
{
    const lanes n = lanes_rint(lanes_mul(x, lanes_set(1.44269504088896341f)));
    lanes r = lanes_fma(n, lanes_set(-0.693359375f), x);
    r = lanes_fma(n, lanes_set(2.12194440e-4f), r);
    lanes y = lanes_set(1.9875691500e-4f);
    y = lanes_fma(y, r, lanes_set(1.3981999507e-3f));
    y = lanes_fma(y, r, lanes_set(8.3334519073e-3f));
    y = lanes_fma(y, r, lanes_set(4.1665795894e-2f));
    y = lanes_fma(y, r, lanes_set(1.6666665459e-1f));
    y = lanes_fma(y, r, lanes_set(5.0000001201e-1f));
    y = lanes_add(lanes_fma(y, lanes_mul(r, r), r), lanes_set(1.0f));
    return lanes_select(lanes_less(x, lanes_set(MC_EXP_LO)), lanes_set(0.0f), lanes_ldexp(y, n));
}

static inline lanes lanes_exp(lanes x)
{
    const lane_mask above = lanes_less(lanes_set(MC_EXP_HI), x);
    return lanes_select(above, lanes_set(INFINITY), lanes_exp_bounded(x));
}

static inline lanes lanes_silu(lanes x)
{
    return lanes_div(x, lanes_add(lanes_set(1.0f), lanes_exp(lanes_negate(x))));
}

static inline lanes lanes_tanh(lanes x)
{
    const lanes e = lanes_exp(lanes_add(x, x));
    const lanes share = lanes_div(lanes_set(2.0f), lanes_add(e, lanes_set(1.0f)));
    return lanes_sub(lanes_set(1.0f), share);
}

static inline lanes lanes_gelu_tanh(lanes x)
{
    const lanes square = lanes_mul(lanes_mul(lanes_set(0.044715f), x), x);
    const lanes inner = lanes_fma(square, x, x);
    const lanes e = lanes_exp(lanes_mul(lanes_set(MC_GELU_SLOPE), inner));
    return lanes_div(x, lanes_add(lanes_set(1.0f), e));
}

#endif
