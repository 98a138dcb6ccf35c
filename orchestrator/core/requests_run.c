// SPDX-License-Identifier: Apache-2.0
/* Run states, reboots and moves that people order, of one VM or of all VMs of a service. */
#include <string.h>

#include "orchestrator/core/requests.h"

/* The VMs that a request is about. */
struct targets {
    struct service_record *service;
    struct vm_record *only; /* NULL: all of the service */
};

static struct vm_record *next_target(const struct request_context *context,
                                     const struct targets *targets, uint32_t *at)
{
    struct vm_record *vm = NULL;
    while ((vm = cluster_next_vm_of(context->cluster, targets->service, at)) != NULL) {
        bool wanted =
            targets->only == NULL ? vm->vm.phase != VM_PHASE_REMOVING : vm == targets->only;
        if (wanted) {
            return vm;
        }
    }
    return NULL;
}

static bool find_targets(struct request_context *context, struct targets *out)
{
    const char *name = context->request->name;
    *out = (struct targets){0};
    if (context->kind == OBJECT_KIND_VM) {
        struct vm_record *vm = request_vm(context, name);
        if (vm == NULL || !reply_is_at_revision(context, name, &vm->meta)) {
            return false;
        }
        out->only = vm;
        out->service = cluster_service_of(context->cluster, vm);
    } else {
        out->service = request_service(context, name);
        if (out->service == NULL || !reply_is_at_revision(context, name, &out->service->meta)) {
            return false;
        }
    }
    bool is_going = out->service->deleting ||
                    (out->only != NULL && out->only->vm.phase == VM_PHASE_REMOVING);
    if (is_going) {
        reply_refuse(context, REPLY_CONFLICT, REASON_CONFLICT, "%s %s is being removed",
                     object_kind_word(context->kind), name);
        return false;
    }
    return true;
}

static bool has_capability(struct request_context *context, const struct vm_record *vm,
                           uint32_t capability, const char *what)
{
    const struct node_record *node = table_find(&context->cluster->nodes, vm->vm.node);
    if (node == NULL || !node->seen || (node->status.capabilities & capability) == capability) {
        return true;
    }
    reply_fact(context, "vm %s is on %s, whose driver %s cannot %s it", vm->vm.vm,
               node->spec.node, node->status.driver, what);
    return false;
}

/* ---- set state ---- */

/* What the node must be able to do to bring a VM from one state into another; 0: nothing
 * special. */
static uint32_t capability_for(enum run_state from, enum run_state to)
{
    enum run_state state = to == RUN_STATE_RUNNING ? from : to; /* back is the same ability */
    switch (state) {
    case RUN_STATE_PAUSED: return CAPABILITY_PAUSE;
    case RUN_STATE_SUSPENDED: return CAPABILITY_SUSPEND;
    case RUN_STATE_STOPPED:
        return to == RUN_STATE_RUNNING ? CAPABILITY_CREATE : CAPABILITY_SHUTDOWN;
    case RUN_STATE_RUNNING:
    case RUN_STATE_ABSENT:
    case RUN_STATE_CRASHED:
    case RUN_STATE_UNKNOWN:
    case RUN_STATE_UNSPECIFIED: break;
    }
    return 0;
}

static const char *state_verb(enum run_state state)
{
    switch (state) {
    case RUN_STATE_RUNNING: return "run";
    case RUN_STATE_PAUSED: return "pause";
    case RUN_STATE_SUSPENDED: return "suspend";
    case RUN_STATE_STOPPED: return "stop";
    case RUN_STATE_ABSENT:
    case RUN_STATE_CRASHED:
    case RUN_STATE_UNKNOWN:
    case RUN_STATE_UNSPECIFIED: break;
    }
    return NULL;
}

/* What a person orders stands, also where the manager had ordered the same for a while. */
static bool is_other(const struct vm_record *vm, enum run_state wanted)
{
    return vm->vm.desired != wanted || vm->vm.paused_by_manager;
}

void request_set_state(struct request_context *context)
{
    struct cluster *cluster = context->cluster;
    enum run_state wanted = context->request->run_state;
    const char *verb = state_verb(wanted);
    struct targets targets;
    if (!find_targets(context, &targets)) {
        return;
    }
    const char *name = context->request->name;
    const char *kind = object_kind_word(context->kind);
    if (verb == NULL) {
        reply_refuse(context, REPLY_INVALID, REASON_INVALID,
                     "%s %s: a person orders running, paused, suspended or stopped", kind,
                     name);
        return;
    }
    uint32_t changes = 0;
    bool able = true;
    struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = next_target(context, &targets, &at)) != NULL;) {
        changes += is_other(vm, wanted) ? 1u : 0u;
        able =
            has_capability(context, vm, capability_for(vm->vm.desired, wanted), verb) && able;
    }
    if (!able) {
        reply_refuse(context, REPLY_INFEASIBLE, REASON_NO_CAPABILITY,
                     "%s %s cannot be ordered to %s where it is", kind, name, verb);
        return;
    }
    if (changes == 0) {
        reply_text(context, "%s %s: unchanged, %s is already ordered", kind, name,
                   run_state_word(wanted));
        return;
    }
    for (uint32_t at = 0; (vm = next_target(context, &targets, &at)) != NULL;) {
        if (is_other(vm, wanted)) {
            vm->vm.desired = wanted;
            vm->vm.paused_by_manager = false;
            emit_vm(cluster, vm, context->out);
            cluster_mark_dirty(cluster, vm);
        }
    }
    entries_service(cluster, targets.service, context->out);
    (void)request_event(context, targets.service, targets.only == NULL ? NULL : name, NULL,
                        "orders %s %s to %s", kind, name, verb);
    reply_text(context, "%s %s: %s ordered for %u vms", kind, name, run_state_word(wanted),
               changes);
}

/* ---- reboot ---- */

void request_reboot(struct request_context *context)
{
    struct cluster *cluster = context->cluster;
    struct targets targets;
    if (!find_targets(context, &targets)) {
        return;
    }
    const char *name = context->request->name;
    const char *kind = object_kind_word(context->kind);
    uint32_t running = 0;
    bool able = true;
    struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = next_target(context, &targets, &at)) != NULL;) {
        running += vm->vm.desired == RUN_STATE_RUNNING ? 1u : 0u;
        able = has_capability(context, vm, CAPABILITY_REBOOT, "reboot") && able;
    }
    if (!able) {
        reply_refuse(context, REPLY_INFEASIBLE, REASON_NO_CAPABILITY,
                     "%s %s cannot be rebooted where it is", kind, name);
        return;
    }
    if (running == 0) {
        reply_refuse(context, REPLY_CONFLICT, REASON_CONFLICT,
                     "%s %s cannot be rebooted: it is not ordered to run", kind, name);
        reply_hint(context, "arbiter start %s", name);
        return;
    }
    for (uint32_t at = 0; (vm = next_target(context, &targets, &at)) != NULL;) {
        if (vm->vm.desired == RUN_STATE_RUNNING) {
            vm->vm.reboots++;
            emit_vm(cluster, vm, context->out);
            cluster_mark_dirty(cluster, vm);
        }
    }
    (void)request_event(context, targets.service, targets.only == NULL ? NULL : name, NULL,
                        "reboots %s %s", kind, name);
    reply_text(context, "%s %s: reboot ordered for %u vms", kind, name, running);
}

/* ---- move ---- */

static struct node_record *target_node(struct request_context *context,
                                       const struct vm_record *vm)
{
    if (context->request->node[0] != '\0') {
        return request_node(context, context->request->node);
    }
    enum reason why = REASON_NONE;
    struct node_record *node = plan_node_for(context->cluster, vm, &why);
    if (node == NULL) {
        reply_refuse(context, REPLY_INFEASIBLE, why, "vm %s cannot move: no other node: %s",
                     vm->vm.vm, reason_word(why));
        reply_hint(context, "arbiter get node");
    }
    return node;
}

void request_move(struct request_context *context)
{
    struct cluster *cluster = context->cluster;
    struct vm_record *vm = request_vm(context, context->request->name);
    if (vm == NULL || !reply_is_at_revision(context, vm->vm.vm, &vm->meta)) {
        return;
    }
    struct node_record *node = target_node(context, vm);
    if (node == NULL) {
        return;
    }
    if (strcmp(node->spec.node, vm->vm.node) == 0) {
        reply_text(context, "vm %s: unchanged, it is on %s", vm->vm.vm, node->spec.node);
        return;
    }
    int64_t pinned_before = vm->vm.pinned_until_wall_ms;
    if (context->request->for_ms != 0) {
        vm->vm.pinned_until_wall_ms = cluster->wall_ms + context->request->for_ms;
    }
    char from[NAME_SIZE];
    memcpy(from, vm->vm.node, sizeof from);
    enum reason why = REASON_NONE;
    enum reply_code code = recovery_move(cluster, vm, node, &why, context->out);
    if (code != REPLY_DONE) {
        vm->vm.pinned_until_wall_ms = pinned_before;
        reply_refuse(context, code, why, "vm %s cannot move to %s: %s", vm->vm.vm,
                     node->spec.node, reason_word(why));
        reply_hint(context, "arbiter show node %s", node->spec.node);
        return;
    }
    (void)request_event(context, cluster_service_of(cluster, vm), vm->vm.vm, node->spec.node,
                        "moves vm %s from %s to %s", vm->vm.vm, from, node->spec.node);
    reply_text(context, "vm %s: moves from %s to %s", vm->vm.vm, from, node->spec.node);
}
