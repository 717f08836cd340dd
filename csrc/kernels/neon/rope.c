/* neon/rope.c - rope over lanes: four registers of four. */
#include "kernels/neon/lanes.h"
#include "kernels/lanes/rope.h"

mc_rope mc_rope_neon;

void mc_rope_neon(float *x, const float *cos, const float *sin, int heads, int head_dim, int half)
{
    rope_lanes(x, cos, sin, heads, head_dim, half);
}
