/* avx2/rope.c - rope over lanes: two registers of eight. */
#include "kernels/avx2/lanes.h"
#include "kernels/lanes/rope.h"

mc_rope mc_rope_avx2;

void mc_rope_avx2(float *x, const float *cos, const float *sin, int heads, int head_dim, int half)
{
    rope_lanes(x, cos, sin, heads, head_dim, half);
}
