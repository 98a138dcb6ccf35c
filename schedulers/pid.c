// SPDX-License-Identifier: Apache-2.0
/*
 * A PID controller of the textbook in velocity form on log x, which is close to linear in log
 * CPU: each period the cap is multiplied by exp(P (e - e1) + I e + D (e - 2 e1 + e2)), where e
 * is log(x / aim). The step is limited, so there is no integral to wind up. A baseline.
 */
#include <math.h>
#include <string.h>

#include "schedulers/builtin.h"
#include "schedulers/model.h"

#define AIM        0.8
#define GAIN_P     0.3
#define GAIN_I     0.3
#define GAIN_D     0.05
#define X_LEAST    0.05
#define STEP_LIMIT 0.6931471805599453 /* ln 2: a step at most doubles or halves */

struct pid_state {
    uint32_t errors_count;
    double errors[2]; /* the newest first */
};
_Static_assert(sizeof(struct pid_state) <= SCHEDULER_STATE_BYTES, "state fits its buffer");

static void propose(struct scheduler_state *memory, const struct service_view *view,
                    const struct profile_use *profile, struct proposal *out)
{
    (void)profile;
    if (view->cap_pct == 0 || !isfinite(view->measured)) {
        model_hold(view, REASON_STALE, out);
        return;
    }
    struct pid_state state;
    memcpy(&state, memory->bytes, sizeof state);
    const double error = log(fmax(view->measured, X_LEAST) / AIM);
    double step = GAIN_I * error;
    if (state.errors_count >= 1) {
        step += GAIN_P * (error - state.errors[0]);
    }
    if (state.errors_count >= 2) {
        step += GAIN_D * (error - 2.0 * state.errors[0] + state.errors[1]);
    }
    step = fmin(fmax(step, -STEP_LIMIT), STEP_LIMIT);
    state.errors[1] = state.errors[0];
    state.errors[0] = error;
    state.errors_count += state.errors_count < 2;
    memcpy(memory->bytes, &state, sizeof state);
    model_hold(view, step > 0.0 ? REASON_LEVEL_LOW : REASON_LEVEL_SPARE, out);
    out->want_pct = model_clamp_want(view, view->cap_pct * exp(step));
}

const struct scheduler scheduler_pid = {
    .name = "pid",
    .summary = "a baseline: a PID controller on the logarithm of the measured parameter",
    .propose = propose,
};
