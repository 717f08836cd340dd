/* repeats.h - the window of the last tokens, and the penalties for saying them again. */
#ifndef MC_REPEATS_H
#define MC_REPEATS_H

#include <stdint.h>

#include "sample.h"

/* A distinct token of the window. */
typedef struct mc_repeat {
    int id, count;
    float raw;          /* its logit, while the penalised one stands in its place */
} mc_repeat;

typedef struct mc_repeats {
    double repeat, presence, frequency;
    int window;         /* tokens that count; 0 where no penalty is set */
    int n_last, oldest, n_seen;
    int32_t *last;      /* (window): a ring of the last n_last tokens */
    int32_t *slot;      /* (vocab): 1 + index into seen, 0: not in the window */
    mc_repeat *seen;    /* (window) */
} mc_repeats;

/* Returns 0, or -1 where memory is short; r is to be freed then too. */
int mc_repeats_init(mc_repeats *r, const mc_sampler_params *params, int vocab_size);

void mc_repeats_free(mc_repeats *r);

/* The token enters the window, the oldest leaves it where it is full. */
void mc_repeats_add(mc_repeats *r, int token);

/* Puts the penalised logits of the window's tokens into logits (vocab_size), or back out. */
void mc_repeats_penalise(mc_repeats *r, float *logits);
void mc_repeats_restore(const mc_repeats *r, float *logits);

#endif
