/* avx2/matmul_q4.c - books by vpshufb, 32 products by vpmaddubsw. */
#include "kernels/avx2/maddubs.h"
#include "kernels/dot256.h"

mc_matmul_q mc_matmul_q4_avx2;

void mc_matmul_q4_avx2(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                       const mc_matrix *w, int panel0, int panel1)
{
    mc_book_pairs pairs;
    mc_fill_book_pairs(&pairs, 0);
    mc_dot_matmul(out, out_stride, x, m, w, MC_Q4, panel0, panel1, mc_dot_maddubs, mc_load_q4,
                  &pairs, 0);
}
