/* avx2/layernorm.c - layernorm over lanes: two registers of eight. */
#include "kernels/avx2/lanes.h"
#include "kernels/lanes/layernorm.h"

mc_layernorm mc_layernorm_avx2;

void mc_layernorm_avx2(float *out, const float *x, const float *weight, const float *bias, int n,
                       float eps)
{
    layernorm_lanes(out, x, weight, bias, n, eps);
}
