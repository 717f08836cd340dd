/* neon/chains.h - products in float: each lane is the chain of one row, over k in order.
 *
 * A tile has four times four or more chains of four rows, so that fmla's latency hides: four
 * tokens by one panel, or one token by four panels. */
#ifndef MC_NEON_CHAINS_H
#define MC_NEON_CHAINS_H

#include <arm_neon.h>

#include "kernels.h"
#include "kernels/panels.h"

/* Four rows of w, of the 16 that lie together for each k. */
typedef float32x4_t mc_neon_rows(const void *w, size_t element);

static inline __attribute__((always_inline))
void mc_neon_tile(float *out, size_t out_stride, const float *x, size_t x_stride, int tokens,
                  const void *w, int p, int panels, int k_padded, mc_neon_rows *rows)
{
    float32x4_t acc[4][4] = { 0 };      /* of token or panel; four rows each */
    const size_t panel = (size_t)k_padded * MC_TILE_ROWS;

    for (int k = 0; k < k_padded; k++)
        for (int h = 0; h < panels; h++)
            for (int g = 0; g < 4; g++) {
                const float32x4_t w_k = rows(w, (p + h) * panel + (size_t)k * MC_TILE_ROWS + 4 * g);
                for (int t = 0; t < tokens; t++)
                    acc[t + h][g] = vfmaq_n_f32(acc[t + h][g], w_k, x[t * x_stride + k]);
            }
    for (int h = 0; h < panels; h++)
        for (int t = 0; t < tokens; t++)
            for (int g = 0; g < 4; g++)
                vst1q_f32(out + t * out_stride + (p + h) * MC_TILE_ROWS + 4 * g, acc[t + h][g]);
}

/* matmul_f32 or matmul_bf16, by what reads four rows. */
static inline __attribute__((always_inline))
void mc_neon_matmul_f(float *out, size_t out_stride, const float *x, size_t x_stride, int m,
                      const mc_matrix *w, int panel0, int panel1, mc_neon_rows *rows)
{
    const int k = mc_k_padded(w->k);

    for (; m == 1 && panel0 + 4 <= panel1; panel0 += 4)
        mc_neon_tile(out, out_stride, x, x_stride, 1, w->data, panel0, 4, k, rows);
    for (int p = panel0; p < panel1; p++) {
        int i = 0;
        for (; i + 4 <= m; i += 4)
            mc_neon_tile(out + i * out_stride, out_stride, x + i * x_stride, x_stride, 4,
                         w->data, p, 1, k, rows);
        for (; i < m; i++)
            mc_neon_tile(out + i * out_stride, out_stride, x + i * x_stride, x_stride, 1,
                         w->data, p, 1, k, rows);
    }
}

#endif
