/* repeats.c - counts kept up to date as tokens come and go, so that a draw touches only the
 * distinct tokens of the window. */
#include "repeats.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "memory.h"

int mc_repeats_init(mc_repeats *r, const mc_sampler_params *params, int vocab_size)
{
    *r = (mc_repeats){ .repeat = params->repeat_penalty, .presence = params->presence_penalty,
                       .frequency = params->frequency_penalty };
    const int neutral = r->repeat == 1.0 && r->presence == 0.0 && r->frequency == 0.0;
    if (neutral || params->repeat_last_n == 0)
        return 0;
    r->window = params->repeat_last_n;
    r->last = mc_memory_new((size_t)r->window * sizeof *r->last);
    r->seen = mc_memory_new((size_t)r->window * sizeof *r->seen);
    r->slot = mc_memory_new((size_t)vocab_size * sizeof *r->slot);
    if (!r->last || !r->seen || !r->slot)
        return -1;
    memset(r->slot, 0, (size_t)vocab_size * sizeof *r->slot);
    return 0;
}

void mc_repeats_free(mc_repeats *r)
{
    mc_memory_free(r->last);
    mc_memory_free(r->seen);
    mc_memory_free(r->slot);
}

/* One occurrence of a token leaves the window; the last of seen fills the hole. */
static void forget(mc_repeats *r, int token)
{
    mc_repeat *hole = &r->seen[r->slot[token] - 1];
    if (--hole->count)
        return;
    *hole = r->seen[--r->n_seen];
    r->slot[hole->id] = r->slot[token];
    r->slot[token] = 0;
}

void mc_repeats_add(mc_repeats *r, int token)
{
    if (!r->window)
        return;
    if (r->n_last == r->window)
        forget(r, r->last[r->oldest]);
    else
        r->n_last++;
    r->last[r->oldest] = token;
    r->oldest = (r->oldest + 1) % r->window;
    if (!r->slot[token]) {
        r->seen[r->n_seen] = (mc_repeat){ .id = token };
        r->slot[token] = ++r->n_seen;
    }
    r->seen[r->slot[token] - 1].count++;
}

static float penalised(const mc_repeats *r, float raw, int count)
{
    if (!(fabsf(raw) <= FLT_MAX))
        return raw;
    double x = raw > 0.0f ? raw / r->repeat : raw * r->repeat;
    x -= count * r->frequency + r->presence;
    return (float)(x > FLT_MAX ? FLT_MAX : x < -FLT_MAX ? -FLT_MAX : x);
}

void mc_repeats_penalise(mc_repeats *r, float *logits)
{
    for (int i = 0; i < r->n_seen; i++) {
        mc_repeat *t = &r->seen[i];
        t->raw = logits[t->id];
        logits[t->id] = penalised(r, t->raw, t->count);
    }
}

void mc_repeats_restore(const mc_repeats *r, float *logits)
{
    for (int i = 0; i < r->n_seen; i++)
        logits[r->seen[i].id] = r->seen[i].raw;
}
