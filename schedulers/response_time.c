// SPDX-License-Identifier: Apache-2.0
/*
 * Web service behind an entry point. Processor sharing: x = A / (r - B), where B is the CPU
 * that the load uses (utilization law) and A what one request needs, times the tail that the
 * file names.
 *
 * B is read from the guests' CPU time: the highest of the newest periods, with a margin for its
 * own noise, which is the larger the fewer requests a window has. A is x (r - B): a lower one
 * is believed at once, a higher one is smoothed. Both are learnt only in quiet: while guests
 * use all that they have, while a backlog drains, and while the window of x mixes the old and
 * the new cap, B is only a lower bound and A is wrong; then the ratio rule jumps up at once.
 * The aim is x = 0.65, a guard against noise. Up at once, down only to the highest want of the
 * last 24 periods. A plainly good x is believed more than the model: it never asks for more.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "schedulers/builtin.h"
#include "schedulers/model.h"

#define AIM            0.65
#define GOOD           0.5  /* x up to this never asks for more */
#define ALERT          0.85 /* x above this is believed at once, below it is smoothed */
#define SATURATED      0.9  /* share of the cap in use from which B is only a lower bound */
#define GAIN           0.25
#define JUMP_MIN       1.25
#define JUMP_MAX       2.0
#define DEAD_ZONE      0.08
#define KEEP_PERIODS   24
#define DEMAND_PERIODS 3    /* B is the highest of these */
#define MARGIN_SIGMAS  2.0  /* standard errors of B that are kept as margin */
#define MARGIN_MAX     0.5  /* of B */
#define SPARE_LEAST    0.02 /* of the cap: what is spare where CPU use is read as all */
#define LOAD_NONE      0.01 /* requests/s */
#define DEMAND_SHARE_A 0.25 /* first guess of A, in parts of B, when nothing was measured */

struct response_state {
    bool started;
    bool a_known;
    double a_pct;
    double demands_pct[DEMAND_PERIODS]; /* ring of the CPU used in quiet periods */
    uint32_t demands_next;
    uint32_t wants[KEEP_PERIODS]; /* ring of the newest wants, before the maximum */
    uint32_t next;
    uint32_t cap_pct; /* at the last call */
    int64_t changed_ms;
    int64_t over_ms; /* when x was last over its target */
};
_Static_assert(sizeof(struct response_state) <= SCHEDULER_STATE_BYTES, "state fits its buffer");

/* Nothing is known of the time before: what was granted then counts as wanted. */
static void start(struct response_state *state, const struct service_view *view)
{
    if (!state->started) {
        state->started = true;
        state->over_ms = INT64_MIN / 2;
        for (uint32_t i = 0; i < KEEP_PERIODS; i++) {
            state->wants[i] = view->cap_pct;
        }
    }
}

static uint32_t highest_want(struct response_state *state, uint32_t want)
{
    state->wants[state->next] = want;
    state->next = (state->next + 1) % KEEP_PERIODS;
    uint32_t highest = 0;
    for (uint32_t i = 0; i < KEEP_PERIODS; i++) {
        highest = state->wants[i] > highest ? state->wants[i] : highest;
    }
    return highest;
}

/* Forgets wants higher than this: they were guesses made without knowledge. */
static void limit_wants(struct response_state *state, uint32_t want)
{
    for (uint32_t i = 0; i < KEEP_PERIODS; i++) {
        state->wants[i] = state->wants[i] > want ? want : state->wants[i];
    }
}

static double demand(const struct response_state *state)
{
    double highest = 0.0;
    for (uint32_t i = 0; i < DEMAND_PERIODS; i++) {
        highest = fmax(highest, state->demands_pct[i]);
    }
    return highest;
}

/* Part of B that its own noise may be: of n requests the relative error is 1 / sqrt(n). */
static double margin(const struct service_view *view)
{
    const double requests = view->load * view->objective.response_time.window_ms / 1000.0;
    if (!(requests > 0.0)) {
        return isnan(requests) ? 0.0 : MARGIN_MAX;
    }
    return fmin(MARGIN_SIGMAS / sqrt(requests), MARGIN_MAX);
}

/* A quiet period: what it shows of A and B is true. Returns the A to go by now. */
static double learn(struct response_state *state, const struct service_view *view)
{
    const double spare = fmax(view->cap_pct - view->cpu_used_pct, SPARE_LEAST * view->cap_pct);
    const double a_measured = view->measured * spare;
    state->demands_pct[state->demands_next] = view->cpu_used_pct;
    state->demands_next = (state->demands_next + 1) % DEMAND_PERIODS;
    if (state->a_known && a_measured > state->a_pct) {
        state->a_pct += GAIN * (a_measured - state->a_pct);
    } else {
        state->a_pct = a_measured;
    }
    state->a_known = true;
    return view->measured > ALERT ? fmax(state->a_pct, a_measured) : state->a_pct;
}

/* x is over its target, or guests that use all that they have are close to it. */
static double want_over(const struct service_view *view, bool saturated)
{
    double want = view->measured / AIM * view->cap_pct;
    if (!saturated) {
        want = view->cpu_used_pct +
               view->measured / AIM * fmax(view->cap_pct - view->cpu_used_pct, 0.0);
    }
    want = fmax(want, JUMP_MIN * view->cap_pct);
    return fmin(want, JUMP_MAX * view->cap_pct);
}

static void propose_idle(struct response_state *state, const struct service_view *view,
                         struct proposal *out)
{
    model_hold(view, REASON_LEVEL_SPARE, out);
    out->model = MODEL_KIND_PS;
    out->b_pct = 0.0;
    out->a_pct = state->a_known ? state->a_pct : 1.0;
    const uint32_t highest = highest_want(state, view->cap_min_pct);
    out->want_pct = highest < view->cap_pct ? highest : view->cap_pct;
}

static void choose_want(struct response_state *state, const struct service_view *view,
                        double wanted, struct proposal *out)
{
    const uint32_t want = model_clamp_want(view, wanted);
    if (want > view->cap_pct && view->measured > 1.0) {
        limit_wants(state, want);
    }
    const uint32_t highest = highest_want(state, want);
    const double change = ((double)want - view->cap_pct) / view->cap_pct;
    out->want_pct = view->cap_pct;
    out->reason = REASON_NONE;
    if (want > view->cap_pct && (change > DEAD_ZONE || view->measured > ALERT)) {
        out->want_pct = want;
        out->reason = REASON_LEVEL_LOW;
    } else if (highest < view->cap_pct && view->cap_pct - highest > DEAD_ZONE * view->cap_pct) {
        out->want_pct = highest < view->cap_min_pct ? view->cap_min_pct : highest;
        out->reason = REASON_LEVEL_SPARE;
    }
}

/* True while the window of the measurement reaches back behind the last change of the cap. */
static bool is_settling(struct response_state *state, const struct service_view *view)
{
    if (state->cap_pct != view->cap_pct) {
        /* The grant came right after the last call, one period ago. */
        state->changed_ms =
            state->cap_pct == 0 ? INT64_MIN / 2 : view->now_ms - view->period_ms;
        state->cap_pct = view->cap_pct;
    }
    /* A window that ends together with the first period after the change has nothing old in it
     * but the requests that were waiting. */
    return view->now_ms - state->changed_ms <= view->objective.response_time.window_ms;
}

/* The model and the want of a service whose x and CPU are known. */
static void propose_measured(struct response_state *state, const struct service_view *view,
                             bool saturated, struct proposal *out)
{
    const bool settling = is_settling(state, view);
    const bool over = view->measured > 1.0 || (saturated && view->measured > ALERT);
    if (over) {
        state->over_ms = view->now_ms;
    }
    const bool draining =
        view->now_ms - state->over_ms <= view->objective.response_time.window_ms;
    double a_pct = state->a_known ? state->a_pct : DEMAND_SHARE_A * view->cpu_used_pct;
    double b_pct = demand(state) > 0.0 ? demand(state) : view->cpu_used_pct;
    double wanted = view->cap_pct;
    if (over) {
        /* A backlog: what is asked for is the best guess of what brings x to its aim. */
        wanted = saturated || !settling ? want_over(view, saturated) : wanted;
        b_pct = fmin(fmax(view->cpu_used_pct, b_pct), view->cap_pct);
        a_pct = AIM * fmax(wanted - b_pct, 0.1 * view->cap_pct);
    } else if (!settling && !draining) {
        a_pct = learn(state, view);
        b_pct = demand(state) * (1.0 + margin(view));
        wanted = b_pct + a_pct / AIM;
    } else {
        b_pct *= 1.0 + margin(view);
    }
    if (view->measured <= ALERT) {
        /* The present cap is enough: seen, so the model must say so too. */
        a_pct = fmin(a_pct, ALERT * view->cap_pct);
        b_pct = fmin(b_pct, view->cap_pct - a_pct / ALERT);
    }
    if (view->measured <= GOOD) {
        wanted = fmin(wanted, view->cap_pct);
    }
    out->model = MODEL_KIND_PS;
    out->a_pct = a_pct;
    out->b_pct = b_pct;
    choose_want(state, view, wanted, out);
}

static void propose(struct scheduler_state *memory, const struct service_view *view,
                    struct proposal *out)
{
    struct response_state state;
    memcpy(&state, memory->bytes, sizeof state);
    start(&state, view);
    struct service_view seen = *view;
    if (isnan(view->cpu_used_pct) && view->measured > 1.0) {
        seen.cpu_used_pct = view->cap_pct; /* users wait: the ratio rule needs only x */
    }
    const bool saturated = view->cap_pct > 0 && seen.cpu_used_pct >= SATURATED * view->cap_pct;
    const bool unanswered = saturated && !isfinite(view->measured) && isfinite(view->load);
    if (unanswered) {
        seen.measured = JUMP_MAX; /* works at its limit and nothing is done: far over */
    }
    const bool stale =
        view->cap_pct == 0 || (!unanswered && view->measurement_age_ms > 3 * view->period_ms);
    if (!stale && !unanswered && isfinite(view->load) && view->load < LOAD_NONE) {
        propose_idle(&state, view, out);
        memcpy(memory->bytes, &state, sizeof state);
        return;
    }
    if (stale || !isfinite(seen.measured) || !isfinite(seen.cpu_used_pct) ||
        seen.measured <= 0.0) {
        model_hold(view, REASON_STALE, out);
        return;
    }
    model_hold(view, REASON_NONE, out);
    propose_measured(&state, &seen, saturated, out);
    memcpy(memory->bytes, &state, sizeof state);
}

const struct scheduler scheduler_response_time = {
    .name = "response_time",
    .summary = "web service: keeps the response time at its target by a queueing model",
    .propose = propose,
};
