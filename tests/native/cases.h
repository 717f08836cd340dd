/* cases.h - one random case of each operation, against ref, bit for bit. */
#ifndef MC_TEST_CASES_H
#define MC_TEST_CASES_H

#include "kernels.h"

extern mc_kernels ref;

/* Runs one case of k's operation.  Returns whether every bit is ref's; if not, it has said
 * where on stdout. */
typedef int test_case(const mc_kernels *k);

test_case matmul_q4, matmul_q8, matmul_bf16, matmul_f32, quantize_row;
test_case rmsnorm, layernorm, rope, activate, add_scaled;
test_case kv_write, attention;

/* Names the case that runs, for the report of a difference. */
void describe(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether n floats, n halves, or bytes are equal.  NaN is one value: IEEE leaves its sign and
 * payload to the machine. */
int same(const char *what, const float *got, const float *want, size_t n);
int same_halves(const char *what, const uint16_t *got, const uint16_t *want, size_t n);
int same_bytes(const char *what, const void *got, const void *want, size_t bytes);

#endif
