/* ref/attention.c - the definition of attention: one query row at a time, page by page. */
#include <math.h>

#include "kernels.h"
#include "kernels/exp.h"
#include "kernels/half.h"
#include "kernels/lane_sum.h"
#include "kernels/quantize_block.h"

mc_attention mc_attention_ref;

static float element(const void *data, size_t i, mc_kv kv)
{
    return kv == MC_KV_F32 ? ((const float *)data)[i] : mc_half_to_f32(((const uint16_t *)data)[i]);
}

/* q and the key of slot j. */
static float product(const float *q, const void *keys, int j, const mc_attention_args *a)
{
    float dot = 0.0f;
    if (a->kv != MC_KV_Q8) {
        for (int d = 0; d < a->head_dim; d++)
            dot = fmaf(q[d], element(keys, (size_t)d * MC_PAGE + j, a->kv), dot);
        return dot;
    }
    const uint8_t *quads = keys;
    const float *scales = (const float *)(quads + (size_t)mc_key_quads(a->head_dim) * MC_PAGE * 4);
    for (int b = 0; b < mc_key_blocks(a->head_dim); b++) {
        const int d0 = b * MC_KEY_BLOCK, left = a->head_dim - d0;
        const int size = left < MC_KEY_BLOCK ? left : MC_KEY_BLOCK;
        int8_t x[MC_KEY_BLOCK];
        float scale;
        int32_t sum = 0;
        mc_quantize_block(x, &scale, q + d0, size);
        for (int i = 0; i < size; i++)
            sum += x[i] * (quads[((size_t)(d0 + i) / 4 * MC_PAGE + j) * 4 + i % 4] - 128);
        dot = fmaf((float)sum, scale * scales[b * MC_PAGE + j], dot);
    }
    return dot;
}

/* Adds a page's values in 8 bits, weighed by p, to acc, of which c is left. */
static void add_q8(float *acc, float c, const float *p, int begin, int end, const int8_t *values,
                   const mc_attention_args *a)
{
    const int padded = (a->head_dim + 15) / 16 * 16;
    const float *scales = (const float *)(values + (size_t)MC_PAGE * padded);
    float w[MC_PAGE], largest = 0.0f, step = 0.0f;
    int32_t weight[MC_PAGE] = { 0 };
    int finite = 1;

    for (int j = 0; j < MC_PAGE; j++) {
        w[j] = j >= begin && j < end ? p[j] * scales[j] : 0.0f;
        finite &= isfinite(w[j]) != 0;
        largest = w[j] > largest ? w[j] : largest;
    }
    if (!finite)
        step = NAN;
    else if (largest >= 1e-30f) {
        step = largest / 32767.0f;
        for (int j = 0; j < MC_PAGE; j++)
            weight[j] = (int32_t)rintf(w[j] * (32767.0f / largest));
    }
    for (int d = 0; d < a->head_dim; d++) {
        int32_t sum = 0;
        for (int j = begin; j < end; j++)
            sum += weight[j] * values[((size_t)j / 2 * padded + d) * 2 + j % 2];
        acc[d] = fmaf((float)sum, step, acc[d] * c);
    }
}

typedef struct sums {
    float m, l, *acc;
} sums;

/* What q finds among the keys from first to last, both included, which are of one segment. */
static void attend(sums *to, const float *q, int first, int last, const mc_attention_args *a)
{
    const int padded = (a->head_dim + 15) / 16 * 16;

    to->m = -INFINITY;
    to->l = 0.0f;
    for (int d = 0; d < a->head_dim; d++)
        to->acc[d] = 0.0f;
    for (int b = first / MC_PAGE; first <= last && b <= last / MC_PAGE; b++) {
        const void *keys = a->pages[b] + a->keys_offset, *values = a->pages[b] + a->values_offset;
        float s[MC_PAGE], lanes[16] = { 0 }, n = to->m;
        for (int j = 0; j < MC_PAGE; j++) {
            float dot = product(q, keys, j, a) * a->scale;
            if (a->softcap != 0.0f)
                dot = a->softcap * mc_tanh(dot / a->softcap);
            const int position = b * MC_PAGE + j;
            s[j] = position >= first && position <= last ? dot : -INFINITY;
            n = s[j] > n ? s[j] : n;
        }
        const float c = mc_exp(to->m - n);
        for (int j = 0; j < MC_PAGE; j++) {
            s[j] = mc_exp(s[j] - n);
            lanes[j % 16] += s[j];
        }
        to->m = n;
        to->l = fmaf(to->l, c, mc_lane_sum(lanes));
        if (a->kv == MC_KV_Q8) {
            const int begin = first - b * MC_PAGE, end = last - b * MC_PAGE + 1;
            add_q8(to->acc, c, s, begin < 0 ? 0 : begin, end > MC_PAGE ? MC_PAGE : end, values, a);
            continue;
        }
        for (int d = 0; d < a->head_dim; d++) {
            to->acc[d] *= c;
            for (int j = 0; j < MC_PAGE; j++)
                if (b * MC_PAGE + j >= first && b * MC_PAGE + j <= last)
                    to->acc[d] = fmaf(s[j], element(values, (size_t)j * padded + d, a->kv),
                                      to->acc[d]);
        }
    }
}

/* Adds the sums of a segment to those of the segments before it, of which begun says whether
 * there are any. */
static void add(sums *to, const sums *segment, int begun, int head_dim)
{
    const float n = segment->m > to->m ? segment->m : to->m;
    const float a = mc_exp(to->m - n), c = mc_exp(segment->m - n);

    for (int d = 0; d < head_dim; d++)
        to->acc[d] = begun ? fmaf(segment->acc[d], c, to->acc[d] * a) : segment->acc[d];
    to->l = begun ? fmaf(segment->l, c, to->l * a) : segment->l;
    to->m = begun ? n : segment->m;
}

/* A segment of what q sees from first to last. */
static void attend_segment(sums *to, const float *q, int s, int first, int last,
                           const mc_attention_args *a)
{
    const int begin = s * MC_SEGMENT, end = begin + MC_SEGMENT - 1;
    attend(to, q, first > begin ? first : begin, last < end ? last : end, a);
}

/* One row of the call; parts are its own. */
static void row(float *out, const float *q, float *parts, int first, int last,
                const mc_attention_args *a)
{
    const size_t part = mc_part_floats(a->head_dim);
    float acc[MC_MAX_HEAD_DIM];
    sums all = { .acc = out };

    if (parts && a->segment < a->segments) {
        float *kept = parts + a->segment * part;
        sums segment = { .acc = kept + 16 };
        attend_segment(&segment, q, a->segment, first, last, a);
        kept[0] = segment.m;
        kept[1] = segment.l;
        return;
    }
    for (int s = first / MC_SEGMENT; s <= last / MC_SEGMENT; s++) {
        sums segment = { .acc = acc };
        if (parts) {
            float *kept = parts + s * part;
            segment = (sums){ kept[0], kept[1], kept + 16 };
        } else {
            attend_segment(&segment, q, s, first, last, a);
        }
        add(&all, &segment, s > first / MC_SEGMENT, a->head_dim);
    }
    for (int d = 0; d < a->head_dim; d++)
        out[d] *= 1.0f / all.l;
}

void mc_attention_ref(const mc_attention_args *args)
{
    for (int t = 0; t < args->tokens; t++) {
        const int last = args->position + t;
        const int first = args->window && last >= args->window ? last - args->window + 1 : 0;
        for (int g = 0; g < args->group; g++) {
            const size_t head = (size_t)g * args->head_dim, i = (size_t)t * args->group + g;
            const size_t parts = i * args->segments * mc_part_floats(args->head_dim);
            row(args->out + t * args->out_stride + head, args->q + t * args->q_stride + head,
                args->parts ? args->parts + parts : NULL, first, last, args);
        }
    }
}
