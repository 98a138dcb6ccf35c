// SPDX-License-Identifier: Apache-2.0
#include "schedulers/optimizer/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash ^= value + 0x9E3779B97F4A7C15u + (hash << 6) + (hash >> 2);
    hash ^= hash >> 30;
    hash *= 0xBF58476D1CE4E5B9u;
    return hash ^ (hash >> 27);
}

static uint64_t mix_double(uint64_t hash, double value)
{
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return mix(hash, bits);
}

static uint64_t print_model(uint64_t hash, const struct proposal *model)
{
    hash = mix(hash, (uint64_t)model->model << 32 | model->want_pct);
    switch (model->model) {
    case MODEL_KIND_RECIPROCAL: return mix_double(hash, model->demand_pct);
    case MODEL_KIND_PS: return mix_double(mix_double(hash, model->a_pct), model->b_pct);
    case MODEL_KIND_TABLE:
        for (uint32_t i = 0; i < model->points_count; i++) {
            hash = mix_double(mix(hash, model->points[i].cap_pct), model->points[i].x);
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
    hash = mix(hash, (uint64_t)vm->node << 32 | (vm->fixed ? 1u : 0u));
    hash = mix(hash, (uint64_t)vm->min_cap_pct << 32 | vm->max_cap_pct);
    if (vm->fixed || problem->switching_cost > 0.0 || problem->dead_band > 0.0) {
        hash = mix(hash, vm->previous_cap_pct);
    }
    hash = mix(hash, vm->memory_kib);
    for (uint32_t i = 0; i < vm->levels_count; i++) {
        hash = mix(hash, (uint64_t)vm->levels[i].cap_pct << 32 | vm->levels[i].vcpus);
        hash = mix(hash, vm->levels[i].memory_kib);
    }
    return hash;
}

static void print_problem(struct allocation_memory *memory,
                          const struct allocation_problem *problem)
{
    for (uint32_t j = 0; j < problem->nodes_count; j++) {
        const struct allocation_node *node = &problem->nodes[j];
        memory->new_prints[j] = mix_double(mix(node->cpu_pct, node->memory_kib), node->speed);
    }
    for (uint32_t v = 0; v < problem->vms_count; v++) { /* also those of nobody */
        const struct allocation_vm *vm = &problem->vms[v];
        memory->new_prints[vm->node] += print_vm(v, problem, vm);
    }
    for (uint32_t i = 0; i < problem->services_count; i++) {
        const struct allocation_service *it = &problem->services[i];
        uint64_t hash = mix_double(mix(i, (uint64_t)it->coupling), it->weight);
        for (const char *at = it->name; *at != '\0'; at++) {
            hash = 31u * hash + (unsigned char)*at;
        }
        hash = mix_double(mix_double(mix_double(hash, it->curve.a), it->curve.b), it->curve.w);
        hash = print_model(hash, it->model);
        for (uint32_t k = 0; k < it->vms_count; k++) {
            memory->new_prints[problem->vms[it->first_vm + k].node] += mix(hash, k);
        }
    }
}

void memory_forget(struct allocation_memory *memory)
{
    free(memory->prints);
    free(memory->new_prints);
    free(memory->prices);
    free(memory->results);
    free(memory->services);
    free(memory->values);
    free(memory->caps);
    *memory = (struct allocation_memory){0};
}

static int take(struct allocation_memory *memory, const struct allocation_problem *problem)
{
    const size_t nodes = problem->nodes_count + 1u;
    const size_t services = problem->services_count + 1u;
    memory->prints = calloc(nodes, sizeof *memory->prints);
    memory->new_prints = calloc(nodes, sizeof *memory->new_prints);
    memory->prices = calloc(nodes, sizeof *memory->prices);
    memory->results = calloc(nodes, sizeof *memory->results);
    memory->services = calloc(services, sizeof *memory->services);
    memory->values = calloc(services, sizeof *memory->values);
    memory->caps = calloc(problem->vms_count + 1u, sizeof *memory->caps);
    memory->nodes_count = problem->nodes_count;
    memory->services_count = problem->services_count;
    memory->vms_count = problem->vms_count;
    return memory->prints == NULL || memory->new_prints == NULL || memory->prices == NULL ||
                   memory->results == NULL || memory->services == NULL ||
                   memory->values == NULL || memory->caps == NULL
               ? -ENOMEM
               : 0;
}

int memory_open(struct allocation_memory *memory, const struct allocation_problem *problem)
{
    uint64_t options = mix_double((uint64_t)problem->objective, problem->guard);
    options = mix_double(mix_double(options, problem->switching_cost), problem->dead_band);
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
    memory->options = options;
    print_problem(memory, problem);
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
