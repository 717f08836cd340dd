/* avx2/add_scaled.c - add_scaled over lanes: two registers of eight. */
#include "kernels/avx2/lanes.h"
#include "kernels/lanes/add_scaled.h"

mc_add_scaled mc_add_scaled_avx2;

void mc_add_scaled_avx2(float *x, const float *y, float scale, int n)
{
    add_scaled_lanes(x, y, scale, n);
}
