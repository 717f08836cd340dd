/* kv_write.h - kv_write over lanes.  A key's values lie 64 elements apart, so they are
 * converted together and stored one by one. */
#include "kernels.h"

static inline void kv_write_lanes(void *keys, void *values, int slot, const float *k,
                                  const float *v, int head_dim, mc_kv kv)
{
    const int padded = (head_dim + 15) / 16 * 16;

    for (int d = 0; d < head_dim; d += 16) {
        const int n = head_dim - d < 16 ? head_dim - d : 16;
        const lanes value = lanes_load_upto(v + d, n);
        const size_t key_at = (size_t)d * MC_PAGE + slot, value_at = (size_t)slot * padded + d;
        if (kv == MC_KV_F32) {
            lanes_store((float *)values + value_at, value);
            for (int i = 0; i < n; i++)
                ((float *)keys)[key_at + (size_t)i * MC_PAGE] = k[d + i];
        } else {
            uint16_t halves[16];
            lanes_store_half((uint16_t *)values + value_at, value);
            lanes_store_half(halves, lanes_load_upto(k + d, n));
            for (int i = 0; i < n; i++)
                ((uint16_t *)keys)[key_at + (size_t)i * MC_PAGE] = halves[i];
        }
    }
}
