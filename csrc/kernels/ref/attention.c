/* ref/attention.c - the definition of attention: one query row at a time, page by page. */
#include <math.h>

#include "kernels.h"
#include "kernels/exp.h"
#include "kernels/half.h"
#include "kernels/lane_sum.h"

mc_attention mc_attention_ref;

static float element(const void *data, size_t i, mc_kv kv)
{
    return kv == MC_KV_F32 ? ((const float *)data)[i] : mc_half_to_f32(((const uint16_t *)data)[i]);
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
            float dot = 0.0f;
            for (int d = 0; d < a->head_dim; d++)
                dot = fmaf(q[d], element(keys, (size_t)d * MC_PAGE + j, a->kv), dot);
            dot *= a->scale;
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

/* One row of the call. */
static void row(float *out, const float *q, float *parts, int first, int last,
                const mc_attention_args *a)
{
    const size_t part = mc_part_floats(a->head_dim);
    const int merges = a->parts && a->segment == a->segments;
    sums all = { .acc = out };

    for (int s = first / MC_SEGMENT; s <= last / MC_SEGMENT; s++) {
        float acc[MC_MAX_HEAD_DIM], *kept = parts + s * part;
        sums segment = { merges ? kept[0] : 0.0f, merges ? kept[1] : 0.0f, merges ? kept + 16 : acc };
        if (!merges) {
            const int begin = s * MC_SEGMENT, end = begin + MC_SEGMENT - 1;
            if (a->parts && s != a->segment)
                continue;
            segment.acc = a->parts ? kept + 16 : acc;
            attend(&segment, q, first > begin ? first : begin, last < end ? last : end, a);
            if (a->parts) {
                kept[0] = segment.m;
                kept[1] = segment.l;
                continue;
            }
        }
        add(&all, &segment, s > first / MC_SEGMENT, a->head_dim);
    }
    if (!a->parts || merges)
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
            row(args->out + t * args->out_stride + head,
                args->q + t * args->q_stride + head,
                args->parts + i * args->segments * mc_part_floats(args->head_dim), first, last,
                args);
        }
    }
}
