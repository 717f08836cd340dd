/* avx512vnni/kv_write.c - kv_write over lanes: one register of sixteen. */
#include "kernels/avx512vnni/lanes.h"
#include "kernels/lanes/kv_write.h"

mc_kv_write mc_kv_write_avx512vnni;

void mc_kv_write_avx512vnni(void *keys, void *values, int slot, const float *k, const float *v,
                            int head_dim, mc_kv kv)
{
    kv_write_lanes(keys, values, slot, k, v, head_dim, kv);
}
