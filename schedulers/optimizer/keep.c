// SPDX-License-Identifier: Apache-2.0
#include "schedulers/optimizer/keep.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define GUARD_SHARE 0.1 /* of the guard: what the old caps must still keep of it */

struct step {
    uint32_t service;
    double from_r; /* with the old caps */
    double size;   /* of r */
    bool up;
    double loss; /* of going back, nats */
};

static int by_size(const void *left, const void *right)
{
    const struct step *a = left;
    const struct step *b = right;
    if (a->size < b->size || a->size > b->size) {
        return a->size < b->size ? -1 : 1;
    }
    return a->service < b->service ? -1 : a->service > b->service;
}

static void swap_caps(struct optimizer *optimizer, uint32_t service)
{
    const struct optimizer_service *it = &optimizer->services[service];
    for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
        const uint32_t cap_pct = optimizer->caps[v];
        optimizer->caps[v] = optimizer->best_caps[v];
        optimizer->best_caps[v] = cap_pct;
    }
}

/* All its VMs had caps that they may have, and the members of a gang one. */
static bool can_go_back(const struct optimizer *optimizer, const struct optimizer_service *it,
                        bool *moved)
{
    *moved = false;
    uint32_t common = 0;
    for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
        const struct allocation_vm *vm = &optimizer->problem->vms[v];
        const uint32_t cap_pct = vm->previous_cap_pct;
        if (vm->levels_count > 0 || cap_pct < optimizer_vm_least(vm) ||
            cap_pct > optimizer_vm_most(vm)) {
            return false;
        }
        if (it->coupling == COUPLING_GANG && !vm->fixed) {
            if (common != 0 && cap_pct != common) {
                return false;
            }
            common = cap_pct;
        }
        *moved = *moved || cap_pct != optimizer->caps[v];
    }
    return true;
}

/* What the old r must reach: the floor with part of the guard, but no more than is asked for.
 */
static double least_r(const struct optimizer *optimizer, uint32_t service)
{
    const struct optimizer_service *it = &optimizer->services[service];
    const double need = optimizer_need(optimizer, service, GUARD_SHARE * optimizer->guard);
    return it->kept ? fmin(need, it->ceiling_r) : 0.0;
}

static void list_step(struct optimizer *optimizer, uint32_t service, struct step *steps,
                      uint32_t *count)
{
    const struct optimizer_service *it = &optimizer->services[service];
    bool moved = false;
    if (it->value.fixed || !can_go_back(optimizer, it, &moved) || !moved) {
        return;
    }
    struct step step = {.service = service};
    const double r = optimizer_r(optimizer, service);
    const double value = net_now(optimizer, service);
    swap_caps(optimizer, service);
    step.from_r = optimizer_r(optimizer, service);
    step.loss = value - net_now(optimizer, service);
    swap_caps(optimizer, service);
    step.size = fabs(r - step.from_r);
    step.up = r > step.from_r;
    if (step.loss < optimizer->problem->dead_band &&
        step.from_r <= it->ceiling_r + VALUE_TOLERANCE &&
        step.from_r >= least_r(optimizer, service) - VALUE_TOLERANCE) {
        steps[(*count)++] = step;
    }
}

/* The old caps of a service, if its nodes have room for them. */
static bool go_back(struct optimizer *optimizer, uint32_t service)
{
    const struct optimizer_service *it = &optimizer->services[service];
    const struct allocation_vm *vms = optimizer->problem->vms;
    for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
        /* Two VMs of a service on one node go the same way or have room one by one. */
        if (vms[v].previous_cap_pct >
            optimizer->caps[v] + optimizer->nodes[vms[v].node].room / it->vms_count) {
            return false;
        }
    }
    for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
        if (!vms[v].fixed) {
            optimizer->nodes[vms[v].node].room += optimizer->caps[v];
            optimizer->nodes[vms[v].node].room -= vms[v].previous_cap_pct;
        }
    }
    swap_caps(optimizer, service);
    return true;
}

int keep_each(struct optimizer *optimizer, const struct component *component)
{
    if (!(optimizer->problem->dead_band > 0.0)) {
        return 0;
    }
    struct step *steps = malloc((component->services_count + 1u) * sizeof *steps);
    if (steps == NULL) {
        return -ENOMEM;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
            optimizer->best_caps[v] = optimizer->problem->vms[v].previous_cap_pct;
        }
        list_step(optimizer, component->services[i], steps, &count);
    }
    qsort(steps, count, sizeof *steps, by_size);
    (void)flow_count_room(optimizer, component);
    for (int up = 1; up >= 0; up--) {
        for (uint32_t i = 0; i < count; i++) {
            if (steps[i].up == (up == 1)) {
                (void)go_back(optimizer, steps[i].service);
            }
        }
    }
    free(steps);
    optimizer_set_guard(optimizer, component, GUARD_SHARE * optimizer->guard);
    return 0;
}
