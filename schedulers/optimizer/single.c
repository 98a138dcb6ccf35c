// SPDX-License-Identifier: Apache-2.0
/*
 * One node whose services have one VM each. Floors: those that fit in order of total weight,
 * then equal marginal values among the kept, then what is left for the others.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "schedulers/optimizer/optimizer.h"

struct list {
    uint32_t *services; /* with a VM that can move, by falling rank */
    uint32_t count;
    struct contender *contenders;
};

static int take_list(struct optimizer *optimizer, const struct component *component,
                     struct arena *arena, struct list *out)
{
    const struct optimizer_node *node = &optimizer->nodes[component->nodes[0]];
    out->services = arena_take(arena, node->count + 1u, sizeof *out->services);
    out->contenders = arena_take(arena, node->count + 1u, sizeof *out->contenders);
    if (out->services == NULL || out->contenders == NULL) {
        return -ENOMEM;
    }
    /* VMs and ranks mostly rise together: from the end hardly anything has to make way */
    for (uint32_t k = node->count; k-- > 0;) {
        const uint32_t service = optimizer->owners[optimizer->node_vms[node->first + k]];
        uint32_t at = out->count++;
        for (; at > 0 && optimizer->services[out->services[at - 1]].rank <
                             optimizer->services[service].rank;
             at--) {
            out->services[at] = out->services[at - 1];
        }
        out->services[at] = service;
    }
    return 0;
}

static int choose_kept(struct optimizer *optimizer, uint32_t node, const struct list *list)
{
    uint64_t least = 0;
    uint64_t floors = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        struct optimizer_service *it = &optimizer->services[list->services[i]];
        it->kept = it->reachable;
        least += it->value.lo;
        floors += it->reachable ? it->floor_n : it->value.lo;
    }
    const uint32_t cpu_pct = optimizer->nodes[node].cpu_pct;
    if (floors <= cpu_pct) {
        return 0;
    }
    struct knapsack knapsack;
    const int rc = knapsack_build(optimizer, &knapsack, list->services, list->count,
                                  cpu_pct - (uint32_t)least);
    if (rc == 0) {
        for (uint32_t i = 0; i < list->count; i++) {
            optimizer->services[list->services[i]].kept = false;
        }
        knapsack_keep(optimizer, &knapsack, knapsack_best(&knapsack, cpu_pct));
    }
    knapsack_finish(&knapsack);
    return rc;
}

static bool is_open(const struct optimizer *optimizer, const struct optimizer_service *it,
                    bool kept)
{
    return optimizer->problem->objective == ALLOCATION_PRODUCT || it->kept == kept;
}

/* Shares what others leave among the kept, or among the rest. */
static int share(struct optimizer *optimizer, uint32_t node, const struct list *list, bool kept,
                 struct contest *contest)
{
    uint64_t others = 0;
    bool concave = true;
    *contest = (struct contest){.all = list->contenders, .price = optimizer->nodes[node].price};
    for (uint32_t i = 0; i < list->count; i++) {
        const uint32_t service = list->services[i];
        const struct optimizer_service *it = &optimizer->services[service];
        if (!is_open(optimizer, it, kept)) {
            others += it->n;
            continue;
        }
        concave = concave && kept && it->kept && it->value.concave_high;
        contest->all[contest->count++] =
            (struct contender){.service = service, .least = it->least, .most = it->most};
    }
    contest->capacity = optimizer->nodes[node].cpu_pct - (uint32_t)others;
    if (concave) {
        waterfill_solve(optimizer, contest);
    } else {
        struct arena arena = {0};
        const int rc = branch_solve(optimizer, contest, &arena);
        arena_finish(&arena);
        if (rc < 0) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < contest->count; i++) {
        optimizer->services[contest->all[i].service].n = contest->all[i].n;
    }
    return 0;
}

static uint32_t room_of(const struct optimizer *optimizer, uint32_t node,
                        const struct list *list)
{
    uint32_t room = optimizer->nodes[node].cpu_pct;
    for (uint32_t i = 0; i < list->count; i++) {
        room -= optimizer->services[list->services[i]].n;
    }
    return room;
}

static void open_rest(struct optimizer *optimizer, const struct list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct optimizer_service *it = &optimizer->services[list->services[i]];
        if (!it->kept) {
            it->least = it->value.lo;
            it->most = it->value.hi;
        }
    }
}

/*
 * What the search proved of the whole component: where all contenders were in it, their bound
 * and the values of what cannot move. INFINITY: that proves nothing.
 */
static double bound_of_all(const struct optimizer *optimizer, const struct component *component,
                           const struct list *list, const struct contest *contest)
{
    double bound = contest->count == list->count ? contest->bound : HUGE_VAL;
    for (uint32_t i = 0; i < component->services_count; i++) {
        const uint32_t service = component->services[i];
        const struct optimizer_service *it = &optimizer->services[service];
        if (!it->counts) {
            return HUGE_VAL;
        }
        if (optimizer->problem->vms[it->first_vm].fixed) {
            bound += net_value(optimizer, service, it->value.lo);
        }
    }
    return bound;
}

static int solve(struct optimizer *optimizer, const struct component *component,
                 const struct list *list, struct component_result *result)
{
    const uint32_t node = component->nodes[0];
    const bool product = optimizer->problem->objective == ALLOCATION_PRODUCT;
    int rc = product ? 0 : choose_kept(optimizer, node, list);
    if (rc < 0) {
        return rc;
    }
    component_open_kept(optimizer, component);
    struct contest contest;
    rc = share(optimizer, node, list, true, &contest);
    if (rc < 0) {
        return rc;
    }
    optimizer->nodes[node].price = contest.price;
    result->branch_bound = bound_of_all(optimizer, component, list, &contest);
    if (!product && room_of(optimizer, node, list) > 0) {
        open_rest(optimizer, list);
        rc = share(optimizer, node, list, false, &contest);
        if (rc < 0) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < list->count; i++) {
        const struct optimizer_service *it = &optimizer->services[list->services[i]];
        optimizer->caps[it->first_vm] = it->n;
    }
    return 0;
}

int single_solve(struct optimizer *optimizer, const struct component *component,
                 struct component_result *result)
{
    struct arena arena = {0};
    struct list list = {0};
    int rc = take_list(optimizer, component, &arena, &list);
    rc = rc == 0 ? solve(optimizer, component, &list, result) : rc;
    arena_finish(&arena);
    return rc;
}
