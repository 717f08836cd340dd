/* neon/quads.h - products of quads by sdot, for every format that unpacks to int8.
 *
 * sdot multiplies four rows by four k: a quad is four of its operands, and four k of a token,
 * broadcast, the other one.  Up to four tokens unpack a block as they go; more of them share
 * it unpacked, in L1. */
#ifndef MC_NEON_QUADS_H
#define MC_NEON_QUADS_H

#include <arm_neon.h>

#include "kernels.h"
#include "kernels/panels.h"

enum { MC_NEON_TOKENS = 4 };        /* at a time: 16 sums of four rows, half of the registers */

/* Two quads, which MC_Q4 packs together. */
typedef struct mc_neon_line {
    int8x16_t w[2][4];
} mc_neon_line;

/* Returns a line of a block's lines, as int8.  selectors are MC_Q4's. */
typedef mc_neon_line mc_neon_unpack(const uint8_t *lines, const uint8_t *selectors, int line);

static inline
mc_neon_line mc_neon_unpacked(const uint8_t *lines, const uint8_t *selectors, int line)
{
    mc_neon_line l;
    const int8_t *quads = (const int8_t *)lines + line * 2 * MC_QUAD_BYTES;
    (void)selectors;
    for (int i = 0; i < 8; i++)
        l.w[i / 4][i % 4] = vld1q_s8(quads + 16 * i);
    return l;
}

/* Adds a block of one panel to out (tokens, 16), for rows i ... of x. */
static inline __attribute__((always_inline))
void mc_neon_add(float *out, size_t out_stride, const mc_q8_rows *x, int i, int b, int tokens,
                 const uint8_t *lines, const uint8_t *block, int size, mc_neon_unpack *unpack)
{
    const int8_t *q = x->q + i * x->stride + (size_t)b * MC_BLOCK_K;
    int32x4_t dot[MC_NEON_TOKENS][4] = { 0 };

    for (int k = 0; k < size; k += 8) {
        const mc_neon_line line = unpack(lines, block + MC_Q4_SELECTORS, k / 8);
        for (int odd = 0; odd < 2; odd++)
            for (int t = 0; t < tokens; t++) {
                int32_t four;
                memcpy(&four, q + t * x->stride + k + 4 * odd, sizeof four);
                const int8x16_t x_k = vreinterpretq_s8_s32(vdupq_n_s32(four));
                for (int g = 0; g < 4; g++)
                    dot[t][g] = vdotq_s32(dot[t][g], line.w[odd][g], x_k);
            }
    }
    for (int t = 0; t < tokens; t++)
        for (int g = 0; g < 4; g++) {
            float *sum = out + t * out_stride + 4 * g;
            const uint32x4_t bits = vshll_n_u16(vld1_u16((const uint16_t *)block + 4 * g), 16);
            const float32x4_t scale = vmulq_n_f32(vreinterpretq_f32_u32(bits),
                                                  x->scale[(size_t)(i + t) * x->blocks + b]);
            const float32x4_t acc = b ? vld1q_f32(sum) : vdupq_n_f32(0.0f);
            vst1q_f32(sum, vfmaq_f32(acc, vcvtq_f32_s32(dot[t][g]), scale));
        }
}

/* The same for all m rows of x, four at a time. */
static inline __attribute__((always_inline))
void mc_neon_add_all(float *out, size_t out_stride, const mc_q8_rows *x, int m, int b,
                     const uint8_t *lines, const uint8_t *block, int size, mc_neon_unpack *unpack)
{
    int i = 0;
    for (; i + 4 <= m; i += 4)
        mc_neon_add(out + i * out_stride, out_stride, x, i, b, 4, lines, block, size, unpack);
    out += i * out_stride;
    switch (m - i) {
    case 3: mc_neon_add(out, out_stride, x, i, b, 3, lines, block, size, unpack); break;
    case 2: mc_neon_add(out, out_stride, x, i, b, 2, lines, block, size, unpack); break;
    case 1: mc_neon_add(out, out_stride, x, i, b, 1, lines, block, size, unpack); break;
    }
}

/* matmul_q4 or matmul_q8, by what unpacks a line of line_bytes behind a block's header. */
static inline __attribute__((always_inline))
void mc_neon_matmul(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                    const mc_matrix *w, int panel0, int panel1,
                    int header_bytes, int line_bytes, mc_neon_unpack *unpack)
{
    _Alignas(64) int8_t unpacked[MC_BLOCK_K * MC_TILE_ROWS];
    const int k_padded = mc_k_padded(w->k);
    const size_t panel_bytes = mc_panel_bytes(w->format, w->k);

    for (int p = panel0; p < panel1; p++) {
        const uint8_t *block = (const uint8_t *)w->data + p * panel_bytes;
        float *const out_p = out + (size_t)p * MC_TILE_ROWS;
        for (int b = 0; b < x->blocks; b++) {
            const int left = k_padded - b * MC_BLOCK_K;
            const int size = left < MC_BLOCK_K ? left : MC_BLOCK_K;
            const uint8_t *lines = block + header_bytes;
            if (m <= MC_NEON_TOKENS) {
                mc_neon_add_all(out_p, out_stride, x, m, b, lines, block, size, unpack);
            } else {
                for (int i = 0; i < size / 8; i++) {
                    const mc_neon_line line = unpack(lines, block + MC_Q4_SELECTORS, i);
                    for (int j = 0; j < 8; j++)
                        vst1q_s8(unpacked + i * 2 * MC_QUAD_BYTES + 16 * j, line.w[j / 4][j % 4]);
                }
                mc_neon_add_all(out_p, out_stride, x, m, b, (const uint8_t *)unpacked, block, size,
                                mc_neon_unpacked);
            }
            block = lines + size / 8 * line_bytes;
        }
    }
}

#endif
