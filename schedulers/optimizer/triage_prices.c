// SPDX-License-Identifier: Apache-2.0
/*
 * For any prices p >= 0 (weight per percent), the kept weight of every choice is at most
 *     sum_j max over sets s of j's singles (W_s + p_j (C_j - c_s))
 *       + sum_i max(0, w_i - cost of i's floor at these prices)
 * over coupled i. It is convex in p; subgradient steps of Polyak's length with momentum bring
 * it down, and start again from the best prices when they stray.
 */
#include <math.h>

#include "schedulers/optimizer/memory.h"
#include "schedulers/optimizer/triage.h"

#define STEPS_MOST     200
#define STEPS_AGAIN    80 /* from the prices of the last solution */
#define AHEAD          0.01
#define AHEAD_AGAIN    0.001
#define PATIENCE       25
#define MOMENTUM       0.6
#define STRETCHES_MOST 64

/* Of one service: where it takes its floor at the present prices, and what that costs. */
struct plan {
    struct {
        struct triage_node *node;
        double amount;
    } parts[STRETCHES_MOST];
    uint32_t count;
    double cost;
};

static struct triage_node *node_of(const struct triage *triage, uint32_t v)
{
    return &triage->nodes[triage->node_at[triage->optimizer->problem->vms[v].node]];
}

/* VMs of a sum by rising price. */
static uint32_t order_vms(const struct triage *triage, const struct optimizer_service *it,
                          uint32_t *out)
{
    double prices[STRETCHES_MOST];
    uint32_t count = 0;
    for (uint32_t k = 0; k < it->vms_count && count < STRETCHES_MOST; k++) {
        const uint32_t v = it->first_vm + k;
        const double price = node_of(triage, v)->price;
        if (triage->spaces[v] == 0) {
            continue;
        }
        uint32_t at = count++;
        for (; at > 0 && prices[at - 1] > price; at--) {
            out[at] = out[at - 1];
            prices[at] = prices[at - 1];
        }
        out[at] = v;
        prices[at] = price;
    }
    return count;
}

/* With unequal speeds at least this many percents are needed, whatever the nodes. */
static uint32_t least_need(const struct triage *triage, const struct optimizer_service *it,
                           uint32_t need)
{
    double fastest = it->value.unit;
    for (uint32_t k = 0; !it->equal_speed && k < it->vms_count; k++) {
        const uint32_t v = it->first_vm + k;
        const double speed =
            triage->optimizer->nodes[triage->optimizer->problem->vms[v].node].speed;
        fastest = triage->spaces[v] > 0 && speed > fastest ? speed : fastest;
    }
    return it->equal_speed ? need : (uint32_t)(need * it->value.unit / fastest);
}

/* Cheapest way to the floor of a sum. */
static void plan_sum(const struct triage *triage, uint32_t service, struct plan *plan)
{
    const struct optimizer_service *it = &triage->optimizer->services[service];
    uint32_t vms[STRETCHES_MOST];
    const uint32_t count = order_vms(triage, it, vms);
    uint32_t need = least_need(triage, it, triage->needs[service]);
    for (uint32_t k = 0; k < count && need > 0; k++) {
        const uint32_t space = triage->spaces[vms[k]];
        const uint32_t amount = space < need ? space : need;
        struct triage_node *node = node_of(triage, vms[k]);
        plan->parts[plan->count].node = node;
        plan->parts[plan->count++].amount = amount;
        plan->cost += node->price * amount;
        need -= amount;
    }
}

/* What a gang costs; its parts are only noted as far as there is room for them, and what is
 * left out leaves the slopes a little wrong, never the bound. */
static void plan_gang(const struct triage *triage, uint32_t service, struct plan *plan)
{
    const struct optimizer_service *it = &triage->optimizer->services[service];
    const uint32_t need = triage->needs[service];
    for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
        if (triage->optimizer->problem->vms[v].fixed) {
            continue;
        }
        struct triage_node *node = node_of(triage, v);
        plan->cost += node->price * need;
        if (plan->count < STRETCHES_MOST) {
            plan->parts[plan->count].node = node;
            plan->parts[plan->count++].amount = need;
        }
    }
}

static void make_plan(const struct triage *triage, uint32_t service, struct plan *plan)
{
    plan->count = 0;
    plan->cost = 0.0;
    if (triage->optimizer->services[service].coupling == COUPLING_SUM) {
        plan_sum(triage, service, plan);
    } else {
        plan_gang(triage, service, plan);
    }
}

double triage_cost(const struct triage *triage, uint32_t service)
{
    struct plan plan;
    make_plan(triage, service, &plan);
    return plan.cost;
}

/* The best set of a node's singles at its price; only those on the upper hull can be it. */
static double best_set(struct triage_node *node)
{
    const struct knapsack *knapsack = &node->knapsack;
    double best = -HUGE_VAL;
    for (uint32_t s = node->hull_count; s-- > 0;) {
        const struct knapsack_state *state = &knapsack->states[node->hull[s]];
        const double left = node->capacity - state->cost;
        const double net = state->weight + node->price * left;
        if (net <= best) {
            break;
        }
        best = net;
        node->slope = left;
    }
    return best;
}

/* The bound at the present prices, and its slopes. */
static double evaluate(struct triage *triage)
{
    double bound = 0.0;
    for (uint32_t k = 0; k < triage->component->nodes_count; k++) {
        bound += best_set(&triage->nodes[k]);
    }
    for (uint32_t i = 0; i < triage->coupled_count; i++) {
        const uint32_t service = triage->coupled[i];
        struct plan plan;
        make_plan(triage, service, &plan);
        const double net = triage->optimizer->services[service].stake - plan.cost;
        for (uint32_t k = 0; net > 0.0 && k < plan.count; k++) {
            plan.parts[k].node->slope -= plan.parts[k].amount;
        }
        bound += net > 0.0 ? net : 0.0;
    }
    return bound;
}

/* States of a node's frontier that are best at some price, by rising cost. */
static void make_hull(struct triage_node *node)
{
    const struct knapsack *knapsack = &node->knapsack;
    node->hull_count = 0;
    for (uint32_t s = 0; s < knapsack->frontier_count; s++) {
        const struct knapsack_state *state = &knapsack->states[knapsack->frontier[s]];
        while (node->hull_count > 1) {
            const struct knapsack_state *last =
                &knapsack->states[node->hull[node->hull_count - 1]];
            const struct knapsack_state *before =
                &knapsack->states[node->hull[node->hull_count - 2]];
            const double to_last =
                (last->weight - before->weight) * ((double)state->cost - before->cost);
            const double to_state =
                (state->weight - before->weight) * ((double)last->cost - before->cost);
            if (to_last > to_state) {
                break;
            }
            node->hull_count--;
        }
        node->hull[node->hull_count++] = knapsack->frontier[s];
    }
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
            const double its =
                it->reachable ? gang * triage->needs[triage->component->services[s]] : 0.0;
            need += it->stake > middle * its ? its : 0.0;
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

/* The prices of the last solution; false: there are none. */
static bool recall_prices(struct triage *triage)
{
    const struct coupled_memory *memory = &triage->optimizer->memory->coupled;
    bool known = triage->optimizer->warm;
    for (uint32_t k = 0; known && k < triage->component->nodes_count; k++) {
        struct triage_node *node = &triage->nodes[k];
        node->price = memory->weight_prices[triage->component->nodes[k]];
        node->best_price = node->price;
        known = !isnan(node->price);
    }
    return known;
}

static void remember_prices(const struct triage *triage)
{
    for (uint32_t k = 0; k < triage->component->nodes_count; k++) {
        triage->optimizer->memory->coupled.weight_prices[triage->component->nodes[k]] =
            triage->nodes[k].best_price;
    }
}

void triage_find_prices(struct triage *triage)
{
    for (uint32_t k = 0; k < triage->component->nodes_count; k++) {
        make_hull(&triage->nodes[k]);
    }
    const bool known = recall_prices(triage);
    if (!known) {
        start_prices(triage);
    }
    triage->bound = HUGE_VAL;
    /* of the bound: how much lower it is hoped to come */
    double ahead = known ? AHEAD_AGAIN : AHEAD;
    const uint32_t steps_most = known ? STEPS_AGAIN : STEPS_MOST;
    uint32_t since_best = 0;
    for (uint32_t i = 0; i < steps_most && ahead > 1e-6; i++) {
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
    remember_prices(triage);
}
