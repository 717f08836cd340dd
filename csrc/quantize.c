/* quantize.c - gathers 16 rows x 256 k of weights as floats, and packs them.
 *
 * The search for 4 bits works on strips: the four rows that share code books.  Weights are
 * small integers there, in halves of their row's scale, so that a table says at once what
 * each of the eight books makes of one, and sums of errors are exact: the same bits
 * however they are vectorised. */
#include "quantize.h"

#include <string.h>

#include "kernels/half.h"
#include "kernels/panels.h"

enum {
    ROUNDS = 4,                 /* of choosing books, then fitting scales */
    ONE = 2,                    /* x of the weight that is its row's scale: the tables' unit */
    X_MAX = 160 * ONE,
    NO_X = 2 * X_MAX + 1,       /* index, in the tables, of k that does not exist */
};

static const float TINY = 1e-30f;
static const uint32_t INFINITE = 0x7f800000;

typedef struct block {
    float w[MC_TILE_ROWS][MC_BLOCK_K];      /* zeros past rows and size */
    int rows, size, padded;                 /* rows and k that exist; k that is written */
} block;

/* What each book makes of x, at index x + X_MAX. */
typedef struct tables {
    float error[NO_X + 1][MC_Q4_BOOKS];     /* squared, of the nearest entry */
    int8_t value[MC_Q4_BOOKS][NO_X + 1];    /* that entry */
    uint8_t code[MC_Q4_BOOKS][NO_X + 1];    /* and its code */
} tables;

typedef struct strip {
    const float (*w)[MC_BLOCK_K];           /* four rows */
    float d[4];                             /* their scales */
    int16_t x[4][MC_BLOCK_K];               /* w / d */
    uint8_t book[MC_BLOCK_K / 4];
} strip;

static uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static uint16_t bf16_nearest(float f)
{
    const uint32_t bits = bits_of(f);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* The least bf16 that is at least f, for f >= 0. */
static uint16_t bf16_above(float f) { return (uint16_t)((bits_of(f) + 0xffff) >> 16); }

/* rintf for |f| < 2^22, which every compiler can vectorise. */
static float nearest_int(float f) { return (f + 12582912.0f) - 12582912.0f; }

static void read_row(float *w, const mc_source *s, size_t row, size_t k0, int size)
{
    const size_t at = row * s->row_stride + k0 * s->k_stride, step = s->k_stride;
    const float *f32 = (const float *)s->data + at;
    const uint16_t *f16 = (const uint16_t *)s->data + at;
    switch (s->dtype) {
    case MC_DTYPE_F32:
        for (int k = 0; k < size; k++)
            w[k] = f32[k * step];
        break;
    case MC_DTYPE_F16:
        for (int k = 0; k < size; k++)
            w[k] = mc_half_to_f32(f16[k * step]);
        break;
    case MC_DTYPE_BF16:
        for (int k = 0; k < size; k++)
            w[k] = mc_bf16_to_f32(f16[k * step]);
        break;
    }
}

/* The largest |w| as bits: they order as the floats do, with inf and NaN on top. */
static uint32_t amax_bits(const float *w, int n)
{
    int32_t amax = 0;
    for (int i = 0; i < n; i++) {
        const int32_t bits = (int32_t)(bits_of(w[i]) & 0x7fffffff);
        amax = bits > amax ? bits : amax;
    }
    return (uint32_t)amax;
}

static float amax(const float *w, int n)
{
    const uint32_t bits = amax_bits(w, n);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Fills b with rows row0 ... and k0 ... of the stacked sources.  limit is the first
 * magnitude that is refused, as bits. */
static mc_status gather(block *b, const mc_source *sources, int n_sources, int row0, int k0,
                        uint32_t limit)
{
    memset(b->w, 0, sizeof b->w);
    for (int r = 0; r < b->rows; r++) {
        const mc_source *s = sources;
        int row = row0 + r;
        while (row >= s->rows && s < sources + n_sources - 1)
            row -= s++->rows;
        read_row(b->w[r], s, (size_t)row, (size_t)k0, b->size);
        if (amax_bits(b->w[r], b->size) >= limit)
            return mc_fail(MC_BAD_MODEL, "%.160s: row %d: a weight is inf, NaN or too large",
                           s->name, row);
    }
    return MC_OK;
}

static void pack_f32(float *out, const block *b)
{
    for (int k = 0; k < b->padded; k++)
        for (int r = 0; r < MC_TILE_ROWS; r++)
            out[k * MC_TILE_ROWS + r] = b->w[r][k];
}

static void pack_bf16(uint16_t *out, const block *b)
{
    for (int k = 0; k < b->padded; k++)
        for (int r = 0; r < MC_TILE_ROWS; r++)
            out[k * MC_TILE_ROWS + r] = bf16_nearest(b->w[r][k]);
}

static void pack_q8(uint8_t *out, const block *b)
{
    uint16_t *scales = (uint16_t *)out;
    uint8_t *quads = out + MC_Q8_HEADER_BYTES;
    memset(out, 0, MC_Q8_HEADER_BYTES);
    for (int r = 0; r < MC_TILE_ROWS; r++) {
        const float m = amax(b->w[r], b->size);
        const float divisor = m < TINY ? 1.0f : mc_bf16_to_f32(bf16_above(m / 127.0f));
        scales[r] = m < TINY ? 0 : bf16_above(m / 127.0f);
        for (int k = 0; k < b->padded; k++)
            quads[k / 4 * MC_QUAD_BYTES + 4 * r + k % 4] =
                (uint8_t)((int)nearest_int(b->w[r][k] / divisor) + 128);
    }
}

/* Fills t by trying every entry; of two as near, the lower. */
static void tabulate(tables *t)
{
    for (int book = 0; book < MC_Q4_BOOKS; book++) {
        for (int i = 0; i < NO_X; i++) {
            const int x = i - X_MAX;
            int nearest = 1 << 20;
            for (int c = 0; c < 16; c++) {
                const int value = mc_q4_book[book][book % 2 ? 15 - c : c];
                const int e = x - ONE * value, e_squared = e * e;
                if (e_squared < nearest) {
                    nearest = e_squared;
                    t->value[book][i] = (int8_t)value;
                    t->code[book][i] = (uint8_t)(book % 2 ? 15 - c : c);
                }
            }
            t->error[i][book] = (float)nearest;
        }
        t->error[NO_X][book] = 0.0f;
        t->value[book][NO_X] = 0;
        t->code[book][NO_X] = t->code[book][X_MAX];
    }
}

/* x = w / d in units of the tables. */
static void scale_weights(strip *s, int size)
{
    for (int r = 0; r < 4; r++) {
        const float divisor = s->d[r] > 0.0f ? s->d[r] / ONE : 1.0f;
        for (int k = 0; k < size; k++) {
            float x = s->w[r][k] / divisor;
            x = x > X_MAX ? X_MAX : x < -X_MAX ? -X_MAX : x;
            s->x[r][k] = (int16_t)nearest_int(x);
        }
    }
}

/* The index of the least of eight errors: their bits order as they do, and the last three
 * are lent to the index. */
static uint32_t least(const float *error)
{
    uint32_t key[MC_Q4_BOOKS];
    memcpy(key, error, sizeof key);
    for (uint32_t b = 0; b < MC_Q4_BOOKS; b++)
        key[b] = (key[b] & ~7u) | b;
    for (int half = MC_Q4_BOOKS / 2; half > 0; half /= 2)
        for (int b = 0; b < half; b++)
            key[b] = key[b + half] < key[b] ? key[b + half] : key[b];
    return key[0] & 7;
}

/* Chooses each group's book for the strip's scales: the least sum of squared errors. */
static void choose(strip *s, const tables *t, int padded)
{
    float largest = 0.0f, importance[4];
    for (int r = 0; r < 4; r++)
        largest = s->d[r] > largest ? s->d[r] : largest;
    for (int r = 0; r < 4; r++) {
        const float ratio = largest > 0.0f ? s->d[r] / largest : 0.0f;
        importance[r] = ratio * ratio;
    }
    for (int k = 0; k < padded; k += 4) {
        const float *e[4][4];
        float error[MC_Q4_BOOKS];
        for (int r = 0; r < 4; r++)
            for (int j = 0; j < 4; j++)
                e[r][j] = t->error[s->x[r][k + j] + X_MAX];
        for (int b = 0; b < MC_Q4_BOOKS; b++) {
            const float e0 = e[0][0][b] + e[0][1][b] + e[0][2][b] + e[0][3][b];
            const float e1 = e[1][0][b] + e[1][1][b] + e[1][2][b] + e[1][3][b];
            const float e2 = e[2][0][b] + e[2][1][b] + e[2][2][b] + e[2][3][b];
            const float e3 = e[3][0][b] + e[3][1][b] + e[3][2][b] + e[3][3][b];
            error[b] = e0 * importance[0] + e1 * importance[1] + e2 * importance[2]
                       + e3 * importance[3];
        }
        s->book[k / 4] = (uint8_t)least(error);
    }
}

/* Four times as far from 1: values follow scales slowly.  The bounds are for rows unlike any
 * that was trained, a few large weights among many small ones. */
static float further(float ratio)
{
    const float far = 1.0f + 4.0f * (ratio - 1.0f);
    return far < 0.9f ? 0.9f : far > 1.2f ? 1.2f : far;
}

/* Fits each row's scale to its values by least squares; beyond that unless it is the last time. */
static void fit(strip *s, const tables *t, int padded, int last)
{
    for (int r = 0; r < 4; r++) {
        int16_t value[MC_BLOCK_K];
        int32_t product = 0, square = 0;
        for (int k = 0; k < padded; k++)
            value[k] = t->value[s->book[k / 4]][s->x[r][k] + X_MAX];
        for (int k = 0; k < padded; k++) {
            product += s->x[r][k] * value[k];
            square += value[k] * value[k];
        }
        if (product > 0) {
            const float ratio = (float)product / (ONE * (float)square);
            s->d[r] = mc_bf16_to_f32(bf16_nearest(s->d[r] * (last ? ratio : further(ratio))));
        }
    }
}

static void write_strip(uint8_t *out, const strip *s, const tables *t, int i, int padded)
{
    for (int r = 0; r < 4; r++)
        ((uint16_t *)out)[4 * i + r] = bf16_nearest(s->d[r]);
    for (int k = 0; k < padded; k += 4) {
        const int line = k / 8, odd = k / 4 % 2, book = s->book[k / 4];
        uint8_t *codes = out + MC_Q4_HEADER_BYTES + line * MC_QUAD_BYTES + 16 * i;
        uint8_t *selectors = out + MC_Q4_SELECTORS + 3 * line;
        const uint32_t shifted = (uint32_t)book << (12 * odd + 3 * i);
        for (int byte = 0; byte < 3; byte++)
            selectors[byte] |= (uint8_t)(shifted >> 8 * byte);
        for (int r = 0; r < 4; r++)
            for (int j = 0; j < 4; j++) {
                const uint8_t code = t->code[book][s->x[r][k + j] + X_MAX];
                codes[4 * r + j] |= (uint8_t)(odd ? code << 4 : code);
            }
    }
}

static void pack_q4(uint8_t *out, const block *b, const tables *t)
{
    strip s;
    memset(out, 0, MC_Q4_HEADER_BYTES + (size_t)b->padded * MC_TILE_ROWS / 2);
    for (int r = 0; r < 4; r++)
        for (int k = 0; k < MC_BLOCK_K; k++)
            s.x[r][k] = NO_X - X_MAX;
    for (int i = 0; i < 4; i++) {
        s.w = b->w + 4 * i;
        for (int r = 0; r < 4; r++) {
            const float m = amax(s.w[r], b->size);
            s.d[r] = m < TINY ? 0.0f : mc_bf16_to_f32(bf16_above(m / 127.0f));
        }
        for (int round = 0; round < ROUNDS; round++) {
            scale_weights(&s, b->size);
            choose(&s, t, b->padded);
            fit(&s, t, b->padded, round == ROUNDS - 1);
        }
        write_strip(out, &s, t, i, b->padded);
    }
}

mc_status mc_pack(void *packed, mc_format format, const mc_source *sources, int n_sources,
                  int n, int k, int panel0, int panel1)
{
    const int k_padded = mc_k_padded(k);
    const uint32_t limit = format == MC_BF16 ? 0x7f7f8000 : INFINITE;
    block b;
    tables t;

    if (format == MC_Q4)
        tabulate(&t);
    for (int p = panel0; p < panel1; p++) {
        uint8_t *out = (uint8_t *)packed + p * mc_panel_bytes(format, k);
        const int row0 = p * MC_TILE_ROWS;
        b.rows = n - row0 < MC_TILE_ROWS ? n - row0 : MC_TILE_ROWS;
        for (int k0 = 0; k0 < k_padded; k0 += MC_BLOCK_K) {
            b.size = k - k0 < MC_BLOCK_K ? k - k0 : MC_BLOCK_K;
            b.padded = k_padded - k0 < MC_BLOCK_K ? k_padded - k0 : MC_BLOCK_K;
            const mc_status status = gather(&b, sources, n_sources, row0, k0, limit);
            if (status != MC_OK)
                return status;
            switch (format) {
            case MC_F32:  pack_f32((float *)out, &b); break;
            case MC_BF16: pack_bf16((uint16_t *)out, &b); break;
            case MC_Q8:   pack_q8(out, &b); break;
            case MC_Q4:   pack_q4(out, &b, &t); break;
            }
            out += mc_panel_bytes(format, b.padded);
        }
    }
    return MC_OK;
}

/* The value of row r and element k of a block of MC_Q4. */
static int q4_value(const uint8_t *block_start, int r, int k)
{
    const int line = k / 8, odd = k / 4 % 2;
    const uint8_t *s = block_start + MC_Q4_SELECTORS + 3 * line;
    const uint32_t selectors = s[0] | (uint32_t)s[1] << 8 | (uint32_t)s[2] << 16;
    const int book = selectors >> (12 * odd + 3 * (r / 4)) & 7;
    const uint8_t codes = block_start[MC_Q4_HEADER_BYTES + line * MC_QUAD_BYTES + 4 * r + k % 4];
    return mc_q4_book[book][odd ? codes >> 4 : codes & 15];
}

/* And of MC_Q8. */
static int q8_value(const uint8_t *block_start, int r, int k)
{
    return block_start[MC_Q8_HEADER_BYTES + k / 4 * MC_QUAD_BYTES + 4 * r + k % 4] - 128;
}

void mc_matrix_row(float *out, const mc_matrix *w, int row)
{
    const int r = row % MC_TILE_ROWS;
    const uint8_t *panel = (const uint8_t *)w->data
                           + row / MC_TILE_ROWS * mc_panel_bytes(w->format, w->k);
    const size_t block_bytes = mc_panel_bytes(w->format, MC_BLOCK_K);

    for (int k = 0; k < w->k; k++) {
        const int e = k % MC_BLOCK_K;
        const uint8_t *start = panel + k / MC_BLOCK_K * block_bytes;
        const size_t i = (size_t)e * MC_TILE_ROWS + r;
        const float scale = mc_bf16_to_f32(((const uint16_t *)start)[r]);
        switch (w->format) {
        case MC_F32:  out[k] = ((const float *)start)[i]; break;
        case MC_BF16: out[k] = mc_bf16_to_f32(((const uint16_t *)start)[i]); break;
        case MC_Q8:   out[k] = scale * (float)q8_value(start, r, e); break;
        case MC_Q4:   out[k] = scale * (float)q4_value(start, r, e); break;
        }
    }
}
