/* sample.h - from logits to a token: penalties, filters, one draw, logprobs.
 *
 * The stages, in this order; each sees only what the one before it left:
 *   penalties   of every token in the window, once: x > 0 ? x / repeat : x * repeat, then
 *               - count * frequency - presence, in double, rounded once to float
 *   mask        ids whose bit is clear are out
 *   top_k       the k largest logits stay; 0: all
 *   typical_p   nearest first to the mean surprise, until their share exceeds p; 1: all
 *   top_p       likeliest first, until their share reaches p; 1: all
 *   min_p       what has at least min_p times the probability of the likeliest
 *   temperature weights are exp((x - max) / temperature); the draw goes by them
 * Equal logits: the lower id is the better one.  Every filter leaves at least one token.
 * Temperature 0 takes the best logit after the mask and draws nothing.
 *
 * Draw i takes its 64 random bits from (seed, i) alone, i being the token's place in the
 * answer: tokens that are accepted without a draw shift no other.  The same logits give the
 * same token on every machine: weights are integers, so that their sums have no order, and
 * exp and log are ours. */
#ifndef MC_SAMPLE_H
#define MC_SAMPLE_H

#include <stdint.h>

#include "status.h"

enum { MC_TOP_LOGPROBS = 20 };

typedef struct mc_sampler_params {
    double temperature;             /* >= 0 */
    int top_k;                      /* >= 0 */
    double top_p, min_p, typical_p; /* in [0, 1] */
    double repeat_penalty;          /* > 0; 1: none */
    double presence_penalty, frequency_penalty;     /* 0: none */
    int repeat_last_n;              /* tokens in the window, >= 0 */
    uint64_t seed;
    int logprobs;                   /* whether draws are scored */
    int top_logprobs;               /* 0 ... MC_TOP_LOGPROBS */
} mc_sampler_params;

typedef struct mc_logprob {
    int token;
    double logprob;                 /* natural; of the raw logits, over the whole vocabulary */
} mc_logprob;

typedef struct mc_draw {
    int token;
    double logprob;                 /* this and the rest only where logprobs are on */
    int n_top;
    mc_logprob top[MC_TOP_LOGPROBS];        /* (n_top), best first */
} mc_draw;

typedef struct mc_sampler mc_sampler;

/* Returns a sampler for one sequence, or NULL with mc_message() when memory is short. */
mc_sampler *mc_sampler_new(const mc_sampler_params *params, int vocab_size);

/* s may be NULL. */
void mc_sampler_free(mc_sampler *s);

/* The n tokens of the prompt enter the window. */
void mc_sampler_prompt(mc_sampler *s, const int32_t *tokens, int n);

/* A token of the answer that was not drawn enters the window and takes its place. */
void mc_sampler_accept(mc_sampler *s, int token);

/* Draws the next token of the answer, which then counts as accepted.  logits (vocab_size) are
 * changed on the way and restored; bit id % 32 of mask[id / 32] allows an id, NULL allows all.
 * Fails, and changes nothing, with MC_BAD_MODEL where an allowed logit is NaN or infinite or
 * all are -inf, and with MC_BAD_REQUEST where the mask allows nothing. */
mc_status mc_sampler_draw(mc_sampler *s, float *logits, const uint32_t *mask, mc_draw *out);

/* Fills out with the logprobs of token, as a draw of it would, and changes nothing else.
 * A logit of -inf counts as the least float, for JSON has no infinity. */
mc_status mc_sampler_score(mc_sampler *s, const float *logits, int token, mc_draw *out);

#endif
