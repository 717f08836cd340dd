/* neon/attention.c - attention over lanes: four registers of four. */
#include "kernels/neon/lanes.h"
#include "kernels/lanes/attention.h"

mc_attention mc_attention_neon;

void mc_attention_neon(const mc_attention_args *args)
{
    attention_lanes(args);
}
