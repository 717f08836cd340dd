/* threads.c - the pool.  A job is announced by counting `round` up; workers spin on it for a
 * while, then sleep on a condition.  A forked child starts with no threads and free locks. */
#define _GNU_SOURCE     /* sched_yield */
#include "threads.h"

#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

enum { SPINS_AWAKE = 5000, SPINS_BARRIER = 1000 };

struct mc_team {
    int size;
    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_uint phase;
    _Alignas(64) atomic_int next;
};

static struct {
    pthread_mutex_t turn;           /* whose job runs */
    pthread_mutex_t lock;           /* of sleeping, and of the worker count */
    pthread_cond_t wake;
    pthread_once_t at_fork;
    pthread_t threads[MC_MAX_THREADS];
    unsigned born[MC_MAX_THREADS];  /* the round that a thread was started in */
    int workers;                    /* started */
    _Alignas(64) atomic_uint round;
    _Alignas(64) atomic_int sleeping, running, closing;
    mc_team team;
    mc_job *job;
    void *arg;
} pool = {
    .turn = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER, .at_fork = PTHREAD_ONCE_INIT,
};

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void wait_for_round(unsigned seen)
{
    for (int i = 0; i < SPINS_AWAKE; i++) {
        if (atomic_load_explicit(&pool.round, memory_order_acquire) != seen)
            return;
        relax();
    }
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.sleeping, 1);
    while (atomic_load(&pool.round) == seen)
        pthread_cond_wait(&pool.wake, &pool.lock);
    atomic_fetch_sub(&pool.sleeping, 1);
    pthread_mutex_unlock(&pool.lock);
}

static void announce(void)
{
    atomic_fetch_add(&pool.round, 1);
    if (atomic_load(&pool.sleeping)) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.lock);
    }
}

static void *work(void *arg)
{
    const int thread = (int)(intptr_t)arg;
    unsigned seen = pool.born[thread];

    fesetenv(FE_DFL_ENV);
    for (;;) {
        wait_for_round(seen);
        seen = atomic_load(&pool.round);
        if (atomic_load(&pool.closing))
            return NULL;
        if (thread < pool.team.size)
            pool.job(pool.arg, &pool.team);
        atomic_fetch_sub_explicit(&pool.running, 1, memory_order_release);
    }
}

/* In a child of fork only the calling thread lives. */
static void forget(void)
{
    pthread_mutex_init(&pool.turn, NULL);
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pool.workers = 0;
    atomic_store(&pool.sleeping, 0);
    atomic_store(&pool.running, 0);
    atomic_store(&pool.closing, 0);
}

static void register_fork(void) { pthread_atfork(NULL, NULL, forget); }

static void grow(int workers)
{
    while (pool.workers < workers) {
        const intptr_t thread = pool.workers + 1;
        pool.born[thread] = atomic_load(&pool.round);
        if (pthread_create(&pool.threads[pool.workers], NULL, work, (void *)thread))
            return;
        pool.workers++;
    }
}

void mc_pool_run(int n_threads, mc_job *job, void *arg)
{
    fenv_t host;

    pthread_once(&pool.at_fork, register_fork);
    n_threads = n_threads < 1 ? 1 : n_threads > MC_MAX_THREADS ? MC_MAX_THREADS : n_threads;
    pthread_mutex_lock(&pool.turn);
    grow(n_threads - 1);
    pool.team.size = n_threads < pool.workers + 1 ? n_threads : pool.workers + 1;
    atomic_store(&pool.team.arrived, 0);
    atomic_store(&pool.team.next, 0);
    pool.job = job;
    pool.arg = arg;
    atomic_store(&pool.running, pool.workers);
    if (pool.team.size > 1)
        announce();
    fegetenv(&host);
    fesetenv(FE_DFL_ENV);
    job(arg, &pool.team);
    fesetenv(&host);
    if (pool.team.size > 1)
        for (int i = 0; atomic_load_explicit(&pool.running, memory_order_acquire); i++)
            i < SPINS_BARRIER ? relax() : (void)sched_yield();
    pthread_mutex_unlock(&pool.turn);
}

void mc_pool_close(void)
{
    pthread_mutex_lock(&pool.turn);
    atomic_store(&pool.closing, 1);
    announce();
    for (int i = 0; i < pool.workers; i++)
        pthread_join(pool.threads[i], NULL);
    pool.workers = 0;
    atomic_store(&pool.closing, 0);
    pthread_mutex_unlock(&pool.turn);
}

int mc_team_size(const mc_team *team) { return team->size; }

int mc_barrier(mc_team *team)
{
    if (team->size == 1) {
        atomic_store_explicit(&team->next, 0, memory_order_relaxed);
        return 1;
    }
    const unsigned phase = atomic_load_explicit(&team->phase, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) + 1 == team->size) {
        atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&team->next, 0, memory_order_relaxed);
        atomic_store_explicit(&team->phase, phase + 1, memory_order_release);
        return 1;
    }
    for (int i = 0; atomic_load_explicit(&team->phase, memory_order_acquire) == phase; i++)
        i < SPINS_BARRIER ? relax() : (void)sched_yield();
    return 0;
}

int mc_next(mc_team *team, int n, int chunk, int *begin, int *end)
{
    const int first = atomic_fetch_add_explicit(&team->next, chunk, memory_order_relaxed);
    if (first >= n)
        return 0;
    *begin = first;
    *end = n - first < chunk ? n : first + chunk;
    return 1;
}
