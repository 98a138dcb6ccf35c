// SPDX-License-Identifier: Apache-2.0
#include "schedulers/optimizer/memory.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "schedulers/optimizer/prices.h"

uint64_t memory_mix(uint64_t hash, uint64_t value)
{
    hash ^= value + 0x9E3779B97F4A7C15u + (hash << 6) + (hash >> 2);
    hash ^= hash >> 30;
    hash *= 0xBF58476D1CE4E5B9u;
    return hash ^ (hash >> 27);
}

uint64_t memory_mix_double(uint64_t hash, double value)
{
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return memory_mix(hash, bits);
}

static uint64_t print_model(uint64_t hash, const struct proposal *model)
{
    hash = memory_mix(hash, (uint64_t)model->model << 32 | model->want_pct);
    switch (model->model) {
    case MODEL_KIND_RECIPROCAL: return memory_mix_double(hash, model->demand_pct);
    case MODEL_KIND_PS:
        return memory_mix_double(memory_mix_double(hash, model->a_pct), model->b_pct);
    case MODEL_KIND_TABLE:
        for (uint32_t i = 0; i < model->points_count; i++) {
            hash = memory_mix_double(memory_mix(hash, model->points[i].cap_pct),
                                     model->points[i].x);
        }
        return hash;
    case MODEL_KIND_FIXED:
    case MODEL_KIND_UNSPECIFIED: break;
    }
    return hash;
}

static uint64_t print_vm(uint64_t hash, const struct allocation_problem *problem,
                         const struct allocation_vm *vm)
{
    hash = memory_mix(hash, (uint64_t)vm->node << 32 | (vm->fixed ? 1u : 0u));
    hash = memory_mix(hash, (uint64_t)vm->min_cap_pct << 32 | vm->max_cap_pct);
    if (vm->fixed || problem->switching_cost > 0.0 || problem->dead_band > 0.0) {
        hash = memory_mix(hash, vm->previous_cap_pct);
    }
    hash = memory_mix(hash, vm->memory_kib);
    for (uint32_t i = 0; i < vm->levels_count; i++) {
        hash = memory_mix(hash, (uint64_t)vm->levels[i].cap_pct << 32 | vm->levels[i].vcpus);
        hash = memory_mix(hash, vm->levels[i].memory_kib);
    }
    return hash;
}

static void print_problem(struct allocation_memory *memory,
                          const struct allocation_problem *problem)
{
    for (uint32_t j = 0; j < problem->nodes_count; j++) {
        const struct allocation_node *node = &problem->nodes[j];
        memory->new_prints[j] =
            memory_mix_double(memory_mix(node->cpu_pct, node->memory_kib), node->speed);
    }
    for (uint32_t v = 0; v < problem->vms_count; v++) { /* also those of nobody */
        const struct allocation_vm *vm = &problem->vms[v];
        memory->new_prints[vm->node] += print_vm(v, problem, vm);
    }
    for (uint32_t i = 0; i < problem->services_count; i++) {
        const struct allocation_service *it = &problem->services[i];
        uint64_t hash = memory_mix_double(memory_mix(i, (uint64_t)it->coupling), it->weight);
        hash = memory_mix(hash, (uint64_t)it->past);
        for (const char *at = it->name; *at != '\0'; at++) {
            hash = 31u * hash + (unsigned char)*at;
        }
        hash = memory_mix_double(
            memory_mix_double(memory_mix_double(hash, it->curve.a), it->curve.b), it->curve.w);
        hash = print_model(hash, it->model);
        uint64_t whole = hash;
        for (uint32_t k = 0; k < it->vms_count; k++) {
            const uint32_t v = it->first_vm + k;
            const uint32_t node = problem->vms[v].node;
            memory->new_prints[node] += memory_mix(hash, k);
            whole = memory_mix(whole, print_vm(v, problem, &problem->vms[v]));
            whole = memory_mix_double(whole, problem->nodes[node].speed);
        }
        memory->service_prints[i] = whole;
    }
}

/* ---- room ---- */

static void forget_coupled(struct coupled_memory *coupled)
{
    free(coupled->slots);
    free(coupled->grids);
    free(coupled->node_tables);
    free(coupled->node_keys);
    free(coupled->service_tables);
    free(coupled->service_keys);
    free(coupled->real_caps);
    free(coupled->whole_caps);
    free(coupled->positions);
    free(coupled->log_prices);
    free(coupled->used);
    free(coupled->caps);
    free(coupled->fill_keys);
    free(coupled->weight_prices);
    memset(coupled, 0, sizeof *coupled);
}

void memory_forget(struct allocation_memory *memory)
{
    forget_coupled(&memory->coupled);
    free(memory->service_prints);
    free(memory->prints);
    free(memory->new_prints);
    free(memory->prices);
    free(memory->results);
    free(memory->services);
    free(memory->values);
    free(memory->caps);
    memset(memory, 0, sizeof *memory);
}

/* Whether every service has the slot that it had. */
static bool same_slots(const struct coupled_memory *coupled,
                       const struct allocation_problem *problem)
{
    uint32_t count = 0;
    bool same = true;
    for (uint32_t i = 0; i < problem->services_count; i++) {
        const bool several = problem->services[i].vms_count > 1;
        const bool had = coupled->slots != NULL && coupled->slots[i] != OPTIMIZER_NONE;
        same = same && several == had;
        count += several;
    }
    return same && count == coupled->slots_count;
}

static int take_coupled(struct coupled_memory *out, const struct allocation_problem *problem)
{
    const size_t nodes = problem->nodes_count + 1u;
    const size_t services = problem->services_count + 1u;
    const size_t vms = problem->vms_count + 1u;
    out->slots = calloc(services, sizeof *out->slots);
    for (uint32_t i = 0; out->slots != NULL && i < problem->services_count; i++) {
        const bool several = problem->services[i].vms_count > 1;
        out->slots[i] = several ? out->slots_count++ : OPTIMIZER_NONE;
    }
    const size_t slots = out->slots_count + 1u;
    out->grids = calloc(nodes, sizeof *out->grids);
    out->weight_prices = calloc(nodes, sizeof *out->weight_prices);
    for (size_t j = 0; out->grids != NULL && out->weight_prices != NULL && j < nodes; j++) {
        out->grids[j] = NAN;
        out->weight_prices[j] = NAN;
    }
    out->node_tables = calloc(nodes * PRICES_POINTS, sizeof *out->node_tables);
    out->node_keys = calloc(nodes, sizeof *out->node_keys);
    out->service_tables = calloc(slots * PRICES_POINTS, sizeof *out->service_tables);
    out->service_keys = calloc(slots, sizeof *out->service_keys);
    out->real_caps = calloc(vms, sizeof *out->real_caps);
    out->whole_caps = calloc(vms, sizeof *out->whole_caps);
    out->positions = calloc(slots, sizeof *out->positions);
    out->log_prices = calloc(nodes, sizeof *out->log_prices);
    out->used = calloc(nodes, sizeof *out->used);
    out->caps = calloc(vms, sizeof *out->caps);
    out->fill_keys = calloc(nodes, sizeof *out->fill_keys);
    return out->slots == NULL || out->grids == NULL || out->node_tables == NULL ||
                   out->node_keys == NULL || out->service_tables == NULL ||
                   out->service_keys == NULL || out->real_caps == NULL ||
                   out->whole_caps == NULL || out->positions == NULL ||
                   out->log_prices == NULL || out->used == NULL || out->caps == NULL ||
                   out->fill_keys == NULL || out->weight_prices == NULL
               ? -ENOMEM
               : 0;
}

static int take(struct allocation_memory *memory, const struct allocation_problem *problem)
{
    const size_t nodes = problem->nodes_count + 1u;
    const size_t services = problem->services_count + 1u;
    memory->prints = calloc(nodes, sizeof *memory->prints);
    memory->new_prints = calloc(nodes, sizeof *memory->new_prints);
    memory->service_prints = calloc(services, sizeof *memory->service_prints);
    memory->prices = calloc(nodes, sizeof *memory->prices);
    memory->results = calloc(nodes, sizeof *memory->results);
    memory->services = calloc(services, sizeof *memory->services);
    memory->values = calloc(services, sizeof *memory->values);
    memory->caps = calloc(problem->vms_count + 1u, sizeof *memory->caps);
    memory->nodes_count = problem->nodes_count;
    memory->services_count = problem->services_count;
    memory->vms_count = problem->vms_count;
    return memory->prints == NULL || memory->new_prints == NULL ||
                   memory->service_prints == NULL || memory->prices == NULL ||
                   memory->results == NULL || memory->services == NULL ||
                   memory->values == NULL || memory->caps == NULL
               ? -ENOMEM
               : 0;
}

static bool couples(const struct allocation_problem *problem)
{
    for (uint32_t i = 0; i < problem->services_count; i++) {
        if (problem->services[i].vms_count > 1) {
            return true;
        }
    }
    return false;
}

int memory_open(struct allocation_memory *memory, const struct allocation_problem *problem,
                bool once)
{
    uint64_t options = memory_mix_double((uint64_t)problem->objective, problem->guard);
    options = memory_mix_double(memory_mix_double(options, problem->switching_cost),
                                problem->dead_band);
    options = memory_mix_double(memory_mix_double(options, problem->sticky_weight),
                                problem->return_margin);
    if (!memory->filled || memory->options != options ||
        memory->nodes_count != problem->nodes_count ||
        memory->services_count != problem->services_count ||
        memory->vms_count != problem->vms_count) {
        memory_forget(memory);
        if (take(memory, problem) < 0) {
            memory_forget(memory);
            return -ENOMEM;
        }
    }
    if (!same_slots(&memory->coupled, problem)) {
        forget_coupled(&memory->coupled);
        if (take_coupled(&memory->coupled, problem) < 0) {
            memory_forget(memory);
            return -ENOMEM;
        }
    }
    memory->options = options;
    if (!once || couples(problem)) {
        print_problem(memory, problem);
    }
    return 0;
}

bool memory_knows(const struct allocation_memory *memory, const struct component *component)
{
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        const uint32_t node = component->nodes[k];
        if (!memory->filled || memory->prints[node] != memory->new_prints[node]) {
            return false;
        }
    }
    return true;
}

struct allocation_memory *allocation_memory_create(void)
{
    return calloc(1, sizeof(struct allocation_memory));
}

void allocation_memory_destroy(struct allocation_memory *memory)
{
    if (memory != NULL) {
        memory_forget(memory);
        free(memory);
    }
}
