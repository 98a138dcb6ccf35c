// SPDX-License-Identifier: Apache-2.0
/*
 * The search of the paper's section 6. It is launched every 5 minutes. Every launch runs to its
 * end: from the present share go up (target missed) or down (target met), doubling the step,
 * until the service level crosses its target; then halve the range between the last two shares.
 * A probe takes one control period, which is meant to be much shorter than the time between two
 * launches. No model, no noise rejection. Kept as the named baseline that other schedulers have
 * to beat.
 */
#include <math.h>
#include <string.h>

#include "schedulers/builtin.h"
#include "schedulers/model.h"

#define LAUNCH_MS 300000 /* between two launches, as in the paper */
#define NEAR      0.02   /* met by no more than this: near the target, nothing is searched */
#define PRECISION 0.01   /* the binary search ends at this relative width */

enum search_phase {
    PHASE_IDLE = 0,
    PHASE_UP = 1,
    PHASE_DOWN = 2,
    PHASE_BISECT = 3,
};

struct search_state {
    bool launched;
    int64_t launched_ms; /* the newest one */
    enum search_phase phase;
    uint32_t step_pct;
    uint32_t probe_pct;  /* the share that is being tried */
    uint32_t missed_pct; /* highest share known to miss the target */
    uint32_t met_pct;    /* lowest share known to meet it */
};
_Static_assert(sizeof(struct search_state) <= SCHEDULER_STATE_BYTES, "state fits its buffer");

static uint32_t step_up(const struct service_view *view, uint32_t from, uint32_t step)
{
    return view->cap_max_pct - from > step ? from + step : view->cap_max_pct;
}

static uint32_t step_down(const struct service_view *view, uint32_t from, uint32_t step)
{
    return from > view->cap_min_pct + step ? from - step : view->cap_min_pct;
}

static void bisect(struct search_state *search)
{
    const uint32_t width = search->met_pct - search->missed_pct;
    if (width <= 1 || width <= PRECISION * search->met_pct) {
        search->phase = PHASE_IDLE;
        search->probe_pct = search->met_pct;
        return;
    }
    search->phase = PHASE_BISECT;
    search->probe_pct = search->missed_pct + width / 2;
}

/* The way from the present share. */
static void begin(struct search_state *search, const struct service_view *view)
{
    const uint32_t cap = view->cap_pct;
    search->phase = PHASE_IDLE;
    search->probe_pct = cap;
    if (view->measured > 1.0 && cap < view->cap_max_pct) {
        search->phase = PHASE_UP;
        search->missed_pct = cap;
        search->step_pct = cap;
        search->probe_pct = step_up(view, cap, search->step_pct);
    } else if (view->measured < 1.0 - NEAR && cap > view->cap_min_pct) {
        search->phase = PHASE_DOWN;
        search->met_pct = cap;
        search->step_pct = cap / 16 > 0 ? cap / 16 : 1;
        search->probe_pct = step_down(view, cap, search->step_pct);
    }
}

/* What the last probe showed decides the next one. */
static void advance(struct search_state *search, const struct service_view *view)
{
    const bool met = view->measured <= 1.0;
    const uint32_t probe = search->probe_pct;
    if (met) {
        search->met_pct = probe;
    } else {
        search->missed_pct = probe;
    }
    search->step_pct *= 2;
    switch (search->phase) {
    case PHASE_IDLE: break;
    case PHASE_UP:
        if (met) {
            bisect(search);
        } else if (probe >= view->cap_max_pct) {
            search->phase = PHASE_IDLE; /* nothing more to give */
        } else {
            search->probe_pct = step_up(view, probe, search->step_pct);
        }
        break;
    case PHASE_DOWN:
        if (!met) {
            bisect(search);
        } else if (probe <= view->cap_min_pct) {
            search->phase = PHASE_IDLE;
        } else {
            search->probe_pct = step_down(view, probe, search->step_pct);
        }
        break;
    case PHASE_BISECT: bisect(search); break;
    }
}

static bool is_time(const struct search_state *search, const struct service_view *view)
{
    return !search->launched || view->now_ms - search->launched_ms >= LAUNCH_MS;
}

static void propose(struct scheduler_state *state, const struct service_view *view,
                    const struct profile_use *profile, struct proposal *out)
{
    (void)profile;
    if (!isfinite(view->measured) || view->cap_pct == 0) {
        model_hold(view, REASON_STALE, out);
        return;
    }
    struct search_state search;
    memcpy(&search, state->bytes, sizeof search);
    if (search.phase == PHASE_IDLE) {
        search.probe_pct = view->cap_pct;
        if (is_time(&search, view)) {
            search.launched = true;
            search.launched_ms = view->now_ms;
            begin(&search, view);
        }
    } else if (search.probe_pct != view->cap_pct) {
        /* A probe that was not granted says nothing about that share: start over from what
         * there is. */
        begin(&search, view);
    } else {
        advance(&search, view);
    }
    memcpy(state->bytes, &search, sizeof search);
    model_hold(view, REASON_SEARCH_PROBE, out);
    out->want_pct = search.probe_pct;
}

const struct scheduler scheduler_search = {
    .name = "search",
    .summary = "the baseline: every 5 min doubling steps, then a binary search, to its end",
    .propose = propose,
};
