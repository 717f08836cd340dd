/* neon/quantize_row.c - quantize_row over lanes: four registers of four. */
#include "kernels/neon/lanes.h"
#include "kernels/lanes/quantize_row.h"

mc_quantize_row mc_quantize_row_neon;

void mc_quantize_row_neon(const mc_q8_rows *out, int i, const float *x, int k)
{
    quantize_row_lanes(out, i, x, k);
}
