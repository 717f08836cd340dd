/* attention.h - attention over lanes: rows of queries share the pages they read.
 *
 * Pages are the outer loop: what a page adds to a block of rows is computed while it is in
 * cache. */
#include <math.h>
#include <string.h>

#include "kernels/lanes/attention_8_bits.h"
#include "kernels/lanes/attention_floats.h"
#include "kernels/lanes/attention_rows.h"
#include "kernels/lanes/exp.h"

/* Makes scores of a row's products s (64) with a page's keys, of which it sees positions
 * begin ... end - 1.  Returns the largest score so far. */
static inline float attention_score(float *s, float m, int begin, int end,
                                    const mc_attention_args *args)
{
    const lanes scale = lanes_set(args->scale), softcap = lanes_set(args->softcap);
    lanes largest = lanes_set(m);

    for (int i = 0; i < MC_PAGE; i += 16) {
        lanes v = lanes_mul(lanes_load(s + i), scale);
        if (args->softcap != 0.0f)
            v = lanes_mul(softcap, lanes_tanh(lanes_div(v, softcap)));
        if (begin > 0 || end < MC_PAGE)
            v = lanes_select(lanes_between(begin - i, end - i), v, lanes_set(-INFINITY));
        largest = lanes_max(v, largest);
        lanes_store(s + i, v);
    }
    return lanes_largest(largest);
}

/* Makes scores s (64) shares of exp(m), and returns their sum. */
static inline float attention_soften(float *s, float m)
{
    lanes sum = lanes_set(0.0f);

    for (int i = 0; i < MC_PAGE; i += 16) {
        const lanes p = lanes_exp_bounded(lanes_sub(lanes_load(s + i), lanes_set(m)));
        sum = lanes_add(sum, p);
        lanes_store(s + i, p);
    }
    return lanes_sum(sum);
}

static inline void attention_scale(float *out, float by, int head_dim)
{
    const lanes factor = lanes_set(by);

    for (int d = 0; d < head_dim; d += 16) {
        const lanes v = lanes_mul(lanes_load_upto(out + d, head_dim - d), factor);
        lanes_store_upto(out + d, v, head_dim - d);
    }
}

/* Adds page b, which each of n rows sees some of. */
static void attention_page(attention_row *rows, int n, int b, const mc_attention_args *args)
{
    const char *page = args->pages[b];
    float s[ATTENTION_TILE][MC_PAGE], *scores[ATTENTION_TILE];
    const float *q[ATTENTION_TILE];
    float before[16] = { 0 }, m[16] = { 0 }, c[16], steps[ATTENTION_TILE];
    int16_t weights[ATTENTION_TILE][MC_PAGE];
    int begin[ATTENTION_TILE], end[ATTENTION_TILE], all_begin = 0, all_end = MC_PAGE, width = 0;

    memset(s, 0, n * sizeof s[0]);
    for (int r = 0; r < n; r++) {
        scores[r] = s[r];
        q[r] = rows[r].q;
        begin[r] = rows[r].first > b * MC_PAGE ? rows[r].first - b * MC_PAGE : 0;
        end[r] = rows[r].last < (b + 1) * MC_PAGE ? rows[r].last + 1 - b * MC_PAGE : MC_PAGE;
        all_begin = begin[r] > all_begin ? begin[r] : all_begin;
        all_end = end[r] < all_end ? end[r] : all_end;
        width = end[r] > width ? end[r] : width;
    }
    width = (width + 15) / 16 * 16;
    all_end = all_end < all_begin ? all_begin : all_end;

    if (args->kv == MC_KV_Q8)
        products(s, rows, n, (const uint8_t *)page + args->keys_offset, args->head_dim, width);
    else
        chain(scores, q, n, args->head_dim, page + args->keys_offset, MC_PAGE, width, args->kv);
    for (int r = 0; r < n; r++) {
        before[r] = rows[r].m;
        m[r] = rows[r].m = attention_score(s[r], rows[r].m, begin[r], end[r], args);
    }
    lanes_store(c, lanes_exp_bounded(lanes_sub(lanes_load(before), lanes_load(m))));
    for (int r = 0; r < n; r++) {
        if (args->kv == MC_KV_Q8) {
            const size_t padded = (size_t)(args->head_dim + 15) / 16 * 16;
            const char *values = page + args->values_offset;
            rows[r].l = fmaf(rows[r].l, c[r], attention_weigh(
                weights[r], &steps[r], s[r], m[r], (const float *)(values + MC_PAGE * padded),
                begin[r], end[r]));
            continue;
        }
        rows[r].l = fmaf(rows[r].l, c[r], attention_soften(s[r], m[r]));
        attention_scale(rows[r].acc, c[r], args->head_dim);
        if (begin[r] < all_begin)
            attention_add(rows + r, s + r, 1, begin[r], end[r] < all_begin ? end[r] : all_begin,
                          page, args);
    }
    if (args->kv == MC_KV_Q8) {
        sums(rows, weights, steps, c, n, (const int8_t *)page + args->values_offset, args->head_dim,
             width / 2);
        return;
    }
    if (all_begin < all_end)
        attention_add(rows, s, n, all_begin, all_end, page, args);
    for (int r = 0; r < n; r++)
        if (all_end < end[r])
            attention_add(rows + r, s + r, 1, all_end, end[r], page, args);
}

/* Adds acc, of a segment with m and l, to the row's sums. */
static void attention_merge(attention_row *row, const float *acc, float m, float l, int head_dim)
{
    const float n = m > row->all_m ? m : row->all_m;
    float c[16] = { row->all_m - n, m - n };
    lanes_store(c, lanes_exp_bounded(lanes_load(c)));
    const lanes before = lanes_set(c[0]), now = lanes_set(c[1]);

    for (int d = 0; d < head_dim; d += 16) {
        const lanes v = lanes_mul(lanes_load_upto(row->out + d, head_dim - d), before);
        lanes_store_upto(row->out + d, lanes_fma(lanes_load_upto(acc + d, head_dim - d), now, v),
                         head_dim - d);
    }
    row->all_l = fmaf(l, c[1], row->all_l * c[0]);
    row->all_m = n;
}

/* A segment ends.  The next one's sum goes into fresh. */
static void attention_segment_ends(attention_row *row, float *fresh, int head_dim)
{
    if (row->acc == row->out)
        row->all_m = row->m, row->all_l = row->l;
    else
        attention_merge(row, row->acc, row->m, row->l, head_dim);
    row->acc = fresh;
    row->m = -INFINITY;
    row->l = 0.0f;
    memset(fresh, 0, head_dim * sizeof *fresh);
}

/* Rows see no less than the rows before them, and start no earlier: those that see some
 * of a page are neighbours.  fresh has (n, padded head_dim). */
static void attention_block(attention_row *rows, int n, float *fresh, size_t padded,
                            const mc_attention_args *args)
{
    const int first_page = rows[0].first / MC_PAGE, last_page = rows[n - 1].last / MC_PAGE;

    for (int b = first_page; b <= last_page; b++) {
        int begin = 0, end = n;
        while (rows[begin].last / MC_PAGE < b)
            begin++;
        while (rows[end - 1].first / MC_PAGE > b)
            end--;
        if (b * MC_PAGE % MC_SEGMENT == 0)
            for (int r = begin; r < end; r++)
                if (rows[r].first / MC_PAGE < b)
                    attention_segment_ends(&rows[r], fresh + r * padded, args->head_dim);
        for (int tiles = (end - begin + ATTENTION_TILE - 1) / ATTENTION_TILE; tiles; tiles--) {
            const int height = (end - begin + tiles - 1) / tiles;
            attention_page(rows + begin, height, b, args);
            begin += height;
        }
    }
}

/* Row i of the call; of one segment only, it may see nothing: then last is before first. */
static inline attention_row attention_row_of(int i, const mc_attention_args *args)
{
    const int t = i / args->group;
    const size_t head = (size_t)(i % args->group) * args->head_dim;
    attention_row row = {
        .out = args->out + t * args->out_stride + head,
        .q = args->q + t * args->q_stride + head,
        .last = args->position + t, .m = -INFINITY,
    };
    row.first = args->window && row.last >= args->window ? row.last - args->window + 1 : 0;
    if (args->parts) {
        const int begin = args->segment * MC_SEGMENT, end = begin + MC_SEGMENT - 1;
        row.out = args->parts + 16 + ((size_t)i * args->segments + args->segment)
                                         * mc_part_floats(args->head_dim);
        row.first = row.first > begin ? row.first : begin;
        row.last = row.last < end ? row.last : end;
    }
    row.acc = row.out;
    return row;
}

/* Ends rows i ... i + n - 1: their sums become out, or a part. */
static void attention_end(attention_row *rows, int n, const mc_attention_args *args)
{
    for (int r = 0; r < n; r++) {
        if (args->parts) {
            rows[r].out[-16] = rows[r].m;
            rows[r].out[-15] = rows[r].l;
            continue;
        }
        if (rows[r].acc == rows[r].out)
            rows[r].all_l = rows[r].l;
        else
            attention_merge(&rows[r], rows[r].acc, rows[r].m, rows[r].l, args->head_dim);
        attention_scale(rows[r].out, 1.0f / rows[r].all_l, args->head_dim);
    }
}

/* The row's query in 8 bits. */
static void attention_quantize(attention_row *row, int r, attention_space *space, int head_dim)
{
    const int blocks = mc_key_blocks(head_dim);
    int8_t *q = space->q + (size_t)r * blocks * MC_KEY_BLOCK;

    row->q8 = q;
    row->q8_scale = space->scale + (size_t)r * blocks;
    row->q8_sum = space->sum + (size_t)r * blocks;
    for (int b = 0; b < blocks; b++) {
        const int d0 = b * MC_KEY_BLOCK, left = head_dim - d0;
        space->sum[r * blocks + b] = quantize_block(
            q + d0, &space->scale[r * blocks + b], row->q + d0,
            left < MC_KEY_BLOCK ? left : MC_KEY_BLOCK);
    }
}

/* All rows, a block of them at a time. */
static inline void attention_rows(const mc_attention_args *args)
{
    const int n_rows = args->tokens * args->group;
    const size_t padded = (size_t)(args->head_dim + 15) / 16 * 16;
    const int fit = (int)(ATTENTION_FLOATS / padded);
    const int most = fit < ATTENTION_BLOCK ? fit : ATTENTION_BLOCK;
    attention_row rows[ATTENTION_BLOCK];
    attention_space space;

    for (int i = 0; i < n_rows;) {
        int n = 0;
        for (; i < n_rows && n < most; i++) {
            const attention_row row = attention_row_of(i, args);
            if (row.first > row.last)
                continue;
            memset(row.out, 0, args->head_dim * sizeof *row.out);
            rows[n] = row;
            if (args->kv == MC_KV_Q8)
                attention_quantize(&rows[n], n, &space, args->head_dim);
            n++;
        }
        if (n)
            attention_block(rows, n, space.fresh, padded, args);
        attention_end(rows, n, args);
    }
}

/* The parts of every row, of the segments that it sees, become its output. */
static inline void attention_parts(const mc_attention_args *args)
{
    const size_t size = mc_part_floats(args->head_dim);
    mc_attention_args whole = *args;
    whole.parts = NULL;

    for (int i = 0; i < args->tokens * args->group; i++) {
        attention_row row = attention_row_of(i, &whole);
        const float *part = args->parts + ((size_t)i * args->segments
                                           + row.first / MC_SEGMENT) * size;
        memcpy(row.out, part + 16, args->head_dim * sizeof *row.out);
        row.all_m = part[0], row.all_l = part[1];
        for (int s = row.first / MC_SEGMENT + 1; s <= row.last / MC_SEGMENT; s++) {
            part += size;
            attention_merge(&row, part + 16, part[0], part[1], args->head_dim);
        }
        attention_scale(row.out, 1.0f / row.all_l, args->head_dim);
    }
}

static inline void attention_lanes(const mc_attention_args *args)
{
    if (args->parts && args->segment == args->segments)
        attention_parts(args);
    else
        attention_rows(args);
}
