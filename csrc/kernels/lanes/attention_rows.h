/* attention_rows.h - the rows that attention works on. */
#ifndef MC_LANES_ATTENTION_ROWS_H
#define MC_LANES_ATTENTION_ROWS_H

#include "kernels.h"

enum {
    ATTENTION_BLOCK = 48,       /* rows that walk the pages together, at most */
    ATTENTION_FLOATS = 48 * 256,    /* of their segments' sums */
    ATTENTION_TILE = 6,         /* rows that share a register tile */
};

/* What a call works with: its block of rows, and what they need in memory. */
typedef struct attention_space {
    float fresh[ATTENTION_FLOATS];      /* (rows, padded head_dim): sums of segments */
    _Alignas(64) int8_t q[ATTENTION_FLOATS + 32 * ATTENTION_BLOCK];     /* (rows, blocks of 32) */
    float scale[ATTENTION_FLOATS / MC_KEY_BLOCK + ATTENTION_BLOCK];     /* (rows, blocks) */
    int32_t sum[ATTENTION_FLOATS / MC_KEY_BLOCK + ATTENTION_BLOCK];
} attention_space;

typedef struct attention_row {
    float *out;                 /* (head_dim), the sum of the segments that are done */
    float *acc;                 /* (head_dim), of this segment: out, if it is the first */
    const float *q;             /* (head_dim) */
    const int8_t *q8;           /* in 8 bits, where keys are */
    const float *q8_scale;      /* of its blocks */
    const int32_t *q8_sum;
    int first, last;            /* the positions it sees */
    float m, l;                 /* of acc */
    float all_m, all_l;         /* of out */
} attention_row;

/* Of sixteen lanes each, that a register tile of so many rows is wide. */
static inline int attention_vectors(int rows)
{
    const int fit = LANES_ACCUMULATORS / rows;
    return fit >= 4 ? 4 : fit >= 2 ? 2 : 1;
}

#endif
