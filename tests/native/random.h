/* random.h - seeded random inputs in buffers of exact size, for the native tests. */
#ifndef MC_TEST_RANDOM_H
#define MC_TEST_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern uint64_t random_state;

/* SplitMix64: any seed is as good as another. */
static inline uint64_t random_bits(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* In [low, high], both included. */
static inline int random_int(int low, int high)
{
    return low + (int)(random_bits() % (uint64_t)(high - low + 1));
}

static inline float random_unit(void) { return (float)(random_bits() >> 40) * 0x1p-24f; }

/* Memory exactly bytes long and 64-byte aligned: AddressSanitizer sees every overread. */
void *exact(size_t bytes);

static inline void *copy_of(const void *data, size_t bytes)
{
    return memcpy(exact(bytes), data, bytes);
}

static inline void *random_bytes(size_t bytes)
{
    uint8_t *p = exact(bytes);
    for (size_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)random_bits();
    return p;
}

/* What a sample of floats is drawn from: FINITE adds zeros, subnormals and huge values to
 * PLAIN's [-4, 4]; WILD adds infinities and NaN. */
typedef enum sample { PLAIN, FINITE, WILD } sample;

static inline float random_float(sample from)
{
    static const float finite[] = { 0.0f, -0.0f, 1e-40f, -1e-45f, 1e-30f, 1e18f, -3e18f, 65520.0f,
                                    6e-8f, -88.0f, 88.1f, -87.0f, 127.5f };
    static const uint32_t wild[] = { 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000 };
    const int dice = random_int(0, 63);
    if (from == WILD && dice == 63) {
        float f;
        memcpy(&f, &wild[random_int(0, 3)], sizeof f);
        return f;
    }
    if (from != PLAIN && dice > 55)
        return finite[random_int(0, (int)(sizeof finite / sizeof finite[0]) - 1)];
    return random_unit() * 8.0f - 4.0f;
}

static inline float *random_floats(size_t n, sample from)
{
    float *p = exact(n * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = random_float(from);
    return p;
}

/* Mostly plain numbers; the other samples often enough to be met in every run. */
static inline sample random_sample(void)
{
    const int dice = random_int(0, 7);
    return dice == 7 ? WILD : dice > 4 ? FINITE : PLAIN;
}

#endif
