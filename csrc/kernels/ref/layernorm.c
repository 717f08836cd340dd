/* ref/layernorm.c - the definition of layernorm. */
#include <math.h>

#include "kernels.h"
#include "kernels/lane_sum.h"

mc_layernorm mc_layernorm_ref;

void mc_layernorm_ref(float *out, const float *x, const float *weight, const float *bias,
                      int n, float eps)
{
    float sums[16] = { 0 }, squares[16] = { 0 };
    for (int i = 0; i < n; i++)
        sums[i % 16] += x[i];
    const float mean = mc_lane_sum(sums) / (float)n;
    for (int i = 0; i < n; i++)
        squares[i % 16] = fmaf(x[i] - mean, x[i] - mean, squares[i % 16]);
    const float r = 1.0f / sqrtf(mc_lane_sum(squares) / (float)n + eps);
    for (int i = 0; i < n; i++) {
        const float d = (x[i] - mean) * r;
        out[i] = bias ? fmaf(d, weight[i], bias[i]) : d * weight[i];
    }
}
