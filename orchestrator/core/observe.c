// SPDX-License-Identifier: Apache-2.0
/*
 * What agents report becomes the observed state of VMs: snapshots (the whole truth of a node,
 * replacing what was known) and results of single orders. Here a VM is declared gone, and here
 * a copy that must not live is ended; both only on proof:
 *
 *   gone    the agent says that it carried out our order to end this generation, or a snapshot
 * that was taken after that order arrived does not show the VM; stale   a newer generation of
 * the same uuid is assigned to another node, which happens only once the older one was proven
 * dead.
 *
 * A VM that is marked ours and that we do not know is never touched: our store may be an old
 * copy.
 */
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/state.h"

#define RETRY_MS           5000
#define RETRY_DOUBLINGS    6
#define RETRY_MS_MAX       300000
#define ROOM_OF_STALE_COPY 4

/* ---- a status of a VM where it should be ---- */

/* People follow what starts and stops; what was so before this orchestrator started is no news.
 */
static void tell_transition(struct cluster *cluster, const struct vm_record *vm,
                            const struct vm_status *status, struct effects *out)
{
    bool adopted = !vm->status_known && vm->vm.generation <= vm->inherited_generation;
    if (adopted || (vm->status_known && vm->status.state == status->state)) {
        return;
    }
    switch (status->state) {
    case RUN_STATE_RUNNING:
    case RUN_STATE_PAUSED:
    case RUN_STATE_SUSPENDED:
    case RUN_STATE_CRASHED: break;
    case RUN_STATE_STOPPED:
        if (!vm->status_known) {
            return; /* not started yet */
        }
        break;
    case RUN_STATE_UNSPECIFIED:
    case RUN_STATE_ABSENT:
    case RUN_STATE_UNKNOWN: return;
    }
    struct event_record *event =
        emit_event(cluster, EVENT_KIND_ACTION, REASON_NONE, cluster_service_of(cluster, vm),
                   vm->vm.vm, vm->vm.node, out, "vm %s is %s on node %s", vm->vm.vm,
                   run_state_word(status->state), vm->vm.node);
    event->operation = vm->operation;
    event->decision = vm->decision;
}

static void take_problem(struct vm_record *vm)
{
    bool has_problem =
        vm->status.problem != REASON_NONE && vm->status.problem != REASON_UNSPECIFIED;
    if (has_problem) {
        vm->problem = vm->status.problem;
        memcpy(vm->problem_text, vm->status.problem_text, sizeof vm->problem_text);
        vm->problem_text[sizeof vm->problem_text - 1] = '\0';
    } else if (reconcile_is_shown(vm)) {
        vm->problem = REASON_NONE;
        vm->problem_text[0] = '\0';
    }
}

static void take_status(struct cluster *cluster, struct vm_record *vm,
                        const struct vm_status *status, uint64_t number, struct effects *out)
{
    tell_transition(cluster, vm, status, out);
    vm->status = *status;
    vm->status_known = true;
    vm->status_number = number;
    bool done = vm->operation != 0 && status->operation_done >= vm->operation;
    if (done && vm->ordered_isolation == ISOLATION_FENCE &&
        vm->ordered_generation == vm->vm.generation) {
        vm->fenced_generation = vm->vm.generation;
        if (vm->run_generation == vm->vm.generation) {
            vm->run_generation = 0;
        }
    }
    take_problem(vm);
    if (!reconcile_is_shown(vm)) {
        cluster_mark_dirty(cluster, vm);
    }
}

/* ---- gone ---- */

static bool was_ordered_away(const struct vm_record *vm)
{
    return (vm->vm.phase == VM_PHASE_REMOVING || vm->vm.phase == VM_PHASE_MOVING) &&
           vm->ordered_desired == RUN_STATE_ABSENT &&
           vm->ordered_generation == vm->vm.generation;
}

static bool is_shown_gone(const struct vm_record *vm)
{
    return was_ordered_away(vm) && vm->operation != 0 && vm->status.state == RUN_STATE_ABSENT &&
           vm->status.operation_done >= vm->operation;
}

/* What the snapshot does not list. */
static void take_missing(struct cluster *cluster, struct node_record *node, struct effects *out)
{
    struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&cluster->vms, &i)) != NULL;) {
        bool is_here = strcmp(vm->vm.node, node->spec.node) == 0;
        bool is_listed = vm->status_known && vm->status_number == node->snapshot_number;
        if (!is_here || is_listed || !effects_room(out, ROOM_OF_STALE_COPY)) {
            continue;
        }
        vm->status_known = false;
        if (was_ordered_away(vm) && node->answered_at_ms > vm->sent_at_ms) {
            reconcile_gone(cluster, vm, out);
        } else {
            cluster_mark_dirty(cluster, vm);
        }
    }
}

/* ---- copies in the wrong place ---- */

void reconcile_end_copy(struct cluster *cluster, const struct vm_record *vm,
                        const struct node_record *node, uint64_t generation,
                        struct effects *out)
{
    struct node_message *message =
        emit_message(cluster, node->spec.node, NODE_MESSAGE_VM_ORDER, out);
    struct vm_order *order = &message->vm_order;
    order->operation = cluster->next_operation++;
    memcpy(order->vm, vm->vm.vm, sizeof order->vm);
    memcpy(order->uuid, vm->vm.uuid, sizeof order->uuid);
    memcpy(order->service, vm->vm.service, sizeof order->service);
    order->service_kind = cluster_service_of(cluster, vm)->spec.kind;
    order->isolation = cluster_service_of(cluster, vm)->spec.isolation;
    order->generation = generation;
    order->desired = RUN_STATE_ABSENT;
    order->cap_pct = vm->vm.cap_pct;
    order->weight = vm->vm.weight;
    order->vcpus = vm->vm.vcpus;
    order->vcpus_max = vm->vm.vcpus;
    order->memory_kib = vm->vm.memory_kib;
    order->memory_max_kib = vm->vm.memory_kib;
    order->disk_kind = DISK_KIND_COPY;
    const struct vm_group *group = cluster_group_of(cluster, vm);
    if (group != NULL && group->has_disk) {
        order->disk_kind = group->disk.kind;
    }
    const struct image_record *image =
        group == NULL ? NULL : table_find(&cluster->images, group->image);
    if (image != NULL) {
        order->image_format = (uint32_t)image->spec.format;
    }
}

static void end_stale_copy(struct cluster *cluster, const struct vm_record *vm,
                           const struct node_record *node, const struct vm_status *status,
                           struct effects *out)
{
    reconcile_end_copy(cluster, vm, node, status->generation, out);
    if (status->state == RUN_STATE_RUNNING) {
        (void)emit_event(
            cluster, EVENT_KIND_ALARM, REASON_STALE_GENERATION, cluster_service_of(cluster, vm),
            vm->vm.vm, node->spec.node, out,
            "node %s still runs generation %llu of vm %s, which is generation %llu "
            "elsewhere: it is ended now",
            node->spec.node, (unsigned long long)status->generation, vm->vm.vm,
            (unsigned long long)vm->vm.generation);
    }
}

/* It waits for a node, and the one that it was on is back with it: nothing newer exists. */
static void readopt(struct cluster *cluster, struct vm_record *vm, struct node_record *node,
                    struct effects *out)
{
    reconcile_forget(vm);
    memcpy(vm->vm.node, node->spec.node, sizeof vm->vm.node);
    vm->vm.phase = VM_PHASE_ASSIGNED;
    vm->vm.waiting_reason = REASON_NONE;
    emit_vm(cluster, vm, out);
    cluster_mark_dirty(cluster, vm);
    (void)emit_event(cluster, EVENT_KIND_VM_PLACED, REASON_NONE,
                     cluster_service_of(cluster, vm), vm->vm.vm, node->spec.node, out,
                     "vm %s stays on node %s, which is back", vm->vm.vm, node->spec.node);
}

static void tell_newer_copy(struct cluster *cluster, const struct vm_record *vm,
                            struct node_record *node, const struct vm_status *status,
                            struct effects *out)
{
    if (node->alarm == REASON_STALE_GENERATION) {
        return;
    }
    node->alarm = REASON_STALE_GENERATION;
    (void)emit_event(
        cluster, EVENT_KIND_ALARM, REASON_STALE_GENERATION, NULL, vm->vm.vm, node->spec.node,
        out,
        "node %s has generation %llu of vm %s, newer than ours (%llu): this store is "
        "an old copy; nothing there is touched",
        node->spec.node, (unsigned long long)status->generation, vm->vm.vm,
        (unsigned long long)vm->vm.generation);
}

/* A status that is not of the present generation at the present place. */
static void take_other_copy(struct cluster *cluster, struct vm_record *vm,
                            struct node_record *node, const struct vm_status *status,
                            struct effects *out)
{
    if (status->generation > vm->vm.generation &&
        status->generation <= vm->vm.reserved_generation) {
        /* Of a VM that goes over, or of one that was to. */
        if (vm->vm.live && strcmp(vm->vm.move_to, node->spec.node) == 0 &&
            status->generation == vm->vm.reserved_generation) {
            live_receiver_status(cluster, vm, node, status);
        } else {
            end_stale_copy(cluster, vm, node, status, out);
        }
        return;
    }
    if (status->generation > vm->vm.generation) {
        tell_newer_copy(cluster, vm, node, status, out);
        return;
    }
    if (strcmp(vm->vm.node, node->spec.node) == 0) {
        return; /* an older generation, and the newer one comes here: its order replaces it */
    }
    if (status->state == RUN_STATE_ABSENT && !node->returning) {
        return; /* ended; of a returning node it may as well be not begun */
    }
    if (vm->vm.phase == VM_PHASE_WAITING && vm->vm.node[0] == '\0' &&
        status->generation == vm->vm.generation) {
        readopt(cluster, vm, node, out);
    } else if (status->generation < vm->vm.generation && vm->vm.node[0] != '\0') {
        end_stale_copy(cluster, vm, node, status, out);
    }
}

void reconcile_snapshot(struct cluster *cluster, struct node_record *node,
                        const struct snapshot *snapshot, struct effects *out)
{
    uint32_t listed = 0;
    uint32_t unknown = 0;
    for (uint32_t i = 0; i < snapshot->vms_count && effects_room(out, ROOM_OF_STALE_COPY);
         i++) {
        const struct vm_status *status = &snapshot->vms[i];
        struct vm_record *vm = table_find(&cluster->vms, status->vm);
        if (vm == NULL || strcmp(vm->vm.uuid, status->uuid) != 0) {
            unknown += status->state == RUN_STATE_ABSENT ? 0 : 1;
            continue;
        }
        if (status->generation != vm->vm.generation ||
            strcmp(vm->vm.node, node->spec.node) != 0) {
            take_other_copy(cluster, vm, node, status, out);
            continue;
        }
        take_status(cluster, vm, status, node->snapshot_number, out);
        if (is_shown_gone(vm)) {
            reconcile_gone(cluster, vm, out);
        } else {
            listed++;
        }
    }
    if (listed != node->vms) {
        take_missing(cluster, node, out);
    }
    if (unknown > node->unknown_vms) {
        (void)emit_event(
            cluster, EVENT_KIND_ALARM, REASON_NOT_FOUND, NULL, NULL, node->spec.node, out,
            "node %s runs %u VMs that are marked ours and that we do not know: they "
            "are left alone; end them there if nobody needs them",
            node->spec.node, unknown);
    }
    node->unknown_vms = unknown;
}

/* ---- results of single orders ---- */

static void take_failure(struct cluster *cluster, struct vm_record *vm,
                         const struct result *result, struct effects *out)
{
    bool is_news = vm->problem != result->reason ||
                   strncmp(vm->problem_text, result->text, sizeof vm->problem_text - 1) != 0;
    vm->problem = result->reason;
    (void)snprintf(vm->problem_text, sizeof vm->problem_text, "%.*s",
                   (int)sizeof vm->problem_text - 1, result->text);
    vm->operation = 0; /* the next try is a new one */
    uint32_t tries = vm->attempts > 0 ? vm->attempts - 1 : 0;
    int64_t wait_ms = (int64_t)RETRY_MS << (tries < RETRY_DOUBLINGS ? tries : RETRY_DOUBLINGS);
    vm->retry_at_ms = cluster->now_ms + (wait_ms < RETRY_MS_MAX ? wait_ms : RETRY_MS_MAX);
    if (is_news) {
        struct event_record *event = emit_event(
            cluster, EVENT_KIND_ACTION, result->reason, cluster_service_of(cluster, vm),
            vm->vm.vm, vm->vm.node, out, "vm %s on node %s: %s %s: %.150s", vm->vm.vm,
            vm->vm.node, vm->ordered_desired == RUN_STATE_ABSENT ? "removing it" : "its order",
            result->state == RESULT_STATE_REFUSED ? "was refused" : "failed", result->text);
        event->operation = result->operation;
        event->decision = vm->decision;
    }
}

/* What happened to a VM with nobody of ours having asked for it. The agent sets it right. */
static void tell_outside(struct cluster *cluster, const struct vm_record *vm,
                         const struct result *result, struct effects *out)
{
    if (result->reason != REASON_DRIFT && result->reason != REASON_GUEST_STOPPED) {
        return;
    }
    (void)emit_event(cluster, EVENT_KIND_ACTION, result->reason,
                     cluster_service_of(cluster, vm), vm->vm.vm, vm->vm.node, out,
                     "vm %s on node %s: %.180s", vm->vm.vm, vm->vm.node, result->text);
}

void reconcile_result(struct cluster *cluster, struct node_record *node,
                      const struct result *result, struct effects *out)
{
    struct vm_record *vm = table_find(&cluster->vms, result->vm);
    if (vm != NULL && live_receiver_result(cluster, vm, node, result, out)) {
        return;
    }
    if (vm == NULL || strcmp(vm->vm.node, node->spec.node) != 0 ||
        vm->vm.generation != result->generation || result->operation == 0 ||
        vm->operation != result->operation || vm->ordered_generation != vm->vm.generation) {
        return; /* of an order that is no longer the newest */
    }
    switch (result->state) {
    case RESULT_STATE_EFFECTIVE:
        if (was_ordered_away(vm)) {
            reconcile_gone(cluster, vm, out);
        }
        break;
    case RESULT_STATE_REFUSED:
    case RESULT_STATE_FAILED:
        if (vm->vm.live) {
            live_abort(cluster, vm, result->reason, result->text, out);
        } else {
            take_failure(cluster, vm, result, out);
        }
        break;
    case RESULT_STATE_ACCEPTED: tell_outside(cluster, vm, result, out); break;
    case RESULT_STATE_UNSPECIFIED: break;
    }
}
