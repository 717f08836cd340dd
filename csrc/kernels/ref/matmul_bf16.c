/* ref/matmul_bf16.c - the definition of matmul_bf16: plain C, one loop per index. */
#include <math.h>

#include "kernels.h"
#include "kernels/panels.h"

mc_matmul_f mc_matmul_bf16_ref;

void mc_matmul_bf16_ref(float *out, size_t out_stride, const float *x, size_t x_stride, int m,
                     const mc_matrix *w, int panel0, int panel1)
{
    const int k_padded = mc_k_padded(w->k);

    for (int p = panel0; p < panel1; p++) {
        const uint16_t *w_p = (const uint16_t *)w->data + (size_t)p * k_padded * MC_TILE_ROWS;
        for (int i = 0; i < m; i++)
            for (int r = 0; r < MC_TILE_ROWS; r++) {
                float acc = 0.0f;
                for (int k = 0; k < k_padded; k++)
                    acc = fmaf(x[i * x_stride + k],
                               mc_bf16_to_f32(w_p[(size_t)k * MC_TILE_ROWS + r]), acc);
                out[i * out_stride + (size_t)p * MC_TILE_ROWS + r] = acc;
            }
    }
}
