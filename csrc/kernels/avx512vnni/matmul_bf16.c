/* avx512vnni/matmul_bf16.c - matmul_bf16 over lanes: one register of sixteen. */
#include "kernels/avx512vnni/lanes.h"
#include "kernels/lanes/matmul_f.h"

mc_matmul_f mc_matmul_bf16_avx512vnni;

void mc_matmul_bf16_avx512vnni(float *out, size_t out_stride, const float *x, size_t x_stride,
                               int m, const mc_matrix *w, int panel0, int panel1)
{
    matmul_f_lanes(out, out_stride, x, x_stride, m, w, panel0, panel1, MC_BF16);
}
