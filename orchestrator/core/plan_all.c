// SPDX-License-Identifier: Apache-2.0
/* Nodes for the VMs of a lost node together: the state of the cluster as the numbers of
 * schedulers/placement_all.h. */
#include <string.h>

#include "orchestrator/core/control.h"
#include "orchestrator/core/plan_scratch.h"

/* Which VMs take part, and of what. */
struct together {
    uint32_t count;
    uint32_t of[PLACEMENT_ALL_MAX]; /* index in the caller's list */
    uint32_t services_count;
    const struct service_record *services[PLACEMENT_ALL_MAX];
    double weights[PLACEMENT_ALL_MAX];
    uint32_t service_of[PLACEMENT_ALL_MAX];
    uint32_t rows_count;
    const struct vm_group *rows[PLACEMENT_ALL_MAX];
};

static uint32_t service_index(const struct cluster *cluster, struct together *all,
                              const struct service_record *service)
{
    for (uint32_t i = 0; i < all->services_count; i++) {
        if (all->services[i] == service) {
            return i;
        }
    }
    all->services[all->services_count] = service;
    all->weights[all->services_count] = cluster_weight_of(cluster, service);
    return all->services_count++;
}

/* Its row in closed[] and occupied[]; the other VMs of its group on the lost node occupy only
 * what is closed anyhow. */
static uint32_t row_index(const struct cluster *cluster, struct together *all,
                          const struct service_record *service, const struct vm_group *group,
                          const struct vm_record *vm)
{
    for (uint32_t i = 0; i < all->rows_count; i++) {
        if (all->rows[i] == group) {
            return i;
        }
    }
    all->rows[all->rows_count] = group;
    plan_close_row(cluster, &service->spec, (uint32_t)(group - service->spec.vms), vm,
                   all->rows_count);
    return all->rows_count++;
}

static void add(const struct cluster *cluster, struct together *all, const struct vm_record *vm,
                uint32_t of)
{
    struct plan *plan = cluster->plan;
    const struct service_record *service = cluster_service_of(cluster, vm);
    const struct vm_group *group = cluster_group_of(cluster, vm);
    const bool is_pinned = group != NULL && group->has_disk &&
                           group->disk.kind == DISK_KIND_LOCAL && vm->vm.generation > 0;
    if (group == NULL || is_pinned) {
        return;
    }
    const uint32_t row = row_index(cluster, all, service, group, vm);
    plan->needs[all->count] = (struct placement_need){
        .cpu_pct = cluster_min_cap_of(cluster, vm),
        .floor_pct = control_floor_of(cluster, vm),
        .memory_kib = vm->vm.memory_kib,
        .spread_group = group->spread ? row + 1 : 0,
        .closed = plan->closed + (size_t)row * plan->count,
    };
    all->service_of[all->count] = service_index(cluster, all, service);
    all->of[all->count++] = of;
}

void plan_nodes_for(const struct cluster *cluster, const uint32_t *slots, uint32_t count,
                    struct node_record **to)
{
    struct plan *plan = cluster->plan;
    struct together all = {.count = 0};
    plan_gather(cluster);
    plan_settle(plan);
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct node_record *node = plan_node_at(cluster, i);
        plan->nodes[i].slack_pct = (int64_t)control_room_of(cluster, node);
        plan->vms_free[i] = node->vms < VMS_PER_NODE_MAX ? VMS_PER_NODE_MAX - node->vms : 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        to[i] = NULL;
        add(cluster, &all, table_at(&cluster->vms, slots[i]), i);
    }
    struct placement_all problem = {
        .nodes = plan->nodes,
        .nodes_count = plan->count,
        .vms_free = plan->vms_free,
        .occupied = plan->occupied,
        .needs = plan->needs,
        .service_of = all.service_of,
        .weights = all.weights,
        .needs_count = all.count,
        .services_count = all.services_count,
    };
    struct placement_found found;
    placement_all(&problem, plan->chosen, &found);
    for (uint32_t i = 0; i < all.count; i++) {
        if (plan->chosen[i] != PLACEMENT_NONE) {
            to[all.of[i]] = plan_node_at(cluster, plan->chosen[i]);
        }
    }
}
