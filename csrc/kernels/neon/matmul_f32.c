/* neon/matmul_f32.c - four rows to a register. */
#include "kernels/neon/chains.h"

mc_matmul_f mc_matmul_f32_neon;

static inline float32x4_t rows_f32(const void *w, size_t element)
{
    return vld1q_f32((const float *)w + element);
}

void mc_matmul_f32_neon(float *out, size_t out_stride, const float *x, size_t x_stride, int m,
                        const mc_matrix *w, int panel0, int panel1)
{
    mc_neon_matmul_f(out, out_stride, x, x_stride, m, w, panel0, panel1, rows_f32);
}
