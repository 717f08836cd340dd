/* rope.h - rope over lanes. */
#include "kernels.h"

/* Rotates the n pairs from x and x + half on, at most 16. */
static inline void rope_pairs(float *x, const float *cos, const float *sin, int half, int n)
{
    const lanes c = lanes_load_upto(cos, n), s = lanes_load_upto(sin, n);
    const lanes a = lanes_load_upto(x, n), b = lanes_load_upto(x + half, n);
    lanes_store_upto(x, lanes_fma(lanes_negate(b), s, lanes_mul(a, c)), n);
    lanes_store_upto(x + half, lanes_fma(a, s, lanes_mul(b, c)), n);
}

static inline void rope_lanes(float *x, const float *cos, const float *sin, int heads,
                              int head_dim, int half)
{
    for (int h = 0; h < heads; h++, x += head_dim)
        for (int i = 0; i < half; i += 16)
            rope_pairs(x + i, cos + i, sin + i, half, half - i);
}
