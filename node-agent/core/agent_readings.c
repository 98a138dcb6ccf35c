// SPDX-License-Identifier: Apache-2.0
/* A list of the hypervisor: what is here, what changed, and rates from its counters. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "node-agent/core/agent_state.h"

#define RATE_STEP_MS 200 /* counters closer than that give no useful rate */

/* Per second, in units of divisor; NAN when unknown or when the counter was reset. */
static double rate(uint64_t before, uint64_t after, int64_t step_ms, double divisor)
{
    if (before == UINT64_MAX || after == UINT64_MAX || after < before) {
        return (double)NAN;
    }
    return (double)(after - before) / divisor / ((double)step_ms / 1000.0);
}

/* CPU in use since the oldest sample within the span. One request more or less in a second is
 * much for a small guest. A counter that was reset begins a new span. */
static double cpu_rate(struct vm_record *vm, int64_t read_at_ms, uint64_t cpu_time_ns)
{
    struct cpu_sample oldest = {.at_ms = read_at_ms};
    if (cpu_time_ns == UINT64_MAX || cpu_time_ns < vm->cpu_time_ns) {
        vm->cpu_samples_count = 0;
    }
    for (uint32_t i = 1; i <= vm->cpu_samples_count; i++) {
        const uint32_t at = (vm->cpu_samples_next + CPU_SAMPLES - i) % CPU_SAMPLES;
        if (read_at_ms - vm->cpu_samples[at].at_ms > CPU_SPAN_MS) {
            break;
        }
        oldest = vm->cpu_samples[at];
    }
    if (cpu_time_ns != UINT64_MAX) {
        vm->cpu_samples[vm->cpu_samples_next] =
            (struct cpu_sample){.at_ms = read_at_ms, .time_ns = cpu_time_ns};
        vm->cpu_samples_next = (vm->cpu_samples_next + 1) % CPU_SAMPLES;
        vm->cpu_samples_count += vm->cpu_samples_count < CPU_SAMPLES;
    }
    return oldest.at_ms < read_at_ms
               ? rate(oldest.time_ns, cpu_time_ns, read_at_ms - oldest.at_ms, 1e7)
               : (double)NAN;
}

static void measure(struct vm_record *vm, int64_t read_at_ms)
{
    const struct domain_reading *reading = &vm->reading;
    int64_t step_ms = read_at_ms - vm->measured_at_ms;
    if (vm->measured_at_ms != 0 && step_ms < RATE_STEP_MS) {
        return;
    }
    bool known = vm->measured_at_ms != 0 && reading->state == RUN_STATE_RUNNING;
    double kib = 1024;
    vm->cpu_samples_count = known ? vm->cpu_samples_count : 0;
    const double cpu_pct = cpu_rate(vm, read_at_ms, reading->cpu_time_ns);
    vm->cpu_pct = known ? cpu_pct : (double)NAN;
    vm->net_rx_kib_s =
        known ? rate(vm->net_rx_bytes, reading->net_rx_bytes, step_ms, kib) : (double)NAN;
    vm->net_tx_kib_s =
        known ? rate(vm->net_tx_bytes, reading->net_tx_bytes, step_ms, kib) : (double)NAN;
    vm->disk_read_kib_s =
        known ? rate(vm->disk_read_bytes, reading->disk_read_bytes, step_ms, kib) : (double)NAN;
    vm->disk_write_kib_s =
        known ? rate(vm->disk_write_bytes, reading->disk_write_bytes, step_ms, kib)
              : (double)NAN;
    vm->measured_at_ms = read_at_ms;
    vm->cpu_time_ns = reading->cpu_time_ns;
    vm->net_rx_bytes = reading->net_rx_bytes;
    vm->net_tx_bytes = reading->net_tx_bytes;
    vm->disk_read_bytes = reading->disk_read_bytes;
    vm->disk_write_bytes = reading->disk_write_bytes;
}

static bool looks_different(const struct domain_reading *a, const struct domain_reading *b)
{
    return a->state != b->state || a->generation != b->generation || a->cap_pct != b->cap_pct ||
           a->weight != b->weight || a->vcpus != b->vcpus ||
           a->memory_target_kib != b->memory_target_kib ||
           a->net_rate_kib_s != b->net_rate_kib_s || a->disk_rate_kib_s != b->disk_rate_kib_s ||
           strcmp(a->address, b->address) != 0;
}

static void note_running(struct agent *agent, struct vm_record *vm)
{
    bool runs = vm->seen && vm->ordered && vm->reading.state == RUN_STATE_RUNNING &&
                vm->reading.generation == vm->order.generation;
    bool ending = vm->lanes[LANE_SHORT].call != 0 &&
                  vm->lanes[LANE_SHORT].kind == HYPERVISOR_CALL_DESTROY;
    if (runs && vm->running_since_ms == 0) {
        vm->running_since_ms = agent->now_ms;
    }
    if (runs && vm->lanes[LANE_LONG].call == 0 && !ending) {
        vm->ran = true;
    }
}

/* A guest that ended with nobody having asked for it is started again, and that is said. */
static void note_stopped(struct agent *agent, struct vm_record *vm, struct agent_effects *out)
{
    bool is_here =
        vm->seen &&
        (vm->reading.state == RUN_STATE_RUNNING || vm->reading.state == RUN_STATE_PAUSED ||
         vm->reading.state == RUN_STATE_SUSPENDED || vm->reading.state == RUN_STATE_UNKNOWN);
    if (is_here || vm->running_since_ms == 0) {
        return;
    }
    int64_t ran_ms = agent->now_ms - vm->running_since_ms;
    vm->running_since_ms = 0;
    bool wanted = vm->ordered && vm->order.desired == RUN_STATE_RUNNING;
    if (!wanted || !vm->ran || vm->lanes[LANE_LONG].call != 0) {
        return;
    }
    vm->restarts = ran_ms >= RESTART_CALM_MS ? 0 : vm->restarts + 1;
    int64_t wait_ms = 0;
    for (uint32_t i = 0; i < vm->restarts && wait_ms < RETRY_LAST_MS; i++) {
        wait_ms = wait_ms == 0 ? RETRY_FIRST_MS : 2 * wait_ms;
    }
    vm->restart_at_ms = agent->now_ms + (wait_ms < RETRY_LAST_MS ? wait_ms : RETRY_LAST_MS);
    vm->operation_done = 0;
    vm->unsettled_since_ms = 0;
    char text[TEXT_SIZE];
    const char *how = !vm->seen                                ? "is gone from the hypervisor"
                      : vm->reading.state == RUN_STATE_CRASHED ? "crashed"
                                                               : "stopped without our doing";
    (void)snprintf(text, sizeof text, "the guest %s after %lld s; it is started again", how,
                   (long long)(ran_ms / 1000));
    vm->problem = REASON_GUEST_STOPPED;
    agent_text_copy(vm->problem_text, sizeof vm->problem_text, text);
    agent_result(agent, vm, RESULT_STATE_ACCEPTED, REASON_GUEST_STOPPED, text, out);
    agent_log(out, 1, "vm=%s %s", vm->order.vm, text);
}

/* Somebody changed a value that was as we had left it, and no call of ours is under way that
 * could have: it is set right by the calls that follow, and that is said as far as there is
 * room for it. */
static void note_drift(struct agent *agent, const struct vm_record *vm,
                       const struct domain_reading *before, struct agent_effects *out)
{
    const struct domain_reading *now = &vm->reading;
    const struct {
        enum setting setting;
        const char *name;
        uint64_t was;
        uint64_t is;
        const char *unit;
    } rows[] = {
        {SETTING_CAP, "CPU cap", before->cap_pct, now->cap_pct, " %"},
        {SETTING_WEIGHT, "weight", before->weight, now->weight, ""},
        {SETTING_MEMORY, "memory target", before->memory_target_kib, now->memory_target_kib,
         " KiB"},
        {SETTING_NET_RATE, "network limit", before->net_rate_kib_s, now->net_rate_kib_s,
         " KiB/s"},
        {SETTING_DISK_RATE, "disk limit", before->disk_rate_kib_s, now->disk_rate_kib_s,
         " KiB/s"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct setting_try *tried = &vm->tries[rows[i].setting];
        const uint64_t ordered = agent_setting_ordered(vm, rows[i].setting);
        bool settled = rows[i].was == ordered ||
                       (tried->done && tried->asked == ordered && tried->shown == rows[i].was);
        if (!settled || rows[i].is == rows[i].was || rows[i].is == ordered ||
            !agent_effects_room(out)) {
            continue;
        }
        char text[TEXT_SIZE];
        (void)snprintf(text, sizeof text,
                       "its %s was changed from outside, from %llu to %llu%s; it is set right",
                       rows[i].name, (unsigned long long)rows[i].was,
                       (unsigned long long)rows[i].is, rows[i].unit);
        agent_result(agent, vm, RESULT_STATE_ACCEPTED, REASON_DRIFT, text, out);
        agent_log(out, 1, "vm=%s %s", vm->order.vm, text);
    }
}

/* Both readings are of the same living domain, and we are doing nothing with it. */
static bool shows_drift(const struct vm_record *vm, const struct domain_reading *reading)
{
    bool idle = vm->lanes[LANE_SHORT].call == 0 && vm->lanes[LANE_LONG].call == 0;
    return idle && vm->seen && vm->ordered && vm->ran && !vm->await_list &&
           vm->reading.state == RUN_STATE_RUNNING && reading->state == RUN_STATE_RUNNING &&
           vm->reading.generation == reading->generation &&
           reading->generation == vm->order.generation;
}

static void take_reading(struct agent *agent, struct vm_record *vm,
                         const struct domain_reading *reading, int64_t read_at_ms,
                         struct agent_effects *out)
{
    if (vm->changed_at_ms > read_at_ms) {
        return; /* looked before our newest change */
    }
    if (!vm->seen || looks_different(&vm->reading, reading)) {
        agent->changed = true;
    }
    if (vm->seen && vm->reading.generation != reading->generation) {
        vm->measured_at_ms = 0;
    }
    const struct domain_reading before = vm->reading;
    bool drifts = shows_drift(vm, reading);
    vm->seen = true;
    vm->await_list = false;
    vm->reading = *reading;
    if (drifts) {
        note_drift(agent, vm, &before, out);
    }
    measure(vm, read_at_ms);
    note_running(agent, vm);
}

static void forget(struct agent *agent, struct vm_record *vm, struct agent_effects *out)
{
    agent_result(agent, vm, RESULT_STATE_EFFECTIVE, REASON_NONE, "", out);
    agent_log(out, 2, "vm=%s op=%llu absent", vm->order.vm,
              (unsigned long long)vm->order.operation);
    if (vm->went_over) {
        agent_address_lend(agent, vm->address);
    }
    memset(vm, 0, sizeof *vm);
    agent->changed = true;
    agent_remember(agent, out);
}

static void take_missing(struct agent *agent, struct vm_record *vm, int64_t read_at_ms,
                         struct agent_effects *out)
{
    if (vm->changed_at_ms > read_at_ms) {
        return;
    }
    if (vm->seen) {
        agent->changed = true;
    }
    vm->seen = false;
    vm->await_list = false;
    vm->measured_at_ms = 0;
    bool idle = vm->lanes[LANE_SHORT].call == 0 && vm->lanes[LANE_LONG].call == 0;
    if (!vm->ordered) {
        memset(vm, 0, sizeof *vm);
    } else if (vm->gone && vm->order.desired == RUN_STATE_ABSENT && idle) {
        forget(agent, vm, out);
    }
}

void agent_readings(struct agent *agent, const struct domain_list *list,
                    struct agent_effects *out)
{
    bool listed[VMS_PER_NODE_MAX] = {false};
    bool first = !agent->listed;
    agent->listed = true;
    agent->foreign_vms = 0;
    for (uint32_t i = 0; i < list->count && i < VMS_PER_NODE_MAX; i++) {
        const struct domain_reading *reading = &list->domains[i];
        if (!reading->ours) {
            agent->foreign_vms++;
            continue;
        }
        struct vm_record *vm = agent_find_vm(agent, reading->uuid);
        if (vm == NULL) {
            vm = agent_add_vm(agent);
        }
        if (vm == NULL) {
            agent_log(out, 0, "vm=%s is beyond the most VMs that this agent can hold",
                      reading->vm);
            continue;
        }
        listed[vm - agent->vms] = true;
        take_reading(agent, vm, reading, list->read_at_ms, out);
        if (first && vm->ordered && reading->generation == vm->order.generation) {
            agent_log(out, 2, "vm=%s generation=%llu adopted, %s", reading->vm,
                      (unsigned long long)reading->generation, run_state_word(reading->state));
        }
    }
    for (uint32_t i = 0; i < agent->high && agent_effects_room(out); i++) {
        struct vm_record *vm = &agent->vms[i];
        if (vm->used && !listed[i]) {
            take_missing(agent, vm, list->read_at_ms, out);
        }
        if (vm->used) {
            note_stopped(agent, vm, out);
        }
    }
}
