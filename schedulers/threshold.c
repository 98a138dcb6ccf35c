// SPDX-License-Identifier: Apache-2.0
/*
 * The rule of Kubernetes' horizontal autoscaler with its constants, applied to the CPU of a
 * service: wanted = present x use / target. For a web service, use is the share of its CPU that
 * is used, with the default target of 80 %; a queue and a cluster always use all, so for them
 * it is x, with target 1. Nothing happens within the tolerance of 10 %; one step at most
 * doubles; the way down is the highest recommendation of the last 300 s. A baseline.
 */
#include <math.h>
#include <string.h>

#include "schedulers/builtin.h"
#include "schedulers/model.h"

#define TARGET_USE   0.8
#define TOLERANCE    0.1
#define STEP_MOST    2.0
#define STABLE_MS    300000
#define STABLE_SLOTS 60 /* the window in pieces, each with its highest recommendation */
#define SLOT_MS      (STABLE_MS / STABLE_SLOTS)

struct threshold_state {
    bool started;
    int64_t slot; /* the newest, counted in SLOT_MS */
    uint32_t highest_pct[STABLE_SLOTS];
};
_Static_assert(sizeof(struct threshold_state) <= SCHEDULER_STATE_BYTES,
               "state fits its buffer");

/* Adds a recommendation; returns the highest of the window. */
static uint32_t stabilise(struct threshold_state *state, int64_t now_ms, uint32_t want)
{
    const int64_t slot = now_ms / SLOT_MS;
    if (!state->started || slot - state->slot >= STABLE_SLOTS) {
        memset(state->highest_pct, 0, sizeof state->highest_pct);
        state->slot = slot;
    }
    while (state->slot < slot) {
        state->slot++;
        state->highest_pct[state->slot % STABLE_SLOTS] = 0;
    }
    state->started = true;
    state->slot = slot;
    uint32_t *newest = &state->highest_pct[slot % STABLE_SLOTS];
    *newest = want > *newest ? want : *newest;
    uint32_t highest = 0;
    for (uint32_t i = 0; i < STABLE_SLOTS; i++) {
        highest = state->highest_pct[i] > highest ? state->highest_pct[i] : highest;
    }
    return highest;
}

static void propose(struct scheduler_state *memory, const struct service_view *view,
                    const struct profile_use *profile, struct proposal *out)
{
    (void)profile;
    const double use = view->kind == SERVICE_KIND_WEB
                           ? view->cpu_used_pct / (TARGET_USE * view->cap_pct)
                           : view->measured;
    if (view->cap_pct == 0 || view->now_ms < 0 || !isfinite(use)) {
        model_hold(view, REASON_STALE, out);
        return;
    }
    struct threshold_state state;
    memcpy(&state, memory->bytes, sizeof state);
    const double step = fabs(use - 1.0) <= TOLERANCE ? 1.0 : fmin(use, STEP_MOST);
    const uint32_t want = model_clamp_want(view, step * view->cap_pct);
    const uint32_t highest = stabilise(&state, view->now_ms, want);
    memcpy(memory->bytes, &state, sizeof state);
    model_hold(view, REASON_NONE, out);
    if (want > view->cap_pct) {
        out->want_pct = want;
        out->reason = REASON_LEVEL_LOW;
    } else if (highest < view->cap_pct) {
        out->want_pct = highest;
        out->reason = REASON_LEVEL_SPARE;
    }
}

const struct scheduler scheduler_threshold = {
    .name = "threshold",
    .summary = "a baseline: present CPU times use over 80 %, as Kubernetes' HPA does",
    .propose = propose,
};
