// SPDX-License-Identifier: Apache-2.0
/*
 * The whole cluster as one allocation problem: every VM that is to run, in the order of its
 * service, on every node that has one. VMs that the manager must not move (pinned by a person,
 * on a node that cannot be reached or has no caps) keep what they have and take their room. So
 * do VMs outside the problem: moving, paused, stopped.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/control.h"
#include "orchestrator/core/plan_scratch.h"
#include "schedulers/model.h"

#define GUARD          0.3   /* of a floor: x stays 7 % off the target where there is room */
#define SWITCHING_COST 1e-3  /* nats per percent */
#define DEAD_BAND      1.0   /* nats */
#define RETURN_MARGIN  0.05  /* of its need: a sacrificed service comes back only with it */
#define STICKY_SHARE   0.25  /* of the least weight: what an exchange must gain */
#define ANSWER_MS      10000 /* a worker that takes longer is given up */

uint32_t control_node_for(struct cluster *cluster, const char *name)
{
    struct control *control = cluster->control;
    const struct node_record *node = table_find(&cluster->nodes, name);
    if (node == NULL) {
        return UINT32_MAX;
    }
    const uint32_t slot = table_slot(&cluster->nodes, node);
    if (control->node_index[slot] == 0) {
        const uint32_t index = control->problem.nodes_count++;
        struct allocation_node *out = &control->nodes[index];
        *out = (struct allocation_node){.cpu_pct = plan_node_cpu_pct(node), .speed = 1.0};
        (void)snprintf(out->name, sizeof out->name, "%s", name);
        control->node_least[index] = 0;
        control->node_index[slot] = index + 1;
    }
    return control->node_index[slot] - 1;
}

/* Room that a VM outside the problem holds on a node. */
static void hold_room(struct cluster *cluster, const char *node, uint32_t cap_pct)
{
    const uint32_t index = node[0] == '\0' ? UINT32_MAX : control_node_for(cluster, node);
    if (index != UINT32_MAX) {
        struct allocation_node *out = &cluster->control->nodes[index];
        out->cpu_pct = out->cpu_pct > cap_pct ? out->cpu_pct - cap_pct : 0;
    }
}

static void add_vm(struct cluster *cluster, const struct vm_record *vm)
{
    struct control *control = cluster->control;
    const uint32_t index = control->problem.vms_count++;
    const struct cap_range range = control_range_of(cluster, vm);
    control->vms[index] = (struct allocation_vm){
        .node = control_node_for(cluster, vm->vm.node),
        .min_cap_pct = range.min_pct,
        .max_cap_pct = range.max_pct,
        .previous_cap_pct = vm->vm.cap_pct,
        .fixed = range.min_pct == range.max_pct && range.min_pct == vm->vm.cap_pct,
    };
    control->vm_marks[index] = (struct control_vm){.slot = table_slot(&cluster->vms, vm),
                                                   .revision = vm->meta.revision};
}

static void add_vms(struct cluster *cluster, const struct service_record *service)
{
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (control_has_cap(cluster, vm)) {
            add_vm(cluster, vm);
        } else if (vm->vm.phase == VM_PHASE_MOVING) {
            hold_room(cluster, vm->vm.node, vm->vm.cap_pct);
            hold_room(cluster, vm->vm.move_to, vm->vm.cap_pct);
        } else if (!control_is_paused(vm)) {
            hold_room(cluster, vm->vm.node, cluster_min_cap_of(cluster, vm));
        }
    }
}

/* All ranks start at the same cap, so the largest minimum counts for each. */
static void level_gang(struct control *control, const struct allocation_service *service)
{
    uint32_t largest = 1;
    for (uint32_t i = 0; i < service->vms_count; i++) {
        const struct allocation_vm *vm = &control->vms[service->first_vm + i];
        largest = !vm->fixed && vm->min_cap_pct > largest ? vm->min_cap_pct : largest;
    }
    for (uint32_t i = 0; i < service->vms_count; i++) {
        struct allocation_vm *vm = &control->vms[service->first_vm + i];
        vm->min_cap_pct = largest < vm->max_cap_pct ? largest : vm->max_cap_pct;
    }
}

static enum coupling coupling_of(const struct service_record *service, uint32_t vms_count)
{
    if (vms_count == 1) {
        return COUPLING_SINGLE;
    }
    return service->spec.kind == SERVICE_KIND_CLUSTER ? COUPLING_GANG : COUPLING_SUM;
}

static enum allocation_past past_of(const struct control_service *state)
{
    if (state->sacrificed) {
        return ALLOCATION_PAST_SACRIFICED;
    }
    return state->kept ? ALLOCATION_PAST_KEPT : ALLOCATION_PAST_UNKNOWN;
}

static void add_service(struct cluster *cluster, struct service_record *service)
{
    struct control *control = cluster->control;
    const uint32_t first_vm = control->problem.vms_count;
    add_vms(cluster, service);
    const uint32_t count = control->problem.vms_count - first_vm;
    if (count == 0) {
        return;
    }
    struct control_service *state = control_service_of(cluster, service);
    uint32_t cap_pct = 0;
    for (uint32_t i = 0; i < count; i++) {
        cap_pct += control->vms[first_vm + i].previous_cap_pct;
    }
    if (!state->proposed) {
        /* Nothing is known of it: it keeps what it has. */
        struct service_view view = {.cap_pct = cap_pct};
        model_hold(&view, REASON_STALE, &state->proposal);
    }
    const uint32_t index = control->problem.services_count++;
    struct allocation_service *out = &control->problem_services[index];
    *out = (struct allocation_service){
        .weight = cluster_weight_of(cluster, service),
        .curve = service->spec.objective.curve,
        .model = &state->proposal,
        .coupling = coupling_of(service, count),
        .first_vm = first_vm,
        .vms_count = count,
        .past = past_of(state),
    };
    (void)snprintf(out->name, sizeof out->name, "%s", service->spec.service);
    control->service_slots[index] = table_slot(&cluster->services, service);
    control->service_revisions[index] = service->meta.revision;
    control->cap_before[index] = cap_pct;
    if (out->coupling == COUPLING_GANG) {
        level_gang(control, out);
    }
}

/*
 * An exchange must gain a part of the least weight for each service that goes: between services
 * that hardly differ it would only cost, and one that gains a service of any weight is never in
 * its way.
 */
static double sticky_weight(const struct control *control)
{
    double least = HUGE_VAL;
    for (uint32_t i = 0; i < control->problem.services_count; i++) {
        const double weight = control->problem_services[i].weight;
        least = weight > 0.0 && weight < least ? weight : least;
    }
    return isfinite(least) ? STICKY_SHARE * least : 0.0;
}

/* A node that shrank below what its VMs must have is treated as just large enough for that. */
static void fit_nodes(struct control *control)
{
    for (uint32_t v = 0; v < control->problem.vms_count; v++) {
        const struct allocation_vm *vm = &control->vms[v];
        control->node_least[vm->node] += vm->fixed ? vm->previous_cap_pct : vm->min_cap_pct;
    }
    for (uint32_t j = 0; j < control->problem.nodes_count; j++) {
        if (control->node_least[j] > control->nodes[j].cpu_pct) {
            control->nodes[j].cpu_pct = (uint32_t)control->node_least[j];
        }
    }
}

void control_problem(struct cluster *cluster, struct effects *out)
{
    struct control *control = cluster->control;
    control->problem = (struct allocation_problem){
        .objective = ALLOCATION_FLOORS,
        .guard = GUARD,
        .switching_cost = SWITCHING_COST,
        .dead_band = DEAD_BAND,
        .return_margin = RETURN_MARGIN,
        .nodes = control->nodes,
        .services = control->problem_services,
        .vms = control->vms,
    };
    memset(control->node_index, 0, cluster->nodes.capacity * sizeof *control->node_index);
    struct service_record *service = NULL;
    for (uint32_t i = 0; (service = table_next(&cluster->services, &i)) != NULL;) {
        add_service(cluster, service);
    }
    control->problem.sticky_weight = sticky_weight(control);
    control_candidates(cluster);
    fit_nodes(control);
    control->wanted = false;
    if (control->problem.vms_count == 0) {
        return;
    }
    /* Never used twice, so that an answer that was given up cannot be taken for a newer one. */
    control->newest_solve = cluster->revision > control->newest_solve
                                ? cluster->revision
                                : control->newest_solve + 1;
    cluster->solve_revision = control->newest_solve;
    if (control->loss.open && control->loss.asked_for_by == 0) {
        control->loss.asked_for_by = control->newest_solve;
    }
    control->solve_until_ms = cluster->now_ms + ANSWER_MS;
    struct effect *effect = effects_add(out, EFFECT_SOLVE);
    effect->solve.revision = control->newest_solve;
    effect->solve.problem = &control->problem;
    effect->solve.candidates = control->candidates;
    effect->solve.candidates_count = control->candidates_count;
}
