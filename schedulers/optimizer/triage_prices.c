// SPDX-License-Identifier: Apache-2.0
/*
 * For any prices p >= 0 (weight per percent), the kept weight of every choice is at most
 *     sum_j max over sets s of j's singles (W_s + p_j (C_j - c_s))
 *       + sum_i max(0, w_i - cost of i's floor at these prices)
 * over coupled i. It is convex in p; subgradient steps of Polyak's length with momentum bring
 * it down, and start again from the best prices when they stray.
 */
#include <math.h>

#include "schedulers/optimizer/triage.h"

#define STEPS_MOST     200
#define PATIENCE       25
#define MOMENTUM       0.6
#define STRETCHES_MOST 64

static double price_at(const struct triage *triage, uint32_t v)
{
    const uint32_t node = triage->optimizer->problem->vms[v].node;
    return triage->nodes[triage->node_at[node]].price;
}

/* VMs of a sum by rising price. */
static uint32_t order_vms(const struct triage *triage, const struct optimizer_service *it,
                          uint32_t *out)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < it->vms_count && count < STRETCHES_MOST; k++) {
        const uint32_t v = it->first_vm + k;
        if (triage_space(triage, v) == 0) {
            continue;
        }
        uint32_t at = count++;
        for (; at > 0 && price_at(triage, out[at - 1]) > price_at(triage, v); at--) {
            out[at] = out[at - 1];
        }
        out[at] = v;
    }
    return count;
}

/* Cheapest way to the floor of a sum; with sign, its use is added to the slopes. Faster nodes
 * reach it with fewer percents, so their price counts by speed. */
static double cost_of_sum(const struct triage *triage, const struct optimizer_service *it,
                          double sign)
{
    uint32_t vms[STRETCHES_MOST];
    const uint32_t count = order_vms(triage, it, vms);
    uint32_t need = triage_need(it);
    double cost = 0.0;
    double fastest = it->value.unit;
    for (uint32_t k = 0; !it->equal_speed && k < count; k++) {
        const double speed =
            triage->optimizer->nodes[triage->optimizer->problem->vms[vms[k]].node].speed;
        fastest = speed > fastest ? speed : fastest;
    }
    /* with unequal speeds at least this many percents are needed, whatever the nodes */
    need = it->equal_speed ? need : (uint32_t)(need * it->value.unit / fastest);
    for (uint32_t k = 0; k < count && need > 0; k++) {
        const uint32_t space = triage_space(triage, vms[k]);
        const uint32_t amount = space < need ? space : need;
        const uint32_t node = triage->optimizer->problem->vms[vms[k]].node;
        struct triage_node *at = &triage->nodes[triage->node_at[node]];
        cost += at->price * amount;
        at->slope -= sign * amount;
        need -= amount;
    }
    return cost;
}

static double cost_of_gang(const struct triage *triage, const struct optimizer_service *it,
                           double sign)
{
    const uint32_t need = triage_need(it);
    double cost = 0.0;
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const struct allocation_vm *vm = &triage->optimizer->problem->vms[it->first_vm + k];
        if (!vm->fixed) {
            struct triage_node *at = &triage->nodes[triage->node_at[vm->node]];
            cost += at->price * need;
            at->slope -= sign * need;
        }
    }
    return cost;
}

static double cost_of(const struct triage *triage, uint32_t service, double sign)
{
    const struct optimizer_service *it = &triage->optimizer->services[service];
    return it->coupling == COUPLING_SUM ? cost_of_sum(triage, it, sign)
                                        : cost_of_gang(triage, it, sign);
}

double triage_cost(const struct triage *triage, uint32_t service)
{
    return cost_of(triage, service, 0.0);
}

/* The bound at the present prices, and its slopes. */
static double evaluate(struct triage *triage)
{
    double bound = 0.0;
    for (uint32_t k = 0; k < triage->component->nodes_count; k++) {
        struct triage_node *node = &triage->nodes[k];
        double best = -HUGE_VAL;
        for (uint32_t s = 0; s < node->knapsack.frontier_count; s++) {
            const struct knapsack_state *state =
                &node->knapsack.states[node->knapsack.frontier[s]];
            const double left = node->capacity - state->cost;
            const double net = state->weight + node->price * left;
            if (net > best) {
                best = net;
                node->slope = left;
            }
        }
        bound += best;
    }
    for (uint32_t i = 0; i < triage->coupled_count; i++) {
        const uint32_t service = triage->coupled[i];
        const double weight = triage->optimizer->services[service].value.weight;
        const double net = weight - cost_of(triage, service, 0.0);
        if (net > 0.0) {
            bound += net;
            (void)cost_of(triage, service, 1.0);
        }
    }
    return bound;
}

/* One price for all at which the pooled demand of the floors meets the pooled capacity. */
static void start_prices(struct triage *triage)
{
    double capacity = 0.0;
    for (uint32_t k = 0; k < triage->component->nodes_count; k++) {
        capacity += triage->nodes[k].capacity;
    }
    double low = 0.0;
    double high = 1e3;
    for (int i = 0; i < 60; i++) {
        const double middle = i < 30 ? sqrt((low + 1e-9) * high) : 0.5 * (low + high);
        double need = 0.0;
        for (uint32_t s = 0; s < triage->component->services_count; s++) {
            const struct optimizer_service *it =
                &triage->optimizer->services[triage->component->services[s]];
            const double gang = it->coupling == COUPLING_GANG ? it->vms_count : 1.0;
            const double its = it->reachable ? gang * triage_need(it) : 0.0;
            need += it->value.weight > middle * its ? its : 0.0;
        }
        low = need > capacity ? middle : low;
        high = need > capacity ? high : middle;
    }
    for (uint32_t k = 0; k < triage->component->nodes_count; k++) {
        triage->nodes[k].price = high;
        triage->nodes[k].best_price = high;
    }
}

static void step(struct triage *triage, double length)
{
    for (uint32_t k = 0; k < triage->component->nodes_count; k++) {
        struct triage_node *node = &triage->nodes[k];
        node->momentum = MOMENTUM * node->momentum + node->slope;
        node->price -= length * node->momentum;
        node->price = node->price < 0.0 ? 0.0 : node->price;
    }
}

static void back_to_best(struct triage *triage)
{
    for (uint32_t k = 0; k < triage->component->nodes_count; k++) {
        triage->nodes[k].price = triage->nodes[k].best_price;
        triage->nodes[k].momentum = 0.0;
    }
}

void triage_find_prices(struct triage *triage)
{
    start_prices(triage);
    triage->bound = HUGE_VAL;
    double ahead = 0.01; /* of the bound: how much lower it is hoped to come */
    uint32_t since_best = 0;
    for (uint32_t i = 0; i < STEPS_MOST && ahead > 1e-6; i++) {
        const double bound = evaluate(triage);
        if (bound < triage->bound * (1.0 - 1e-7)) {
            triage->bound = bound;
            since_best = 0;
            for (uint32_t k = 0; k < triage->component->nodes_count; k++) {
                triage->nodes[k].best_price = triage->nodes[k].price;
            }
        } else if (++since_best >= PATIENCE) {
            since_best = 0;
            ahead *= 0.5;
            back_to_best(triage);
            continue;
        }
        double squares = 0.0;
        for (uint32_t k = 0; k < triage->component->nodes_count; k++) {
            const struct triage_node *node = &triage->nodes[k];
            const bool stuck = node->price <= 0.0 && node->slope > 0.0;
            squares += stuck ? 0.0 : node->slope * node->slope;
        }
        if (!(squares > 0.0)) {
            break;
        }
        const double target = triage->bound * (1.0 - ahead);
        step(triage, (1.0 - MOMENTUM) * (bound - target) / squares);
    }
    back_to_best(triage);
}
