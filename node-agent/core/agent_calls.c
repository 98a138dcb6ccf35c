// SPDX-License-Identifier: Apache-2.0
/* Hypervisor calls: begun, ended well, failed, refused, lost. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "node-agent/core/agent_state.h"

static int64_t call_limit_ms(enum hypervisor_call_kind kind)
{
    if (!hypervisor_call_is_long(kind)) {
        return SHORT_CALL_MS;
    }
    if (kind == HYPERVISOR_CALL_CREATE) {
        return CREATE_CALL_MS;
    }
    if (kind == HYPERVISOR_CALL_MIGRATE_OUT || kind == HYPERVISOR_CALL_MIGRATE_IN) {
        return MIGRATE_CALL_MS;
    }
    bool stops = kind == HYPERVISOR_CALL_SHUTDOWN || kind == HYPERVISOR_CALL_REBOOT;
    return stops ? SHUTDOWN_CALL_MS : SAVE_CALL_MS;
}

/* What is accepted once this CREATE ends well: the order as it is now. */
static void note_create(struct vm_record *vm)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        vm->accepted[i] = agent_setting_ordered(vm, (enum setting)i);
        vm->tries[i] = (struct setting_try){0};
    }
}

/* The guest that comes of these calls has its network, wherever it was before. */
static bool makes_domain(enum hypervisor_call_kind kind)
{
    return kind == HYPERVISOR_CALL_CREATE || kind == HYPERVISOR_CALL_REBOOT ||
           kind == HYPERVISOR_CALL_RESTORE || kind == HYPERVISOR_CALL_MIGRATE_IN;
}

static void fill_create(const struct agent *agent, const struct vm_record *vm,
                        const struct call_request *request, struct hypervisor_call *call)
{
    agent_text_copy(call->image_path, sizeof call->image_path,
                    request->image_path != NULL ? request->image_path : "");
    if (vm->address[0] != '\0') {
        (void)snprintf(call->address, sizeof call->address, "%.48s/%u", vm->address,
                       agent->config.address_prefix);
        agent_text_copy(call->gateway, sizeof call->gateway, agent->config.address_gateway);
    }
}

void agent_call(struct agent *agent, struct vm_record *vm, const struct call_request *request,
                struct agent_effects *out)
{
    enum lane lane = hypervisor_call_is_long(request->kind) ? LANE_LONG : LANE_SHORT;
    struct lane_state *state = &vm->lanes[lane];
    struct hypervisor_call *call = agent_effect_alloc(out, sizeof *call);
    call->id = ++agent->last_call;
    call->kind = request->kind;
    call->deadline_ms = agent->now_ms + call_limit_ms(request->kind);
    call->order = vm->order;
    call->discard_disk = request->discard_disk;
    if (makes_domain(request->kind) && call->order.bridge[0] == '\0') {
        agent_text_copy(call->order.bridge, sizeof call->order.bridge, agent->config.bridge);
    }
    if (request->kind == HYPERVISOR_CALL_CREATE ||
        request->kind == HYPERVISOR_CALL_MIGRATE_IN) {
        fill_create(agent, vm, request, call);
        note_create(vm);
    }
    if (request->kind == HYPERVISOR_CALL_MIGRATE_OUT) {
        agent_text_copy(call->peer, sizeof call->peer, vm->order.peer);
        agent_text_copy(call->peer_key, sizeof call->peer_key, vm->order.peer_key);
    }
    if (request->kind == HYPERVISOR_CALL_MIGRATE_LISTEN) {
        agent_text_copy(call->peer, sizeof call->peer, agent->config.migrate_address);
    }
    if (request->kind == HYPERVISOR_CALL_MIGRATE_OUT ||
        request->kind == HYPERVISOR_CALL_MIGRATE_IN) {
        vm->migrated_operation = vm->order.operation;
    }
    state->call = call->id;
    state->kind = request->kind;
    state->setting = request->setting;
    state->asked = request->setting < SETTING_COUNT
                       ? agent_setting_ordered(vm, request->setting)
                       : NO_VALUE;
    state->reboots = vm->order.reboots;
    state->generation = vm->order.generation;
    state->give_up_ms = call->deadline_ms + CALL_LOST_MS;
    if (request->kind == HYPERVISOR_CALL_SHUTDOWN || request->kind == HYPERVISOR_CALL_DESTROY ||
        request->kind == HYPERVISOR_CALL_SUSPEND ||
        request->kind == HYPERVISOR_CALL_MIGRATE_OUT) {
        vm->ran = false; /* when it is gone, it is not by itself */
    }
    agent_effect_add(out, AGENT_EFFECT_CALL)->call = call;
    if (lane == LANE_LONG) {
        agent->changed = true; /* busy */
    }
}

void agent_call_list(struct agent *agent, struct agent_effects *out)
{
    if (agent->list_call != 0) {
        agent->list_again = true; /* it may have looked before what is asked for now */
        return;
    }
    struct hypervisor_call *call = agent_effect_alloc(out, sizeof *call);
    call->id = ++agent->last_call;
    call->kind = HYPERVISOR_CALL_LIST;
    call->deadline_ms = agent->now_ms + LIST_CALL_MS;
    agent_effect_add(out, AGENT_EFFECT_CALL)->call = call;
    agent->list_call = call->id;
    agent->list_again = false;
    agent->list_give_up_ms = call->deadline_ms + CALL_LOST_MS;
    agent->list_at_ms = agent->now_ms + agent->config.sample_ms;
}

static struct vm_record *find_call(struct agent *agent, uint64_t id, enum lane *lane)
{
    for (uint32_t i = 0; i < agent->high; i++) {
        for (int at = 0; at < LANE_COUNT; at++) {
            if (agent->vms[i].used && agent->vms[i].lanes[at].call == id) {
                *lane = (enum lane)at;
                return &agent->vms[i];
            }
        }
    }
    return NULL;
}

static void show(struct vm_record *vm, enum setting setting, uint64_t value)
{
    switch (setting) {
    case SETTING_CAP: vm->reading.cap_pct = (uint32_t)value; break;
    case SETTING_MEMORY: vm->reading.memory_target_kib = value; break;
    case SETTING_WEIGHT: vm->reading.weight = (uint32_t)value; break;
    case SETTING_NET_RATE: vm->reading.net_rate_kib_s = value; break;
    case SETTING_DISK_RATE: vm->reading.disk_rate_kib_s = value; break;
    case SETTING_VCPUS:      /* online is what the guest makes of it */
    case SETTING_LOAD_SHARE: /* not in readings */
    case SETTING_COUNT: break;
    }
}

static void setting_done(struct agent *agent, struct vm_record *vm,
                         const struct lane_state *ended, uint64_t value)
{
    enum setting setting = ended->setting;
    bool recovered = vm->tries[setting].failures > 0;
    vm->accepted[setting] = ended->asked;
    show(vm, setting, value);
    vm->tries[setting] = (struct setting_try){
        .done = true, .asked = ended->asked, .shown = agent_setting_shown(vm, setting)};
    vm->changed_at_ms = agent->now_ms;
    agent->changed = true;
    if (recovered) {
        agent_clear_problem(agent, vm);
    }
}

static void state_done(struct agent *agent, struct vm_record *vm,
                       const struct lane_state *ended)
{
    struct lane_state *lane =
        &vm->lanes[hypervisor_call_is_long(ended->kind) ? LANE_LONG : LANE_SHORT];
    if (lane->failures > 0) {
        agent_clear_problem(agent, vm);
    }
    lane->failures = 0;
    lane->retry_at_ms = 0;
    if (ended->kind == HYPERVISOR_CALL_REBOOT || ended->kind == HYPERVISOR_CALL_CREATE) {
        vm->reboots_done = ended->reboots;
    }
    if (ended->kind == HYPERVISOR_CALL_DESTROY && vm->order.desired == RUN_STATE_ABSENT) {
        vm->gone = true;
    }
    agent->changed = true;
}

static enum reason reason_of(enum hypervisor_call_kind kind, int code)
{
    if (code == -ETIMEDOUT) {
        return REASON_TIME_OUT;
    }
    if (code == -ENOTSUP) {
        return REASON_NO_CAPABILITY;
    }
    bool takes_memory = kind == HYPERVISOR_CALL_CREATE || kind == HYPERVISOR_CALL_RESTORE ||
                        kind == HYPERVISOR_CALL_MEMORY;
    if (takes_memory && (code == -ENOSPC || code == -ENOMEM)) {
        return REASON_NO_MEMORY;
    }
    return REASON_DRIVER;
}

static int64_t backoff_ms(uint32_t failures)
{
    int64_t wait = RETRY_FIRST_MS;
    for (uint32_t i = 1; i < failures && wait < RETRY_LAST_MS; i++) {
        wait *= 2;
    }
    return wait < RETRY_LAST_MS ? wait : RETRY_LAST_MS;
}

static void failed(struct agent *agent, struct vm_record *vm, const struct lane_state *ended,
                   enum reason reason, const char *text, struct agent_effects *out)
{
    char line[TEXT_SIZE * 2];
    (void)snprintf(line, sizeof line, "%s: %.480s", hypervisor_call_word(ended->kind), text);
    if (ended->setting < SETTING_COUNT) {
        struct setting_try *tried = &vm->tries[ended->setting];
        tried->failures++;
        tried->retry_at_ms = agent->now_ms + backoff_ms(tried->failures);
    } else {
        bool is_long = hypervisor_call_is_long(ended->kind);
        struct lane_state *lane = &vm->lanes[is_long ? LANE_LONG : LANE_SHORT];
        lane->failures++;
        lane->retry_at_ms = agent->now_ms + backoff_ms(lane->failures);
        vm->shutdown_failed = vm->shutdown_failed || ended->kind == HYPERVISOR_CALL_SHUTDOWN;
    }
    agent->changed = true;
    agent_problem(agent, vm, reason, line, out);
}

/* What reading back shows is all there is to these: the next list comes soon enough. */
static bool is_settled_by_reading_back(const struct lane_state *ended)
{
    return ended->setting == SETTING_CAP || ended->setting == SETTING_WEIGHT ||
           ended->setting == SETTING_NET_RATE || ended->setting == SETTING_DISK_RATE;
}

static void look_again(struct agent *agent, struct vm_record *vm,
                       const struct lane_state *ended, struct agent_effects *out)
{
    vm->changed_at_ms = agent->now_ms;
    if (ended->setting == SETTING_COUNT) {
        vm->await_list = true;
    }
    agent_call_list(agent, out);
}

void agent_call_completed(struct agent *agent, const struct hypervisor_completion *done,
                          struct agent_effects *out)
{
    if (done->id == agent->list_call && done->id != 0) {
        agent->list_call = 0;
        if (done->code != 0 || done->list == NULL) {
            agent_log(out, 1, "the driver's list failed: %.300s", done->text);
            return;
        }
        agent_readings(agent, done->list, out);
        if (agent->list_again) {
            agent_call_list(agent, out);
        }
        return;
    }
    enum lane lane = LANE_SHORT;
    struct vm_record *vm = find_call(agent, done->id, &lane);
    if (vm == NULL) {
        return; /* given up before */
    }
    struct lane_state ended = vm->lanes[lane];
    vm->lanes[lane].call = 0;
    agent_migrate_done(agent, vm, done);
    if (done->code != 0) {
        enum reason reason = done->reason != REASON_UNSPECIFIED && done->reason != REASON_NONE
                                 ? done->reason
                                 : reason_of(ended.kind, done->code);
        failed(agent, vm, &ended, reason, done->text, out);
    } else if (ended.setting < SETTING_COUNT) {
        setting_done(agent, vm, &ended, done->value);
    } else {
        state_done(agent, vm, &ended);
        agent_log(out, 2, "vm=%s op=%llu call=%s done", vm->order.vm,
                  (unsigned long long)vm->order.operation, hypervisor_call_word(ended.kind));
    }
    if (done->code != 0 || !is_settled_by_reading_back(&ended)) {
        look_again(agent, vm, &ended, out);
    }
    agent_reach(agent, vm, out);
}

void agent_call_refused(struct agent *agent, uint64_t id, int code, const char *text,
                        struct agent_effects *out)
{
    if (id == agent->list_call && id != 0) {
        agent->list_call = 0;
        agent_log(out, 1, "the driver refused a list: %.300s", text);
        return;
    }
    enum lane lane = LANE_SHORT;
    struct vm_record *vm = find_call(agent, id, &lane);
    if (vm == NULL) {
        return;
    }
    struct lane_state ended = vm->lanes[lane];
    vm->lanes[lane].call = 0;
    if (code == -EBUSY) {
        vm->lanes[lane].retry_at_ms = agent->now_ms + RETRY_BUSY_MS;
        return;
    }
    failed(agent, vm, &ended, reason_of(ended.kind, code), text, out);
    agent_reach(agent, vm, out);
}

void agent_call_tick(struct agent *agent, struct agent_effects *out)
{
    if (agent->list_call != 0 && agent->now_ms >= agent->list_give_up_ms) {
        agent->list_call = 0;
        agent_log(out, 1, "the driver did not answer a list in time");
    }
    if (agent->now_ms >= agent->list_at_ms && agent->config.list_at_start) {
        agent_call_list(agent, out);
        agent->list_at_ms = agent->now_ms + agent->config.sample_ms;
    }
    for (uint32_t i = 0; i < agent->high && agent_effects_room(out); i++) {
        struct vm_record *vm = &agent->vms[i];
        for (int at = 0; vm->used && at < LANE_COUNT; at++) {
            struct lane_state ended = vm->lanes[at];
            if (ended.call != 0 && agent->now_ms >= ended.give_up_ms) {
                vm->lanes[at].call = 0;
                failed(agent, vm, &ended, REASON_TIME_OUT,
                       "the driver gave no answer long after the deadline", out);
                look_again(agent, vm, &ended, out);
            }
        }
    }
}
