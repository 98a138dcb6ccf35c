// SPDX-License-Identifier: Apache-2.0
/*
 * One component: the guard gives way before a service does, small components are solved
 * exactly, and the caps of before stay where the change gains less than the dead band.
 */
#include <math.h>
#include <stdlib.h>

#include "schedulers/optimizer/keep.h"
#include "schedulers/optimizer/optimizer.h"

#define BOUND_CLOSED 1e-9 /* nats above what is reached: nothing to gain */

double component_kept_stake(const struct optimizer *optimizer,
                            const struct component *component)
{
    double stake = 0.0;
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        stake += it->kept ? it->stake : 0.0;
    }
    return stake;
}

void component_open_kept(struct optimizer *optimizer, const struct component *component)
{
    const bool product = optimizer->problem->objective == ALLOCATION_PRODUCT;
    for (uint32_t i = 0; i < component->services_count; i++) {
        struct optimizer_service *it = &optimizer->services[component->services[i]];
        it->open = product || it->kept;
        it->least = it->kept && !product ? it->floor_n : it->value.lo;
        it->most = it->open ? it->value.hi : it->value.lo;
        it->n = it->least;
    }
}

static bool holds(const struct optimizer *optimizer, uint32_t service)
{
    const struct optimizer_service *it = &optimizer->services[service];
    return it->reachable && optimizer_r(optimizer, service) >= it->need_r - VALUE_TOLERANCE;
}

/* Who is kept follows from the caps; true: all whose floor is in reach. */
static bool mark_kept(struct optimizer *optimizer, const struct component *component)
{
    bool all = true;
    for (uint32_t i = 0; i < component->services_count; i++) {
        struct optimizer_service *it = &optimizer->services[component->services[i]];
        it->kept = holds(optimizer, component->services[i]);
        all = all && (it->kept || !it->reachable);
    }
    return all;
}

static double reachable_stake(const struct optimizer *optimizer,
                              const struct component *component)
{
    double stake = 0.0;
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        stake += it->reachable ? it->stake : 0.0;
    }
    return stake;
}

static int solve_with_floors(struct optimizer *optimizer, const struct component *component,
                             struct component_result *result, bool *all)
{
    struct score score = {0};
    const bool product = optimizer->problem->objective == ALLOCATION_PRODUCT;
    *result = (struct component_result){
        .branch_bound = HUGE_VAL, .kept_weight_bound = reachable_stake(optimizer, component)};
    result->exact = exact_solve(optimizer, component, &score);
    int rc = 0;
    if (!result->exact) {
        rc = component->coupled ? coupled_solve(optimizer, component, result)
                                : single_solve(optimizer, component, result);
    }
    *all = mark_kept(optimizer, component);
    if (!product && (result->exact || !component->coupled)) {
        result->kept_weight_bound = component_kept_stake(optimizer, component);
    }
    return rc;
}

/* ---- the caps of before ---- */

static bool previous_fit_node(const struct optimizer *optimizer, uint32_t node_index)
{
    const struct optimizer_node *node = &optimizer->nodes[node_index];
    const uint64_t memory_kib = optimizer->problem->nodes[node_index].memory_kib;
    uint64_t used = 0;
    uint64_t used_kib = 0;
    bool listed = false;
    for (uint32_t i = node->first; i < node->first + node->count; i++) {
        const struct allocation_vm *vm = &optimizer->problem->vms[optimizer->node_vms[i]];
        const struct allocation_level *level = levels_at(vm, vm->previous_cap_pct);
        if (vm->previous_cap_pct == 0 || vm->previous_cap_pct < optimizer_vm_least(vm) ||
            vm->previous_cap_pct > optimizer_vm_most(vm) ||
            (vm->levels_count > 0 && level == NULL)) {
            return false;
        }
        used += vm->previous_cap_pct;
        used_kib += level != NULL ? level->memory_kib : vm->memory_kib;
        listed = listed || level != NULL;
    }
    return used <= node->cpu_pct && (!listed || memory_kib == 0 || used_kib <= memory_kib);
}

static bool previous_fit(const struct optimizer *optimizer, const struct component *component)
{
    bool fit = true;
    for (uint32_t k = 0; fit && k < component->nodes_count; k++) {
        fit = previous_fit_node(optimizer, component->nodes[k]);
    }
    return fit;
}

/* The members of a gang that can be moved had one cap. */
static bool previous_in_step(const struct optimizer *optimizer,
                             const struct optimizer_service *it)
{
    uint32_t common = 0;
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const struct allocation_vm *vm = &optimizer->problem->vms[it->first_vm + k];
        if (vm->fixed) {
            continue;
        }
        if (common != 0 && vm->previous_cap_pct != common) {
            return false;
        }
        common = vm->previous_cap_pct;
    }
    return true;
}

static void swap_caps(struct optimizer *optimizer, const struct component *component,
                      uint32_t *other)
{
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
            const uint32_t cap_pct = optimizer->caps[v];
            optimizer->caps[v] = other[v];
            other[v] = cap_pct;
        }
    }
}

/* Called with the caps of before in place and the new ones in best_caps. */
static bool is_good(struct optimizer *optimizer, const struct component *component)
{
    double gain = 0.0;
    for (uint32_t i = 0; i < component->services_count; i++) {
        const uint32_t service = component->services[i];
        const struct optimizer_service *it = &optimizer->services[service];
        const double before = optimizer_r(optimizer, service);
        gain -= net_now(optimizer, service);
        if (it->kept && !holds(optimizer, service)) {
            return false;
        }
        if (it->coupling == COUPLING_GANG && !previous_in_step(optimizer, it)) {
            return false;
        }
        const double wish = it->ceiling_r < it->most_r ? it->ceiling_r : it->most_r;
        const double missed = fabs(before - wish);
        swap_caps(optimizer,
                  &(struct component){.services = component->services + i, .services_count = 1},
                  optimizer->best_caps);
        gain += net_now(optimizer, service);
        const double misses = fabs(optimizer_r(optimizer, service) - wish);
        swap_caps(optimizer,
                  &(struct component){.services = component->services + i, .services_count = 1},
                  optimizer->best_caps);
        if (optimizer->problem->services[service].model->want_pct > 0 &&
            misses < missed - VALUE_TOLERANCE) {
            return false;
        }
    }
    return gain < optimizer->problem->dead_band;
}

/* Hysteresis: the old caps stay unless a floor, a wish or more than the dead band is at stake.
 */
static bool keep_previous(struct optimizer *optimizer, const struct component *component)
{
    if (!(optimizer->problem->dead_band > 0.0) || !previous_fit(optimizer, component)) {
        return false;
    }
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
            optimizer->best_caps[v] = optimizer->problem->vms[v].previous_cap_pct;
        }
    }
    swap_caps(optimizer, component, optimizer->best_caps);
    const bool good = is_good(optimizer, component);
    if (!good) {
        swap_caps(optimizer, component, optimizer->best_caps);
    }
    return good;
}

/* ---- what is told ---- */

static double counted_value(const struct optimizer *optimizer,
                            const struct component *component)
{
    double value = 0.0;
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        if (it->counts) {
            value += value_at_r(&it->value, optimizer_r(optimizer, component->services[i]));
        }
    }
    return value;
}

/* The bound of a search that closed is the optimum; prices give another for every allocation.
 */
static void set_bound(struct optimizer *optimizer, const struct component *component,
                      struct component_result *result, double optimum)
{
    const bool free_to_move = !(optimizer->problem->switching_cost > 0.0);
    result->value_bound = HUGE_VAL;
    if (free_to_move) {
        result->value_bound = result->exact ? optimum : result->branch_bound;
    }
    if (!(result->value_bound <= optimum + BOUND_CLOSED)) {
        const double bound = bound_of(optimizer, component);
        result->value_bound = bound < result->value_bound ? bound : result->value_bound;
    }
}

int component_solve(struct optimizer *optimizer, const struct component *component,
                    struct component_result *result)
{
    /* The guard gives way before any service does. */
    const double shares[] = {1.0, 0.5, 0.25, 0.0};
    const double guard = optimizer->problem->guard;
    bool all = false;
    optimizer_cut(optimizer, component);
    for (size_t i = guard > 0.0 ? 0 : 3; i < 4 && !all; i++) {
        optimizer_set_guard(optimizer, component, shares[i] * guard);
        const int rc = solve_with_floors(optimizer, component, result, &all);
        if (rc < 0) {
            return rc;
        }
    }
    levels_apply(optimizer, component);
    result->guard = optimizer->guard;
    const double optimum = counted_value(optimizer, component);
    if (!keep_previous(optimizer, component)) {
        const int rc = keep_each(optimizer, component);
        if (rc < 0) {
            return rc;
        }
    }
    (void)mark_kept(optimizer, component);
    set_bound(optimizer, component, result, optimum);
    return 0;
}
