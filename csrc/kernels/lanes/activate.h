/* activate.h - activate over lanes. */
#include "kernels.h"
#include "kernels/lanes/exp.h"

static inline lanes activate_of(lanes x, mc_act act)
{
    switch (act) {
    case MC_SILU:      return lanes_silu(x);
    case MC_GELU_TANH: return lanes_gelu_tanh(x);
    case MC_RELU:      return lanes_max(lanes_set(0.0f), x);
    }
    return x;
}

static inline void activate_lanes(float *out, const float *gate, const float *up, int n, mc_act act)
{
    for (int i = 0; i < n; i += 16) {
        const lanes v = activate_of(lanes_load_upto(gate + i, n - i), act);
        lanes_store_upto(out + i, up ? lanes_mul(v, lanes_load_upto(up + i, n - i)) : v, n - i);
    }
}
