/* kernels.h - the operations the engine is built from, and their contracts.
 *
 * One struct field per operation.  kernels/ref/ is the definition: the other
 * folders under kernels/ hold the same file names and equal it bit for bit.
 *
 * Conventions, for every kernel:
 *   shapes   (m, k) means m rows of k contiguous elements; a stride counts
 *            elements from row to row; names ending in _bytes count bytes.
 *   aliasing outputs never overlap inputs, unless the contract says so.
 *   errors   kernels cannot fail.  Callers check shapes once, when a model is
 *            loaded; kernels assert them in debug builds.
 *   state    no allocation, no threads, no globals: the caller brings memory
 *            and calls disjoint output ranges from as many threads as it has.
 *
 * Conventions, for every float result:
 *   chain    "the chain over i" is acc = fmaf(a[i], b[i], acc) for i = 0, 1, 2 ...
 *            from 0.0f, each step rounded: no other order.
 *   lanes    "the sum over 16 lanes" of n values: lane l takes the values
 *            l, l + 16, l + 32 ... in this order, from 0.0f; then lane l += lane
 *            l + 8, l + 4, l + 2, l + 1.  lane 0 is the sum.
 *   fma      only where the contract writes fmaf; a product and a sum are
 *            otherwise two roundings.  Division and sqrtf are IEEE's.
 *   exp      mc_exp of kernels/exp.h, tanh and sigmoid as written there.
 */
#ifndef MC_KERNELS_H
#define MC_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum {
    MC_TILE_ROWS = 16,      /* rows of a weight matrix that lie together: a panel */
    MC_TILE_K = 64,         /* k is padded with zeros to a multiple of this */
    MC_BLOCK_K = 256,       /* values of k that share one scale; the last block may be shorter */
    MC_PAGE = 64,           /* positions in a page of the cache */
};

typedef enum mc_format { MC_F32, MC_BF16, MC_Q8, MC_Q4 } mc_format;

/* A packed weight matrix (n, k); kernels/panels.h describes data. */
typedef struct mc_matrix {
    const void *data;       /* 64-byte aligned; ceil(n / 16) panels */
    mc_format format;
    int n, k;
} mc_matrix;

/* Rows of activations in 8 bits: value e of row i is
 * q[i * stride + e] * scale[i * blocks + e / 256]. */
typedef struct mc_q8_rows {
    int8_t *q;              /* (m, k_padded) in [-127, 127], rows stride apart, 64-byte aligned */
    float *scale;           /* (m, blocks) */
    int32_t *sum;           /* (m, blocks): of q over the block */
    size_t stride;          /* of q, a multiple of 64 */
    int blocks;             /* ceil(k / 256) */
} mc_q8_rows;

/* out[i][p * 16 ...] = x[i] @ w.T for panels panel0 <= p < panel1 and rows i < m.
 * Every block's product is an exact integer s; blocks in order from b = 0 with
 *     acc = fmaf((float)s, w_scale * x_scale, acc)        from acc = 0.0f
 * where w_scale * x_scale is rounded once. */
typedef void mc_matmul_q(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                         const mc_matrix *w, int panel0, int panel1);

/* The same for MC_BF16 and MC_F32: the chain over k_padded of x[i] and each row of w. */
typedef void mc_matmul_f(float *out, size_t out_stride, const float *x, size_t x_stride, int m,
                         const mc_matrix *w, int panel0, int panel1);

/* Writes row i of out, in 8 bits: x is (k); q is padded with zeros.  A block's scale is
 * amax / 127.0f, its values rint(x * (127.0f / amax)), ties to even; amax is the largest
 * |x|.  amax under 1e-30f gives scale 0 and zeros; inf or NaN among x gives scale NaN
 * and zeros. */
typedef void mc_quantize_row(const mc_q8_rows *out, int i, const float *x, int k);

/* out[i] = x[i] * r * weight[i], r = 1.0f / sqrtf(s / n + eps), s the sum over 16 lanes of
 * fmaf(x, x, lane).  out may be x. */
typedef void mc_rmsnorm(float *out, const float *x, const float *weight, int n, float eps);

/* out[i] = fmaf(d * r, weight[i], bias[i]), d = x[i] - s / n, s the sum over 16 lanes of x,
 * r as in rmsnorm, of d.  bias may be NULL: then d * r * weight[i].  out may be x. */
typedef void mc_layernorm(float *out, const float *x, const float *weight, const float *bias,
                          int n, float eps);

/* Rotates heads rows of x, head_dim apart, in place: for i < half, a = x[i], b = x[i + half],
 *     x[i] = fmaf(-b, sin[i], a * cos[i]);  x[i + half] = fmaf(a, sin[i], b * cos[i]). */
typedef void mc_rope(float *x, const float *cos, const float *sin, int heads, int head_dim,
                     int half);

typedef enum mc_act { MC_SILU, MC_GELU_TANH, MC_RELU } mc_act;

/* out[i] = act(gate[i]) * up[i], or act(gate[i]) where up is NULL.  out may be gate. */
typedef void mc_activate(float *out, const float *gate, const float *up, int n, mc_act act);

/* x[i] = fmaf(y[i], scale, x[i]) */
typedef void mc_add_scaled(float *x, const float *y, float scale, int n);

typedef enum mc_kv { MC_KV_F32, MC_KV_F16, MC_KV_Q8 } mc_kv;

/* One head of one page of the cache, as float or IEEE half: keys are (head_dim, 64), the position
 * runs fastest; values are (64, head_dim_padded), head_dim padded to a multiple of 16 with zeros.
 * Both are 64-byte aligned.
 *
 * In 8 bits, made as quantize_row makes them: keys are (quads of head_dim, 64, 4), plus 128, zeros
 * beyond head_dim; then come the scales (blocks, 64) of blocks of 32 of head_dim.  Values are
 * (32, head_dim_padded, 2), pairs of positions; then come the scales (64) of positions. */
enum { MC_KEY_BLOCK = 32 };

static inline int mc_key_quads(int head_dim) { return (head_dim + 3) / 4; }
static inline int mc_key_blocks(int head_dim)
{
    return (head_dim + MC_KEY_BLOCK - 1) / MC_KEY_BLOCK;
}

/* Bytes of the keys and of the values of one head of one page. */
static inline size_t mc_key_bytes(mc_kv kv, int head_dim)
{
    const int quads = mc_key_quads(head_dim) + mc_key_blocks(head_dim);
    return (size_t)MC_PAGE * (kv == MC_KV_F32 ? 4 * head_dim : kv == MC_KV_F16 ? 2 * head_dim
                              : 4 * quads);
}

static inline size_t mc_value_bytes(mc_kv kv, int head_dim)
{
    const size_t n = (size_t)MC_PAGE * ((head_dim + 15) / 16 * 16);
    return kv == MC_KV_F32 ? 4 * n : kv == MC_KV_F16 ? 2 * n : n + 4 * MC_PAGE;
}

/* Writes position slot of a page: k and v are (head_dim).  Half: ties to even, clamped to
 * +-65504; NaN stays NaN. */
typedef void mc_kv_write(void *keys, void *values, int slot, const float *k, const float *v,
                         int head_dim, mc_kv kv);

enum {
    MC_SEGMENT = 4 * MC_PAGE,       /* positions whose sums begin anew */
    MC_MAX_HEAD_DIM = 4096,         /* families/config.py lets no larger one pass */
};

/* Floats of what a row finds in one segment: m, l, and from the 16th on acc (head_dim). */
static inline size_t mc_part_floats(int head_dim)
{
    return 16 + (size_t)(head_dim + 15) / 16 * 16;
}

/* Attention of one key head of one sequence: tokens x group query rows that share keys. */
typedef struct mc_attention_args {
    float *out;             /* row (t, g) at out + t * out_stride + g * head_dim */
    const float *q;         /* row (t, g) at q + t * q_stride + g * head_dim */
    size_t out_stride, q_stride;
    int tokens, group, head_dim;
    int position;           /* of token 0; token t sees the keys up to position + t */
    int window;             /* and at most this many of them, its own included; 0: all */
    float scale, softcap;   /* softcap 0: none */
    mc_kv kv;
    const char *const *pages;       /* page of positions [64 b, 64 b + 64) at pages[b] */
    size_t keys_offset, values_offset;      /* of this layer and head, in bytes from the page */
    float *parts;           /* (tokens * group, segments, mc_part_floats), or NULL: none */
    int segments, segment;  /* with parts: this call makes one segment's; or, with segment equal
                             * to segments, out of them all */
} mc_attention_args;

/* Per row, at position p with first visible key j0, segments j0 / 256 ... p / 256 in order, in
 * each its pages b in order:
 *     s[j] = (chain over head_dim of q and k[j]) * scale, or with keys in 8 bits and q in 8 bits
 *            like them, the chain over blocks of their product, exact, and of q's scale times
 *            the key's, rounded once, * scale;  softcap * mc_tanh(s / softcap);
 *            -inf outside [j0, p]
 *     n = max(m, max s);  c = mc_exp(m - n);  p[j] = mc_exp(s[j] - n);  m = n
 *     l = fmaf(l, c, sum over 16 lanes of the 64 p)
 *     acc[d] = acc[d] * c, then acc[d] = fmaf(p[j], v[j][d], acc[d]) for the visible j in order
 * or with values in 8 bits: w[j] = p[j] * (the scale of j), 0 where j is not visible, in 15 bits,
 *     e = max w / 32767.0f, i[j] = rint(w[j] * (32767.0f / max w)), ties to even, none of them if
 *     max w is under 1e-30f, e = NaN if a w is inf or NaN,
 *     acc[d] = fmaf(sum of i[j] * v[j][d], exact, e, acc[d] * c)
 * from m = -inf, l = 0, acc = 0; in the first page c is 0 (mc_exp(-inf)).  The first segment is
 * the sum M, L, out so far; each other is added to it:
 *     n = max(M, m);  a = mc_exp(M - n);  c = mc_exp(m - n);  M = n
 *     L = fmaf(l, c, L * a);  out[d] = fmaf(acc[d], c, out[d] * a)
 * At last out[d] = out[d] * (1.0f / L).  So segments can be made apart from each other, by
 * threads that have nothing else to do.  What lies at positions that no row sees does not
 * matter. */
typedef void mc_attention(const mc_attention_args *args);

typedef struct mc_kernels {
    const char *isa;            /* "ref", "avx2", ... */
    mc_matmul_q *matmul_q4, *matmul_q8;
    mc_matmul_f *matmul_bf16, *matmul_f32;
    mc_quantize_row *quantize_row;
    mc_rmsnorm *rmsnorm;
    mc_layernorm *layernorm;
    mc_rope *rope;
    mc_activate *activate;
    mc_add_scaled *add_scaled;
    mc_kv_write *kv_write;
    mc_attention *attention;
} mc_kernels;

/* Fills k for the fastest ISA this CPU runs, or for the one named by isa.
 * Returns 0, or -1 when the CPU or the build lacks it. */
int mc_kernels_init(mc_kernels *k, const char *isa);

/* Name of the i-th ISA that this CPU runs, slowest first; NULL past the end. */
const char *mc_kernels_isa(int i);

#endif
