/* kv_write.h - kv_write over lanes.  A key's values lie 64 elements apart, so they are
 * converted together and stored one by one. */
#include "kernels.h"
#include "kernels/lanes/quantize_block.h"

/* A position in 8 bits: four of its key's values at a time, a page's width apart. */
static inline void kv_write_q8(uint8_t *keys, int8_t *values, int slot, const float *k,
                               const float *v, int head_dim)
{
    const int quads = mc_key_quads(head_dim);
    float *scales = (float *)(keys + (size_t)quads * MC_PAGE * 4);

    for (int b = 0; b < mc_key_blocks(head_dim); b++) {
        const int d0 = b * MC_KEY_BLOCK, left = head_dim - d0;
        _Alignas(32) int8_t q[MC_KEY_BLOCK] = { 0 };
        quantize_block(q, &scales[b * MC_PAGE + slot], k + d0,
                       left < MC_KEY_BLOCK ? left : MC_KEY_BLOCK);
        for (int i = 0; i < MC_KEY_BLOCK / 4 && d0 / 4 + i < quads; i++) {
            uint32_t four;
            memcpy(&four, q + 4 * i, sizeof four);
            four ^= 0x80808080;         /* plus 128 */
            memcpy(keys + ((size_t)(d0 / 4 + i) * MC_PAGE + slot) * 4, &four, sizeof four);
        }
    }

    const int padded = (head_dim + 15) / 16 * 16;
    int8_t q[MC_MAX_HEAD_DIM], *pairs = values + (size_t)slot / 2 * padded * 2 + slot % 2;
    quantize_block(q, (float *)(values + (size_t)MC_PAGE * padded) + slot, v, head_dim);
    for (int d = 0; d < padded; d++)
        pairs[2 * d] = q[d];
}

static inline void kv_write_lanes(void *keys, void *values, int slot, const float *k,
                                  const float *v, int head_dim, mc_kv kv)
{
    const int padded = (head_dim + 15) / 16 * 16;

    if (kv == MC_KV_Q8) {
        kv_write_q8(keys, values, slot, k, v, head_dim);
        return;
    }
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
