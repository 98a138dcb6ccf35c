// SPDX-License-Identifier: Apache-2.0
/*
 * The honest nodes of timeline.h. Such a node refuses what is older than what it knows, starts
 * a protected VM only under a valid lease (an order that comes without one is refused, or waits
 * for the next one), ends protected VMs when its lease runs out on its own clock, and starts a
 * VM that it fenced only for a newer operation.
 */
#ifndef TESTS_ORCHESTRATOR_CORE_TIMELINE_NODES_H
#define TESTS_ORCHESTRATOR_CORE_TIMELINE_NODES_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timeline_world.h"

#define RENEW_EVERY_MS 1000

static UNUSED struct node_message *new_message(const struct test_node *node,
                                               enum node_message_type type)
{
    struct node_message *message = calloc(1, sizeof *message);
    message->header.version = PROTOCOL_VERSION;
    message->header.epoch = node->epoch_seen;
    message->type = type;
    return message;
}

static UNUSED void node_send(struct world *world, struct test_node *node,
                             struct node_message *message)
{
    wire_send(&node->up, message, world->now_ms, &world->rng);
    free(message);
}

static UNUSED void fill_status(const struct test_node *node, struct node_status *status)
{
    (void)snprintf(status->driver, sizeof status->driver, "%s",
                   (node->capabilities & CAPABILITY_MODEL) != 0 ? "model" : "real");
    status->capabilities = node->capabilities;
    status->cpu_pct = 800;
    status->cpu_pct_total = 800;
    status->memory_kib = 16u << 20;
    status->memory_kib_total = 16u << 20;
    status->vcpus_max = 16;
    status->image_formats = 0xff;
}

static UNUSED void node_send_snapshot(struct world *world, struct test_node *node)
{
    struct node_message *message = new_message(node, NODE_MESSAGE_SNAPSHOT);
    struct snapshot *snapshot = &message->snapshot;
    (void)snprintf(snapshot->incarnation, sizeof snapshot->incarnation, "%s",
                   node->incarnation);
    snapshot->number = ++node->snapshot_number;
    fill_status(node, &snapshot->status);
    for (uint32_t i = 0; i < NODE_VMS_MAX; i++) {
        const struct node_vm *vm = &node->vms[i];
        if (!vm->used || (!node->lists_absent && vm->state == RUN_STATE_ABSENT &&
                          vm->effective_at_ms == 0)) {
            continue;
        }
        struct vm_status *status = &snapshot->vms[snapshot->vms_count++];
        memcpy(status->vm, vm->order.vm, sizeof status->vm);
        memcpy(status->uuid, vm->order.uuid, sizeof status->uuid);
        status->generation = vm->runs ? vm->runs_generation : vm->order.generation;
        status->state = vm->state;
        status->operation_done = vm->done;
        status->busy = vm->effective_at_ms != 0;
        status->cap_pct = vm->order.cap_pct;
        status->memory_kib = vm->runs ? vm->memory_kib : 0;
        status->memory_kib_accepted = vm->runs ? vm->order.memory_kib : 0;
        status->problem = REASON_NONE;
        if (vm->waits) {
            (void)snprintf(status->peer, sizeof status->peer, "%.50s:1", node->name);
            (void)snprintf(status->peer_key, sizeof status->peer_key, "key-%llu",
                           (unsigned long long)vm->order.operation);
        }
        (void)snprintf(status->address, sizeof status->address, "10.0.%u.%u/24",
                       (unsigned)(node - world->nodes), i + 10);
    }
    snapshot->entries_count = node->entries_count;
    memcpy(snapshot->entries, node->entries, sizeof node->entries);
    node->snapshot_at_ms = world->now_ms + 10000;
    node_send(world, node, message);
}

static UNUSED void send_result(struct world *world, struct test_node *node,
                               const struct vm_order *order, enum result_state state,
                               enum reason reason)
{
    struct node_message *message = new_message(node, NODE_MESSAGE_RESULT);
    message->result.operation = order->operation;
    memcpy(message->result.vm, order->vm, sizeof message->result.vm);
    message->result.generation = order->generation;
    message->result.state = state;
    message->result.reason = reason;
    (void)snprintf(message->result.text, sizeof message->result.text, "%s",
                   reason_word(reason));
    node_send(world, node, message);
}

static UNUSED bool has_lease(const struct world *world, const struct test_node *node)
{
    return node->parked || own_clock(world, node) < node->lease_until;
}

static UNUSED struct node_vm *vm_of(struct test_node *node, const char *uuid)
{
    struct node_vm *free_slot = NULL;
    for (uint32_t i = 0; i < NODE_VMS_MAX; i++) {
        if (node->vms[i].used && strcmp(node->vms[i].order.uuid, uuid) == 0) {
            return &node->vms[i];
        }
        if (!node->vms[i].used && free_slot == NULL) {
            free_slot = &node->vms[i];
        }
    }
    return free_slot;
}

static UNUSED void node_take_order(struct world *world, struct test_node *node,
                                   const struct vm_order *order)
{
    struct node_vm *vm = vm_of(node, order->uuid);
    assert(vm != NULL);
    if (node->ignores_orders) {
        return;
    }
    if (vm->used &&
        (order->generation < vm->order.generation || order->operation < vm->order.operation)) {
        send_result(world, node, order, RESULT_STATE_REFUSED, REASON_STALE_GENERATION);
        return;
    }
    bool wants_start = order->desired == RUN_STATE_RUNNING && !vm->runs;
    bool is_protected = order->isolation == ISOLATION_FENCE;
    if (wants_start && ((is_protected && !node->waits_for_lease && !has_lease(world, node)) ||
                        (vm->used && order->operation <= vm->fenced_operation))) {
        send_result(world, node, order, RESULT_STATE_REFUSED, REASON_LEASE_EXPIRED);
        return;
    }
    if (vm->used && order->operation == vm->order.operation) {
        if (vm->done >= order->operation) {
            send_result(world, node, order, RESULT_STATE_EFFECTIVE, REASON_NONE);
        }
        return;
    }
    if (!vm->used) {
        memset(vm, 0, sizeof *vm);
        vm->used = true;
        vm->state = RUN_STATE_ABSENT;
    }
    bool streams_on = vm->handed_over && strcmp(vm->order.peer_key, order->peer_key) == 0;
    bool waits_on = vm->waits && order->migrate_from[0] != '\0';
    vm->handed_over = streams_on && order->migrate_to[0] != '\0';
    vm->waits = waits_on;
    vm->order = *order;
    vm->effective_at_ms = world->now_ms + node->boot_ms;
    send_result(world, node, order, RESULT_STATE_ACCEPTED, REASON_NONE);
}

/* An end of a stream: both processes and both hosts are there, and the other one waits for it.
 */
static UNUSED struct node_vm *stream_end(struct world *world, const struct vm_order *order)
{
    struct test_node *to = node_named(world, order->migrate_to);
    struct node_vm *vm = to == NULL ? NULL : vm_of(to, order->uuid);
    char key[NAME_SIZE];
    if (vm == NULL || !vm->used || !to->powered || !to->agent || !vm->waits) {
        return NULL;
    }
    (void)snprintf(key, sizeof key, "key-%llu", (unsigned long long)vm->order.operation);
    return strcmp(key, order->peer_key) == 0 ? vm : NULL;
}

/* The guest is suspended at the end of its stream; the copy there is whole before ours is told
 * as handed over. */
static UNUSED void stream_takes_effect(struct world *world, struct test_node *node,
                                       struct node_vm *vm)
{
    struct node_vm *other = stream_end(world, &vm->order);
    if (vm->handed_over) {
        vm->done = vm->order.operation;
        send_result(world, node, &vm->order, RESULT_STATE_EFFECTIVE, REASON_NONE);
        return;
    }
    bool breaks = node->streams_broken > 0;
    if (other == NULL || !vm->runs || breaks) {
        node->streams_broken -= breaks ? 1 : 0;
        send_result(world, node, &vm->order, RESULT_STATE_FAILED, REASON_DRIVER);
        return;
    }
    struct test_node *to = node_named(world, vm->order.migrate_to);
    other->waits = false;
    other->state = RUN_STATE_PAUSED;
    other->memory = vm->memory;
    other->done = other->order.operation;
    other->effective_at_ms = 0;
    send_result(world, to, &other->order, RESULT_STATE_EFFECTIVE, REASON_NONE);
    node_send_snapshot(world, to);
    vm->runs = false;
    vm->state = RUN_STATE_PAUSED;
    vm->handed_over = true;
    vm->done = vm->order.operation;
    send_result(world, node, &vm->order, RESULT_STATE_EFFECTIVE, REASON_NONE);
    node_send_snapshot(world, node);
}

/* True: the order is about a migration and was dealt with. */
static UNUSED bool migration_takes_effect(struct world *world, struct test_node *node,
                                          struct node_vm *vm)
{
    if (vm->order.migrate_from[0] != '\0') {
        if (vm->state == RUN_STATE_PAUSED) {
            vm->done = vm->order.operation;
        } else {
            vm->waits = true;
        }
        node_send_snapshot(world, node);
        return true;
    }
    if (vm->order.migrate_to[0] != '\0') {
        stream_takes_effect(world, node, vm);
        return true;
    }
    return false;
}

static UNUSED void order_takes_effect(struct world *world, struct test_node *node,
                                      struct node_vm *vm)
{
    vm->effective_at_ms = 0;
    const struct vm_order *order = &vm->order;
    if (migration_takes_effect(world, node, vm)) {
        return;
    }
    if (order->desired == RUN_STATE_RUNNING) {
        if (order->isolation == ISOLATION_FENCE && !has_lease(world, node)) {
            if (node->waits_for_lease) {
                vm->effective_at_ms = world->now_ms + STEP_MS;
                return;
            }
            vm->fenced_operation = order->operation;
            return;
        }
        vm->memory = vm->runs || vm->state == RUN_STATE_PAUSED ? vm->memory : ++world->memories;
        vm->runs = true;
        vm->runs_generation = order->generation;
        vm->runs_isolation = order->isolation;
    } else {
        vm->runs = false;
    }
    vm->memory_kib = order->memory_kib;
    vm->state = order->desired;
    vm->done = order->operation;
    send_result(world, node, order, RESULT_STATE_EFFECTIVE, REASON_NONE);
    node_send_snapshot(world, node);
}

static UNUSED void node_take_entry(struct world *world, struct test_node *node,
                                   const struct entry_order *order)
{
    uint32_t at = 0;
    while (at < node->entries_count && strcmp(node->entries[at].service, order->service) != 0) {
        at++;
    }
    if (order->remove) {
        if (at < node->entries_count) {
            node->entries_count--;
            node->entries[at] = node->entries[node->entries_count];
            node->entry_orders[at] = node->entry_orders[node->entries_count];
        }
    } else {
        if (at == node->entries_count) {
            node->entries_count++;
        }
        memset(&node->entries[at], 0, sizeof node->entries[at]);
        memcpy(node->entries[at].service, order->service, sizeof order->service);
        node->entries[at].operation_done = order->operation;
        node->entries[at].up = true;
        node->entry_orders[at] = *order;
    }
    node_send_snapshot(world, node);
}

static UNUSED void node_take_grant(struct test_node *node, const struct node_message *message)
{
    double until = (double)message->grant.sent_at_ms + message->grant.lease_ms;
    node->lease_until = until > node->lease_until ? until : node->lease_until;
    if (message->header.epoch > node->granted_epoch ||
        message->grant.sequence > node->granted_sequence) {
        node->granted_epoch = message->header.epoch;
        node->granted_sequence = message->grant.sequence;
    }
    if (node->parked && message->header.epoch > node->parked_epoch) {
        node->parked = false;
    }
}

static UNUSED void node_take(struct world *world, struct test_node *node,
                             const struct node_message *message)
{
    if (!node->agent || message->header.epoch < node->epoch_seen) {
        return;
    }
    if (message->header.epoch > node->epoch_seen) {
        node->epoch_seen = message->header.epoch;
        node->welcome = false;
    }
    switch (message->type) {
    case NODE_MESSAGE_WELCOME:
        node->welcome = true;
        node_send_snapshot(world, node);
        break;
    case NODE_MESSAGE_GRANT: node_take_grant(node, message); break;
    case NODE_MESSAGE_VM_ORDER: node_take_order(world, node, &message->vm_order); break;
    case NODE_MESSAGE_ENTRY_ORDER: node_take_entry(world, node, &message->entry_order); break;
    case NODE_MESSAGE_PARK:
        node->parked = true;
        node->parked_epoch = message->header.epoch;
        break;
    case NODE_MESSAGE_UNSPECIFIED:
    case NODE_MESSAGE_HELLO:
    case NODE_MESSAGE_RENEW:
    case NODE_MESSAGE_SNAPSHOT:
    case NODE_MESSAGE_RESULT:
    case NODE_MESSAGE_HEARTBEAT:
    case NODE_MESSAGE_METRICS:
    case NODE_MESSAGE_LEAVE: break;
    }
}

/* What a host does with or without its agent: the watchdog that a lease armed goes on counting.
 */
static UNUSED void node_fence(struct world *world, struct test_node *node)
{
    if (has_lease(world, node)) {
        return;
    }
    bool any = false;
    for (uint32_t i = 0; i < NODE_VMS_MAX; i++) {
        struct node_vm *vm = &node->vms[i];
        if (vm->runs && vm->runs_isolation == ISOLATION_FENCE) {
            vm->runs = false;
            vm->state = RUN_STATE_STOPPED;
            vm->fenced_operation = vm->order.operation;
            vm->effective_at_ms = 0;
            node->fences++;
            any = true;
        }
    }
    if (any && node->agent) {
        node_send_snapshot(world, node);
    }
}

static UNUSED void node_renew(struct world *world, struct test_node *node)
{
    if (!node->welcome) {
        struct node_message *hello = new_message(node, NODE_MESSAGE_HELLO);
        (void)snprintf(hello->hello.incarnation, sizeof hello->hello.incarnation, "%s",
                       node->incarnation);
        fill_status(node, &hello->hello.status);
        hello->hello.epoch_seen = node->epoch_seen;
        node_send(world, node, hello);
    }
    if (node->epoch_seen > 0) {
        struct node_message *renew = new_message(node, NODE_MESSAGE_RENEW);
        (void)snprintf(renew->renew.incarnation, sizeof renew->renew.incarnation, "%s",
                       node->incarnation);
        renew->renew.sequence = ++node->sequence;
        renew->renew.sent_at_ms = (int64_t)own_clock(world, node);
        renew->renew.granted_epoch = node->granted_epoch;
        renew->renew.granted_sequence = node->granted_sequence;
        node_send(world, node, renew);
    }
    struct node_message *beat = new_message(node, NODE_MESSAGE_HEARTBEAT);
    beat->header.sequence = ++node->telemetry;
    (void)snprintf(beat->heartbeat.incarnation, sizeof beat->heartbeat.incarnation, "%s",
                   node->incarnation);
    node_send(world, node, beat);
}

static UNUSED void node_step(struct world *world, struct test_node *node)
{
    struct letter *letter = NULL;
    while ((letter = wire_take(&node->down, world->now_ms)) != NULL) {
        if (node->powered) {
            node_take(world, node, letter->message);
        }
        free(letter->message);
        free(letter);
    }
    if (!node->powered) {
        return;
    }
    node_fence(world, node);
    for (uint32_t i = 0; node->agent && i < NODE_VMS_MAX; i++) {
        struct node_vm *vm = &node->vms[i];
        if (vm->effective_at_ms != 0 && world->now_ms >= vm->effective_at_ms) {
            order_takes_effect(world, node, vm);
        }
    }
    if (node->agent && world->now_ms >= node->renew_at_ms) {
        node->renew_at_ms = world->now_ms + RENEW_EVERY_MS;
        node_renew(world, node);
        if (node->welcome && world->now_ms >= node->snapshot_at_ms) {
            node_send_snapshot(world, node);
        }
    }
}

/* Another process: what it learned from this orchestrator is gone, its state folder is not. */
static UNUSED void node_restart_agent(struct world *world, struct test_node *node)
{
    node->agent = true;
    node->lives++;
    (void)snprintf(node->incarnation, sizeof node->incarnation, "%.50s-%u", node->name,
                   node->lives);
    node->welcome = false;
    node->sequence = 0;
    node->granted_epoch = 0;
    node->granted_sequence = 0;
    node->snapshot_number = 0;
    node->telemetry = 0;
    node->renew_at_ms = world->now_ms;
}

static UNUSED void node_kill_agent(struct test_node *node)
{
    node->agent = false;
    wire_cut(&node->up);
    wire_cut(&node->down);
    for (uint32_t i = 0; i < NODE_VMS_MAX; i++) {
        if (node->vms[i].effective_at_ms != 0) {
            node->vms[i].effective_at_ms = 0; /* the call under way dies with it */
            node->vms[i].order.operation = node->vms[i].done;
        }
        node->vms[i].waits = false;
        node->vms[i].handed_over = false;
    }
}

static UNUSED void node_power_off(struct test_node *node)
{
    node_kill_agent(node);
    node->powered = false;
    node->parked = false;
    node->lease_until = 0;
    for (uint32_t i = 0; i < NODE_VMS_MAX; i++) {
        if (node->vms[i].runs || node->vms[i].state == RUN_STATE_PAUSED) {
            node->vms[i].runs = false;
            node->vms[i].state = RUN_STATE_STOPPED;
            node->vms[i].fenced_operation = node->vms[i].order.operation;
        }
    }
}

static UNUSED void node_power_on(struct world *world, struct test_node *node)
{
    node->powered = true;
    node_restart_agent(world, node);
}

#endif
