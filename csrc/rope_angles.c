/* rope_angles.c - sin and cos in plain double arithmetic: the same bits on every machine.
 *
 * The angle is rounded to float first, as models were trained.  It is reduced by multiples
 * of pi / 2, in three parts whose products with the multiple are exact (Cody and Waite), to
 * |r| <= pi / 4, where a Taylor series of 9 terms is good to 1e-17. */
#include <math.h>

#include "step.h"

static void sin_cos(double x, double *s, double *c)
{
    const double pio2_1 = 0x1.921fb54400000p+0, pio2_2 = 0x1.0b4611a600000p-34,
                 pio2_3 = 0x1.3198a2e037073p-69;
    const double n = rint(x * 0.63661977236758134308);
    const double r = ((x - n * pio2_1) - n * pio2_2) - n * pio2_3;
    const double z = r * r;
    double sine = 1.0, cosine = 1.0;

    for (int i = 8; i > 0; i--) {
        sine = 1.0 - sine * z / (2.0 * i * (2.0 * i + 1.0));
        cosine = 1.0 - cosine * z / (2.0 * i * (2.0 * i - 1.0));
    }
    sine *= r;
    switch ((long long)n & 3) {
    case 0: *s = sine, *c = cosine; break;
    case 1: *s = cosine, *c = -sine; break;
    case 2: *s = -sine, *c = -cosine; break;
    default: *s = -cosine, *c = sine; break;
    }
}

void mc_rope_angles(float *cos, float *sin, int position, const float *inv_freq, int pairs,
                    float factor)
{
    for (int i = 0; i < pairs; i++) {
        double s, c;
        sin_cos((float)position * inv_freq[i], &s, &c);
        cos[i] = (float)c * factor;
        sin[i] = (float)s * factor;
    }
}
