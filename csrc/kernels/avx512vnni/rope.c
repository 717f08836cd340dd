/* avx512vnni/rope.c - rope over lanes: one register of sixteen. */
#include "kernels/avx512vnni/lanes.h"
#include "kernels/lanes/rope.h"

mc_rope mc_rope_avx512vnni;

void mc_rope_avx512vnni(float *x, const float *cos, const float *sin, int heads, int head_dim,
                        int half)
{
    rope_lanes(x, cos, sin, heads, head_dim, half);
}
