// SPDX-License-Identifier: Apache-2.0
/* What people order for single VMs: sizes, run states, reboots, moves. Carried out in every
 * mode. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/plan_scratch.h"
#include "orchestrator/core/requests.h"

/* One that is on its way out takes no orders. */
static bool is_orderable(struct request_context *context, const struct vm_record *vm)
{
    if (vm->vm.phase != VM_PHASE_REMOVING) {
        return true;
    }
    reply_refuse(context, REPLY_CONFLICT, REASON_CONFLICT, "vm %s is being removed", vm->vm.vm);
    return false;
}

/* Whether the VM's node can do it; a VM without node waits for one that can. */
static bool can_do(struct request_context *context, const struct vm_record *vm,
                   uint32_t capability, const char *what)
{
    const struct node_record *node = table_find(&context->cluster->nodes, vm->vm.node);
    if (node == NULL || !node->seen || (node->status.capabilities & capability) == capability) {
        return true;
    }
    reply_refuse(context, REPLY_INFEASIBLE, REASON_NO_CAPABILITY, "vm %s: node %s cannot %s",
                 vm->vm.vm, node->spec.node, what);
    reply_fact(context, "its driver is %s", node->status.driver);
    return false;
}

/* ---- set ---- */

static struct vm with_changes(const struct vm *present, const struct set_vm *set,
                              const struct vm_group *group)
{
    struct vm vm = *present;
    if (set->cap_pct != 0) {
        vm.cap_pct = set->cap_pct;
        vm.cap_pinned = true;
    }
    if (set->release_cap) {
        vm.cap_pinned = false;
        vm.cap_pct = vm.cap_pct < group->cpu.min_pct ? group->cpu.min_pct : vm.cap_pct;
        vm.cap_pct = vm.cap_pct > group->cpu.max_pct ? group->cpu.max_pct : vm.cap_pct;
    }
    vm.weight = set->weight != 0 ? set->weight : vm.weight;
    const uint32_t enough = (vm.cap_pct + 99) / 100;
    if (group->vcpus_min < group->vcpus && enough > vm.vcpus && enough <= group->vcpus) {
        vm.vcpus = enough; /* a cap brings the VCPUs that it needs */
    }
    vm.vcpus = set->vcpus != 0 ? set->vcpus : vm.vcpus;
    vm.memory_kib = set->memory_kib != 0 ? set->memory_kib : vm.memory_kib;
    vm.net_rate_kib_s = set->net_rate_kib_s != 0 ? set->net_rate_kib_s : vm.net_rate_kib_s;
    vm.disk_rate_kib_s = set->disk_rate_kib_s != 0 ? set->disk_rate_kib_s : vm.disk_rate_kib_s;
    vm.net_rate_kib_s = set->no_net_rate ? 0 : vm.net_rate_kib_s;
    vm.disk_rate_kib_s = set->no_disk_rate ? 0 : vm.disk_rate_kib_s;
    return vm;
}

/* The file is the ceiling: a VM is made with its VCPUs and memory and can only be given less. A
 * provider also stays in its range of caps, and leaves the weights against others alone. */
static bool check_set(struct request_context *context, const struct vm_record *vm,
                      const struct vm *wanted, const struct vm_group *group)
{
    bool is_provider = context->access != ACCESS_ALL;
    uint32_t cap_max = is_provider ? group->cpu.max_pct : wanted->vcpus * 100;
    uint32_t cap_min = is_provider ? group->cpu.min_pct : 1;
    char from[CPU_TEXT_SIZE];
    char to[CPU_TEXT_SIZE];
    if (wanted->vcpus > group->vcpus) {
        reply_fact(context, "vcpus: %u, the file allows at most %u", wanted->vcpus,
                   group->vcpus);
    }
    if (wanted->memory_kib > group->memory_kib) {
        reply_fact(context, "memory: %llu MiB, the file allows at most %llu",
                   (unsigned long long)wanted->memory_kib / 1024,
                   (unsigned long long)group->memory_kib / 1024);
    }
    bool sets_cap = wanted->cap_pinned && wanted->cap_pct != vm->vm.cap_pct;
    if (sets_cap && (wanted->cap_pct < cap_min || wanted->cap_pct > cap_max)) {
        reply_fact(context, "cap: not in the range %s to %s CPU", cpu_text(cap_min, from),
                   cpu_text(cap_max, to));
    }
    if (is_provider && wanted->weight != vm->vm.weight) {
        reply_fact(context, "weight: only an administrator sets it");
    }
    if (context->reply->facts_count == 0) {
        return true;
    }
    reply_refuse(context, REPLY_INVALID, REASON_INVALID, "vm %s cannot be set to this",
                 vm->vm.vm);
    reply_hint(context, "change group %s in the file and: arbiter apply -f FILE", group->name);
    return false;
}

static bool check_capabilities(struct request_context *context, const struct vm_record *vm,
                               const struct vm *wanted)
{
    const struct vm *now = &vm->vm;
    const struct {
        bool needed;
        uint32_t capability;
        const char *what;
    } needs[] = {
        {wanted->cap_pct != now->cap_pct, CAPABILITY_CAP, "limit the CPU of a vm"},
        {wanted->weight != now->weight, CAPABILITY_WEIGHT, "weigh vms"},
        {wanted->vcpus != now->vcpus, CAPABILITY_VCPUS, "change vcpus"},
        {wanted->memory_kib != now->memory_kib, CAPABILITY_MEMORY, "change memory"},
        {wanted->net_rate_kib_s != now->net_rate_kib_s, CAPABILITY_NET_RATE,
         "limit network rates"},
        {wanted->disk_rate_kib_s != now->disk_rate_kib_s, CAPABILITY_DISK_RATE,
         "limit disk rates"},
    };
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        if (needs[i].needed && !can_do(context, vm, needs[i].capability, needs[i].what)) {
            return false;
        }
    }
    return true;
}

/* What it grows by must be free on its node. */
static bool check_room(struct request_context *context, const struct vm_record *vm,
                       const struct vm *wanted, uint32_t min_pct)
{
    const struct node_record *node = table_find(&context->cluster->nodes, vm->vm.node);
    if (node == NULL) {
        return true;
    }
    struct placement row = {.reason = REASON_NONE};
    uint64_t cpu = plan_node_cpu_pct(node);
    uint64_t memory = plan_node_memory_kib(node);
    uint64_t others_pct = node->cpu_pct_reserved - vm->counted.min_pct;
    uint64_t others_kib = node->memory_kib_granted - vm->counted.memory_kib;
    if (min_pct > vm->counted.min_pct && others_pct + min_pct > cpu) {
        row.reason = REASON_NO_CPU;
        row.needed = min_pct;
        row.available = cpu > others_pct ? cpu - others_pct : 0;
    } else if (wanted->memory_kib > vm->counted.memory_kib &&
               others_kib + wanted->memory_kib > memory) {
        row.reason = REASON_NO_MEMORY;
        row.needed = wanted->memory_kib;
        row.available = memory > others_kib ? memory - others_kib : 0;
    }
    if (row.reason == REASON_NONE) {
        return true;
    }
    char text[TEXT_SIZE / 2];
    plan_row_text(&row, text, sizeof text);
    reply_refuse(context, REPLY_INFEASIBLE, row.reason, "vm %s cannot grow on %s: %s",
                 vm->vm.vm, node->spec.node, text);
    reply_hint(context, "arbiter move vm/%s NODE", vm->vm.vm);
    return false;
}

static bool is_same(const struct vm *a, const struct vm *b)
{
    return a->cap_pct == b->cap_pct && a->cap_pinned == b->cap_pinned &&
           a->weight == b->weight && a->vcpus == b->vcpus && a->memory_kib == b->memory_kib &&
           a->net_rate_kib_s == b->net_rate_kib_s && a->disk_rate_kib_s == b->disk_rate_kib_s;
}

static void append(char text[TEXT_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(char text[TEXT_SIZE], const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text + used, TEXT_SIZE - used, format, arguments);
    va_end(arguments);
}

static void describe(const struct vm *from, const struct vm *to, char text[TEXT_SIZE])
{
    char old[CPU_TEXT_SIZE];
    char new[CPU_TEXT_SIZE];
    if (from->cap_pct != to->cap_pct || from->cap_pinned != to->cap_pinned) {
        append(text, ", cap %s -> %s CPU%s", cpu_text(from->cap_pct, old),
               cpu_text(to->cap_pct, new), to->cap_pinned ? ", pinned" : ", not pinned");
    }
    if (from->weight != to->weight) {
        append(text, ", weight %u -> %u", from->weight, to->weight);
    }
    if (from->vcpus != to->vcpus) {
        append(text, ", vcpus %u -> %u", from->vcpus, to->vcpus);
    }
    if (from->memory_kib != to->memory_kib) {
        append(text, ", memory %llu -> %llu MiB", (unsigned long long)from->memory_kib / 1024,
               (unsigned long long)to->memory_kib / 1024);
    }
    if (from->net_rate_kib_s != to->net_rate_kib_s) {
        append(text, ", network %llu -> %llu KiB/s", (unsigned long long)from->net_rate_kib_s,
               (unsigned long long)to->net_rate_kib_s);
    }
    if (from->disk_rate_kib_s != to->disk_rate_kib_s) {
        append(text, ", disk %llu -> %llu KiB/s", (unsigned long long)from->disk_rate_kib_s,
               (unsigned long long)to->disk_rate_kib_s);
    }
}

static void decide_cap(struct request_context *context, struct vm_record *vm, uint32_t from_pct)
{
    struct cluster *cluster = context->cluster;
    struct service_record *service = cluster_service_of(cluster, vm);
    struct decision *decision = emit_new_decision(cluster, context->out);
    memcpy(decision->service, vm->vm.service, sizeof decision->service);
    (void)snprintf(decision->principal, sizeof decision->principal, "%s", context->principal);
    decision->reason = REASON_PERSON;
    decision->outcome = DECISION_OUTCOME_ORDERED;
    struct cap_change *change = &decision->caps[decision->caps_count++];
    memcpy(change->vm, vm->vm.vm, sizeof change->vm);
    memcpy(change->service, vm->vm.service, sizeof change->service);
    memcpy(change->node, vm->vm.node, sizeof change->node);
    change->from_pct = from_pct;
    change->to_pct = vm->vm.cap_pct;
    change->reason = REASON_PERSON;
    char old[CPU_TEXT_SIZE];
    char new[CPU_TEXT_SIZE];
    (void)snprintf(decision->text, sizeof decision->text, "%s set the cap of %s: %s -> %s CPU",
                   context->principal, vm->vm.vm, cpu_text(from_pct, old),
                   cpu_text(vm->vm.cap_pct, new));
    vm->decision = decision->id;
    service->last_decision = decision->id;
    emit_decision(cluster, decision, context->out);
}

/* Something is named, and nothing is both set and taken away. */
static bool names_something(const struct request *request)
{
    const struct set_vm *set = &request->set_vm;
    bool takes_away = set->release_cap || set->no_net_rate || set->no_disk_rate;
    bool sets = set->cap_pct != 0 || set->weight != 0 || set->vcpus != 0 ||
                set->memory_kib != 0 || set->net_rate_kib_s != 0 || set->disk_rate_kib_s != 0;
    return request->has_set_vm && (sets || takes_away) &&
           !(set->cap_pct != 0 && set->release_cap) &&
           !(set->net_rate_kib_s != 0 && set->no_net_rate) &&
           !(set->disk_rate_kib_s != 0 && set->no_disk_rate);
}

void request_set_vm(struct request_context *context)
{
    struct cluster *cluster = context->cluster;
    struct vm_record *vm = request_vm(context, context->request->name);
    if (vm == NULL || !reply_is_at_revision(context, vm->vm.vm, &vm->meta) ||
        !is_orderable(context, vm)) {
        return;
    }
    const struct vm_group *group = cluster_group_of(cluster, vm);
    if (!names_something(context->request) || group == NULL) {
        reply_refuse(context, REPLY_INVALID, REASON_INVALID,
                     "vm %s: give what to set; a cap or limit is either set or taken away",
                     vm->vm.vm);
        return;
    }
    struct vm wanted = with_changes(&vm->vm, &context->request->set_vm, group);
    if (is_same(&vm->vm, &wanted)) {
        reply_text(context, "vm %s: unchanged", vm->vm.vm);
        return;
    }
    uint32_t min_pct = wanted.cap_pinned ? wanted.cap_pct : group->cpu.min_pct;
    if (!check_set(context, vm, &wanted, group) || !check_capabilities(context, vm, &wanted) ||
        !check_room(context, vm, &wanted, min_pct)) {
        return;
    }
    char text[TEXT_SIZE] = "";
    describe(&vm->vm, &wanted, text);
    uint32_t from_pct = vm->vm.cap_pct;
    vm->vm = wanted;
    struct event_record *event = request_event(
        context, cluster_service_of(cluster, vm), vm->vm.vm,
        vm->vm.node[0] == '\0' ? NULL : vm->vm.node, "sets vm %s%s", vm->vm.vm, text);
    if (from_pct != vm->vm.cap_pct) {
        decide_cap(context, vm, from_pct);
        event->decision = vm->decision;
    }
    emit_vm(cluster, vm, context->out);
    cluster_mark_dirty(cluster, vm);
    entries_service(cluster, cluster_service_of(cluster, vm), context->out);
    reply_text(context, "vm %s: set%s", vm->vm.vm, text);
}
