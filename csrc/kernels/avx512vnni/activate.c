/* avx512vnni/activate.c - activate over lanes: one register of sixteen. */
#include "kernels/avx512vnni/lanes.h"
#include "kernels/lanes/activate.h"

mc_activate mc_activate_avx512vnni;

void mc_activate_avx512vnni(float *out, const float *gate, const float *up, int n, mc_act act)
{
    activate_lanes(out, gate, up, n, act);
}
