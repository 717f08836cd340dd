/* avxvnni/matmul_q8.c - quads as they lie in memory are the operands of vpdpbusd. */
#include "kernels/dot256.h"

mc_matmul_q mc_matmul_q8_avxvnni;

static inline __m256i dot(__m256i acc, __m256i w, __m256i x)
{
    return _mm256_dpbusd_avx_epi32(acc, w, x);
}

void mc_matmul_q8_avxvnni(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                          const mc_matrix *w, int panel0, int panel1)
{
    mc_dot_matmul(out, out_stride, x, m, w, MC_Q8, panel0, panel1, dot, mc_load_unpacked,
                  NULL, 128);
}
