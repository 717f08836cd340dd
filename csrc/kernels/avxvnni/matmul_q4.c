/* avxvnni/matmul_q4.c - books by vpshufb, 32 products by one vpdpbusd. */
#include "kernels/dot256.h"

mc_matmul_q mc_matmul_q4_avxvnni;

static inline __m256i dot(__m256i acc, __m256i w, __m256i x)
{
    return _mm256_dpbusd_avx_epi32(acc, w, x);
}

void mc_matmul_q4_avxvnni(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                          const mc_matrix *w, int panel0, int panel1)
{
    mc_book_pairs pairs;
    mc_fill_book_pairs(&pairs, 128);
    mc_dot_matmul(out, out_stride, x, m, w, MC_Q4, panel0, panel1, dot, mc_load_q4, &pairs, 128);
}
