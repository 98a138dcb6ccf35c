// SPDX-License-Identifier: Apache-2.0
/*
 * Rounding may overfill nodes and leave floors short; sums give way, the flow puts floors
 * right, and if gangs stand in its way they fall back to their own. What remains is for the
 * single services, exactly.
 */
#include <errno.h>
#include <math.h>

#include "schedulers/optimizer/memory.h"

#define STANDS 1e-3 /* of the CPU of a node: a change of a real cap that is none */

static uint32_t whole(double cap, uint32_t least, uint32_t most)
{
    const double nearest = cap + 0.5;
    return nearest <= least ? least : nearest >= most ? most : (uint32_t)nearest;
}

static void round_gang(struct optimizer *optimizer, const struct optimizer_service *it)
{
    struct coupled_memory *memory = &optimizer->memory->coupled;
    for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
        if (!optimizer->problem->vms[v].fixed) {
            memory->whole_caps[v] = memory->real_caps[v];
            optimizer->caps[v] =
                it->open ? whole(memory->real_caps[v], it->least, it->most) : it->value.lo;
        }
    }
}

/* On nodes that are loose; on others the VMs of a sum keep what they have. */
static void round_sum(struct optimizer *optimizer, const struct optimizer_service *it,
                      const bool *loose)
{
    struct coupled_memory *memory = &optimizer->memory->coupled;
    for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
        const struct allocation_vm *vm = &optimizer->problem->vms[v];
        const uint32_t least = optimizer_vm_least(vm);
        if (!vm->fixed && loose[vm->node]) {
            memory->whole_caps[v] = memory->real_caps[v];
            optimizer->caps[v] =
                it->open ? whole(memory->real_caps[v], least, optimizer_vm_most(vm)) : least;
        }
    }
}

/* Whether real caps have hardly changed since they were rounded, so that the whole ones that
 * were settled then do as well. */
static bool stands(const struct optimizer *optimizer, const struct optimizer_service *it)
{
    const struct coupled_memory *memory = &optimizer->memory->coupled;
    const bool gang = it->coupling == COUPLING_GANG;
    bool stands = true;
    for (uint32_t v = it->first_vm; stands && v < it->first_vm + it->vms_count; v++) {
        const struct allocation_vm *vm = &optimizer->problem->vms[v];
        const uint32_t least = gang ? it->least : optimizer_vm_least(vm);
        const uint32_t most = gang ? it->most : it->open ? optimizer_vm_most(vm) : least;
        const double moved = fabs(memory->real_caps[v] - memory->whole_caps[v]);
        stands = vm->fixed || (moved < STANDS * optimizer->nodes[vm->node].cpu_pct &&
                               memory->caps[v] >= least && memory->caps[v] <= most);
    }
    return stands;
}

static bool all_loose(const struct optimizer *optimizer, const struct optimizer_service *it,
                      const bool *loose)
{
    bool all = true;
    for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
        const struct allocation_vm *vm = &optimizer->problem->vms[v];
        all = all && (vm->fixed || loose[vm->node]);
    }
    return all;
}

/* Nodes of the services whose caps do not stand become loose; all others keep theirs. */
static void find_loose(struct optimizer *optimizer, const struct component *component,
                       bool *loose)
{
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        const bool keeps = it->coupling == COUPLING_SINGLE || stands(optimizer, it);
        for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
            const struct allocation_vm *vm = &optimizer->problem->vms[v];
            loose[vm->node] = loose[vm->node] || !keeps;
            optimizer->caps[v] =
                vm->fixed ? optimizer->caps[v] : optimizer->memory->coupled.caps[v];
        }
    }
}

static void round_all(struct optimizer *optimizer, const struct component *component,
                      bool *loose)
{
    find_loose(optimizer, component, loose);
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        switch (it->coupling) {
        case COUPLING_SINGLE:
            optimizer->caps[it->first_vm] = optimizer->problem->vms[it->first_vm].fixed
                                                ? optimizer->caps[it->first_vm]
                                                : it->least;
            break;
        case COUPLING_SUM: round_sum(optimizer, it, loose); break;
        case COUPLING_GANG:
            if (all_loose(optimizer, it, loose)) {
                round_gang(optimizer, it);
            }
            break;
        }
    }
}

static void set_gang(struct optimizer *optimizer, const struct optimizer_service *it,
                     uint32_t cap_pct)
{
    for (uint32_t k = 0; k < it->vms_count; k++) {
        if (!optimizer->problem->vms[it->first_vm + k].fixed) {
            optimizer->caps[it->first_vm + k] = cap_pct;
        }
    }
}

/* All members of a gang have the cap of the first that can move. */
static uint32_t gang_cap(const struct optimizer *optimizer, const struct optimizer_service *it)
{
    for (uint32_t k = 0; k < it->vms_count; k++) {
        if (!optimizer->problem->vms[it->first_vm + k].fixed) {
            return optimizer->caps[it->first_vm + k];
        }
    }
    return it->value.lo;
}

/* Nodes that hold more than they can: sums give first, then gangs. */
static void relieve(struct optimizer *optimizer, uint32_t node_index)
{
    const struct optimizer_node *node = &optimizer->nodes[node_index];
    uint64_t used = 0;
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        used += optimizer->caps[optimizer->node_vms[k]];
    }
    for (uint32_t k = node->first; k < node->first + node->count && used > node->cpu_pct; k++) {
        const uint32_t v = optimizer->node_vms[k];
        if (optimizer->services[optimizer->owners[v]].coupling != COUPLING_SUM) {
            continue;
        }
        const uint32_t spare =
            optimizer->caps[v] - optimizer_vm_least(&optimizer->problem->vms[v]);
        const uint64_t over = used - node->cpu_pct;
        const uint32_t less = over < spare ? (uint32_t)over : spare;
        optimizer->caps[v] -= less;
        used -= less;
    }
    for (uint32_t k = node->first; k < node->first + node->count && used > node->cpu_pct; k++) {
        const struct optimizer_service *it =
            &optimizer->services[optimizer->owners[optimizer->node_vms[k]]];
        if (it->coupling == COUPLING_GANG) {
            used -= gang_cap(optimizer, it) - it->least;
            set_gang(optimizer, it, it->least);
        }
    }
}

static bool raise_sums(struct optimizer *optimizer, const struct component *component,
                       struct flow *flow)
{
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        if (it->open && it->kept && it->coupling == COUPLING_SUM &&
            !flow_raise(flow, component->services[i], it->need_r)) {
            return false;
        }
    }
    return true;
}

static void lower_gangs(struct optimizer *optimizer, const struct component *component)
{
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        if (it->coupling == COUPLING_GANG && it->open) {
            set_gang(optimizer, it, it->least);
        }
    }
}

static uint32_t moving_caps(const struct optimizer *optimizer,
                            const struct optimizer_service *it)
{
    uint32_t sum = 0;
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const uint32_t v = it->first_vm + k;
        sum += optimizer->problem->vms[v].fixed ? 0 : optimizer->caps[v];
    }
    return sum;
}

bool rounding_do(struct optimizer *optimizer, const struct component *component,
                 struct flow *flow, bool *loose)
{
    round_all(optimizer, component, loose);
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        relieve(optimizer, component->nodes[k]);
    }
    if (!flow_count_room(optimizer, component)) {
        return false;
    }
    if (!raise_sums(optimizer, component, flow)) {
        lower_gangs(optimizer, component);
        if (!flow_count_room(optimizer, component) || !raise_sums(optimizer, component, flow)) {
            return false;
        }
    }
    return true;
}

/* Nodes where a coupled service has another cap than in the last solution. */
static void find_changed(const struct optimizer *optimizer, const struct component *component,
                         bool *loose)
{
    const struct coupled_memory *memory = &optimizer->memory->coupled;
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        for (uint32_t k = 0; it->coupling != COUPLING_SINGLE && k < it->vms_count; k++) {
            const uint32_t v = it->first_vm + k;
            const uint32_t node = optimizer->problem->vms[v].node;
            loose[node] = loose[node] || optimizer->caps[v] != memory->caps[v];
        }
    }
}

static bool fills(const struct optimizer_service *it)
{
    return it->coupling == COUPLING_SINGLE && it->open;
}

/* What the single services of a node that are open may not have. */
static uint64_t taken_by_others(const struct optimizer *optimizer,
                                const struct optimizer_node *node)
{
    uint64_t others = 0;
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        const uint32_t v = optimizer->node_vms[k];
        others += fills(&optimizer->services[optimizer->owners[v]]) ? 0 : optimizer->caps[v];
    }
    return others;
}

static uint64_t fill_key(const struct optimizer *optimizer, uint32_t node_index)
{
    const struct optimizer_node *node = &optimizer->nodes[node_index];
    const uint64_t key = optimizer->memory->coupled.node_keys[node_index];
    return memory_mix(key, taken_by_others(optimizer, node));
}

static void take_over(struct optimizer *optimizer, const struct optimizer_node *node)
{
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        const uint32_t v = optimizer->node_vms[k];
        struct optimizer_service *it = &optimizer->services[optimizer->owners[v]];
        if (fills(it)) {
            optimizer->caps[v] = optimizer->memory->coupled.caps[v];
            it->n = optimizer->caps[v];
        }
    }
}

static int fill_node(struct optimizer *optimizer, uint32_t node_index,
                     struct contender *contenders, struct arena *arena)
{
    struct optimizer_node *node = &optimizer->nodes[node_index];
    struct contest contest = {.all = contenders, .price = node->price};
    bool concave = optimizer->problem->objective == ALLOCATION_FLOORS;
    const uint64_t others = taken_by_others(optimizer, node);
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        const uint32_t service = optimizer->owners[optimizer->node_vms[k]];
        const struct optimizer_service *it = &optimizer->services[service];
        if (fills(it)) {
            concave = concave && it->value.concave_high && it->kept;
            contest.all[contest.count++] =
                (struct contender){.service = service, .least = it->least, .most = it->most};
        }
    }
    contest.capacity = node->cpu_pct - (uint32_t)others;
    if (concave) {
        waterfill_solve(optimizer, &contest);
    } else {
        const int rc = branch_solve(optimizer, &contest, arena);
        if (rc < 0) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < contest.count; i++) {
        struct optimizer_service *it = &optimizer->services[contest.all[i].service];
        it->n = contest.all[i].n;
        optimizer->caps[it->first_vm] = it->n;
    }
    return 0;
}

void rounding_count_amounts(struct optimizer *optimizer, const struct component *component)
{
    for (uint32_t i = 0; i < component->services_count; i++) {
        struct optimizer_service *it = &optimizer->services[component->services[i]];
        if (it->coupling == COUPLING_GANG) {
            it->n = gang_cap(optimizer, it);
        } else if (it->coupling == COUPLING_SUM) {
            it->n = moving_caps(optimizer, it);
        } else {
            it->n = optimizer->caps[it->first_vm];
        }
    }
}

static struct contender *take_contenders(const struct optimizer *optimizer,
                                         const struct component *component, struct arena *arena)
{
    uint32_t most = 0;
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        const uint32_t count = optimizer->nodes[component->nodes[k]].count;
        most = count > most ? count : most;
    }
    return arena_take(arena, most + 1u, sizeof(struct contender));
}

int rounding_fill_singles(struct optimizer *optimizer, const struct component *component,
                          bool *loose, struct arena *arena)
{
    struct contender *contenders = take_contenders(optimizer, component, arena);
    if (contenders == NULL) {
        return -ENOMEM;
    }
    rounding_count_amounts(optimizer, component);
    if (loose != NULL) {
        find_changed(optimizer, component, loose);
    }
    int rc = 0;
    for (uint32_t k = 0; rc == 0 && k < component->nodes_count; k++) {
        const uint32_t node = component->nodes[k];
        if (loose == NULL || loose[node] ||
            fill_key(optimizer, node) != optimizer->memory->coupled.fill_keys[node]) {
            rc = fill_node(optimizer, node, contenders, arena);
            if (loose != NULL) {
                loose[node] = true;
            }
        } else {
            take_over(optimizer, &optimizer->nodes[node]);
        }
    }
    (void)flow_count_room(optimizer, component);
    return rc;
}

void rounding_remember(struct optimizer *optimizer, const struct component *component)
{
    struct coupled_memory *memory = &optimizer->memory->coupled;
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        const struct optimizer_node *node = &optimizer->nodes[component->nodes[k]];
        memory->fill_keys[component->nodes[k]] = fill_key(optimizer, component->nodes[k]);
        for (uint32_t i = node->first; i < node->first + node->count; i++) {
            const uint32_t v = optimizer->node_vms[i];
            memory->caps[v] = optimizer->caps[v];
        }
    }
}
