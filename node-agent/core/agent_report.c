// SPDX-License-Identifier: Apache-2.0
/* What the agent tells: snapshots of everything, metrics, and that it lives. */
#include <math.h>
#include <string.h>

#include "node-agent/core/agent_state.h"

static enum run_state shown_state(const struct vm_record *vm)
{
    if (vm->seen) {
        return vm->reading.state;
    }
    /* Not on the hypervisor's list: it has a disk here if it once ran or is to be kept stopped.
     */
    bool stopped = vm->ran || vm->fenced || vm->order.desired == RUN_STATE_STOPPED;
    return stopped ? RUN_STATE_STOPPED : RUN_STATE_ABSENT;
}

static uint64_t accepted(const struct vm_record *vm, enum setting setting, uint64_t reading)
{
    return vm->accepted[setting] != NO_VALUE ? vm->accepted[setting] : reading;
}

static void fill_status(const struct vm_record *vm, struct vm_status *out)
{
    const struct domain_reading *reading = &vm->reading;
    agent_text_copy(out->vm, sizeof out->vm, vm->ordered ? vm->order.vm : reading->vm);
    agent_text_copy(out->uuid, sizeof out->uuid, vm->ordered ? vm->order.uuid : reading->uuid);
    out->generation = vm->seen ? reading->generation : vm->order.generation;
    out->state = shown_state(vm);
    out->operation_done = vm->operation_done;
    out->reboots_done = vm->reboots_done;
    out->busy = vm->lanes[LANE_LONG].call != 0;
    out->problem = vm->problem;
    agent_text_copy(out->problem_text, sizeof out->problem_text, vm->problem_text);
    agent_text_copy(out->peer, sizeof out->peer, vm->peer);
    agent_text_copy(out->peer_key, sizeof out->peer_key, vm->peer_key);
    agent_text_copy(out->address, sizeof out->address,
                    vm->address[0] != '\0' ? vm->address : (vm->seen ? reading->address : ""));
    if (!vm->seen) {
        return;
    }
    out->cap_pct_accepted = (uint32_t)accepted(vm, SETTING_CAP, reading->cap_pct);
    out->cap_pct = reading->cap_pct;
    out->weight = reading->weight;
    out->vcpus_accepted = (uint32_t)accepted(vm, SETTING_VCPUS, reading->vcpus);
    out->vcpus = reading->vcpus;
    out->memory_kib_accepted = accepted(vm, SETTING_MEMORY, reading->memory_target_kib);
    out->memory_kib = reading->memory_kib;
    out->net_rate_kib_s = reading->net_rate_kib_s;
    out->disk_rate_kib_s = reading->disk_rate_kib_s;
    out->cpu_time_ms = reading->cpu_time_ns / 1000000u;
}

static void send_snapshot(struct agent *agent, struct agent_effects *out)
{
    struct snapshot *snapshot =
        &agent_message_add(agent, out, AGENT_EFFECT_SEND, NODE_MESSAGE_SNAPSHOT)->snapshot;
    agent_text_copy(snapshot->incarnation, sizeof snapshot->incarnation,
                    agent->config.incarnation);
    snapshot->number = ++agent->snapshot_number;
    snapshot->status = agent->status;
    for (uint32_t i = 0; i < agent->high; i++) {
        if (agent->vms[i].used) {
            fill_status(&agent->vms[i], &snapshot->vms[snapshot->vms_count++]);
        }
    }
    for (uint32_t i = 0; i < ENTRY_SERVERS_MAX; i++) {
        if (agent->entries[i].used && agent->entries[i].has_status) {
            snapshot->entries[snapshot->entries_count++] = agent->entries[i].status;
        }
    }
    agent->changed = false;
    agent->snapshot_sent_ms = agent->now_ms;
    agent->snapshot_at_ms = agent->now_ms + agent->welcome.snapshot_ms;
}

static uint32_t count_running(const struct agent *agent)
{
    uint32_t running = 0;
    for (uint32_t i = 0; i < agent->high; i++) {
        const struct vm_record *vm = &agent->vms[i];
        running += vm->used && vm->seen && vm->reading.state == RUN_STATE_RUNNING ? 1 : 0;
    }
    return running;
}

static void send_heartbeat(struct agent *agent, struct agent_effects *out)
{
    struct heartbeat *heartbeat =
        &agent_message_add(agent, out, AGENT_EFFECT_PUBLISH, NODE_MESSAGE_HEARTBEAT)->heartbeat;
    agent_text_copy(heartbeat->incarnation, sizeof heartbeat->incarnation,
                    agent->config.incarnation);
    heartbeat->vms_running = count_running(agent);
    heartbeat->lateness_ms = agent->late_ms;
    agent->late_ms = 0;
}

struct batch {
    struct agent *agent;
    struct agent_effects *out;
    struct metrics *metrics;
};

/* What is unknown is left out. */
static void add(struct batch *batch, const struct metric *metric)
{
    if (!isfinite(metric->value)) {
        return;
    }
    if (batch->metrics == NULL || batch->metrics->metrics_count == METRICS_PER_MESSAGE_MAX) {
        batch->metrics = &agent_message_add(batch->agent, batch->out, AGENT_EFFECT_PUBLISH,
                                            NODE_MESSAGE_METRICS)
                              ->metrics;
    }
    batch->metrics->metrics[batch->metrics->metrics_count++] = *metric;
}

static void add_vm(struct batch *batch, const struct vm_record *vm)
{
    const struct domain_reading *reading = &vm->reading;
    const struct {
        enum metric_kind kind;
        double value;
    } values[] = {
        {METRIC_CPU_PCT, vm->cpu_pct},
        {METRIC_MEMORY_KIB, (double)reading->memory_kib},
        {METRIC_NET_RX_KIB_S, vm->net_rx_kib_s},
        {METRIC_NET_TX_KIB_S, vm->net_tx_kib_s},
        {METRIC_DISK_READ_KIB_S, vm->disk_read_kib_s},
        {METRIC_DISK_WRITE_KIB_S, vm->disk_write_kib_s},
        {METRIC_RESPONSE_MEAN_MS, reading->response_mean_ms},
        {METRIC_RESPONSE_P50_MS, reading->response_p50_ms},
        {METRIC_RESPONSE_P95_MS, reading->response_p95_ms},
        {METRIC_REQUEST_RATE, reading->request_rate},
        {METRIC_ERROR_SHARE, reading->error_share},
        {METRIC_TASKS_DONE, reading->tasks_done},
        {METRIC_SPEED_RATIO, reading->speed_ratio},
    };
    int64_t age = batch->agent->now_ms - vm->measured_at_ms;
    struct metric metric = {.subject = METRIC_SUBJECT_VM,
                            .age_ms = age < 0 ? 0 : (uint32_t)age};
    agent_text_copy(metric.name, sizeof metric.name, vm->order.vm);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        metric.kind = values[i].kind;
        metric.value = values[i].value;
        add(batch, &metric);
    }
}

static void add_node(struct batch *batch)
{
    const struct agent *agent = batch->agent;
    uint64_t held_kib = 0;
    double cpu_pct = 0;
    int64_t oldest_ms = agent->now_ms;
    for (uint32_t i = 0; i < agent->high; i++) {
        const struct vm_record *vm = &agent->vms[i];
        if (vm->used && agent_vm_lives(vm)) {
            const struct domain_reading *reading = &vm->reading;
            held_kib += reading->memory_kib > reading->memory_target_kib
                            ? reading->memory_kib
                            : reading->memory_target_kib;
            cpu_pct += isfinite(vm->cpu_pct) ? vm->cpu_pct : 0;
            oldest_ms = vm->measured_at_ms < oldest_ms ? vm->measured_at_ms : oldest_ms;
        }
    }
    struct metric metric = {.subject = METRIC_SUBJECT_NODE,
                            .kind = METRIC_NODE_CPU_PCT,
                            .value = cpu_pct,
                            .age_ms = (uint32_t)(agent->now_ms - oldest_ms)};
    agent_text_copy(metric.name, sizeof metric.name, agent->welcome.node);
    add(batch, &metric);
    uint64_t have_kib = agent->status.memory_kib;
    metric.kind = METRIC_NODE_MEMORY_FREE_KIB;
    metric.value = have_kib > held_kib ? (double)(have_kib - held_kib) : 0;
    add(batch, &metric);
}

static void send_metrics(struct agent *agent, struct agent_effects *out)
{
    struct batch batch = {.agent = agent, .out = out};
    if (agent->listed && agent_can(agent, CAPABILITY_CREATE)) {
        add_node(&batch);
    }
    for (uint32_t i = 0; i < agent->high && agent_effects_room(out); i++) {
        const struct vm_record *vm = &agent->vms[i];
        if (vm->used && vm->ordered && agent_vm_lives(vm)) {
            add_vm(&batch, vm);
        }
    }
}

void agent_report_tick(struct agent *agent, struct agent_effects *out)
{
    if (agent->now_ms >= agent->heartbeat_at_ms) {
        send_heartbeat(agent, out);
        agent->heartbeat_at_ms = agent->now_ms + HEARTBEAT_EVERY_MS;
    }
    if (!agent->welcomed) {
        return; /* nobody knows yet who we are */
    }
    if (agent->now_ms >= agent->metrics_at_ms) {
        send_metrics(agent, out);
        agent->metrics_at_ms = agent->now_ms + agent->welcome.metrics_ms;
    }
    bool may = agent->snapshot_sent_ms == INT64_MIN ||
               agent->now_ms >= agent->snapshot_sent_ms + SNAPSHOT_PAUSE_MS;
    if (agent->listed && may && (agent->changed || agent->now_ms >= agent->snapshot_at_ms)) {
        send_snapshot(agent, out);
    }
}
