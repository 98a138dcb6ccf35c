// SPDX-License-Identifier: Apache-2.0
/*
 * The last percents of a coupled component. Marginal gains and losses of all single services
 * and sums are kept up to date; whoever gains more by a percent than another on the node loses
 * takes it, sums shift percents to nodes where they are cheaper, gangs go a step up or down
 * together.
 */
#include "schedulers/optimizer/settle.h"

#include <errno.h>
#include <math.h>

#define PASSES_MOST 24

/* ---- one service ---- */

static void refresh_sum(struct settle *settle, uint32_t service)
{
    const struct optimizer_service *it = &settle->optimizer->services[service];
    const double step = it->value.unit;
    const double r = optimizer_r(settle->optimizer, service);
    double range[2];
    optimizer_r_range(it, range);
    settle->up[service] = -HUGE_VAL;
    settle->down[service] = HUGE_VAL;
    if (!it->open) {
        return;
    }
    const double here = value_at_r(&it->value, r);
    if (r < range[1] - VALUE_TOLERANCE) {
        settle->up[service] = value_at_r(&it->value, r + step) - here;
    }
    if (r - step >= range[0] - VALUE_TOLERANCE) {
        settle->down[service] = here - value_at_r(&it->value, r - step);
    }
}

void settle_refresh(struct settle *settle, uint32_t service)
{
    const struct optimizer *optimizer = settle->optimizer;
    const struct optimizer_service *it = &optimizer->services[service];
    if (it->coupling == COUPLING_SUM) {
        refresh_sum(settle, service);
        return;
    }
    const bool single =
        it->coupling == COUPLING_SINGLE && it->open && levels_vm(optimizer, service) == NULL;
    const double here = single ? net_value(optimizer, service, it->n) : 0.0;
    settle->up[service] = single && it->n < it->most
                              ? net_value(optimizer, service, it->n + 1) - here
                              : -HUGE_VAL;
    settle->down[service] = single && it->n > it->least
                                ? here - net_value(optimizer, service, it->n - 1)
                                : HUGE_VAL;
}

/* Before anything on a node is compared. */
static void prepare(struct settle *settle, uint32_t node_index)
{
    const struct optimizer *optimizer = settle->optimizer;
    const struct optimizer_node *node = &optimizer->nodes[node_index];
    if (settle->open[node_index]) {
        return;
    }
    settle->open[node_index] = true;
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        const uint32_t service = optimizer->owners[optimizer->node_vms[k]];
        if (!settle->ready[service]) {
            settle->ready[service] = true;
            settle_refresh(settle, service);
        }
    }
}

static double cost_up(const struct settle *settle, uint32_t v)
{
    return settle->optimizer->problem->switching_cost *
           net_moved(settle->optimizer, v, settle->optimizer->caps[v]);
}

static double cost_down(const struct settle *settle, uint32_t v)
{
    return -settle->optimizer->problem->switching_cost *
           net_moved(settle->optimizer, v, settle->optimizer->caps[v] - 1);
}

double settle_up_of(const struct settle *settle, uint32_t v)
{
    const struct optimizer *optimizer = settle->optimizer;
    const uint32_t service = optimizer->owners[v];
    if (optimizer->services[service].coupling != COUPLING_SUM) {
        return settle->up[service];
    }
    if (optimizer->caps[v] >= optimizer_vm_most(&optimizer->problem->vms[v])) {
        return -HUGE_VAL;
    }
    const struct optimizer_service *it = &optimizer->services[service];
    if (!it->equal_speed && settle->up[service] > -HUGE_VAL) {
        const double now = optimizer_r(optimizer, service);
        const double r = now + optimizer->nodes[optimizer->problem->vms[v].node].speed;
        return value_at_r(&it->value, r) - value_at_r(&it->value, now) - cost_up(settle, v);
    }
    return settle->up[service] - cost_up(settle, v);
}

static double down_of(const struct settle *settle, uint32_t v)
{
    const struct optimizer *optimizer = settle->optimizer;
    const uint32_t service = optimizer->owners[v];
    const struct optimizer_service *it = &optimizer->services[service];
    if (it->coupling != COUPLING_SUM) {
        return settle->down[service];
    }
    const struct allocation_vm *vm = &optimizer->problem->vms[v];
    if (optimizer->caps[v] <= optimizer_vm_least(vm)) {
        return HUGE_VAL;
    }
    if (!it->equal_speed) { /* the floor must hold after a percent of this speed */
        double range[2];
        optimizer_r_range(it, range);
        const double now = optimizer_r(optimizer, service);
        const double r = now - optimizer->nodes[vm->node].speed;
        if (r < range[0] - VALUE_TOLERANCE) {
            return HUGE_VAL;
        }
        return value_at_r(&it->value, now) - value_at_r(&it->value, r) + cost_down(settle, v);
    }
    return settle->down[service] + cost_down(settle, v);
}

void settle_move(struct settle *settle, uint32_t v, bool up)
{
    struct optimizer *optimizer = settle->optimizer;
    struct optimizer_service *it = &optimizer->services[optimizer->owners[v]];
    struct optimizer_node *node = &optimizer->nodes[optimizer->problem->vms[v].node];
    optimizer->caps[v] = up ? optimizer->caps[v] + 1 : optimizer->caps[v] - 1;
    node->room = up ? node->room - 1 : node->room + 1;
    settle->now++;
    settle->changed[optimizer->problem->vms[v].node] = settle->now;
    if (it->coupling == COUPLING_SUM) { /* a percent is worth something else on all its nodes */
        for (uint32_t k = it->first_vm; k < it->first_vm + it->vms_count; k++) {
            settle->changed[optimizer->problem->vms[k].node] = settle->now;
        }
    }
    if (it->coupling != COUPLING_GANG) {
        it->n = up ? it->n + 1 : it->n - 1;
        settle_refresh(settle, optimizer->owners[v]);
    }
}

/* ---- one node ---- */

uint32_t settle_best_taker(const struct settle *settle, uint32_t node, uint32_t except)
{
    const struct optimizer *optimizer = settle->optimizer;
    const struct optimizer_node *it = &optimizer->nodes[node];
    uint32_t best = OPTIMIZER_NONE;
    double best_up = 0.0;
    for (uint32_t k = it->first; k < it->first + it->count; k++) {
        const uint32_t v = optimizer->node_vms[k];
        const double up = optimizer->owners[v] == except ? 0.0 : settle_up_of(settle, v);
        if (up > best_up) {
            best_up = up;
            best = v;
        }
    }
    return best;
}

/* Who loses least; OPTIMIZER_NONE and a loss of 0 where there is room. */
uint32_t settle_best_giver(const struct settle *settle, uint32_t node, uint32_t except,
                           double *loss)
{
    const struct optimizer *optimizer = settle->optimizer;
    const struct optimizer_node *it = &optimizer->nodes[node];
    uint32_t best = OPTIMIZER_NONE;
    *loss = it->room > 0 ? 0.0 : HUGE_VAL;
    for (uint32_t k = it->first; it->room == 0 && k < it->first + it->count; k++) {
        const uint32_t v = optimizer->node_vms[k];
        const double down = optimizer->owners[v] == except ? HUGE_VAL : down_of(settle, v);
        if (down < *loss) {
            *loss = down;
            best = v;
        }
    }
    return best;
}

static bool settle_node(struct settle *settle, uint32_t node)
{
    bool improved = false;
    for (uint32_t left = settle->optimizer->nodes[node].cpu_pct + 64u; left > 0; left--) {
        const uint32_t taker = settle_best_taker(settle, node, OPTIMIZER_NONE);
        if (taker == OPTIMIZER_NONE) {
            break;
        }
        double loss = 0.0;
        const uint32_t giver =
            settle_best_giver(settle, node, settle->optimizer->owners[taker], &loss);
        if (!(settle_up_of(settle, taker) > loss + SETTLE_GAIN_LEAST)) {
            break;
        }
        if (giver != OPTIMIZER_NONE) {
            settle_move(settle, giver, false);
        }
        settle_move(settle, taker, true);
        improved = true;
    }
    return improved;
}

/* ---- a sum between its nodes ---- */

// NOLINTNEXTLINE(readability-function-cognitive-complexity): one pair of loops over pairs
static bool shift_once(struct settle *settle, uint32_t service)
{
    const struct optimizer *optimizer = settle->optimizer;
    const struct optimizer_service *it = &optimizer->services[service];
    uint32_t to = OPTIMIZER_NONE;
    uint32_t from = OPTIMIZER_NONE;
    double least_loss = HUGE_VAL;
    double most_gain = -HUGE_VAL;
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const uint32_t v = it->first_vm + k;
        const struct allocation_vm *vm = &optimizer->problem->vms[v];
        if (vm->fixed) {
            continue;
        }
        if (optimizer->caps[v] < optimizer_vm_most(vm)) {
            double loss = 0.0;
            (void)settle_best_giver(settle, vm->node, service, &loss);
            loss += cost_up(settle, v);
            to = loss < least_loss ? v : to;
            least_loss = loss < least_loss ? loss : least_loss;
        }
        if (optimizer->caps[v] > optimizer_vm_least(vm)) {
            const uint32_t taker = settle_best_taker(settle, vm->node, service);
            const double gain = (taker == OPTIMIZER_NONE ? 0.0 : settle_up_of(settle, taker)) -
                                cost_down(settle, v);
            from = gain > most_gain ? v : from;
            most_gain = gain > most_gain ? gain : most_gain;
        }
    }
    if (to == from || to == OPTIMIZER_NONE || from == OPTIMIZER_NONE ||
        !(most_gain > least_loss + SETTLE_GAIN_LEAST) ||
        optimizer->nodes[optimizer->problem->vms[to].node].speed <
            optimizer->nodes[optimizer->problem->vms[from].node].speed) {
        return false;
    }
    double loss = 0.0;
    const uint32_t giver =
        settle_best_giver(settle, optimizer->problem->vms[to].node, service, &loss);
    if (giver != OPTIMIZER_NONE) {
        settle_move(settle, giver, false);
    }
    settle_move(settle, to, true);
    settle_move(settle, from, false);
    const uint32_t taker =
        settle_best_taker(settle, optimizer->problem->vms[from].node, service);
    if (taker != OPTIMIZER_NONE) {
        settle_move(settle, taker, true);
    }
    return true;
}

/* ---- all ---- */

/* Something has changed on one of its nodes since it was last looked at. */
static bool is_due(const struct settle *settle, uint32_t service)
{
    const struct optimizer_service *it = &settle->optimizer->services[service];
    bool due = false;
    for (uint32_t k = 0; it->coupling != COUPLING_SINGLE && k < it->vms_count; k++) {
        const uint32_t node = settle->optimizer->problem->vms[it->first_vm + k].node;
        due = due || settle->changed[node] > settle->service_seen[service];
    }
    return due;
}

static bool improve_service(struct settle *settle, uint32_t service)
{
    const struct optimizer_service *it = &settle->optimizer->services[service];
    bool improved = false;
    for (uint32_t k = 0; k < it->vms_count; k++) {
        prepare(settle, settle->optimizer->problem->vms[it->first_vm + k].node);
    }
    switch (settle->optimizer->services[service].coupling) {
    case COUPLING_SUM:
        while (shift_once(settle, service)) {
            improved = true;
        }
        break;
    case COUPLING_GANG:
        while (settle_gang_up(settle, service)) {
            improved = true;
        }
        while (!improved && settle_gang_down(settle, service)) {
            improved = true;
        }
        break;
    case COUPLING_SINGLE: break;
    }
    return improved;
}

static int take(struct settle *settle, struct arena *arena)
{
    const size_t services = settle->optimizer->problem->services_count + 1u;
    const size_t nodes = settle->optimizer->problem->nodes_count + 1u;
    settle->up = arena_take(arena, services, sizeof *settle->up);
    settle->down = arena_take(arena, services, sizeof *settle->down);
    settle->ready = arena_take(arena, services, sizeof *settle->ready);
    settle->open = arena_take(arena, nodes, sizeof *settle->open);
    settle->changed = arena_take(arena, nodes, sizeof *settle->changed);
    settle->node_seen = arena_take(arena, nodes, sizeof *settle->node_seen);
    settle->service_seen = arena_take(arena, services, sizeof *settle->service_seen);
    return arena->failed ? -ENOMEM : 0;
}

static bool pass_over(struct settle *settle)
{
    const struct component *component = settle->component;
    bool improved = false;
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        const uint32_t node = component->nodes[k];
        if (settle->changed[node] > settle->node_seen[node]) {
            prepare(settle, node);
            improved = settle_node(settle, node) || improved;
            settle->node_seen[node] = settle->now;
        }
    }
    for (uint32_t i = 0; i < component->services_count; i++) {
        const uint32_t service = component->services[i];
        if (is_due(settle, service)) {
            improved = improve_service(settle, service) || improved;
            settle->service_seen[service] = settle->now;
        }
    }
    return improved;
}

static void settle_all(struct settle *settle)
{
    for (uint32_t pass = 0; pass < PASSES_MOST && pass_over(settle); pass++) {
    }
}

int settle_component(struct optimizer *optimizer, const struct component *component,
                     const bool *loose, struct arena *arena)
{
    struct settle settle = {.optimizer = optimizer, .component = component, .now = 1};
    if (take(&settle, arena) < 0) {
        return -ENOMEM;
    }
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        settle.changed[component->nodes[k]] = loose[component->nodes[k]] ? 1 : 0;
    }
    settle_all(&settle);
    if (optimizer->problem->objective != ALLOCATION_FLOORS) {
        return 0; /* who may fall below his floor has a price from the values that are there */
    }
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        prepare(&settle, component->nodes[k]);
    }
    bool improved = false;
    int rc = settle_chains(&settle, true, arena, &improved);
    if (rc == 0 && improved) {
        settle_all(&settle);
        rc = settle_chains(&settle, false, arena, &improved);
    }
    return rc;
}
