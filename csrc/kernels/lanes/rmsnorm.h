/* rmsnorm.h - rmsnorm over lanes. */
#include <math.h>

#include "kernels.h"

static inline void rmsnorm_lanes(float *out, const float *x, const float *weight, int n, float eps)
{
    lanes squares = lanes_set(0.0f);

    for (int i = 0; i < n; i += 16) {
        const lanes v = lanes_load_upto(x + i, n - i);
        squares = lanes_fma(v, v, squares);
    }
    const lanes r = lanes_set(1.0f / sqrtf(lanes_sum(squares) / (float)n + eps));
    for (int i = 0; i < n; i += 16) {
        const lanes v = lanes_mul(lanes_load_upto(x + i, n - i), r);
        lanes_store_upto(out + i, lanes_mul(v, lanes_load_upto(weight + i, n - i)), n - i);
    }
}
