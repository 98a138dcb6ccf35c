// SPDX-License-Identifier: Apache-2.0
/*
 * Bookkeeping that all files of the core share: which VMs belong to a service, what they add up
 * to on nodes and in agreements, and which of them changed.
 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/state.h"

void cluster_mark_dirty(struct cluster *cluster, struct vm_record *vm)
{
    if (vm->dirty) {
        return;
    }
    assert(cluster->dirty_count < cluster->vms.capacity);
    uint32_t tail = (cluster->dirty_head + cluster->dirty_count) % cluster->vms.capacity;
    cluster->dirty[tail] = table_slot(&cluster->vms, vm);
    cluster->dirty_count++;
    vm->dirty = true;
}

/* The slot may be used again, so it must not stay in the ring. */
static void remove_dirty(struct cluster *cluster, struct vm_record *vm)
{
    uint32_t slot = table_slot(&cluster->vms, vm);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < cluster->dirty_count; i++) {
        uint32_t from = cluster->dirty[(cluster->dirty_head + i) % cluster->vms.capacity];
        if (from != slot) {
            cluster->dirty[(cluster->dirty_head + kept) % cluster->vms.capacity] = from;
            kept++;
        }
    }
    cluster->dirty_count = kept;
    vm->dirty = false;
}

struct service_record *cluster_service_of(const struct cluster *cluster,
                                          const struct vm_record *vm)
{
    return table_at(&cluster->services, vm->service_slot);
}

/* *slot is 0 at the start, then slot + 1 of the VM to come, UINT32_MAX behind the last one. */
struct vm_record *cluster_next_vm_of(const struct cluster *cluster,
                                     const struct service_record *service, uint32_t *slot)
{
    uint32_t next = *slot == 0 ? service->first_vm : *slot;
    if (next == 0 || next == UINT32_MAX) {
        *slot = UINT32_MAX;
        return NULL;
    }
    struct vm_record *vm = table_at(&cluster->vms, next - 1);
    assert(vm != NULL);
    *slot = vm->next_vm == 0 ? UINT32_MAX : vm->next_vm;
    return vm;
}

static bool comes_before(const struct vm_record *a, const struct vm_record *b)
{
    int order = strcmp(a->vm.group, b->vm.group);
    return order != 0 ? order < 0 : a->vm.number < b->vm.number;
}

/* Into the list of its service, by group and number: the same order whatever the history was.
 */
void cluster_link_vm(struct cluster *cluster, struct service_record *service,
                     struct vm_record *vm)
{
    vm->service_slot = table_slot(&cluster->services, service);
    uint32_t *link = &service->first_vm;
    while (*link != 0) {
        struct vm_record *other = table_at(&cluster->vms, *link - 1);
        if (comes_before(vm, other)) {
            break;
        }
        link = &other->next_vm;
    }
    vm->next_vm = *link;
    *link = table_slot(&cluster->vms, vm) + 1;
}

static void unlink_vm(struct cluster *cluster, struct service_record *service,
                      struct vm_record *vm)
{
    uint32_t *link = &service->first_vm;
    while (*link != table_slot(&cluster->vms, vm) + 1) {
        assert(*link != 0);
        struct vm_record *other = table_at(&cluster->vms, *link - 1);
        link = &other->next_vm;
    }
    *link = vm->next_vm;
}

const struct vm_group *cluster_group_of(const struct cluster *cluster,
                                        const struct vm_record *vm)
{
    const struct service_record *service = cluster_service_of(cluster, vm);
    for (uint32_t i = 0; i < service->spec.vms_count; i++) {
        if (strcmp(service->spec.vms[i].name, vm->vm.group) == 0) {
            return &service->spec.vms[i];
        }
    }
    return NULL;
}

void cluster_init_service(struct service_record *service)
{
    memcpy(service->progress.service, service->spec.service, sizeof service->progress.service);
    service->measured = (double)NAN;
    service->measured_value = (double)NAN;
    service->load = (double)NAN;
    service->cpu_used_pct = (double)NAN;
    service->tasks_done = (double)NAN;
    service->level = (double)NAN;
    service->level_predicted = (double)NAN;
}

/* ---- sums ---- */

static struct node_record *counted_node(const struct cluster *cluster, uint32_t slot_plus_one)
{
    return slot_plus_one == 0 ? NULL : table_at(&cluster->nodes, slot_plus_one - 1);
}

static void add_to_node(struct node_record *node, const struct vm_count *count)
{
    if (node != NULL) {
        node->cpu_pct_granted += count->cap_pct;
        node->cpu_pct_reserved += count->min_pct;
        node->memory_kib_granted += count->memory_kib;
        node->vms++;
    }
}

static void take_from_node(struct node_record *node, const struct vm_count *count)
{
    if (node != NULL) {
        node->cpu_pct_granted -= count->cap_pct;
        node->cpu_pct_reserved -= count->min_pct;
        node->memory_kib_granted -= count->memory_kib;
        node->vms--;
    }
}

static void uncount(struct cluster *cluster, struct vm_record *vm)
{
    take_from_node(counted_node(cluster, vm->counted.node), &vm->counted);
    take_from_node(counted_node(cluster, vm->counted.move_to), &vm->counted);
    if (vm->counted.waiting) {
        cluster->vms_waiting--;
    }
    vm->counted = (struct vm_count){0};
}

static uint32_t node_slot_plus_one(const struct cluster *cluster, const char *name)
{
    const struct node_record *node = name[0] == '\0' ? NULL : table_find(&cluster->nodes, name);
    return node == NULL ? 0 : table_slot(&cluster->nodes, node) + 1;
}

uint32_t cluster_min_cap_of(const struct cluster *cluster, const struct vm_record *vm)
{
    const struct vm_group *group = cluster_group_of(cluster, vm);
    bool fixed = vm->vm.cap_pinned || group == NULL || group->cpu.min_pct > vm->vm.cap_pct;
    return fixed ? vm->vm.cap_pct : group->cpu.min_pct;
}

void cluster_count_vm(struct cluster *cluster, struct vm_record *vm)
{
    uncount(cluster, vm);
    vm->counted.waiting = vm->vm.phase == VM_PHASE_WAITING;
    cluster->vms_waiting += vm->counted.waiting ? 1u : 0u;
    vm->counted.node = node_slot_plus_one(cluster, vm->vm.node);
    vm->counted.move_to =
        vm->vm.phase == VM_PHASE_MOVING ? node_slot_plus_one(cluster, vm->vm.move_to) : 0;
    vm->counted.cap_pct = vm->vm.cap_pct;
    vm->counted.min_pct = cluster_min_cap_of(cluster, vm);
    vm->counted.memory_kib = vm->vm.memory_kib;
    add_to_node(counted_node(cluster, vm->counted.node), &vm->counted);
    add_to_node(counted_node(cluster, vm->counted.move_to), &vm->counted);
}

struct service_need cluster_need_of(const struct service *spec)
{
    struct service_need need = {0};
    for (uint32_t i = 0; i < spec->vms_count; i++) {
        const struct vm_group *group = &spec->vms[i];
        need.vms += group->count.min;
        need.cpu_pct += (uint64_t)group->count.min * group->cpu.min_pct;
        need.memory_kib += (uint64_t)group->count.min * service_least_memory_kib(group);
    }
    return need;
}

void cluster_count_service(struct cluster *cluster, const char *owner,
                           const struct service *before, const struct service *after)
{
    struct agreement_record *agreement = table_find(&cluster->agreements, owner);
    if (agreement == NULL) {
        return;
    }
    if (before != NULL) {
        struct service_need need = cluster_need_of(before);
        agreement->used.vms -= need.vms;
        agreement->used.cpu_pct -= need.cpu_pct;
        agreement->used.memory_kib -= need.memory_kib;
    }
    if (after != NULL) {
        struct service_need need = cluster_need_of(after);
        agreement->used.vms += need.vms;
        agreement->used.cpu_pct += need.cpu_pct;
        agreement->used.memory_kib += need.memory_kib;
    }
}

/* ---- coming and going ---- */

bool cluster_vm_name(const char *service, const char *group, uint32_t number,
                     char out[NAME_SIZE])
{
    int length = snprintf(out, NAME_SIZE, "%s-%s-%u", service, group, number);
    return length > 0 && length < NAME_SIZE;
}

struct vm_record *cluster_add_vm(struct cluster *cluster, struct service_record *service,
                                 const char *group, uint32_t number)
{
    char name[NAME_SIZE];
    if (!cluster_vm_name(service->spec.service, group, number, name)) {
        return NULL;
    }
    struct vm_record *vm = table_add(&cluster->vms, name);
    if (vm == NULL) {
        return NULL;
    }
    vm->vm.version = 1;
    (void)snprintf(vm->vm.service, sizeof vm->vm.service, "%s", service->spec.service);
    (void)snprintf(vm->vm.group, sizeof vm->vm.group, "%s", group);
    vm->vm.number = number;
    memcpy(vm->meta.owner, service->meta.owner, sizeof vm->meta.owner);
    vm->problem = REASON_NONE;
    vm->tasks_done = (double)NAN;
    vm->metrics_slot = TABLE_NONE;
    cluster_link_vm(cluster, service, vm);
    return vm;
}

void cluster_bank_tasks(struct cluster *cluster, struct vm_record *vm, struct effects *out)
{
    struct service_record *service = cluster_service_of(cluster, vm);
    if (service->spec.kind == SERVICE_KIND_QUEUE && isfinite(vm->tasks_done) &&
        vm->tasks_done > 0) {
        service->progress.tasks_done_before += (uint64_t)vm->tasks_done;
        emit_progress(cluster, service, out);
    }
    vm->tasks_done = (double)NAN;
}

void cluster_vm_gone(struct cluster *cluster, struct vm_record *vm, struct effects *out)
{
    struct service_record *service = cluster_service_of(cluster, vm);
    if (!service->deleting) {
        cluster_bank_tasks(cluster, vm, out);
    }
    uncount(cluster, vm);
    if (vm->dirty) {
        remove_dirty(cluster, vm);
    }
    unlink_vm(cluster, service, vm);
    emit_delete(cluster, OBJECT_KIND_VM, vm->vm.vm, out);
    table_remove(&cluster->vms, vm);
    if (service->deleting && service->first_vm == 0) {
        cluster_service_gone(cluster, service, out);
    }
}

void cluster_service_gone(struct cluster *cluster, struct service_record *service,
                          struct effects *out)
{
    entries_remove(cluster, service, out);
    cluster_count_service(cluster, service->meta.owner, &service->spec, NULL);
    (void)emit_event(cluster, EVENT_KIND_CHANGED, REASON_NONE, service, NULL, NULL, out,
                     "service %s is gone with all its VMs", service->spec.service);
    emit_delete(cluster, OBJECT_KIND_SERVICE, service->spec.service, out);
    table_remove(&cluster->services, service);
}

uint32_t cluster_weight_of(const struct cluster *cluster, const struct service_record *service)
{
    const struct agreement_record *agreement =
        table_find(&cluster->agreements, service->meta.owner);
    uint32_t factor =
        agreement == NULL || agreement->spec.weight == 0 ? 1 : agreement->spec.weight;
    uint32_t own = service->spec.objective.weight == 0 ? 1 : service->spec.objective.weight;
    uint64_t weight = (uint64_t)factor * own;
    return weight > UINT32_MAX ? UINT32_MAX : (uint32_t)weight;
}

enum mode cluster_mode(const struct cluster *cluster)
{
    return cluster->settings.mode;
}

const char *cluster_mode_word(enum mode mode)
{
    static const char *const words[] = {"unspecified", "advise", "act", "hold"};
    return (unsigned)mode < sizeof words / sizeof *words ? words[mode] : words[0];
}
