/* matmul_f.h - products of float rows and panels over lanes: tiles of tokens by panels.
 *
 * Each result is one chain over k, so tokens and panels side by side are what hides the
 * latency of its steps.  Up to MATMUL_TOKENS tokens run along a panel's whole k, straight
 * from memory and fetched ahead; more take MATMUL_SLAB of k at a time, widened once to the
 * stack where it is bf16, so that all tokens find it in L1. */
#include "kernels.h"
#include "kernels/panels.h"

enum {
    MATMUL_TOKENS = 6,
    MATMUL_PANELS = 4,
    MATMUL_SLAB = 64,
    MATMUL_CHUNK = 64,          /* tokens whose activations stay in L2 */
    MATMUL_AHEAD_BYTES = 2048,
};

/* Some k of some panels, panel_bytes apart, and the columns of out that they make. */
typedef struct matmul_slab {
    const char *w;
    size_t panel_bytes;
    float *out;
    size_t out_stride;
    int k, k_end;
} matmul_slab;

static inline lanes lanes_load_bf16(const uint16_t *p);     /* of the ISA's lanes.h */

static inline lanes matmul_load(const char *w, int k, const mc_format format)
{
    return format == MC_F32 ? lanes_load((const float *)w + (size_t)k * MC_TILE_ROWS)
                            : lanes_load_bf16((const uint16_t *)w + (size_t)k * MC_TILE_ROWS);
}

static inline __attribute__((always_inline))
void matmul_tile(const matmul_slab *s, const float *x, size_t x_stride, int first,
                 const int tokens, const int panels, const mc_format format, const int ahead_bytes)
{
    const int value_bytes = format == MC_F32 ? 4 : 2;
    float *out = s->out + first * s->out_stride;
    lanes acc[MATMUL_TOKENS][MATMUL_PANELS];

    x += first * x_stride + s->k;
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++)
#pragma GCC unroll 4
        for (int p = 0; p < panels; p++)
            acc[t][p] = s->k ? lanes_load(out + t * s->out_stride + p * MC_TILE_ROWS)
                             : lanes_set(0.0f);
    for (int k = 0; k < s->k_end - s->k; k += 2) {
        if (ahead_bytes)
#pragma GCC unroll 4
            for (int p = 0; p < panels; p++)
                for (int byte = 0; byte < 2 * MC_TILE_ROWS * value_bytes; byte += 64)
                    __builtin_prefetch(s->w + p * s->panel_bytes + ahead_bytes + byte
                                       + (size_t)k * MC_TILE_ROWS * value_bytes);
#pragma GCC unroll 2
        for (int i = k; i < k + 2; i++) {
            lanes row[MATMUL_PANELS];
#pragma GCC unroll 4
            for (int p = 0; p < panels; p++)
                row[p] = matmul_load(s->w + p * s->panel_bytes, i, format);
#pragma GCC unroll 6
            for (int t = 0; t < tokens; t++)
#pragma GCC unroll 4
                for (int p = 0; p < panels; p++)
                    acc[t][p] = lanes_fma(lanes_set(x[t * x_stride + i]), row[p], acc[t][p]);
        }
    }
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++)
#pragma GCC unroll 4
        for (int p = 0; p < panels; p++)
            lanes_store(out + t * s->out_stride + p * MC_TILE_ROWS, acc[t][p]);
}

/* Sums, a row of each panel and one value of x fit the registers. */
static inline int matmul_fits(int tokens, int panels)
{
    return panels == 1 || (tokens + 1) * panels < LANES_REGISTERS;
}

static inline __attribute__((always_inline))
void matmul_panels(const matmul_slab *s, const float *x, size_t x_stride, int first,
                   const int tokens, int panels, const mc_format format, const int ahead_bytes)
{
    if (panels == 1)
        matmul_tile(s, x, x_stride, first, tokens, 1, format, ahead_bytes);
    else if (panels == 2 && matmul_fits(tokens, 2))
        matmul_tile(s, x, x_stride, first, tokens, 2, format, ahead_bytes);
    else if (panels == 4 && matmul_fits(tokens, 4))
        matmul_tile(s, x, x_stride, first, tokens, 4, format, ahead_bytes);
}

/* Any number of tokens, in tiles of about one size. */
static inline __attribute__((always_inline))
void matmul_tiles(const matmul_slab *s, const float *x, size_t x_stride, int first, int tokens,
                  int panels, const mc_format format, const int ahead)
{
    for (int tiles = (tokens + MATMUL_TOKENS - 1) / MATMUL_TOKENS; tiles > 0; tiles--) {
        const int size = tokens / tiles;
        switch (size) {
        case 1: matmul_panels(s, x, x_stride, first, 1, panels, format, ahead); break;
        case 2: matmul_panels(s, x, x_stride, first, 2, panels, format, ahead); break;
        case 3: matmul_panels(s, x, x_stride, first, 3, panels, format, ahead); break;
        case 4: matmul_panels(s, x, x_stride, first, 4, panels, format, ahead); break;
        case 5: matmul_panels(s, x, x_stride, first, 5, panels, format, ahead); break;
        case 6: matmul_panels(s, x, x_stride, first, 6, panels, format, ahead); break;
        }
        first += size;
        tokens -= size;
    }
}

/* How many of the next left panels go side by side: 4, 2 or 1. */
static inline int matmul_width(int tokens, int left)
{
    int panels = MATMUL_PANELS;
    while (panels > left || !matmul_fits(tokens, panels))
        panels /= 2;
    return panels;
}

static inline __attribute__((always_inline))
void matmul_f_lanes(float *out, size_t out_stride, const float *x, size_t x_stride, int m,
                    const mc_matrix *w, int panel0, int panel1, const mc_format format)
{
    const int k = mc_k_padded(w->k);
    const int largest = m < MATMUL_TOKENS ? m : MATMUL_TOKENS;
    const size_t panel_bytes = mc_panel_bytes(format, w->k);
    int first = 0;

    for (int chunks = (m + MATMUL_CHUNK - 1) / MATMUL_CHUNK; chunks > 0; chunks--) {
        const int tokens = (m - first) / chunks;
        for (int p = panel0, panels; p < panel1; p += panels) {
            panels = matmul_width(largest, panel1 - p);
            matmul_slab slab = {
                .w = (const char *)w->data + p * panel_bytes, .panel_bytes = panel_bytes,
                .out = out + (size_t)p * MC_TILE_ROWS, .out_stride = out_stride, .k_end = k,
            };
            if (m <= MATMUL_TOKENS) {
                matmul_tiles(&slab, x, x_stride, 0, m, panels, format, MATMUL_AHEAD_BYTES);
                continue;
            }
            for (const char *from = slab.w; slab.k < k; slab.k += MATMUL_SLAB) {
                _Alignas(64) float widened[MATMUL_PANELS][MATMUL_SLAB * MC_TILE_ROWS];
                slab.k_end = slab.k + MATMUL_SLAB;
                slab.w = from + (size_t)slab.k * (panel_bytes / (size_t)k);
                if (format == MC_BF16) {
                    for (int j = 0; j < panels; j++)
                        for (int i = 0; i < MATMUL_SLAB; i++)
                            lanes_store(widened[j] + i * MC_TILE_ROWS,
                                        matmul_load(slab.w + j * panel_bytes, i, format));
                    slab.w = (const char *)widened;
                    slab.panel_bytes = sizeof widened[0];
                }
                matmul_tiles(&slab, x, x_stride, first, tokens, panels, MC_F32, 0);
            }
        }
        first += tokens;
    }
}
