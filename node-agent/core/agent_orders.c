// SPDX-License-Identifier: Apache-2.0
/* Orders for VMs: which are taken, what is told about them, and what is remembered of them. */
#include <stdio.h>
#include <string.h>

#include "node-agent/core/agent_state.h"

void agent_orders_start(struct agent *agent, const struct agent_memory *memory)
{
    agent->epoch = memory->epoch_seen;
    agent->parked = memory->parked;
    for (uint32_t i = 0; i < memory->vms_count && i < VMS_PER_NODE_MAX; i++) {
        struct vm_record *vm = agent_add_vm(agent);
        vm->ordered = true;
        vm->order = memory->orders[i];
        vm->ordered_at_ms = agent->now_ms;
        vm->reboots_done = vm->order.reboots;
        agent_text_copy(vm->address, sizeof vm->address, memory->addresses[i]);
    }
    for (uint32_t i = 0; i < memory->lent_count && i < VMS_PER_NODE_MAX; i++) {
        agent_address_lend(agent, memory->lent[i]);
    }
}

void agent_remember(struct agent *agent, struct agent_effects *out)
{
    struct agent_memory *memory = &agent->memory;
    memory->epoch_seen = agent->epoch;
    memory->parked = agent->parked;
    memory->vms_count = 0;
    for (uint32_t i = 0; i < agent->high; i++) {
        const struct vm_record *vm = &agent->vms[i];
        if (vm->used && vm->ordered) {
            memory->orders[memory->vms_count] = vm->order;
            agent_text_copy(memory->addresses[memory->vms_count], ADDRESS_SIZE, vm->address);
            memory->vms_count++;
        }
    }
    memory->entries_count = 0;
    for (uint32_t i = 0; i < ENTRY_SERVERS_MAX; i++) {
        if (agent->entries[i].used) {
            memory->entries[memory->entries_count++] = agent->entries[i].order;
        }
    }
    memory->lent_count = 0;
    for (uint32_t i = 0; i < VMS_PER_NODE_MAX; i++) {
        const char *lent = agent->lent[(agent->lent_next + i) % VMS_PER_NODE_MAX];
        if (lent[0] != '\0') {
            agent_text_copy(memory->lent[memory->lent_count++], ADDRESS_SIZE, lent);
        }
    }
    agent->memory_changed = false;
    agent->remember_at_ms = INT64_MAX;
    /* One at the end of a step holds what an earlier one of it would: but order matters. */
    agent_effect_add(out, AGENT_EFFECT_REMEMBER)->memory = memory;
}

void agent_remember_later(struct agent *agent)
{
    if (!agent->memory_changed) {
        agent->memory_changed = true;
        agent->remember_at_ms = agent->now_ms + REMEMBER_AFTER_MS;
    }
}

static struct result *add_result(struct agent *agent, const struct vm_order *order,
                                 enum result_state state, enum reason reason,
                                 struct agent_effects *out)
{
    struct result *result =
        &agent_message_add(agent, out, AGENT_EFFECT_SEND, NODE_MESSAGE_RESULT)->result;
    result->operation = order->operation;
    agent_text_copy(result->vm, sizeof result->vm, order->vm);
    result->generation = order->generation;
    result->state = state;
    result->reason = reason;
    return result;
}

void agent_result(struct agent *agent, const struct vm_record *vm, enum result_state state,
                  enum reason reason, const char *text, struct agent_effects *out)
{
    struct result *result = add_result(agent, &vm->order, state, reason, out);
    int64_t took_ms = agent->now_ms - vm->ordered_at_ms;
    result->took_ms = took_ms < 0 ? 0 : (took_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)took_ms);
    agent_text_copy(result->text, sizeof result->text, text);
}

void agent_problem(struct agent *agent, struct vm_record *vm, enum reason reason,
                   const char *text, struct agent_effects *out)
{
    if (vm->problem != reason || strncmp(vm->problem_text, text, TEXT_SIZE - 1) != 0) {
        vm->problem = reason;
        agent_text_copy(vm->problem_text, sizeof vm->problem_text, text);
        agent->changed = true;
        agent_log(out, 1, "vm=%s op=%llu reason=%s %s", vm->order.vm,
                  (unsigned long long)vm->order.operation, reason_word(reason), text);
    }
    if (vm->failed_operation != vm->order.operation || vm->failed_reason != reason) {
        vm->failed_operation = vm->order.operation;
        vm->failed_reason = reason;
        agent_result(agent, vm, RESULT_STATE_FAILED, reason, text, out);
    }
}

void agent_clear_problem(struct agent *agent, struct vm_record *vm)
{
    if (vm->problem != REASON_NONE) {
        vm->problem = REASON_NONE;
        vm->problem_text[0] = '\0';
        agent->changed = true;
    }
}

static void refuse(struct agent *agent, const struct vm_order *order, enum reason reason,
                   const char *text, struct agent_effects *out)
{
    struct result *result = add_result(agent, order, RESULT_STATE_REFUSED, reason, out);
    agent_text_copy(result->text, sizeof result->text, text);
    agent_log(out, 1, "vm=%s op=%llu reason=%s order refused: %s", order->vm,
              (unsigned long long)order->operation, reason_word(reason), text);
}

/* What this node cannot do for the order; NULL when it can do all of it. */
static const char *missing_capability(const struct agent *agent, const struct vm_order *order,
                                      enum reason *reason)
{
    *reason = REASON_NO_CAPABILITY;
    if (order->desired == RUN_STATE_ABSENT || order->desired == RUN_STATE_STOPPED) {
        return NULL;
    }
    if (!agent_can(agent, CAPABILITY_CREATE)) {
        return "this node's driver runs no VMs";
    }
    if (order->isolation == ISOLATION_FENCE && !agent_can(agent, CAPABILITY_SELF_FENCE)) {
        *reason = REASON_NO_SELF_FENCE;
        return "isolation fence needs a driver that can fence its host";
    }
    bool migrates = order->migrate_to[0] != '\0' || order->migrate_from[0] != '\0';
    if (migrates && !agent_can(agent, CAPABILITY_MIGRATE) &&
        !agent_can(agent, CAPABILITY_MIGRATE_LIVE)) {
        return "this node's driver cannot migrate";
    }
    if (order->desired == RUN_STATE_SUSPENDED && !agent_can(agent, CAPABILITY_SUSPEND)) {
        return "this node's driver cannot suspend";
    }
    if (order->desired == RUN_STATE_PAUSED && !agent_can(agent, CAPABILITY_PAUSE)) {
        return "this node's driver cannot pause";
    }
    if (agent->status.image_formats != 0 && order->image_format < 32 &&
        (agent->status.image_formats >> order->image_format & 1u) == 0) {
        return "this node's driver cannot run that format of image";
    }
    return NULL;
}

static bool is_orderable(enum run_state state)
{
    return state == RUN_STATE_RUNNING || state == RUN_STATE_PAUSED ||
           state == RUN_STATE_SUSPENDED || state == RUN_STATE_STOPPED ||
           state == RUN_STATE_ABSENT;
}

/* A newer content: what was tried and failed for the old one does not count any more. */
static void take_content(struct agent *agent, struct vm_record *vm,
                         const struct vm_order *order)
{
    bool new_generation = !vm->ordered || vm->order.generation != order->generation;
    if (new_generation) {
        vm->ran = vm->seen && vm->reading.generation == order->generation &&
                  vm->reading.state == RUN_STATE_RUNNING;
        vm->reboots_done = order->reboots;
        vm->restarts = 0;
        vm->restart_at_ms = 0;
        vm->fenced = false;
        vm->operation_done = 0;
    }
    if (!vm->ordered || vm->order.desired != order->desired) {
        vm->shutdown_failed = false;
        vm->gone = false;
    }
    agent_migrate_order(vm, order);
    vm->order = *order;
    vm->ordered = true;
    vm->ordered_at_ms = agent->now_ms;
    vm->unsettled_since_ms = 0;
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        vm->lanes[lane].retry_at_ms = 0;
        vm->lanes[lane].failures = 0;
    }
    agent_clear_problem(agent, vm);
    agent->changed = true;
}

/* Must be durable before it is acted on: who this VM is, and what is to become of it. */
static bool is_weighty(const struct vm_record *vm, const struct vm_order *order)
{
    return !vm->ordered || vm->order.generation != order->generation ||
           vm->order.desired != order->desired || vm->order.reboots != order->reboots ||
           vm->order.isolation != order->isolation ||
           strcmp(vm->order.migrate_to, order->migrate_to) != 0 ||
           strcmp(vm->order.migrate_from, order->migrate_from) != 0;
}

static void take_order(struct agent *agent, struct vm_record *vm, const struct vm_order *order,
                       struct agent_effects *out)
{
    uint64_t epoch = agent->epoch;
    bool same = vm->ordered && vm->order.operation == order->operation &&
                vm->order.generation == order->generation &&
                vm->order.desired == order->desired && vm->order_epoch == epoch;
    bool weighty = is_weighty(vm, order);
    if (same) {
        /* Sent again: the answer may have been lost. */
        vm->order = *order;
        vm->ordered_now = true;
        if (vm->operation_done == order->operation) {
            agent_result(agent, vm, RESULT_STATE_EFFECTIVE, REASON_NONE, "", out);
        } else if (vm->failed_operation == order->operation && vm->problem != REASON_NONE) {
            agent_result(agent, vm, RESULT_STATE_FAILED, vm->problem, vm->problem_text, out);
        }
    } else {
        take_content(agent, vm, order);
        vm->order_epoch = epoch;
        vm->ordered_now = true;
        vm->fenced = false;
        agent_result(agent, vm, RESULT_STATE_ACCEPTED, REASON_NONE, "", out);
    }
    bool lives = order->desired != RUN_STATE_ABSENT && order->desired != RUN_STATE_STOPPED;
    bool had_address = vm->address[0] != '\0';
    if (order->migrate_from[0] != '\0' && order->address[0] != '\0') {
        agent_text_copy(vm->address, sizeof vm->address, order->address);
        agent_address_back(agent, order->address);
    }
    if (lives && agent_address_take(agent, vm) != 0) {
        agent_problem(agent, vm, REASON_NO_ADDRESS,
                      "every address of this node's pool is in use", out);
    }
    if (weighty || had_address != (vm->address[0] != '\0')) {
        agent_remember(agent, out);
    } else if (!same) {
        agent_remember_later(agent);
    }
    agent_reach(agent, vm, out);
}

void agent_orders_message(struct agent *agent, const struct node_message *message,
                          struct agent_effects *out)
{
    const struct vm_order *order = &message->vm_order;
    if (!agent_lease_epoch(agent, message->header.epoch, out)) {
        refuse(agent, order, REASON_STALE_EPOCH, "a newer orchestrator has spoken to this node",
               out);
        return;
    }
    if (order->uuid[0] == '\0' || order->generation == 0 || !is_orderable(order->desired)) {
        refuse(agent, order, REASON_INVALID, "an order needs uuid, generation and a state",
               out);
        return;
    }
    struct vm_record *vm = agent_find_vm(agent, order->uuid);
    uint64_t known = 0;
    if (vm != NULL) {
        known = vm->ordered ? vm->order.generation : 0;
        if (vm->seen && vm->reading.generation > known) {
            known = vm->reading.generation;
        }
    }
    if (order->generation < known) {
        char text[TEXT_SIZE];
        (void)snprintf(text, sizeof text, "generation %llu is ordered, %llu is known here",
                       (unsigned long long)order->generation, (unsigned long long)known);
        refuse(agent, order, REASON_STALE_GENERATION, text, out);
        return;
    }
    if (vm != NULL && vm->ordered && vm->order_epoch == agent->epoch &&
        order->generation == vm->order.generation && order->operation < vm->order.operation) {
        return; /* overtaken by a newer order */
    }
    enum reason reason = REASON_NONE;
    const char *missing = missing_capability(agent, order, &reason);
    if (missing != NULL) {
        refuse(agent, order, reason, missing, out);
        return;
    }
    vm = vm != NULL ? vm : agent_add_vm(agent);
    if (vm == NULL) {
        refuse(agent, order, REASON_LIMIT, "this node holds as many VMs as it can", out);
        return;
    }
    take_order(agent, vm, order, out);
}
