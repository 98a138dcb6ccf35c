// SPDX-License-Identifier: Apache-2.0
/* One VM and its node: assigned, waiting for one, moved to another, taken away. */
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/control.h"
#include "orchestrator/core/plan_scratch.h"

#define WAITING_PER_CALL_MAX 256
#define EFFECTS_PER_VM       8

void plan_remove(struct cluster *cluster, struct vm_record *vm, struct effects *out)
{
    const struct node_record *node = table_find(&cluster->nodes, vm->vm.node);
    if (node == NULL || node->state == NODE_STATE_DEAD || reconcile_never_ordered(vm)) {
        cluster_vm_gone(cluster, vm, out);
        return;
    }
    if (vm->vm.live) {
        live_abort(cluster, vm, REASON_PERSON, "it is to be removed", out);
    }
    vm->vm.phase = VM_PHASE_REMOVING;
    vm->vm.desired = RUN_STATE_ABSENT;
    emit_vm(cluster, vm, out);
    cluster_mark_dirty(cluster, vm);
}

void plan_assign(struct cluster *cluster, struct vm_record *vm, struct node_record *node,
                 struct effects *out)
{
    cluster_bank_tasks(cluster, vm, out);
    memcpy(vm->vm.node, node->spec.node, sizeof vm->vm.node);
    vm->vm.move_to[0] = '\0';
    vm->vm.generation = vm->vm.reserved_generation > vm->vm.generation
                            ? vm->vm.reserved_generation + 1
                            : vm->vm.generation + 1;
    live_forget(vm);
    vm->vm.phase = VM_PHASE_ASSIGNED;
    vm->vm.waiting_reason = REASON_NONE;
    vm->operation = 0;
    vm->order_hash = 0;
    vm->attempts = 0;
    vm->retry_at_ms = 0;
    vm->status_known = false;
    vm->problem = REASON_NONE;
    vm->problem_text[0] = '\0';
    control_take_room(cluster, node, vm);
    emit_vm(cluster, vm, out);
    cluster_mark_dirty(cluster, vm);
    (void)emit_event(cluster, EVENT_KIND_VM_PLACED, REASON_NONE,
                     cluster_service_of(cluster, vm), vm->vm.vm, node->spec.node, out,
                     "vm %s goes to node %s: cap %u %% of a CPU, %llu MiB, generation %llu",
                     vm->vm.vm, node->spec.node, vm->vm.cap_pct,
                     (unsigned long long)(vm->vm.memory_kib / 1024),
                     (unsigned long long)vm->vm.generation);
}

/* What stands in the way, most telling first: a node that is only too full says more than one
 * that is down. The row of the node that lacks least. */
void plan_closest(const struct cluster *cluster, const struct placement_need *need,
                  uint32_t group, struct placement *best)
{
    memset(best, 0, sizeof *best);
    best->reason = REASON_NO_NODE;
    uint64_t best_short = UINT64_MAX;
    for (uint32_t i = 0; i < cluster->plan->count; i++) {
        struct placement row;
        plan_row(cluster, need, group, i, &row);
        bool full = row.reason == REASON_NO_CPU || row.reason == REASON_NO_MEMORY;
        uint64_t lacks = full ? row.needed - row.available : UINT64_MAX - 1;
        if (row.reason == REASON_SPREAD) {
            lacks = UINT64_MAX / 2;
        }
        if (lacks < best_short) {
            *best = row;
            best_short = lacks;
        }
    }
}

void plan_wait(struct cluster *cluster, struct vm_record *vm, const struct placement *why,
               struct effects *out)
{
    bool same = vm->vm.phase == VM_PHASE_WAITING && vm->vm.waiting_reason == why->reason;
    if (same) {
        return;
    }
    vm->vm.phase = VM_PHASE_WAITING;
    vm->vm.waiting_reason = why->reason;
    emit_vm(cluster, vm, out);
    char text[TEXT_SIZE / 2] = "there is none";
    if (why->node[0] != '\0') {
        plan_row_text(why, text, sizeof text);
    }
    (void)emit_event(cluster, EVENT_KIND_VM_WAITING, why->reason,
                     cluster_service_of(cluster, vm), vm->vm.vm, NULL, out,
                     "vm %s waits for a node%s%s: %s", vm->vm.vm,
                     why->node[0] == '\0' ? "" : "; closest is ", why->node, text);
}

/* Its need in the first place of the scratch memory; false when its group is gone. */
static bool need_of(const struct cluster *cluster, const struct vm_record *vm)
{
    const struct service_record *service = cluster_service_of(cluster, vm);
    const struct vm_group *group = cluster_group_of(cluster, vm);
    if (group == NULL) {
        return false;
    }
    struct plan *plan = cluster->plan;
    uint32_t index = (uint32_t)(group - service->spec.vms);
    plan_gather(cluster);
    plan_close(cluster, &service->spec, index, vm);
    plan->needs_count = 1;
    plan->group_of[0] = index;
    plan->needs[0] = (struct placement_need){
        .cpu_pct = cluster_min_cap_of(cluster, vm),
        .floor_pct = control_floor_of(cluster, vm),
        .memory_kib = vm->vm.memory_kib,
        .spread_group = group->spread ? index + 1 : 0,
        .closed = plan->closed + (size_t)index * plan->count,
    };
    return true;
}

/* NULL with the closest node in *why. */
static struct node_record *find_node(const struct cluster *cluster, const struct vm_record *vm,
                                     struct placement *why)
{
    memset(why, 0, sizeof *why);
    why->reason = REASON_NO_NODE;
    if (!need_of(cluster, vm)) {
        return NULL;
    }
    struct plan *plan = cluster->plan;
    const struct vm_group *group = cluster_group_of(cluster, vm);
    if (group->has_disk && group->disk.kind == DISK_KIND_LOCAL && vm->vm.generation > 0) {
        why->reason = REASON_DISK_PINNED;
        return NULL;
    }
    if (vm->counted.node != 0 && vm->vm.phase != VM_PHASE_WAITING) {
        uint32_t present = plan->index_of_slot[vm->counted.node - 1];
        plan->nodes[present].closed = REASON_IN_USE;
    }
    for (uint32_t i = 0; i < plan->count; i++) {
        plan->nodes[i].slack_pct = (int64_t)control_room_of(cluster, plan_node_at(cluster, i));
    }
    if (plan_choose(plan) > 0) {
        plan_closest(cluster, &plan->needs[0], plan->group_of[0], why);
        return NULL;
    }
    return plan_node_at(cluster, plan->chosen[0]);
}

struct node_record *plan_node_for(const struct cluster *cluster, const struct vm_record *vm,
                                  enum reason *why)
{
    struct placement row;
    struct node_record *node = find_node(cluster, vm, &row);
    *why = node == NULL ? row.reason : REASON_NONE;
    return node;
}

void plan_wait_for_node(struct cluster *cluster, struct vm_record *vm, enum reason why,
                        struct effects *out)
{
    struct placement row;
    if (find_node(cluster, vm, &row) != NULL) {
        row =
            (struct placement){.reason = why}; /* there is one by now: the next look takes it */
    }
    plan_wait(cluster, vm, &row, out);
}

void plan_waiting(struct cluster *cluster, struct effects *out)
{
    struct plan *plan = cluster->plan;
    uint32_t left = cluster->vms_waiting < WAITING_PER_CALL_MAX ? cluster->vms_waiting
                                                                : WAITING_PER_CALL_MAX;
    for (uint32_t seen = 0; left > 0 && seen < cluster->vms.high; seen++) {
        plan->waiting_slot = (plan->waiting_slot + 1) % cluster->vms.high;
        struct vm_record *vm = table_at(&cluster->vms, plan->waiting_slot);
        if (vm == NULL || vm->vm.phase != VM_PHASE_WAITING) {
            continue;
        }
        if (!effects_room(out, EFFECTS_PER_VM)) {
            return;
        }
        left--;
        struct placement why;
        struct node_record *node = find_node(cluster, vm, &why);
        if (node != NULL) {
            plan_assign(cluster, vm, node, out);
        } else {
            plan_wait(cluster, vm, &why, out);
        }
    }
}
