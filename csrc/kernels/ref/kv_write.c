/* ref/kv_write.c - the definition of kv_write. */
#include "kernels.h"
#include "kernels/half.h"
#include "kernels/quantize_block.h"

mc_kv_write mc_kv_write_ref;

/* A position in 8 bits. */
static void write_q8(uint8_t *keys, int8_t *values, int slot, const float *k, const float *v,
                     int head_dim)
{
    const int quads = mc_key_quads(head_dim);
    float *scales = (float *)(keys + (size_t)quads * MC_PAGE * 4);

    for (int b = 0; b < mc_key_blocks(head_dim); b++) {
        const int d0 = b * MC_KEY_BLOCK, left = head_dim - d0;
        int8_t q[MC_KEY_BLOCK] = { 0 };
        mc_quantize_block(q, &scales[b * MC_PAGE + slot], k + d0,
                          left < MC_KEY_BLOCK ? left : MC_KEY_BLOCK);
        for (int i = 0; i < MC_KEY_BLOCK && (d0 + i) / 4 < quads; i++)
            keys[((size_t)(d0 + i) / 4 * MC_PAGE + slot) * 4 + i % 4] = (uint8_t)(q[i] + 128);
    }

    const int padded = (head_dim + 15) / 16 * 16;
    int8_t q[MC_MAX_HEAD_DIM] = { 0 };
    mc_quantize_block(q, (float *)(values + (size_t)MC_PAGE * padded) + slot, v, head_dim);
    for (int d = 0; d < padded; d++)
        values[((size_t)slot / 2 * padded + d) * 2 + slot % 2] = q[d];
}

void mc_kv_write_ref(void *keys, void *values, int slot, const float *k, const float *v,
                     int head_dim, mc_kv kv)
{
    const int padded = (head_dim + 15) / 16 * 16;

    if (kv == MC_KV_Q8) {
        write_q8(keys, values, slot, k, v, head_dim);
        return;
    }
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
