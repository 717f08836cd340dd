/* memory.c - aligned allocation that tests can make fail. */
#include "memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

enum { ALIGNMENT = 64 };

static atomic_int fails_in;

void *mc_memory_new(size_t bytes)
{
    int n = atomic_load(&fails_in);
    while (n > 0 && !atomic_compare_exchange_weak(&fails_in, &n, n - 1))
        ;
    if (n == 1 || bytes > SIZE_MAX - ALIGNMENT)
        return NULL;
    const size_t whole = (bytes / ALIGNMENT + 1) * ALIGNMENT;
    return aligned_alloc(ALIGNMENT, whole);
}

void mc_memory_free(void *memory) { free(memory); }

void mc_memory_trim(void)
{
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

void mc_memory_fail(int n) { atomic_store(&fails_in, n); }
