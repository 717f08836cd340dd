/* ref/kv_write.c - the definition of kv_write. */
#include "kernels.h"
#include "kernels/half.h"

mc_kv_write mc_kv_write_ref;

void mc_kv_write_ref(void *keys, void *values, int slot, const float *k, const float *v,
                     int head_dim, mc_kv kv)
{
    const int padded = (head_dim + 15) / 16 * 16;

    for (int d = 0; d < padded; d++) {
        const float v_d = d < head_dim ? v[d] : 0.0f;
        const size_t key = (size_t)d * MC_PAGE + slot, value = (size_t)slot * padded + d;
        if (kv == MC_KV_F32) {
            if (d < head_dim)
                ((float *)keys)[key] = k[d];
            ((float *)values)[value] = v_d;
        } else {
            if (d < head_dim)
                ((uint16_t *)keys)[key] = mc_f32_to_half(k[d]);
            ((uint16_t *)values)[value] = mc_f32_to_half(v_d);
        }
    }
}
