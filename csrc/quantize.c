/* quantize.c - gathers 16 rows x 256 k of weights as floats, and packs them.
 *
 * The search for 4 bits works on strips: the four rows that share code books.  In a strip
 * the values of one row and one k % 4 lie together, a lane for each quad, so that every loop
 * runs over lanes and none over a group.  Weights are integers there, in sixteenths of the
 * row's scale: sums of errors are exact, and vectors of any width give the same bits. */
#include "quantize.h"

#include <string.h>

#include "kernels/half.h"
#include "kernels/panels.h"

enum {
    LANES = MC_BLOCK_K / 4,     /* quads in a block */
    ROUNDS = 4,                 /* of choosing books, then fitting scales */
    ONE = 16,                   /* fixed point of the search: the weight scale * 1 */
    FIXED_MAX = 4095,
};

static const uint32_t INFINITE = 0x7f800000;
static const float TINY = 1e-30f;

typedef struct block {
    float w[MC_TILE_ROWS][MC_BLOCK_K];      /* zeros past rows and size */
    int rows, size, padded;                 /* rows and k that exist; k that is written */
} block;

typedef struct strip {
    float w[4][4][LANES];       /* row, k % 4, quad */
    float d[4];                 /* scale of a row */
    int count[4];               /* lanes that exist, by k % 4 */
    int16_t x[4][4][LANES];     /* w / d, in sixteenths */
    int16_t value[4][4][LANES]; /* of the book that was chosen */
    uint8_t book[LANES];
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

/* value = the nearest entry of a book, given ascending, to x. */
static void nearest(int16_t *restrict value, const int16_t *restrict x, const int16_t *book)
{
    int16_t middle[15], step[15];
    for (int c = 0; c < 15; c++) {
        middle[c] = (int16_t)((book[c] + book[c + 1]) * ONE / 2);
        step[c] = (int16_t)(book[c + 1] - book[c]);
    }
    for (int q = 0; q < LANES; q++) {
        int16_t v = book[0];
        for (int c = 0; c < 15; c++)
            v = (int16_t)(v + (x[q] > middle[c] ? step[c] : 0));
        value[q] = v;
    }
}

/* The sum over the strip's four rows of squared errors, for each lane. */
static void errors(float *restrict error, const strip *s, int16_t value[4][4][LANES],
                   const float *importance)
{
    memset(error, 0, LANES * sizeof *error);
    for (int r = 0; r < 4; r++) {
        int32_t sum[LANES] = { 0 };
        for (int j = 0; j < 4; j++)
            for (int q = 0; q < s->count[j]; q++) {
                const int32_t e = s->x[r][j][q] - ONE * value[r][j][q];
                sum[q] += e * e;
            }
        for (int q = 0; q < LANES; q++)
            error[q] += (float)sum[q] * importance[r];
    }
}

/* x = w / d in sixteenths. */
static void to_fixed(strip *s)
{
    for (int r = 0; r < 4; r++) {
        const float divisor = s->d[r] > 0.0f ? s->d[r] / ONE : 1.0f;
        for (int j = 0; j < 4; j++)
            for (int q = 0; q < LANES; q++) {
                float x = s->w[r][j][q] / divisor;
                x = x > FIXED_MAX ? FIXED_MAX : x < -FIXED_MAX ? -FIXED_MAX : x;
                s->x[r][j][q] = (int16_t)nearest_int(x);
            }
    }
}

/* Book c's entries, ascending: odd books are stored descending. */
static void ascending(int16_t *out, int book)
{
    for (int c = 0; c < 16; c++)
        out[c] = mc_q4_book[book][book % 2 ? 15 - c : c];
}

/* Chooses each group's book and values for the strip's scales. */
static void choose(strip *s)
{
    float best[LANES], largest = 0.0f, importance[4];
    for (int r = 0; r < 4; r++)
        largest = s->d[r] > largest ? s->d[r] : largest;
    for (int r = 0; r < 4; r++) {
        const float ratio = largest > 0.0f ? s->d[r] / largest : 0.0f;
        importance[r] = ratio * ratio;
    }
    to_fixed(s);
    for (int book = 0; book < MC_Q4_BOOKS; book++) {
        int16_t entries[16], value[4][4][LANES];
        float error[LANES];
        ascending(entries, book);
        for (int r = 0; r < 4; r++)
            for (int j = 0; j < 4; j++)
                nearest(value[r][j], s->x[r][j], entries);
        errors(error, s, value, importance);
        int16_t better[LANES];
        for (int q = 0; q < LANES; q++) {
            better[q] = book == 0 || error[q] < best[q] ? -1 : 0;
            best[q] = better[q] ? error[q] : best[q];
            s->book[q] = better[q] ? (uint8_t)book : s->book[q];
        }
        for (int r = 0; r < 4; r++)
            for (int j = 0; j < 4; j++)
                for (int q = 0; q < LANES; q++)
                    s->value[r][j][q] = better[q] ? value[r][j][q] : s->value[r][j][q];
    }
}

/* Fits each row's scale to its values by least squares. */
static void fit(strip *s)
{
    for (int r = 0; r < 4; r++) {
        int32_t product = 0, square = 0;
        for (int j = 0; j < 4; j++)
            for (int q = 0; q < s->count[j]; q++) {
                product += s->x[r][j][q] * s->value[r][j][q];
                square += s->value[r][j][q] * s->value[r][j][q];
            }
        if (product > 0)
            s->d[r] = mc_bf16_to_f32(bf16_nearest(s->d[r] * ((float)product / (ONE * (float)square))));
    }
}

static void write_strip(uint8_t *out, const strip *s, int strip_index, int lanes)
{
    uint8_t code_of[MC_Q4_BOOKS][256];
    for (int book = 0; book < MC_Q4_BOOKS; book++)
        for (int c = 0; c < 16; c++)
            code_of[book][mc_q4_book[book][c] + 128] = (uint8_t)c;

    for (int r = 0; r < 4; r++)
        ((uint16_t *)out)[4 * strip_index + r] = bf16_nearest(s->d[r]);
    for (int q = 0; q < lanes; q++) {
        uint8_t *line = out + MC_Q4_HEADER_BYTES + q / 2 * MC_QUAD_BYTES + 16 * strip_index;
        uint8_t *selectors = out + MC_Q4_SELECTORS + q / 2 * 3;
        const int shift = 12 * (q % 2) + 3 * strip_index;
        const uint32_t book = (uint32_t)s->book[q] << shift;
        for (int i = 0; i < 3; i++)
            selectors[i] |= (uint8_t)(book >> 8 * i);
        for (int r = 0; r < 4; r++)
            for (int j = 0; j < 4; j++) {
                const uint8_t code = code_of[s->book[q]][s->value[r][j][q] + 128];
                line[4 * r + j] |= (uint8_t)(code << 4 * (q % 2));
            }
    }
}

static void pack_q4(uint8_t *out, const block *b)
{
    strip s;
    memset(out, 0, MC_Q4_HEADER_BYTES + (size_t)b->padded * MC_TILE_ROWS / 2);
    for (int j = 0; j < 4; j++)
        s.count[j] = (b->size - j + 3) / 4;
    for (int i = 0; i < 4; i++) {
        for (int r = 0; r < 4; r++) {
            const float *w = b->w[4 * i + r], m = amax(w, b->size);
            s.d[r] = m < TINY ? 0.0f : mc_bf16_to_f32(bf16_above(m / 127.0f));
            for (int k = 0; k < MC_BLOCK_K; k++)
                s.w[r][k % 4][k / 4] = w[k];
        }
        for (int round = 0; round < ROUNDS; round++) {
            choose(&s);
            fit(&s);
        }
        write_strip(out, &s, i, b->padded / 4);
    }
}

mc_status mc_pack(void *packed, mc_format format, const mc_source *sources, int n_sources,
                  int n, int k, int panel0, int panel1)
{
    const int k_padded = mc_k_padded(k);
    const uint32_t limit = format == MC_BF16 ? 0x7f7f8000 : INFINITE;
    block b;

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
            case MC_Q4:   pack_q4(out, &b); break;
            }
            out += mc_panel_bytes(format, b.padded);
        }
    }
    return MC_OK;
}

static float q4_weight(const uint8_t *block_start, int r, int k)
{
    const int line = k / 8, odd = k / 4 % 2;
    const uint8_t *s = block_start + MC_Q4_SELECTORS + 3 * line;
    const uint32_t selectors = s[0] | (uint32_t)s[1] << 8 | (uint32_t)s[2] << 16;
    const int book = selectors >> (12 * odd + 3 * (r / 4)) & 7;
    const uint8_t codes = block_start[MC_Q4_HEADER_BYTES + line * MC_QUAD_BYTES + 4 * r + k % 4];
    return mc_q4_book[book][odd ? codes >> 4 : codes & 15];
}

void mc_matrix_row(float *out, const mc_matrix *w, int row)
{
    const int r = row % MC_TILE_ROWS;
    const uint8_t *panel = (const uint8_t *)w->data
                           + row / MC_TILE_ROWS * mc_panel_bytes(w->format, w->k);
    for (int k = 0; k < w->k; k++) {
        const int b = k / MC_BLOCK_K, e = k % MC_BLOCK_K;
        const uint8_t *start = panel + b * mc_panel_bytes(w->format, MC_BLOCK_K);
        const float scale = mc_bf16_to_f32(((const uint16_t *)start)[r]);
        switch (w->format) {
        case MC_F32:
            out[k] = ((const float *)panel)[(size_t)k * MC_TILE_ROWS + r];
            break;
        case MC_BF16:
            out[k] = mc_bf16_to_f32(((const uint16_t *)panel)[(size_t)k * MC_TILE_ROWS + r]);
            break;
        case MC_Q8:
            out[k] = scale * (float)(start[MC_Q8_HEADER_BYTES + e / 4 * MC_QUAD_BYTES + 4 * r + e % 4]
                                     - 128);
            break;
        case MC_Q4:
            out[k] = scale * q4_weight(start, r, e);
            break;
        }
    }
}
