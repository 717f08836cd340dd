/* avx2/activate.c - activate over lanes: two registers of eight. */
#include "kernels/avx2/lanes.h"
#include "kernels/lanes/activate.h"

mc_activate mc_activate_avx2;

void mc_activate_avx2(float *out, const float *gate, const float *up, int n, mc_act act)
{
    activate_lanes(out, gate, up, n, act);
}
