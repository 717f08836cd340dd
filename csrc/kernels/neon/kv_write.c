/* neon/kv_write.c - kv_write over lanes: four registers of four. */
#include "kernels/neon/lanes.h"
#include "kernels/lanes/kv_write.h"

mc_kv_write mc_kv_write_neon;

void mc_kv_write_neon(void *keys, void *values, int slot, const float *k, const float *v,
                      int head_dim, mc_kv kv)
{
    kv_write_lanes(keys, values, slot, k, v, head_dim, kv);
}
