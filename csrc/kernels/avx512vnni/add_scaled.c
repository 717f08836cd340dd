/* avx512vnni/add_scaled.c - add_scaled over lanes: one register of sixteen. */
#include "kernels/avx512vnni/lanes.h"
#include "kernels/lanes/add_scaled.h"

mc_add_scaled mc_add_scaled_avx512vnni;

void mc_add_scaled_avx512vnni(float *x, const float *y, float scale, int n)
{
    add_scaled_lanes(x, y, scale, n);
}
