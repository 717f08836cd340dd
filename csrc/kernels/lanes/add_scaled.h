/* add_scaled.h - add_scaled over lanes. */
#include "kernels.h"

static inline void add_scaled_lanes(float *x, const float *y, float scale, int n)
{
    const lanes s = lanes_set(scale);

    for (int i = 0; i < n; i += 16) {
        const lanes sum = lanes_load_upto(x + i, n - i);
        lanes_store_upto(x + i, lanes_fma(lanes_load_upto(y + i, n - i), s, sum), n - i);
    }
}
