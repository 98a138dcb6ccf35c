// SPDX-License-Identifier: Apache-2.0
/*
 * Sweeps over the coupled services until nobody has a reason to move. Only those wait for a
 * move who have changed themselves or on one of whose nodes something has changed; after a
 * small change of the problem that is few, and the change runs out around them.
 */
#include <math.h>

#include "schedulers/optimizer/prices.h"

#define FLAT 0.25 /* percent: a difference of amounts that says nothing of the price */

/* Everybody's demand where the component as a whole is full, spread evenly. */
static void guess(struct prices *prices)
{
    const struct optimizer *optimizer = prices->optimizer;
    for (uint32_t i = 0; i < prices->coupled_count; i++) {
        const struct optimizer_service *it = &optimizer->services[prices->coupled[i]];
        const bool gang = it->coupling == COUPLING_GANG;
        const double own =
            gang ? PRICES_START + log(it->vms_count) / PRICES_STEP : PRICES_START;
        const double demand = prices_demand(prices_table_of(prices, i), own, 0.0);
        *prices_own(prices, i) = PRICES_START;
        prices->waits[i] = true;
        for (uint32_t k = 0; k < it->vms_count; k++) {
            const uint32_t v = it->first_vm + k;
            const struct allocation_vm *vm = &optimizer->problem->vms[v];
            if (vm->fixed) {
                continue;
            }
            const double speed = optimizer->nodes[vm->node].speed;
            const double least = optimizer_vm_least(vm);
            const double share = demand / it->vms_count / speed;
            prices->memory->real_caps[v] = gang                        ? demand
                                           : it->open && share > least ? share
                                                                       : least;
        }
    }
}

static void sum_up(struct prices *prices)
{
    const struct optimizer *optimizer = prices->optimizer;
    for (uint32_t k = 0; k < prices->component->nodes_count; k++) {
        prices->used[prices->component->nodes[k]] = 0.0;
    }
    for (uint32_t i = 0; i < prices->coupled_count; i++) {
        const struct optimizer_service *it = &optimizer->services[prices->coupled[i]];
        for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
            const struct allocation_vm *vm = &optimizer->problem->vms[v];
            if (!vm->fixed) {
                prices->used[vm->node] += prices->memory->real_caps[v];
            }
        }
    }
}

/* The real cap of the last solution, as far as it is within the limits of now. */
static double limited(const struct prices *prices, const struct optimizer_service *it,
                      uint32_t vm)
{
    const struct allocation_vm *given = &prices->optimizer->problem->vms[vm];
    const bool gang = it->coupling == COUPLING_GANG;
    const double least = gang ? it->least : optimizer_vm_least(given);
    const double most = gang ? it->most : it->open ? optimizer_vm_most(given) : least;
    return fmin(fmax(prices->memory->real_caps[vm], least), most);
}

static void recall(struct prices *prices)
{
    const struct optimizer *optimizer = prices->optimizer;
    for (uint32_t k = 0; k < prices->component->nodes_count; k++) {
        const uint32_t node = prices->component->nodes[k];
        prices->drift[node] = prices->used[node] - prices->memory->used[node];
    }
    for (uint32_t i = 0; i < prices->coupled_count; i++) {
        const struct optimizer_service *it = &optimizer->services[prices->coupled[i]];
        for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
            const struct allocation_vm *vm = &optimizer->problem->vms[v];
            if (!vm->fixed) {
                prices->waits[i] = prices->waits[i] || prices->looks[vm->node];
                prices_change_cap(prices, v, limited(prices, it, v));
            }
        }
    }
}

static void sweep_until_still(struct prices *prices, uint32_t sweeps_most)
{
    bool moved = true;
    for (uint32_t sweep = 0; moved && sweep < sweeps_most; sweep++) {
        moved = false;
        for (uint32_t i = 0; i < prices->coupled_count; i++) {
            if (prices->waits[i]) {
                prices->waits[i] = false;
                prices_move(prices, i);
                moved = true;
            }
        }
    }
}

/* Whether a VM of a sum could take more and less, so that the sum's own price is its node's. */
static bool is_inside(const struct prices *prices, uint32_t vm)
{
    const struct optimizer *optimizer = prices->optimizer;
    const struct optimizer_service *it = &optimizer->services[optimizer->owners[vm]];
    const struct allocation_vm *given = &optimizer->problem->vms[vm];
    const double cap = prices->memory->real_caps[vm];
    return it->coupling == COUPLING_SUM && it->open && cap > optimizer_vm_least(given) + FLAT &&
           cap < optimizer_vm_most(given) - FLAT;
}

/*
 * Where all singles of a node stand at their floors nearly any price gives the amount that they
 * have, and the least error of it another price. But sums that stand on other nodes as well
 * know theirs.
 */
static double position_of(const struct prices *prices, uint32_t node_index)
{
    const struct optimizer *optimizer = prices->optimizer;
    const struct optimizer_node *node = &optimizer->nodes[node_index];
    const double left = node->cpu_pct - prices->used[node_index];
    const double shift = log(node->speed) / PRICES_STEP;
    const float *table = prices_table_of_node(prices, node_index);
    double sum = 0.0;
    uint32_t count = 0;
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        const uint32_t vm = optimizer->node_vms[k];
        const uint32_t slot = prices->memory->slots[optimizer->owners[vm]];
        if (slot != OPTIMIZER_NONE && is_inside(prices, vm)) {
            const double position = prices->memory->positions[slot] + shift;
            const bool fits = position > 0.0 && position < PRICES_POINTS - 1 &&
                              fabs(prices_demand(table, position, 0.0) - left) < FLAT;
            sum += fits ? position : 0.0;
            count += fits;
        }
    }
    return count > 0 ? sum / count : prices_position(prices, node_index, left);
}

static void read_prices(struct prices *prices)
{
    struct coupled_memory *memory = prices->memory;
    for (uint32_t k = 0; k < prices->component->nodes_count; k++) {
        const uint32_t index = prices->component->nodes[k];
        const double position = position_of(prices, index);
        memory->log_prices[index] = prices->log_least + position * PRICES_STEP;
        memory->used[index] = prices->used[index];
        prices->optimizer->nodes[index].price =
            position <= 0.0 ? 0.0 : exp(memory->log_prices[index]);
    }
}

void prices_settle(struct prices *prices, uint32_t sweeps_most)
{
    if (prices->placed) {
        guess(prices);
    }
    sum_up(prices);
    if (!prices->placed) {
        recall(prices);
    }
    sweep_until_still(prices, sweeps_most);
    sum_up(prices);
    read_prices(prices);
}
