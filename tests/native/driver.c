/* driver.c - every kernel of every instruction set against ref, bit for bit, without Python.
 *
 *     driver [-n ROUNDS] [-s SEED] [ISA ...]
 *
 * Buffers have their exact size on the heap: run it under AddressSanitizer.  It prints what it
 * ran and what it skipped, and exits with 1 after a difference, with 2 where an ISA that was
 * asked for does not run here. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "random.h"

mc_kernels ref;

/* A row of operations: its case, and where its kernel stands in mc_kernels. */
#define OPERATION(name) { #name, offsetof(mc_kernels, name), name }
static const struct {
    const char *name;
    size_t kernel;
    test_case *run;
} operations[] = {
    OPERATION(matmul_q4), OPERATION(matmul_q8), OPERATION(matmul_bf16), OPERATION(matmul_f32),
    OPERATION(quantize_row), OPERATION(rmsnorm), OPERATION(layernorm), OPERATION(rope),
    OPERATION(activate), OPERATION(add_scaled), OPERATION(kv_write), OPERATION(attention),
};
enum { N_OPERATIONS = sizeof operations / sizeof operations[0] };

static int same_kernel(const mc_kernels *a, const mc_kernels *b, size_t kernel)
{
    return !memcmp((const char *)a + kernel, (const char *)b + kernel, sizeof(void (*)(void)));
}

/* Runs what k does not inherit from the ISA before it.  Returns the operations that differ. */
static int run_isa(const mc_kernels *k, const mc_kernels *before, int rounds, uint64_t seed)
{
    int failed = 0;
    for (int i = 0; i < N_OPERATIONS; i++) {
        if (same_kernel(k, before, operations[i].kernel)) {
            printf("%-11s %-13s as %s\n", k->isa, operations[i].name, before->isa);
            continue;
        }
        int round = 0;
        for (random_state = seed; round < rounds; round++)
            if (!operations[i].run(k))
                break;
        failed += round < rounds;
        printf("%-11s %-13s %d cases, %s\n", k->isa, operations[i].name, round,
               round < rounds ? "FAILED" : "every bit ref's");
        fflush(stdout);
    }
    return failed;
}

static int asked_for(const char *isa, char **names, int n_names)
{
    for (int i = 0; i < n_names; i++)
        if (!strcmp(isa, names[i]))
            return 1;
    return n_names == 0;
}

int main(int argc, char **argv)
{
    static const char *const known[] = {
#if defined(__x86_64__)
        "avx2", "avxvnni", "avx512vnni", "avx512vbmi", "amx",
#elif defined(__aarch64__)
        "neon",
#endif
        NULL,
    };
    int rounds = 100, first = 1, failed = 0;
    uint64_t seed = 1;
    for (; first + 1 < argc && argv[first][0] == '-'; first += 2) {
        if (argv[first][1] == 'n')
            rounds = atoi(argv[first + 1]);
        else
            seed = strtoull(argv[first + 1], NULL, 0);
    }
    if (mc_kernels_init(&ref, "ref"))
        return 2;
    mc_kernels before = ref;
    for (int i = 0; known[i]; i++) {
        mc_kernels k;
        const int asked = asked_for(known[i], argv + first, argc - first);
        if (mc_kernels_init(&k, known[i])) {
            printf("%-11s SKIPPED: this machine or this build lacks it\n", known[i]);
            if (asked && first < argc)
                return 2;
            continue;
        }
        if (asked)
            failed += run_isa(&k, &before, rounds, seed);
        before = k;
    }
    return failed != 0;
}
