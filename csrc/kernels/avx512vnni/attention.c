/* avx512vnni/attention.c - attention over lanes: one register of sixteen. */
#include "kernels/avx512vnni/lanes.h"
#include "kernels/lanes/attention.h"

mc_attention mc_attention_avx512vnni;

void mc_attention_avx512vnni(const mc_attention_args *args)
{
    attention_lanes(args);
}
