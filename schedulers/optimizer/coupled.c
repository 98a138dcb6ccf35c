// SPDX-License-Identifier: Apache-2.0
/*
 * A component in which services couple nodes: the floors as a feasible start, real prices and
 * caps, whole percents, the last exchanges.
 */
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

static int choose_kept(struct optimizer *optimizer, const struct component *component,
                       struct flow *flow, struct component_result *result)
{
    for (uint32_t i = 0; i < component->services_count; i++) {
        struct optimizer_service *it = &optimizer->services[component->services[i]];
        it->kept = it->reachable;
    }
    if (flow_place_floors(flow)) {
        result->kept_weight_bound = component_kept_weight(optimizer, component);
        return 0;
    }
    return triage_choose(optimizer, component, flow, result);
}

static int solve(struct optimizer *optimizer, const struct component *component,
                 struct component_result *result, struct arena *arena)
{
    struct flow flow;
    struct prices prices;
    int rc = flow_init(&flow, optimizer, component, arena);
    rc = rc == 0 ? choose_kept(optimizer, component, &flow, result) : rc;
    if (rc < 0) {
        return rc;
    }
    save(optimizer, component, false);
    component_open_kept(optimizer, component);
    rc = prices_init(&prices, optimizer, component, arena);
    if (rc < 0) {
        return rc;
    }
    const bool all = result->kept_weight_bound <= component_kept_weight(optimizer, component);
    prices_settle(&prices, optimizer->warm, all ? SWEEPS_MOST : SWEEPS_FULL);
    if (!rounding_do(optimizer, component, prices.caps, &flow)) {
        save(optimizer, component, true); /* the floors alone do fit */
    }
    rc = rounding_fill_singles(optimizer, component, arena);
    rc = rc == 0 ? settle_component(optimizer, component, arena) : rc;
    rc = rc == 0 ? rest_give(optimizer, component, arena) : rc;
    if (rc == 0) {
        rest_even_out(optimizer, component);
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
