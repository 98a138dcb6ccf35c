// SPDX-License-Identifier: Apache-2.0
/* Tables of demand over the grid of log prices. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "schedulers/optimizer/prices.h"

#define LEAN      (-1e-3) /* percent per point, so that a table has an inverse everywhere */
#define GRID_STEP 0.5     /* between places where a grid may begin */

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
        const double log_price = prices->log_least + k * PRICES_STEP;
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
    if (prices->optimizer->problem->objective == ALLOCATION_PRODUCT) {
        prices_envelope(prices, value, range[0], out);
    }
    const double cost = prices->optimizer->problem->switching_cost;
    const uint32_t previous = prices->optimizer->problem->vms[it->first_vm].previous_cap_pct;
    if (cost > 0.0 && previous > 0 && it->coupling != COUPLING_SUM) {
        bend(prices, value_r(value, previous), out);
    }
}

/* Adds what a service of one variable takes: from r at a price per r to caps at a price per
 * percent of the cap is a shift of the grid. */
static void add_amounts(const struct prices *prices, uint32_t service, double *table)
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
    const double shift = log(it->value.unit) / PRICES_STEP;
    for (uint32_t k = 0; k < PRICES_POINTS; k++) {
        const double r = shift > 0.0 || shift < 0.0 ? at_shifted(own, k - shift) : own[k];
        table[k] += (r - it->value.base_r) / it->value.unit;
    }
}

static void store(const double *table, float *out)
{
    for (uint32_t k = 0; k < PRICES_POINTS; k++) {
        out[k] = (float)table[k];
    }
}

/* ---- what has changed ---- */

/* Of all that a table of demand is made from. */
static uint64_t key_of(const struct prices *prices, uint32_t service)
{
    const struct optimizer_service *it = &prices->optimizer->services[service];
    double range[2];
    optimizer_r_range(it, range);
    uint64_t key = prices->optimizer->memory->service_prints[service];
    key = memory_mix(key, (uint64_t)it->least << 32 | it->most);
    key = memory_mix_double(memory_mix_double(key, range[0]), range[1]);
    return memory_mix_double(key, prices->log_least);
}

static bool is_single(const struct optimizer *optimizer, uint32_t vm)
{
    return optimizer->services[optimizer->owners[vm]].coupling == COUPLING_SINGLE;
}

static void make_node_table(struct prices *prices, uint32_t node_index)
{
    const struct optimizer *optimizer = prices->optimizer;
    const struct optimizer_node *node = &optimizer->nodes[node_index];
    uint64_t key = node->cpu_pct;
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        const uint32_t v = optimizer->node_vms[k];
        key = is_single(optimizer, v) ? memory_mix(key, key_of(prices, optimizer->owners[v]))
                                      : key;
    }
    key = memory_mix(key, 1);
    prices->looks[node_index] = key != prices->memory->node_keys[node_index];
    if (!prices->looks[node_index]) {
        return;
    }
    double table[PRICES_POINTS];
    for (uint32_t point = 0; point < PRICES_POINTS; point++) {
        table[point] = LEAN * point;
    }
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        const uint32_t v = optimizer->node_vms[k];
        if (is_single(optimizer, v)) {
            add_amounts(prices, optimizer->owners[v], table);
        }
    }
    store(table, &prices->memory->node_tables[(size_t)node_index * PRICES_POINTS]);
    prices->memory->node_keys[node_index] = key;
}

/* A gang's own variable is n at a price per n; a sum's is r at a price per r. */
static void make_table(struct prices *prices, uint32_t place)
{
    const uint32_t service = prices->coupled[place];
    const uint32_t slot = prices->memory->slots[service];
    const uint64_t key = key_of(prices, service);
    prices->waits[place] = key != prices->memory->service_keys[slot];
    if (!prices->waits[place]) {
        return;
    }
    double table[PRICES_POINTS] = {0};
    if (prices->optimizer->services[service].coupling == COUPLING_GANG) {
        add_amounts(prices, service, table);
    } else {
        tabulate(prices, service, table);
    }
    store(table, &prices->memory->service_tables[(size_t)slot * PRICES_POINTS]);
    prices->memory->service_keys[slot] = key;
}

/* ---- the grid ---- */

/* The log price at which the component as a whole is full. */
static double find_middle(const struct optimizer *optimizer, const struct component *component)
{
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
    return low;
}

/* Whether most prices of the last solution stand well within its grid. */
static bool still_fits(const struct prices *prices, double log_least)
{
    double sum = 0.0;
    uint32_t inside = 0;
    if (!prices->optimizer->warm || isnan(log_least)) {
        return false;
    }
    for (uint32_t k = 0; k < prices->component->nodes_count; k++) {
        const uint32_t node = prices->component->nodes[k];
        const double position =
            (prices->memory->log_prices[node] - log_least) / PRICES_STEP / PRICES_POINTS;
        if (position > 0.0 && position < 1.0) {
            sum += position;
            inside++;
        }
    }
    return 2 * inside > prices->component->nodes_count && sum > 0.35 * inside &&
           sum < 0.75 * inside;
}

static void place_grid(struct prices *prices)
{
    const struct optimizer *optimizer = prices->optimizer;
    double *grid = &prices->memory->grids[prices->component->nodes[0]];
    if (!still_fits(prices, *grid)) {
        const double least =
            find_middle(optimizer, prices->component) - PRICES_START * PRICES_STEP;
        const double rounded = rint(least / GRID_STEP) * GRID_STEP;
        prices->placed = !optimizer->warm || !(*grid >= rounded && *grid <= rounded);
        *grid = rounded;
    }
    prices->log_least = *grid;
    const double cost = optimizer->problem->switching_cost;
    for (uint32_t k = 0; k < PRICES_POINTS && cost > 0.0; k++) {
        const double price = exp(prices->log_least + k * PRICES_STEP);
        prices->up[k] = (log(price + cost) - prices->log_least) / PRICES_STEP;
        prices->down[k] =
            price > cost ? (log(price - cost) - prices->log_least) / PRICES_STEP : 0.0;
    }
}

static int take(struct prices *prices, struct arena *arena)
{
    const size_t nodes = prices->optimizer->problem->nodes_count + 1u;
    const size_t coupled = prices->coupled_count + 1u;
    prices->coupled = arena_take(arena, coupled, sizeof *prices->coupled);
    prices->place_of =
        arena_take(arena, prices->memory->slots_count + 1u, sizeof *prices->place_of);
    prices->waits = arena_take(arena, coupled, sizeof *prices->waits);
    prices->looks = arena_take(arena, nodes, sizeof *prices->looks);
    prices->used = arena_take(arena, nodes, sizeof *prices->used);
    prices->drift = arena_take(arena, nodes, sizeof *prices->drift);
    prices->up = arena_take(arena, (size_t)2 * PRICES_POINTS, sizeof *prices->up);
    if (arena->failed) {
        return -ENOMEM;
    }
    prices->down = prices->up + PRICES_POINTS;
    return 0;
}

int prices_init(struct prices *prices, struct optimizer *optimizer,
                const struct component *component, struct arena *arena)
{
    *prices = (struct prices){
        .optimizer = optimizer, .component = component, .memory = &optimizer->memory->coupled};
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        prices->coupled_count += it->coupling != COUPLING_SINGLE;
    }
    if (take(prices, arena) < 0) {
        return -ENOMEM;
    }
    place_grid(prices);
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        make_node_table(prices, component->nodes[k]);
    }
    uint32_t place = 0;
    for (uint32_t i = 0; i < component->services_count; i++) {
        const uint32_t service = component->services[i];
        if (optimizer->services[service].coupling != COUPLING_SINGLE) {
            prices->place_of[prices->memory->slots[service]] = place;
            prices->coupled[place] = service;
            make_table(prices, place++);
        }
    }
    return 0;
}
