/* avx512vnni/rmsnorm.c - rmsnorm over lanes: one register of sixteen. */
#include "kernels/avx512vnni/lanes.h"
#include "kernels/lanes/rmsnorm.h"

mc_rmsnorm mc_rmsnorm_avx512vnni;

void mc_rmsnorm_avx512vnni(float *out, const float *x, const float *weight, int n, float eps)
{
    rmsnorm_lanes(out, x, weight, n, eps);
}
