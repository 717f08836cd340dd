/* blocks/attention.c - grouped-query attention over the cache's pages. */
#include "kernels/panels.h"
#include "step.h"

/* Query tokens that a task takes together: they share the keys that it reads. */
enum { TASK_TOKENS = 16 };

size_t mc_key_bytes(const mc_model *model, const mc_attention_block *block)
{
    const size_t element = model->kv == MC_KV_F32 ? 4 : 2;
    return element * MC_PAGE * (size_t)block->head_dim;
}

size_t mc_value_bytes(const mc_model *model, const mc_attention_block *block)
{
    const size_t element = model->kv == MC_KV_F32 ? 4 : 2;
    return element * MC_PAGE * (size_t)((block->head_dim + 15) / 16 * 16);
}

static void normalize_heads(const mc_model *model, float *x, const float *weight, int heads,
                            const mc_attention_block *block)
{
    const int n = block->norm_full ? heads * block->head_dim : block->head_dim;
    const int rows = block->norm_full ? 1 : heads;
    for (int i = 0; i < rows; i++)
        model->kernels.rmsnorm(x + (size_t)i * n, x + (size_t)i * n, weight, n, model->norm_eps);
}

/* Row i of y, fresh from the product: biases, norms, positions; keys and values to the cache. */
static void prepare(const mc_run *run, int i, const mc_attention_block *block)
{
    const mc_model *model = run->model;
    const mc_workspace *ws = run->ws;
    const mc_row row = ws->rows[i];
    const int dim = block->head_dim, q_heads = block->heads, kv_heads = block->kv_heads;
    float *q = ws->y + i * ws->width, *k = q + (size_t)q_heads * dim;
    float *v = k + (size_t)kv_heads * dim;

    mc_add_bias(model, q, block->qkv_bias, (q_heads + 2 * kv_heads) * dim);
    if (block->q_norm) {
        normalize_heads(model, q, block->q_norm, q_heads, block);
        normalize_heads(model, k, block->k_norm, kv_heads, block);
    }
    if (block->rope >= 0) {
        const int pairs = model->ropes[block->rope].pairs;
        const size_t at = ws->rope_offset[block->rope] + (size_t)i * pairs;
        model->kernels.rope(q, ws->cos + at, ws->sin + at, q_heads + kv_heads, dim, pairs);
    }
    char *page = (char *)run->items[row.item].pages[row.position / MC_PAGE] + block->cache_offset;
    const size_t keys = mc_key_bytes(model, block), head = keys + mc_value_bytes(model, block);
    for (int h = 0; h < kv_heads; h++)
        model->kernels.kv_write(page + h * head, page + h * head + keys, row.position % MC_PAGE,
                                k + (size_t)h * dim, v + (size_t)h * dim, dim, model->kv);
}

/* Where a task begins: item, its first row, and what is left of the index inside it. */
static int find(const mc_run *run, int *task, int per_chunk, int *first_row)
{
    *first_row = 0;
    for (int n = 0;; n++) {
        const int tokens = run->items[n].n_tokens;
        const int tasks = (tokens + TASK_TOKENS - 1) / TASK_TOKENS * per_chunk;
        if (*task < tasks)
            return n;
        *task -= tasks;
        *first_row += tokens;
    }
}

static void attend(const mc_run *run, const mc_attention_block *block, int task)
{
    const mc_model *model = run->model;
    const mc_workspace *ws = run->ws;
    const int group = block->heads / block->kv_heads;
    int row;
    const mc_item *item = &run->items[find(run, &task, block->kv_heads, &row)];
    const int head = task % block->kv_heads, token = task / block->kv_heads * TASK_TOKENS;
    const int left = item->n_tokens - token;
    const size_t keys = mc_key_bytes(model, block), bytes = keys + mc_value_bytes(model, block);
    const size_t first = (size_t)head * group * block->head_dim;
    const mc_attention_args args = {
        .out = mc_input_row(run, row + token, block->out.k) + first,
        .q = ws->y + (row + token) * ws->width + first,
        .out_stride = mc_input_stride(block->out.k), .q_stride = ws->width,
        .tokens = left < TASK_TOKENS ? left : TASK_TOKENS, .group = group,
        .head_dim = block->head_dim, .position = item->position + token, .window = block->window,
        .scale = block->scale, .softcap = block->softcap, .kv = model->kv, .pages = item->pages,
        .keys_offset = block->cache_offset + head * bytes,
        .values_offset = block->cache_offset + head * bytes + keys,
    };
    model->kernels.attention(&args);
}

void mc_attention_forward(const mc_run *run, mc_team *team, const mc_attention_block *block)
{
    const mc_workspace *ws = run->ws;
    const int chunk = mc_chunk(team, run->n_rows);
    int begin, end, tasks = 0;

    mc_product(run, team, MC_STAGE_QKV, ws->y, ws->width, run->n_rows, &block->qkv);
    while (mc_next(team, run->n_rows, chunk, &begin, &end))
        for (int i = begin; i < end; i++)
            prepare(run, i, block);
    mc_stage_end(run, team, MC_STAGE_PREPARE);

    for (int n = 0; n < run->n_items; n++)
        tasks += (run->items[n].n_tokens + TASK_TOKENS - 1) / TASK_TOKENS * block->kv_heads;
    while (mc_next(team, tasks, 1, &begin, &end))
        attend(run, block, begin);
    mc_stage_end(run, team, MC_STAGE_ATTEND);

    while (mc_next(team, run->n_rows, chunk, &begin, &end))
        for (int i = begin; i < end; i++)
            mc_input_done(run, i, &block->out, 0, block->out.k);
    mc_stage_end(run, team, MC_STAGE_QUANTIZE);
    mc_product(run, team, MC_STAGE_OUT, ws->y, ws->width, run->n_rows, &block->out);
}
