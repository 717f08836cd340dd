/* layernorm.h - layernorm over lanes. */
#include <math.h>

#include "kernels.h"

static inline lanes layernorm_scaled(lanes centred, lanes r, lanes weight, const lanes *bias)
{
    const lanes d = lanes_mul(centred, r);
    return bias ? lanes_fma(d, weight, *bias) : lanes_mul(d, weight);
}

static inline void layernorm_lanes(float *out, const float *x, const float *weight,
                                   const float *bias, int n, float eps)
{
    const int whole = n / 16 * 16, rest = n - whole;
    const lane_mask within = lanes_between(0, rest);
    lanes sums = lanes_set(0.0f), squares = lanes_set(0.0f), shift = lanes_set(0.0f);

    for (int i = 0; i < whole; i += 16)
        sums = lanes_add(sums, lanes_load(x + i));
    lanes tail = lanes_load_first(x + whole, rest);
    const lanes mean = lanes_set(lanes_sum(lanes_add(sums, tail)) / (float)n);
    tail = lanes_select(within, lanes_sub(tail, mean), lanes_set(0.0f));

    for (int i = 0; i < whole; i += 16) {
        const lanes d = lanes_sub(lanes_load(x + i), mean);
        squares = lanes_fma(d, d, squares);
    }
    squares = lanes_fma(tail, tail, squares);

    const lanes r = lanes_set(1.0f / sqrtf(lanes_sum(squares) / (float)n + eps));
    for (int i = 0; i < whole; i += 16) {
        const lanes d = lanes_sub(lanes_load(x + i), mean);
        if (bias)
            shift = lanes_load(bias + i);
        lanes_store(out + i, layernorm_scaled(d, r, lanes_load(weight + i), bias ? &shift : NULL));
    }
    if (bias)
        shift = lanes_load_first(bias + whole, rest);
    const lanes scale = lanes_load_first(weight + whole, rest);
    lanes_store_first(out + whole, layernorm_scaled(tail, r, scale, bias ? &shift : NULL), rest);
}
