// SPDX-License-Identifier: Apache-2.0
/* Tables of demand over the grid of log prices. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "schedulers/optimizer/prices.h"

#define LEAN (-1e-3) /* percent per point, so that a table has an inverse everywhere */

/* Demand without the cost of moving, as r, at every point: the pieces are walked from the
 * highest price down. */
// NOLINTNEXTLINE(readability-function-cognitive-complexity): one walk over all pieces
static void walk(const struct prices *prices, const struct optimizer_service *it,
                 const double range[2], double *out)
{
    const struct service_value *value = &it->value;
    uint32_t at = 0;
    double log_from = 0.0;
    double log_to = 0.0;
    double top = 0.0;
    bool loaded = false;
    for (uint32_t k = PRICES_POINTS; k-- > 0;) {
        const double log_price = prices->log_least + k * MARGINAL_STEP;
        double r = range[0];
        while (at < value->pieces_count) {
            const struct piece *piece = &value->pieces[at];
            if (piece->kind != PIECE_HIGH || piece->to <= range[0]) {
                r = piece->kind == PIECE_ENDS || piece->to > r ? r : piece->to;
                at++;
                loaded = false;
                continue;
            }
            if (!loaded) {
                log_from = piece->slope_from > 0.0 ? log(piece->slope_from) : -HUGE_VAL;
                log_to = piece->slope_to > 0.0 ? log(piece->slope_to) : -HUGE_VAL;
                top = (value->marginal->log_top + value->log_weight + log(piece->beta)) /
                      MARGINAL_STEP;
                loaded = true;
            }
            r = piece->from > r ? piece->from : r;
            if (log_price >= log_from) {
                break;
            }
            if (log_price <= log_to) {
                r = piece->to;
                at++;
                loaded = false;
                continue;
            }
            const double step = top - log_price / MARGINAL_STEP;
            double t = value->marginal->t_high;
            if (step >= MARGINAL_STEPS) {
                t = value->marginal->t[MARGINAL_STEPS];
            } else if (step > 0.0) {
                const int i = (int)step;
                t = value->marginal->t[i] +
                    (step - i) * (value->marginal->t[i + 1] - value->marginal->t[i]);
            }
            const double its_r = (t - piece->alpha) / piece->beta;
            r = its_r > piece->to ? piece->to : its_r > r ? its_r : r;
            break;
        }
        if (at == value->pieces_count && value->pieces_count > 0) {
            const struct piece *last = &value->pieces[value->pieces_count - 1];
            r = isfinite(last->to)         ? last->to
                : last->kind == PIECE_ENDS ? last->from
                                           : range[1];
        }
        out[k] = r < range[0] ? range[0] : r > range[1] ? range[1] : r;
    }
}

static double at_shifted(const double *table, double position)
{
    if (position <= 0.0) {
        return table[0];
    }
    if (position >= PRICES_POINTS - 1) {
        return table[PRICES_POINTS - 1];
    }
    const uint32_t k = (uint32_t)position;
    return table[k] + (position - k) * (table[k + 1] - table[k]);
}

/* The cost of moving: below the bend a percent is worth more, above it less. */
static void bend(const struct prices *prices, double bend_r, double *table)
{
    double flat[PRICES_POINTS];
    memcpy(flat, table, sizeof flat);
    for (uint32_t k = 0; k < PRICES_POINTS; k++) {
        const double above = at_shifted(flat, prices->up[k]);
        const double below = at_shifted(flat, prices->down[k]);
        table[k] = above > bend_r ? above : below < bend_r ? below : bend_r;
    }
}

static void tabulate(const struct prices *prices, uint32_t service, double *out)
{
    const struct optimizer_service *it = &prices->optimizer->services[service];
    const struct service_value *value = &it->value;
    double range[2];
    optimizer_r_range(it, range);
    walk(prices, it, range, out);
    const double cost = prices->optimizer->problem->switching_cost;
    const uint32_t previous = prices->optimizer->problem->vms[it->first_vm].previous_cap_pct;
    if (cost > 0.0 && previous > 0 && it->coupling != COUPLING_SUM) {
        bend(prices, value_r(value, previous), out);
    }
}

/* From r at a price per r to caps at a price per percent of the cap: a shift of the grid. */
static void add_single(const struct prices *prices, uint32_t service, double *table)
{
    const struct optimizer_service *it = &prices->optimizer->services[service];
    double own[PRICES_POINTS];
    if (it->most <= it->least || !(it->value.unit > 0.0)) {
        for (uint32_t k = 0; k < PRICES_POINTS; k++) {
            table[k] += it->least;
        }
        return;
    }
    tabulate(prices, service, own);
    const double shift = log(it->value.unit) / MARGINAL_STEP;
    for (uint32_t k = 0; k < PRICES_POINTS; k++) {
        const double r = shift > 0.0 || shift < 0.0 ? at_shifted(own, k - shift) : own[k];
        table[k] += (r - it->value.base_r) / it->value.unit;
    }
}

/* A gang's own variable is n at a price per n; a sum's is r at a price per r. */
static void add_coupled(const struct prices *prices, uint32_t service, double *table)
{
    const struct optimizer_service *it = &prices->optimizer->services[service];
    if (it->coupling == COUPLING_GANG) {
        add_single(prices, service, table);
        return;
    }
    tabulate(prices, service, table);
}

/* Where the prices lie: between those at which everything is half and twice as dear as where
 * the component as a whole is full. */
static void place_grid(struct prices *prices)
{
    const struct optimizer *optimizer = prices->optimizer;
    const struct component *component = prices->component;
    double capacity = 0.0;
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        capacity += optimizer->nodes[component->nodes[k]].cpu_pct;
    }
    double low = -30.0;
    double high = 8.0;
    while (high - low > 0.25) {
        const double middle = 0.5 * (low + high);
        double sum = 0.0;
        for (uint32_t i = 0; i < component->services_count; i++) {
            const uint32_t service = component->services[i];
            const struct optimizer_service *it = &optimizer->services[service];
            const bool gang = it->coupling == COUPLING_GANG;
            const double log_price = gang ? middle + log(it->vms_count) : middle;
            const double n = value_demand(&it->value, log_price, it->least, it->most);
            sum += gang ? n * it->vms_count : n;
        }
        low = sum > capacity ? middle : low;
        high = sum > capacity ? high : middle;
    }
    prices->log_least = low - 0.55 * PRICES_POINTS * MARGINAL_STEP;
    const double cost = optimizer->problem->switching_cost;
    for (uint32_t k = 0; k < PRICES_POINTS && cost > 0.0; k++) {
        const double price = exp(prices->log_least + k * MARGINAL_STEP);
        prices->up[k] = (log(price + cost) - prices->log_least) / MARGINAL_STEP;
        prices->down[k] =
            price > cost ? (log(price - cost) - prices->log_least) / MARGINAL_STEP : 0.0;
    }
}

static int take(struct prices *prices, struct arena *arena)
{
    const struct allocation_problem *problem = prices->optimizer->problem;
    const size_t nodes = prices->component->nodes_count + 1u;
    const size_t coupled = prices->coupled_count + 1u;
    prices->demand_of_node = arena_take(arena, nodes * PRICES_POINTS, sizeof(double));
    prices->demand_of_service = arena_take(arena, coupled * PRICES_POINTS, sizeof(double));
    prices->coupled = arena_take(arena, coupled, sizeof(uint32_t));
    prices->node_at = arena_take(arena, problem->nodes_count + 1u, sizeof(uint32_t));
    prices->used = arena_take(arena, nodes, sizeof(double));
    prices->caps = arena_take(arena, problem->vms_count + 1u, sizeof(double));
    prices->log_price = arena_take(arena, nodes, sizeof(double));
    prices->last = arena_take(arena, coupled, sizeof(double));
    prices->up = arena_take(arena, (size_t)2 * PRICES_POINTS, sizeof(double));
    if (arena->failed) {
        return -ENOMEM;
    }
    prices->down = prices->up + PRICES_POINTS;
    return 0;
}

int prices_init(struct prices *prices, struct optimizer *optimizer,
                const struct component *component, struct arena *arena)
{
    *prices = (struct prices){.optimizer = optimizer, .component = component};
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        prices->coupled_count += it->coupling != COUPLING_SINGLE;
    }
    if (take(prices, arena) < 0) {
        return -ENOMEM;
    }
    place_grid(prices);
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        prices->node_at[component->nodes[k]] = k;
        for (uint32_t point = 0; point < PRICES_POINTS; point++) {
            prices->demand_of_node[(size_t)k * PRICES_POINTS + point] = LEAN * point;
        }
    }
    uint32_t coupled = 0;
    for (uint32_t i = 0; i < component->services_count; i++) {
        const uint32_t service = component->services[i];
        const struct optimizer_service *it = &optimizer->services[service];
        if (it->coupling != COUPLING_SINGLE) {
            add_coupled(prices, service,
                        &prices->demand_of_service[(size_t)coupled * PRICES_POINTS]);
            prices->coupled[coupled++] = service;
        } else if (!optimizer->problem->vms[it->first_vm].fixed) {
            const uint32_t at = prices->node_at[optimizer->problem->vms[it->first_vm].node];
            add_single(prices, service, &prices->demand_of_node[(size_t)at * PRICES_POINTS]);
        }
    }
    return 0;
}
