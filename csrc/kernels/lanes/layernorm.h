/* layernorm.h - layernorm over lanes. */
#include <math.h>

#include "kernels.h"

/* x - mean of the n values from x on, at most 16; the other lanes are 0. */
static inline lanes layernorm_centred(const float *x, int n, lanes mean)
{
    const lanes d = lanes_sub(lanes_load_upto(x, n), mean);
    return n < 16 ? lanes_select(lanes_between(0, n), d, lanes_set(0.0f)) : d;
}

static inline void layernorm_lanes(float *out, const float *x, const float *weight,
                                   const float *bias, int n, float eps)
{
    lanes sums = lanes_set(0.0f), squares = lanes_set(0.0f);

    for (int i = 0; i < n; i += 16)
        sums = lanes_add(sums, lanes_load_upto(x + i, n - i));
    const lanes mean = lanes_set(lanes_sum(sums) / (float)n);
    for (int i = 0; i < n; i += 16) {
        const lanes d = layernorm_centred(x + i, n - i, mean);
        squares = lanes_fma(d, d, squares);
    }
    const lanes r = lanes_set(1.0f / sqrtf(lanes_sum(squares) / (float)n + eps));
    for (int i = 0; i < n; i += 16) {
        const lanes d = lanes_mul(layernorm_centred(x + i, n - i, mean), r);
        const lanes w = lanes_load_upto(weight + i, n - i);
        const lanes v = bias ? lanes_fma(d, w, lanes_load_upto(bias + i, n - i)) : lanes_mul(d, w);
        lanes_store_upto(out + i, v, n - i);
    }
}
