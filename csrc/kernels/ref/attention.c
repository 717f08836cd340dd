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

/* Writes one row: q sees the keys from first to last, both included. */
static void attend(float *out, const float *q, int first, int last, const mc_attention_args *a)
{
    const int padded = (a->head_dim + 15) / 16 * 16;
    float m = -INFINITY, l = 0.0f;

    for (int d = 0; d < a->head_dim; d++)
        out[d] = 0.0f;
    for (int b = first / MC_PAGE; b <= last / MC_PAGE; b++) {
        const void *keys = a->pages[b] + a->keys_offset, *values = a->pages[b] + a->values_offset;
        float s[MC_PAGE], lanes[16] = { 0 }, n = m;
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
        const float c = mc_exp(m - n);
        for (int j = 0; j < MC_PAGE; j++) {
            s[j] = mc_exp(s[j] - n);
            lanes[j % 16] += s[j];
        }
        m = n;
        l = fmaf(l, c, mc_lane_sum(lanes));
        for (int d = 0; d < a->head_dim; d++) {
            out[d] *= c;
            for (int j = 0; j < MC_PAGE; j++)
                if (b * MC_PAGE + j >= first && b * MC_PAGE + j <= last)
                    out[d] = fmaf(s[j], element(values, (size_t)j * padded + d, a->kv), out[d]);
        }
    }
    for (int d = 0; d < a->head_dim; d++)
        out[d] *= 1.0f / l;
}

void mc_attention_ref(const mc_attention_args *args)
{
    for (int t = 0; t < args->tokens; t++) {
        const int last = args->position + t;
        const int first = args->window && last >= args->window ? last - args->window + 1 : 0;
        for (int g = 0; g < args->group; g++) {
            const size_t head = (size_t)g * args->head_dim;
            attend(args->out + t * args->out_stride + head,
                   args->q + t * args->q_stride + head, first, last, args);
        }
    }
}
