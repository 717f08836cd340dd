/* neon/matmul_q4.c - quads by sdot, each group looked up in its own book by tbl. */
#include "kernels/neon/quads.h"

mc_matmul_q mc_matmul_q4_neon;

static inline mc_neon_line unpack_q4(const uint8_t *lines, const uint8_t *selectors, int line)
{
    mc_neon_line l;
    uint32_t s;     /* the 24 bits of this line, and 8 more of the block */
    memcpy(&s, selectors + 3 * line, sizeof s);
    for (int g = 0; g < 4; g++) {
        const uint8x16_t codes = vld1q_u8(lines + line * MC_QUAD_BYTES + 16 * g);
        const int8x16_t even = vld1q_s8(mc_q4_book[s >> (3 * g) & 7]);
        const int8x16_t odd = vld1q_s8(mc_q4_book[s >> (3 * g + 12) & 7]);
        l.w[0][g] = vqtbl1q_s8(even, vandq_u8(codes, vdupq_n_u8(15)));
        l.w[1][g] = vqtbl1q_s8(odd, vshrq_n_u8(codes, 4));
    }
    return l;
}

void mc_matmul_q4_neon(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                       const mc_matrix *w, int panel0, int panel1)
{
    mc_neon_matmul(out, out_stride, x, m, w, panel0, panel1, MC_Q4_HEADER_BYTES, MC_QUAD_BYTES,
                   unpack_q4);
}
