/* sampling.c - draws under any options: an allowed token, or an error and nothing changed. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cases.h"
#include "random.h"
#include "sample.h"

static mc_sampler_params random_params(void)
{
    return (mc_sampler_params){
        .temperature = random_int(0, 3) * 0.5, .top_k = random_int(0, 1) * random_int(1, 60),
        .top_p = random_int(0, 1) ? 1.0 : random_unit(),
        .min_p = random_int(0, 1) ? 0.0 : random_unit(),
        .typical_p = random_int(0, 1) ? 1.0 : random_unit(),
        .repeat_penalty = random_int(0, 1) ? 1.0 : 0.5 + random_unit(),
        .presence_penalty = random_int(0, 1) ? 0.0 : 4.0 * random_unit() - 2.0,
        .frequency_penalty = random_int(0, 1) ? 0.0 : 4.0 * random_unit() - 2.0,
        .repeat_last_n = random_int(0, 40), .seed = random_bits(),
        .logprobs = random_int(0, 1), .top_logprobs = random_int(0, MC_TOP_LOGPROBS),
    };
}

static uint32_t *random_mask(int vocab)
{
    if (random_int(0, 1))
        return NULL;
    uint32_t *mask = random_bytes((size_t)(vocab + 31) / 32 * sizeof *mask);
    if (random_int(0, 7) == 0)
        memset(mask, 0, (size_t)(vocab + 31) / 32 * sizeof *mask);
    return mask;
}

static int allowed(const uint32_t *mask, int token, int vocab)
{
    return token >= 0 && token < vocab && (!mask || mask[token / 32] >> token % 32 & 1);
}

static int valid(const mc_draw *draw, const mc_sampler_params *params, const uint32_t *mask,
                 const float *logits, int vocab)
{
    if (!allowed(mask, draw->token, vocab) || !isfinite(logits[draw->token]))
        return printf("FAILED: token %d may not be drawn\n", draw->token), 0;
    for (int i = 1; params->logprobs && i < draw->n_top; i++)
        if (draw->top[i - 1].logprob < draw->top[i].logprob)
            return printf("FAILED: top logprobs are not in order\n"), 0;
    return 1;
}

int sampling(void)
{
    const int vocab = random_int(1, 300);
    const mc_sampler_params params = random_params();
    mc_sampler *s = mc_sampler_new(&params, vocab), *again = mc_sampler_new(&params, vocab);
    int32_t prompt[50];
    int ok = 1;
    for (int i = 0; i < 50; i++)
        prompt[i] = random_int(0, vocab - 1);
    mc_sampler_prompt(s, prompt, 50);
    mc_sampler_prompt(again, prompt, 50);
    describe("sampling of %d tokens at temperature %g", vocab, params.temperature);

    for (int i = 0; ok && i < 20; i++) {
        float *logits = random_floats(vocab, random_sample());
        float *before = copy_of(logits, vocab * sizeof *logits);
        uint32_t *mask = random_mask(vocab);
        mc_draw draw = { 0 }, other = { 0 };
        const mc_status status = mc_sampler_draw(s, logits, mask, &draw);
        ok = same("logits", logits, before, vocab)
            && (status || valid(&draw, &params, mask, logits, vocab))
            && mc_sampler_draw(again, logits, mask, &other) == status
            && same_bytes("draw", &other, &draw, status ? 0 : sizeof draw);
        free(logits), free(before), free(mask);
    }
    mc_sampler_free(s), mc_sampler_free(again);
    return ok;
}
