// SPDX-License-Identifier: Apache-2.0
/* Steps of a gang: all members go a percent up or down together. */
#include <math.h>

#include "schedulers/optimizer/settle.h"

#define STEPS_MOST 64 /* VMs of a gang that goes up or down */

static void set_gang(struct settle *settle, uint32_t service, uint32_t n)
{
    struct optimizer_service *it = &settle->optimizer->services[service];
    it->n = n;
}

static void undo(struct settle *settle, const uint32_t *moved, uint32_t count, bool up)
{
    while (count > 0) {
        settle_move(settle, moved[--count], up);
    }
}

/* What a percent more, or less, for every member changes in the value of a gang. */
static double gang_change(const struct settle *settle, uint32_t service, bool up)
{
    const struct optimizer_service *it = &settle->optimizer->services[service];
    return net_value(settle->optimizer, service, up ? it->n + 1 : it->n - 1) -
           net_value(settle->optimizer, service, it->n);
}

/* What a percent more for a gang costs on all its nodes at least, or one less gives back at
 * most: as if no service met it on two of them. Most tries end here. */
static double gang_estimate(const struct settle *settle, uint32_t service, bool up)
{
    const struct optimizer *optimizer = settle->optimizer;
    const struct optimizer_service *it = &optimizer->services[service];
    double sum = 0.0;
    for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
        const struct allocation_vm *vm = &optimizer->problem->vms[v];
        double loss = 0.0;
        if (vm->fixed) {
            continue;
        }
        if (up) {
            (void)settle_best_giver(settle, vm->node, service, &loss);
            sum += loss;
        } else {
            const uint32_t taker = settle_best_taker(settle, vm->node, service);
            sum += taker == OPTIMIZER_NONE ? 0.0 : settle_up_of(settle, taker);
        }
    }
    return sum;
}

bool settle_gang_up(struct settle *settle, uint32_t service)
{
    struct optimizer *optimizer = settle->optimizer;
    const struct optimizer_service *it = &optimizer->services[service];
    if (!it->open || it->n >= it->most || it->vms_count > STEPS_MOST) {
        return false;
    }
    const double gain = gang_change(settle, service, true);
    if (!(gang_estimate(settle, service, true) + SETTLE_GAIN_LEAST < gain)) {
        return false;
    }
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
            settle_best_giver(settle, optimizer->problem->vms[v].node, service, &loss);
        losses += loss;
        done = losses + SETTLE_GAIN_LEAST < gain;
        if (!done) {
            break;
        }
        if (giver != OPTIMIZER_NONE) {
            settle_move(settle, giver, false);
            givers[givers_count++] = giver;
        }
        settle_move(settle, v, true);
    }
    if (!done) {
        while (raised > 0) {
            raised--;
            if (!optimizer->problem->vms[it->first_vm + raised].fixed) {
                settle_move(settle, it->first_vm + raised, false);
            }
        }
        undo(settle, givers, givers_count, true);
        return false;
    }
    set_gang(settle, service, it->n + 1);
    return true;
}

bool settle_gang_down(struct settle *settle, uint32_t service)
{
    struct optimizer *optimizer = settle->optimizer;
    const struct optimizer_service *it = &optimizer->services[service];
    if (!it->open || it->n <= it->least || it->vms_count > STEPS_MOST) {
        return false;
    }
    const double change = gang_change(settle, service, false);
    if (!(gang_estimate(settle, service, false) + change > SETTLE_GAIN_LEAST)) {
        return false;
    }
    double gains = 0.0;
    uint32_t takers[STEPS_MOST];
    uint32_t takers_count = 0;
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const uint32_t v = it->first_vm + k;
        if (optimizer->problem->vms[v].fixed) {
            continue;
        }
        settle_move(settle, v, false);
        const uint32_t taker =
            settle_best_taker(settle, optimizer->problem->vms[v].node, service);
        if (taker != OPTIMIZER_NONE) {
            gains += settle_up_of(settle, taker);
            settle_move(settle, taker, true);
            takers[takers_count++] = taker;
        }
    }
    if (!(gains + change > SETTLE_GAIN_LEAST)) {
        undo(settle, takers, takers_count, false);
        for (uint32_t k = 0; k < it->vms_count; k++) {
            if (!optimizer->problem->vms[it->first_vm + k].fixed) {
                settle_move(settle, it->first_vm + k, true);
            }
        }
        return false;
    }
    set_gang(settle, service, it->n - 1);
    return true;
}
