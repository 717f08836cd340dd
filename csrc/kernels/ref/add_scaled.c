/* ref/add_scaled.c - the definition of add_scaled. */
#include <math.h>

#include "kernels.h"

mc_add_scaled mc_add_scaled_ref;

void mc_add_scaled_ref(float *x, const float *y, float scale, int n)
{
    for (int i = 0; i < n; i++)
        x[i] = fmaf(y[i], scale, x[i]);
}
