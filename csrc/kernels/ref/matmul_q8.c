/* ref/matmul_q8.c - the definition of matmul_q8: plain C, one loop per index. */
#include <math.h>

#include "kernels.h"
#include "kernels/panels.h"

mc_matmul_q mc_matmul_q8_ref;

void mc_matmul_q8_ref(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                      const mc_matrix *w, int panel0, int panel1)
{
    const int k_padded = mc_k_padded(w->k);
    const size_t panel_bytes = mc_panel_bytes(MC_Q8, w->k);

    for (int p = panel0; p < panel1; p++)
        for (int i = 0; i < m; i++)
            for (int r = 0; r < MC_TILE_ROWS; r++) {
                const uint8_t *block = (const uint8_t *)w->data + p * panel_bytes;
                float acc = 0.0f;
                for (int b = 0; b < x->blocks; b++) {
                    const int left = k_padded - b * MC_BLOCK_K;
                    const int size = left < MC_BLOCK_K ? left : MC_BLOCK_K;
                    const int8_t *q = x->q + i * x->stride + (size_t)b * MC_BLOCK_K;
                    const uint8_t *quads = block + MC_Q8_HEADER_BYTES;
                    int32_t dot = 0;
                    for (int k = 0; k < size; k++)
                        dot += (quads[k / 4 * MC_QUAD_BYTES + 4 * r + k % 4] - 128) * q[k];
                    const float scale = mc_bf16_to_f32(((const uint16_t *)block)[r]);
                    acc = fmaf((float)dot, scale * x->scale[(size_t)i * x->blocks + b], acc);
                    block += MC_Q8_HEADER_BYTES + size * MC_TILE_ROWS;
                }
                out[i * out_stride + (size_t)p * MC_TILE_ROWS + r] = acc;
            }
}
