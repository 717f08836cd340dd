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

/* Row i of y, fresh from the product: biases, norms, positions; keys and values to the cache.  Of
 * kv heads [from, to) and the queries that look at them. */
static void prepare(const mc_run *run, int i, const mc_attention_block *block, int from, int to)
{
    const mc_model *model = run->model;
    const mc_workspace *ws = run->ws;
    const mc_row row = ws->rows[i];
    const int dim = block->head_dim, group = block->heads / block->kv_heads, n = to - from;
    const size_t q_at = (size_t)from * group * dim, k_at = (size_t)(block->heads + from) * dim;
    const size_t v_at = k_at + (size_t)block->kv_heads * dim;
    float *y = ws->y + i * ws->width, *q = y + q_at, *k = y + k_at, *v = y + v_at;

    if (block->qkv_bias) {
        mc_add_bias(model, q, block->qkv_bias + q_at, n * group * dim);
        mc_add_bias(model, k, block->qkv_bias + k_at, n * dim);
        mc_add_bias(model, v, block->qkv_bias + v_at, n * dim);
    }
    if (block->q_norm) {
        normalize_heads(model, q, block->q_norm, n * group, block);
        normalize_heads(model, k, block->k_norm, n, block);
    }
    if (block->rope >= 0) {
        const int pairs = model->ropes[block->rope].pairs;
        const size_t at = ws->rope_offset[block->rope] + (size_t)i * pairs;
        model->kernels.rope(q, ws->cos + at, ws->sin + at, n * group, dim, pairs);
        model->kernels.rope(k, ws->cos + at, ws->sin + at, n, dim, pairs);
    }
    char *page = (char *)run->items[row.item].pages[row.position / MC_PAGE] + block->cache_offset;
    const size_t keys = mc_key_bytes(model, block), head = keys + mc_value_bytes(model, block);
    for (int h = 0; h < n; h++)
        model->kernels.kv_write(page + (from + h) * head, page + (from + h) * head + keys,
                                row.position % MC_PAGE, k + (size_t)h * dim, v + (size_t)h * dim,
                                dim, model->kv);
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

/* Whether what a task makes of a row can become the next input without the rest of the row. */
static int whole_blocks(const mc_attention_block *block)
{
    return block->heads / block->kv_heads * block->head_dim % MC_BLOCK_K == 0;
}

static void attend(const mc_run *run, const mc_attention_block *block, int task, int fresh)
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
    if (fresh)
        prepare(run, row, block, head, head + 1);
    model->kernels.attention(&args);
    if (whole_blocks(block))
        for (int i = 0; i < args.tokens; i++)
            mc_input_done(run, row + token + i, &block->out, (int)first,
                          (int)first + group * block->head_dim);
}

void mc_attention_forward(const mc_run *run, mc_team *team, const mc_attention_block *block)
{
    const mc_workspace *ws = run->ws;
    const int chunk = mc_chunk(team, run->n_rows);
    /* Where every item has one token, none waits for the keys of another row: a head's task
     * prepares what it needs, and all threads have something to do. */
    const int alone = run->n_rows == run->n_items && !block->norm_full;
    int begin, end, tasks = 0;

    mc_product(run, team, MC_STAGE_QKV, ws->y, ws->width, run->n_rows, &block->qkv);
    if (!alone) {
        while (mc_next(team, run->n_rows, chunk, &begin, &end))
            for (int i = begin; i < end; i++)
                prepare(run, i, block, 0, block->kv_heads);
        mc_stage_end(run, team, MC_STAGE_PREPARE);
    }

    for (int n = 0; n < run->n_items; n++)
        tasks += (run->items[n].n_tokens + TASK_TOKENS - 1) / TASK_TOKENS * block->kv_heads;
    while (mc_next(team, tasks, 1, &begin, &end))
        attend(run, block, begin, alone);
    mc_stage_end(run, team, MC_STAGE_ATTEND);

    if (!whole_blocks(block)) {
        while (mc_next(team, run->n_rows, chunk, &begin, &end))
            for (int i = begin; i < end; i++)
                mc_input_done(run, i, &block->out, 0, block->out.k);
        mc_stage_end(run, team, MC_STAGE_QUANTIZE);
    }
    mc_product(run, team, MC_STAGE_OUT, ws->y, ws->width, run->n_rows, &block->out);
}
