/* ref/rmsnorm.c - the definition of rmsnorm. */
#include <math.h>

#include "kernels.h"
#include "kernels/lane_sum.h"

mc_rmsnorm mc_rmsnorm_ref;

void mc_rmsnorm_ref(float *out, const float *x, const float *weight, int n, float eps)
{
    float lanes[16] = { 0 };
    for (int i = 0; i < n; i++)
        lanes[i % 16] = fmaf(x[i], x[i], lanes[i % 16]);
    const float r = 1.0f / sqrtf(mc_lane_sum(lanes) / (float)n + eps);
    for (int i = 0; i < n; i++)
        out[i] = x[i] * r * weight[i];
}
