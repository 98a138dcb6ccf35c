// SPDX-License-Identifier: Apache-2.0
/*
 * Level-triggered: compares what is ordered for a VM with what the newest reading shows, and
 * begins the next call of each lane. Where a VM is wanted:
 *
 *   (a migration is in agent_migrate.c)
 *   wanted     from: not there, stopped   running           paused     suspended   crashed
 *   running          CREATE               (REBOOT)          RESUME     RESTORE     DESTROY
 *   paused           CREATE               PAUSE             -          RESTORE     DESTROY
 *   suspended        -                    SUSPEND           SUSPEND    -           DESTROY
 *   stopped          -                    SHUTDOWN,DESTROY  DESTROY    DESTROY     DESTROY
 *   absent           DESTROY with its disk, whatever it is
 */
#include <stdio.h>
#include <string.h>

#include "node-agent/core/agent_state.h"

struct setting_rule {
    enum hypervisor_call_kind call;
    uint32_t capability;
};

static const struct setting_rule rules[SETTING_COUNT] = {
    [SETTING_CAP] = {HYPERVISOR_CALL_CAP, CAPABILITY_CAP},
    [SETTING_MEMORY] = {HYPERVISOR_CALL_MEMORY, CAPABILITY_MEMORY},
    [SETTING_VCPUS] = {HYPERVISOR_CALL_VCPUS, CAPABILITY_VCPUS},
    [SETTING_WEIGHT] = {HYPERVISOR_CALL_WEIGHT, CAPABILITY_WEIGHT},
    [SETTING_NET_RATE] = {HYPERVISOR_CALL_NET_RATE, CAPABILITY_NET_RATE},
    [SETTING_DISK_RATE] = {HYPERVISOR_CALL_DISK_RATE, CAPABILITY_DISK_RATE},
    [SETTING_LOAD_SHARE] = {HYPERVISOR_CALL_LOAD_SHARE, CAPABILITY_MODEL},
};

uint64_t agent_setting_ordered(const struct vm_record *vm, enum setting setting)
{
    switch (setting) {
    case SETTING_CAP: return vm->order.cap_pct;
    case SETTING_MEMORY: return vm->order.memory_kib;
    case SETTING_VCPUS: return vm->order.vcpus;
    case SETTING_WEIGHT: return vm->order.weight;
    case SETTING_NET_RATE: return vm->order.net_rate_kib_s;
    case SETTING_DISK_RATE: return vm->order.disk_rate_kib_s;
    case SETTING_LOAD_SHARE: return vm->order.load_share_permille;
    case SETTING_COUNT: break;
    }
    return NO_VALUE;
}

uint64_t agent_setting_shown(const struct vm_record *vm, enum setting setting)
{
    switch (setting) {
    case SETTING_CAP: return vm->reading.cap_pct;
    case SETTING_MEMORY: return vm->reading.memory_target_kib;
    case SETTING_VCPUS:
        return vm->accepted[SETTING_VCPUS] != NO_VALUE ? vm->accepted[SETTING_VCPUS]
                                                       : vm->reading.vcpus;
    case SETTING_WEIGHT: return vm->reading.weight;
    case SETTING_NET_RATE: return vm->reading.net_rate_kib_s;
    case SETTING_DISK_RATE: return vm->reading.disk_rate_kib_s;
    case SETTING_LOAD_SHARE: return vm->accepted[SETTING_LOAD_SHARE];
    case SETTING_COUNT: break;
    }
    return NO_VALUE;
}

static bool differs(const struct agent *agent, const struct vm_record *vm, enum setting setting)
{
    uint64_t ordered = agent_setting_ordered(vm, setting);
    uint64_t shown = agent_setting_shown(vm, setting);
    const struct setting_try *tried = &vm->tries[setting];
    bool tried_in_vain = tried->done && tried->asked == ordered && tried->shown == shown;
    return shown != ordered && !tried_in_vain && agent_can(agent, rules[setting].capability);
}

static bool is_due(const struct agent *agent, const struct vm_record *vm, enum setting setting)
{
    return differs(agent, vm, setting) && agent->now_ms >= vm->tries[setting].retry_at_ms;
}

/* Memory that another VM is about to give back is taken first. */
static bool memory_comes_back(const struct agent *agent, const struct vm_record *self)
{
    for (uint32_t i = 0; i < agent->high; i++) {
        const struct vm_record *vm = &agent->vms[i];
        if (vm != self && vm->used && vm->ordered && agent_vm_lives(vm) &&
            differs(agent, vm, SETTING_MEMORY) && vm->tries[SETTING_MEMORY].failures == 0 &&
            vm->order.memory_kib < vm->reading.memory_target_kib) {
            return true;
        }
    }
    return false;
}

/*
 * A lower cap before fewer VCPUs, more VCPUs before a higher cap; memory: decreases first.
 * Returns SETTING_COUNT when there is nothing to set.
 */
static enum setting next_setting(const struct agent *agent, const struct vm_record *vm)
{
    bool cap = is_due(agent, vm, SETTING_CAP);
    bool memory = is_due(agent, vm, SETTING_MEMORY);
    if (cap && vm->order.cap_pct < vm->reading.cap_pct) {
        return SETTING_CAP;
    }
    if (memory && vm->order.memory_kib < vm->reading.memory_target_kib) {
        return SETTING_MEMORY;
    }
    if (is_due(agent, vm, SETTING_VCPUS)) {
        return SETTING_VCPUS;
    }
    if (cap) {
        return SETTING_CAP;
    }
    if (memory && !memory_comes_back(agent, vm)) {
        return SETTING_MEMORY;
    }
    for (enum setting setting = SETTING_WEIGHT; setting < SETTING_COUNT; setting++) {
        if (is_due(agent, vm, setting)) {
            return setting;
        }
    }
    return SETTING_COUNT;
}

static bool is_current(const struct vm_record *vm)
{
    return vm->seen && vm->reading.generation == vm->order.generation;
}

static bool exists_in(const struct vm_record *vm, enum run_state state)
{
    return is_current(vm) && vm->reading.state == state;
}

static bool is_fence_due(const struct agent *agent, const struct vm_record *vm)
{
    return vm->order.isolation == ISOLATION_FENCE && vm->seen &&
           (vm->reading.state == RUN_STATE_RUNNING || vm->reading.state == RUN_STATE_PAUSED) &&
           agent_lease_ended(agent);
}

/* The DESTROY that this VM needs before anything else; false: none. */
static bool needs_destroy(const struct agent *agent, const struct vm_record *vm, bool *discard)
{
    enum run_state state = vm->seen ? vm->reading.state : RUN_STATE_ABSENT;
    bool making = vm->lanes[LANE_LONG].call != 0 &&
                  (vm->lanes[LANE_LONG].kind == HYPERVISOR_CALL_CREATE ||
                   vm->lanes[LANE_LONG].kind == HYPERVISOR_CALL_RESTORE ||
                   vm->lanes[LANE_LONG].kind == HYPERVISOR_CALL_MIGRATE_IN);
    bool occupies = state == RUN_STATE_RUNNING || state == RUN_STATE_PAUSED ||
                    state == RUN_STATE_CRASHED || state == RUN_STATE_SUSPENDED;
    *discard = false;
    if (vm->order.desired == RUN_STATE_ABSENT) {
        *discard = true;
        return !making && (!vm->gone || vm->seen);
    }
    if (vm->seen && vm->reading.generation < vm->order.generation) {
        *discard = state == RUN_STATE_SUSPENDED; /* its saved file, too */
        return occupies;
    }
    if (!is_current(vm)) {
        return false;
    }
    if (vm->order.desired == RUN_STATE_STOPPED) {
        bool by_force = vm->shutdown_failed || !agent_can(agent, CAPABILITY_SHUTDOWN);
        return occupies && (state != RUN_STATE_RUNNING || by_force);
    }
    return state == RUN_STATE_CRASHED;
}

static bool needs_state_change(const struct agent *agent, const struct vm_record *vm,
                               enum hypervisor_call_kind *kind)
{
    if (vm->lanes[LANE_LONG].call != 0) {
        return false; /* what it leads to is not known yet */
    }
    if (agent_migrates(vm)) {
        return false; /* who may run it is not decided */
    }
    if (vm->order.desired == RUN_STATE_RUNNING && exists_in(vm, RUN_STATE_PAUSED)) {
        *kind = HYPERVISOR_CALL_RESUME;
        return agent_lease_allows_start(agent, vm);
    }
    *kind = HYPERVISOR_CALL_PAUSE;
    return vm->order.desired == RUN_STATE_PAUSED && exists_in(vm, RUN_STATE_RUNNING);
}

/* What a stream or an image holds must not change beside it, above all its memory. */
static bool is_streaming(const struct vm_record *vm)
{
    const struct lane_state *lane = &vm->lanes[LANE_LONG];
    return lane->call != 0 &&
           (lane->kind == HYPERVISOR_CALL_MIGRATE_OUT || lane->kind == HYPERVISOR_CALL_SUSPEND);
}

static void fence(struct agent *agent, struct vm_record *vm, struct agent_effects *out)
{
    struct call_request request = {.kind = HYPERVISOR_CALL_DESTROY, .setting = SETTING_COUNT};
    vm->fenced = true;
    vm->ordered_now = false; /* it may be elsewhere by the time that a lease comes */
    vm->operation_done = 0;
    agent_call(agent, vm, &request, out);
    agent_problem(agent, vm, REASON_LEASE_EXPIRED,
                  "this node's lease ran out: the VM was ended, to be started elsewhere", out);
}

static bool reach_short(struct agent *agent, struct vm_record *vm, struct agent_effects *out)
{
    struct call_request request = {.kind = HYPERVISOR_CALL_DESTROY, .setting = SETTING_COUNT};
    bool state_may_change = agent->now_ms >= vm->lanes[LANE_SHORT].retry_at_ms;
    if (is_fence_due(agent, vm) && (state_may_change || !vm->fenced)) {
        fence(agent, vm, out);
        return true;
    }
    if (state_may_change && needs_destroy(agent, vm, &request.discard_disk)) {
        agent_call(agent, vm, &request, out);
        return true;
    }
    if (state_may_change && needs_state_change(agent, vm, &request.kind)) {
        if (request.kind == HYPERVISOR_CALL_RESUME) {
            agent_lease_arm(agent, out); /* before a protected VM runs */
        }
        agent_call(agent, vm, &request, out);
        return true;
    }
    if (agent_migrates(vm) && vm->lanes[LANE_LONG].call == 0 && state_may_change &&
        agent_migrate_next(agent, vm, out) == HYPERVISOR_CALL_MIGRATE_LISTEN) {
        request.kind = HYPERVISOR_CALL_MIGRATE_LISTEN;
        agent_call(agent, vm, &request, out);
        return true;
    }
    bool may_set =
        agent_vm_lives(vm) && !vm->handed_over && !is_streaming(vm) &&
        (vm->order.desired == RUN_STATE_RUNNING || vm->order.desired == RUN_STATE_PAUSED);
    request.setting = may_set ? next_setting(agent, vm) : SETTING_COUNT;
    if (request.setting < SETTING_COUNT) {
        request.kind = rules[request.setting].call;
        agent_call(agent, vm, &request, out);
        return true;
    }
    return false;
}

/* Whether a CREATE may begin now; what is in the way is said. */
static bool may_create(struct agent *agent, struct vm_record *vm, const char **image_path,
                       struct agent_effects *out)
{
    bool own_restart = vm->ran && vm->order.isolation != ISOLATION_FENCE;
    if (!vm->ordered_now && !own_restart) {
        return false; /* only by order of an orchestrator that is there now */
    }
    if (agent->now_ms < vm->restart_at_ms) {
        return false;
    }
    if (agent_address_take(agent, vm) != 0) {
        agent_problem(agent, vm, REASON_NO_ADDRESS,
                      "every address of this node's pool is in use", out);
        return false;
    }
    if (!agent_lease_allows_start(agent, vm)) {
        vm->problem = REASON_LEASE_EXPIRED;
        agent_text_copy(vm->problem_text, sizeof vm->problem_text,
                        "waits for a lease that lasts long enough");
        return false;
    }
    const struct image_record *image = NULL;
    enum image_state state = agent_image_need(agent, vm, &image, out);
    if (state == IMAGE_FAILED) {
        agent_problem(agent, vm, image->reason, image->text, out);
    }
    *image_path = image != NULL ? image->path : "";
    return state == IMAGE_READY;
}

static bool long_call_may_begin(const struct agent *agent)
{
    uint32_t under_way = 0;
    for (uint32_t i = 0; i < agent->high; i++) {
        const struct vm_record *vm = &agent->vms[i];
        under_way += vm->used && vm->lanes[LANE_LONG].call != 0;
    }
    return under_way < HYPERVISOR_LONG_CALLS_MAX;
}

static bool reach_long(struct agent *agent, struct vm_record *vm, struct agent_effects *out)
{
    struct call_request request = {.setting = SETTING_COUNT};
    bool running = exists_in(vm, RUN_STATE_RUNNING);
    bool paused = exists_in(vm, RUN_STATE_PAUSED);
    bool absent = !vm->seen || vm->reading.state == RUN_STATE_STOPPED;
    bool current_or_none = absent || is_current(vm);
    if (vm->lanes[LANE_SHORT].call != 0 && vm->lanes[LANE_SHORT].setting == SETTING_COUNT) {
        return false; /* a state is being changed in the short lane */
    }
    switch (vm->order.desired) {
    case RUN_STATE_RUNNING:
    case RUN_STATE_PAUSED:
        if (agent_migrates(vm)) {
            enum hypervisor_call_kind next = agent_migrate_next(agent, vm, out);
            request.kind = hypervisor_call_is_long(next) ? next : request.kind;
        } else if (absent && may_create(agent, vm, &request.image_path, out)) {
            request.kind = HYPERVISOR_CALL_CREATE;
        } else if (current_or_none && exists_in(vm, RUN_STATE_SUSPENDED) && vm->ordered_now &&
                   agent_lease_allows_start(agent, vm)) {
            request.kind = HYPERVISOR_CALL_RESTORE;
        } else if (running && vm->order.desired == RUN_STATE_RUNNING &&
                   vm->reboots_done < vm->order.reboots) {
            request.kind = HYPERVISOR_CALL_REBOOT;
        }
        break;
    case RUN_STATE_SUSPENDED:
        request.kind = running || paused ? HYPERVISOR_CALL_SUSPEND : request.kind;
        break;
    case RUN_STATE_STOPPED:
        if (running && !vm->shutdown_failed && agent_can(agent, CAPABILITY_SHUTDOWN)) {
            request.kind = HYPERVISOR_CALL_SHUTDOWN;
        }
        break;
    case RUN_STATE_UNSPECIFIED:
    case RUN_STATE_ABSENT:
    case RUN_STATE_CRASHED:
    case RUN_STATE_UNKNOWN: break;
    }
    if (request.kind == HYPERVISOR_CALL_UNSPECIFIED) {
        return false;
    }
    if (long_call_may_begin(agent)) {
        agent_call(agent, vm, &request, out);
    } /* else at the end of another one */
    return true;
}

static bool is_state_reached(const struct vm_record *vm)
{
    if (agent_migrates(vm) && vm->order.desired != RUN_STATE_ABSENT) {
        return agent_migrate_reached(vm);
    }
    switch (vm->order.desired) {
    case RUN_STATE_RUNNING:
        return exists_in(vm, RUN_STATE_RUNNING) && vm->reboots_done >= vm->order.reboots;
    case RUN_STATE_PAUSED:
    case RUN_STATE_SUSPENDED: return exists_in(vm, vm->order.desired);
    case RUN_STATE_STOPPED: return !vm->seen || vm->reading.state == RUN_STATE_STOPPED;
    case RUN_STATE_UNSPECIFIED:
    case RUN_STATE_ABSENT: /* the list that no longer shows it ends it */
    case RUN_STATE_CRASHED:
    case RUN_STATE_UNKNOWN: break;
    }
    return false;
}

/* The setting that is accepted and not (or not so) effective; NULL: all are. */
static const char *lagging(const struct agent *agent, const struct vm_record *vm,
                           uint64_t *wanted, uint64_t *shown)
{
    static const char *const words[SETTING_COUNT] = {
        "cap", "memory", "vcpus", "weight", "net rate", "disk rate", "load share"};
    if (vm->order.desired != RUN_STATE_RUNNING || !vm->seen) {
        return NULL; /* a paused guest follows nothing, and a stopped one has nothing */
    }
    for (enum setting setting = SETTING_CAP; setting < SETTING_COUNT; setting++) {
        bool can = agent_can(agent, rules[setting].capability);
        *wanted = agent_setting_ordered(vm, setting);
        *shown = agent_setting_shown(vm, setting);
        uint64_t slack = 0;
        if (setting == SETTING_VCPUS) {
            *shown = vm->reading.vcpus;
        } else if (setting == SETTING_MEMORY) {
            *shown = vm->reading.memory_kib;
            slack = *wanted / 100 > 1024 ? *wanted / 100 : 1024;
        }
        uint64_t gap = *shown > *wanted ? *shown - *wanted : *wanted - *shown;
        if (can && gap > slack) {
            return words[setting];
        }
    }
    return NULL;
}

static void settle(struct agent *agent, struct vm_record *vm, struct agent_effects *out)
{
    if (!is_state_reached(vm) || vm->operation_done == vm->order.operation) {
        return;
    }
    uint64_t wanted = 0;
    uint64_t shown = 0;
    const char *what = agent_migrates(vm) ? NULL : lagging(agent, vm, &wanted, &shown);
    if (what == NULL) {
        vm->operation_done = vm->order.operation;
        vm->unsettled_since_ms = 0;
        vm->failed_operation = 0;
        agent_clear_problem(agent, vm);
        agent_result(agent, vm, RESULT_STATE_EFFECTIVE, REASON_NONE, "", out);
        agent->changed = true;
    } else if (vm->unsettled_since_ms == 0) {
        vm->unsettled_since_ms = agent->now_ms;
    } else if (agent->now_ms - vm->unsettled_since_ms >= EFFECT_WAIT_MS &&
               vm->problem == REASON_NONE) {
        char text[TEXT_SIZE];
        (void)snprintf(text, sizeof text, "%s: %llu was accepted, %llu is effective", what,
                       (unsigned long long)wanted, (unsigned long long)shown);
        agent_problem(agent, vm, REASON_NOT_EFFECTIVE, text, out);
    }
}

void agent_reach(struct agent *agent, struct vm_record *vm, struct agent_effects *out)
{
    if (!vm->used || !vm->ordered || !agent->listed || agent->stopped ||
        agent->leave_until_ms != 0) {
        return;
    }
    if (!agent_effects_room(out)) {
        agent->more = true;
        return;
    }
    bool busy = vm->await_list;
    if (!vm->await_list && vm->lanes[LANE_SHORT].call == 0) {
        busy = reach_short(agent, vm, out);
    }
    if (!vm->await_list && vm->lanes[LANE_LONG].call == 0 &&
        agent->now_ms >= vm->lanes[LANE_LONG].retry_at_ms) {
        busy = reach_long(agent, vm, out) || busy;
    }
    if (!busy && vm->lanes[LANE_SHORT].call == 0 && vm->lanes[LANE_LONG].call == 0) {
        settle(agent, vm, out);
    }
}
