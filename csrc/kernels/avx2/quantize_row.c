/* avx2/quantize_row.c - quantize_row over lanes: two registers of eight. */
#include "kernels/avx2/lanes.h"
#include "kernels/lanes/quantize_row.h"

mc_quantize_row mc_quantize_row_avx2;

void mc_quantize_row_avx2(const mc_q8_rows *out, int i, const float *x, int k)
{
    quantize_row_lanes(out, i, x, k);
}
