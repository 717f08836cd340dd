/* neon/add_scaled.c - add_scaled over lanes: four registers of four. */
#include "kernels/neon/lanes.h"
#include "kernels/lanes/add_scaled.h"

mc_add_scaled mc_add_scaled_neon;

void mc_add_scaled_neon(float *x, const float *y, float scale, int n)
{
    add_scaled_lanes(x, y, scale, n);
}
