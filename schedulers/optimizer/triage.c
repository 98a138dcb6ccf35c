// SPDX-License-Identifier: Apache-2.0
#include "schedulers/optimizer/triage.h"

#include <errno.h>
#include <math.h>

uint32_t triage_need(const struct optimizer_service *service)
{
    if (service->coupling != COUPLING_SUM || service->equal_speed) {
        return service->floor_n - service->value.lo;
    }
    /* of the slowest: what is raised on faster nodes is more than needed */
    const double r = service->need_r - value_r(&service->value, service->value.lo);
    return r > 0.0 ? (uint32_t)ceil(r / service->value.unit - VALUE_TOLERANCE) : 0;
}

static uint32_t least_cap(const struct optimizer *optimizer, uint32_t v)
{
    const struct optimizer_service *it = &optimizer->services[optimizer->owners[v]];
    return it->coupling == COUPLING_SUM ? optimizer_vm_least(&optimizer->problem->vms[v])
                                        : it->value.lo;
}

static int build_node(struct triage *triage, uint32_t at, uint32_t *singles,
                      struct arena *arena)
{
    const struct optimizer *optimizer = triage->optimizer;
    const struct optimizer_node *node = &optimizer->nodes[triage->component->nodes[at]];
    struct triage_node *out = &triage->nodes[at];
    uint32_t count = 0;
    uint64_t least = 0;
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        const uint32_t v = optimizer->node_vms[k];
        const uint32_t service = optimizer->owners[v];
        least += least_cap(optimizer, v);
        if (optimizer->services[service].coupling != COUPLING_SINGLE) {
            continue;
        }
        uint32_t place = count++;
        for (; place > 0 &&
               optimizer->services[singles[place - 1]].rank < optimizer->services[service].rank;
             place--) {
            singles[place] = singles[place - 1];
        }
        singles[place] = service;
    }
    out->capacity = node->cpu_pct > least ? node->cpu_pct - (uint32_t)least : 0;
    out->left = out->capacity;
    const int rc = knapsack_build(optimizer, &out->knapsack, singles, count, out->capacity);
    out->hull = arena_take(arena, out->knapsack.frontier_count + 1u, sizeof *out->hull);
    return rc < 0 ? rc : out->hull == NULL ? -ENOMEM : 0;
}

static void note_spaces(struct triage *triage, const struct optimizer_service *it)
{
    for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
        const struct allocation_vm *vm = &triage->optimizer->problem->vms[v];
        triage->spaces[v] = vm->fixed ? 0 : optimizer_vm_most(vm) - optimizer_vm_least(vm);
    }
}

static int build(struct triage *triage, struct arena *arena)
{
    struct optimizer *optimizer = triage->optimizer;
    const struct component *component = triage->component;
    uint32_t most = 0;
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        const uint32_t count = optimizer->nodes[component->nodes[k]].count;
        most = count > most ? count : most;
    }
    triage->nodes = arena_take(arena, component->nodes_count + 1u, sizeof *triage->nodes);
    triage->node_at = arena_take(arena, optimizer->problem->nodes_count + 1u, sizeof(uint32_t));
    triage->coupled = arena_take(arena, component->services_count + 1u, sizeof(uint32_t));
    triage->density = arena_take(arena, component->services_count + 1u, sizeof(double));
    triage->taken = arena_take(arena, optimizer->problem->vms_count + 1u, sizeof(uint32_t));
    triage->needs =
        arena_take(arena, optimizer->problem->services_count + 1u, sizeof(uint32_t));
    triage->spaces = arena_take(arena, optimizer->problem->vms_count + 1u, sizeof(uint32_t));
    uint32_t *singles = arena_take(arena, most + 1u, sizeof *singles);
    if (arena->failed) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < component->services_count; i++) {
        struct optimizer_service *it = &optimizer->services[component->services[i]];
        const bool fixed =
            it->coupling == COUPLING_SINGLE && optimizer->problem->vms[it->first_vm].fixed;
        it->kept = fixed && it->reachable;
        triage->needs[component->services[i]] = triage_need(it);
        note_spaces(triage, it);
        if (it->coupling != COUPLING_SINGLE && it->reachable) {
            triage->coupled[triage->coupled_count++] = component->services[i];
        }
    }
    int rc = 0;
    for (uint32_t k = 0; rc == 0 && k < component->nodes_count; k++) {
        triage->node_at[component->nodes[k]] = k;
        rc = build_node(triage, k, singles, arena);
    }
    return rc;
}

int triage_choose(struct optimizer *optimizer, const struct component *component,
                  struct flow *flow, struct component_result *result)
{
    struct triage triage = {.optimizer = optimizer, .component = component};
    struct arena arena = {0};
    int rc = build(&triage, &arena);
    if (rc == 0) {
        const double fixed = component_kept_stake(optimizer, component);
        triage_find_prices(&triage);
        result->kept_weight_bound = triage.bound + fixed < result->kept_weight_bound
                                        ? triage.bound + fixed
                                        : result->kept_weight_bound;
        if (optimizer->problem->objective == ALLOCATION_FLOORS) {
            rc = triage_make_choice(&triage, flow, &arena);
        }
    }
    for (uint32_t k = 0; triage.nodes != NULL && k < component->nodes_count; k++) {
        knapsack_finish(&triage.nodes[k].knapsack);
    }
    arena_finish(&arena);
    return rc;
}
