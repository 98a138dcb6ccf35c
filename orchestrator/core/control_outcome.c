// SPDX-License-Identifier: Apache-2.0
/*
 * What came out of a decision. Two periods later the measured levels are added and it is stored
 * again, as applied when all that it changed is seen effective.
 */
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/control.h"

void control_remember_outcome(struct cluster *cluster, const struct decision *decision)
{
    struct control *control = cluster->control;
    const uint32_t at = control->outcome_next;
    control->outcomes[at].decision = *decision;
    control->outcomes[at].at_ms = cluster->now_ms + 2 * (int64_t)control_period_ms(cluster);
    control->outcome_next = (at + 1) % CONTROL_OUTCOMES_MAX;
}

/* Every cap is seen effective, or was changed again since. */
static bool is_applied(const struct cluster *cluster, const struct decision *decision)
{
    for (uint32_t i = 0; i < decision->caps_count; i++) {
        const struct cap_change *change = &decision->caps[i];
        const struct vm_record *vm = table_find(&cluster->vms, change->vm);
        if (vm != NULL && vm->vm.cap_pct == change->to_pct &&
            (!vm->status_known || vm->status.cap_pct != change->to_pct)) {
            return false;
        }
    }
    return true;
}

void control_outcomes(struct cluster *cluster, struct effects *out)
{
    struct control *control = cluster->control;
    for (uint32_t i = 0; i < CONTROL_OUTCOMES_MAX; i++) {
        if (control->outcomes[i].at_ms == 0 || control->outcomes[i].at_ms > cluster->now_ms ||
            !effects_room(out, 8)) {
            continue;
        }
        control->outcomes[i].at_ms = 0;
        struct decision *decision = &control->outcomes[i].decision;
        for (uint32_t k = 0; k < decision->levels_count; k++) {
            struct level_change *level = &decision->levels[k];
            struct service_record *service = table_find(&cluster->services, level->service);
            if (service == NULL) {
                continue;
            }
            level->level_after = service->level;
            if (service->awaiting_outcome == decision->id) {
                service->awaiting_outcome = 0;
            }
        }
        if (is_applied(cluster, decision)) {
            decision->outcome = DECISION_OUTCOME_APPLIED;
        }
        emit_decision(cluster, decision, out);
    }
}

int64_t control_outcomes_deadline_ms(const struct cluster *cluster)
{
    int64_t deadline_ms = INT64_MAX;
    for (uint32_t i = 0; i < CONTROL_OUTCOMES_MAX; i++) {
        const int64_t at_ms = cluster->control->outcomes[i].at_ms;
        deadline_ms = at_ms != 0 && at_ms < deadline_ms ? at_ms : deadline_ms;
    }
    return deadline_ms;
}
