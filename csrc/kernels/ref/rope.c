/* ref/rope.c - the definition of rope. */
#include <math.h>

#include "kernels.h"

mc_rope mc_rope_ref;

void mc_rope_ref(float *x, const float *cos, const float *sin, int heads, int head_dim, int half)
{
    for (int h = 0; h < heads; h++, x += head_dim)
        for (int i = 0; i < half; i++) {
            const float a = x[i], b = x[i + half];
            x[i] = fmaf(-b, sin[i], a * cos[i]);
            x[i + half] = fmaf(a, sin[i], b * cos[i]);
        }
}
