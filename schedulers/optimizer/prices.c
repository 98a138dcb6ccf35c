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
#define CLOSE      1e-7
#define TOLD       2e-5 /* of a node's CPU: a change that is worth a look of the others there */

double prices_demand(const float *table, double position, double steep)
{
    const double last = PRICES_POINTS - 1;
    if (position <= 0.0) {
        return (double)table[0] - steep * position;
    }
    if (position >= last) {
        return (double)table[PRICES_POINTS - 1] - steep * (position - last);
    }
    const uint32_t k = (uint32_t)position;
    const double here = (double)table[k];
    return here + (position - k) * ((double)table[k + 1] - here);
}

/* All positions below are log prices in steps of the grid. */
static double steep_of(const struct prices *prices, uint32_t node)
{
    return STEEP * PRICES_STEP * (prices->optimizer->nodes[node].cpu_pct + 1.0);
}

double prices_position(const struct prices *prices, uint32_t node, double left)
{
    const float *table = prices_table_of_node(prices, node);
    const double first = (double)table[0];
    const double last = (double)table[PRICES_POINTS - 1];
    if (left >= first) {
        return -(left - first) / steep_of(prices, node);
    }
    if (left <= last) {
        return PRICES_POINTS - 1 + (last - left) / steep_of(prices, node);
    }
    uint32_t low = 0;
    uint32_t high = PRICES_POINTS - 1;
    while (high - low > 1) {
        const uint32_t middle = (low + high) / 2;
        if ((double)table[middle] > left) {
            low = middle;
        } else {
            high = middle;
        }
    }
    const double over = (double)table[low];
    return low + (over - left) / (over - (double)table[high]);
}

void prices_change_cap(struct prices *prices, uint32_t vm, double cap)
{
    const struct optimizer *optimizer = prices->optimizer;
    const uint32_t node_index = optimizer->problem->vms[vm].node;
    const struct optimizer_node *node = &optimizer->nodes[node_index];
    const double change = cap - prices->memory->real_caps[vm];
    prices->memory->real_caps[vm] = cap;
    prices->used[node_index] += change;
    prices->drift[node_index] += change;
    if (fabs(prices->drift[node_index]) <= TOLD * node->cpu_pct) {
        return;
    }
    prices->drift[node_index] = 0.0;
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        const uint32_t other = optimizer->owners[optimizer->node_vms[k]];
        if (prices->memory->slots[other] != OPTIMIZER_NONE && other != optimizer->owners[vm]) {
            prices->waits[prices->place_of[prices->memory->slots[other]]] = true;
        }
    }
}

/* ---- sums ---- */

struct offer {
    uint32_t vm;
    double left; /* of the node, without this VM and the singles */
    double least;
    double most;
    double speed;
    double shift; /* of the position: price per r to price per percent */
    const float *table;
    double steep;
};

static double offered(const struct offer *offer, double position)
{
    const double cap =
        offer->left - prices_demand(offer->table, position + offer->shift, offer->steep);
    return cap < offer->least ? offer->least : cap > offer->most ? offer->most : cap;
}

static double excess_of_sum(const struct prices *prices, uint32_t place,
                            const struct offer *offers, uint32_t count, double position)
{
    const uint32_t service = prices->coupled[place];
    double excess = prices_demand(prices_table_of(prices, place), position, 0.0) -
                    prices->optimizer->services[service].value.base_r;
    for (uint32_t i = 0; i < count; i++) {
        excess -= offers[i].speed * offered(&offers[i], position);
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
        const uint32_t least = optimizer_vm_least(vm);
        offers[count++] = (struct offer){
            .vm = v,
            .left = node->cpu_pct - (prices->used[vm->node] - prices->memory->real_caps[v]),
            .least = least,
            .most = it->open ? optimizer_vm_most(vm) : least,
            .speed = node->speed,
            .shift =
                node->speed < 1.0 || node->speed > 1.0 ? log(node->speed) / PRICES_STEP : 0.0,
            .table = prices_table_of_node(prices, vm->node),
            .steep = steep_of(prices, vm->node),
        };
    }
    return count;
}

static void move_sum(struct prices *prices, uint32_t place)
{
    const struct optimizer_service *it = &prices->optimizer->services[prices->coupled[place]];
    double *own = prices_own(prices, place);
    struct offer offers[OFFERS_MOST];
    const uint32_t count = collect(prices, it, offers);
    double low = *own - 0.5;
    double high = *own + 0.5;
    double over = excess_of_sum(prices, place, offers, count, low);
    double under = excess_of_sum(prices, place, offers, count, high);
    // NOLINTNEXTLINE(cert-flp30-c,clang-analyzer-security.FloatLoopCounter): geometric steps
    for (double width = 1.0; over < 0.0 && width < 4096.0; width *= 2.0) {
        high = low;
        under = over;
        low -= width;
        over = excess_of_sum(prices, place, offers, count, low);
    }
    // NOLINTNEXTLINE(cert-flp30-c,clang-analyzer-security.FloatLoopCounter): geometric steps
    for (double width = 1.0; under > 0.0 && width < 4096.0; width *= 2.0) {
        low = high;
        over = under;
        high += width;
        under = excess_of_sum(prices, place, offers, count, high);
    }
    struct root root = {.low = low, .high = high, .over = over, .under = under};
    double position = over <= 0.0 ? low : high;
    for (int i = 0; i < STEPS_MOST && over > 0.0 && under < 0.0; i++) {
        position = root_next(&root);
        const double at = excess_of_sum(prices, place, offers, count, position);
        if (fabs(at) < CLOSE || root.high - root.low < CLOSE) {
            break;
        }
        root_take(&root, position, at);
    }
    *own = position;
    for (uint32_t i = 0; i < count; i++) {
        prices_change_cap(prices, offers[i].vm, offered(&offers[i], position));
    }
}

/* ---- gangs ---- */

static double excess_of_gang(const struct prices *prices, uint32_t place, double n)
{
    const struct optimizer *optimizer = prices->optimizer;
    const struct optimizer_service *it = &optimizer->services[prices->coupled[place]];
    double sum = 0.0;
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const uint32_t v = it->first_vm + k;
        const struct allocation_vm *vm = &optimizer->problem->vms[v];
        if (vm->fixed) {
            continue;
        }
        const double left = optimizer->nodes[vm->node].cpu_pct -
                            (prices->used[vm->node] - prices->memory->real_caps[v]) - n;
        sum += exp(prices_position(prices, vm->node, left) * PRICES_STEP);
    }
    /* A sum of exponentials: never 0, unless every one underflows. */
    const double position = log(sum > 0.0 ? sum : DBL_MIN) / PRICES_STEP;
    return prices_demand(prices_table_of(prices, place), position, 0.0) - n;
}

static void move_gang(struct prices *prices, uint32_t place)
{
    const struct optimizer *optimizer = prices->optimizer;
    const struct optimizer_service *it = &optimizer->services[prices->coupled[place]];
    struct root root = {.low = it->least, .high = it->most};
    root.over = excess_of_gang(prices, place, root.low);
    double n = root.low;
    if (root.over > 0.0 && root.high > root.low) {
        root.under = excess_of_gang(prices, place, root.high);
        n = root.under >= 0.0 ? root.high : root.low;
        for (int i = 0; i < STEPS_MOST && root.under < 0.0; i++) {
            n = root_next(&root);
            const double at = excess_of_gang(prices, place, n);
            if (fabs(at) < CLOSE || root.high - root.low < CLOSE) {
                break;
            }
            root_take(&root, n, at);
        }
    }
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const uint32_t v = it->first_vm + k;
        if (!optimizer->problem->vms[v].fixed) {
            prices_change_cap(prices, v, n);
        }
    }
}

void prices_move(struct prices *prices, uint32_t place)
{
    const uint32_t service = prices->coupled[place];
    if (prices->optimizer->services[service].coupling == COUPLING_GANG) {
        move_gang(prices, place);
    } else {
        move_sum(prices, place);
    }
}
