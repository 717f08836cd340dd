/* neon/matmul_q8.c - quads by sdot, less the 128 that is stored with them. */
#include "kernels/neon/quads.h"

mc_matmul_q mc_matmul_q8_neon;

static inline mc_neon_line unpack_q8(const uint8_t *lines, const uint8_t *selectors, int line)
{
    mc_neon_line l = mc_neon_unpacked(lines, selectors, line);
    for (int i = 0; i < 8; i++)
        l.w[i / 4][i % 4] = veorq_s8(l.w[i / 4][i % 4], vdupq_n_s8(-128));
    return l;
}

void mc_matmul_q8_neon(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                       const mc_matrix *w, int panel0, int panel1)
{
    mc_neon_matmul(out, out_stride, x, m, w, panel0, panel1, MC_Q8_HEADER_BYTES, 2 * MC_QUAD_BYTES,
                   unpack_q8);
}
