// SPDX-License-Identifier: Apache-2.0
/*
 * The last step. Triage can take from a service all but its least CPU. Where that still leaves
 * another one under its floor, a service that weighs no more, and whose file allows it, lets go
 * of the rest: its VMs are paused or suspended, all of them. What they need to come back, their
 * least CPU and their memory, stays reserved for placement.
 *
 * It is taken back when its nodes have had that least CPU to spare beside all floors, with a
 * margin, for five minutes on end, and is then left alone for ten: so it never goes in and out
 * with the load. A person's order, and a file that no longer allows it, end it at once.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/control.h"
#include "orchestrator/core/plan_scratch.h"
#include "orchestrator/core/recovery.h"

#define PAUSES_A_SERVICE  4      /* candidates for each that is short */
#define PAUSED_MS         300000 /* at least, and room for so long before it ends */
#define AGAIN_MS          600000 /* not before, after it was taken back */
#define MARGIN_PCT        5      /* of a node: more than its least CPU is to be there */
#define TAKE_BACK_MS      1000   /* between two looks */
#define TAKE_BACK_EFFECTS 16

bool control_is_paused(const struct vm_record *vm)
{
    return vm->vm.paused_by_manager && vm->vm.phase == VM_PHASE_ASSIGNED &&
           (vm->vm.desired == RUN_STATE_PAUSED || vm->vm.desired == RUN_STATE_SUSPENDED);
}

/* RUNNING: its file does not allow anything else. */
static enum run_state allowed_state(const struct service_record *service)
{
    switch (service->spec.when_sacrificed) {
    case WHEN_SACRIFICED_PAUSE: return RUN_STATE_PAUSED;
    case WHEN_SACRIFICED_SUSPEND: return RUN_STATE_SUSPENDED;
    case WHEN_SACRIFICED_UNSPECIFIED:
    case WHEN_SACRIFICED_RUN: break;
    }
    return RUN_STATE_RUNNING;
}

const char *control_pause_word(const struct service_record *service)
{
    return allowed_state(service) == RUN_STATE_SUSPENDED ? "suspend" : "pause";
}

/* Every VM of it runs, and none was set up by a person in a way that this would undo. */
static bool can_pause(const struct cluster *cluster, const struct service_record *service)
{
    const enum run_state state = allowed_state(service);
    const uint32_t needed =
        state == RUN_STATE_SUSPENDED ? CAPABILITY_SUSPEND : CAPABILITY_PAUSE;
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        const struct node_record *node = table_find(&cluster->nodes, vm->vm.node);
        if (node == NULL || node->state != NODE_STATE_UP || vm->vm.cap_pinned ||
            (node->status.capabilities & needed) == 0 || vm->status.busy ||
            !control_has_cap(cluster, vm) || !reconcile_is_serving(cluster, vm)) {
            return false;
        }
    }
    return state != RUN_STATE_RUNNING && service->first_vm != 0 && !service->deleting;
}

static bool share_a_node(const struct control *control, uint32_t a, uint32_t b)
{
    const struct allocation_service *first = &control->problem_services[a];
    const struct allocation_service *second = &control->problem_services[b];
    for (uint32_t i = 0; i < first->vms_count; i++) {
        for (uint32_t k = 0; k < second->vms_count; k++) {
            if (control->vms[first->first_vm + i].node ==
                control->vms[second->first_vm + k].node) {
                return true;
            }
        }
    }
    return false;
}

static bool may_pause_for(struct cluster *cluster, uint32_t index, uint32_t helped)
{
    const struct control *control = cluster->control;
    struct service_record *service =
        table_at(&cluster->services, control->service_slots[index]);
    const struct control_service *state = control_service_of(cluster, service);
    const bool again =
        state->taken_back_at_ms != 0 && cluster->now_ms - state->taken_back_at_ms < AGAIN_MS;
    return index != helped && !again &&
           control->problem_services[index].weight <=
               control->problem_services[helped].weight &&
           share_a_node(control, index, helped) && can_pause(cluster, service);
}

void control_propose_pauses(struct cluster *cluster, uint32_t index)
{
    struct control *control = cluster->control;
    double above = -1.0; /* weight and index of the last one: lightest first */
    uint32_t after = 0;
    for (uint32_t count = 0; count < PAUSES_A_SERVICE; count++) {
        uint32_t lightest = UINT32_MAX;
        for (uint32_t i = 0; i < control->problem.services_count; i++) {
            const double weight = control->problem_services[i].weight;
            const bool is_next = weight > above || (weight >= above && i > after);
            if (is_next &&
                (lightest == UINT32_MAX ||
                 weight < control->problem_services[lightest].weight) &&
                may_pause_for(cluster, i, index)) {
                lightest = i;
            }
        }
        struct escalation_candidate *candidate =
            lightest == UINT32_MAX ? NULL
                                   : control_add_candidate(cluster, ESCALATION_PAUSE, lightest);
        if (candidate == NULL) {
            return;
        }
        above = control->problem_services[lightest].weight;
        after = lightest;
        candidate->helped = index;
        candidate->vm = control->problem_services[lightest].first_vm;
        candidate->vms_count = control->problem_services[lightest].vms_count;
    }
}

static void order_state(struct cluster *cluster, struct service_record *service,
                        enum run_state state, uint64_t decision, struct effects *out)
{
    struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (state == RUN_STATE_RUNNING ? control_is_paused(vm)
                                       : vm->vm.desired == RUN_STATE_RUNNING) {
            /* It begins with the least that was to spare for it; the next answer gives more. */
            vm->vm.cap_pct =
                state == RUN_STATE_RUNNING ? cluster_min_cap_of(cluster, vm) : vm->vm.cap_pct;
            vm->vm.desired = state;
            vm->vm.paused_by_manager = state != RUN_STATE_RUNNING;
            vm->decision = decision;
            emit_vm(cluster, vm, out);
            cluster_mark_dirty(cluster, vm);
        }
    }
    entries_service(cluster, service, out);
}

bool control_pause(struct cluster *cluster, const struct escalation_candidate *candidate,
                   uint64_t decision, struct effects *out)
{
    struct service_record *service =
        table_at(&cluster->services, cluster->control->service_slots[candidate->service]);
    if (!can_pause(cluster, service)) {
        return false;
    }
    struct control_service *state = control_service_of(cluster, service);
    state->paused_at_ms = cluster->now_ms;
    state->room_since_ms = 0;
    state->return_advised = false;
    order_state(cluster, service, allowed_state(service), decision, out);
    return true;
}

/* ---- the way back ---- */

/* Where no service has CPU, nothing is solved and nothing needs what it would take. */
static bool is_alone(const struct cluster *cluster)
{
    const struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&cluster->vms, &i)) != NULL;) {
        if (control_has_cap(cluster, vm)) {
            return false;
        }
    }
    return true;
}

/* Least CPU that paused VMs of a service need on this node. */
static uint32_t least_on(const struct cluster *cluster, const struct service_record *service,
                         const char *node)
{
    uint32_t least_pct = 0;
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (control_is_paused(vm) && strcmp(vm->vm.node, node) == 0) {
            least_pct += cluster_min_cap_of(cluster, vm);
        }
    }
    return least_pct;
}

static bool has_room(const struct cluster *cluster, const struct service_record *service)
{
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (!control_is_paused(vm)) {
            continue;
        }
        const struct node_record *node = table_find(&cluster->nodes, vm->vm.node);
        if (node == NULL || node->state != NODE_STATE_UP) {
            return false;
        }
        /* Without an answer about the node there is nobody else on it. */
        const double slack = cluster->control->node_slack[table_slot(&cluster->nodes, node)];
        const double needed = least_on(cluster, service, vm->vm.node) +
                              plan_node_cpu_pct(node) * MARGIN_PCT / 100.0;
        if (!isnan(slack) && slack < needed) {
            return false;
        }
    }
    return true;
}

static bool has_paused(const struct cluster *cluster, const struct service_record *service)
{
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (control_is_paused(vm)) {
            return true;
        }
    }
    return false;
}

static bool is_time(struct cluster *cluster, struct service_record *service)
{
    struct control_service *state = control_service_of(cluster, service);
    if (state->paused_at_ms == 0) {
        state->paused_at_ms = cluster->now_ms; /* by an earlier process */
    }
    if (!has_room(cluster, service)) {
        state->room_since_ms = 0;
        return false;
    }
    state->room_since_ms = state->room_since_ms != 0 ? state->room_since_ms : cluster->now_ms;
    return cluster->now_ms - state->room_since_ms >= PAUSED_MS &&
           cluster->now_ms - state->paused_at_ms >= PAUSED_MS;
}

static void take_back(struct cluster *cluster, struct service_record *service, const char *why,
                      struct effects *out)
{
    struct control_service *state = control_service_of(cluster, service);
    const bool acts = cluster_mode(cluster) == MODE_ACT;
    if (!acts && state->return_advised) {
        return;
    }
    state->return_advised = !acts;
    struct decision *decision = emit_new_decision(cluster, out);
    (void)snprintf(decision->service, sizeof decision->service, "%s", service->spec.service);
    control_name_scheduler(service, decision);
    decision->reason = REASON_LEVEL_SPARE;
    decision->outcome = acts ? DECISION_OUTCOME_ORDERED : DECISION_OUTCOME_ADVISED;
    control_put_level(cluster, service, (double)NAN, decision->reason, decision);
    (void)snprintf(decision->text, sizeof decision->text, "take %s back: %s",
                   service->spec.service, why);
    if (acts) {
        state->paused_at_ms = 0;
        state->room_since_ms = 0;
        state->taken_back_at_ms = cluster->now_ms;
        order_state(cluster, service, RUN_STATE_RUNNING, decision->id, out);
        control_remember_step(cluster, decision, CONTROL_WAIT_STATE, "", "");
        service->awaiting_outcome = decision->id;
        cluster->control->wanted = true;
    }
    emit_decision(cluster, decision, out);
    service->last_decision = decision->id;
    emit_event(cluster, EVENT_KIND_DECISION, decision->reason, service, NULL, NULL, out, "%s%s",
               acts ? "" : "advice: ", decision->text)
        ->decision = decision->id;
}

void control_take_back(struct cluster *cluster, struct effects *out)
{
    if (cluster->now_ms < cluster->control->next_take_back_ms) {
        return;
    }
    cluster->control->next_take_back_ms = cluster->now_ms + TAKE_BACK_MS;
    struct service_record *service = NULL;
    for (uint32_t i = 0; (service = table_next(&cluster->services, &i)) != NULL;) {
        if (!has_paused(cluster, service)) {
            continue;
        }
        const bool is_due = is_time(cluster, service);
        if (cluster_mode(cluster) == MODE_HOLD || service->deleting ||
            !effects_room(out, 2 * PLAN_VMS_MAX + TAKE_BACK_EFFECTS)) {
            continue;
        }
        if (allowed_state(service) == RUN_STATE_RUNNING) {
            take_back(cluster, service, "its file no longer allows to pause it", out);
        } else if (is_alone(cluster)) {
            take_back(cluster, service, "nobody else needs its CPU", out);
        } else if (is_due) {
            take_back(cluster, service,
                      "its least CPU has been to spare beside all floors for five minutes",
                      out);
            return; /* one at a time: the next answer shows what is left to spare */
        }
    }
}
