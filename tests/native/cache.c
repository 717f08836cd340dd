/* cache.c - cases of the operations on the pages of the cache. */
#include <math.h>
#include <string.h>

#include "cases.h"
#include "random.h"

static mc_kv random_kv(void) { return (mc_kv)random_int(MC_KV_F32, MC_KV_Q8); }

static int same_keys(const char *got, const char *want, mc_kv kv, int head_dim)
{
    const size_t n = (size_t)head_dim * MC_PAGE;
    const size_t quads = (size_t)mc_key_quads(head_dim) * 4 * MC_PAGE;
    if (kv == MC_KV_F32)
        return same("keys", (const float *)got, (const float *)want, n);
    if (kv == MC_KV_F16)
        return same_halves("keys", (const uint16_t *)got, (const uint16_t *)want, n);
    return memcmp(got, want, quads) == 0
        && same("scales", (const float *)(got + quads), (const float *)(want + quads),
                (size_t)mc_key_blocks(head_dim) * MC_PAGE);
}

static int same_values(const char *got, const char *want, mc_kv kv, int head_dim)
{
    const size_t n = mc_value_bytes(kv, head_dim), pairs = n - 4 * MC_PAGE;
    if (kv == MC_KV_F32)
        return same("values", (const float *)got, (const float *)want, n / 4);
    if (kv == MC_KV_F16)
        return same_halves("values", (const uint16_t *)got, (const uint16_t *)want, n / 2);
    return memcmp(got, want, pairs) == 0
        && same("scales", (const float *)(got + pairs), (const float *)(want + pairs), MC_PAGE);
}

int kv_write(const mc_kernels *kernels)
{
    const int head_dim = random_int(1, 130), slot = random_int(0, MC_PAGE - 1);
    const mc_kv kv = random_kv();
    const sample from = random_sample();
    const size_t n_keys = mc_key_bytes(kv, head_dim), n_values = mc_value_bytes(kv, head_dim);
    float *k = random_floats(head_dim, from), *v = random_floats(head_dim, from);
    void *keys = random_bytes(n_keys), *values = random_bytes(n_values);
    void *want_keys = copy_of(keys, n_keys), *want_values = copy_of(values, n_values);
    describe("%s kv_write head_dim=%d slot=%d kv=%d", kernels->isa, head_dim, slot, kv);

    kernels->kv_write(keys, values, slot, k, v, head_dim, kv);
    ref.kv_write(want_keys, want_values, slot, k, v, head_dim, kv);
    const int ok = same_keys(keys, want_keys, kv, head_dim)
        && same_values(values, want_values, kv, head_dim);
    free(k), free(v), free(keys), free(values), free(want_keys), free(want_values);
    return ok;
}

/* Page b with one head in it.  Positions that no row sees hold NaN. */
static char *random_page(mc_attention_args *a, int b, sample from)
{
    const size_t keys = mc_key_bytes(a->kv, a->head_dim);
    const int first = a->window ? a->position - a->window + 1 : 0;
    const int last = a->position + a->tokens - 1;
    a->keys_offset = 64;
    a->values_offset = 64 + keys;
    char *page = exact(a->values_offset + mc_value_bytes(a->kv, a->head_dim));
    float *k = exact((size_t)a->head_dim * sizeof *k), *v = exact((size_t)a->head_dim * sizeof *v);
    for (int slot = 0; slot < MC_PAGE; slot++) {
        const int seen = b * MC_PAGE + slot >= first && b * MC_PAGE + slot <= last;
        for (int d = 0; d < a->head_dim; d++) {
            k[d] = seen ? random_float(from) : NAN;
            v[d] = seen ? random_float(from) : NAN;
        }
        ref.kv_write(page + a->keys_offset, page + a->values_offset, slot, k, v, a->head_dim,
                     a->kv);
    }
    free(k), free(v);
    return page;
}

/* The same in several calls, the segments in any order. */
static void by_segments(const mc_kernels *kernels, mc_attention_args a)
{
    a.segments = (a.position + a.tokens - 1) / MC_SEGMENT + 1;
    const size_t n = (size_t)a.tokens * a.group * a.segments * mc_part_floats(a.head_dim);
    a.parts = random_floats(n, PLAIN);
    const int first = random_int(0, a.segments - 1);
    for (int i = 0; i < a.segments; i++) {
        a.segment = (first + i) % a.segments;
        kernels->attention(&a);
    }
    a.segment = a.segments;
    kernels->attention(&a);
    free(a.parts);
}

int attention(const mc_kernels *kernels)
{
    enum { MAX_PAGES = 10 };
    mc_attention_args a = {
        .tokens = random_int(1, 9), .group = random_int(1, 9), .head_dim = random_int(1, 9) * 8,
        .position = random_int(0, MAX_PAGES * MC_PAGE - 10),
        .window = random_int(0, 1) ? random_int(1, 150) : 0,
        .scale = random_int(0, 3) ? 0.125f : 1.0f, .softcap = random_int(0, 2) ? 0.0f : 20.0f,
        .kv = random_kv(),
    };
    if (random_int(0, 3) == 0)
        a.head_dim = random_int(1, 100);
    const sample from = random_sample();
    const int last = (a.position + a.tokens - 1) / MC_PAGE;
    const char *pages[MAX_PAGES] = { NULL };
    for (int b = 0; b <= last; b++)
        pages[b] = random_page(&a, b, from);
    a.pages = pages;
    a.q_stride = (size_t)a.group * a.head_dim + random_int(0, 7);
    a.out_stride = (size_t)a.group * a.head_dim + random_int(0, 7);
    const size_t row = (size_t)a.group * a.head_dim;
    const size_t n_q = (a.tokens - 1) * a.q_stride + row;
    const size_t n_out = (a.tokens - 1) * a.out_stride + row;
    float *q = random_floats(n_q, from);
    float *got = random_floats(n_out, PLAIN), *want = copy_of(got, n_out * sizeof *got);
    describe("%s attention tokens=%d group=%d head_dim=%d position=%d window=%d softcap=%g kv=%d",
             kernels->isa, a.tokens, a.group, a.head_dim, a.position, a.window, a.softcap, a.kv);
    a.q = q;

    a.out = got;
    if (random_int(0, 1))
        by_segments(kernels, a);
    else
        kernels->attention(&a);
    a.out = want;
    ref.attention(&a);
    const int ok = same("out", got, want, n_out);
    for (int b = 0; b <= last; b++)
        free((void *)pages[b]);
    free(q), free(got), free(want);
    return ok;
}
