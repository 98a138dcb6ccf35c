// SPDX-License-Identifier: Apache-2.0
/*
 * From prices to a choice. The single services of a node are always its best set in what the
 * coupled leave, so a coupled service is judged by what sets would lose to it. Services go in,
 * out and to other nodes while that gains; then those left out are tried along chains of sums.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "schedulers/optimizer/triage.h"

#define REACH_MOST   24 /* nodes that a chain may pass */
#define ROUNDS_MOST  3
#define PASSES_MOST  6
#define STATES_TRIED 24
#define VMS_MOST     64 /* of a sum that is placed; the others stay at their least */
#define GAIN_LEAST   1e-7

static struct triage_node *node_of(const struct triage *triage, uint32_t v)
{
    const uint32_t node = triage->optimizer->problem->vms[v].node;
    return &triage->nodes[triage->node_at[node]];
}

static double weight_in(const struct triage_node *node, uint32_t left)
{
    return node->knapsack.states[knapsack_best(&node->knapsack, left)].weight;
}

/* ---- placing one service ---- */

static void remove_service(struct triage *triage, uint32_t service)
{
    struct optimizer_service *it = &triage->optimizer->services[service];
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const uint32_t v = it->first_vm + k;
        node_of(triage, v)->left += triage->taken[v];
        triage->taken[v] = 0;
    }
    it->kept = false;
}

/* Takes percents on a node; returns the weight that its singles lose. */
static double take(struct triage *triage, uint32_t v, uint32_t amount)
{
    struct triage_node *node = node_of(triage, v);
    const double before = weight_in(node, node->left);
    node->left -= amount;
    triage->taken[v] += amount;
    return before - weight_in(node, node->left);
}

static void give_back(struct triage *triage, uint32_t v, uint32_t amount)
{
    node_of(triage, v)->left += amount;
    triage->taken[v] -= amount;
}

static bool place_gang(struct triage *triage, uint32_t service, double *loss)
{
    const struct optimizer_service *it = &triage->optimizer->services[service];
    const uint32_t need = triage_need(it);
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const uint32_t v = it->first_vm + k;
        if (triage->optimizer->problem->vms[v].fixed) {
            continue;
        }
        if (node_of(triage, v)->left < need) {
            return false;
        }
        *loss += take(triage, v, need);
    }
    return true;
}

struct option {
    uint32_t vm;
    uint32_t amount;
    double score; /* weight lost for all that is missing, at this rate */
};

/* The cheapest next sacrifice on one node: every smaller set of its singles frees some room. */
static void find_options(const struct triage *triage, uint32_t v, uint32_t missing,
                         struct option *best)
{
    const struct triage_node *node = node_of(triage, v);
    const struct knapsack *knapsack = &node->knapsack;
    uint32_t space = triage->spaces[v] - triage->taken[v];
    space = space < node->left ? space : node->left;
    space = space < missing ? space : missing;
    if (space == 0) {
        return;
    }
    const double weight = weight_in(node, node->left);
    uint32_t index = knapsack->frontier_count;
    while (index > 0 && knapsack->states[knapsack->frontier[index - 1]].cost > node->left) {
        index--;
    }
    for (uint32_t tried = 0; index > 0 && tried < STATES_TRIED; tried++) {
        const struct knapsack_state *state = &knapsack->states[knapsack->frontier[--index]];
        const uint32_t freed = node->left - state->cost;
        const uint32_t amount = freed < space ? freed : space;
        if (amount == 0) {
            continue;
        }
        const double score = (weight - state->weight) * missing / amount;
        if (score < best->score - GAIN_LEAST ||
            (score < best->score + GAIN_LEAST && amount > best->amount)) {
            *best = (struct option){.vm = v, .amount = amount, .score = score};
        }
        if (freed >= space) {
            break;
        }
    }
}

static bool place_sum(struct triage *triage, uint32_t service, double *loss)
{
    const struct optimizer_service *it = &triage->optimizer->services[service];
    uint32_t missing = triage_need(it);
    while (missing > 0) {
        struct option best = {.vm = OPTIMIZER_NONE, .score = HUGE_VAL};
        for (uint32_t k = 0; k < it->vms_count; k++) {
            find_options(triage, it->first_vm + k, missing, &best);
        }
        if (best.vm == OPTIMIZER_NONE) {
            return false;
        }
        *loss += take(triage, best.vm, best.amount);
        missing -= best.amount;
    }
    return true;
}

/* False: it does not fit, and nothing is taken. */
static bool place(struct triage *triage, uint32_t service, double *loss)
{
    struct optimizer_service *it = &triage->optimizer->services[service];
    *loss = 0.0;
    const bool placed = it->coupling == COUPLING_SUM ? place_sum(triage, service, loss)
                                                     : place_gang(triage, service, loss);
    if (!placed) {
        remove_service(triage, service);
    }
    it->kept = placed;
    return placed;
}

/* ---- all coupled services ---- */

static bool improve(struct triage *triage, uint32_t service)
{
    struct optimizer_service *it = &triage->optimizer->services[service];
    const bool was_in = it->kept;
    uint32_t before[VMS_MOST] = {0};
    double freed = 0.0;
    if (it->vms_count > VMS_MOST) {
        return false;
    }
    if (was_in) {
        for (uint32_t k = 0; k < it->vms_count; k++) {
            const uint32_t v = it->first_vm + k;
            struct triage_node *node = node_of(triage, v);
            before[k] = triage->taken[v];
            const double weight = weight_in(node, node->left);
            give_back(triage, v, before[k]);
            freed += weight_in(node, node->left) - weight;
        }
        it->kept = false;
    }
    double loss = 0.0;
    const bool placed = place(triage, service, &loss);
    const double gain_in = placed ? it->stake - loss : -HUGE_VAL;
    const double gain_before = was_in ? it->stake - freed : 0.0;
    const double gain_out = 0.0;
    if (gain_in > gain_before + GAIN_LEAST && gain_in >= gain_out) {
        return true;
    }
    if (placed) {
        remove_service(triage, service);
    }
    if (gain_out > gain_before + GAIN_LEAST) {
        return true;
    }
    for (uint32_t k = 0; was_in && k < it->vms_count; k++) {
        (void)take(triage, it->first_vm + k, before[k]);
    }
    it->kept = was_in;
    return false;
}

struct order {
    double density;
    uint32_t rank;
    uint32_t service;
};

static int by_density(const void *left, const void *right)
{
    const struct order *a = left;
    const struct order *b = right;
    if (a->density > b->density || a->density < b->density) {
        return a->density > b->density ? -1 : 1;
    }
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

static void start(struct triage *triage, struct order *order)
{
    for (uint32_t i = 0; i < triage->coupled_count; i++) {
        const uint32_t service = triage->coupled[i];
        const struct optimizer_service *it = &triage->optimizer->services[service];
        order[i] = (struct order){.density = it->stake / (triage_cost(triage, service) + 1e-9),
                                  .rank = it->rank,
                                  .service = service};
    }
    qsort(order, triage->coupled_count, sizeof *order, by_density);
    for (uint32_t i = 0; i < triage->coupled_count; i++) {
        double loss = 0.0;
        triage->coupled[i] = order[i].service;
        if (order[i].density >= 1.0) {
            (void)place(triage, order[i].service, &loss);
        }
    }
}

static bool pass_over(struct triage *triage)
{
    bool improved = false;
    for (uint32_t i = 0; i < triage->coupled_count; i++) {
        improved = improve(triage, triage->coupled[i]) || improved;
    }
    return improved;
}

/* ---- caps, and chains ---- */

static void set_caps(struct triage *triage)
{
    struct optimizer *optimizer = triage->optimizer;
    const struct component *component = triage->component;
    for (uint32_t i = 0; i < component->services_count; i++) {
        struct optimizer_service *it = &optimizer->services[component->services[i]];
        if (it->coupling == COUPLING_SINGLE && !optimizer->problem->vms[it->first_vm].fixed) {
            it->kept = false;
        }
    }
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        const struct triage_node *node = &triage->nodes[k];
        knapsack_keep(optimizer, &node->knapsack, knapsack_best(&node->knapsack, node->left));
    }
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        for (uint32_t k = 0; k < it->vms_count; k++) {
            const uint32_t v = it->first_vm + k;
            const struct allocation_vm *vm = &optimizer->problem->vms[v];
            if (vm->fixed) {
                continue;
            }
            optimizer->caps[v] = it->coupling == COUPLING_SUM
                                     ? optimizer_vm_least(vm) + triage->taken[v]
                                     : (it->kept ? it->floor_n : it->value.lo);
        }
    }
    (void)flow_count_room(optimizer, component);
}

/* What the chains moved, back into the books. */
static void read_caps(struct triage *triage)
{
    const struct optimizer *optimizer = triage->optimizer;
    for (uint32_t k = 0; k < triage->component->nodes_count; k++) {
        triage->nodes[k].left = triage->nodes[k].capacity;
    }
    for (uint32_t i = 0; i < triage->coupled_count; i++) {
        const struct optimizer_service *it = &optimizer->services[triage->coupled[i]];
        for (uint32_t k = 0; k < it->vms_count; k++) {
            const uint32_t v = it->first_vm + k;
            const struct allocation_vm *vm = &optimizer->problem->vms[v];
            if (!vm->fixed) {
                triage->taken[v] =
                    optimizer->caps[v] -
                    (it->coupling == COUPLING_SUM ? optimizer_vm_least(vm) : it->value.lo);
                node_of(triage, v)->left -= triage->taken[v];
            }
        }
    }
}

/* Services of one VM and sums that were left out, raised where other sums can make room. */
static bool try_chains(struct triage *triage, struct flow *flow, struct order *order)
{
    struct optimizer *optimizer = triage->optimizer;
    const struct component *component = triage->component;
    uint32_t count = 0;
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        if (!it->kept && it->reachable && it->coupling != COUPLING_GANG) {
            order[count++] = (struct order){.density = it->stake / (triage_need(it) + 1e-9),
                                            .rank = it->rank,
                                            .service = component->services[i]};
        }
    }
    qsort(order, count, sizeof *order, by_density);
    bool improved = false;
    for (uint32_t i = 0; i < count; i++) {
        struct optimizer_service *it = &optimizer->services[order[i].service];
        flow_remember(flow);
        if (flow_raise(flow, order[i].service, it->need_r)) {
            it->kept = true;
            improved = true;
        } else {
            flow_restore(flow);
        }
    }
    return improved;
}

int triage_make_choice(struct triage *triage, struct flow *flow, struct arena *arena)
{
    const size_t services = triage->component->services_count + 1u;
    struct order *order = arena_take(arena, services, sizeof *order);
    if (order == NULL) {
        return -ENOMEM;
    }
    start(triage, order);
    flow->reach_most = REACH_MOST;
    for (uint32_t round = 0; round < ROUNDS_MOST; round++) {
        for (uint32_t pass = 0; pass < PASSES_MOST && pass_over(triage); pass++) {
        }
        set_caps(triage);
        if (!try_chains(triage, flow, order)) {
            break;
        }
        read_caps(triage);
    }
    set_caps(triage);
    flow->reach_most = UINT32_MAX;
    return 0;
}
