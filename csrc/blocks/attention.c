/* blocks/attention.c - grouped-query attention over the cache's pages. */
#include "kernels/panels.h"
#include "step.h"

/* Query tokens that a task takes together: they share the keys that it reads. */
enum { TASK_TOKENS = 16 };

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
    const size_t keys = mc_key_bytes(model->kv, dim), head = keys + mc_value_bytes(model->kv, dim);
    for (int h = 0; h < n; h++)
        model->kernels.kv_write(page + (from + h) * head, page + (from + h) * head + keys,
                                row.position % MC_PAGE, k + (size_t)h * dim, v + (size_t)h * dim,
                                dim, model->kv);
}

/* Whether what a task makes of a row can become the next input without the rest of the row. */
static int whole_blocks(const mc_attention_block *block)
{
    return block->heads / block->kv_heads * block->head_dim % MC_BLOCK_K == 0;
}

static int segments_of(const mc_item *item)
{
    return (item->position + item->n_tokens - 1) / MC_SEGMENT + 1;
}

/* Tasks of a head of an item: of segments, or of tokens. */
static int tasks_of(const mc_item *item, int by_segments)
{
    return by_segments ? segments_of(item) : (item->n_tokens + TASK_TOKENS - 1) / TASK_TOKENS;
}

/* Whether heads are shared out by segments: where there are so few that some threads would stand
 * still while others have one more of them. */
static int few_heads(const mc_run *run, const mc_team *team, const mc_attention_block *block)
{
    const int threads = mc_team_size(team), tasks = run->n_items * block->kv_heads;
    int parts = 0, segments = 0;

    for (int n = 0; n < run->n_items; n++) {
        if (run->items[n].n_tokens > TASK_TOKENS)
            return 0;
        segments += segments_of(&run->items[n]);
        parts += segments_of(&run->items[n]) * run->items[n].n_tokens;
    }
    return tasks % threads != 0 && tasks < 4 * threads && segments > run->n_items
           && parts <= MC_PARTS;
}

/* A head of some tokens of an item. */
typedef struct place {
    int item, row;              /* row of the item's first token */
    int head, index;            /* which of the item's tasks of this head */
    size_t part;                /* where the item's parts of this head begin */
} place;

static place find(const mc_run *run, const mc_attention_block *block, int task, int by_segments)
{
    place at = { 0 };
    for (;; at.item++) {
        const mc_item *item = &run->items[at.item];
        const int each = tasks_of(item, by_segments), tokens = item->n_tokens;
        const size_t parts = (size_t)segments_of(item) * tokens
                             * (block->heads / block->kv_heads);
        if (task < each * block->kv_heads) {
            at.head = task % block->kv_heads;
            at.index = task / block->kv_heads;
            at.part += at.head * parts;
            return at;
        }
        task -= each * block->kv_heads;
        at.row += tokens;
        at.part += parts * block->kv_heads;
    }
}

/* What the kernel is told of tokens from token on, at most TASK_TOKENS. */
static mc_attention_args args_of(const mc_run *run, const mc_attention_block *block,
                                 const place *at, int token)
{
    const mc_model *model = run->model;
    const mc_workspace *ws = run->ws;
    const mc_item *item = &run->items[at->item];
    const int group = block->heads / block->kv_heads, left = item->n_tokens - token;
    const size_t keys = mc_key_bytes(model->kv, block->head_dim);
    const size_t bytes = keys + mc_value_bytes(model->kv, block->head_dim);
    const size_t first = (size_t)at->head * group * block->head_dim;
    return (mc_attention_args){
        .out = mc_input_row(run, at->row + token, block->out.k) + first,
        .q = ws->y + (at->row + token) * ws->width + first,
        .out_stride = mc_input_stride(block->out.k), .q_stride = ws->width,
        .tokens = left < TASK_TOKENS ? left : TASK_TOKENS, .group = group,
        .head_dim = block->head_dim, .position = item->position + token, .window = block->window,
        .scale = block->scale, .softcap = block->softcap, .kv = model->kv, .pages = item->pages,
        .keys_offset = block->cache_offset + at->head * bytes,
        .values_offset = block->cache_offset + at->head * bytes + keys,
    };
}

/* The output of a head of some tokens is there. */
static void done(const mc_run *run, const mc_attention_block *block, int row, int tokens, int head)
{
    const int width = block->heads / block->kv_heads * block->head_dim;
    if (whole_blocks(block))
        for (int i = row; i < row + tokens; i++)
            mc_input_done(run, i, &block->out, head * width, (head + 1) * width);
}

static void attend(const mc_run *run, const mc_attention_block *block, int task, int fresh)
{
    const place at = find(run, block, task, 0);
    const int token = at.index * TASK_TOKENS;
    const mc_attention_args args = args_of(run, block, &at, token);
    if (fresh)
        prepare(run, at.row, block, at.head, at.head + 1);
    run->model->kernels.attention(&args);
    done(run, block, at.row + token, args.tokens, at.head);
}

/* One segment of a head of an item, or with all of them made, its output. */
static void attend_apart(const mc_run *run, const mc_attention_block *block, place at, int segment)
{
    mc_attention_args args = args_of(run, block, &at, 0);
    args.parts = run->ws->parts + at.part * mc_part_floats(block->head_dim);
    args.segments = segments_of(&run->items[at.item]);
    args.segment = segment < 0 ? args.segments : segment;
    run->model->kernels.attention(&args);
    if (segment < 0)
        done(run, block, at.row, args.tokens, at.head);
}

void mc_attention_forward(const mc_run *run, mc_team *team, const mc_attention_block *block)
{
    const mc_workspace *ws = run->ws;
    const int chunk = mc_chunk(team, run->n_rows);
    const int apart = few_heads(run, team, block);
    /* Where every item has one token, none waits for the keys of another row: a head's task
     * prepares what it needs. */
    const int alone = !apart && run->n_rows == run->n_items && !block->norm_full;
    int begin, end, tasks = 0;

    mc_product(run, team, MC_STAGE_QKV, ws->y, ws->width, run->n_rows, &block->qkv);
    if (!alone) {
        while (mc_next(team, run->n_rows, chunk, &begin, &end))
            for (int i = begin; i < end; i++)
                prepare(run, i, block, 0, block->kv_heads);
        mc_stage_end(run, team, MC_STAGE_PREPARE);
    }

    for (int n = 0; n < run->n_items; n++)
        tasks += tasks_of(&run->items[n], apart) * block->kv_heads;
    while (mc_next(team, tasks, 1, &begin, &end))
        if (apart) {
            const place at = find(run, block, begin, 1);
            attend_apart(run, block, at, at.index);
        } else {
            attend(run, block, begin, alone);
        }
    mc_stage_end(run, team, MC_STAGE_ATTEND);
    if (apart) {
        /* A task of tokens is a whole head here: no item has more than TASK_TOKENS. */
        while (mc_next(team, run->n_items * block->kv_heads, 1, &begin, &end))
            attend_apart(run, block, find(run, block, begin, 0), -1);
        mc_stage_end(run, team, MC_STAGE_ATTEND);
    }

    if (!whole_blocks(block)) {
        while (mc_next(team, run->n_rows, chunk, &begin, &end))
            for (int i = begin; i < end; i++)
                mc_input_done(run, i, &block->out, 0, block->out.k);
        mc_stage_end(run, team, MC_STAGE_QUANTIZE);
    }
    mc_product(run, team, MC_STAGE_OUT, ws->y, ws->width, run->n_rows, &block->out);
}
