/* neon/matmul_bf16.c - four rows to a register, widened as they are read. */
#include "kernels/neon/chains.h"

mc_matmul_f mc_matmul_bf16_neon;

static inline float32x4_t rows_bf16(const void *w, size_t element)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16((const uint16_t *)w + element), 16));
}

void mc_matmul_bf16_neon(float *out, size_t out_stride, const float *x, size_t x_stride, int m,
                         const mc_matrix *w, int panel0, int panel1)
{
    mc_neon_matmul_f(out, out_stride, x, x_stride, m, w, panel0, panel1, rows_bf16);
}
