/* step.h - what a step's stages share: rows of tokens, the memory between stages.
 *
 * A stage is called by every thread of the team with the same arguments, shares its work out
 * with mc_next, and ends at a barrier. */
#ifndef MC_STEP_H
#define MC_STEP_H

#include "minichat.h"
#include "threads.h"

/* One row is one token of one item. */
typedef struct mc_row {
    int item, position;
} mc_row;

struct mc_workspace {
    int max_tokens, max_logits;
    mc_row *rows;               /* (max_tokens) */
    float *x;                   /* (max_tokens, hidden_size): the residual stream */
    float *y;                   /* (max_tokens, width): what a product made */
    float *h;                   /* (max_tokens, width): the input of the next product, in float */
    size_t width;               /* of y and h, padded for every product */
    mc_q8_rows q;               /* h in 8 bits; use mc_input */
    float *cos, *sin;           /* (n_ropes, max_tokens, pairs) of each rope table */
    size_t *rope_offset;        /* (n_ropes): of its table in cos and sin */
    float *parts;               /* of attention by segments: MC_PARTS of all heads */
    float *logits;              /* (max_logits, vocabulary padded to a panel) */
    int *logit_rows;            /* (max_logits): the rows they are of */
    int measured;
    uint64_t stage_ns[MC_STAGES], since;
};

/* Tokens times the segments that they see, of which the workspace holds the parts. */
enum { MC_PARTS = 512 };

typedef struct mc_run {
    const mc_model *model;
    mc_workspace *ws;
    mc_item *items;
    int n_items, n_rows, n_logits;
} mc_run;

/* Products read their input with this stride, so that rows do not share cache sets. */
size_t mc_input_stride(int k);

/* Row i of the next product's input: (k) floats to be written, then mc_input_done. */
float *mc_input_row(const mc_run *run, int i, int k);

/* Pads values [from, to) of row i, which are written, and makes their 8 bits if w wants them;
 * from is a multiple of 256. */
void mc_input_done(const mc_run *run, int i, const mc_matrix *w, int from, int to);

/* Before the first stage. */
void mc_step_begins(mc_workspace *ws);

/* The barrier at the end of a stage. */
void mc_stage_end(const mc_run *run, mc_team *team, mc_stage stage);

/* Stage: y[i] = input[i] @ w.T for all rows. */
void mc_product(const mc_run *run, mc_team *team, mc_stage stage, float *y, size_t y_stride,
                int rows, const mc_matrix *w);

/* Stage: y into the residual stream x (NULL bias and post norm are left out), then the next
 * norm of x becomes the input of w; ends at a barrier.  y NULL: x is left as it is. */
void mc_residual(const mc_run *run, mc_team *team, const float *y, const float *bias,
                 const mc_norm *post, float multiplier, const mc_norm *next, const mc_matrix *w);

void mc_normalize(const mc_model *model, float *out, const float *x, const mc_norm *norm, int n);

/* x += bias, where there is one. */
void mc_add_bias(const mc_model *model, float *x, const float *bias, int n);

/* Rows per chunk so that every thread has several; at least 1. */
int mc_chunk(const mc_team *team, int n);

/* Stages of a layer: from the block's input (mc_residual made it) to y. */
void mc_attention_forward(const mc_run *run, mc_team *team, const mc_attention_block *block);
void mc_mlp_forward(const mc_run *run, mc_team *team, const mc_mlp_block *block);

/* Writes cos and sin (pairs) of the angles p * inv_freq[i], times factor. */
void mc_rope_angles(float *cos, float *sin, int position, const float *inv_freq, int pairs,
                    float factor);

#endif
