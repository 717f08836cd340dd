/* sample.c - one scan over the logits, then work on the few that are left.
 *
 * A candidate is a key of 64 bits, the logit above the id, made so that the larger key is the
 * better token.  Keys stay in the order of their ids; a filter copies them into a heap, pops
 * the best until it has enough, and keeps what is not below the last one popped.  So nothing
 * is sorted that is not wanted, and the worst case is n log n. */
#include "sample.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "chance.h"
#include "memory.h"
#include "repeats.h"

enum {
    BLOCK = 32,         /* logits that one word of a mask covers */
    SLACK = 256,        /* candidates gathered beyond top_k, at least, before some are let go */
};

struct mc_sampler {
    mc_sampler_params params;
    int vocab;
    uint64_t place;     /* of the next token in the answer */
    uint64_t *keys;     /* (vocab): candidates, ids ascending */
    uint64_t *heap;     /* (vocab): scratch of the filters, weights of the draw */
    mc_repeats repeats; /* the window of the penalties */
};

static inline uint64_t key_of(float x, int id)
{
    uint32_t bits;
    x += 0.0f;          /* -0 and 0 are equal */
    memcpy(&bits, &x, sizeof bits);
    bits = bits >> 31 ? ~bits : bits | UINT32_C(1) << 31;
    return (uint64_t)bits << 32 | (uint32_t)~id;
}

static inline int id_of(uint64_t key) { return (int)~(uint32_t)key; }

static inline float logit_of(uint64_t key)
{
    uint32_t bits = (uint32_t)(key >> 32);
    float x;
    bits = bits >> 31 ? bits & ~(UINT32_C(1) << 31) : ~bits;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void sift(uint64_t *heap, int n, int i)
{
    const uint64_t key = heap[i];
    for (int child; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && heap[child + 1] > heap[child];
        if (heap[child] <= key)
            break;
        heap[i] = heap[child];
    }
    heap[i] = key;
}

static void heapify(uint64_t *heap, int n)
{
    for (int i = n / 2; i-- > 0;)
        sift(heap, n, i);
}

/* Takes the largest key out of a heap of n. */
static uint64_t pop(uint64_t *heap, int n)
{
    const uint64_t key = heap[0];
    heap[0] = heap[n - 1];
    sift(heap, n - 1, 0);
    return key;
}

/* Copies the n candidates into the heap. */
static void fill_heap(mc_sampler *s, int n)
{
    memcpy(s->heap, s->keys, (size_t)n * sizeof *s->keys);
    heapify(s->heap, n);
}

/* The filters: each looks at n candidates, keeps some in their order, returns how many. */

static int keep_from(mc_sampler *s, int n, uint64_t cut)
{
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (s->keys[i] >= cut)
            s->keys[kept++] = s->keys[i];
    return kept;
}

static int keep_top_k(mc_sampler *s, int n, int k, uint64_t *cut)
{
    fill_heap(s, n);
    for (int i = 0; i < k; i++)
        *cut = pop(s->heap, n - i);
    return keep_from(s, n, *cut);
}

static double best_logit(const mc_sampler *s, int n)
{
    uint64_t best = 0;
    for (int i = 0; i < n; i++)
        best = s->keys[i] > best ? s->keys[i] : best;
    return logit_of(best);
}

/* Writes the weights of n candidates into the heap; returns their sum. */
static uint64_t weigh(mc_sampler *s, int n, double best, double temperature)
{
    float x[MC_WEIGHTS];
    uint64_t total = 0;
    for (int base = 0; base < n; base += MC_WEIGHTS) {
        for (int i = 0; i < MC_WEIGHTS; i++)
            x[i] = base + i < n ? logit_of(s->keys[base + i]) : -INFINITY;
        mc_weigh(s->heap + base, x, best, temperature);
        for (int i = 0; i < MC_WEIGHTS; i++)
            total += s->heap[base + i];
    }
    return total;
}

static int keep_typical_p(mc_sampler *s, int n, double p)
{
    const double best = best_logit(s, n);
    const double total = (double)weigh(s, n, best, 1.0), log_total = mc_log(total / MC_WEIGHT_ONE);
    double mean = 0.0;
    for (int i = 0; i < n; i++)
        mean += (double)s->heap[i] * (log_total - (logit_of(s->keys[i]) - best));
    mean /= total;
    for (int i = 0; i < n; i++) {
        const double surprise = log_total - (logit_of(s->keys[i]) - best);
        s->heap[i] = key_of((float)-fabs(surprise - mean), i);
    }
    heapify(s->heap, n);
    uint64_t cut = 0, sum = 0;
    for (int left = n; left > 0 && (double)sum <= p * total; left--) {
        cut = pop(s->heap, left);
        sum += mc_weight(logit_of(s->keys[id_of(cut)]), best);
    }
    int kept = 0;
    for (int i = 0; i < n; i++) {
        const double surprise = log_total - (logit_of(s->keys[i]) - best);
        if (key_of((float)-fabs(surprise - mean), i) >= cut)
            s->keys[kept++] = s->keys[i];
    }
    return kept;
}

static int keep_top_p(mc_sampler *s, int n, double p)
{
    const double best = best_logit(s, n), total = (double)weigh(s, n, best, 1.0);
    uint64_t cut = 0, sum = 0;
    fill_heap(s, n);
    for (int left = n; left > 0 && (sum == 0 || (double)sum < p * total); left--) {
        cut = pop(s->heap, left);
        sum += mc_weight(logit_of(cut), best);
    }
    return keep_from(s, n, cut);
}

static int keep_min_p(mc_sampler *s, int n, double p)
{
    const double least = best_logit(s, n) + mc_log(p);
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (logit_of(s->keys[i]) >= least)
            s->keys[kept++] = s->keys[i];
    return kept;
}

/* Whether one of n <= BLOCK logits is above the threshold, or NaN. */
static inline int any_above(const float *x, int n, float threshold)
{
    int any = 0;
    if (n == BLOCK)         /* a count that the compiler knows */
        for (int i = 0; i < BLOCK; i++)
            any |= !(x[i] <= threshold);
    else
        for (int i = 0; i < n; i++)
            any |= !(x[i] <= threshold);
    return any;
}

/* Makes the k best allowed logits the candidates, or all of them where k is 0.  Returns how
 * many, or -1 where one is NaN or infinite. */
static int gather(mc_sampler *s, const float *logits, const uint32_t *mask, int k)
{
    const int extra = k > SLACK ? k : SLACK;
    const int room = k > 0 && k < s->vocab - extra ? k + extra : s->vocab;
    float threshold = -INFINITY;        /* below it there are k already */
    int n = 0;
    uint64_t cut = 0;
    for (int base = 0; base < s->vocab; base += BLOCK) {
        const int width = s->vocab - base < BLOCK ? s->vocab - base : BLOCK;
        const uint32_t allowed = mask ? mask[base / BLOCK] : UINT32_MAX;
        const float *x = logits + base;
        if (!allowed || !any_above(x, width, threshold))
            continue;
        for (int i = 0; i < width; i++) {
            if (x[i] <= threshold || !(allowed >> i & 1))
                continue;
            if (!(x[i] <= FLT_MAX))
                return -1;
            if (n == room) {
                n = keep_top_k(s, n, k, &cut);
                threshold = logit_of(cut);
            }
            s->keys[n++] = key_of(x[i], base + i);
        }
    }
    return k > 0 && n > k ? keep_top_k(s, n, k, &cut) : n;
}

/* Draws one of the n candidates. */
static int pick(mc_sampler *s, int n)
{
    const double best = best_logit(s, n);
    const uint64_t total = weigh(s, n, best, s->params.temperature);
    const uint64_t point = mc_multiply_high(mc_random(s->params.seed, s->place), total);
    uint64_t sum = 0;
    int i = 0;
    while ((sum += s->heap[i]) <= point)
        i++;
    return id_of(s->keys[i]);
}

/* Returns the next token, or -1 where there is no candidate. */
static int choose(mc_sampler *s, const float *logits, const uint32_t *mask)
{
    const mc_sampler_params *p = &s->params;
    int n = gather(s, logits, mask, p->temperature == 0.0 ? 1 : p->top_k);
    if (n <= 0)
        return -1;
    if (p->temperature == 0.0)
        return id_of(s->keys[0]);
    if (p->typical_p < 1.0)
        n = keep_typical_p(s, n, p->typical_p);
    if (p->top_p < 1.0)
        n = keep_top_p(s, n, p->top_p);
    if (p->min_p > 0.0)
        n = keep_min_p(s, n, p->min_p);
    return pick(s, n);
}

/* Says why there is no candidate. */
static mc_status no_token(const mc_sampler *s, const float *logits, const uint32_t *mask)
{
    int allowed = 0;
    for (int i = 0; i < s->vocab; i++) {
        if (mask && !(mask[i / BLOCK] >> i % BLOCK & 1))
            continue;
        allowed++;
        if (!(logits[i] <= FLT_MAX))
            return mc_fail(MC_BAD_MODEL, "logits: %s for token %d; a number below infinity is "
                           "allowed", logits[i] > FLT_MAX ? "inf" : "NaN", i);
    }
    if (!allowed)
        return mc_fail(MC_BAD_REQUEST, "constraint: no token of %d; at least one is allowed",
                       s->vocab);
    return mc_fail(MC_BAD_MODEL, "logits: -inf for each of %d tokens; one number is needed",
                   allowed);
}

mc_status mc_sampler_draw(mc_sampler *s, float *logits, const uint32_t *mask, mc_draw *out)
{
    mc_repeats_penalise(&s->repeats, logits);
    const int token = choose(s, logits, mask);
    mc_repeats_restore(&s->repeats, logits);
    if (token < 0)
        return no_token(s, logits, mask);
    out->token = token;
    if (s->params.logprobs) {
        const mc_status status = mc_sampler_score(s, logits, token, out);
        if (status)
            return status;
    }
    mc_sampler_accept(s, token);
    return MC_OK;
}

mc_status mc_sampler_score(mc_sampler *s, const float *logits, int token, mc_draw *out)
{
    const int wanted = s->params.top_logprobs;
    int n = gather(s, logits, NULL, wanted > 0 ? wanted : 1);
    if (n <= 0)
        return no_token(s, logits, NULL);
    const double best = best_logit(s, n);
    uint64_t total = 0, w[MC_WEIGHTS];
    int i = 0;
    for (; i + MC_WEIGHTS <= s->vocab; i += MC_WEIGHTS) {
        mc_weigh(w, logits + i, best, 1.0);
        for (int j = 0; j < MC_WEIGHTS; j++)
            total += w[j];
    }
    for (; i < s->vocab; i++)
        total += mc_weight(logits[i], best);
    const double zero = best + mc_log((double)total / MC_WEIGHT_ONE);   /* whose logprob is 0 */
    out->token = token;
    out->logprob = (logits[token] < -FLT_MAX ? -FLT_MAX : logits[token]) - zero;
    out->n_top = n < wanted ? n : wanted;
    fill_heap(s, n);
    for (i = 0; i < out->n_top; i++) {
        const uint64_t key = pop(s->heap, n - i);
        out->top[i] = (mc_logprob){ id_of(key), logit_of(key) - zero };
    }
    return MC_OK;
}

void mc_sampler_accept(mc_sampler *s, int token)
{
    mc_repeats_add(&s->repeats, token);
    s->place++;
}

void mc_sampler_prompt(mc_sampler *s, const int32_t *tokens, int n)
{
    for (int i = n > s->repeats.window ? n - s->repeats.window : 0; i < n; i++)
        mc_repeats_add(&s->repeats, tokens[i]);
}

mc_sampler *mc_sampler_new(const mc_sampler_params *params, int vocab_size)
{
    const size_t whole_blocks = (size_t)vocab_size + MC_WEIGHTS - 1;
    mc_sampler *s = mc_memory_new(sizeof *s);
    if (!s)
        goto fail;
    memset(s, 0, sizeof *s);
    s->params = *params;
    s->vocab = vocab_size;
    s->keys = mc_memory_new(whole_blocks * sizeof *s->keys);
    s->heap = mc_memory_new(whole_blocks * sizeof *s->heap);
    if (!s->keys || !s->heap || mc_repeats_init(&s->repeats, params, vocab_size))
        goto fail;
    return s;
fail:
    mc_sampler_free(s);
    mc_fail(MC_NOMEM, "a sampler of %d tokens: no memory", vocab_size);
    return NULL;
}

void mc_sampler_free(mc_sampler *s)
{
    if (!s)
        return;
    mc_repeats_free(&s->repeats);
    mc_memory_free(s->keys);
    mc_memory_free(s->heap);
    mc_memory_free(s);
}
