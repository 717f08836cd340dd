/* ref/quantize_row.c - the definition of quantize_row. */
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "kernels/panels.h"

mc_quantize_row mc_quantize_row_ref;

/* The largest |x| as bits: they order as the floats do, with inf and NaN on top. */
static uint32_t amax_bits(const float *x, int n)
{
    uint32_t amax = 0;
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffff;
        amax = bits > amax ? bits : amax;
    }
    return amax;
}

void mc_quantize_row_ref(const mc_q8_rows *out, int i, const float *x, int k)
{
    int8_t *q = out->q + i * out->stride;
    memset(q, 0, (size_t)mc_k_padded(k));

    for (int b = 0; b < out->blocks; b++) {
        const int k0 = b * MC_BLOCK_K, size = k - k0 < MC_BLOCK_K ? k - k0 : MC_BLOCK_K;
        const uint32_t bits = amax_bits(x + k0, size);
        float amax, scale = 0.0f;
        int32_t sum = 0;
        memcpy(&amax, &bits, sizeof amax);
        if (bits >= 0x7f800000)
            scale = NAN;
        else if (amax >= 1e-30f) {
            const float inverse = 127.0f / amax;
            scale = amax / 127.0f;
            for (int e = 0; e < size; e++) {
                q[k0 + e] = (int8_t)rintf(x[k0 + e] * inverse);
                sum += q[k0 + e];
            }
        }
        out->scale[(size_t)i * out->blocks + b] = scale;
        out->sum[(size_t)i * out->blocks + b] = sum;
    }
}
