/* compare.c - what cases share: memory, and the report of a difference. */
#define _POSIX_C_SOURCE 200112L     /* posix_memalign */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "random.h"

uint64_t random_state;

static char shape[200];

void *exact(size_t bytes)
{
    void *p = NULL;
    if (posix_memalign(&p, 64, bytes ? bytes : 1)) {
        printf("FAILED: out of memory\n");
        exit(2);
    }
    return p;
}

void describe(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(shape, sizeof shape, format, args);
    va_end(args);
}

int same(const char *what, const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], sizeof *got) && !(isnan(got[i]) && isnan(want[i]))) {
            printf("FAILED: %s: %s[%zu] is %a, ref says %a\n", shape, what, i, got[i], want[i]);
            return 0;
        }
    return 1;
}

int same_halves(const char *what, const uint16_t *got, const uint16_t *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (got[i] != want[i] && !((got[i] & 0x7fff) > 0x7c00 && (want[i] & 0x7fff) > 0x7c00)) {
            printf("FAILED: %s: %s[%zu] is %04x, ref says %04x\n", shape, what, i, got[i], want[i]);
            return 0;
        }
    return 1;
}

int same_bytes(const char *what, const void *got, const void *want, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (((const uint8_t *)got)[i] != ((const uint8_t *)want)[i]) {
            printf("FAILED: %s: byte %zu of %s is not ref's\n", shape, i, what);
            return 0;
        }
    return 1;
}
