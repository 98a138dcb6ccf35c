// SPDX-License-Identifier: Apache-2.0
/*
 * The last percents of a coupled component. Marginal gains and losses of all single services
 * and sums are kept up to date; whoever gains more by a percent than another on the node loses
 * takes it, sums shift percents to nodes where they are cheaper, gangs go a step up or down
 * together.
 */
#include <errno.h>
#include <math.h>

#include "schedulers/optimizer/optimizer.h"

#define PASSES_MOST 24
#define GAIN_LEAST  1e-11
#define PRICE_ROOM  1.02
#define STEPS_MOST  64 /* VMs of a gang that goes up or down */

struct settle {
    struct optimizer *optimizer;
    const struct component *component;
    double *up;   /* by service: gain of one more percent; -INFINITY: there is none */
    double *down; /* loss of one less; INFINITY: it must not */
};

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

static void refresh(struct settle *settle, uint32_t service)
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

static double up_of(const struct settle *settle, uint32_t v)
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

static void move(struct settle *settle, uint32_t v, bool up)
{
    struct optimizer *optimizer = settle->optimizer;
    struct optimizer_service *it = &optimizer->services[optimizer->owners[v]];
    struct optimizer_node *node = &optimizer->nodes[optimizer->problem->vms[v].node];
    optimizer->caps[v] = up ? optimizer->caps[v] + 1 : optimizer->caps[v] - 1;
    node->room = up ? node->room - 1 : node->room + 1;
    if (it->coupling != COUPLING_GANG) {
        it->n = up ? it->n + 1 : it->n - 1;
        refresh(settle, optimizer->owners[v]);
    }
}

/* ---- one node ---- */

static uint32_t best_taker(const struct settle *settle, uint32_t node, uint32_t except)
{
    const struct optimizer *optimizer = settle->optimizer;
    const struct optimizer_node *it = &optimizer->nodes[node];
    uint32_t best = OPTIMIZER_NONE;
    double best_up = 0.0;
    for (uint32_t k = it->first; k < it->first + it->count; k++) {
        const uint32_t v = optimizer->node_vms[k];
        const double up = optimizer->owners[v] == except ? 0.0 : up_of(settle, v);
        if (up > best_up) {
            best_up = up;
            best = v;
        }
    }
    return best;
}

/* Who loses least; OPTIMIZER_NONE and a loss of 0 where there is room. */
static uint32_t best_giver(const struct settle *settle, uint32_t node, uint32_t except,
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
        const uint32_t taker = best_taker(settle, node, OPTIMIZER_NONE);
        if (taker == OPTIMIZER_NONE) {
            break;
        }
        double loss = 0.0;
        const uint32_t giver =
            best_giver(settle, node, settle->optimizer->owners[taker], &loss);
        if (!(up_of(settle, taker) > loss + GAIN_LEAST)) {
            break;
        }
        if (giver != OPTIMIZER_NONE) {
            move(settle, giver, false);
        }
        move(settle, taker, true);
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
            (void)best_giver(settle, vm->node, service, &loss);
            loss += cost_up(settle, v);
            to = loss < least_loss ? v : to;
            least_loss = loss < least_loss ? loss : least_loss;
        }
        if (optimizer->caps[v] > optimizer_vm_least(vm)) {
            const uint32_t taker = best_taker(settle, vm->node, service);
            const double gain =
                (taker == OPTIMIZER_NONE ? 0.0 : up_of(settle, taker)) - cost_down(settle, v);
            from = gain > most_gain ? v : from;
            most_gain = gain > most_gain ? gain : most_gain;
        }
    }
    if (to == from || to == OPTIMIZER_NONE || from == OPTIMIZER_NONE ||
        !(most_gain > least_loss + GAIN_LEAST) ||
        optimizer->nodes[optimizer->problem->vms[to].node].speed <
            optimizer->nodes[optimizer->problem->vms[from].node].speed) {
        return false;
    }
    double loss = 0.0;
    const uint32_t giver = best_giver(settle, optimizer->problem->vms[to].node, service, &loss);
    if (giver != OPTIMIZER_NONE) {
        move(settle, giver, false);
    }
    move(settle, to, true);
    move(settle, from, false);
    const uint32_t taker = best_taker(settle, optimizer->problem->vms[from].node, service);
    if (taker != OPTIMIZER_NONE) {
        move(settle, taker, true);
    }
    return true;
}

/* ---- a gang, all members together ---- */

static void set_gang(struct settle *settle, uint32_t service, uint32_t n)
{
    struct optimizer_service *it = &settle->optimizer->services[service];
    it->n = n;
}

static void undo(struct settle *settle, const uint32_t *moved, uint32_t count, bool up)
{
    while (count > 0) {
        move(settle, moved[--count], up);
    }
}

static double gang_change(const struct settle *settle, uint32_t service, bool up)
{
    const struct optimizer_service *it = &settle->optimizer->services[service];
    return net_value(settle->optimizer, service, up ? it->n + 1 : it->n - 1) -
           net_value(settle->optimizer, service, it->n);
}

static bool gang_up(struct settle *settle, uint32_t service)
{
    struct optimizer *optimizer = settle->optimizer;
    const struct optimizer_service *it = &optimizer->services[service];
    if (!it->open || it->n >= it->most || it->vms_count > STEPS_MOST) {
        return false;
    }
    const double gain = gang_change(settle, service, true);
    double losses = 0.0;
    uint32_t givers[STEPS_MOST];
    uint32_t givers_count = 0;
    uint32_t raised = 0;
    bool done = true;
    for (uint32_t k = 0; done && k < it->vms_count; k++, raised++) {
        const uint32_t v = it->first_vm + k;
        if (optimizer->problem->vms[v].fixed) {
            continue;
        }
        double loss = 0.0;
        const uint32_t giver =
            best_giver(settle, optimizer->problem->vms[v].node, service, &loss);
        losses += loss;
        done = losses + GAIN_LEAST < gain;
        if (!done) {
            break;
        }
        if (giver != OPTIMIZER_NONE) {
            move(settle, giver, false);
            givers[givers_count++] = giver;
        }
        move(settle, v, true);
    }
    if (!done) {
        while (raised > 0) {
            raised--;
            if (!optimizer->problem->vms[it->first_vm + raised].fixed) {
                move(settle, it->first_vm + raised, false);
            }
        }
        undo(settle, givers, givers_count, true);
        return false;
    }
    set_gang(settle, service, it->n + 1);
    return true;
}

static bool gang_down(struct settle *settle, uint32_t service)
{
    struct optimizer *optimizer = settle->optimizer;
    const struct optimizer_service *it = &optimizer->services[service];
    if (!it->open || it->n <= it->least || it->vms_count > STEPS_MOST) {
        return false;
    }
    const double change = gang_change(settle, service, false);
    double gains = 0.0;
    uint32_t takers[STEPS_MOST];
    uint32_t takers_count = 0;
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const uint32_t v = it->first_vm + k;
        if (optimizer->problem->vms[v].fixed) {
            continue;
        }
        move(settle, v, false);
        const uint32_t taker = best_taker(settle, optimizer->problem->vms[v].node, service);
        if (taker != OPTIMIZER_NONE) {
            gains += up_of(settle, taker);
            move(settle, taker, true);
            takers[takers_count++] = taker;
        }
    }
    if (!(gains + change > GAIN_LEAST)) {
        undo(settle, takers, takers_count, false);
        for (uint32_t k = 0; k < it->vms_count; k++) {
            if (!optimizer->problem->vms[it->first_vm + k].fixed) {
                move(settle, it->first_vm + k, true);
            }
        }
        return false;
    }
    set_gang(settle, service, it->n - 1);
    return true;
}

static bool improve_service(struct settle *settle, uint32_t service)
{
    bool improved = false;
    switch (settle->optimizer->services[service].coupling) {
    case COUPLING_SUM:
        while (shift_once(settle, service)) {
            improved = true;
        }
        break;
    case COUPLING_GANG:
        while (gang_up(settle, service)) {
            improved = true;
        }
        while (!improved && gang_down(settle, service)) {
            improved = true;
        }
        break;
    case COUPLING_SINGLE: break;
    }
    return improved;
}

/*
 * Where all stand at their floors any price above the best gain that is turned away fits, and
 * prices found with real amounts are then far too high for a bound that counts the percents
 * that are left. The gain with a little room to it is as good for all other nodes.
 */
static void limit_price(struct settle *settle, uint32_t node_index)
{
    struct optimizer *optimizer = settle->optimizer;
    struct optimizer_node *node = &optimizer->nodes[node_index];
    double most = 0.0;
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        const uint32_t v = optimizer->node_vms[k];
        const uint32_t service = optimizer->owners[v];
        const struct optimizer_service *it = &optimizer->services[service];
        double up = settle->up[service];
        if (it->coupling == COUPLING_GANG && it->open && it->n < it->most) {
            up = gang_change(settle, service, true);
        }
        most = up > most ? up : most;
    }
    node->price = node->price > PRICE_ROOM * most ? PRICE_ROOM * most : node->price;
}

int settle_component(struct optimizer *optimizer, const struct component *component,
                     struct arena *arena)
{
    struct settle settle = {.optimizer = optimizer, .component = component};
    const size_t count = optimizer->problem->services_count + 1u;
    settle.up = arena_take(arena, count, sizeof *settle.up);
    settle.down = arena_take(arena, count, sizeof *settle.down);
    if (settle.up == NULL || settle.down == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < component->services_count; i++) {
        refresh(&settle, component->services[i]);
    }
    bool improved = true;
    for (uint32_t pass = 0; improved && pass < PASSES_MOST; pass++) {
        improved = false;
        for (uint32_t k = 0; k < component->nodes_count; k++) {
            improved = settle_node(&settle, component->nodes[k]) || improved;
        }
        for (uint32_t i = 0; i < component->services_count; i++) {
            improved = improve_service(&settle, component->services[i]) || improved;
        }
    }
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        limit_price(&settle, component->nodes[k]);
    }
    return 0;
}
