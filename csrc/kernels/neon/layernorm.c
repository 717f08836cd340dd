/* neon/layernorm.c - layernorm over lanes: four registers of four. */
#include "kernels/neon/lanes.h"
#include "kernels/lanes/layernorm.h"

mc_layernorm mc_layernorm_neon;

void mc_layernorm_neon(float *out, const float *x, const float *weight, const float *bias, int n,
                       float eps)
{
    layernorm_lanes(out, x, weight, bias, n, eps);
}
