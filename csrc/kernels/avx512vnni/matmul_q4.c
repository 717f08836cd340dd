/* avx512vnni/matmul_q4.c - 64 codes to weights by one vpshufb over the books of their groups. */
#include "kernels/book_pairs.h"
#include "kernels/vnni512.h"

mc_matmul_q mc_matmul_q4_avx512vnni;

/* The books of the four groups of a quad. */
static inline __m512i books(const void *rows_0_to_7, const void *rows_8_to_15)
{
    const __m256i low = _mm256_load_si256(rows_0_to_7), high = _mm256_load_si256(rows_8_to_15);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

static inline mc_quads unpack(const uint8_t *data, int line, const void *pairs)
{
    const uint8_t *s = data - MC_Q4_HEADER_BYTES + MC_Q4_SELECTORS + 3 * line;
    const __m512i nibbles = _mm512_set1_epi8(15);
    const __m512i codes = _mm512_loadu_si512(data + (size_t)line * MC_QUAD_BYTES);
    const __m512i even = _mm512_and_si512(codes, nibbles);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi16(codes, 4), nibbles);
    return (mc_quads){
        _mm512_shuffle_epi8(books(mc_book_pair(pairs, s, 0), mc_book_pair(pairs, s, 1)), even),
        _mm512_shuffle_epi8(books(mc_book_pair(pairs, s, 2), mc_book_pair(pairs, s, 3)), odd),
    };
}

void mc_matmul_q4_avx512vnni(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                             const mc_matrix *w, int panel0, int panel1)
{
    mc_book_pairs pairs;
    mc_fill_book_pairs(&pairs, 128);
    mc_vnni_matmul(out, out_stride, x, m, w, MC_Q4, panel0, panel1, unpack, &pairs);
}
