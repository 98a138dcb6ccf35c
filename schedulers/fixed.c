// SPDX-License-Identifier: Apache-2.0
/* Leaves every cap where a person put it. */
#include "schedulers/builtin.h"
#include "schedulers/model.h"

static void propose(struct scheduler_state *state, const struct service_view *view,
                    const struct profile_use *profile, struct proposal *out)
{
    (void)profile;
    (void)state; /* remembers nothing */
    model_hold(view, REASON_PERSON, out);
}

const struct scheduler scheduler_fixed = {
    .name = "fixed",
    .summary = "leaves every cap as it is",
    .propose = propose,
};
