// SPDX-License-Identifier: Apache-2.0
/* The nodes as a placement sees them: what is free, and why something may not go there. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/plan_scratch.h"

uint32_t plan_node_cpu_pct(const struct node_record *node)
{
    return node->spec.cpu_pct != 0 ? node->spec.cpu_pct : node->status.cpu_pct;
}

uint64_t plan_node_memory_kib(const struct node_record *node)
{
    return node->spec.memory_kib != 0 ? node->spec.memory_kib : node->status.memory_kib;
}

struct node_record *plan_node_at(const struct cluster *cluster, uint32_t index)
{
    return table_at(&cluster->nodes, cluster->plan->slots[index]);
}

/* ---- order ---- */

/* By name, so that a plan does not depend on the order in which nodes came. Insertion sort:
 * nodes come one at a time and nearly always at the end. */
static void sort_nodes(const struct cluster *cluster)
{
    struct plan *plan = cluster->plan;
    plan->count = 0;
    plan->sorted_changes = cluster->nodes.changes;
    const struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        uint32_t at = plan->count++;
        while (at > 0 &&
               strcmp(plan_node_at(cluster, at - 1)->spec.node, node->spec.node) > 0) {
            plan->slots[at] = plan->slots[at - 1];
            at--;
        }
        plan->slots[at] = table_slot(&cluster->nodes, node);
    }
    for (uint32_t i = 0; i < plan->count; i++) {
        plan->index_of_slot[plan->slots[i]] = i;
    }
}

/* ---- what is free ---- */

static enum reason why_closed(const struct node_record *node)
{
    if (node->state != NODE_STATE_UP) {
        return REASON_NODE_DOWN;
    }
    if (node->spec.cordoned || node->spec.draining) {
        return REASON_CORDONED;
    }
    if (node->mixed) {
        return REASON_NODE_MIXED;
    }
    if ((node->status.capabilities & CAPABILITY_CREATE) == 0) {
        return REASON_NO_CAPABILITY;
    }
    return node->vms >= VMS_PER_NODE_MAX ? REASON_LIMIT : REASON_NONE;
}

void plan_gather(const struct cluster *cluster)
{
    struct plan *plan = cluster->plan;
    if (plan->sorted_changes != cluster->nodes.changes) {
        sort_nodes(cluster);
    }
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct node_record *node = plan_node_at(cluster, i);
        plan->nodes[i].cpu_pct = plan_node_cpu_pct(node);
        plan->nodes[i].memory_kib = plan_node_memory_kib(node);
        plan->nodes[i].closed = why_closed(node);
        plan->cpu_free[i] = (int64_t)plan->nodes[i].cpu_pct - node->cpu_pct_reserved;
        plan->memory_free[i] =
            (int64_t)plan->nodes[i].memory_kib - (int64_t)node->memory_kib_granted;
    }
}

void plan_settle(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        int64_t cpu = plan->cpu_free[i];
        int64_t memory = plan->memory_free[i];
        plan->nodes[i].cpu_pct_free = cpu > 0 ? (uint32_t)cpu : 0;
        plan->nodes[i].memory_kib_free = memory > 0 ? (uint64_t)memory : 0;
    }
}

/* ---- what a group rules out ---- */

static bool has_storage(const struct storage_record *storage, const char *node)
{
    for (uint32_t i = 0; storage != NULL && i < storage->spec.nodes_count; i++) {
        if (strcmp(storage->spec.nodes[i], node) == 0) {
            return true;
        }
    }
    return false;
}

static enum reason group_closed(const struct vm_group *group, enum isolation isolation,
                                const struct image_record *image,
                                const struct storage_record *storage,
                                const struct node_record *node)
{
    if (image == NULL || (node->status.image_formats & (1u << image->spec.format)) == 0) {
        return REASON_NO_IMAGE;
    }
    if (isolation == ISOLATION_FENCE &&
        (node->status.capabilities & CAPABILITY_SELF_FENCE) == 0) {
        return REASON_NO_SELF_FENCE;
    }
    bool on_storage = group->has_disk && (group->disk.kind == DISK_KIND_SHARED ||
                                          group->disk.kind == DISK_KIND_LOCAL);
    if (on_storage && !has_storage(storage, node->spec.node)) {
        return REASON_NO_STORAGE;
    }
    if (node->status.vcpus_max != 0 && group->vcpus > node->status.vcpus_max) {
        return REASON_NO_CAPABILITY;
    }
    return REASON_NONE;
}

void plan_close(const struct cluster *cluster, const struct service *spec, uint32_t group,
                const struct vm_record *leave_out)
{
    plan_close_row(cluster, spec, group, leave_out, group);
}

void plan_close_row(const struct cluster *cluster, const struct service *spec, uint32_t group,
                    const struct vm_record *leave_out, uint32_t row)
{
    struct plan *plan = cluster->plan;
    unsigned char *closed = plan->closed + (size_t)row * plan->count;
    unsigned char *occupied = plan->occupied + (size_t)row * plan->count;
    const struct vm_group *of = &spec->vms[group];
    const struct image_record *image = table_find(&cluster->images, of->image);
    const struct storage_record *storage = table_find(&cluster->storages, of->disk.storage);
    for (uint32_t i = 0; i < plan->count; i++) {
        closed[i] = (unsigned char)group_closed(of, spec->isolation, image, storage,
                                                plan_node_at(cluster, i));
        occupied[i] = 0;
    }
    const struct service_record *service = table_find(&cluster->services, spec->service);
    if (!of->spread || service == NULL) {
        return;
    }
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (vm == leave_out || vm->vm.phase == VM_PHASE_REMOVING ||
            strcmp(vm->vm.group, of->name) != 0) {
            continue;
        }
        if (vm->counted.node != 0) {
            occupied[plan->index_of_slot[vm->counted.node - 1]] = 1;
        }
        if (vm->counted.move_to != 0) {
            occupied[plan->index_of_slot[vm->counted.move_to - 1]] = 1;
        }
    }
}

/* ---- for people ---- */

void plan_row(const struct cluster *cluster, const struct placement_need *need, uint32_t group,
              uint32_t index, struct placement *row)
{
    const struct plan *plan = cluster->plan;
    memset(row, 0, sizeof *row);
    memcpy(row->node, plan_node_at(cluster, index)->spec.node, sizeof row->node);
    row->reason = placement_why_not(&plan->nodes[index], index, need,
                                    plan->occupied + (size_t)group * plan->count, &row->needed,
                                    &row->available);
}

static void number_text(const struct placement *row, char *out, size_t size)
{
    unsigned long long needed = row->needed;
    unsigned long long available = row->available;
    if (row->reason == REASON_NO_CPU) {
        (void)snprintf(out, size,
                       "%llu.%02llu CPU free, %llu.%02llu needed (%llu.%02llu short)",
                       available / 100, available % 100, needed / 100, needed % 100,
                       (needed - available) / 100, (needed - available) % 100);
    } else {
        /* Rounded so that what is short never reads as nothing. */
        unsigned long long free_mib = available / 1024;
        unsigned long long needed_mib = (needed + 1023) / 1024;
        (void)snprintf(out, size, "%llu MiB free memory, %llu needed (%llu short)", free_mib,
                       needed_mib, needed_mib - free_mib);
    }
}

void plan_row_text(const struct placement *row, char *out, size_t size)
{
    const char *text = reason_word(row->reason);
    bool numbers = (row->reason == REASON_NO_CPU || row->reason == REASON_NO_MEMORY) &&
                   row->needed > row->available;
    if (numbers) {
        number_text(row, out, size);
        return;
    }
    const struct {
        enum reason reason;
        const char *text;
    } words[] = {
        {REASON_NODE_DOWN, "not up"},
        {REASON_CORDONED, "cordoned"},
        {REASON_NO_CAPABILITY, "its driver cannot do it"},
        {REASON_NODE_MIXED, "model nodes and real ones do not mix"},
        {REASON_LIMIT, "holds as many vms as a node may"},
        {REASON_NO_IMAGE, "does not run images of this format"},
        {REASON_NO_SELF_FENCE, "cannot fence itself"},
        {REASON_NO_STORAGE, "does not have the storage"},
        {REASON_SPREAD, "already holds a vm of this group"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (words[i].reason == row->reason) {
            text = words[i].text;
        }
    }
    (void)snprintf(out, size, "%s", text);
}
