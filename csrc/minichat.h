/* minichat.h - what _native.pyx calls: a model, the memory of a step, a step.
 *
 * A model is data: matrices and vectors that the caller keeps in memory, and for every layer
 * how they are applied.  Nothing here knows a family. */
#ifndef MINICHAT_H
#define MINICHAT_H

#include "kernels.h"
#include "sample.h"
#include "status.h"

typedef struct mc_norm {
    const float *weight;        /* (n); NULL: there is no norm here */
    const float *bias;          /* (n) or NULL; layer norms only */
} mc_norm;

typedef struct mc_attention_block {
    int heads, kv_heads, head_dim;
    int rope;                   /* index into mc_model.ropes; -1: no positions */
    int window;                 /* keys seen, the query's own included; 0: all */
    float scale, softcap;       /* softcap 0: none */
    mc_matrix qkv, out;         /* ((heads + 2 kv_heads) * head_dim, d), (d, heads * head_dim) */
    const float *qkv_bias, *out_bias;       /* or NULL */
    const float *q_norm, *k_norm;           /* RMSNorm weights, or NULL */
    int norm_full;              /* they span all heads at once, not each head */
    size_t cache_offset;        /* of this layer in a page, in bytes; set by mc_model_init */
} mc_attention_block;

typedef struct mc_mlp_block {
    int hidden;
    int gated;                  /* up holds the rows of the gate, then those of up */
    mc_act act;
    mc_matrix up, down;         /* (hidden or 2 hidden, d), (d, hidden) */
    const float *up_bias, *down_bias;       /* or NULL */
} mc_mlp_block;

typedef struct mc_layer {
    mc_norm attn_norm, attn_post_norm, ffn_norm, ffn_post_norm;
    mc_attention_block attention;
    mc_mlp_block mlp;
    float residual_multiplier;
} mc_layer;

/* Angle of pair i at position p: p * inv_freq[i], rounded to float.  Index 1 of the arrays is
 * for sequences that are longer than the model was first trained for. */
typedef struct mc_rope_table {
    int pairs;
    const float *inv_freq[2];   /* (pairs) */
    float factor[2];            /* of cos and sin */
} mc_rope_table;

typedef struct mc_model {
    int vocab_size, hidden_size, max_positions;
    int n_layers, n_ropes;
    int layer_norm;             /* norms are LayerNorm, not RMSNorm */
    float norm_eps, embed_scale, logit_scale, logit_softcap;
    mc_kv kv;
    mc_matrix embed, head;      /* (vocab_size, hidden_size) */
    const float *positions;     /* (max_positions, hidden_size) or NULL */
    mc_norm final_norm;
    mc_layer *layers;
    mc_rope_table *ropes;
    mc_kernels kernels;
    size_t page_bytes;          /* of a page of the cache, all layers; set by mc_model_init */
} mc_model;

/* Chooses the kernels (isa NULL: the fastest) and lays out a page.  MC_BAD_REQUEST for an ISA
 * that this machine lacks. */
mc_status mc_model_init(mc_model *model, const char *isa);

/* A page of the cache: 64 positions of every layer, zeroed; NULL when memory is out. */
void *mc_page_new(const mc_model *model);
void mc_page_free(void *page);

/* The scratch memory of a step of at most max_tokens tokens and max_logits rows of logits. */
typedef struct mc_workspace mc_workspace;
mc_workspace *mc_workspace_new(const mc_model *model, int max_tokens, int max_logits);
void mc_workspace_free(mc_workspace *workspace);
size_t mc_workspace_bytes(const mc_model *model, int max_tokens, int max_logits);

/* What a step consists of; the products by the matrix that they read. */
typedef enum mc_stage {
    MC_STAGE_EMBED, MC_STAGE_NORM, MC_STAGE_QKV, MC_STAGE_PREPARE, MC_STAGE_ATTEND,
    MC_STAGE_QUANTIZE, MC_STAGE_OUT, MC_STAGE_UP, MC_STAGE_ACTIVATE, MC_STAGE_DOWN,
    MC_STAGE_HEAD, MC_STAGE_DRAW, MC_STAGES
} mc_stage;

/* From now on steps tell how long each stage took, in all: (MC_STAGES) nanoseconds, zero now,
 * until the workspace is freed. */
const uint64_t *mc_workspace_measure(mc_workspace *workspace);

/* One sequence's share of a step. */
typedef struct mc_item {
    const int32_t *tokens;      /* (n_tokens) */
    int n_tokens;
    int position;               /* of the first of them */
    const char *const *pages;   /* those of positions 0 ... position + n_tokens - 1 */
    int long_rope;              /* which half of mc_rope_table */
    int n_logits;               /* logits wanted, of so many last tokens */
    float *logits;              /* OUT (n_logits, vocab_size), or NULL */
    mc_sampler *sampler;        /* draws from the last logits, or NULL */
    const uint32_t *mask;       /* a bit per allowed token, or NULL */
    mc_draw *draw;              /* OUT what sampler drew */
    mc_status status;           /* OUT of the draw */
} mc_item;

/* Runs the model over all items at once, on n_threads.  Keys and values go into the pages. */
void mc_step(const mc_model *model, mc_workspace *workspace, mc_item *items, int n_items,
             int n_threads);

#endif
