// SPDX-License-Identifier: Apache-2.0
/*
 * After the kept have all that gains them anything, room may be left: for the sacrificed, in
 * the order of their names where they have several VMs; and for services with a wish of their
 * own, which they get even where their model sees no gain.
 */
#include <math.h>

#include "schedulers/optimizer/optimizer.h"

static uint32_t room_of(const struct optimizer *optimizer, uint32_t v)
{
    return optimizer->nodes[optimizer->problem->vms[v].node].room;
}

static void give(struct optimizer *optimizer, uint32_t v, uint32_t amount)
{
    optimizer->caps[v] += amount;
    optimizer->nodes[optimizer->problem->vms[v].node].room -= amount;
}

/* All members of a gang go up as far as the fullest node lets them. */
static void raise_gang(struct optimizer *optimizer, struct optimizer_service *it)
{
    for (bool fits = it->n < it->value.hi; fits;) {
        uint32_t raised = 0;
        for (; fits && raised < it->vms_count; raised++) {
            const uint32_t v = it->first_vm + raised;
            if (optimizer->problem->vms[v].fixed) {
                continue;
            }
            fits = room_of(optimizer, v) > 0;
            if (!fits) {
                break;
            }
            give(optimizer, v, 1);
        }
        while (!fits && raised > 0) {
            const uint32_t v = it->first_vm + --raised;
            if (!optimizer->problem->vms[v].fixed) {
                optimizer->caps[v]--;
                optimizer->nodes[optimizer->problem->vms[v].node].room++;
            }
        }
        it->n += fits;
        fits = fits && it->n < it->value.hi;
    }
}

/* r that a service lacks to what it may have. */
static double missing_r(const struct optimizer *optimizer, uint32_t service)
{
    const struct optimizer_service *it = &optimizer->services[service];
    const double r = optimizer_r(optimizer, service);
    const double most = it->ceiling_r < it->most_r ? it->ceiling_r : it->most_r;
    return it->value.unit > 0.0 && r < most ? most - r : 0.0;
}

static void raise_service(struct optimizer *optimizer, uint32_t service)
{
    struct optimizer_service *it = &optimizer->services[service];
    if (it->coupling == COUPLING_GANG) {
        raise_gang(optimizer, it);
        return;
    }
    double missing = missing_r(optimizer, service);
    for (uint32_t k = 0; k < it->vms_count && missing > VALUE_TOLERANCE; k++) {
        const uint32_t v = it->first_vm + k;
        const struct allocation_vm *vm = &optimizer->problem->vms[v];
        if (vm->fixed || vm->levels_count > 0) {
            continue;
        }
        const double speed = optimizer->nodes[vm->node].speed;
        const double wanted = ceil(missing / speed - VALUE_TOLERANCE);
        uint32_t amount = optimizer_vm_most(vm) - optimizer->caps[v];
        amount = amount < wanted ? amount : (uint32_t)wanted;
        const uint32_t room = room_of(optimizer, v);
        amount = amount < room ? amount : room;
        give(optimizer, v, amount);
        it->n += amount;
        missing -= amount * speed;
    }
}

static void open_rest(struct optimizer *optimizer, const struct component *component)
{
    for (uint32_t i = 0; i < component->services_count; i++) {
        struct optimizer_service *it = &optimizer->services[component->services[i]];
        it->open = !it->kept && it->coupling == COUPLING_SINGLE &&
                   !optimizer->problem->vms[it->first_vm].fixed;
        if (it->open) {
            it->least = it->value.lo;
            it->most = it->value.hi;
        }
    }
}

int rest_give(struct optimizer *optimizer, const struct component *component,
              struct arena *arena)
{
    bool room = false;
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        room = room || optimizer->nodes[component->nodes[k]].room > 0;
    }
    if (!room) {
        return 0;
    }
    if (optimizer->problem->objective == ALLOCATION_FLOORS) {
        open_rest(optimizer, component);
        const int rc = rounding_fill_singles(optimizer, component, NULL, arena);
        if (rc < 0) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < component->services_count; i++) {
        const uint32_t service = component->services[i];
        const struct optimizer_service *it = &optimizer->services[service];
        const bool wish = optimizer->problem->services[service].model->want_pct > 0;
        if (wish || (!it->kept && it->coupling != COUPLING_SINGLE &&
                     optimizer->problem->objective == ALLOCATION_FLOORS)) {
            raise_service(optimizer, service);
        }
    }
    return 0;
}

/* ---- evenness ---- */

/* A percent from the VM of a sum with most to the one with least, where that costs nothing. */
static bool even_out(struct optimizer *optimizer, uint32_t service)
{
    const struct optimizer_service *it = &optimizer->services[service];
    const struct allocation_vm *vms = optimizer->problem->vms;
    uint32_t from = OPTIMIZER_NONE;
    uint32_t to = OPTIMIZER_NONE;
    for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
        if (vms[v].fixed || vms[v].levels_count > 0) {
            continue;
        }
        if (optimizer->caps[v] > optimizer_vm_least(&vms[v]) &&
            (from == OPTIMIZER_NONE || optimizer->caps[v] > optimizer->caps[from])) {
            from = v;
        }
        if (optimizer->caps[v] < optimizer_vm_most(&vms[v]) && room_of(optimizer, v) > 0 &&
            (to == OPTIMIZER_NONE || optimizer->caps[v] < optimizer->caps[to])) {
            to = v;
        }
    }
    if (from == OPTIMIZER_NONE || to == OPTIMIZER_NONE ||
        optimizer->caps[from] <= optimizer->caps[to] + 1) {
        return false;
    }
    const double moved = net_moved(optimizer, to, optimizer->caps[to]) -
                         net_moved(optimizer, from, optimizer->caps[from] - 1);
    if (moved > 0.0 && optimizer->problem->switching_cost > 0.0) {
        return false;
    }
    give(optimizer, to, 1);
    optimizer->caps[from]--;
    optimizer->nodes[vms[from].node].room++;
    return true;
}

void rest_even_out(struct optimizer *optimizer, const struct component *component)
{
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        if (it->coupling == COUPLING_SUM && it->equal_speed) {
            while (even_out(optimizer, component->services[i])) {
            }
        }
    }
}
