/* panels.h - how weights lie in memory and on disk, for every ISA.
 *
 * Sixteen rows make a panel; along k a panel is a row of blocks of 256 (the last may be
 * 64, 128 or 192).  Four consecutive k of the 16 rows make a quad: 64 values, value
 * 4 * row + (k % 4).  So a quad is one operand of vpdpbusd, two of sdot's four rows, and
 * sixteen quads are one B tile of AMX: no ISA shuffles weights.
 *
 *   MC_F32, MC_BF16   (k, 16): the 16 rows of one k together; no scales.
 *   MC_Q8             a block: 16 bf16 scales, 32 bytes unused, then its quads; a value is
 *                     stored plus 128.
 *   MC_Q4             a block: 16 bf16 scales, 96 bytes of selectors, then 64 bytes for
 *                     each two quads: low nibbles are the even quad, high ones the odd.
 *                     A group is 4 rows by 4 k, 16 bytes of a quad: it selects one of
 *                     eight code books in 3 bits.  Line i (quads 2i and 2i + 1) has the
 *                     24 bits from byte 3 * i on, least significant first: groups 0 ... 3
 *                     of the even quad, then of the odd one.
 * The weight is scale * value, or scale * mc_q4_book[selector][code]. */
#ifndef MC_PANELS_H
#define MC_PANELS_H

#include <string.h>

#include "kernels.h"

enum {
    MC_QUAD_BYTES = 64,
    MC_Q8_HEADER_BYTES = 64,
    MC_Q4_HEADER_BYTES = 128,
    MC_Q4_SELECTORS = 32,       /* where a block's selectors start, in bytes */
    MC_Q4_BOOKS = 8,
};

/* Sixteen entries, denser near zero, in four steps of 0.76 and mirrored: odd books are
 * the even ones negated, because the lower half of a book reaches further than the upper. */
extern const int8_t mc_q4_book[MC_Q4_BOOKS][16];

static inline int mc_k_padded(int k) { return (k + MC_TILE_K - 1) / MC_TILE_K * MC_TILE_K; }
static inline int mc_panels(int n) { return (n + MC_TILE_ROWS - 1) / MC_TILE_ROWS; }

/* Bytes of one panel of a matrix with rows of k. */
static inline size_t mc_panel_bytes(mc_format format, int k)
{
    const size_t padded = (size_t)mc_k_padded(k);
    const size_t blocks = (padded + MC_BLOCK_K - 1) / MC_BLOCK_K;
    switch (format) {
    case MC_F32:  return padded * MC_TILE_ROWS * 4;
    case MC_BF16: return padded * MC_TILE_ROWS * 2;
    case MC_Q8:   return padded * MC_TILE_ROWS + blocks * MC_Q8_HEADER_BYTES;
    case MC_Q4:   return padded * MC_TILE_ROWS / 2 + blocks * MC_Q4_HEADER_BYTES;
    }
    return 0;
}

static inline float mc_bf16_to_f32(uint16_t h)
{
    const uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

#endif
