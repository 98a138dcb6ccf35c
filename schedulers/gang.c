// SPDX-License-Identifier: Apache-2.0
/*
 * Virtual cluster: ranks in step, so the slowest one sets the pace and all get the same cap.
 * Speed is proportional to the CPU of a rank as long as CPU is what it waits for, hence x =
 * demand / r; the demand is the product of what was measured, smoothed.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "schedulers/builtin.h"
#include "schedulers/model.h"

#define AIM       0.9  /* x to aim at: a tenth in hand for noise */
#define GAIN      0.5  /* of a new measurement */
#define DEAD_ZONE 0.03 /* a smaller relative change is not asked for */

struct gang_state {
    bool known;
    double demand_pct;
};
_Static_assert(sizeof(struct gang_state) <= SCHEDULER_STATE_BYTES, "state fits its buffer");

static void propose(struct scheduler_state *state, const struct service_view *view,
                    const struct profile_use *profile, struct proposal *out)
{
    (void)profile;
    struct gang_state gang;
    memcpy(&gang, state->bytes, sizeof gang);
    if (!isfinite(view->measured) || view->measured <= 0.0 || view->cap_pct == 0) {
        model_hold(view, REASON_STALE, out);
        return;
    }
    const double demand = view->measured * view->cap_pct;
    gang.demand_pct = gang.known ? gang.demand_pct + GAIN * (demand - gang.demand_pct) : demand;
    gang.known = true;
    memcpy(state->bytes, &gang, sizeof gang);

    memset(out, 0, sizeof *out);
    (void)snprintf(out->service, sizeof out->service, "%s", view->service);
    out->model = MODEL_KIND_RECIPROCAL;
    out->demand_pct = gang.demand_pct;
    out->want_pct = model_clamp_want(view, gang.demand_pct / AIM);
    const double change = (double)out->want_pct - view->cap_pct;
    if (fabs(change) < DEAD_ZONE * view->cap_pct && view->measured <= 1.0) {
        out->want_pct = view->cap_pct;
    }
    out->reason = (uint32_t)(change >= 0.0 ? REASON_LEVEL_LOW : REASON_LEVEL_SPARE);
}

const struct scheduler scheduler_gang = {
    .name = "gang",
    .summary =
        "virtual cluster: every rank gets the same CPU, as much as the agreed speed needs",
    .propose = propose,
};
