// SPDX-License-Identifier: Apache-2.0
/*
 * Rounding down leaves room and may leave floors short; the flow puts that right, and if gangs
 * stand in its way they fall back to their own floors. What remains is for the single services,
 * exactly.
 */
#include <errno.h>

#include "schedulers/optimizer/optimizer.h"

static uint32_t whole(double cap, uint32_t least, uint32_t most)
{
    const double down = cap + 1e-6;
    return down <= least ? least : down >= most ? most : (uint32_t)down;
}

static void round_down(struct optimizer *optimizer, const struct optimizer_service *it,
                       const double *real_caps)
{
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const uint32_t v = it->first_vm + k;
        const struct allocation_vm *vm = &optimizer->problem->vms[v];
        if (vm->fixed) {
            continue;
        }
        if (it->coupling == COUPLING_GANG) {
            optimizer->caps[v] =
                it->open ? whole(real_caps[v], it->least, it->most) : it->value.lo;
        } else {
            const uint32_t least = optimizer_vm_least(vm);
            optimizer->caps[v] =
                it->open ? whole(real_caps[v], least, optimizer_vm_most(vm)) : least;
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
                 const double *real_caps, struct flow *flow)
{
    for (uint32_t i = 0; i < component->services_count; i++) {
        struct optimizer_service *it = &optimizer->services[component->services[i]];
        if (it->coupling == COUPLING_SINGLE) {
            optimizer->caps[it->first_vm] = optimizer->problem->vms[it->first_vm].fixed
                                                ? optimizer->caps[it->first_vm]
                                                : it->least;
        } else {
            round_down(optimizer, it, real_caps);
        }
    }
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

static int fill_node(struct optimizer *optimizer, uint32_t node_index,
                     struct contender *contenders, struct arena *arena)
{
    struct optimizer_node *node = &optimizer->nodes[node_index];
    struct contest contest = {.all = contenders, .price = node->price};
    bool concave = optimizer->problem->objective == ALLOCATION_FLOORS;
    uint64_t others = 0;
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        const uint32_t service = optimizer->owners[optimizer->node_vms[k]];
        const struct optimizer_service *it = &optimizer->services[service];
        if (it->coupling != COUPLING_SINGLE || !it->open) {
            others += optimizer->caps[optimizer->node_vms[k]];
            continue;
        }
        concave = concave && it->value.concave_high && it->kept;
        contest.all[contest.count++] =
            (struct contender){.service = service, .least = it->least, .most = it->most};
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
    uint64_t used = others;
    for (uint32_t i = 0; i < contest.count; i++) {
        struct optimizer_service *it = &optimizer->services[contest.all[i].service];
        it->n = contest.all[i].n;
        optimizer->caps[it->first_vm] = it->n;
        used += it->n;
    }
    node->room = node->cpu_pct - (uint32_t)used;
    return 0;
}

int rounding_fill_singles(struct optimizer *optimizer, const struct component *component,
                          struct arena *arena)
{
    uint32_t most = 0;
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        const uint32_t count = optimizer->nodes[component->nodes[k]].count;
        most = count > most ? count : most;
    }
    struct contender *contenders = arena_take(arena, most + 1u, sizeof *contenders);
    if (contenders == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < component->services_count; i++) {
        struct optimizer_service *it = &optimizer->services[component->services[i]];
        if (it->coupling == COUPLING_GANG) {
            it->n = gang_cap(optimizer, it);
        } else if (it->coupling == COUPLING_SUM) {
            it->n = moving_caps(optimizer, it);
        } else if (!it->open) {
            it->n = optimizer->caps[it->first_vm];
        }
    }
    int rc = 0;
    for (uint32_t k = 0; rc == 0 && k < component->nodes_count; k++) {
        rc = fill_node(optimizer, component->nodes[k], contenders, arena);
    }
    return rc;
}
