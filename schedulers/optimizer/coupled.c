// SPDX-License-Identifier: Apache-2.0
/*
 * A component in which services couple nodes: the floors as a feasible start, real prices and
 * caps, whole percents, the last exchanges.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "schedulers/optimizer/optimizer.h"
#include "schedulers/optimizer/prices.h"

#define SWEEPS_MOST 80
#define SWEEPS_FULL 16 /* where not all are kept, all nodes are full of floors anyway */

static void save(struct optimizer *optimizer, const struct component *component, bool back)
{
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        uint32_t *from = back ? optimizer->best_caps : optimizer->caps;
        uint32_t *to = back ? optimizer->caps : optimizer->best_caps;
        memcpy(to + it->first_vm, from + it->first_vm, it->vms_count * sizeof *to);
    }
}

/* Nobody is kept for his floor, and all begin at their least. */
static void leave_floors(struct optimizer *optimizer, const struct component *component)
{
    for (uint32_t i = 0; i < component->services_count; i++) {
        struct optimizer_service *it = &optimizer->services[component->services[i]];
        it->kept = false;
        for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
            const struct allocation_vm *vm = &optimizer->problem->vms[v];
            const bool gang = it->coupling == COUPLING_GANG && !vm->fixed;
            optimizer->caps[v] = gang ? it->value.lo : optimizer_vm_least(vm);
        }
    }
}

static int choose_kept(struct optimizer *optimizer, const struct component *component,
                       struct flow *flow, struct component_result *result)
{
    for (uint32_t i = 0; i < component->services_count; i++) {
        struct optimizer_service *it = &optimizer->services[component->services[i]];
        it->kept = it->reachable;
    }
    if (flow_place_floors(flow)) {
        result->kept_weight_bound = component_kept_stake(optimizer, component);
    } else {
        const int rc = triage_choose(optimizer, component, flow, result);
        if (rc < 0) {
            return rc;
        }
    }
    if (optimizer->problem->objective == ALLOCATION_PRODUCT) {
        leave_floors(optimizer, component);
    }
    return 0;
}

/* Nodes that have changed, or on which a service has that is coupled to others. */
static void find_changed(const struct prices *prices, bool *loose)
{
    const struct optimizer *optimizer = prices->optimizer;
    for (uint32_t k = 0; k < prices->component->nodes_count; k++) {
        const uint32_t node = prices->component->nodes[k];
        loose[node] = prices->placed || prices->looks[node];
    }
    for (uint32_t i = 0; i < prices->coupled_count; i++) {
        const struct optimizer_service *it = &optimizer->services[prices->coupled[i]];
        for (uint32_t k = 0; prices->waits[i] && k < it->vms_count; k++) {
            loose[optimizer->problem->vms[it->first_vm + k].node] = true;
        }
    }
}

/* Serves the kept: real caps, whole ones, exchanges. */
static int serve(struct optimizer *optimizer, const struct component *component,
                 struct flow *flow, uint32_t sweeps_most, struct arena *arena)
{
    struct prices prices;
    bool *loose = arena_take(arena, optimizer->problem->nodes_count + 1u, sizeof *loose);
    int rc = loose == NULL ? -ENOMEM : prices_init(&prices, optimizer, component, arena);
    if (rc < 0) {
        return rc;
    }
    find_changed(&prices, loose);
    prices_settle(&prices, sweeps_most);
    if (!rounding_do(optimizer, component, flow, loose)) {
        save(optimizer, component, true); /* the floors alone do fit */
    }
    rc = rounding_fill_singles(optimizer, component, loose, arena);
    return rc == 0 ? settle_component(optimizer, component, loose, arena) : rc;
}

/* ---- where the caps were before ---- */

static bool is_movable(const struct allocation_vm *vm, const struct optimizer_service *it)
{
    const bool gang = it->coupling == COUPLING_GANG;
    const uint32_t least = gang ? it->least : optimizer_vm_least(vm);
    const uint32_t most = gang ? it->most : optimizer_vm_most(vm);
    return vm->previous_cap_pct >= least && vm->previous_cap_pct <= most &&
           vm->levels_count == 0;
}

/* Sets all caps to those of before; false: they are not a choice any more. */
static bool set_previous(struct optimizer *optimizer, const struct component *component)
{
    bool fits = true;
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        uint32_t common = 0;
        for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
            const struct allocation_vm *vm = &optimizer->problem->vms[v];
            if (vm->fixed) {
                continue;
            }
            fits = fits && is_movable(vm, it);
            if (it->coupling == COUPLING_GANG) {
                fits = fits && (common == 0 || common == vm->previous_cap_pct);
                common = vm->previous_cap_pct;
            }
            optimizer->caps[v] = vm->previous_cap_pct;
        }
    }
    return flow_count_room(optimizer, component) && fits;
}

static double net_of(const struct optimizer *optimizer, const struct component *component)
{
    double net = 0.0;
    for (uint32_t i = 0; i < component->services_count; i++) {
        net += net_now(optimizer, component->services[i]);
    }
    return net;
}

/*
 * Values that are not concave have many places where no step gains. With a cost of moving that
 * next to where the caps were may be the best of them.
 */
static int try_previous(struct optimizer *optimizer, const struct component *component,
                        struct arena *arena)
{
    bool *loose = arena_take(arena, optimizer->problem->nodes_count + 1u, sizeof *loose);
    if (loose == NULL) {
        return -ENOMEM;
    }
    for (uint32_t j = 0; j < optimizer->problem->nodes_count; j++) {
        loose[j] = true;
    }
    const double found = net_of(optimizer, component);
    save(optimizer, component, false);
    int rc = 0;
    bool better = set_previous(optimizer, component);
    if (better) {
        rounding_count_amounts(optimizer, component);
        rc = settle_component(optimizer, component, loose, arena);
        better = rc == 0 && net_of(optimizer, component) > found;
    }
    if (!better) {
        save(optimizer, component, true);
        rounding_count_amounts(optimizer, component);
        (void)flow_count_room(optimizer, component);
    }
    return rc;
}

static int solve(struct optimizer *optimizer, const struct component *component,
                 struct component_result *result, struct arena *arena)
{
    struct flow flow;
    int rc = flow_init(&flow, optimizer, component, arena);
    rc = rc == 0 ? choose_kept(optimizer, component, &flow, result) : rc;
    if (rc < 0) {
        return rc;
    }
    save(optimizer, component, false);
    component_open_kept(optimizer, component);
    const bool product = optimizer->problem->objective == ALLOCATION_PRODUCT;
    const bool all =
        product || result->kept_weight_bound <= component_kept_stake(optimizer, component);
    rc = serve(optimizer, component, &flow, all ? SWEEPS_MOST : SWEEPS_FULL, arena);
    if (rc == 0 && product && optimizer->problem->switching_cost > 0.0) {
        rc = try_previous(optimizer, component, arena);
    }
    rc = rc == 0 ? rest_give(optimizer, component, arena) : rc;
    if (rc == 0) {
        rest_even_out(optimizer, component);
        rounding_remember(optimizer, component);
    }
    return rc;
}

int coupled_solve(struct optimizer *optimizer, const struct component *component,
                  struct component_result *result)
{
    struct arena arena = {0};
    const int rc = solve(optimizer, component, result, &arena);
    arena_finish(&arena);
    return rc;
}
