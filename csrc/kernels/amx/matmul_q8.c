/* amx/matmul_q8.c - 32 tokens by two panels at a time, in tiles.
 *
 * Few tokens would leave most of a tile idle: they stay with vpdpbusd. */
#include "kernels/amx/tiles.h"

mc_matmul_q mc_matmul_q8_amx, mc_matmul_q8_avx512vnni;

/* Less 128, and close to the tiles. */
static void unpack_q8(int8_t *quads, const uint8_t *block, int size)
{
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    const uint8_t *stored = block + MC_Q8_HEADER_BYTES;
    for (int i = 0; i < size * MC_TILE_ROWS; i += 64)
        _mm512_store_si512(quads + i, _mm512_xor_si512(_mm512_load_si512(stored + i), flip));
}

void mc_matmul_q8_amx(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                      const mc_matrix *w, int panel0, int panel1)
{
    if (m < MC_AMX_MIN_TOKENS)
        mc_matmul_q8_avx512vnni(out, out_stride, x, m, w, panel0, panel1);
    else
        mc_amx_matmul(out, out_stride, x, m, w, panel0, panel1,
                      MC_Q8_HEADER_BYTES + MC_BLOCK_K * MC_TILE_ROWS, unpack_q8);
}
