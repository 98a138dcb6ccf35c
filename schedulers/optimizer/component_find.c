// SPDX-License-Identifier: Apache-2.0
/* Which nodes hang together through services with several VMs: union and find. */
#include <errno.h>

#include "schedulers/optimizer/optimizer.h"

static uint32_t root_of(uint32_t *parents, uint32_t node)
{
    while (parents[node] != node) {
        parents[node] = parents[parents[node]];
        node = parents[node];
    }
    return node;
}

static void join_services(const struct optimizer *optimizer, uint32_t *parents)
{
    const struct allocation_problem *problem = optimizer->problem;
    for (uint32_t i = 0; i < problem->services_count; i++) {
        const struct optimizer_service *service = &optimizer->services[i];
        const uint32_t first = root_of(parents, problem->vms[service->first_vm].node);
        for (uint32_t k = 1; k < service->vms_count; k++) {
            const uint32_t other = root_of(parents, problem->vms[service->first_vm + k].node);
            const uint32_t joined = root_of(parents, first);
            /* the lower number is the root, so that the order is that of the nodes */
            parents[other < joined ? joined : other] = other < joined ? other : joined;
        }
    }
}

static void fill(struct optimizer *optimizer, uint32_t *parents, uint32_t *numbers)
{
    const struct allocation_problem *problem = optimizer->problem;
    for (uint32_t j = 0; j < problem->nodes_count; j++) {
        const uint32_t root = root_of(parents, j);
        if (root == j) {
            numbers[j] = optimizer->components_count++;
        }
        optimizer->components[numbers[root]].nodes_count++;
    }
    for (uint32_t i = 0; i < problem->services_count; i++) {
        const uint32_t vm = optimizer->services[i].first_vm;
        const uint32_t root = root_of(parents, problem->vms[vm].node);
        struct component *component = &optimizer->components[numbers[root]];
        component->services_count++;
        component->coupled = component->coupled || optimizer->services[i].vms_count > 1;
    }
    uint32_t *nodes = optimizer->component_nodes;
    uint32_t *services = optimizer->component_services;
    for (uint32_t c = 0; c < optimizer->components_count; c++) {
        struct component *component = &optimizer->components[c];
        component->nodes = nodes;
        component->services = services;
        nodes += component->nodes_count;
        services += component->services_count;
        component->nodes_count = 0;
        component->services_count = 0;
    }
    for (uint32_t j = 0; j < problem->nodes_count; j++) {
        struct component *component = &optimizer->components[numbers[root_of(parents, j)]];
        component->nodes[component->nodes_count++] = j;
    }
    for (uint32_t i = 0; i < problem->services_count; i++) {
        const uint32_t node = problem->vms[optimizer->services[i].first_vm].node;
        struct component *component = &optimizer->components[numbers[root_of(parents, node)]];
        component->services[component->services_count++] = i;
    }
}

int optimizer_find_components(struct optimizer *optimizer)
{
    const uint32_t nodes = optimizer->problem->nodes_count;
    uint32_t *parents = arena_take(&optimizer->arena, nodes + 1u, sizeof *parents);
    uint32_t *numbers = arena_take(&optimizer->arena, nodes + 1u, sizeof *numbers);
    if (parents == NULL || numbers == NULL) {
        return -ENOMEM;
    }
    for (uint32_t j = 0; j < nodes; j++) {
        parents[j] = j;
    }
    join_services(optimizer, parents);
    fill(optimizer, parents, numbers);
    return 0;
}
