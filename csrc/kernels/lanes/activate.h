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
    const int whole = n / 16 * 16, rest = n - whole;

    for (int i = 0; i < whole; i += 16) {
        const lanes v = activate_of(lanes_load(gate + i), act);
        lanes_store(out + i, up ? lanes_mul(v, lanes_load(up + i)) : v);
    }
    if (rest) {
        const lanes v = activate_of(lanes_load_first(gate + whole, rest), act);
        const lanes tail = up ? lanes_mul(v, lanes_load_first(up + whole, rest)) : v;
        lanes_store_first(out + whole, tail, rest);
    }
}
