/* memory.h - where all memory of csrc/ comes from, so that a test can refuse it. */
#ifndef MC_MEMORY_H
#define MC_MEMORY_H

#include <stddef.h>

/* Returns bytes, 64-byte aligned and not cleared, or NULL when memory is out.  bytes may be 0. */
void *mc_memory_new(size_t bytes);

/* memory may be NULL. */
void mc_memory_free(void *memory);

/* Gives what is free in the process's heap back to the system, where the C library keeps it:
 * the threads that load a model leave it in many places. */
void mc_memory_trim(void);

/* For tests: the n-th mc_memory_new from now on fails, once; 0: none does. */
void mc_memory_fail(int n);

#endif
