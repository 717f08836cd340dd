/* rmsnorm.h - rmsnorm over lanes. */
#include <math.h>

#include "kernels.h"

static inline void rmsnorm_lanes(float *out, const float *x, const float *weight, int n, float eps)
{
    const int whole = n / 16 * 16, rest = n - whole;
    lanes squares = lanes_set(0.0f);

    for (int i = 0; i < whole; i += 16)
        squares = lanes_fma(lanes_load(x + i), lanes_load(x + i), squares);
    const lanes tail = lanes_load_first(x + whole, rest);
    squares = lanes_fma(tail, tail, squares);

    const lanes r = lanes_set(1.0f / sqrtf(lanes_sum(squares) / (float)n + eps));
    for (int i = 0; i < whole; i += 16)
        lanes_store(out + i, lanes_mul(lanes_mul(lanes_load(x + i), r), lanes_load(weight + i)));
    const lanes scale = lanes_load_first(weight + whole, rest);
    lanes_store_first(out + whole, lanes_mul(lanes_mul(tail, r), scale), rest);
}
