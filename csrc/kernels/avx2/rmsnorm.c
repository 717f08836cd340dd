/* avx2/rmsnorm.c - rmsnorm over lanes: two registers of eight. */
#include "kernels/avx2/lanes.h"
#include "kernels/lanes/rmsnorm.h"

mc_rmsnorm mc_rmsnorm_avx2;

void mc_rmsnorm_avx2(float *out, const float *x, const float *weight, int n, float eps)
{
    rmsnorm_lanes(out, x, weight, n, eps);
}
