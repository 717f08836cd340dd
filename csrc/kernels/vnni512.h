/* vnni512.h - the products of 8-bit rows and panels, for ISAs with vpdpbusd at 512 bits.
 *
 * A quad of weights is one register, its lanes the 16 rows: vpdpbusd adds four k to each
 * lane.  Weights are unsigned, 128 too large, so a block's sum is 128 * sum(x) too large.
 * Up to MC_VNNI_TOKENS tokens are bound by memory: they take one panel after the other, a
 * single stream that is fetched far ahead, and unpack in registers.  More tokens are bound
 * by arithmetic: two panels at a time, unpacked once to the stack, and MC_VNNI_CHUNK tokens
 * at a time, whose activations stay in L2. */
#ifndef MC_VNNI512_H
#define MC_VNNI512_H

#include <immintrin.h>
#include <string.h>

#include "kernels.h"
#include "kernels/panels.h"

enum {
    MC_VNNI_TOKENS = 8,         /* of a tile: times 2 panels, accumulators enough for the latency */
    MC_VNNI_CHUNK = 128,
    MC_VNNI_AHEAD_BYTES = 8192,
};

typedef struct mc_quads { __m512i even, odd; } mc_quads;

/* Returns quads 2 * line and 2 * line + 1, each value plus 128, of the values at data.
 * It is inlined; books is what it wants to keep in registers. */
typedef mc_quads mc_load_quads(const uint8_t *data, int line, const void *books);

/* One block of one panel, or of two that are neighbours. */
typedef struct mc_blocks {
    const uint8_t *data[2];     /* what mc_load_quads reads */
    const uint8_t *scales[2];   /* bf16 (16) */
    float *out;                 /* (m, 16 * panels), rows out_stride apart */
    size_t out_stride;
    int index, lines;
} mc_blocks;

static inline mc_quads mc_load_unpacked(const uint8_t *data, int line, const void *books)
{
    (void)books;
    const uint8_t *quads = data + (size_t)line * 2 * MC_QUAD_BYTES;
    return (mc_quads){ _mm512_loadu_si512(quads), _mm512_loadu_si512(quads + MC_QUAD_BYTES) };
}

static inline __m512i mc_broadcast_quad(const int8_t *x)
{
    int32_t x4;
    memcpy(&x4, x, sizeof x4);
    return _mm512_set1_epi32(x4);
}

static inline __m512 mc_load_scales(const uint8_t *scales)
{
    const __m256i bf16 = _mm256_loadu_si256((const __m256i *)scales);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16), 16));
}

/* Adds the blocks' products with tokens first ... first + tokens - 1 to out. */
static inline __attribute__((always_inline)) void
mc_vnni_tile(const mc_blocks *w, const int panels, const mc_q8_rows *x, int first,
             const int tokens, mc_load_quads *load_quads, const void *books, const int ahead_bytes)
{
    const int odd = tokens * panels <= 5;       /* few chains: even and odd quads apart */
    const int8_t *q = x->q + first * x->stride + (size_t)w->index * MC_BLOCK_K;
    __m512i acc[2][MC_VNNI_TOKENS][2];

#pragma GCC unroll 8
    for (int t = 0; t < tokens; t++)
        for (int p = 0; p < panels; p++)
            acc[0][t][p] = acc[odd][t][p] = _mm512_setzero_si512();
    for (int line = 0; line < w->lines; line++, q += 8) {
        mc_quads quads[2];
#pragma GCC unroll 2
        for (int p = 0; p < panels; p++)
            quads[p] = load_quads(w->data[p], line, books);
        for (int byte = 0; byte < ahead_bytes; byte += 64)
            _mm_prefetch((const char *)w->data[0] + line * ahead_bytes + byte
                         + MC_VNNI_AHEAD_BYTES, _MM_HINT_T0);
#pragma GCC unroll 8
        for (int t = 0; t < tokens; t++) {
            const __m512i x_even = mc_broadcast_quad(q + t * x->stride);
            const __m512i x_odd = mc_broadcast_quad(q + t * x->stride + 4);
#pragma GCC unroll 2
            for (int p = 0; p < panels; p++) {
                acc[0][t][p] = _mm512_dpbusd_epi32(acc[0][t][p], quads[p].even, x_even);
                acc[odd][t][p] = _mm512_dpbusd_epi32(acc[odd][t][p], quads[p].odd, x_odd);
            }
        }
    }
#pragma GCC unroll 2
    for (int p = 0; p < panels; p++) {
        const __m512 w_scale = mc_load_scales(w->scales[p]);
#pragma GCC unroll 8
        for (int t = 0; t < tokens; t++) {
            const size_t i = (size_t)(first + t) * x->blocks + w->index;
            float *out = w->out + (first + t) * w->out_stride + p * MC_TILE_ROWS;
            __m512i s = acc[0][t][p];
            if (odd)
                s = _mm512_add_epi32(s, acc[1][t][p]);
            s = _mm512_sub_epi32(s, _mm512_set1_epi32(128 * x->sum[i]));
            const __m512 scale = _mm512_mul_ps(w_scale, _mm512_set1_ps(x->scale[i]));
            const __m512 sum = w->index ? _mm512_loadu_ps(out) : _mm512_setzero_ps();
            _mm512_storeu_ps(out, _mm512_fmadd_ps(_mm512_cvtepi32_ps(s), scale, sum));
        }
    }
}

/* The same for any number of tokens, in tiles of about one size. */
static inline __attribute__((always_inline)) void
mc_vnni_tiles(const mc_blocks *w, const int panels, const mc_q8_rows *x, int first, int tokens,
              mc_load_quads *load, const void *books, const int ahead_bytes)
{
    for (int tiles = (tokens + MC_VNNI_TOKENS - 1) / MC_VNNI_TOKENS; tiles > 0; tiles--) {
        const int size = tokens / tiles;
        switch (size) {
        case 1: mc_vnni_tile(w, panels, x, first, 1, load, books, ahead_bytes); break;
        case 2: mc_vnni_tile(w, panels, x, first, 2, load, books, ahead_bytes); break;
        case 3: mc_vnni_tile(w, panels, x, first, 3, load, books, ahead_bytes); break;
        case 4: mc_vnni_tile(w, panels, x, first, 4, load, books, ahead_bytes); break;
        case 5: mc_vnni_tile(w, panels, x, first, 5, load, books, ahead_bytes); break;
        case 6: mc_vnni_tile(w, panels, x, first, 6, load, books, ahead_bytes); break;
        case 7: mc_vnni_tile(w, panels, x, first, 7, load, books, ahead_bytes); break;
        case 8: mc_vnni_tile(w, panels, x, first, 8, load, books, ahead_bytes); break;
        }
        first += size;
        tokens -= size;
    }
}

static inline mc_blocks mc_find_blocks(float *out, size_t out_stride, const mc_matrix *w,
                                       const mc_format format, int panel, int index)
{
    const int header_bytes = format == MC_Q4 ? MC_Q4_HEADER_BYTES : MC_Q8_HEADER_BYTES;
    const int block_bytes = header_bytes + MC_BLOCK_K * MC_TILE_ROWS / (format == MC_Q4 ? 2 : 1);
    const size_t panel_bytes = mc_panel_bytes(format, w->k);
    const int left = mc_k_padded(w->k) - index * MC_BLOCK_K;
    const uint8_t *block = (const uint8_t *)w->data + panel * panel_bytes
                           + (size_t)index * block_bytes;
    return (mc_blocks){
        .data = { block + header_bytes, block + panel_bytes + header_bytes },
        .scales = { block, block + panel_bytes },
        .out = out + (size_t)panel * MC_TILE_ROWS, .out_stride = out_stride,
        .index = index, .lines = (left < MC_BLOCK_K ? left : MC_BLOCK_K) / 8,
    };
}

/* The whole of a matmul_q. */
static inline __attribute__((always_inline)) void
mc_vnni_matmul(float *out, size_t out_stride, const mc_q8_rows *x, int m, const mc_matrix *w,
               const mc_format format, int panel0, int panel1, mc_load_quads *load_quads,
               const void *books)
{
    const int line_bytes = format == MC_Q4 ? MC_QUAD_BYTES : 2 * MC_QUAD_BYTES;
    const int paired = m <= MC_VNNI_TOKENS ? panel0 : panel1 - (panel1 - panel0) % 2;
    int first = 0;

    for (int chunks = (m + MC_VNNI_CHUNK - 1) / MC_VNNI_CHUNK; chunks > 0; chunks--) {
        const int tokens = (m - first) / chunks;
        for (int p = panel0; p < paired; p += 2)
            for (int b = 0; b < x->blocks; b++) {
                _Alignas(64) uint8_t unpacked[2][MC_BLOCK_K * MC_TILE_ROWS];
                mc_blocks blocks = mc_find_blocks(out, out_stride, w, format, p, b);
                for (int j = 0; format == MC_Q4 && j < 2; j++) {
                    for (int line = 0; line < blocks.lines; line++) {
                        const mc_quads quads = load_quads(blocks.data[j], line, books);
                        uint8_t *to = unpacked[j] + line * 2 * MC_QUAD_BYTES;
                        _mm512_store_si512(to, quads.even);
                        _mm512_store_si512(to + MC_QUAD_BYTES, quads.odd);
                    }
                    blocks.data[j] = unpacked[j];
                }
                mc_vnni_tiles(&blocks, 2, x, first, tokens, mc_load_unpacked, NULL, 0);
            }
        first += tokens;
    }
    for (int p = paired; p < panel1; p++)
        for (int b = 0; b < x->blocks; b++) {
            const mc_blocks blocks = mc_find_blocks(out, out_stride, w, format, p, b);
            mc_vnni_tiles(&blocks, 1, x, 0, m, load_quads, books, line_bytes);
        }
}

#endif
