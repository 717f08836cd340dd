/* amx/matmul_q4.c - 32 tokens by two panels at a time, in tiles.
 *
 * vpermi2b looks 64 codes up in all eight books at once: an index is four bits of code below
 * three of selector.  Few tokens would leave most of a tile idle: they stay with vpdpbusd. */
#include "kernels/amx/tiles.h"

mc_matmul_q mc_matmul_q4_amx, mc_matmul_q4_avx512vbmi;

/* Byte g * 16 + i of a quad's selectors: the three bits of group g, in bits 4 to 6. */
static __m512i selector_shifts(int quad)
{
    _Alignas(64) uint8_t shift[64];
    for (int i = 0; i < 64; i++)
        shift[i] = (uint8_t)((12 * quad + 3 * (i / 16) - 4) & 63);
    return _mm512_load_si512(shift);
}

static void unpack_q4(int8_t *quads, const uint8_t *block, int size)
{
    const __m512i low_books = _mm512_loadu_si512(mc_q4_book[0]);
    const __m512i high_books = _mm512_loadu_si512(mc_q4_book[4]);
    const __m512i even_shifts = selector_shifts(0), odd_shifts = selector_shifts(1);
    const __m512i code = _mm512_set1_epi8(0x0f);
    const uint8_t *lines = block + MC_Q4_HEADER_BYTES;

    for (int i = 0; i < size / 8; i++) {
        int64_t selectors;      /* the 24 bits of this line, and 40 more of the block */
        memcpy(&selectors, block + MC_Q4_SELECTORS + 3 * i, sizeof selectors);
        const __m512i s = _mm512_set1_epi64(selectors);
        const __m512i even = _mm512_load_si512(lines + i * MC_QUAD_BYTES);
        const __m512i odd = _mm512_srli_epi16(even, 4);
        /* 0xca: where code has a bit, the line's; elsewhere the selector's. */
        const __m512i even_index = _mm512_ternarylogic_epi32(
            code, even, _mm512_multishift_epi64_epi8(even_shifts, s), 0xca);
        const __m512i odd_index = _mm512_ternarylogic_epi32(
            code, odd, _mm512_multishift_epi64_epi8(odd_shifts, s), 0xca);
        _mm512_store_si512(quads + 2 * i * MC_QUAD_BYTES,
                           _mm512_permutex2var_epi8(low_books, even_index, high_books));
        _mm512_store_si512(quads + (2 * i + 1) * MC_QUAD_BYTES,
                           _mm512_permutex2var_epi8(low_books, odd_index, high_books));
    }
}

void mc_matmul_q4_amx(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                      const mc_matrix *w, int panel0, int panel1)
{
    if (m < MC_AMX_MIN_TOKENS)
        mc_matmul_q4_avx512vbmi(out, out_stride, x, m, w, panel0, panel1);
    else
        mc_amx_matmul(out, out_stride, x, m, w, panel0, panel1,
                      MC_Q4_HEADER_BYTES + MC_BLOCK_K * MC_TILE_ROWS / 2, unpack_q4);
}
