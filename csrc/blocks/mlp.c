/* blocks/mlp.c - down(act(gate(x)) * up(x)), or down(act(up(x))). */
#include "step.h"

/* Hidden values that a task takes: whole scale blocks, so that one row feeds many threads. */
enum { TASK_VALUES = 1024 };

static void activate(const mc_run *run, const mc_mlp_block *block, int task)
{
    const mc_model *model = run->model;
    const int parts = (block->hidden + TASK_VALUES - 1) / TASK_VALUES;
    const int i = task / parts, from = task % parts * TASK_VALUES;
    const int to = block->hidden - from < TASK_VALUES ? block->hidden : from + TASK_VALUES;
    float *gate = run->ws->y + i * run->ws->width + from, *up = gate + block->hidden;
    float *out = mc_input_row(run, i, block->hidden) + from;

    if (block->up_bias) {
        mc_add_bias(model, gate, block->up_bias + from, to - from);
        if (block->gated)
            mc_add_bias(model, up, block->up_bias + block->hidden + from, to - from);
    }
    model->kernels.activate(out, gate, block->gated ? up : NULL, to - from, block->act);
    mc_input_done(run, i, &block->down, from, to);
}

void mc_mlp_forward(const mc_run *run, mc_team *team, const mc_mlp_block *block)
{
    const mc_workspace *ws = run->ws;
    const int tasks = run->n_rows * ((block->hidden + TASK_VALUES - 1) / TASK_VALUES);
    int begin, end;

    mc_product(run, team, MC_STAGE_UP, ws->y, ws->width, run->n_rows, &block->up);
    while (mc_next(team, tasks, 1, &begin, &end))
        for (int i = begin; i < end; i++)
            activate(run, block, i);
    mc_stage_end(run, team, MC_STAGE_ACTIVATE);
    mc_product(run, team, MC_STAGE_DOWN, ws->y, ws->width, run->n_rows, &block->down);
}
