/* packing.c - weights of any type and stride, packed whole and in ranges. */
#include <string.h>

#include "cases.h"
#include "kernels/panels.h"
#include "quantize.h"
#include "random.h"

enum { MOST_SOURCES = 3 };

/* Rows one after the other, or columns: k_stride is 1 or row_stride is. */
static mc_source random_source(int rows, int k)
{
    const mc_dtype dtype = (mc_dtype)random_int(MC_DTYPE_F32, MC_DTYPE_BF16);
    const int transposed = random_int(0, 1), gap = random_int(0, 3);
    mc_source s = {
        .name = "random", .dtype = dtype, .rows = rows,
        .row_stride = transposed ? 1 : (size_t)(k + gap),
        .k_stride = transposed ? (size_t)(rows + gap) : 1,
    };
    const size_t n = (rows - 1) * s.row_stride + (k - 1) * s.k_stride + 1;
    if (dtype == MC_DTYPE_F32) {
        s.data = random_floats(n, PLAIN);
    } else {            /* no exponent of all ones: infinity and NaN are refused */
        uint16_t *data = random_bytes(n * sizeof *data);
        for (size_t i = 0; i < n; i++)
            data[i] &= dtype == MC_DTYPE_F16 ? 0xbfff : 0xbf7f;
        s.data = data;
    }
    return s;
}

int packing(void)
{
    const int k = random_int(1, 600), n_sources = random_int(1, MOST_SOURCES);
    const mc_format format = (mc_format)random_int(MC_F32, MC_Q4);
    mc_source sources[MOST_SOURCES];
    int n = 0;
    for (int i = 0; i < n_sources; i++) {
        sources[i] = random_source(random_int(1, 40), k);
        n += sources[i].rows;
    }
    const int panels = mc_panels(n), middle = random_int(0, panels);
    const size_t bytes = panels * mc_panel_bytes(format, k);
    uint8_t *whole = memset(exact(bytes), 1, bytes), *parts = memset(exact(bytes), 1, bytes);
    float *row = exact((size_t)k * sizeof *row), *again = exact((size_t)k * sizeof *again);
    describe("packing format %d n=%d k=%d, cut at panel %d", format, n, k, middle);

    int ok = !mc_pack(whole, format, sources, n_sources, n, k, 0, panels)
        && !mc_pack(parts, format, sources, n_sources, n, k, middle, panels)
        && !mc_pack(parts, format, sources, n_sources, n, k, 0, middle)
        && same_bytes("packed", parts, whole, bytes);
    const mc_matrix w = { .data = whole, .format = format, .n = n, .k = k };
    mc_matrix_row(row, &w, n - 1);
    const mc_source back = { .name = "row", .data = row, .dtype = MC_DTYPE_F32, .rows = 1,
                             .row_stride = (size_t)k, .k_stride = 1 };
    if (ok && (format == MC_F32 || format == MC_BF16)) {    /* nothing more is lost */
        ok = !mc_pack(parts, format, &back, 1, 1, k, 0, 1);
        const mc_matrix again_w = { .data = parts, .format = format, .n = 1, .k = k };
        mc_matrix_row(again, &again_w, 0);
        ok = ok && same("row", again, row, k);
    }
    for (int i = 0; i < n_sources; i++)
        free((void *)sources[i].data);
    free(whole), free(parts), free(row), free(again);
    return ok;
}
