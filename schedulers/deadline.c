// SPDX-License-Identifier: Apache-2.0
/*
 * Job queue with a deadline: the work that remains over the time that remains. The speed (tasks
 * per second of CPU time) starts from the file's task_cpu_ms and follows what was measured,
 * weakly, since the noise of one period is larger than what there is to learn. It aims early by
 * a part of the standard deviation of a period's progress, itself measured, so that the last
 * period, which nothing can correct any more, is rarely late by more than can be seen. Near the
 * end x = finish / deadline says nothing useful and the allocation is frozen. A deadline that
 * no CPU can hold is said (REASON_DEADLINE_HOPELESS), and the job gets all it may have.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "schedulers/builtin.h"
#include "schedulers/model.h"

#define SPEED_GAIN_MIN                                                                         \
    0.05 /* of a new period's speed; the first n periods count as their mean */
#define PRIOR_PERIODS  4.0  /* the file's task_cpu_ms counts as much as this many periods */
#define SPREAD_PRIOR   0.02 /* relative deviation of the speed over SPREAD_MS, to begin with */
#define SPREAD_MS      30000.0
#define EARLY_SIGMAS   0.33  /* aim early by so many deviations of a period's progress */
#define EARLY_MAX      0.005 /* of the whole time: never aim earlier than this */
#define PIECE_MS       25000 /* a shorter piece is mostly rounding of whole tasks */
#define FREEZE_PERIODS 0.5   /* less than this many periods left: leave everything */
#define WHOLE_TASKS    0.5   /* the last task ends at an instant, a count is read between two */
#define HOPELESS       0.01 /* of the time left: a job that is late by less may still make it */

struct deadline_state {
    bool known;
    double speed;       /* tasks per second of a whole CPU */
    double variance;    /* of a period's relative speed */
    double periods;     /* that speed and variance come from */
    double piece_cpu_s; /* since something was learnt last */
    double piece_tasks;
    double piece_ms;
    double tasks_done;
    int64_t measured_ms; /* instant of tasks_done */
    int64_t decided_ms;  /* instant of the last proposal, from which cap_pct counts */
    uint32_t cap_pct;    /* granted until decided_ms */
};
_Static_assert(sizeof(struct deadline_state) <= SCHEDULER_STATE_BYTES, "state fits its buffer");

/* Compares the work of the last period with the CPU time that it had. */
static void learn(struct deadline_state *state, const struct service_view *view,
                  int64_t measured_ms)
{
    const double old_ms = (double)(state->decided_ms - state->measured_ms);
    const double new_ms = (double)(measured_ms - state->decided_ms);
    const double tasks = view->tasks_done - state->tasks_done;
    const double cpu_s = (old_ms * state->cap_pct + new_ms * view->cap_pct) / (100.0 * 1000.0);
    if (new_ms < 0.0 || tasks < 0.0) {
        return;
    }
    state->piece_cpu_s += cpu_s;
    state->piece_tasks += tasks;
    state->piece_ms += old_ms + new_ms;
    if (state->piece_ms < PIECE_MS || state->piece_cpu_s <= 0.0) {
        return;
    }
    const double error = state->piece_tasks / state->piece_cpu_s / state->speed - 1.0;
    state->piece_cpu_s = 0.0;
    state->piece_tasks = 0.0;
    state->piece_ms = 0.0;
    state->periods += 1.0;
    double gain = 1.0 / (state->periods + PRIOR_PERIODS);
    gain = gain < SPEED_GAIN_MIN ? SPEED_GAIN_MIN : gain;
    state->speed *= 1.0 + gain * error;
    state->variance += gain * (error * error - state->variance);
}

/* x for a range of allocations, for the optimizer to weigh this job against other services. */
static void fill_table(const struct service_view *view, double cpu_s_left, double left_s,
                       struct proposal *out)
{
    const double whole_s = (double)(view->deadline_ms - view->started_ms) / 1000.0;
    const double passed_s = whole_s - left_s;
    const double low = view->cap_min_pct > 0 ? view->cap_min_pct : 1;
    const double ratio = (double)view->cap_max_pct / low;
    uint32_t previous = 0;
    double scale = 1.0;
    const double factor = sqrt(sqrt(sqrt(sqrt(ratio)))); /* 16 steps from least to most */
    for (uint32_t i = 0; i <= 16; i++) {
        uint32_t cap = (uint32_t)(low * scale + 0.5);
        cap = i == 16 ? view->cap_max_pct : cap;
        scale *= factor;
        if (cap <= previous) {
            continue;
        }
        previous = cap;
        const double finish_s = passed_s + cpu_s_left * 100.0 / cap;
        out->points[out->points_count++] =
            (struct curve_point){.cap_pct = cap, .x = finish_s / whole_s};
    }
}

static double early_s(const struct deadline_state *state, const struct service_view *view)
{
    const double whole_s = (double)(view->deadline_ms - view->started_ms) / 1000.0;
    const double early =
        EARLY_SIGMAS * sqrt(state->variance) * (double)view->period_ms / 1000.0;
    return early < EARLY_MAX * whole_s ? early : EARLY_MAX * whole_s;
}

static void ask(const struct deadline_state *state, const struct service_view *view,
                double tasks_left, struct proposal *out)
{
    const double left_s = (double)(view->deadline_ms - view->now_ms) / 1000.0;
    const double cpu_s_left = tasks_left / state->speed;
    model_hold(view, REASON_NONE, out);
    if (left_s * 1000.0 <= FREEZE_PERIODS * view->period_ms && left_s > 0.0) {
        return;
    }
    double aim_s = left_s - early_s(state, view);
    if (left_s <= 0.0) {
        out->want_pct = view->cap_max_pct; /* late already: each second counts */
        out->reason = REASON_DEADLINE_HOPELESS;
        return;
    }
    aim_s = aim_s > 0.0 ? aim_s : left_s;
    out->model = MODEL_KIND_TABLE;
    fill_table(view, cpu_s_left, left_s, out);
    out->want_pct = model_clamp_want(view, 100.0 * cpu_s_left / aim_s);
    out->reason = (uint32_t)(out->want_pct > view->cap_pct   ? REASON_DEADLINE_LATE
                             : out->want_pct < view->cap_pct ? REASON_DEADLINE_EARLY
                                                             : REASON_NONE);
    const double least_s = 100.0 * cpu_s_left / view->cap_max_pct;
    if (least_s > left_s * (1.0 + HOPELESS)) {
        out->reason = REASON_DEADLINE_HOPELESS;
    }
}

static void propose(struct scheduler_state *memory, const struct service_view *view,
                    const struct profile_use *profile, struct proposal *out)
{
    (void)profile;
    if (!isfinite(view->tasks_done) || view->measurement_age_ms > 3 * view->period_ms ||
        view->cap_pct == 0 || view->queue.tasks == 0 || view->deadline_ms <= view->started_ms) {
        model_hold(view, REASON_STALE, out);
        return;
    }
    struct deadline_state state;
    memcpy(&state, memory->bytes, sizeof state);
    const int64_t measured_ms = view->now_ms - view->measurement_age_ms;
    if (!state.known) {
        const double task_cpu_ms = view->queue.task_cpu_ms > 0 ? view->queue.task_cpu_ms : 1000;
        state = (struct deadline_state){.known = true,
                                        .speed = 1000.0 / task_cpu_ms,
                                        .variance = SPREAD_PRIOR * SPREAD_PRIOR * SPREAD_MS /
                                                    view->period_ms};
    } else {
        learn(&state, view, measured_ms);
    }
    state.tasks_done = view->tasks_done;
    state.measured_ms = measured_ms;
    state.decided_ms = view->now_ms;
    state.cap_pct = view->cap_pct;
    memcpy(memory->bytes, &state, sizeof state);

    const double since_s = view->measurement_age_ms / 1000.0;
    const double done = view->tasks_done + since_s * state.speed * view->cap_pct / 100.0;
    const double tasks_left = (double)view->queue.tasks - done - WHOLE_TASKS;
    if (view->tasks_done >= (double)view->queue.tasks) {
        model_hold(view, REASON_DEADLINE_EARLY, out);
        out->want_pct = view->cap_min_pct;
        return;
    }
    if (tasks_left <= 0.0) {
        model_hold(view, REASON_NONE, out); /* nearly done: the last tasks run as they are */
        return;
    }
    ask(&state, view, tasks_left, out);
}

const struct scheduler scheduler_deadline = {
    .name = "deadline",
    .summary = "job queue: just the CPU that the remaining work needs until its deadline",
    .propose = propose,
};
