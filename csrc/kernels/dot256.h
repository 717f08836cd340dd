/* dot256.h - the products of 8-bit rows and panels, for ISAs of 256 bits.
 *
 * A quad of weights is two registers, their lanes 8 rows each; an ISA brings how four k are
 * multiplied and added to each lane.  Up to MC_DOT_TOKENS tokens take the weights straight
 * from memory, unpacked in registers and fetched far ahead; more share blocks that are
 * unpacked once to the stack, MC_DOT_CHUNK tokens at a time, whose activations stay in L2. */
#ifndef MC_DOT256_H
#define MC_DOT256_H

#include <immintrin.h>
#include <string.h>

#include "kernels.h"
#include "kernels/book_pairs.h"
#include "kernels/panels.h"

enum {
    MC_DOT_TOKENS = 6,          /* of a tile: 12 accumulators and their operands in 16 registers */
    MC_DOT_CHUNK = 64,
    MC_DOT_AHEAD_BYTES = 8192,
};

/* Quads 2 * line and 2 * line + 1, [quad][rows 0 to 7, rows 8 to 15]. */
typedef struct mc_quads { __m256i rows[2][2]; } mc_quads;

/* Returns acc plus the products of four k in each lane of w and x. */
typedef __m256i mc_dot(__m256i acc, __m256i w, __m256i x);

/* Returns two quads of the values at data, as mc_dot wants them.  Inlined, as mc_dot is. */
typedef mc_quads mc_load_quads(const uint8_t *data, int line, const mc_book_pairs *pairs);

static inline mc_quads mc_load_unpacked(const uint8_t *data, int line, const mc_book_pairs *pairs)
{
    (void)pairs;
    const __m256i *quads = (const __m256i *)(data + (size_t)line * 2 * MC_QUAD_BYTES);
    return (mc_quads){ { { _mm256_loadu_si256(quads), _mm256_loadu_si256(quads + 1) },
                         { _mm256_loadu_si256(quads + 2), _mm256_loadu_si256(quads + 3) } } };
}

static inline mc_quads mc_load_q4(const uint8_t *data, int line, const mc_book_pairs *pairs)
{
    const uint8_t *s = data - MC_Q4_HEADER_BYTES + MC_Q4_SELECTORS + 3 * line;
    const __m256i nibbles = _mm256_set1_epi8(15);
    mc_quads quads;
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        const __m256i codes = _mm256_loadu_si256(
            (const __m256i *)(data + (size_t)line * MC_QUAD_BYTES) + half);
        const __m256i even = _mm256_and_si256(codes, nibbles);
        const __m256i odd = _mm256_and_si256(_mm256_srli_epi16(codes, 4), nibbles);
        const __m256i even_books = _mm256_load_si256(mc_book_pair(pairs, s, half));
        const __m256i odd_books = _mm256_load_si256(mc_book_pair(pairs, s, 2 + half));
        quads.rows[0][half] = _mm256_shuffle_epi8(even_books, even);
        quads.rows[1][half] = _mm256_shuffle_epi8(odd_books, odd);
    }
    return quads;
}

static inline __m256i mc_broadcast_quad(const int8_t *x)
{
    int32_t x4;
    memcpy(&x4, x, sizeof x4);
    return _mm256_set1_epi32(x4);
}

static inline __m256 mc_load_scales(const uint8_t *scales)
{
    const __m128i bf16 = _mm_loadu_si128((const __m128i *)scales);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bf16), 16));
}

/* One block of one panel. */
typedef struct mc_block {
    const uint8_t *data;        /* what mc_load_quads reads */
    const uint8_t *scales;      /* bf16 (16) */
    float *out;                 /* (m, 16), rows out_stride apart */
    size_t out_stride;
    int index, lines;
    int offset;                 /* by how much weights are too large */
} mc_block;

/* Adds the block's products with tokens first ... first + tokens - 1 to out. */
static inline __attribute__((always_inline)) void
mc_dot_tile(const mc_block *w, const mc_q8_rows *x, int first, const int tokens, mc_dot *dot,
            mc_load_quads *load_quads, const mc_book_pairs *pairs, const int ahead_bytes)
{
    const int odd = tokens <= 2;        /* few chains: even and odd quads apart */
    const int8_t *q = x->q + first * x->stride + (size_t)w->index * MC_BLOCK_K;
    __m256i acc[2][MC_DOT_TOKENS][2];

#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++)
        for (int half = 0; half < 2; half++)
            acc[0][t][half] = acc[odd][t][half] = _mm256_setzero_si256();
    for (int line = 0; line < w->lines; line++, q += 8) {
        const mc_quads quads = load_quads(w->data, line, pairs);
        for (int byte = 0; byte < ahead_bytes; byte += 64)
            _mm_prefetch((const char *)w->data + line * ahead_bytes + byte + MC_DOT_AHEAD_BYTES,
                         _MM_HINT_T0);
#pragma GCC unroll 2
        for (int quad = 0; quad < 2; quad++)
#pragma GCC unroll 6
            for (int t = 0; t < tokens; t++) {
                const __m256i x4 = mc_broadcast_quad(q + t * x->stride + 4 * quad);
                __m256i *sums = acc[quad & odd][t];
                sums[0] = dot(sums[0], quads.rows[quad][0], x4);
                sums[1] = dot(sums[1], quads.rows[quad][1], x4);
            }
    }
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        const __m256 w_scale = mc_load_scales(w->scales + 16 * half);
#pragma GCC unroll 6
        for (int t = 0; t < tokens; t++) {
            const size_t i = (size_t)(first + t) * x->blocks + w->index;
            float *out = w->out + (first + t) * w->out_stride + 8 * half;
            __m256i s = acc[0][t][half];
            if (odd)
                s = _mm256_add_epi32(s, acc[1][t][half]);
            s = _mm256_sub_epi32(s, _mm256_set1_epi32(w->offset * x->sum[i]));
            const __m256 scale = _mm256_mul_ps(w_scale, _mm256_set1_ps(x->scale[i]));
            const __m256 sum = w->index ? _mm256_loadu_ps(out) : _mm256_setzero_ps();
            _mm256_storeu_ps(out, _mm256_fmadd_ps(_mm256_cvtepi32_ps(s), scale, sum));
        }
    }
}

/* The same for any number of tokens, in tiles of about one size. */
static inline __attribute__((always_inline)) void
mc_dot_tiles(const mc_block *w, const mc_q8_rows *x, int first, int tokens, mc_dot *dot,
             mc_load_quads *load, const mc_book_pairs *pairs, const int ahead_bytes)
{
    for (int tiles = (tokens + MC_DOT_TOKENS - 1) / MC_DOT_TOKENS; tiles > 0; tiles--) {
        const int size = tokens / tiles;
        switch (size) {
        case 1: mc_dot_tile(w, x, first, 1, dot, load, pairs, ahead_bytes); break;
        case 2: mc_dot_tile(w, x, first, 2, dot, load, pairs, ahead_bytes); break;
        case 3: mc_dot_tile(w, x, first, 3, dot, load, pairs, ahead_bytes); break;
        case 4: mc_dot_tile(w, x, first, 4, dot, load, pairs, ahead_bytes); break;
        case 5: mc_dot_tile(w, x, first, 5, dot, load, pairs, ahead_bytes); break;
        case 6: mc_dot_tile(w, x, first, 6, dot, load, pairs, ahead_bytes); break;
        }
        first += size;
        tokens -= size;
    }
}

/* The whole of a matmul_q; offset is what loaded weights are too large by. */
static inline __attribute__((always_inline)) void
mc_dot_matmul(float *out, size_t out_stride, const mc_q8_rows *x, int m, const mc_matrix *w,
              const mc_format format, int panel0, int panel1, mc_dot *dot,
              mc_load_quads *load_quads, const mc_book_pairs *pairs, const int offset)
{
    const int header_bytes = format == MC_Q4 ? MC_Q4_HEADER_BYTES : MC_Q8_HEADER_BYTES;
    const int line_bytes = format == MC_Q4 ? MC_QUAD_BYTES : 2 * MC_QUAD_BYTES;
    const size_t panel_bytes = mc_panel_bytes(format, w->k);
    int first = 0;

    for (int chunks = (m + MC_DOT_CHUNK - 1) / MC_DOT_CHUNK; chunks > 0; chunks--) {
        const int tokens = (m - first) / chunks;
        for (int p = panel0; p < panel1; p++) {
            const uint8_t *next = (const uint8_t *)w->data + p * panel_bytes;
            for (int b = 0; b < x->blocks; b++) {
                _Alignas(64) uint8_t unpacked[MC_BLOCK_K * MC_TILE_ROWS];
                const int left = mc_k_padded(w->k) - b * MC_BLOCK_K;
                mc_block block = {
                    .data = next + header_bytes, .scales = next, .offset = offset,
                    .out = out + (size_t)p * MC_TILE_ROWS, .out_stride = out_stride,
                    .index = b, .lines = (left < MC_BLOCK_K ? left : MC_BLOCK_K) / 8,
                };
                next += header_bytes + (size_t)block.lines * line_bytes;
                if (m <= MC_DOT_TOKENS) {
                    mc_dot_tiles(&block, x, 0, m, dot, load_quads, pairs, line_bytes);
                    continue;
                }
                if (load_quads != mc_load_unpacked) {
                    for (int line = 0; line < block.lines; line++) {
                        const mc_quads quads = load_quads(block.data, line, pairs);
                        memcpy(unpacked + line * sizeof quads, &quads, sizeof quads);
                    }
                    block.data = unpacked;
                }
                mc_dot_tiles(&block, x, first, tokens, dot, mc_load_unpacked, NULL, 0);
            }
        }
        first += tokens;
    }
}

#endif
