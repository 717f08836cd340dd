/* avx2/matmul_q8.c - quads made signed again, 32 products by vpmaddubsw. */
#include "kernels/avx2/maddubs.h"
#include "kernels/dot256.h"

mc_matmul_q mc_matmul_q8_avx2;

static inline mc_quads load_signed(const uint8_t *data, int line, const mc_book_pairs *pairs)
{
    const __m256i flip = _mm256_set1_epi8((char)128);
    mc_quads quads = mc_load_unpacked(data, line, pairs);
    for (int quad = 0; quad < 2; quad++)
        for (int half = 0; half < 2; half++)
            quads.rows[quad][half] = _mm256_xor_si256(quads.rows[quad][half], flip);
    return quads;
}

void mc_matmul_q8_avx2(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                       const mc_matrix *w, int panel0, int panel1)
{
    mc_dot_matmul(out, out_stride, x, m, w, MC_Q8, panel0, panel1, mc_dot_maddubs, load_signed,
                  NULL, 0);
}
