/* threads.h - one pool of threads a process; a job runs on all of them at once.
 *
 * Threads spin briefly between jobs and at barriers, then sleep or yield. */
#ifndef MC_THREADS_H
#define MC_THREADS_H

#include "status.h"

enum { MC_MAX_THREADS = 256 };

typedef struct mc_team mc_team;     /* the threads of the running job */
typedef void mc_job(void *arg, mc_team *team);

/* Runs job(arg, team) on n_threads at once, the caller's included, and returns when all have
 * returned; a second caller waits.  Threads are started as needed; fewer may run where the
 * system refuses one.  Each runs in the default floating-point environment, whatever the
 * host has set. */
void mc_pool_run(int n_threads, mc_job *job, void *arg);

/* Threads of the job: at least 1, at most what was asked for. */
int mc_team_size(const mc_team *team);

/* Waits for all threads of the team; what they wrote before is seen after.  Returns 1 to the one
 * that came last. */
int mc_barrier(mc_team *team);

/* Shares out 0 ... n - 1 between two barriers: sets [*begin, *end) to the next chunk and
 * returns 1, or 0 when none is left. */
int mc_next(mc_team *team, int n, int chunk, int *begin, int *end);

/* Ends the threads; the next job starts them again. */
void mc_pool_close(void);

#endif
