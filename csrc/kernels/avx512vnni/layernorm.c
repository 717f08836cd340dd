/* avx512vnni/layernorm.c - layernorm over lanes: one register of sixteen. */
#include "kernels/avx512vnni/lanes.h"
#include "kernels/lanes/layernorm.h"

mc_layernorm mc_layernorm_avx512vnni;

void mc_layernorm_avx512vnni(float *out, const float *x, const float *weight, const float *bias,
                             int n, float eps)
{
    layernorm_lanes(out, x, weight, bias, n, eps);
}
