/* step.c - what the blocks are made of: rows, inputs, products, residuals. */
#define _POSIX_C_SOURCE 199309L     /* clock_gettime */
#include "step.h"

#include <string.h>
#include <time.h>

#include "kernels/panels.h"
#include "memory.h"

enum { ALIGNMENT = 64 };

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

size_t mc_input_stride(int k) { return (size_t)mc_k_padded(k) + 64; }

static mc_q8_rows input_q8(const mc_run *run, int k)
{
    mc_q8_rows q = run->ws->q;
    q.stride = mc_input_stride(k);
    q.blocks = (mc_k_padded(k) + MC_BLOCK_K - 1) / MC_BLOCK_K;
    return q;
}

float *mc_input_row(const mc_run *run, int i, int k)
{
    return run->ws->h + i * mc_input_stride(k);
}

void mc_input_done(const mc_run *run, int i, const mc_matrix *w, int from, int to)
{
    float *row = mc_input_row(run, i, w->k);

    if (w->format == MC_Q4 || w->format == MC_Q8) {
        const mc_q8_rows all = input_q8(run, w->k);
        const size_t block = (size_t)from / MC_BLOCK_K, first = (size_t)i * all.blocks + block;
        const mc_q8_rows part = {
            .q = all.q + i * all.stride + from, .scale = all.scale + first, .sum = all.sum + first,
            .stride = all.stride, .blocks = (mc_k_padded(to - from) + MC_BLOCK_K - 1) / MC_BLOCK_K,
        };
        run->model->kernels.quantize_row(&part, 0, row + from, to - from);
    } else if (to == w->k) {
        memset(row + to, 0, sizeof *row * (size_t)(mc_k_padded(to) - to));
    }
}

int mc_chunk(const mc_team *team, int n)
{
    const int chunk = n / (mc_team_size(team) * 8);
    return chunk > 4 ? chunk & ~3 : chunk > 0 ? chunk : 1;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void mc_stage_end(const mc_run *run, mc_team *team, mc_stage stage)
{
    mc_workspace *ws = run->ws;
    const uint64_t before = ws->since;

    /* Nobody comes to the end of the next stage before the one who writes here. */
    if (mc_barrier(team) && ws->measured) {
        ws->since = now_ns();
        ws->stage_ns[stage] += ws->since - before;
    }
}

const uint64_t *mc_workspace_measure(mc_workspace *ws)
{
    ws->measured = 1;
    return memset(ws->stage_ns, 0, sizeof ws->stage_ns);
}

void mc_step_begins(mc_workspace *ws)
{
    if (ws->measured)
        ws->since = now_ns();
}

void mc_product(const mc_run *run, mc_team *team, mc_stage stage, float *y, size_t y_stride,
                int rows, const mc_matrix *w)
{
    const mc_kernels *kernels = &run->model->kernels;
    const int panels = mc_panels(w->n), chunk = mc_chunk(team, panels);
    const mc_q8_rows q = input_q8(run, w->k);
    int begin, end;

    while (mc_next(team, panels, chunk, &begin, &end)) {
        switch (w->format) {
        case MC_Q4: kernels->matmul_q4(y, y_stride, &q, rows, w, begin, end); break;
        case MC_Q8: kernels->matmul_q8(y, y_stride, &q, rows, w, begin, end); break;
        case MC_BF16: kernels->matmul_bf16(y, y_stride, run->ws->h, mc_input_stride(w->k), rows, w,
                                           begin, end); break;
        case MC_F32: kernels->matmul_f32(y, y_stride, run->ws->h, mc_input_stride(w->k), rows, w,
                                         begin, end); break;
        }
    }
    mc_stage_end(run, team, stage);
}

void mc_normalize(const mc_model *model, float *out, const float *x, const mc_norm *norm, int n)
{
    if (!norm->weight)
        memcpy(out, x, sizeof *out * (size_t)n);
    else if (model->layer_norm)
        model->kernels.layernorm(out, x, norm->weight, norm->bias, n, model->norm_eps);
    else
        model->kernels.rmsnorm(out, x, norm->weight, n, model->norm_eps);
}

void mc_add_bias(const mc_model *model, float *x, const float *bias, int n)
{
    if (bias)
        model->kernels.add_scaled(x, bias, 1.0f, n);
}

void mc_residual(const mc_run *run, mc_team *team, const float *y, const float *bias,
                 const mc_norm *post, float multiplier, const mc_norm *next, const mc_matrix *w)
{
    const mc_model *model = run->model;
    const int d = model->hidden_size;
    int begin, end;

    while (mc_next(team, run->n_rows, mc_chunk(team, run->n_rows), &begin, &end))
        for (int i = begin; i < end; i++) {
            float *x = run->ws->x + (size_t)i * d;
            if (y) {
                float *y_i = run->ws->y + i * run->ws->width;
                mc_add_bias(model, y_i, bias, d);
                if (post->weight)
                    mc_normalize(model, y_i, y_i, post, d);
                model->kernels.add_scaled(x, y_i, multiplier, d);
            }
            if (next) {
                mc_normalize(model, mc_input_row(run, i, d), x, next, d);
                mc_input_done(run, i, w, 0, d);
            }
        }
    mc_stage_end(run, team, MC_STAGE_NORM);
}

static int max_of(int a, int b) { return a > b ? a : b; }

/* The widest input and output of any product but the head's, and the floats of a part of all
 * heads. */
static void widths(const mc_model *model, size_t *width, int *blocks, size_t *part)
{
    int k = model->hidden_size, n = model->hidden_size;
    *part = 0;
    for (int i = 0; i < model->n_layers; i++) {
        const mc_layer *layer = &model->layers[i];
        const size_t floats = (size_t)layer->attention.heads
                              * mc_part_floats(layer->attention.head_dim);
        *part = floats > *part ? floats : *part;
        k = max_of(k, max_of(layer->attention.out.k, layer->mlp.down.k));
        n = max_of(n, max_of(layer->attention.qkv.n, layer->mlp.up.n));
    }
    *width = round_up(max_of((int)mc_input_stride(k), mc_panels(n) * MC_TILE_ROWS + 16), 16);
    *blocks = (mc_k_padded(k) + MC_BLOCK_K - 1) / MC_BLOCK_K;
}

/* The workspace is one allocation; take hands it out, or with no memory only counts. */
static void *take(char *memory, size_t *used, size_t bytes)
{
    const size_t at = *used;
    *used += round_up(bytes, ALIGNMENT);
    return memory ? memory + at : NULL;
}

static size_t lay_out(mc_workspace *ws, char *memory, const mc_model *model, int max_tokens,
                      int max_logits)
{
    const size_t tokens = (size_t)max_tokens, rows = (size_t)max_of(max_tokens, max_logits);
    size_t used = 0, angles = 0, part;
    int blocks;

    ws->max_tokens = max_tokens;
    ws->max_logits = max_logits;
    widths(model, &ws->width, &blocks, &part);
    ws->rope_offset = take(memory, &used, sizeof *ws->rope_offset * (size_t)(model->n_ropes + 1));
    for (int i = 0; i < model->n_ropes; i++) {
        if (memory)
            ws->rope_offset[i] = angles;
        angles += tokens * (size_t)model->ropes[i].pairs;
    }
    ws->rows = take(memory, &used, sizeof *ws->rows * tokens);
    ws->logit_rows = take(memory, &used, sizeof *ws->logit_rows * (size_t)max_logits);
    ws->x = take(memory, &used, sizeof *ws->x * tokens * (size_t)model->hidden_size);
    ws->y = take(memory, &used, sizeof *ws->y * tokens * ws->width);
    ws->h = take(memory, &used, sizeof *ws->h * rows * ws->width);
    ws->q.q = take(memory, &used, rows * ws->width);
    ws->q.scale = take(memory, &used, sizeof *ws->q.scale * rows * (size_t)blocks);
    ws->q.sum = take(memory, &used, sizeof *ws->q.sum * rows * (size_t)blocks);
    ws->cos = take(memory, &used, sizeof *ws->cos * angles);
    ws->sin = take(memory, &used, sizeof *ws->sin * angles);
    ws->parts = take(memory, &used, sizeof *ws->parts * MC_PARTS * part);
    ws->logits = take(memory, &used, sizeof *ws->logits * (size_t)max_logits
                      * (size_t)mc_panels(model->vocab_size) * MC_TILE_ROWS);
    return used;
}

size_t mc_workspace_bytes(const mc_model *model, int max_tokens, int max_logits)
{
    mc_workspace counted;
    return lay_out(&counted, NULL, model, max_tokens, max_logits);
}

mc_workspace *mc_workspace_new(const mc_model *model, int max_tokens, int max_logits)
{
    const size_t head = round_up(sizeof(mc_workspace), ALIGNMENT);
    const size_t bytes = mc_workspace_bytes(model, max_tokens, max_logits);
    char *memory = mc_memory_new(head + bytes);
    if (memory) {
        lay_out((mc_workspace *)memory, memory + head, model, max_tokens, max_logits);
        ((mc_workspace *)memory)->measured = 0;
    }
    return (mc_workspace *)memory;
}

void mc_workspace_free(mc_workspace *workspace) { mc_memory_free(workspace); }
