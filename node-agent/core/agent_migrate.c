// SPDX-License-Identifier: Apache-2.0
// clang-format off: it flows the table together
/*
 * The agents' part of a migration. Each side does one thing and then waits for the
 * orchestrator, which alone decides who runs the VM:
 *
 *   receiver   order with migrate_from, a new generation, wanted paused: opens a port, tells it
 *              and a one-time key, makes the VM from the stream. It stays paused until an order
 *              without migrate_from wants it running, and that order comes only after the
 *              decision was made durable.
 *   sender     order with migrate_to: streams. When the receiver has all of it, our copy is
 *              suspended and handed over, and only an order without migrate_to lets it go on.
 *              A stream that fails lets it go on at once: the receiver's copy cannot run then,
 *              as nobody told that it was handed over.
 *
 * So a lost message, agent or host leaves one copy that can run, or a held one:
 *
 *   lost                              what follows
 *   before or in the stream           the sender's VM goes on; the receiver's part is thrown
 *                                     away
 *   the receiver's last answer        the same, though the receiver has all of it
 *   the sender's agent, after it      its copy is found suspended and not known as handed
 *                                     over: told as failed, then ordered to go on here
 *   the receiver, after it            the order to go on here follows
 *   the orchestrator                  both wait; the next epoch orders it to go on here
 */
// clang-format on
#include <string.h>

#include "node-agent/core/agent_state.h"

bool agent_migrates(const struct vm_record *vm)
{
    return vm->order.migrate_to[0] != '\0' || vm->order.migrate_from[0] != '\0';
}

static bool is_in(const struct vm_record *vm, enum run_state state)
{
    return vm->seen && vm->reading.generation == vm->order.generation &&
           vm->reading.state == state;
}

static enum hypervisor_call_kind next_to_send(struct agent *agent, struct vm_record *vm,
                                              struct agent_effects *out)
{
    bool tried = vm->migrated_operation == vm->order.operation;
    if (vm->handed_over || vm->order.peer[0] == '\0' || !vm->ordered_now) {
        return HYPERVISOR_CALL_UNSPECIFIED;
    }
    if (is_in(vm, RUN_STATE_RUNNING) && !tried) {
        return HYPERVISOR_CALL_MIGRATE_OUT;
    }
    if (is_in(vm, RUN_STATE_PAUSED)) {
        agent_problem(agent, vm, REASON_DRIVER,
                      "migrate-out: interrupted; the VM is held until it is ordered to go on",
                      out);
    }
    return HYPERVISOR_CALL_UNSPECIFIED;
}

static enum hypervisor_call_kind next_to_receive(struct agent *agent, struct vm_record *vm,
                                                 struct agent_effects *out)
{
    bool absent = !vm->seen || vm->reading.state == RUN_STATE_STOPPED;
    if (!absent || !vm->ordered_now || vm->migrated_operation == vm->order.operation) {
        return HYPERVISOR_CALL_UNSPECIFIED;
    }
    if (!agent_lease_allows_start(agent, vm)) {
        return HYPERVISOR_CALL_UNSPECIFIED;
    }
    if (agent->config.migrate_address[0] == '\0') {
        agent_problem(agent, vm, REASON_NO_CAPABILITY,
                      "this agent has no migrate_address to wait at", out);
        return HYPERVISOR_CALL_UNSPECIFIED;
    }
    return vm->peer[0] == '\0' ? HYPERVISOR_CALL_MIGRATE_LISTEN : HYPERVISOR_CALL_MIGRATE_IN;
}

enum hypervisor_call_kind agent_migrate_next(struct agent *agent, struct vm_record *vm,
                                             struct agent_effects *out)
{
    return vm->order.migrate_to[0] != '\0' ? next_to_send(agent, vm, out)
                                           : next_to_receive(agent, vm, out);
}

void agent_migrate_order(struct vm_record *vm, const struct vm_order *order)
{
    bool goes_on = vm->ordered && order->generation == vm->order.generation &&
                   order->migrate_to[0] != '\0' &&
                   strcmp(order->migrate_to, vm->order.migrate_to) == 0 &&
                   strcmp(order->peer_key, vm->order.peer_key) == 0;
    bool waits_on = vm->ordered && order->generation == vm->order.generation &&
                    order->migrate_from[0] != '\0' &&
                    strcmp(order->migrate_from, vm->order.migrate_from) == 0;
    if (goes_on || waits_on) {
        /* Another value changed: what was tried stays tried. */
        if (vm->migrated_operation != 0) {
            vm->migrated_operation = order->operation;
        }
        return;
    }
    vm->went_over = vm->handed_over && order->desired == RUN_STATE_ABSENT;
    vm->handed_over = false;
    vm->migrated_operation = 0;
    vm->peer[0] = '\0';
    vm->peer_key[0] = '\0';
}

void agent_migrate_done(struct agent *agent, struct vm_record *vm,
                        const struct hypervisor_completion *done)
{
    if (done->kind == HYPERVISOR_CALL_MIGRATE_LISTEN) {
        if (done->code == 0) {
            agent_text_copy(vm->peer, sizeof vm->peer, done->peer);
            agent_text_copy(vm->peer_key, sizeof vm->peer_key, done->peer_key);
        } else {
            vm->migrated_operation = vm->order.operation;
        }
        agent->changed = true;
    } else if (done->kind == HYPERVISOR_CALL_MIGRATE_IN) {
        vm->peer[0] = '\0'; /* the port is closed */
        vm->peer_key[0] = '\0';
        agent->changed = true;
    } else if (done->kind == HYPERVISOR_CALL_MIGRATE_OUT && done->code == 0) {
        /* 0: the order has changed since, and this stream was of the one before. */
        vm->handed_over = vm->order.migrate_to[0] != '\0' && vm->migrated_operation != 0;
    }
}

bool agent_migrate_reached(const struct vm_record *vm)
{
    bool held = is_in(vm, RUN_STATE_PAUSED);
    return vm->order.migrate_to[0] != '\0' ? held && vm->handed_over : held;
}
