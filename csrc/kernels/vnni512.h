/* vnni512.h - the products of 8-bit rows and panels, for ISAs with vpdpbusd at 512 bits.
 *
 * A quad of weights is one register, its lanes the 16 rows: vpdpbusd adds four k to each
 * lane.  Weights are unsigned, 128 too large, so a block's sum is 128 * sum(x) too large.
 * Up to TOKENS tokens take the weights straight from memory, unpacked in registers and
 * fetched ahead; more share blocks that are unpacked once to the stack, CHUNK tokens at a
 * time so that their activations stay in L2. */
#ifndef MC_VNNI512_H
#define MC_VNNI512_H

#include <immintrin.h>
#include <string.h>

#include "kernels.h"
#include "kernels/panels.h"

enum {
    MC_VNNI_TOKENS = 8,         /* 8 x 2 accumulators hide the latency of vpdpbusd */
    MC_VNNI_PANELS = 2,
    MC_VNNI_CHUNK = 64,
    MC_VNNI_AHEAD_BYTES = 4096,
};

typedef struct mc_quads { __m512i even, odd; } mc_quads;

/* Returns quads 2 * line and 2 * line + 1, each value plus 128, of the values at data.
 * It is inlined; books is what it wants to keep in registers. */
typedef mc_quads mc_load_quads(const uint8_t *data, int line, const void *books);

/* One block of two panels, or of one that is its own partner. */
typedef struct mc_block_pair {
    int panels;                                 /* 1 or 2: whose results are stored */
    const uint8_t *data[MC_VNNI_PANELS];        /* what mc_load_quads reads */
    const uint8_t *scales[MC_VNNI_PANELS];      /* bf16 (16) */
    float *out[MC_VNNI_PANELS];                 /* the columns of the first token */
    size_t out_stride;
    int lines, block;
} mc_block_pair;

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

/* Adds block w->block of tokens first ... first + tokens - 1 to their rows of out. */
static inline __attribute__((always_inline)) void
mc_vnni_tile(const mc_block_pair *w, const mc_q8_rows *x, int first, const int tokens,
             mc_load_quads *load_quads, const void *books, const int ahead_bytes)
{
    const int odd = tokens <= 2;    /* few tokens: even and odd quads apart, against latency */
    const int8_t *q = x->q + first * x->stride + (size_t)w->block * MC_BLOCK_K;
    __m512i acc[2][MC_VNNI_TOKENS][MC_VNNI_PANELS];

#pragma GCC unroll 8
    for (int t = 0; t < tokens; t++)
        for (int p = 0; p < MC_VNNI_PANELS; p++)
            acc[0][t][p] = acc[odd][t][p] = _mm512_setzero_si512();
    for (int line = 0; line < w->lines; line++, q += 8) {
        mc_quads quads[MC_VNNI_PANELS];
#pragma GCC unroll 2
        for (int p = 0; p < MC_VNNI_PANELS; p++) {
            quads[p] = load_quads(w->data[p], line, books);
            for (int byte = 0; byte < ahead_bytes; byte += 64)
                _mm_prefetch((const char *)w->data[p] + line * ahead_bytes + byte
                             + MC_VNNI_AHEAD_BYTES, _MM_HINT_T0);
        }
#pragma GCC unroll 8
        for (int t = 0; t < tokens; t++) {
            const __m512i x_even = mc_broadcast_quad(q + t * x->stride);
            const __m512i x_odd = mc_broadcast_quad(q + t * x->stride + 4);
#pragma GCC unroll 2
            for (int p = 0; p < MC_VNNI_PANELS; p++) {
                acc[0][t][p] = _mm512_dpbusd_epi32(acc[0][t][p], quads[p].even, x_even);
                acc[odd][t][p] = _mm512_dpbusd_epi32(acc[odd][t][p], quads[p].odd, x_odd);
            }
        }
    }
#pragma GCC unroll 2
    for (int p = 0; p < MC_VNNI_PANELS; p++) {
        if (p == w->panels)
            break;
        const __m512 w_scale = mc_load_scales(w->scales[p]);
#pragma GCC unroll 8
        for (int t = 0; t < tokens; t++) {
            const size_t i = (size_t)(first + t) * x->blocks + w->block;
            float *out = w->out[p] + (first + t) * w->out_stride;
            __m512i s = acc[0][t][p];
            if (odd)
                s = _mm512_add_epi32(s, acc[1][t][p]);
            s = _mm512_sub_epi32(s, _mm512_set1_epi32(128 * x->sum[i]));
            const __m512 scale = _mm512_mul_ps(w_scale, _mm512_set1_ps(x->scale[i]));
            const __m512 sum = w->block ? _mm512_loadu_ps(out) : _mm512_setzero_ps();
            _mm512_storeu_ps(out, _mm512_fmadd_ps(_mm512_cvtepi32_ps(s), scale, sum));
        }
    }
}

static inline __attribute__((always_inline)) void
mc_vnni_tiles(const mc_block_pair *w, const mc_q8_rows *x, int first, int tokens,
              mc_load_quads *load_quads, const void *books, const int ahead_bytes)
{
    switch (tokens) {
    case 1: mc_vnni_tile(w, x, first, 1, load_quads, books, ahead_bytes); break;
    case 2: mc_vnni_tile(w, x, first, 2, load_quads, books, ahead_bytes); break;
    case 3: mc_vnni_tile(w, x, first, 3, load_quads, books, ahead_bytes); break;
    case 4: mc_vnni_tile(w, x, first, 4, load_quads, books, ahead_bytes); break;
    case 5: mc_vnni_tile(w, x, first, 5, load_quads, books, ahead_bytes); break;
    case 6: mc_vnni_tile(w, x, first, 6, load_quads, books, ahead_bytes); break;
    case 7: mc_vnni_tile(w, x, first, 7, load_quads, books, ahead_bytes); break;
    case 8: mc_vnni_tile(w, x, first, 8, load_quads, books, ahead_bytes); break;
    }
}

/* Where part i of total begins, cut into evenly sized parts. */
static inline int mc_part(int total, int parts, int i) { return (int)((int64_t)total * i / parts); }

/* The whole of a matmul_q, for a format whose blocks have header_bytes before their values
 * and line_bytes for each two quads. */
static inline __attribute__((always_inline)) void
mc_vnni_matmul(float *out, size_t out_stride, const mc_q8_rows *x, int m, const mc_matrix *w,
               int panel0, int panel1, mc_load_quads *load_quads, const void *books,
               const int header_bytes, const int line_bytes)
{
    const size_t panel_bytes = mc_panel_bytes(w->format, w->k);
    const int chunks = (m + MC_VNNI_CHUNK - 1) / MC_VNNI_CHUNK;
    _Alignas(64) uint8_t unpacked[MC_VNNI_PANELS][MC_BLOCK_K * MC_TILE_ROWS];

    for (int c = 0; c < chunks; c++) {
        const int first = mc_part(m, chunks, c), tokens = mc_part(m, chunks, c + 1) - first;
        const int tiles = (tokens + MC_VNNI_TOKENS - 1) / MC_VNNI_TOKENS;
        for (int p = panel0; p < panel1; p += 2) {
            const int alone = p + 1 == panel1;
            const int panel[MC_VNNI_PANELS] = { p, alone ? p : p + 1 };
            size_t offset = 0;
            mc_block_pair pair = { .panels = alone ? 1 : 2, .out_stride = out_stride };
            for (int b = 0; b < x->blocks; b++) {
                const int left = mc_k_padded(w->k) - b * MC_BLOCK_K;
                pair.block = b;
                pair.lines = (left < MC_BLOCK_K ? left : MC_BLOCK_K) / 8;
                for (int j = 0; j < MC_VNNI_PANELS; j++) {
                    pair.out[j] = out + (size_t)panel[j] * MC_TILE_ROWS;
                    pair.scales[j] = (const uint8_t *)w->data + panel[j] * panel_bytes + offset;
                    pair.data[j] = pair.scales[j] + header_bytes;
                }
                offset += header_bytes + (size_t)pair.lines * line_bytes;
                if (m <= MC_VNNI_TOKENS) {
                    mc_vnni_tiles(&pair, x, 0, m, load_quads, books, line_bytes);
                    continue;
                }
                if (line_bytes != 2 * MC_QUAD_BYTES)
                    for (int j = 0; j < MC_VNNI_PANELS; j++) {
                        for (int line = 0; line < pair.lines; line++) {
                            const mc_quads quads = load_quads(pair.data[j], line, books);
                            uint8_t *to = unpacked[j] + line * 2 * MC_QUAD_BYTES;
                            _mm512_store_si512(to, quads.even);
                            _mm512_store_si512(to + MC_QUAD_BYTES, quads.odd);
                        }
                        pair.data[j] = unpacked[j];
                    }
                for (int t = 0; t < tiles; t++) {
                    const int from = mc_part(tokens, tiles, t), to = mc_part(tokens, tiles, t + 1);
                    mc_vnni_tiles(&pair, x, first + from, to - from, mc_load_unpacked, NULL, 0);
                }
            }
        }
    }
}

#endif
