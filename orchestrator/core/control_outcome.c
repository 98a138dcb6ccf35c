// SPDX-License-Identifier: Apache-2.0
/*
 * What came out of a decision. Caps show two periods later. A VM that starts, moves or goes is
 * waited for first, and then until the window of the measurement holds nothing from before.
 * Then the measured levels are added and the decision is stored again: as applied when all that
 * it changed is seen effective, as failed when what it waited for did not come.
 */
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/control.h"

#define LOOK_MS    1000   /* between two looks for a VM that is waited for */
#define GIVE_UP_MS 600000 /* as long as a step has to pay in */
#define BALLOON_MS 60000  /* a balloon that has not arrived by then is stuck */

/* Settled decisions are few at a time; when there is no place, the oldest is not told of. */
static struct control_outcome *free_place(struct control *control)
{
    for (uint32_t i = 0; i < CONTROL_OUTCOMES_MAX; i++) {
        if (control->outcomes[i].at_ms == 0) {
            return &control->outcomes[i];
        }
    }
    struct control_outcome *oldest = &control->outcomes[0];
    for (uint32_t i = 1; i < CONTROL_OUTCOMES_MAX; i++) {
        if (control->outcomes[i].decision.id < oldest->decision.id) {
            oldest = &control->outcomes[i];
        }
    }
    return oldest;
}

void control_remember_step(struct cluster *cluster, const struct decision *decision,
                           enum control_wait wait, const char *vm, const char *node)
{
    struct control_outcome *outcome = free_place(cluster->control);
    *outcome = (struct control_outcome){
        .wait = wait,
        .give_up_ms = cluster->now_ms + (wait == CONTROL_WAIT_MEMORY ? BALLOON_MS : GIVE_UP_MS),
        .decision = *decision};
    outcome->at_ms = wait == CONTROL_WAIT_NONE
                         ? cluster->now_ms + 2 * (int64_t)control_period_ms(cluster)
                         : cluster->now_ms + LOOK_MS;
    (void)snprintf(outcome->vm, sizeof outcome->vm, "%s", vm);
    (void)snprintf(outcome->node, sizeof outcome->node, "%s", node);
}

static bool is_start(const struct cap_change *change)
{
    return change->from_pct == 0;
}

void control_remember_outcome(struct cluster *cluster, const struct decision *decision)
{
    bool starts = false;
    for (uint32_t i = 0; i < decision->caps_count; i++) {
        starts = starts || is_start(&decision->caps[i]);
    }
    control_remember_step(cluster, decision, starts ? CONTROL_WAIT_STARTS : CONTROL_WAIT_NONE,
                          "", "");
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

/* It serves from this node. */
static bool is_there(const struct cluster *cluster, const char *name, const char *node)
{
    const struct vm_record *vm = table_find(&cluster->vms, name);
    return vm != NULL && strcmp(vm->vm.node, node) == 0 && vm->vm.phase == VM_PHASE_ASSIGNED &&
           reconcile_is_serving(cluster, vm);
}

/* Of the VMs that nothing else has changed since. */
static bool are_online(const struct cluster *cluster, const struct decision *decision)
{
    const struct service_record *service = table_find(&cluster->services, decision->service);
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0;
         service != NULL && (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (vm->decision == decision->id &&
            (!vm->status_known || vm->status.vcpus != vm->vm.vcpus)) {
            return false;
        }
    }
    return true;
}

/* Likewise: they are in the state that they are to be in. */
static bool are_in_state(const struct cluster *cluster, const struct decision *decision)
{
    const struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&cluster->vms, &i)) != NULL;) {
        if (vm->decision == decision->id &&
            (!vm->status_known || vm->status.state != vm->vm.desired)) {
            return false;
        }
    }
    return true;
}

/* What the decision waits for has come. */
static bool has_come(const struct cluster *cluster, const struct control_outcome *outcome)
{
    const struct decision *decision = &outcome->decision;
    switch (outcome->wait) {
    case CONTROL_WAIT_NONE: return true;
    case CONTROL_WAIT_STARTS:
        for (uint32_t i = 0; i < decision->caps_count; i++) {
            if (is_start(&decision->caps[i]) &&
                !is_there(cluster, decision->caps[i].vm, decision->caps[i].node)) {
                return false;
            }
        }
        return true;
    case CONTROL_WAIT_MOVE: return is_there(cluster, outcome->vm, outcome->node);
    case CONTROL_WAIT_MEMORY: {
        const struct vm_record *vm = table_find(&cluster->vms, outcome->vm);
        return vm == NULL || control_memory_is_there(vm);
    }
    case CONTROL_WAIT_STATE: return are_in_state(cluster, decision);
    case CONTROL_WAIT_VCPUS: return are_online(cluster, decision);
    case CONTROL_WAIT_GONE: return table_find(&cluster->vms, outcome->vm) == NULL;
    }
    return true;
}

/* From when on the measurement shows nothing but what is now. */
static int64_t settled_ms(const struct cluster *cluster, const struct decision *decision)
{
    uint32_t window_ms = 0;
    for (uint32_t i = 0; i < decision->levels_count; i++) {
        const struct service_record *service =
            table_find(&cluster->services, decision->levels[i].service);
        const uint32_t its_ms =
            service == NULL ? 0 : service->spec.objective.response_time.window_ms;
        window_ms = its_ms > window_ms ? its_ms : window_ms;
    }
    return cluster->now_ms + window_ms + 2 * (int64_t)control_period_ms(cluster);
}

static void write_outcome(struct cluster *cluster, struct decision *decision,
                          struct effects *out)
{
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
    emit_decision(cluster, decision, out);
}

/* One whose time has come: told, or waited for a little longer. */
static void visit(struct cluster *cluster, struct control_outcome *outcome, struct effects *out)
{
    const bool has = has_come(cluster, outcome);
    if (!has && cluster->now_ms < outcome->give_up_ms) {
        outcome->at_ms = cluster->now_ms + LOOK_MS;
        return;
    }
    if (has && outcome->wait != CONTROL_WAIT_NONE) {
        outcome->wait = CONTROL_WAIT_NONE;
        outcome->at_ms = settled_ms(cluster, &outcome->decision);
        return;
    }
    outcome->at_ms = 0;
    if (!has) {
        outcome->decision.outcome = DECISION_OUTCOME_FAILED;
    } else if (is_applied(cluster, &outcome->decision)) {
        outcome->decision.outcome = DECISION_OUTCOME_APPLIED;
    }
    control_memory_told(cluster, &outcome->decision, has, out);
    write_outcome(cluster, &outcome->decision, out);
}

void control_outcomes(struct cluster *cluster, struct effects *out)
{
    struct control *control = cluster->control;
    for (uint32_t i = 0; i < CONTROL_OUTCOMES_MAX; i++) {
        struct control_outcome *outcome = &control->outcomes[i];
        if (outcome->at_ms != 0 && outcome->at_ms <= cluster->now_ms && effects_room(out, 8)) {
            visit(cluster, outcome, out);
        }
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
