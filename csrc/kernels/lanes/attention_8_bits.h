/* attention_8_bits.h - attention's two products with keys and values of 8 bits: exact integers. */
#include <math.h>
#include <string.h>

#include "kernels/lanes/attention_rows.h"
#include "kernels/lanes/exp.h"
#include "kernels/lanes/quantize_block.h"

/* Products of rows and lanes w ... w + 16 * vectors of a page's keys in 8 bits. */
static inline __attribute__((always_inline))
void product_tile(float (*out)[MC_PAGE], const attention_row *rows, int n, const uint8_t *keys,
                  int head_dim, int w, int vectors)
{
    const int quads = mc_key_quads(head_dim), blocks = mc_key_blocks(head_dim);
    const float *scales = (const float *)(keys + (size_t)quads * MC_PAGE * 4);

    for (int b = 0; b < blocks; b++) {
        const int from = b * MC_KEY_BLOCK / 4, left = quads - from;
        const int to = from + (left < MC_KEY_BLOCK / 4 ? left : MC_KEY_BLOCK / 4);
        int_lanes acc[ATTENTION_TILE][4];
#pragma GCC unroll 6
        for (int r = 0; r < n; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                acc[r][v] = int_lanes_begin(rows[r].q8_sum[b]);
        for (int i = from; i < to; i++)
#pragma GCC unroll 6
            for (int r = 0; r < n; r++) {
                int32_t x4;
                memcpy(&x4, rows[r].q8 + 4 * i, sizeof x4);
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++)
                    acc[r][v] = int_lanes_add(acc[r][v],
                                              keys + ((size_t)i * MC_PAGE + w + 16 * v) * 4, x4);
            }
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            const lanes key_scale = lanes_load(scales + b * MC_PAGE + w + 16 * v);
#pragma GCC unroll 6
            for (int r = 0; r < n; r++) {
                float *s = out[r] + w + 16 * v;
                const lanes scale = lanes_mul(lanes_set(rows[r].q8_scale[b]), key_scale);
                lanes_store(s, lanes_fma(lanes_of(acc[r][v]), scale, lanes_load(s)));
            }
        }
    }
}

static inline __attribute__((always_inline))
void product_rows(float (*out)[MC_PAGE], const attention_row *rows, int n, const uint8_t *keys,
                  int head_dim, int width)
{
    const int vectors = attention_vectors(n);
    for (int w = 0; w < width; w += 16 * vectors)
        product_tile(out, rows, n, keys, head_dim, w, vectors);
}

/* Adds to out (n, 64) the products of rows and a page's keys in 8 bits, of its first width. */
static void products(float (*out)[MC_PAGE], const attention_row *rows, int n, const uint8_t *keys,
                     int head_dim, int width)
{
    switch (n) {
    case 1: product_rows(out, rows, 1, keys, head_dim, width); break;
    case 2: product_rows(out, rows, 2, keys, head_dim, width); break;
    case 3: product_rows(out, rows, 3, keys, head_dim, width); break;
    case 4: product_rows(out, rows, 4, keys, head_dim, width); break;
    case 5: product_rows(out, rows, 5, keys, head_dim, width); break;
    case 6: product_rows(out, rows, 6, keys, head_dim, width); break;
    }
}

/* Makes of scores s (64) their shares of exp(m) and returns their sum; and of those of begin ...
 * end - 1, times the scales of the values in 8 bits, weights in 15 bits, which are to be multiplied
 * by step. */
static inline float attention_weigh(int16_t *weights, float *step, const float *s, float m,
                                    const float *scales, int begin, int end)
{
    lanes sum = lanes_set(0.0f), largest = sum, zeros = sum, w[MC_PAGE / 16];

#pragma GCC unroll 4
    for (int i = 0; i < MC_PAGE / 16; i++) {
        const lanes p = lanes_exp_bounded(lanes_sub(lanes_load(s + 16 * i), lanes_set(m)));
        sum = lanes_add(sum, p);
        w[i] = lanes_mul(p, lanes_load(scales + 16 * i));
        if (begin > 0 || end < MC_PAGE)
            w[i] = lanes_select(lanes_between(begin - 16 * i, end - 16 * i), w[i],
                                lanes_set(0.0f));
        largest = lanes_max(w[i], largest);
        zeros = lanes_fma(w[i], lanes_set(0.0f), zeros);    /* NaN once w is inf or NaN */
    }
    const float most = lanes_largest(largest), zero = lanes_sum(zeros);
    const int some = zero == zero && most >= 1e-30f;
    const lanes factor = lanes_set(some ? 32767.0f / most : 0.0f);
    *step = zero != zero ? NAN : some ? most / 32767.0f : 0.0f;
#pragma GCC unroll 4
    for (int i = 0; i < MC_PAGE / 16; i++)
        lanes_store_i16(weights + 16 * i,
                        some ? lanes_rint(lanes_mul(w[i], factor)) : lanes_set(0.0f));
    return lanes_sum(sum);
}

/* Lanes w ... w + 16 * vectors of sums. */
static inline __attribute__((always_inline))
void sum_tile(const attention_row *rows, int16_t (*weights)[MC_PAGE], const float *steps,
              const float *left, int n, const int8_t *values, int padded, int pairs, int w,
              int vectors, int n_last)
{
    int_lanes acc[ATTENTION_TILE][4];

#pragma GCC unroll 6
    for (int r = 0; r < n; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            acc[r][v] = int_lanes_begin(0);
    for (int i = 0; i < pairs; i++)
#pragma GCC unroll 6
        for (int r = 0; r < n; r++) {
            int32_t w2;
            memcpy(&w2, weights[r] + 2 * i, sizeof w2);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                acc[r][v] = int_lanes_add_pairs(
                    acc[r][v], values + ((size_t)i * padded + w + 16 * v) * 2, w2);
        }
#pragma GCC unroll 6
    for (int r = 0; r < n; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            float *out = rows[r].acc + w + 16 * v;
            const int width = v < vectors - 1 ? 16 : n_last;
            const lanes before = lanes_mul(lanes_load_upto(out, width), lanes_set(left[r]));
            lanes_store_upto(out, lanes_fma(lanes_of(acc[r][v]), lanes_set(steps[r]), before),
                             width);
        }
}

static inline __attribute__((always_inline))
void sum_rows(const attention_row *rows, int16_t (*weights)[MC_PAGE], const float *steps,
              const float *left, int n, const int8_t *values, int head_dim, int pairs)
{
    const int vectors = attention_vectors(n);
    const int padded = (head_dim + 15) / 16 * 16;
    int w = 0;

    for (; w + 16 * vectors <= head_dim; w += 16 * vectors)
        sum_tile(rows, weights, steps, left, n, values, padded, pairs, w, vectors, 16);
    for (; w < head_dim; w += 16)
        sum_tile(rows, weights, steps, left, n, values, padded, pairs, w, 1,
                 head_dim - w < 16 ? head_dim - w : 16);
}

/* Adds to what is left of rows a page's values in 8 bits, of its first pairs of positions. */
static void sums(const attention_row *rows, int16_t (*weights)[MC_PAGE], const float *steps,
                 const float *left, int n, const int8_t *values, int head_dim, int pairs)
{
    switch (n) {
    case 1: sum_rows(rows, weights, steps, left, 1, values, head_dim, pairs); break;
    case 2: sum_rows(rows, weights, steps, left, 2, values, head_dim, pairs); break;
    case 3: sum_rows(rows, weights, steps, left, 3, values, head_dim, pairs); break;
    case 4: sum_rows(rows, weights, steps, left, 4, values, head_dim, pairs); break;
    case 5: sum_rows(rows, weights, steps, left, 5, values, head_dim, pairs); break;
    case 6: sum_rows(rows, weights, steps, left, 6, values, head_dim, pairs); break;
    }
}
