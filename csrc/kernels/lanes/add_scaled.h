/* add_scaled.h - add_scaled over lanes. */
#include "kernels.h"

static inline void add_scaled_lanes(float *x, const float *y, float scale, int n)
{
    const int whole = n / 16 * 16, rest = n - whole;
    const lanes s = lanes_set(scale);

    for (int i = 0; i < whole; i += 16)
        lanes_store(x + i, lanes_fma(lanes_load(y + i), s, lanes_load(x + i)));
    x += whole, y += whole;
    lanes_store_first(x, lanes_fma(lanes_load_first(y, rest), s, lanes_load_first(x, rest)), rest);
}
