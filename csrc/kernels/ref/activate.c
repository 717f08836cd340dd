/* ref/activate.c - the definition of activate. */
#include "kernels.h"
#include "kernels/exp.h"

mc_activate mc_activate_ref;

static float act_of(float x, mc_act act)
{
    switch (act) {
    case MC_SILU:      return mc_silu(x);
    case MC_GELU_TANH: return mc_gelu_tanh(x);
    case MC_RELU:      return x < 0.0f ? 0.0f : x;
    }
    return x;
}

void mc_activate_ref(float *out, const float *gate, const float *up, int n, mc_act act)
{
    for (int i = 0; i < n; i++)
        out[i] = up ? act_of(gate[i], act) * up[i] : act_of(gate[i], act);
}
