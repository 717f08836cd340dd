/* vectors.c - cases of the operations on one vector. */
#include "cases.h"
#include "random.h"

/* The operations on one vector, in place or not: x (n), a and b (n), the result in out (n). */
typedef void unary(const mc_kernels *k, float *out, const float *x, const float *a, const float *b,
                   int n, int variant);

static int vector(const mc_kernels *k, const char *op, unary *run)
{
    const int n = random_int(1, 700), variant = random_int(0, 5), in_place = random_int(0, 1);
    const sample from = random_sample();
    float *x = random_floats(n, from), *a = random_floats(n, from), *b = random_floats(n, PLAIN);
    float *got = copy_of(x, n * sizeof *x), *want = copy_of(x, n * sizeof *x);
    describe("%s %s n=%d variant %d%s", k->isa, op, n, variant,
             in_place ? " in place" : "");

    run(k, got, in_place ? got : x, a, b, n, variant);
    run(&ref, want, in_place ? want : x, a, b, n, variant);
    const int ok = same("out", got, want, n);
    free(x), free(a), free(b), free(got), free(want);
    return ok;
}

static void run_rmsnorm(const mc_kernels *k, float *out, const float *x, const float *a,
                        const float *b, int n, int variant)
{
    (void)b;
    k->rmsnorm(out, x, a, n, variant ? 1e-5f : 0.0f);
}

static void run_layernorm(const mc_kernels *k, float *out, const float *x, const float *a,
                          const float *b, int n, int variant)
{
    k->layernorm(out, x, a, variant % 2 ? b : NULL, n, 1e-5f);
}

static void run_activate(const mc_kernels *k, float *out, const float *x, const float *a,
                         const float *b, int n, int variant)
{
    (void)b;
    k->activate(out, x, variant % 2 ? a : NULL, n, (mc_act)(variant / 2));
}

static void run_add_scaled(const mc_kernels *k, float *out, const float *x, const float *a,
                           const float *b, int n, int variant)
{
    (void)x;
    k->add_scaled(out, a, b[0] * (float)variant, n);
}

int rmsnorm(const mc_kernels *k) { return vector(k, "rmsnorm", run_rmsnorm); }
int layernorm(const mc_kernels *k) { return vector(k, "layernorm", run_layernorm); }
int activate(const mc_kernels *k) { return vector(k, "activate", run_activate); }
int add_scaled(const mc_kernels *k) { return vector(k, "add_scaled", run_add_scaled); }

int rope(const mc_kernels *k)
{
    const int half = random_int(1, 64), head_dim = 2 * half + random_int(0, 1) * random_int(1, 32);
    const int heads = random_int(1, 5);
    const size_t n = (size_t)heads * head_dim;
    float *got = random_floats(n, random_sample()), *want = copy_of(got, n * sizeof *got);
    float *cos = random_floats(half, PLAIN), *sin = random_floats(half, PLAIN);
    describe("%s rope heads=%d head_dim=%d half=%d", k->isa, heads, head_dim, half);

    k->rope(got, cos, sin, heads, head_dim, half);
    ref.rope(want, cos, sin, heads, head_dim, half);
    const int ok = same("x", got, want, n);
    free(got), free(want), free(cos), free(sin);
    return ok;
}
