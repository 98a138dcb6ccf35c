// SPDX-License-Identifier: Apache-2.0
/*
 * A VM goes over to another node as it is (phase MOVING, live). The agents carry it (see
 * node-agent/core/agent_migrate.c); who runs it is decided here, in one durable step:
 *
 *   reserve    a generation that no node was told before is written down for the receiver
 *   prepare    the receiver is ordered to wait; it tells where, and a key
 *   stream     the sender is ordered to stream to there
 *   commit     the sender says that it handed the VM over and holds its own copy suspended, and
 *              the receiver shows a whole copy, paused: node and generation change together.
 *              Only after that is durable does the receiver get the order to run it, and the
 *              sender that to end its copy.
 *   abort      anything else: the VM stays where it is, the sender is ordered to go on, and the
 *              receiver's part is ended.
 *
 * Until the commit every order to run it names the old generation, and the receiver's copy runs
 * by none of them; after it none names the old one. A new epoch aborts what it finds begun.
 */
#include "orchestrator/core/live.h"

#include <string.h>

#include "orchestrator/core/plan_scratch.h"
#include "orchestrator/core/recovery.h"

#define LIVE_MS_MAX   600000
#define LISTEN_MS_MAX 60000
#define RESEND_MS     3000

static bool both_can(const struct node_record *from, const struct node_record *to,
                     uint32_t capability)
{
    return (from->status.capabilities & to->status.capabilities & capability) != 0;
}

/* Its disk, if it has one, is there on both nodes. */
static bool has_movable_disk(const struct cluster *cluster, const struct vm_record *vm,
                             const struct image_record *image)
{
    const struct vm_disk *disk = recovery_disk_of(cluster, vm);
    return image->spec.format == IMAGE_FORMAT_KERNEL ||
           (disk != NULL && disk->kind == DISK_KIND_SHARED);
}

bool live_can_begin(const struct cluster *cluster, const struct vm_record *vm,
                    const struct node_record *from, const struct node_record *to)
{
    const struct vm_group *group = cluster_group_of(cluster, vm);
    const struct image_record *image =
        group == NULL ? NULL : table_find(&cluster->images, group->image);
    if (image == NULL || vm->live_failed || vm->vm.desired != RUN_STATE_RUNNING ||
        !vm->status_known || vm->status.state != RUN_STATE_RUNNING || !from->snapshot_known ||
        from->state != NODE_STATE_UP) {
        return false;
    }
    bool whole =
        image->spec.guest_type != GUEST_TYPE_PV && both_can(from, to, CAPABILITY_MIGRATE_LIVE);
    return (whole || both_can(from, to, CAPABILITY_MIGRATE)) &&
           has_movable_disk(cluster, vm, image);
}

void live_begin(struct cluster *cluster, struct vm_record *vm, struct node_record *to,
                enum reason reason, struct effects *out)
{
    uint64_t newest = vm->vm.reserved_generation > vm->vm.generation
                          ? vm->vm.reserved_generation
                          : vm->vm.generation;
    vm->vm.phase = VM_PHASE_MOVING;
    vm->vm.live = true;
    vm->vm.reserved_generation = newest + 1;
    memcpy(vm->vm.move_to, to->spec.node, sizeof vm->vm.move_to);
    vm->live_move =
        (struct live_move){.begun = true,
                           .begun_at_ms = cluster->now_ms,
                           .isolation = cluster_service_of(cluster, vm)->spec.isolation};
    emit_vm(cluster, vm, out);
    cluster_mark_dirty(cluster, vm);
    (void)emit_event(cluster, EVENT_KIND_MIGRATION, reason, cluster_service_of(cluster, vm),
                     vm->vm.vm, to->spec.node, out,
                     "vm %s goes over from node %s to node %s as it is", vm->vm.vm, vm->vm.node,
                     to->spec.node);
}

void live_forget(struct vm_record *vm)
{
    vm->vm.live = false;
    vm->live_move = (struct live_move){0};
}

void live_abort(struct cluster *cluster, struct vm_record *vm, enum reason reason,
                const char *text, struct effects *out)
{
    struct node_record *to = table_find(&cluster->nodes, vm->vm.move_to);
    (void)emit_event(cluster, EVENT_KIND_MIGRATION, reason, cluster_service_of(cluster, vm),
                     vm->vm.vm, vm->vm.move_to, out, "vm %s stays on node %s: %.150s",
                     vm->vm.vm, vm->vm.node, text);
    if (to != NULL && to->state != NODE_STATE_DEAD) {
        reconcile_end_copy(cluster, vm, to, vm->vm.reserved_generation, out);
    }
    live_forget(vm);
    vm->live_failed = true;
    vm->vm.phase = VM_PHASE_ASSIGNED;
    vm->vm.move_to[0] = '\0';
    vm->operation = 0;
    vm->order_hash = 0;
    vm->attempts = 0;
    emit_vm(cluster, vm, out);
    cluster_mark_dirty(cluster, vm);
}

static void commit(struct cluster *cluster, struct vm_record *vm, struct node_record *from,
                   struct node_record *to, struct effects *out)
{
    enum isolation isolation = vm->live_move.isolation;
    reconcile_end_copy(cluster, vm, from, vm->vm.generation, out);
    memcpy(vm->vm.node, to->spec.node, sizeof vm->vm.node);
    vm->vm.move_to[0] = '\0';
    vm->vm.generation = vm->vm.reserved_generation;
    vm->vm.phase = VM_PHASE_ASSIGNED;
    live_forget(vm);
    reconcile_forget(vm);
    vm->ordered_generation = vm->vm.generation;
    vm->ordered_desired = RUN_STATE_PAUSED;
    reconcile_note_isolation(vm, isolation);
    emit_vm(cluster, vm, out);
    cluster_mark_dirty(cluster, vm);
    (void)emit_event(cluster, EVENT_KIND_VM_PLACED, REASON_NONE,
                     cluster_service_of(cluster, vm), vm->vm.vm, to->spec.node, out,
                     "vm %s went over from node %s to node %s, generation %llu", vm->vm.vm,
                     from->spec.node, to->spec.node, (unsigned long long)vm->vm.generation);
}

/* ---- what agents say ---- */

void live_receiver_status(struct cluster *cluster, struct vm_record *vm,
                          const struct node_record *to, const struct vm_status *status)
{
    struct live_move *move = &vm->live_move;
    move->receiver_snapshot = to->snapshot_number;
    bool answers = status->operation_done >= move->operation && move->operation != 0;
    move->receiver_whole = answers && status->state == RUN_STATE_PAUSED;
    if (status->peer[0] != '\0' && move->peer[0] == '\0') {
        memcpy(move->peer, status->peer, sizeof move->peer);
        memcpy(move->peer_key, status->peer_key, sizeof move->peer_key);
    }
    cluster_mark_dirty(cluster, vm);
}

bool live_receiver_result(struct cluster *cluster, struct vm_record *vm,
                          const struct node_record *node, const struct result *result,
                          struct effects *out)
{
    if (!vm->vm.live || strcmp(vm->vm.move_to, node->spec.node) != 0 ||
        result->generation != vm->vm.reserved_generation ||
        result->operation != vm->live_move.operation || result->operation == 0) {
        return false;
    }
    if (result->state == RESULT_STATE_FAILED || result->state == RESULT_STATE_REFUSED) {
        live_abort(cluster, vm, result->reason, result->text, out);
    }
    return true;
}

/* ---- the next step ---- */

/* What keeps it from going on; NULL: nothing. */
static const char *obstacle(const struct cluster *cluster, const struct vm_record *vm,
                            const struct node_record *to)
{
    const struct live_move *move = &vm->live_move;
    int64_t since_ms = cluster->now_ms - move->begun_at_ms;
    if (!move->begun) {
        return "the orchestrator was started anew meanwhile";
    }
    if (to == NULL || to->state != NODE_STATE_UP || to->mixed || to->spec.draining) {
        return "the node that it goes to is not there for it any more";
    }
    if (vm->vm.desired != RUN_STATE_RUNNING) {
        return "it is not to run any more";
    }
    if (cluster_service_of(cluster, vm)->spec.isolation != move->isolation) {
        return "its isolation was changed meanwhile";
    }
    if (vm->status_known && vm->status.state != RUN_STATE_RUNNING &&
        vm->status.state != RUN_STATE_PAUSED) {
        return "the guest ended meanwhile";
    }
    if (move->peer[0] == '\0' && since_ms > LISTEN_MS_MAX) {
        return "the node that it goes to does not say where it waits";
    }
    return since_ms > LIVE_MS_MAX ? "it took too long" : NULL;
}

static void order_receiver(struct cluster *cluster, struct vm_record *vm,
                           const struct vm_order *own, struct effects *out)
{
    struct live_move *move = &vm->live_move;
    struct vm_order wanted = *own;
    wanted.generation = vm->vm.reserved_generation;
    wanted.desired = RUN_STATE_PAUSED;
    wanted.load_share_permille = 0;
    memcpy(wanted.migrate_from, vm->vm.node, sizeof wanted.migrate_from);
    size_t length = strcspn(vm->status.address, "/");
    memcpy(wanted.address, vm->status.address, length);
    uint64_t hash = orders_hash(&wanted, vm->vm.move_to);
    bool is_new = hash != move->hash;
    bool shown = move->receiver_whole || move->peer[0] != '\0';
    if (!is_new && (shown || cluster->now_ms < move->sent_at_ms + RESEND_MS)) {
        return;
    }
    if (is_new) {
        move->operation = cluster->next_operation++;
        move->receiver_whole = false;
    }
    move->hash = hash;
    move->sent_at_ms = cluster->now_ms;
    struct node_message *message =
        emit_message(cluster, vm->vm.move_to, NODE_MESSAGE_VM_ORDER, out);
    message->vm_order = wanted;
    message->vm_order.operation = move->operation;
}

/* The sender said of its newest order, to stream, that it is done, and holds its copy. */
static bool is_handed_over(const struct vm_record *vm)
{
    return vm->live_move.streams && vm->operation != 0 && vm->status_known &&
           vm->status.operation_done >= vm->operation && vm->status.state == RUN_STATE_PAUSED &&
           vm->attempts > 0;
}

void live_visit(struct cluster *cluster, struct vm_record *vm, struct effects *out)
{
    struct node_record *from = table_find(&cluster->nodes, vm->vm.node);
    struct node_record *to = table_find(&cluster->nodes, vm->vm.move_to);
    struct live_move *move = &vm->live_move;
    struct vm_order wanted;
    enum reason why = REASON_NONE;
    const char *what = obstacle(cluster, vm, to);
    if (what == NULL && !orders_fill(cluster, vm, &wanted, &why, &what)) {
        what = "what it is made of is not known any more";
    } else if (what != NULL) {
        why = REASON_NODE_DOWN;
    }
    if (what != NULL && what[0] != '\0') {
        live_abort(cluster, vm, why == REASON_NONE ? REASON_CONFLICT : why, what, out);
        return;
    }
    if (is_handed_over(vm) && move->receiver_whole &&
        move->receiver_snapshot == to->snapshot_number) {
        commit(cluster, vm, from, to, out);
        return;
    }
    order_receiver(cluster, vm, &wanted, out);
    if (move->peer[0] != '\0') {
        memcpy(wanted.migrate_to, vm->vm.move_to, sizeof wanted.migrate_to);
        memcpy(wanted.peer, move->peer, sizeof wanted.peer);
        memcpy(wanted.peer_key, move->peer_key, sizeof wanted.peer_key);
        move->streams = true;
    }
    reconcile_order(cluster, vm, &wanted, out);
}
