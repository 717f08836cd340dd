/* amx/tiles.h - products in tiles, for every format that unpacks to int8.
 *
 * A is 16 tokens by 64 k of x as it lies, B is 16 quads of a panel, C is 16 tokens by 16 rows.
 * Weights of two panels are unpacked a chunk of blocks at a time, small enough for L1, and
 * all tokens of a span run over them; x of a span fits L2.  A step is one block of two token
 * tiles by two panels, all in registers.  Its sums are scaled while the tile unit works on the
 * next step: they are read before the next step's are stored over them.
 *
 * Where m is no multiple of 16, the last tile starts early and repeats tokens of the one before
 * it, with sums of its own.  So every tile has one shape, and nothing beyond m is touched. */
#ifndef MC_AMX_TILES_H
#define MC_AMX_TILES_H

#include <immintrin.h>
#include <stdatomic.h>

#include "kernels.h"
#include "kernels/panels.h"

enum {
    MC_AMX_ROWS = 16,               /* tokens of a tile */
    MC_AMX_CHUNK = 2,               /* blocks unpacked at a time */
    MC_AMX_SPAN = 512,              /* tokens at most between two unpackings */
    MC_AMX_X_BYTES = 1 << 20,       /* of x in a span: half of L2 */
    /* From here on tiles win: 16 cycles for up to 16 tokens by 1,024 weights, where vpdpbusd
     * takes 8 for each token, less what unpacking to memory and leaving the tiles cost. */
    MC_AMX_MIN_TOKENS = 8,
};

/* Writes the quads of one block, size of k, as int8. */
typedef void mc_amx_unpack(int8_t *quads, const uint8_t *block, int size);

typedef struct mc_amx_weights {
    _Alignas(64) int8_t quads[2][MC_BLOCK_K * MC_TILE_ROWS];    /* of two panels */
    __m512 scale[2];
} mc_amx_weights;

typedef struct mc_amx_sums {
    _Alignas(64) float of[2][MC_AMX_ROWS][MC_TILE_ROWS];        /* two panels of a token tile */
} mc_amx_sums;

/* The sums of a step on their way out of the tiles. */
typedef struct mc_amx_step {
    mc_amx_sums *sums;              /* of each of its token tiles */
    const float *x_scale[2];        /* of the first token of each */
    const mc_amx_weights *w;
    int tiles, first_block;
} mc_amx_step;

/* Tiles 0 to 3 are C, 4 and 5 are A of two token tiles, 6 and 7 are B of two panels. */
static inline void mc_amx_configure(int rows)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = { .palette = 1 };
    for (int tile = 0; tile < 8; tile++) {
        config.row_bytes[tile] = 64;
        config.rows[tile] = tile < 6 ? rows : MC_TILE_K / 4;
    }
    /* Compilers are told of 8 of the 64 bytes that the instruction reads. */
    atomic_signal_fence(memory_order_seq_cst);
    _tile_loadconfig(&config);
}

/* Leaves x @ w.T over size of k in tiles 0 and 1, and for x1, unless NULL, in 2 and 3. */
static inline void mc_amx_multiply(const int8_t *x0, const int8_t *x1, size_t x_stride,
                                   const mc_amx_weights *w, int size)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int k = 0; k < size; k += MC_TILE_K) {
        _tile_loadd(4, x0 + k, x_stride);
        _tile_loadd(6, w->quads[0] + k * MC_TILE_ROWS, MC_QUAD_BYTES);
        _tile_dpbssd(0, 4, 6);
        _tile_loadd(7, w->quads[1] + k * MC_TILE_ROWS, MC_QUAD_BYTES);
        _tile_dpbssd(1, 4, 7);
        if (x1) {
            _tile_loadd(5, x1 + k, x_stride);
            _tile_dpbssd(2, 5, 6);
            _tile_dpbssd(3, 5, 7);
        }
    }
}

static inline void mc_amx_add(const mc_amx_step *step, int32_t dot[2][2][MC_AMX_ROWS][MC_TILE_ROWS],
                              int rows, int blocks)
{
    for (int t = 0; t < step->tiles; t++)
        for (int r = 0; r < rows; r++) {
            const __m512 x_scale = _mm512_set1_ps(step->x_scale[t][(size_t)r * blocks]);
            for (int h = 0; h < 2; h++) {
                float *sum = step->sums[t].of[h][r];
                const __m512 acc = step->first_block ? _mm512_setzero_ps() : _mm512_load_ps(sum);
                const __m512 s = _mm512_cvtepi32_ps(_mm512_load_si512(dot[t][h][r]));
                const __m512 scale = _mm512_mul_ps(step->w->scale[h], x_scale);
                _mm512_store_ps(sum, _mm512_fmadd_ps(s, scale, acc));
            }
        }
}

/* The token tile of a span: where it starts in x, at most the last place for all its rows. */
static inline int mc_amx_token(int token0, int tile, int m, int rows)
{
    const int token = token0 + tile * MC_AMX_ROWS;
    return token < m - rows ? token : m - rows;
}

/* Adds the products of blocks [b0, b0 + n) to the sums of the span's tiles. */
static inline void mc_amx_chunk(mc_amx_sums *sums, const mc_q8_rows *x, int m, int token0,
                                int tiles, const mc_amx_weights *w, int b0, int n, int k_padded)
{
    _Alignas(64) int32_t dot[2][2][MC_AMX_ROWS][MC_TILE_ROWS];
    const int rows = m < MC_AMX_ROWS ? m : MC_AMX_ROWS;
    mc_amx_step last = { .tiles = 0 };

    for (int t = 0; t < tiles; t += 2) {
        const int i0 = mc_amx_token(token0, t, m, rows), i1 = mc_amx_token(token0, t + 1, m, rows);
        const int pair = t + 1 < tiles;
        for (int b = b0; b < b0 + n; b++) {
            const int left = k_padded - b * MC_BLOCK_K;
            const int size = left < MC_BLOCK_K ? left : MC_BLOCK_K;
            const int8_t *q = x->q + (size_t)b * MC_BLOCK_K;
            mc_amx_multiply(q + i0 * x->stride, pair ? q + i1 * x->stride : NULL, x->stride,
                            &w[b - b0], size);
            mc_amx_add(&last, dot, rows, x->blocks);
            _tile_stored(0, dot[0][0], 64);
            _tile_stored(1, dot[0][1], 64);
            _tile_stored(2, dot[1][0], 64);
            _tile_stored(3, dot[1][1], 64);
            last = (mc_amx_step){
                .sums = &sums[t], .w = &w[b - b0], .tiles = 1 + pair, .first_block = b == 0,
                .x_scale = { x->scale + (size_t)i0 * x->blocks + b,
                             x->scale + (size_t)i1 * x->blocks + b },
            };
        }
    }
    mc_amx_add(&last, dot, rows, x->blocks);
}

/* Tokens of a span: as many as let its x stay in L2, all spans about the same. */
static inline int mc_amx_span(int m, int k_padded)
{
    int most = MC_AMX_X_BYTES / k_padded;
    most = most < 64 ? 64 : most < MC_AMX_SPAN ? most : MC_AMX_SPAN;
    const int spans = (m + most - 1) / most;
    return ((m + spans - 1) / spans + 31) / 32 * 32;
}

/* The product of two panels, where they lie and where they go, and one span of tokens. */
static inline void mc_amx_panels(float *const out[2], size_t out_stride, const mc_q8_rows *x, int m,
                                 int token0, int tiles, const uint8_t *const panels[2],
                                 int k_padded, size_t block_bytes, mc_amx_unpack *unpack)
{
    mc_amx_sums sums[MC_AMX_SPAN / MC_AMX_ROWS];
    mc_amx_weights weights[MC_AMX_CHUNK];
    const int rows = m < MC_AMX_ROWS ? m : MC_AMX_ROWS;

    for (int b0 = 0; b0 < x->blocks; b0 += MC_AMX_CHUNK) {
        const int n = x->blocks - b0 < MC_AMX_CHUNK ? x->blocks - b0 : MC_AMX_CHUNK;
        for (int b = 0; b < n; b++)
            for (int h = 0; h < 2; h++) {
                const int left = k_padded - (b0 + b) * MC_BLOCK_K;
                const uint8_t *block = panels[h] + (b0 + b) * block_bytes;
                const __m256i scale = _mm256_load_si256((const __m256i *)block);
                weights[b].scale[h] = _mm512_castsi512_ps(
                    _mm512_slli_epi32(_mm512_cvtepu16_epi32(scale), 16));
                unpack(weights[b].quads[h], block, left < MC_BLOCK_K ? left : MC_BLOCK_K);
            }
        /* Compilers do not know that tile loads read memory. */
        atomic_signal_fence(memory_order_seq_cst);
        mc_amx_chunk(sums, x, m, token0, tiles, weights, b0, n, k_padded);
    }
    for (int t = 0; t < tiles; t++)
        for (int r = 0; r < rows; r++)
            for (int h = 0; h < 2; h++)
                _mm512_storeu_ps(out[h] + (mc_amx_token(token0, t, m, rows) + r) * out_stride,
                                 _mm512_load_ps(sums[t].of[h][r]));
}

/* matmul_q4 or matmul_q8 of at least one token, by what unpacks a block, block_bytes after
 * the one before it. */
static inline void mc_amx_matmul(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                                 const mc_matrix *w, int panel0, int panel1,
                                 size_t block_bytes, mc_amx_unpack *unpack)
{
    const int k_padded = mc_k_padded(w->k), span = mc_amx_span(m, k_padded);
    const size_t panel_bytes = mc_panel_bytes(w->format, w->k);

    mc_amx_configure(m < MC_AMX_ROWS ? m : MC_AMX_ROWS);
    for (int token0 = 0; token0 < m; token0 += span) {
        const int count = m - token0 < span ? m - token0 : span;
        for (int p = panel0; p < panel1; p += 2) {
            /* A panel without a partner is its own, and written twice. */
            const int second = p + 1 < panel1 ? p + 1 : p;
            float *const outs[2] = { out + (size_t)p * MC_TILE_ROWS,
                                     out + (size_t)second * MC_TILE_ROWS };
            const uint8_t *const panels[2] = { (const uint8_t *)w->data + p * panel_bytes,
                                               (const uint8_t *)w->data + second * panel_bytes };
            mc_amx_panels(outs, out_stride, x, m, token0, (count + MC_AMX_ROWS - 1) / MC_AMX_ROWS,
                          panels, k_padded, block_bytes, unpack);
        }
    }
    _tile_release();
}

#endif
