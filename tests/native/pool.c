/* pool.c - csrc/threads.c: every share is run once, barriers order memory, callers take turns,
 * a forked child can go on.
 *
 *     pool [-n ROUNDS]
 *
 * Run it under ThreadSanitizer. */
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "threads.h"

enum { SHARES = 1000, STAGES = 8, CALLERS = 3 };

typedef struct work {
    int chunk, stages;
    int value[2][SHARES];       /* of the stage, and of the one before it */
} work;

/* Each stage reads what other threads wrote in the one before it: value + 1, from the far end. */
static void add_stages(void *arg, mc_team *team)
{
    work *w = arg;
    int begin, end;

    for (int s = 0; s < w->stages; s++) {
        const int *from = w->value[s % 2];
        int *to = w->value[(s + 1) % 2];
        while (mc_next(team, SHARES, w->chunk, &begin, &end)) {
            for (int i = begin; i < end; i++)
                to[i] = from[SHARES - 1 - i] + 1;
            sched_yield();      /* or the first thread takes all */
        }
        mc_barrier(team);
    }
}

static int run_stages(int n_threads, int chunk)
{
    work *w = calloc(1, sizeof *w);
    w->chunk = chunk;
    w->stages = STAGES;
    mc_pool_run(n_threads, add_stages, w);
    int wrong = 0;
    for (int i = 0; i < SHARES; i++)
        wrong += w->value[STAGES % 2][i] != STAGES;
    if (wrong)
        printf("FAILED: %d threads, chunk %d: %d shares of %d\n", n_threads, chunk, wrong, SHARES);
    free(w);
    return wrong != 0;
}

static int rounds = 20;

static void *call(void *arg)
{
    intptr_t failed = 0;
    for (int i = 0; i < rounds; i++)
        failed += run_stages(1 + (i + (int)(intptr_t)arg) % 5, 1 + i * 37 % 300);
    return (void *)failed;
}

static int run_callers(void)
{
    pthread_t thread[CALLERS];
    intptr_t failed = 0;
    for (intptr_t i = 0; i < CALLERS; i++)
        if (pthread_create(&thread[i], NULL, call, (void *)i))
            return 1;
    for (int i = 0; i < CALLERS; i++) {
        void *result;
        pthread_join(thread[i], &result);
        failed += (intptr_t)result;
    }
    return failed != 0;
}

static void note_rounding(void *arg, mc_team *team)
{
    int *nearest = arg, begin, end;
    while (mc_next(team, 4, 1, &begin, &end))
        nearest[begin] = fegetround() == FE_TONEAREST;
    mc_barrier(team);
}

/* The host rounds upwards; jobs round to nearest, and the host is left as it was. */
static int run_rounding(void)
{
    int nearest[4] = { 0 };
    fesetround(FE_UPWARD);
    mc_pool_run(2, note_rounding, nearest);
    const int kept = fegetround() == FE_UPWARD;
    fesetround(FE_TONEAREST);
    for (int i = 0; i < 4; i++)
        if (!nearest[i] || !kept)
            return printf("FAILED: rounding mode leaks\n");
    return 0;
}

/* A child has none of its parent's threads, and starts its own. */
static int run_fork(void)
{
#if defined(__SANITIZE_THREAD__)        /* follows no fork while there are threads */
    return 0;
#else
    int status;
    const pid_t child = fork();
    if (child == 0)
        _exit(run_stages(3, 7));
    return child < 0 || waitpid(child, &status, 0) != child || status != 0;
#endif
}

int main(int argc, char **argv)
{
    if (argc > 2 && !strcmp(argv[1], "-n"))
        rounds = atoi(argv[2]);
    int failed = run_callers() | run_rounding();
    failed |= run_fork();
    mc_pool_close();
    failed |= run_callers();            /* started anew */
    mc_pool_close();
    printf("pool        %d callers, %d jobs each, twice: %s\n", CALLERS, rounds,
           failed ? "FAILED" : "every share once");
    return failed != 0;
}
