// SPDX-License-Identifier: Apache-2.0
#include "node-agent/core/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/core/agent_state.h"

#define SAMPLE_DEFAULT_MS 1000u

void agent_text_copy(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size - 1);
    memcpy(to, from, length);
    memset(to + length, 0, size - length);
}

static int check_addresses(const struct agent_config *config, uint32_t *first, uint32_t *last,
                           struct err *err)
{
    *first = 0;
    *last = 0;
    if (config->address_first[0] == '\0') {
        return 0;
    }
    if (!agent_address_parse(config->address_first, first) || *first == 0 ||
        !agent_address_parse(config->address_last, last) || *last < *first) {
        return err_set(err, -EINVAL, "addresses %s to %s are no range of IPv4 addresses",
                       config->address_first, config->address_last);
    }
    if (config->address_prefix == 0 || config->address_prefix > 32) {
        return err_set(err, -EINVAL, "prefix %u of the addresses is not 1 to 32",
                       config->address_prefix);
    }
    return 0;
}

struct agent *agent_create(const struct agent_config *config, struct err *err)
{
    uint32_t first = 0;
    uint32_t last = 0;
    if (config->incarnation[0] == '\0') {
        err_set(err, -EINVAL, "an agent needs an incarnation");
        return NULL;
    }
    if (check_addresses(config, &first, &last, err) != 0) {
        return NULL;
    }
    struct agent *agent = calloc(1, sizeof *agent);
    if (agent == NULL) {
        err_set(err, -ENOMEM, "no memory for the agent");
        return NULL;
    }
    agent->config = *config;
    if (agent->config.sample_ms == 0) {
        agent->config.sample_ms = SAMPLE_DEFAULT_MS;
    }
    agent->address_first = first;
    agent->address_last = last;
    agent->lease_until_ms = INT64_MIN;
    agent->snapshot_sent_ms = INT64_MIN;
    agent->hello_at_ms = INT64_MAX;
    agent->renew_at_ms = INT64_MAX;
    agent->remember_at_ms = INT64_MAX;
    return agent;
}

void agent_destroy(struct agent *agent)
{
    free(agent);
}

bool agent_has_stopped(const struct agent *agent)
{
    return agent->stopped;
}

bool agent_can(const struct agent *agent, uint32_t capabilities)
{
    uint32_t all = agent->config.capabilities | agent->status.capabilities;
    return (all & capabilities) == capabilities;
}

struct vm_record *agent_find_vm(struct agent *agent, const char *uuid)
{
    for (uint32_t i = 0; i < agent->high; i++) {
        struct vm_record *vm = &agent->vms[i];
        const char *own = vm->ordered ? vm->order.uuid : vm->reading.uuid;
        if (vm->used && strcmp(own, uuid) == 0) {
            return vm;
        }
    }
    return NULL;
}

struct vm_record *agent_add_vm(struct agent *agent)
{
    for (uint32_t i = 0; i < VMS_PER_NODE_MAX; i++) {
        struct vm_record *vm = &agent->vms[i];
        if (!vm->used) {
            memset(vm, 0, sizeof *vm);
            vm->used = true;
            vm->problem = REASON_NONE;
            for (int at = 0; at < SETTING_COUNT; at++) {
                vm->accepted[at] = NO_VALUE;
            }
            agent->high = i >= agent->high ? i + 1 : agent->high;
            return vm;
        }
    }
    return NULL;
}

bool agent_vm_lives(const struct vm_record *vm)
{
    return vm->seen && vm->ordered && vm->reading.generation == vm->order.generation &&
           (vm->reading.state == RUN_STATE_RUNNING || vm->reading.state == RUN_STATE_PAUSED);
}

static void start(struct agent *agent, const struct agent_memory *memory,
                  struct agent_effects *out)
{
    agent->started = true;
    if (memory != NULL) {
        agent_orders_start(agent, memory);
        agent_entries_start(agent, memory, out);
    }
    agent_lease_start(agent);
    agent->heartbeat_at_ms = agent->now_ms;
    agent->list_at_ms = agent->now_ms;
    agent->snapshot_at_ms = agent->now_ms;
    agent->metrics_at_ms = agent->now_ms;
}

static uint32_t in_range_ms(uint32_t value, uint32_t otherwise)
{
    if (value == 0) {
        return otherwise;
    }
    return value < 100 ? 100 : (value > 600000 ? 600000 : value);
}

static void take_message(struct agent *agent, const struct node_message *message,
                         struct agent_effects *out)
{
    switch (message->type) {
    case NODE_MESSAGE_WELCOME:
    case NODE_MESSAGE_GRANT:
    case NODE_MESSAGE_PARK:
        agent_lease_message(agent, message, out);
        agent->welcome.renew_ms = in_range_ms(agent->welcome.renew_ms, 1000);
        agent->welcome.snapshot_ms = in_range_ms(agent->welcome.snapshot_ms, 10000);
        agent->welcome.metrics_ms = in_range_ms(agent->welcome.metrics_ms, 1000);
        return;
    case NODE_MESSAGE_VM_ORDER: agent_orders_message(agent, message, out); return;
    case NODE_MESSAGE_ENTRY_ORDER:
        if (agent_lease_epoch(agent, message->header.epoch, out)) {
            agent_entry_order(agent, message, out);
        }
        return;
    case NODE_MESSAGE_UNSPECIFIED:
    case NODE_MESSAGE_HELLO:
    case NODE_MESSAGE_RENEW:
    case NODE_MESSAGE_SNAPSHOT:
    case NODE_MESSAGE_RESULT:
    case NODE_MESSAGE_HEARTBEAT:
    case NODE_MESSAGE_METRICS:
    case NODE_MESSAGE_LEAVE: break;
    }
    agent_log(out, 1, "a message of type %d is not for an agent", (int)message->type);
}

static void take_status(struct agent *agent, const struct node_status *status)
{
    const struct node_status *old = &agent->status;
    uint32_t capabilities = status->capabilities | agent->config.capabilities;
    if (agent->config.migrate_address[0] == '\0') {
        capabilities &= ~(uint32_t)(CAPABILITY_MIGRATE | CAPABILITY_MIGRATE_LIVE);
    }
    if (!agent->has_status || old->cpu_pct != status->cpu_pct ||
        old->memory_kib != status->memory_kib || old->capabilities != capabilities) {
        agent->changed = true;
    }
    agent->status = *status;
    agent->status.capabilities = capabilities;
    agent->has_status = true;
}

static void publish(struct agent *agent, const struct metrics *metrics,
                    struct agent_effects *out)
{
    if (agent->welcomed && metrics->metrics_count > 0) {
        agent_message_add(agent, out, AGENT_EFFECT_PUBLISH, NODE_MESSAGE_METRICS)->metrics =
            *metrics;
    }
}

static void take_event(struct agent *agent, const struct agent_event *event,
                       struct agent_effects *out)
{
    switch (event->type) {
    case AGENT_EVENT_START: start(agent, event->start, out); break;
    case AGENT_EVENT_TICK: break;
    case AGENT_EVENT_MESSAGE: take_message(agent, event->message, out); break;
    case AGENT_EVENT_COMPLETED: agent_call_completed(agent, event->completed, out); break;
    case AGENT_EVENT_REFUSED:
        agent_call_refused(agent, event->refused.id, event->refused.code,
                           event->refused.err != NULL ? event->refused.err->text : "", out);
        break;
    case AGENT_EVENT_IMAGE: agent_image_done(agent, event); break;
    case AGENT_EVENT_ENTRY: agent_entry_status(agent, event->entry, out); break;
    case AGENT_EVENT_METRICS: publish(agent, event->metrics, out); break;
    case AGENT_EVENT_STATUS: take_status(agent, event->status); break;
    case AGENT_EVENT_LATE:
        agent->late_ms = event->late_ms > agent->late_ms ? event->late_ms : agent->late_ms;
        break;
    case AGENT_EVENT_STOP:
        if (agent->memory_changed) {
            agent_remember(agent, out);
        }
        agent_leave(agent, out);
        break;
    }
}

void agent_step(struct agent *agent, const struct agent_event *event, struct agent_effects *out)
{
    if (event->now_ms > agent->now_ms) {
        agent->now_ms = event->now_ms; /* boot time never goes back */
    }
    agent->more = false;
    take_event(agent, event, out);
    if (agent->leave_until_ms != 0) {
        agent_leave_tick(agent, out);
        return; /* what is under way goes on; nothing new is begun */
    }
    if (!agent->started || agent->stopped) {
        return;
    }
    agent_lease_tick(agent, out);
    agent_call_tick(agent, out);
    for (uint32_t i = 0; i < agent->high; i++) {
        agent_reach(agent, &agent->vms[i], out);
    }
    if (agent->now_ms >= agent->remember_at_ms) {
        agent_remember(agent, out);
    }
    agent_report_tick(agent, out);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t agent_deadline_ms(const struct agent *agent)
{
    if (!agent->started || agent->stopped) {
        return INT64_MAX;
    }
    if (agent->leave_until_ms != 0) {
        return agent_leave_deadline_ms(agent);
    }
    if (agent->more) {
        return agent->now_ms;
    }
    /* Retries and restarts need no timer of their own: each list leads to another look. */
    int64_t next = agent_lease_deadline_ms(agent);
    next = earlier(next, agent->heartbeat_at_ms);
    next = earlier(next, agent->config.list_at_start ? agent->list_at_ms : INT64_MAX);
    next = earlier(next, agent->remember_at_ms);
    if (agent->welcomed) {
        next = earlier(next, agent->metrics_at_ms);
        if (agent->listed) {
            int64_t snapshot = agent->changed ? agent->now_ms : agent->snapshot_at_ms;
            int64_t pause_end = agent->snapshot_sent_ms == INT64_MIN
                                    ? snapshot
                                    : agent->snapshot_sent_ms + SNAPSHOT_PAUSE_MS;
            next = earlier(next, snapshot > pause_end ? snapshot : pause_end);
        }
    }
    return next;
}

void agent_summary(const struct agent *agent, int64_t now_ms, uint32_t *vms_running,
                   int64_t *lease_left_ms)
{
    *vms_running = 0;
    for (uint32_t i = 0; i < agent->high; i++) {
        const struct vm_record *vm = &agent->vms[i];
        *vms_running += vm->used && vm->seen && vm->reading.state == RUN_STATE_RUNNING ? 1 : 0;
    }
    *lease_left_ms = agent_lease_left_ms(agent, now_ms);
}
