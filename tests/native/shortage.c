/* shortage.c - memory and threads run out, at every place in turn: an error, and nothing leaks. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "cases.h"
#include "memory.h"
#include "models.h"
#include "random.h"
#include "threads.h"

static int until_refusal;       /* threads from now on; 0: none is refused */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg);

/* The linker sends csrc's calls here (build.mk: --wrap). */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg)
{
    if (until_refusal > 0 && --until_refusal == 0)
        return EAGAIN;
    return __real_pthread_create(thread, attributes, start, arg);
}

static void *new_sampler(const mc_model *model)
{
    const mc_sampler_params params = { .top_p = 1.0, .typical_p = 1.0, .repeat_penalty = 1.5,
                                       .repeat_last_n = 8 };
    return mc_sampler_new(&params, model->vocab_size);
}

static void *new_workspace(const mc_model *model) { return mc_workspace_new(model, 8, 2); }

static void free_sampler(void *sampler) { mc_sampler_free(sampler); }

static void free_workspace(void *workspace) { mc_workspace_free(workspace); }

static void *new_page(const mc_model *model) { return mc_page_new(model); }

/* Fails the first allocation of new, then the second, until none is left that could. */
static int fail_each(const mc_model *model, void *(*new)(const mc_model *), void (*end)(void *))
{
    for (int n = 1;; n++) {
        mc_memory_fail(n);
        void *made = new(model);
        mc_memory_fail(0);
        if (made) {
            end(made);
            return n > 1 || (printf("FAILED: nothing was allocated\n"), 0);
        }
    }
}

static void note_size(void *arg, mc_team *team)
{
    int begin, end;
    while (mc_next(team, 1, 1, &begin, &end))
        *(int *)arg = mc_team_size(team);
    mc_barrier(team);
}

/* The second thread of three is refused: a team of two. */
static int refuse_a_thread(void)
{
    int size = 0;
    mc_pool_close();
    until_refusal = 2;
    mc_pool_run(3, note_size, &size);
    until_refusal = 0;
    mc_pool_close();
    return size == 2 || (printf("FAILED: a team of %d\n", size), 0);
}

int shortage(void)
{
    mc_model *model = random_model();
    mc_model_init(model, NULL);
    const int ok = fail_each(model, new_sampler, free_sampler)
        && fail_each(model, new_workspace, free_workspace)
        && fail_each(model, new_page, mc_page_free) && refuse_a_thread();
    random_model_free(model);
    return ok;
}
