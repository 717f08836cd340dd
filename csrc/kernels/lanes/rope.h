/* rope.h - rope over lanes. */
#include "kernels.h"

/* Rotates up to 16 pairs, from x and x + half on. */
static inline void rope_pairs(float *x, const float *cos, const float *sin, int half, int n)
{
    const lanes c = lanes_load_first(cos, n), s = lanes_load_first(sin, n);
    const lanes a = lanes_load_first(x, n), b = lanes_load_first(x + half, n);
    lanes_store_first(x, lanes_fma(lanes_negate(b), s, lanes_mul(a, c)), n);
    lanes_store_first(x + half, lanes_fma(a, s, lanes_mul(b, c)), n);
}

static inline void rope_lanes(float *x, const float *cos, const float *sin, int heads,
                              int head_dim, int half)
{
    for (int h = 0; h < heads; h++, x += head_dim)
        for (int i = 0; i < half; i += 16)
            rope_pairs(x + i, cos + i, sin + i, half, half - i < 16 ? half - i : 16);
}
