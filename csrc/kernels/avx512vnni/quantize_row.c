/* avx512vnni/quantize_row.c - quantize_row over lanes: one register of sixteen. */
#include "kernels/avx512vnni/lanes.h"
#include "kernels/lanes/quantize_row.h"

mc_quantize_row mc_quantize_row_avx512vnni;

void mc_quantize_row_avx512vnni(const mc_q8_rows *out, int i, const float *x, int k)
{
    quantize_row_lanes(out, i, x, k);
}
