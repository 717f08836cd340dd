/* engine.c - what stands on the kernels: packing, sampling, whole steps, shortages.
 *
 *     engine [-n ROUNDS] [-s SEED]
 *
 * Run it under AddressSanitizer and ThreadSanitizer. */
#include <stdio.h>
#include <stdlib.h>

#include "random.h"
#include "threads.h"

/* Runs one random case.  Returns whether it held; if not, it has said why on stdout. */
typedef int engine_case(void);
engine_case packing, sampling, steps, shortage;

static int run(const char *name, engine_case *one, int rounds, uint64_t seed)
{
    int round = 0;
    for (random_state = seed; round < rounds && one(); round++)
        ;
    printf("%-10s %d cases, %s\n", name, round, round < rounds ? "FAILED" : "all held");
    fflush(stdout);
    return round < rounds;
}

int main(int argc, char **argv)
{
    int rounds = 100;
    uint64_t seed = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (argv[i][1] == 'n')
            rounds = atoi(argv[i + 1]);
        else
            seed = strtoull(argv[i + 1], NULL, 0);
    }
    int failed = run("packing", packing, rounds, seed);
    failed += run("sampling", sampling, rounds, seed);
    failed += run("steps", steps, rounds, seed);
    failed += run("shortage", shortage, rounds, seed);
    mc_pool_close();
    return failed != 0;
}
