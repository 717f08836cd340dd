/* neon/activate.c - activate over lanes: four registers of four. */
#include "kernels/neon/lanes.h"
#include "kernels/lanes/activate.h"

mc_activate mc_activate_neon;

void mc_activate_neon(float *out, const float *gate, const float *up, int n, mc_act act)
{
    activate_lanes(out, gate, up, n, act);
}
