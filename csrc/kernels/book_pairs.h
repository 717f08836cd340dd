/* book_pairs.h - the books of MC_Q4 two by two: one load for the selectors of two groups. */
#ifndef MC_BOOK_PAIRS_H
#define MC_BOOK_PAIRS_H

#include <stdint.h>

#include "kernels/panels.h"

enum { MC_BOOK_PAIRS = MC_Q4_BOOKS * MC_Q4_BOOKS };

typedef struct mc_book_pairs {
    _Alignas(32) uint8_t entries[MC_BOOK_PAIRS][2][16];     /* [selectors of two groups] */
} mc_book_pairs;

/* Fills pairs with every entry plus offset; 2 KiB, faster than the smallest matmul. */
static inline void mc_fill_book_pairs(mc_book_pairs *pairs, int offset)
{
    for (int i = 0; i < MC_BOOK_PAIRS; i++)
        for (int code = 0; code < 16; code++) {
            pairs->entries[i][0][code] = (uint8_t)(mc_q4_book[i % MC_Q4_BOOKS][code] + offset);
            pairs->entries[i][1][code] = (uint8_t)(mc_q4_book[i / MC_Q4_BOOKS][code] + offset);
        }
}

/* Pair i of the four of a line's selectors: even quad, rows 0 to 7 and 8 to 15; odd quad.
 * Reads 4 bytes for 3: after the last selectors come the codes. */
static inline const void *mc_book_pair(const mc_book_pairs *pairs, const uint8_t *selectors, int i)
{
    uint32_t bits;
    memcpy(&bits, selectors, sizeof bits);
    const size_t pair_bytes = sizeof pairs->entries[0];
    return (const char *)pairs + (bits * pair_bytes >> 6 * i & (MC_BOOK_PAIRS - 1) * pair_bytes);
}

#endif
