// SPDX-License-Identifier: Apache-2.0
/*
 * VMs that can only stand at listed levels of cap, VCPUs and memory. Services of one VM choose
 * among them in the search of their node; the others are rounded down to them afterwards.
 * Memory cannot be shared in time: where the chosen levels need more than a node has, the level
 * that loses least for the memory it frees is given up first.
 */
#include <math.h>

#include "schedulers/optimizer/optimizer.h"

const struct allocation_vm *levels_vm(const struct optimizer *optimizer, uint32_t service)
{
    const struct optimizer_service *it = &optimizer->services[service];
    const struct allocation_vm *vm = &optimizer->problem->vms[it->first_vm];
    return it->vms_count == 1 && !vm->fixed && vm->levels_count > 0 ? vm : NULL;
}

uint32_t levels_snap(const struct allocation_vm *vm, uint32_t cap_pct, bool up)
{
    uint32_t at = 0;
    while (at + 1 < vm->levels_count && vm->levels[at + 1].cap_pct <= cap_pct) {
        at++;
    }
    if (up && vm->levels[at].cap_pct < cap_pct && at + 1 < vm->levels_count) {
        at++;
    }
    return vm->levels[at].cap_pct;
}

const struct allocation_level *levels_at(const struct allocation_vm *vm, uint32_t cap_pct)
{
    for (uint32_t i = 0; i < vm->levels_count; i++) {
        if (vm->levels[i].cap_pct == cap_pct) {
            return &vm->levels[i];
        }
    }
    return NULL;
}

/* The index of the level that a VM stands at. */
static uint32_t index_of(const struct allocation_vm *vm, uint32_t cap_pct)
{
    uint32_t at = 0;
    while (at + 1 < vm->levels_count && vm->levels[at + 1].cap_pct <= cap_pct) {
        at++;
    }
    return at;
}

static double value_now(const struct optimizer *optimizer, uint32_t service)
{
    return value_at_r(&optimizer->services[service].value, optimizer_r(optimizer, service));
}

/* Gives up one level on a node; false: nothing is left to give up. */
static bool lower_one(struct optimizer *optimizer, const struct optimizer_node *node)
{
    uint32_t best = OPTIMIZER_NONE;
    uint32_t best_cap = 0;
    double best_rate = HUGE_VAL;
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        const uint32_t v = optimizer->node_vms[k];
        const struct allocation_vm *vm = &optimizer->problem->vms[v];
        const uint32_t at = vm->levels_count > 0 ? index_of(vm, optimizer->caps[v]) : 0;
        for (uint32_t lower = 0; lower < at; lower++) {
            if (vm->levels[lower].memory_kib >= vm->levels[at].memory_kib) {
                continue;
            }
            const uint32_t service = optimizer->owners[v];
            const uint32_t cap_pct = optimizer->caps[v];
            const double before = value_now(optimizer, service);
            optimizer->caps[v] = vm->levels[lower].cap_pct;
            const double loss = before - value_now(optimizer, service);
            optimizer->caps[v] = cap_pct;
            const double rate =
                loss / (double)(vm->levels[at].memory_kib - vm->levels[lower].memory_kib);
            if (rate < best_rate) {
                best_rate = rate;
                best = v;
                best_cap = vm->levels[lower].cap_pct;
            }
        }
    }
    if (best != OPTIMIZER_NONE) {
        optimizer->caps[best] = best_cap;
    }
    return best != OPTIMIZER_NONE;
}

static uint64_t memory_used(const struct optimizer *optimizer,
                            const struct optimizer_node *node)
{
    uint64_t used = 0;
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        const uint32_t v = optimizer->node_vms[k];
        const struct allocation_vm *vm = &optimizer->problem->vms[v];
        used += vm->levels_count > 0 ? vm->levels[index_of(vm, optimizer->caps[v])].memory_kib
                                     : vm->memory_kib;
    }
    return used;
}

void levels_apply(struct optimizer *optimizer, const struct component *component)
{
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        const struct optimizer_node *node = &optimizer->nodes[component->nodes[k]];
        bool listed = false;
        for (uint32_t i = node->first; i < node->first + node->count; i++) {
            const uint32_t v = optimizer->node_vms[i];
            const struct allocation_vm *vm = &optimizer->problem->vms[v];
            if (vm->levels_count > 0) {
                optimizer->caps[v] = levels_snap(vm, optimizer->caps[v], false);
                listed = true;
            }
        }
        const uint64_t memory_kib = optimizer->problem->nodes[component->nodes[k]].memory_kib;
        while (listed && memory_kib > 0 && memory_used(optimizer, node) > memory_kib &&
               lower_one(optimizer, node)) {
        }
    }
}
