/* attention_floats.h - attention's two products with keys and values of floats or halves.
 *
 * Both are chains over rows of lanes: scores over head_dim, with 64 positions as lanes; outputs
 * over positions, with head_dim as lanes.  So one function, chain, does both, for up to six query
 * rows at once. */
#include "kernels/lanes/attention_rows.h"

static inline lanes attention_load(const void *data, size_t i, mc_kv kv)
{
    return kv == MC_KV_F32 ? lanes_load((const float *)data + i)
                           : lanes_load_half((const uint16_t *)data + i);
}

/* Lanes w ... w + 16 * vectors of chain; the last 16 are n_last. */
static inline __attribute__((always_inline))
void chain_tile(float *const *out, const float *const *a, int rows, int n, const void *b,
                size_t stride, int w, int vectors, int n_last, mc_kv kv)
{
    lanes acc[ATTENTION_TILE][4];

    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < vectors - 1; v++)
            acc[r][v] = lanes_load(out[r] + w + 16 * v);
        acc[r][vectors - 1] = lanes_load_first(out[r] + w + 16 * (vectors - 1), n_last);
    }
    for (int i = 0; i < n; i++) {
        lanes row[4];
        for (int v = 0; v < vectors; v++)
            row[v] = attention_load(b, i * stride + w + 16 * v, kv);
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vectors; v++)
                acc[r][v] = lanes_fma(lanes_set(a[r][i]), row[v], acc[r][v]);
    }
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < vectors - 1; v++)
            lanes_store(out[r] + w + 16 * v, acc[r][v]);
        lanes_store_first(out[r] + w + 16 * (vectors - 1), acc[r][vectors - 1], n_last);
    }
}

static inline __attribute__((always_inline))
void chain_rows(float *const *out, const float *const *a, int rows, int n, const void *b,
                size_t stride, int width, mc_kv kv)
{
    const int vectors = attention_vectors(rows);
    int w = 0;

    for (; w + 16 * vectors <= width; w += 16 * vectors)
        chain_tile(out, a, rows, n, b, stride, w, vectors, 16, kv);
    for (; w < width; w += 16)
        chain_tile(out, a, rows, n, b, stride, w, 1, width - w < 16 ? width - w : 16, kv);
}

/* out[r][w] = fmaf(a[r][i], b[i * stride + w], out[r][w]) for i = 0 ... n - 1, for w < width;
 * b can be read up to the next multiple of 16. */
static inline __attribute__((always_inline))
void chain_of(float *const *out, const float *const *a, int rows, int n, const void *b,
              size_t stride, int width, mc_kv kv)
{
    switch (rows) {
    case 1: chain_rows(out, a, 1, n, b, stride, width, kv); break;
    case 2: chain_rows(out, a, 2, n, b, stride, width, kv); break;
    case 3: chain_rows(out, a, 3, n, b, stride, width, kv); break;
    case 4: chain_rows(out, a, 4, n, b, stride, width, kv); break;
    case 5: chain_rows(out, a, 5, n, b, stride, width, kv); break;
    case 6: chain_rows(out, a, 6, n, b, stride, width, kv); break;
    }
}

static void chain(float *const *out, const float *const *a, int rows, int n, const void *b,
                  size_t stride, int width, mc_kv kv)
{
    if (kv == MC_KV_F32)
        chain_of(out, a, rows, n, b, stride, width, MC_KV_F32);
    else
        chain_of(out, a, rows, n, b, stride, width, MC_KV_F16);
}

/* Adds the values of positions begin ... end - 1 of a page, weighed by p, to n rows. */
static void attention_add(const attention_row *rows, float (*p)[MC_PAGE], int n, int begin,
                          int end, const char *page, const mc_attention_args *args)
{
    const size_t padded = (size_t)(args->head_dim + 15) / 16 * 16;
    const size_t element_bytes = args->kv == MC_KV_F32 ? sizeof(float) : sizeof(uint16_t);
    const char *values = page + args->values_offset + begin * padded * element_bytes;
    float *out[ATTENTION_TILE];
    const float *weight[ATTENTION_TILE];

    for (int r = 0; r < n; r++) {
        out[r] = rows[r].acc;
        weight[r] = p[r] + begin;
    }
    chain(out, weight, n, end - begin, values, padded, args->head_dim, args->kv);
}
