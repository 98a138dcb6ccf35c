// SPDX-License-Identifier: Apache-2.0
/*
 * Block coordinate ascent on the concave problem, one coupled service at a time, while all
 * single services answer at once through their tables: each node offers what its singles leave
 * at a price. A sum takes where its own demand meets the offers of its nodes; a gang where its
 * demand at the sum of the prices meets its cap. Exact steps of blocks climb without swinging.
 */
#include "schedulers/optimizer/prices.h"

#include <float.h>
#include <math.h>

#include "schedulers/optimizer/root.h"

#define STEPS_MOST 40
#define STEEP      0.01 /* of a node's CPU per unit of log price, beyond the grid */
#define STILL      2e-6 /* change of a log price at which the sweeps end */
#define CLOSE      1e-7

static double table_at(const double *table, double position, double steep)
{
    if (position <= 0.0) {
        return table[0] - steep * position;
    }
    if (position >= PRICES_POINTS - 1) {
        return table[PRICES_POINTS - 1] - steep * (position - (PRICES_POINTS - 1));
    }
    const uint32_t k = (uint32_t)position;
    return table[k] + (position - k) * (table[k + 1] - table[k]);
}

/* All positions below are log prices in steps of the grid. */
static double singles_at(const struct prices *prices, uint32_t at, double position)
{
    const uint32_t node = prices->component->nodes[at];
    const double steep = STEEP * MARGINAL_STEP * (prices->optimizer->nodes[node].cpu_pct + 1.0);
    return table_at(&prices->demand_of_node[(size_t)at * PRICES_POINTS], position, steep);
}

/* The position at which the singles of a node take just this. */
static double position_for(const struct prices *prices, uint32_t at, double left)
{
    const double *table = &prices->demand_of_node[(size_t)at * PRICES_POINTS];
    const uint32_t node = prices->component->nodes[at];
    const double steep = STEEP * MARGINAL_STEP * (prices->optimizer->nodes[node].cpu_pct + 1.0);
    if (left >= table[0]) {
        return -(left - table[0]) / steep;
    }
    if (left <= table[PRICES_POINTS - 1]) {
        return PRICES_POINTS - 1 + (table[PRICES_POINTS - 1] - left) / steep;
    }
    uint32_t low = 0;
    uint32_t high = PRICES_POINTS - 1;
    while (high - low > 1) {
        const uint32_t middle = (low + high) / 2;
        if (table[middle] > left) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low + (table[low] - left) / (table[low] - table[high]);
}

/* ---- sums ---- */

struct offer {
    uint32_t vm;
    uint32_t at;
    double left; /* of the node, without this VM and the singles */
    double least;
    double most;
    double speed;
    double shift; /* of the position: price per r to price per percent */
};

static double offered(const struct prices *prices, const struct offer *offer, double position)
{
    const double cap = offer->left - singles_at(prices, offer->at, position + offer->shift);
    return cap < offer->least ? offer->least : cap > offer->most ? offer->most : cap;
}

static double excess_of_sum(const struct prices *prices, uint32_t coupled,
                            const struct offer *offers, uint32_t count, double position)
{
    const uint32_t service = prices->coupled[coupled];
    double excess =
        table_at(&prices->demand_of_service[(size_t)coupled * PRICES_POINTS], position, 0.0) -
        prices->optimizer->services[service].value.base_r;
    for (uint32_t i = 0; i < count; i++) {
        excess -= offers[i].speed * offered(prices, &offers[i], position);
    }
    return excess;
}

#define OFFERS_MOST 64 /* VMs of one sum that move in one step; the others wait */

static uint32_t collect(struct prices *prices, const struct optimizer_service *it,
                        struct offer *offers)
{
    const struct optimizer *optimizer = prices->optimizer;
    uint32_t count = 0;
    for (uint32_t k = 0; k < it->vms_count && count < OFFERS_MOST; k++) {
        const uint32_t v = it->first_vm + k;
        const struct allocation_vm *vm = &optimizer->problem->vms[v];
        if (vm->fixed) {
            continue;
        }
        const struct optimizer_node *node = &optimizer->nodes[vm->node];
        const uint32_t at = prices->node_at[vm->node];
        const uint32_t least = optimizer_vm_least(vm);
        offers[count++] = (struct offer){
            .vm = v,
            .at = at,
            .left = node->cpu_pct - (prices->used[at] - prices->caps[v]),
            .least = least,
            .most = it->open ? optimizer_vm_most(vm) : least,
            .speed = node->speed,
            .shift =
                node->speed < 1.0 || node->speed > 1.0 ? log(node->speed) / MARGINAL_STEP : 0.0,
        };
    }
    return count;
}

static void move_sum(struct prices *prices, uint32_t coupled)
{
    const struct optimizer_service *it = &prices->optimizer->services[prices->coupled[coupled]];
    struct offer offers[OFFERS_MOST];
    const uint32_t count = collect(prices, it, offers);
    double low = prices->last[coupled] - 0.5;
    double high = prices->last[coupled] + 0.5;
    double over = excess_of_sum(prices, coupled, offers, count, low);
    double under = excess_of_sum(prices, coupled, offers, count, high);
    // NOLINTNEXTLINE(cert-flp30-c,clang-analyzer-security.FloatLoopCounter): geometric steps
    for (double width = 1.0; over < 0.0 && width < 4096.0; width *= 2.0) {
        high = low;
        under = over;
        low -= width;
        over = excess_of_sum(prices, coupled, offers, count, low);
    }
    // NOLINTNEXTLINE(cert-flp30-c,clang-analyzer-security.FloatLoopCounter): geometric steps
    for (double width = 1.0; under > 0.0 && width < 4096.0; width *= 2.0) {
        low = high;
        over = under;
        high += width;
        under = excess_of_sum(prices, coupled, offers, count, high);
    }
    struct root root = {.low = low, .high = high, .over = over, .under = under};
    double position = over <= 0.0 ? low : high;
    for (int i = 0; i < STEPS_MOST && over > 0.0 && under < 0.0; i++) {
        position = root_next(&root);
        const double at = excess_of_sum(prices, coupled, offers, count, position);
        if (fabs(at) < CLOSE || root.high - root.low < CLOSE) {
            break;
        }
        root_take(&root, position, at);
    }
    prices->last[coupled] = position;
    for (uint32_t i = 0; i < count; i++) {
        const double cap = offered(prices, &offers[i], position);
        prices->used[offers[i].at] += cap - prices->caps[offers[i].vm];
        prices->caps[offers[i].vm] = cap;
    }
}

/* ---- gangs ---- */

static double excess_of_gang(const struct prices *prices, uint32_t coupled, double n)
{
    const struct optimizer *optimizer = prices->optimizer;
    const struct optimizer_service *it = &optimizer->services[prices->coupled[coupled]];
    double sum = 0.0;
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const uint32_t v = it->first_vm + k;
        const struct allocation_vm *vm = &optimizer->problem->vms[v];
        if (vm->fixed) {
            continue;
        }
        const uint32_t at = prices->node_at[vm->node];
        const double left =
            optimizer->nodes[vm->node].cpu_pct - (prices->used[at] - prices->caps[v]) - n;
        sum += exp(position_for(prices, at, left) * MARGINAL_STEP);
    }
    /* A sum of exponentials: never 0, unless every one underflows. */
    const double position = log(sum > 0.0 ? sum : DBL_MIN) / MARGINAL_STEP;
    return table_at(&prices->demand_of_service[(size_t)coupled * PRICES_POINTS], position,
                    0.0) -
           n;
}

static void move_gang(struct prices *prices, uint32_t coupled)
{
    const struct optimizer *optimizer = prices->optimizer;
    const struct optimizer_service *it = &optimizer->services[prices->coupled[coupled]];
    struct root root = {.low = it->least, .high = it->most};
    root.over = excess_of_gang(prices, coupled, root.low);
    double n = root.low;
    if (root.over > 0.0 && root.high > root.low) {
        root.under = excess_of_gang(prices, coupled, root.high);
        n = root.under >= 0.0 ? root.high : root.low;
        for (int i = 0; i < STEPS_MOST && root.under < 0.0; i++) {
            n = root_next(&root);
            const double at = excess_of_gang(prices, coupled, n);
            if (fabs(at) < CLOSE || root.high - root.low < CLOSE) {
                break;
            }
            root_take(&root, n, at);
        }
    }
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const uint32_t v = it->first_vm + k;
        if (!optimizer->problem->vms[v].fixed) {
            const uint32_t at = prices->node_at[optimizer->problem->vms[v].node];
            prices->used[at] += n - prices->caps[v];
            prices->caps[v] = n;
        }
    }
}

/* ---- sweeps ---- */

/* Everybody's demand where the component as a whole is full, spread evenly. */
static void guess(struct prices *prices)
{
    const struct optimizer *optimizer = prices->optimizer;
    const double position = 0.55 * PRICES_POINTS;
    for (uint32_t i = 0; i < prices->coupled_count; i++) {
        const struct optimizer_service *it = &optimizer->services[prices->coupled[i]];
        const bool gang = it->coupling == COUPLING_GANG;
        const double own = gang ? position + log(it->vms_count) / MARGINAL_STEP : position;
        const double demand =
            table_at(&prices->demand_of_service[(size_t)i * PRICES_POINTS], own, 0.0);
        prices->last[i] = position;
        for (uint32_t k = 0; k < it->vms_count; k++) {
            const uint32_t v = it->first_vm + k;
            const struct allocation_vm *vm = &optimizer->problem->vms[v];
            if (vm->fixed) {
                continue;
            }
            const double speed = optimizer->nodes[vm->node].speed;
            const double least = optimizer_vm_least(vm);
            const double share = demand / it->vms_count / speed;
            prices->caps[v] = gang ? demand : it->open && share > least ? share : least;
        }
    }
}

/* The caps of the last solution, and for a sum the least price of its nodes. */
static void recall(struct prices *prices)
{
    const struct optimizer *optimizer = prices->optimizer;
    for (uint32_t i = 0; i < prices->coupled_count; i++) {
        const struct optimizer_service *it = &optimizer->services[prices->coupled[i]];
        double least = HUGE_VAL;
        for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
            const struct allocation_vm *vm = &optimizer->problem->vms[v];
            const double price = optimizer->nodes[vm->node].price;
            least = price > 0.0 && price < least ? price : least;
            prices->caps[v] = it->open || it->coupling == COUPLING_GANG
                                  ? optimizer->last_caps[v]
                                  : optimizer_vm_least(vm);
        }
        prices->last[i] = isfinite(least) ? (log(least) - prices->log_least) / MARGINAL_STEP
                                          : 0.55 * PRICES_POINTS;
    }
}

static void sum_up(struct prices *prices)
{
    const struct optimizer *optimizer = prices->optimizer;
    for (uint32_t k = 0; k < prices->component->nodes_count; k++) {
        prices->used[k] = 0.0;
    }
    for (uint32_t i = 0; i < prices->coupled_count; i++) {
        const struct optimizer_service *it = &optimizer->services[prices->coupled[i]];
        for (uint32_t k = 0; k < it->vms_count; k++) {
            const struct allocation_vm *vm = &optimizer->problem->vms[it->first_vm + k];
            if (!vm->fixed) {
                prices->used[prices->node_at[vm->node]] += prices->caps[it->first_vm + k];
            }
        }
    }
}

/* The largest change of a log price. */
static double read_prices(struct prices *prices)
{
    double change = 0.0;
    for (uint32_t k = 0; k < prices->component->nodes_count; k++) {
        struct optimizer_node *node = &prices->optimizer->nodes[prices->component->nodes[k]];
        const double position = position_for(prices, k, node->cpu_pct - prices->used[k]);
        const double log_price = prices->log_least + position * MARGINAL_STEP;
        const double moved = fabs(log_price - prices->log_price[k]);
        change = moved > change ? moved : change;
        prices->log_price[k] = log_price;
        node->price = position <= 0.0 ? 0.0 : exp(log_price);
    }
    return change;
}

void prices_settle(struct prices *prices, bool start, uint32_t sweeps_most)
{
    if (start) {
        recall(prices);
    } else {
        guess(prices);
    }
    for (uint32_t sweep = 0; sweep < sweeps_most; sweep++) {
        sum_up(prices);
        if (read_prices(prices) < STILL && sweep > 0) {
            break;
        }
        for (uint32_t i = 0; i < prices->coupled_count; i++) {
            const uint32_t service = prices->coupled[i];
            if (prices->optimizer->services[service].coupling == COUPLING_GANG) {
                move_gang(prices, i);
            } else {
                move_sum(prices, i);
            }
        }
    }
    sum_up(prices);
    (void)read_prices(prices);
}
