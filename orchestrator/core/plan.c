// SPDX-License-Identifier: Apache-2.0
/*
 * Which VMs a service needs and where they go. The question "where" is answered by
 * schedulers/placement.h over plain numbers; here the state of the cluster becomes these
 * numbers and the answer becomes VMs. VMs that have a node stay there: a new plan is about what
 * is missing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/core/plan_scratch.h"

#define DEFAULT_VM_WEIGHT 256
#define PERMILLE          1000

int plan_init(struct cluster *cluster)
{
    struct plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) {
        return -ENOMEM;
    }
    cluster->plan = plan;
    uint32_t nodes = cluster->config.nodes_max;
    plan->slots = calloc(nodes, sizeof *plan->slots);
    plan->index_of_slot = calloc(nodes, sizeof *plan->index_of_slot);
    plan->cpu_free = calloc(nodes, sizeof *plan->cpu_free);
    plan->memory_free = calloc(nodes, sizeof *plan->memory_free);
    plan->nodes = calloc(nodes, sizeof *plan->nodes);
    plan->vms_free = calloc(nodes, sizeof *plan->vms_free);
    plan->closed = calloc((size_t)nodes * PLAN_GROUPS_MAX, 1);
    plan->occupied = calloc((size_t)nodes * PLAN_GROUPS_MAX, 1);
    bool ok = plan->slots != NULL && plan->index_of_slot != NULL && plan->cpu_free != NULL &&
              plan->memory_free != NULL && plan->nodes != NULL && plan->vms_free != NULL &&
              plan->closed != NULL && plan->occupied != NULL;
    return ok ? 0 : -ENOMEM;
}

void plan_finish(struct cluster *cluster)
{
    struct plan *plan = cluster->plan;
    if (plan == NULL) {
        return;
    }
    free(plan->slots);
    free(plan->index_of_slot);
    free(plan->cpu_free);
    free(plan->memory_free);
    free(plan->nodes);
    free(plan->vms_free);
    free(plan->closed);
    free(plan->occupied);
    free(plan);
    cluster->plan = NULL;
}

void plan_recount(struct cluster *cluster)
{
    struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        node->cpu_pct_granted = 0;
        node->cpu_pct_reserved = 0;
        node->memory_kib_granted = 0;
        node->vms = 0;
    }
    cluster->vms_waiting = 0;
    struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&cluster->vms, &i)) != NULL;) {
        vm->counted = (struct vm_count){0};
        cluster_count_vm(cluster, vm);
    }
}

/* ---- what a spec means for a VM that exists ---- */

/* How many VMs of each group of the spec stay. */
struct kept {
    uint32_t count[VM_GROUPS_MAX];
};

/* The index of the group in the spec for a VM that stays, VM_GROUPS_MAX for one that goes. VMs
 * have to be asked about in list order: those with the highest numbers go first. */
static uint32_t group_for(const struct service *spec, const struct vm_record *vm,
                          struct kept *kept)
{
    if (vm->vm.phase == VM_PHASE_REMOVING) {
        return VM_GROUPS_MAX;
    }
    for (uint32_t i = 0; i < spec->vms_count; i++) {
        if (strcmp(spec->vms[i].name, vm->vm.group) == 0) {
            if (kept->count[i] >= spec->vms[i].count.max) {
                return VM_GROUPS_MAX;
            }
            kept->count[i]++;
            return i;
        }
    }
    return VM_GROUPS_MAX;
}

/* Where the file gives a range, VCPUs stay as far as it allows and start as enough for the cap:
 * each one more divides a small cap into more and shorter turns. */
static uint32_t fit_vcpus(const struct vm *vm, const struct vm_group *group)
{
    const uint32_t least = group->vcpus_min > 0 ? group->vcpus_min : group->vcpus;
    const uint32_t enough = (vm->cap_pct + 99) / 100;
    uint32_t vcpus = vm->vcpus > enough ? vm->vcpus : enough;
    vcpus = vcpus < least ? least : vcpus;
    return vcpus < group->vcpus ? vcpus : group->vcpus;
}

/* Memory stays where it is as far as the range allows, and starts as the least. */
static uint64_t fit_memory(const struct vm *vm, const struct vm_group *group)
{
    const uint64_t least = service_least_memory_kib(group);
    const uint64_t memory = vm->memory_kib > least ? vm->memory_kib : least;
    return memory < group->memory_kib ? memory : group->memory_kib;
}

/* The VM as the group wants it; a cap stays where it is as far as the range allows. */
static void fit_to_group(struct vm *vm, const struct vm_group *group)
{
    if (!vm->cap_pinned) {
        vm->cap_pct = vm->cap_pct < group->cpu.min_pct ? group->cpu.min_pct : vm->cap_pct;
        vm->cap_pct = vm->cap_pct > group->cpu.max_pct ? group->cpu.max_pct : vm->cap_pct;
    }
    vm->vcpus = fit_vcpus(vm, group);
    vm->memory_kib = fit_memory(vm, group);
    vm->net_rate_kib_s = group->net_rate_kib_s;
    vm->disk_rate_kib_s = group->has_disk ? group->disk.rate_kib_s : 0;
}

static bool is_same_size(const struct vm *a, const struct vm *b)
{
    return a->cap_pct == b->cap_pct && a->vcpus == b->vcpus && a->memory_kib == b->memory_kib &&
           a->net_rate_kib_s == b->net_rate_kib_s && a->disk_rate_kib_s == b->disk_rate_kib_s &&
           a->load_share_permille == b->load_share_permille;
}

/* ---- needs ---- */

/* Also by a VM of another service whose name happens to be the same: a-b + c and a + b-c. */
static bool is_name_used(const struct cluster *cluster, const char *service, const char *group,
                         uint32_t number)
{
    char name[NAME_SIZE];
    return cluster_vm_name(service, group, number, name) &&
           table_find(&cluster->vms, name) != NULL;
}

/* One need per VM that is missing; rows of all groups that have any. */
static void list_needs(const struct cluster *cluster, const struct service *spec,
                       const struct kept *kept)
{
    struct plan *plan = cluster->plan;
    plan->needs_count = 0;
    for (uint32_t group = 0; group < spec->vms_count; group++) {
        const struct vm_group *of = &spec->vms[group];
        if (kept->count[group] < of->count.min) {
            plan_close(cluster, spec, group, NULL);
        }
        uint32_t number = 0;
        for (uint32_t have = kept->count[group]; have < of->count.min; have++) {
            do {
                number++;
            } while (is_name_used(cluster, spec->service, of->name, number));
            uint32_t need = plan->needs_count++;
            plan->group_of[need] = group;
            plan->number_of[need] = number;
            plan->needs[need] = (struct placement_need){
                .cpu_pct = of->cpu.min_pct,
                .memory_kib = service_least_memory_kib(of),
                .spread_group = of->spread ? group + 1 : 0,
                .closed = plan->closed + (size_t)group * plan->count,
            };
        }
    }
}

uint32_t plan_choose(struct plan *plan)
{
    plan_settle(plan);
    return placement_choose(plan->nodes, plan->count, plan->needs, plan->needs_count,
                            plan->occupied, plan->chosen);
}

/* ---- plan_service: changes nothing ---- */

static struct placement *add_row(struct service_plan *plan)
{
    if (plan->count == PLAN_ROWS_MAX) {
        return NULL;
    }
    struct placement *row = &plan->rows[plan->count++];
    memset(row, 0, sizeof *row);
    row->reason = REASON_NONE;
    return row;
}

/* Adds amounts to what is free on the nodes that a VM is counted on. */
static void give_back(const struct cluster *cluster, const struct vm_record *vm, int64_t cpu,
                      int64_t memory)
{
    struct plan *plan = cluster->plan;
    const uint32_t slots[] = {vm->counted.node, vm->counted.move_to};
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        if (slots[i] != 0) {
            plan->cpu_free[plan->index_of_slot[slots[i] - 1]] += cpu;
            plan->memory_free[plan->index_of_slot[slots[i] - 1]] += memory;
        }
    }
}

/* A VM that stays must find what it grows by on its own node. Fills the reason of the row. */
static void check_growth(const struct cluster *cluster, const struct vm_record *vm, int64_t cpu,
                         int64_t memory, struct placement *row)
{
    if (vm->counted.node == 0) {
        return;
    }
    uint32_t index = cluster->plan->index_of_slot[vm->counted.node - 1];
    int64_t cpu_free = cluster->plan->cpu_free[index];
    int64_t memory_free = cluster->plan->memory_free[index];
    if (cpu > 0 && cpu_free < 0) {
        row->reason = REASON_NO_CPU;
        row->needed = (uint64_t)cpu;
        row->available = cpu_free + cpu > 0 ? (uint64_t)(cpu_free + cpu) : 0;
    } else if (memory > 0 && memory_free < 0) {
        row->reason = REASON_NO_MEMORY;
        row->needed = (uint64_t)memory;
        row->available = memory_free + memory > 0 ? (uint64_t)(memory_free + memory) : 0;
    }
}

/* The row of a VM that exists; none when nothing changes for it. */
static void plan_existing(const struct cluster *cluster, const struct vm_record *vm,
                          const struct vm_group *group, struct service_plan *out)
{
    struct vm wanted = vm->vm;
    if (group == NULL) {
        give_back(cluster, vm, vm->counted.min_pct, (int64_t)vm->counted.memory_kib);
    } else {
        fit_to_group(&wanted, group);
    }
    uint32_t min_pct = wanted.cap_pinned ? wanted.cap_pct
                       : group == NULL   ? 0
                                         : group->cpu.min_pct;
    bool same =
        group != NULL && is_same_size(&vm->vm, &wanted) && min_pct == vm->counted.min_pct;
    struct placement *row = same ? NULL : add_row(out);
    if (row == NULL) {
        return;
    }
    memcpy(row->vm, vm->vm.vm, sizeof row->vm);
    memcpy(row->node, vm->vm.node, sizeof row->node);
    row->cap_pct = wanted.cap_pct;
    row->memory_kib = wanted.memory_kib;
    row->remove = group == NULL;
    row->change = group != NULL;
    if (group != NULL) {
        int64_t cpu = (int64_t)min_pct - vm->counted.min_pct;
        int64_t memory = (int64_t)wanted.memory_kib - (int64_t)vm->counted.memory_kib;
        give_back(cluster, vm, -cpu, -memory);
        check_growth(cluster, vm, cpu, memory, row);
        out->feasible = out->feasible && row->reason == REASON_NONE;
    }
}

static void plan_new(const struct cluster *cluster, const struct service *spec,
                     struct service_plan *out)
{
    const struct plan *plan = cluster->plan;
    uint32_t unplaced = PLACEMENT_NONE;
    for (uint32_t i = 0; i < plan->needs_count; i++) {
        const struct vm_group *group = &spec->vms[plan->group_of[i]];
        struct placement *row = add_row(out);
        if (plan->chosen[i] == PLACEMENT_NONE && unplaced == PLACEMENT_NONE) {
            unplaced = i;
        }
        if (row == NULL) {
            continue;
        }
        (void)cluster_vm_name(spec->service, group->name, plan->number_of[i], row->vm);
        row->cap_pct = group->cpu.min_pct;
        row->memory_kib = service_least_memory_kib(group);
        if (plan->chosen[i] == PLACEMENT_NONE) {
            row->reason = REASON_NO_NODE;
        } else {
            memcpy(row->node, plan_node_at(cluster, plan->chosen[i])->spec.node,
                   sizeof row->node);
        }
    }
    for (uint32_t i = 0; unplaced != PLACEMENT_NONE && i < plan->count; i++) {
        struct placement *row = add_row(out);
        if (row != NULL) {
            plan_row(cluster, &plan->needs[unplaced], plan->group_of[unplaced], i, row);
        }
    }
}

void plan_service(const struct cluster *cluster, const struct service *spec,
                  struct service_plan *plan)
{
    plan->feasible = true;
    plan->count = 0;
    plan_gather(cluster);
    struct kept kept = {0};
    const struct service_record *service = table_find(&cluster->services, spec->service);
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0;
         service != NULL && (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        uint32_t group = group_for(spec, vm, &kept);
        if (vm->vm.phase != VM_PHASE_REMOVING) {
            plan_existing(cluster, vm, group == VM_GROUPS_MAX ? NULL : &spec->vms[group], plan);
        }
    }
    list_needs(cluster, spec, &kept);
    if (plan_choose(cluster->plan) > 0) {
        plan->feasible = false;
    }
    plan_new(cluster, spec, plan);
}

/* ---- carrying it out ---- */

static void fill_new(struct cluster *cluster, struct vm_record *vm,
                     const struct vm_group *group, uint32_t load_share_permille)
{
    rng_uuid(&cluster->rng, vm->vm.uuid);
    vm->vm.phase = VM_PHASE_ASSIGNED; /* until a node is found or not, below */
    vm->vm.waiting_reason = REASON_NONE;
    vm->vm.desired = RUN_STATE_RUNNING;
    vm->vm.cap_pct = group->cpu.min_pct;
    vm->vm.weight = DEFAULT_VM_WEIGHT;
    vm->vm.load_share_permille = load_share_permille;
    fit_to_group(&vm->vm, group);
}

static void make_missing(struct cluster *cluster, struct service_record *service,
                         const struct kept *kept, uint32_t load_share_permille,
                         struct effects *out)
{
    struct plan *plan = cluster->plan;
    plan_gather(cluster);
    list_needs(cluster, &service->spec, kept);
    (void)plan_choose(plan);
    for (uint32_t i = 0; i < plan->needs_count; i++) {
        const struct vm_group *group = &service->spec.vms[plan->group_of[i]];
        struct vm_record *vm =
            cluster_add_vm(cluster, service, group->name, plan->number_of[i]);
        if (vm == NULL) {
            (void)emit_event(cluster, EVENT_KIND_ALARM, REASON_LIMIT, service, NULL, NULL, out,
                             "service %s: no place for another vm record: %u of %u are used",
                             service->spec.service, cluster->vms.count, cluster->vms.capacity);
            return;
        }
        fill_new(cluster, vm, group, load_share_permille);
        if (plan->chosen[i] != PLACEMENT_NONE) {
            plan_assign(cluster, vm, plan_node_at(cluster, plan->chosen[i]), out);
        } else {
            struct placement why;
            plan_closest(cluster, &plan->needs[i], plan->group_of[i], &why);
            plan_wait(cluster, vm, &why, out);
        }
    }
}

struct vm_record *plan_add_vm(struct cluster *cluster, struct service_record *service,
                              uint32_t group, struct node_record *node, struct effects *out)
{
    const struct vm_group *of = &service->spec.vms[group];
    uint32_t number = 0;
    do {
        number++;
    } while (is_name_used(cluster, service->spec.service, of->name, number));
    struct vm_record *vm = cluster_add_vm(cluster, service, of->name, number);
    if (vm == NULL) {
        return NULL;
    }
    fill_new(cluster, vm, of, 0);
    vm->vm.vcpus = of->vcpus; /* what there is of it is needed now */
    plan_assign(cluster, vm, node, out);
    plan_apply(cluster, service, out); /* the load is shared anew */
    return vm;
}

static void update_vm(struct cluster *cluster, struct vm_record *vm,
                      const struct vm_group *group, uint32_t load_share_permille,
                      struct effects *out)
{
    struct vm wanted = vm->vm;
    fit_to_group(&wanted, group);
    wanted.load_share_permille = load_share_permille;
    if (!is_same_size(&vm->vm, &wanted)) {
        vm->vm = wanted;
        emit_vm(cluster, vm, out);
        cluster_mark_dirty(cluster, vm);
    } else {
        cluster_count_vm(cluster, vm); /* the minimum of its group may have moved */
    }
}

void plan_apply(struct cluster *cluster, struct service_record *service, struct effects *out)
{
    const struct service *spec = &service->spec;
    struct kept kept = {0};
    struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        (void)group_for(spec, vm, &kept);
    }
    uint32_t total = 0;
    for (uint32_t i = 0; i < spec->vms_count; i++) {
        total +=
            kept.count[i] > spec->vms[i].count.min ? kept.count[i] : spec->vms[i].count.min;
    }
    uint32_t load_share_permille = total == 0 ? 0 : PERMILLE / total;
    struct kept again = {0};
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        uint32_t group = group_for(spec, vm, &again);
        if (group != VM_GROUPS_MAX) {
            update_vm(cluster, vm, &spec->vms[group], load_share_permille, out);
        } else if (vm->vm.phase != VM_PHASE_REMOVING) {
            plan_remove(cluster, vm, out);
        }
    }
    make_missing(cluster, service, &kept, load_share_permille, out);
}
