/* chance.h - probabilities and random bits, the same on every machine.
 *
 * A weight is an unnormalised probability as an integer, so that a sum of weights has no order.
 * exp and log are in double and without fma, which the baseline CPU would have to call. */
#ifndef MC_CHANCE_H
#define MC_CHANCE_H

#include <stdint.h>
#include <string.h>

/* 2^40, the weight of the likeliest: a sum of 2^23 weights stays below 2^63. */
#define MC_WEIGHT_ONE 1099511627776.0

/* exp(x) in units of 1 / MC_WEIGHT_ONE, rounded to the nearest, for -40 <= x <= 0. */
static inline uint64_t mc_exp_units(double x)
{
    const double round = 6755399441055744.0;    /* 1.5 * 2^52: adding it rounds to integers */
    const double n = (x * 1.4426950408889634 + round) - round;
    const double r = (x - n * 0.693145751953125) - n * 1.4286068203094172e-6;
    double y = 1.0 / 40320.0;
    y = y * r + 1.0 / 5040.0;
    y = y * r + 1.0 / 720.0;
    y = y * r + 1.0 / 120.0;
    y = y * r + 1.0 / 24.0;
    y = y * r + 1.0 / 6.0;
    y = y * r + 0.5;
    y = y * r + 1.0;
    y = y * r + 1.0;
    uint64_t bits;
    const double scale = n + (1023.0 + 40.0) + round;   /* 40: the exponent of MC_WEIGHT_ONE */
    memcpy(&bits, &scale, sizeof bits);
    bits <<= 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    const double units = y * power + round;
    memcpy(&bits, &units, sizeof bits);
    return bits & ((UINT64_C(1) << 51) - 1);
}

/* Below -40 a weight is 0, and so it is at -40. */
static inline double mc_clamp(double x) { return x < -40.0 ? -40.0 : x; }

/* The weight of a logit x <= best. */
static inline uint64_t mc_weight(float x, double best) { return mc_exp_units(mc_clamp(x - best)); }

enum { MC_WEIGHTS = 32 };

/* The weights of as many logits at a temperature: loops that compilers turn into vectors. */
static inline void mc_weigh(uint64_t w[MC_WEIGHTS], const float x[MC_WEIGHTS], double best,
                            double temperature)
{
    double scaled[MC_WEIGHTS];
    for (int i = 0; i < MC_WEIGHTS; i++)
        scaled[i] = mc_clamp((x[i] - best) / temperature);
    for (int i = 0; i < MC_WEIGHTS; i++)
        w[i] = mc_exp_units(scaled[i]);
}

/* log(x), x > 0: 2 atanh((m - 1) / (m + 1)) + e log 2, m within a factor of sqrt 2 of 1. */
static inline double mc_log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int e = (int)(bits >> 52) - 1023;
    bits = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1023) << 52;
    double m, y = 0.0;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        e++;
    }
    const double s = (m - 1.0) / (m + 1.0);
    for (int i = 19; i > 0; i -= 2)
        y = y * (s * s) + 1.0 / i;
    return e * 0.6931471805599453 + 2.0 * s * y;
}

/* 64 bits that look random for each (seed, place): two rounds of a mix that is a bijection. */
static inline uint64_t mc_mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline uint64_t mc_random(uint64_t seed, uint64_t place)
{
    const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);     /* 2^64 over the golden ratio */
    return mc_mix(mc_mix(seed + step) + (place + 1) * step);
}

/* a * b / 2^64 */
static inline uint64_t mc_multiply_high(uint64_t a, uint64_t b)
{
    const uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    const uint64_t mid = a1 * b0 + (a0 * b0 >> 32), low = a0 * b1 + (uint32_t)mid;
    return a1 * b1 + (mid >> 32) + (low >> 32);
}

#endif
