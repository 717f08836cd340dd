/* avx512vnni/matmul_q8.c - quads as they lie in memory are the operands of vpdpbusd. */
#include "kernels/vnni512.h"

mc_matmul_q mc_matmul_q8_avx512vnni;

void mc_matmul_q8_avx512vnni(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                             const mc_matrix *w, int panel0, int panel1)
{
    mc_vnni_matmul(out, out_stride, x, m, w, MC_Q8, panel0, panel1, mc_load_unpacked,
                   NULL);
}
