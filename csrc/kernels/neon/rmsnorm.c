/* neon/rmsnorm.c - rmsnorm over lanes: four registers of four. */
#include "kernels/neon/lanes.h"
#include "kernels/lanes/rmsnorm.h"

mc_rmsnorm mc_rmsnorm_neon;

void mc_rmsnorm_neon(float *out, const float *x, const float *weight, int n, float eps)
{
    rmsnorm_lanes(out, x, weight, n, eps);
}
