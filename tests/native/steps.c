/* steps.c - a sequence in one step on one thread with ref, against the same sequence cut into
 * slices, beside another one, on several threads, with any kernels: bit for bit. */
#include <string.h>

#include "cases.h"
#include "models.h"
#include "random.h"

enum { MOST_TOKENS = 150, LAST = 8, MOST_PAGES = (MOST_TOKENS + MC_PAGE - 1) / MC_PAGE };

/* A sequence's tokens and the pages they have filled. */
typedef struct sequence {
    int n_tokens;
    int32_t *tokens;
    const char *pages[MOST_PAGES];
} sequence;

/* Its pages have been used before: they are full of NaN. */
static sequence new_sequence(const mc_model *model, const int32_t *tokens, int n_tokens)
{
    sequence s = { .n_tokens = n_tokens, .tokens = exact((size_t)n_tokens * sizeof *tokens) };
    for (int i = 0; i < n_tokens; i++)
        s.tokens[i] = tokens ? tokens[i] : random_int(0, model->vocab_size - 1);
    for (int b = 0; b * MC_PAGE < n_tokens; b++)
        s.pages[b] = memset(mc_page_new(model), 0xff, model->page_bytes);
    return s;
}

static void free_sequence(sequence *s)
{
    for (int b = 0; b * MC_PAGE < s->n_tokens; b++)
        mc_page_free((void *)s->pages[b]);
    free(s->tokens);
}

static mc_item slice(const sequence *s, int begin, int end, int long_rope)
{
    return (mc_item){ .tokens = s->tokens + begin, .n_tokens = end - begin, .position = begin,
                      .pages = s->pages, .long_rope = long_rope };
}

static mc_sampler *new_sampler(const mc_model *model, double temperature)
{
    const mc_sampler_params params = {
        .temperature = temperature, .top_p = 0.9, .typical_p = 1.0, .repeat_penalty = 1.1,
        .repeat_last_n = 16, .seed = 7, .logprobs = 1, .top_logprobs = 3,
    };
    return mc_sampler_new(&params, model->vocab_size);
}

/* Runs s in slices beside other; each slice's last logits are compared with want, which holds
 * those of the last n_want positions. */
static int run_slices(const mc_model *model, sequence *s, sequence *other, const float *want,
                      int n_want, int long_rope, mc_sampler *sampler, mc_draw *draw)
{
    mc_workspace *ws = mc_workspace_new(model, 2 * MOST_TOKENS, 2);
    float *logits = exact((size_t)model->vocab_size * sizeof *logits);
    int ok = 1, end = 0, other_end = 0;

    for (int begin = 0; ok && begin < s->n_tokens; begin = end) {
        end = random_int(begin + 1, s->n_tokens);
        mc_item items[2] = { slice(s, begin, end, long_rope) };
        items[0].n_logits = 1;
        items[0].logits = logits;
        if (end == s->n_tokens)
            items[0].sampler = sampler, items[0].draw = draw;
        int n_items = 1;
        if (other_end < other->n_tokens) {
            const int other_begin = other_end;
            other_end = random_int(other_begin + 1, other->n_tokens);
            items[n_items++] = slice(other, other_begin, other_end, !long_rope);
            items[1].n_logits = random_int(0, 1);
        }
        mc_step(model, ws, items, n_items, random_int(1, 4));
        const int row = end - 1 - (s->n_tokens - n_want);
        if (row >= 0)
            ok = same("logits", logits, want + (size_t)row * model->vocab_size, model->vocab_size);
    }
    free(logits);
    mc_workspace_free(ws);
    return ok;
}

static int same_draw(const mc_draw *got, const mc_draw *want)
{
    return same_bytes("token", &got->token, &want->token, sizeof want->token)
        && same_bytes("logprob", &got->logprob, &want->logprob, sizeof want->logprob);
}

int steps(void)
{
    mc_model *model = random_model();
    const int n = random_int(1, MOST_TOKENS), n_want = n < LAST ? n : LAST;
    const int long_rope = random_int(0, 1);
    const double temperature = 0.7 * random_int(0, 2);
    mc_sampler *sampler = new_sampler(model, temperature);
    mc_sampler *again = new_sampler(model, temperature);
    float *want = exact((size_t)n_want * model->vocab_size * sizeof *want);
    mc_draw want_draw = { 0 }, draw = { 0 };
    int isas = 0;

    mc_model_init(model, "ref");
    sequence whole = new_sequence(model, NULL, n);
    mc_item item = slice(&whole, 0, n, long_rope);
    item.n_logits = n_want, item.logits = want, item.sampler = sampler, item.draw = &want_draw;
    mc_workspace *ws = mc_workspace_new(model, n, n_want);
    mc_step(model, ws, &item, 1, 1);

    while (mc_kernels_isa(isas))
        isas++;
    mc_model_init(model, mc_kernels_isa(random_int(0, isas - 1)));
    sequence cut = new_sequence(model, whole.tokens, n);
    sequence other = new_sequence(model, NULL, random_int(1, MOST_TOKENS));
    describe("steps of %s, %d tokens", model->kernels.isa, n);
    const int ok = run_slices(model, &cut, &other, want, n_want, long_rope, again, &draw)
        && same_draw(&draw, &want_draw);
    mc_workspace_free(ws);
    mc_sampler_free(sampler), mc_sampler_free(again);
    free_sequence(&whole), free_sequence(&cut), free_sequence(&other);
    free(want);
    random_model_free(model);
    return ok;
}
