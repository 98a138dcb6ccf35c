// SPDX-License-Identifier: Apache-2.0
/*
 * Moves, by hand and by the manager, and drains. Where both nodes can, a VM goes over as it is
 * (live.c). Else it moves in two safe steps: it is ended on its node, and only when that is
 * shown it gets a new generation on the other one.
 */
#include <string.h>

#include "orchestrator/core/control.h"
#include "orchestrator/core/plan_scratch.h"
#include "orchestrator/core/recovery.h"

#define ROOM_PER_VM 8
#define SETTLE_ATTEMPTS                                                                        \
    5 /* a VM that was ordered this often without success holds up nobody                      \
       */

static void begin_move(struct cluster *cluster, struct vm_record *vm, struct node_record *to,
                       enum reason reason, struct effects *out)
{
    control_take_room(cluster, to, vm);
    const struct node_record *from = table_find(&cluster->nodes, vm->vm.node);
    if (from != NULL && live_can_begin(cluster, vm, from, to)) {
        live_begin(cluster, vm, to, reason, out);
        return;
    }
    vm->vm.phase = VM_PHASE_MOVING;
    memcpy(vm->vm.move_to, to->spec.node, sizeof vm->vm.move_to);
    vm->recover_at_ms = 0;
    emit_vm(cluster, vm, out);
    cluster_mark_dirty(cluster, vm);
    (void)emit_event(cluster, EVENT_KIND_MIGRATION, reason, cluster_service_of(cluster, vm),
                     vm->vm.vm, to->spec.node, out,
                     "vm %s is stopped on node %s and then started on node %s%s", vm->vm.vm,
                     vm->vm.node, to->spec.node, recovery_disk_note(cluster, vm));
}

void recovery_moved_out(struct cluster *cluster, struct vm_record *vm, struct effects *out)
{
    struct node_record *to = table_find(&cluster->nodes, vm->vm.move_to);
    enum reason why = REASON_NONE;
    if (to == NULL || to->state != NODE_STATE_UP || to->spec.draining || to->mixed) {
        to = plan_node_for(cluster, vm, &why);
    }
    recovery_place_anew(cluster, vm, to, why, out);
}

static bool has_storage(const struct cluster *cluster, const struct vm_record *vm,
                        const struct node_record *node)
{
    const struct vm_disk *disk = recovery_disk_of(cluster, vm);
    if (disk == NULL || disk->kind != DISK_KIND_SHARED) {
        return true;
    }
    const struct storage_record *storage = table_find(&cluster->storages, disk->storage);
    for (uint32_t i = 0; storage != NULL && i < storage->spec.nodes_count; i++) {
        if (strcmp(storage->spec.nodes[i], node->spec.node) == 0) {
            return true;
        }
    }
    return false;
}

/* Why the VM cannot go to just this node; REASON_NONE: it can. */
static enum reason why_not(const struct cluster *cluster, const struct vm_record *vm,
                           const struct node_record *to)
{
    if (to->state != NODE_STATE_UP || to->spec.draining) {
        return REASON_NODE_DOWN;
    }
    if (to->mixed) {
        return REASON_NODE_MIXED;
    }
    if ((to->status.capabilities & CAPABILITY_CREATE) == 0) {
        return REASON_NO_CAPABILITY;
    }
    if (cluster_service_of(cluster, vm)->spec.isolation == ISOLATION_FENCE &&
        (to->status.capabilities & CAPABILITY_SELF_FENCE) == 0) {
        return REASON_NO_SELF_FENCE;
    }
    if (!has_storage(cluster, vm, to)) {
        return REASON_NO_STORAGE;
    }
    if (to->memory_kib_granted + vm->vm.memory_kib > plan_node_memory_kib(to)) {
        return REASON_NO_MEMORY;
    }
    if (to->cpu_pct_reserved + cluster_min_cap_of(cluster, vm) > plan_node_cpu_pct(to)) {
        return REASON_NO_CPU;
    }
    return to->vms >= VMS_PER_NODE_MAX ? REASON_LIMIT : REASON_NONE;
}

enum reply_code recovery_move(struct cluster *cluster, struct vm_record *vm,
                              struct node_record *to, enum reason *why, struct effects *out)
{
    return recovery_move_because(cluster, vm, to, REASON_PERSON, why, out);
}

enum reply_code recovery_move_because(struct cluster *cluster, struct vm_record *vm,
                                      struct node_record *to, enum reason reason,
                                      enum reason *why, struct effects *out)
{
    *why = REASON_NONE;
    if (strcmp(vm->vm.node, to->spec.node) == 0) {
        return REPLY_DONE;
    }
    *why = why_not(cluster, vm, to);
    if (*why != REASON_NONE) {
        return REPLY_INFEASIBLE;
    }
    if (vm->vm.phase == VM_PHASE_WAITING && vm->vm.node[0] == '\0') {
        recovery_place_anew(cluster, vm, to, REASON_NONE, out);
        return REPLY_DONE;
    }
    const struct node_record *from = table_find(&cluster->nodes, vm->vm.node);
    if (vm->vm.phase == VM_PHASE_RECOVERING || from == NULL || from->state != NODE_STATE_UP) {
        *why = REASON_NODE_DOWN;
        return REPLY_CONFLICT;
    }
    if (vm->vm.phase != VM_PHASE_ASSIGNED) {
        *why = REASON_IN_USE;
        return REPLY_CONFLICT;
    }
    if (reconcile_never_ordered(vm)) {
        recovery_place_anew(cluster, vm, to, REASON_NONE, out);
        return REPLY_DONE;
    }
    if (recovery_is_pinned(cluster, vm)) {
        *why = REASON_DISK_PINNED;
        return REPLY_INFEASIBLE;
    }
    begin_move(cluster, vm, to, reason, out);
    return REPLY_DONE;
}

/* ---- drains ---- */

bool recovery_is_on_its_way(const struct vm_record *vm)
{
    bool starts = vm->vm.phase == VM_PHASE_ASSIGNED && vm->vm.desired == RUN_STATE_RUNNING &&
                  vm->attempts < SETTLE_ATTEMPTS && vm->problem == REASON_NONE &&
                  (!vm->status_known || vm->status.state != RUN_STATE_RUNNING);
    return starts || vm->vm.phase == VM_PHASE_MOVING;
}

/* One VM of a service at a time, so that a drain does not take a whole service away. */
static bool has_moving_sibling(const struct cluster *cluster, const struct vm_record *vm)
{
    const struct service_record *service = cluster_service_of(cluster, vm);
    uint32_t slot = 0;
    const struct vm_record *other = NULL;
    while ((other = cluster_next_vm_of(cluster, service, &slot)) != NULL) {
        if (other != vm && recovery_is_on_its_way(other)) {
            return true;
        }
    }
    return false;
}

static void drain_vm(struct cluster *cluster, struct vm_record *vm, struct node_record *node,
                     struct effects *out)
{
    if (vm->vm.phase != VM_PHASE_ASSIGNED || has_moving_sibling(cluster, vm)) {
        return;
    }
    enum reason why = REASON_DISK_PINNED;
    struct node_record *to =
        recovery_is_pinned(cluster, vm) ? NULL : plan_node_for(cluster, vm, &why);
    if (to == NULL) {
        if (node->alarm != why) {
            node->alarm = why;
            (void)emit_event(cluster, EVENT_KIND_ALARM, why, cluster_service_of(cluster, vm),
                             vm->vm.vm, node->spec.node, out,
                             "vm %s cannot leave node %s, which is drained: %s", vm->vm.vm,
                             node->spec.node, reason_word(why));
        }
        return;
    }
    if (reconcile_never_ordered(vm)) {
        recovery_place_anew(cluster, vm, to, REASON_NONE, out);
    } else {
        begin_move(cluster, vm, to, REASON_PERSON, out);
    }
}

void recovery_drain(struct cluster *cluster, struct node_record *node, struct effects *out)
{
    if (node->state != NODE_STATE_UP || node->vms == 0) {
        return;
    }
    struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&cluster->vms, &i)) != NULL;) {
        if (!effects_room(out, ROOM_PER_VM)) {
            return;
        }
        if (strcmp(vm->vm.node, node->spec.node) == 0) {
            drain_vm(cluster, vm, node, out);
        }
    }
}
