// SPDX-License-Identifier: Apache-2.0
/*
 * The VMs of a node that is lost (moves and drains are in moves.c). One rule stands above all:
 * a VM gets a new generation elsewhere only when its old one cannot run any more. What proves
 * that:
 *
 *   - it was never ordered from its node;
 *   - a person said "confirm-dead" of the node;
 *   - its node declared that it fences itself, every order that the node may hold of the VM
 * says isolation fence, and the node's lease, acknowledged in this epoch, ran out with its
 * margin;
 *   - its node said that it ended it (moves and drains).
 *
 * The third acts by itself, so it has a brake: only in mode act, only while a strict majority
 * of the nodes holds leases, or one of two does, and only for few nodes in a time. A person's
 * confirmation passes each of these.
 */
#include "orchestrator/core/recovery.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/core/control.h"
#include "orchestrator/core/plan_scratch.h"

#define ROUND_MS        1000
#define BRAKE_WINDOW_MS 600000
#define BRAKE_DIVISOR   5 /* 20 % of the nodes in one window */
#define ROOM_PER_VM     8

const struct vm_disk *recovery_disk_of(const struct cluster *cluster,
                                       const struct vm_record *vm)
{
    const struct vm_group *group = cluster_group_of(cluster, vm);
    return group == NULL || !group->has_disk ? NULL : &group->disk;
}

bool recovery_is_pinned(const struct cluster *cluster, const struct vm_record *vm)
{
    const struct vm_disk *disk = recovery_disk_of(cluster, vm);
    return disk != NULL && disk->kind == DISK_KIND_LOCAL;
}

const char *recovery_disk_note(const struct cluster *cluster, const struct vm_record *vm)
{
    const struct vm_disk *disk = recovery_disk_of(cluster, vm);
    return disk != NULL && disk->kind == DISK_KIND_SHARED
               ? ""
               : "; it starts from its image, its copy "
                 "disk is lost";
}

/* Needs a node: wanted alive. */
static bool is_wanted(const struct vm_record *vm)
{
    return vm->vm.desired == RUN_STATE_RUNNING || vm->vm.desired == RUN_STATE_PAUSED;
}

/* Its old copy is dead: it starts on to, or waits for a node. */
void recovery_place_anew(struct cluster *cluster, struct vm_record *vm, struct node_record *to,
                         enum reason why, struct effects *out)
{
    reconcile_forget(vm);
    live_forget(vm);
    vm->vm.move_to[0] = '\0';
    if (to != NULL) {
        plan_assign(cluster, vm, to, out);
        return;
    }
    vm->vm.node[0] = '\0';
    plan_wait_for_node(cluster, vm, why, out);
}

/* ---- a lost node ---- */

/* Nodes that may hold VMs, and those of them whose lease is good. What a person declared dead
 * is understood and does not count. */
static void count_nodes(const struct cluster *cluster, uint32_t *all, uint32_t *healthy)
{
    const struct node_record *node = NULL;
    *all = 0;
    *healthy = 0;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        if (node->kind == NODE_KIND_NONE || node->mixed || node->state == NODE_STATE_DEAD) {
            continue;
        }
        (*all)++;
        if (node->state == NODE_STATE_UP && node->lease_acknowledged &&
            node->lease_expires_ms >= cluster->now_ms) {
            (*healthy)++;
        }
    }
}

/* One decision per loss; the window counts from the newest one that passed. */
static bool brake_passes(struct cluster *cluster, struct node_record *node)
{
    if (node->recovery_allowed) {
        return true;
    }
    uint32_t all = 0;
    uint32_t healthy = 0;
    count_nodes(cluster, &all, &healthy);
    uint32_t limit = all / BRAKE_DIVISOR > 1 ? all / BRAKE_DIVISOR : 1;
    if (cluster->now_ms - cluster->failover_window_ms >= BRAKE_WINDOW_MS) {
        cluster->failover_count = 0;
    }
    /* One node is no mass, also of two: without this the smallest cluster would never act. */
    const bool is_one_of_two = all == 2 && healthy == 1;
    if ((healthy * 2 <= all && !is_one_of_two) || cluster->failover_count >= limit) {
        return false;
    }
    cluster->failover_window_ms = cluster->now_ms;
    cluster->failover_count++;
    node->recovery_allowed = true;
    return true;
}

static bool is_fenced(const struct cluster *cluster, const struct vm_record *vm,
                      const struct node_record *node)
{
    return node->state == NODE_STATE_EXPIRED && node->lease_acknowledged &&
           (node->status.capabilities & CAPABILITY_SELF_FENCE) != 0 &&
           cluster_service_of(cluster, vm)->spec.isolation == ISOLATION_FENCE &&
           vm->fenced_generation == vm->vm.generation;
}

/* Why the VM may not start elsewhere now; REASON_NONE: it may. */
static enum reason why_held(const struct cluster *cluster, const struct vm_record *vm,
                            const struct node_record *node)
{
    if (recovery_is_pinned(cluster, vm) && !reconcile_never_ordered(vm)) {
        return REASON_DISK_PINNED;
    }
    if (node->state == NODE_STATE_DEAD) {
        return REASON_NONE;
    }
    if (!reconcile_never_ordered(vm) && !is_fenced(cluster, vm, node)) {
        return REASON_NEEDS_CONFIRM;
    }
    return cluster_mode(cluster) == MODE_ACT ? REASON_NONE : REASON_MODE;
}

static void tell_lost(struct cluster *cluster, struct vm_record *vm,
                      const struct node_record *node, enum reason reason, struct effects *out)
{
    bool restarts = reason == REASON_LEASE_EXPIRED || reason == REASON_CONFIRMED_DEAD;
    (void)emit_event(cluster, EVENT_KIND_VM_LOST, reason, cluster_service_of(cluster, vm),
                     vm->vm.vm, node->spec.node, out, "vm %s was on lost node %s%s", vm->vm.vm,
                     node->spec.node,
                     restarts ? recovery_disk_note(cluster, vm)
                     : reason == REASON_DISK_PINNED
                         ? "; its disk is local there, so it starts nowhere else"
                         : " and is not started elsewhere before that is allowed");
}

static void hold(struct cluster *cluster, struct vm_record *vm, const struct node_record *node,
                 enum reason reason, struct effects *out)
{
    bool is_news = vm->vm.phase != VM_PHASE_RECOVERING;
    if (is_news) {
        vm->vm.phase = VM_PHASE_RECOVERING;
        live_forget(vm);
        vm->vm.move_to[0] = '\0';
        emit_vm(cluster, vm, out);
        cluster_mark_dirty(cluster, vm);
        tell_lost(cluster, vm, node, reason, out);
    }
    if (vm->problem == reason) {
        return;
    }
    vm->problem = reason;
    (void)snprintf(vm->problem_text, sizeof vm->problem_text, "node %s is lost",
                   node->spec.node);
    if (reason == REASON_DISK_PINNED) {
        (void)emit_event(
            cluster, EVENT_KIND_ALARM, reason, cluster_service_of(cluster, vm), vm->vm.vm,
            node->spec.node, out,
            "vm %s has its disk on lost node %s: it starts nowhere else; bring the "
            "node back, or delete the service and apply it anew",
            vm->vm.vm, node->spec.node);
    }
}

/* to: NULL: one that has room for it all the same, or none. */
static void restart(struct cluster *cluster, struct vm_record *vm,
                    const struct node_record *node, struct node_record *to, struct effects *out)
{
    enum reason cause =
        node->state == NODE_STATE_DEAD ? REASON_CONFIRMED_DEAD : REASON_LEASE_EXPIRED;
    enum reason why = REASON_NONE;
    if (to == NULL) {
        to = plan_node_for(cluster, vm, &why);
    }
    tell_lost(cluster, vm, node, cause, out);
    recovery_place_anew(cluster, vm, to, why, out);
    if (to != NULL) {
        control_loss_restart(cluster, vm, node, cause, out);
    }
}

/* What held VMs of a lost node, for the one alarm about it, and those that start elsewhere. */
struct held {
    uint32_t confirm;
    uint32_t mode;
    uint32_t brake;
    uint32_t count;
    uint32_t slots[VMS_PER_NODE_MAX];
    uint32_t floors_pct[VMS_PER_NODE_MAX];
};

/* Keeps it for its turn: who needs most comes first, as long as there is a choice of nodes. */
static void add_restart(const struct cluster *cluster, const struct vm_record *vm,
                        struct held *held)
{
    const uint32_t floor_pct = control_floor_of(cluster, vm);
    uint32_t at = held->count++;
    for (; at > 0 && held->floors_pct[at - 1] < floor_pct; at--) {
        held->slots[at] = held->slots[at - 1];
        held->floors_pct[at] = held->floors_pct[at - 1];
    }
    held->slots[at] = table_slot(&cluster->vms, vm);
    held->floors_pct[at] = floor_pct;
}

/* All at once, so that one does not take the room that another needs more; who found none
 * comes last, and is told what is short then. */
static void restart_all(struct cluster *cluster, const struct node_record *node,
                        const struct held *held, struct effects *out)
{
    struct node_record *to[VMS_PER_NODE_MAX];
    plan_nodes_for(cluster, held->slots, held->count, to);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < held->count; i++) {
            if ((to[i] == NULL) != (round == 1)) {
                continue;
            }
            if (!effects_room(out, 2 * ROOM_PER_VM)) {
                return; /* the next round goes on */
            }
            restart(cluster, table_at(&cluster->vms, held->slots[i]), node, to[i], out);
        }
    }
}

static void raise_alarm(struct cluster *cluster, struct node_record *node,
                        const struct held *held, struct effects *out)
{
    const char *name = node->spec.node;
    enum reason reason = held->brake > 0     ? REASON_MASS_FAILURE
                         : held->mode > 0    ? REASON_MODE
                         : held->confirm > 0 ? REASON_NEEDS_CONFIRM
                                             : REASON_NONE;
    if (reason == REASON_NONE || node->alarm == reason) {
        return;
    }
    node->alarm = reason;
    if (reason == REASON_MASS_FAILURE) {
        (void)emit_event(
            cluster, EVENT_KIND_ALARM, reason, NULL, NULL, name, out,
            "too many nodes are lost: the %u VMs of node %s are not started elsewhere "
            "by themselves. If it is really off: arbiter confirm-dead %s",
            held->brake + held->confirm, name, name);
    } else if (reason == REASON_MODE) {
        (void)emit_event(cluster, EVENT_KIND_ALARM, reason, NULL, NULL, name, out,
                         "node %s is lost and the mode is not act: its %u VMs are not started "
                         "elsewhere. To do it: arbiter confirm-dead %s, or arbiter mode act",
                         name, held->mode + held->confirm, name);
    } else {
        (void)emit_event(
            cluster, EVENT_KIND_ALARM, reason, NULL, NULL, name, out,
            "node %s is lost; %u of its VMs (isolation run, or no fence there) may "
            "still run and are not started elsewhere. If it is really off: arbiter "
            "confirm-dead %s",
            name, held->confirm, name);
    }
}

static void recover_vm(struct cluster *cluster, struct vm_record *vm, struct node_record *node,
                       struct held *held, struct effects *out)
{
    if (vm->vm.phase == VM_PHASE_REMOVING) {
        if (node->state == NODE_STATE_DEAD || reconcile_never_ordered(vm)) {
            cluster_vm_gone(cluster, vm, out);
        }
        return;
    }
    if (!is_wanted(vm)) {
        return; /* it is not missed, and its disk may be there */
    }
    enum reason reason = why_held(cluster, vm, node);
    if (reason == REASON_NONE && node->state != NODE_STATE_DEAD &&
        !brake_passes(cluster, node)) {
        reason = REASON_MASS_FAILURE;
    }
    held->confirm += reason == REASON_NEEDS_CONFIRM ? 1 : 0;
    held->mode += reason == REASON_MODE ? 1 : 0;
    held->brake += reason == REASON_MASS_FAILURE ? 1 : 0;
    if (reason != REASON_NONE) {
        hold(cluster, vm, node, reason, out);
        return;
    }
    if (held->count < VMS_PER_NODE_MAX) { /* others in the next round */
        add_restart(cluster, vm, held);
    }
}

static void recover_node(struct cluster *cluster, struct node_record *node, struct effects *out)
{
    struct held held = {.count = 0};
    struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&cluster->vms, &i)) != NULL;) {
        if (!effects_room(out, ROOM_PER_VM)) {
            break; /* the next round goes on */
        }
        if (strcmp(vm->vm.node, node->spec.node) == 0) {
            recover_vm(cluster, vm, node, &held, out);
        }
    }
    raise_alarm(cluster, node, &held, out);
    restart_all(cluster, node, &held, out);
    control_loss_decide(cluster, out);
}

void recovery_node_expired(struct cluster *cluster, struct node_record *node,
                           struct effects *out)
{
    recover_node(cluster, node, out);
}

void recovery_node_confirmed_dead(struct cluster *cluster, struct node_record *node,
                                  struct effects *out)
{
    if (node->state == NODE_STATE_UP) {
        (void)emit_event(
            cluster, EVENT_KIND_ALARM, REASON_CONFLICT, NULL, NULL, node->spec.node, out,
            "node %s speaks, so it is not taken for dead; drain it instead", node->spec.node);
        return;
    }
    (void)membership_move(cluster, node, NODE_STATE_DEAD);
    node->life.confirmed_dead = true;
    node->alarm = REASON_NONE;
    emit_node_epoch(cluster, node, out);
    recover_node(cluster, node, out);
}

/* What it still holds of its VMs is the present generation; older ones are ended by its
 * snapshot. */
void recovery_node_back(struct cluster *cluster, struct node_record *node, struct effects *out)
{
    node->recovery_allowed = false;
    struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&cluster->vms, &i)) != NULL;) {
        if (strcmp(vm->vm.node, node->spec.node) != 0) {
            continue;
        }
        /* A node that fenced itself starts a VM again only for a new operation. */
        vm->operation = 0;
        vm->order_hash = 0;
        if (vm->vm.phase == VM_PHASE_RECOVERING) {
            vm->vm.phase = VM_PHASE_ASSIGNED;
            vm->problem = REASON_NONE;
            vm->problem_text[0] = '\0';
            if (effects_room(out, ROOM_PER_VM)) {
                emit_vm(cluster, vm, out);
            }
        }
        cluster_mark_dirty(cluster, vm);
    }
}

/* ---- rounds ---- */

void recovery_tick(struct cluster *cluster, struct effects *out)
{
    if (cluster->nodes.count == 0 || cluster->now_ms < cluster->recovery_at_ms) {
        return;
    }
    cluster->recovery_at_ms = cluster->now_ms + ROUND_MS;
    struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        if (node->vms > 0 &&
            (node->state == NODE_STATE_EXPIRED || node->state == NODE_STATE_DEAD)) {
            recover_node(cluster, node, out);
        } else if (node->spec.draining) {
            recovery_drain(cluster, node, out);
        }
    }
}

int64_t recovery_deadline_ms(const struct cluster *cluster)
{
    return cluster->nodes.count == 0 ? INT64_MAX : cluster->recovery_at_ms;
}
