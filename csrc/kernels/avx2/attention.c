/* avx2/attention.c - attention over lanes: two registers of eight. */
#include "kernels/avx2/lanes.h"
#include "kernels/lanes/attention.h"

mc_attention mc_attention_avx2;

void mc_attention_avx2(const mc_attention_args *args)
{
    attention_lanes(args);
}
