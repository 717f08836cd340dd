/* avx512vbmi/matmul_q4.c - 64 codes to weights by one vpermi2b over all eight books.
 *
 * An index is a code under three bits of selector.  vpmultishiftqb brings each 16 bytes
 * the 8 bits of the selectors whose bits 4 to 6 are their own; vpermi2b ignores bit 7. */
#include "kernels/vnni512.h"

mc_matmul_q mc_matmul_q4_avx512vbmi;

typedef struct books { __m512i entries[2], even, odd; } books;

/* Bit 3 * group + first of a line's selectors, down to bit 4 of every byte of the group. */
static __m512i shifts(int first)
{
    _Alignas(64) uint8_t bits[64];
    for (int i = 0; i < 64; i++)
        bits[i] = (uint8_t)((first + 3 * (i / 16) - 4) & 63);
    return _mm512_load_si512(bits);
}

/* Reads 8 bytes for the 3 of a line's selectors: after the last ones come the codes. */
static inline mc_quads unpack(const uint8_t *data, int line, const void *books_)
{
    const books *b = books_;
    const __m512i nibbles = _mm512_set1_epi8(15);
    int64_t selectors;
    memcpy(&selectors, data - MC_Q4_HEADER_BYTES + MC_Q4_SELECTORS + 3 * line, sizeof selectors);
    const __m512i s = _mm512_set1_epi64(selectors);
    const __m512i codes = _mm512_loadu_si512(data + (size_t)line * MC_QUAD_BYTES);
    enum { SELECT = 0xe4 };     /* of (a, b, c): c ? a : b */
    const __m512i even = _mm512_ternarylogic_epi64(
        codes, _mm512_multishift_epi64_epi8(b->even, s), nibbles, SELECT);
    const __m512i odd = _mm512_ternarylogic_epi64(
        _mm512_srli_epi16(codes, 4), _mm512_multishift_epi64_epi8(b->odd, s), nibbles, SELECT);
    return (mc_quads){ _mm512_permutex2var_epi8(b->entries[0], even, b->entries[1]),
                       _mm512_permutex2var_epi8(b->entries[0], odd, b->entries[1]) };
}

void mc_matmul_q4_avx512vbmi(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                             const mc_matrix *w, int panel0, int panel1)
{
    const __m512i offset = _mm512_set1_epi8((char)128);
    const books b = {
        .entries = { _mm512_add_epi8(_mm512_loadu_si512(mc_q4_book[0]), offset),
                     _mm512_add_epi8(_mm512_loadu_si512(mc_q4_book[4]), offset) },
        .even = shifts(0),
        .odd = shifts(12),
    };
    mc_vnni_matmul(out, out_stride, x, m, w, MC_Q4, panel0, panel1, unpack, &b);
}
