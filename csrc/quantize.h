/* quantize.h - rows of weights, gathered from where they lie, become packed panels. */
#ifndef MC_QUANTIZE_H
#define MC_QUANTIZE_H

#include "kernels.h"
#include "status.h"

typedef enum mc_dtype { MC_DTYPE_F32, MC_DTYPE_F16, MC_DTYPE_BF16 } mc_dtype;

/* Consecutive rows of a matrix, as a checkpoint holds them: element (r, k) is
 * data[r * row_stride + k * k_stride], strides in elements. */
typedef struct mc_source {
    const char *name;       /* for messages */
    const void *data;       /* (rows, k) */
    mc_dtype dtype;
    int rows;
    size_t row_stride, k_stride;
} mc_source;

/* Writes panels panel0 <= p < panel1 of the matrix whose rows are those of the sources, one
 * after the other; packed is the whole matrix, as kernels/panels.h describes it.  The same
 * bits on every machine.  Disjoint ranges may be packed by as many threads as there are.
 *   bf16   ties to even.
 *   q8     a block's scale is the least bf16 >= amax / 127, its values rint(w / scale).
 *   q4     scales, books and codes are searched for the least squared error.
 * Rows past the last and k past the last weigh nothing in a search, and a block whose
 * magnitudes are all under 1e-30 has scale 0.
 * Fails with MC_BAD_MODEL, naming source and row, where a weight is inf or NaN, or past
 * bf16's range for MC_BF16. */
mc_status mc_pack(void *packed, mc_format format, const mc_source *sources, int n_sources,
                  int n, int k, int panel0, int panel1);

/* out[0 ... k] = row of w, dequantised: scale * value, rounded once. */
void mc_matrix_row(float *out, const mc_matrix *w, int row);

#endif
