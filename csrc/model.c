/* model.c - a step: tokens -> embeddings -> layers in order -> logits -> draws. */
#include "minichat.h"

#include <string.h>

#include "kernels/exp.h"
#include "kernels/panels.h"
#include "memory.h"
#include "quantize.h"
#include "step.h"

mc_status mc_model_init(mc_model *model, const char *isa)
{
    if (mc_kernels_init(&model->kernels, isa))
        return mc_fail(MC_BAD_REQUEST, "ISA %s: this machine does not run it", isa);
    model->page_bytes = 0;
    for (int i = 0; i < model->n_layers; i++) {
        mc_attention_block *block = &model->layers[i].attention;
        block->cache_offset = model->page_bytes;
        model->page_bytes += block->kv_heads
            * (mc_key_bytes(model->kv, block->head_dim)
               + mc_value_bytes(model->kv, block->head_dim));
    }
    return MC_OK;
}

void *mc_page_new(const mc_model *model)
{
    void *page = mc_memory_new(model->page_bytes);
    return page ? memset(page, 0, model->page_bytes) : NULL;
}

void mc_page_free(void *page) { mc_memory_free(page); }

/* The step as every thread runs it. */

static void embed(const mc_run *run, mc_team *team)
{
    const mc_model *model = run->model;
    const mc_workspace *ws = run->ws;
    const int d = model->hidden_size;
    int begin, end;

    while (mc_next(team, run->n_rows, mc_chunk(team, run->n_rows), &begin, &end))
        for (int i = begin; i < end; i++) {
            const mc_row row = ws->rows[i];
            const mc_item *item = &run->items[row.item];
            float *x = ws->x + (size_t)i * d;
            mc_matrix_row(x, &model->embed, item->tokens[row.position - item->position]);
            if (model->embed_scale != 1.0f)
                for (int e = 0; e < d; e++)
                    x[e] *= model->embed_scale;
            if (model->positions)
                model->kernels.add_scaled(x, model->positions + (size_t)row.position * d, 1.0f, d);
            for (int t = 0; t < model->n_ropes; t++) {
                const mc_rope_table *rope = &model->ropes[t];
                const size_t at = ws->rope_offset[t] + (size_t)i * rope->pairs;
                mc_rope_angles(ws->cos + at, ws->sin + at, row.position,
                               rope->inv_freq[item->long_rope], rope->pairs,
                               rope->factor[item->long_rope]);
            }
        }
    mc_stage_end(run, team, MC_STAGE_EMBED);
}

/* The rows whose logits are wanted, normalised, become the head's input. */
static void gather(const mc_run *run, mc_team *team)
{
    const mc_model *model = run->model;
    const int d = model->hidden_size;
    int begin, end;

    while (mc_next(team, run->n_logits, 1, &begin, &end)) {
        const float *x = run->ws->x + (size_t)run->ws->logit_rows[begin] * d;
        mc_normalize(model, mc_input_row(run, begin, d), x, &model->final_norm, d);
        mc_input_done(run, begin, &model->head, 0, d);
    }
    mc_stage_end(run, team, MC_STAGE_NORM);
}

static void scale_logits(const mc_model *model, float *logits)
{
    const float scale = model->logit_scale, cap = model->logit_softcap;
    if (scale != 1.0f)
        for (int i = 0; i < model->vocab_size; i++)
            logits[i] *= scale;
    if (cap != 0.0f)
        for (int i = 0; i < model->vocab_size; i++)
            logits[i] = cap * mc_tanh(logits[i] / cap);
}

static void finish(const mc_run *run, mc_team *team)
{
    const mc_model *model = run->model;
    const size_t stride = (size_t)mc_panels(model->vocab_size) * MC_TILE_ROWS;
    int n, end;

    while (mc_next(team, run->n_items, 1, &n, &end)) {
        mc_item *item = &run->items[n];
        int first = 0;
        for (int i = 0; i < n; i++)
            first += run->items[i].n_logits;
        float *logits = run->ws->logits + first * stride;
        for (int i = 0; i < item->n_logits; i++) {
            scale_logits(model, logits + i * stride);
            if (item->logits)
                memcpy(item->logits + (size_t)i * model->vocab_size, logits + i * stride,
                       sizeof(float) * model->vocab_size);
        }
        if (item->sampler && item->n_logits)
            item->status = mc_sampler_draw(item->sampler, logits + (item->n_logits - 1) * stride,
                                           item->mask, item->draw);
    }
    if (run->ws->measured)
        mc_stage_end(run, team, MC_STAGE_DRAW);
}

static void step(void *arg, mc_team *team)
{
    const mc_run *run = arg;
    const mc_model *model = run->model;
    const float *y = NULL, *bias = NULL;
    const mc_norm *post = NULL;
    float multiplier = 1.0f;

    embed(run, team);
    for (int i = 0; i < model->n_layers; i++) {
        const mc_layer *layer = &model->layers[i];
        mc_residual(run, team, y, bias, post, multiplier, &layer->attn_norm,
                    &layer->attention.qkv);
        mc_attention_forward(run, team, &layer->attention);
        mc_residual(run, team, run->ws->y, layer->attention.out_bias, &layer->attn_post_norm,
                    layer->residual_multiplier, &layer->ffn_norm, &layer->mlp.up);
        mc_mlp_forward(run, team, &layer->mlp);
        y = run->ws->y, bias = layer->mlp.down_bias, post = &layer->ffn_post_norm;
        multiplier = layer->residual_multiplier;
    }
    mc_residual(run, team, y, bias, post, multiplier, NULL, NULL);
    if (run->n_logits == 0)
        return;
    gather(run, team);
    mc_product(run, team, MC_STAGE_HEAD, run->ws->logits,
               (size_t)mc_panels(model->vocab_size) * MC_TILE_ROWS, run->n_logits, &model->head);
    finish(run, team);
}

void mc_step(const mc_model *model, mc_workspace *workspace, mc_item *items, int n_items,
             int n_threads)
{
    mc_run run = { .model = model, .ws = workspace, .items = items, .n_items = n_items };

    for (int i = 0; i < n_items; i++) {
        for (int t = 0; t < items[i].n_tokens; t++)
            workspace->rows[run.n_rows++] = (mc_row){ i, items[i].position + t };
        for (int t = items[i].n_logits; t > 0; t--)
            workspace->logit_rows[run.n_logits++] = run.n_rows - t;
    }
    mc_step_begins(workspace);
    mc_pool_run(n_threads, step, &run);
}
