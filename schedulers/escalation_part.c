// SPDX-License-Identifier: Apache-2.0
#include "schedulers/escalation_part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t root_of(const uint32_t *roots, uint32_t node)
{
    while (roots[node] != node) {
        node = roots[node];
    }
    return node;
}

/* Nodes of one service belong together; the lowest index stands for all of them. */
static void tie_nodes(struct escalation_part *part, const struct allocation_problem *whole)
{
    for (uint32_t j = 0; j < whole->nodes_count; j++) {
        part->roots[j] = j;
    }
    for (uint32_t i = 0; i < whole->services_count; i++) {
        const struct allocation_service *service = &whole->services[i];
        for (uint32_t k = 0; k < service->vms_count; k++) {
            const uint32_t v = service->first_vm + k;
            part->owned[v] = 1;
            const uint32_t a = root_of(part->roots, whole->vms[service->first_vm].node);
            const uint32_t b = root_of(part->roots, whole->vms[v].node);
            const uint32_t low = a < b ? a : b;
            part->roots[a] = low;
            part->roots[b] = low;
        }
    }
    for (uint32_t j = 0; j < whole->nodes_count; j++) {
        part->roots[j] = root_of(part->roots, j); /* parents have lower indices: flat by now */
    }
}

int escalation_part_init(struct escalation_part *part, const struct allocation_problem *whole)
{
    const size_t nodes = (size_t)whole->nodes_count + 1;
    const size_t services = (size_t)whole->services_count + 1;
    const size_t vms = (size_t)whole->vms_count + 1;
    *part = (struct escalation_part){
        .nodes = calloc(nodes, sizeof *part->nodes),
        .services = calloc(services, sizeof *part->services),
        .vms = calloc(vms, sizeof *part->vms),
        .roots = calloc(nodes, sizeof *part->roots),
        .node_index = calloc(nodes, sizeof *part->node_index),
        .service_index = calloc(services, sizeof *part->service_index),
        .owned = calloc(vms, sizeof *part->owned),
        .taken_for = {UINT32_MAX, UINT32_MAX},
    };
    if (part->nodes == NULL || part->services == NULL || part->vms == NULL ||
        part->roots == NULL || part->node_index == NULL || part->service_index == NULL ||
        part->owned == NULL) {
        escalation_part_finish(part);
        return -ENOMEM;
    }
    tie_nodes(part, whole);
    return 0;
}

void escalation_part_finish(struct escalation_part *part)
{
    free(part->nodes);
    free(part->services);
    free(part->vms);
    free(part->roots);
    free(part->node_index);
    free(part->service_index);
    free(part->owned);
    memset(part, 0, sizeof *part);
}

static bool is_in(const struct escalation_part *part, uint32_t node)
{
    return part->roots[node] == part->taken_for[0] || part->roots[node] == part->taken_for[1];
}

static void add_vm(struct escalation_part *part, const struct allocation_vm *vm)
{
    struct allocation_vm *out = &part->vms[part->problem.vms_count++];
    *out = *vm;
    out->node = part->node_index[vm->node];
}

static void fill(struct escalation_part *part, const struct allocation_problem *whole)
{
    part->problem = *whole;
    part->problem.nodes = part->nodes;
    part->problem.services = part->services;
    part->problem.vms = part->vms;
    part->problem.nodes_count = 0;
    part->problem.services_count = 0;
    part->problem.vms_count = 0;
    for (uint32_t j = 0; j < whole->nodes_count; j++) {
        if (is_in(part, j)) {
            part->node_index[j] = part->problem.nodes_count;
            part->nodes[part->problem.nodes_count++] = whole->nodes[j];
        }
    }
    for (uint32_t i = 0; i < whole->services_count; i++) {
        const struct allocation_service *service = &whole->services[i];
        if (!is_in(part, whole->vms[service->first_vm].node)) {
            continue;
        }
        part->service_index[i] = part->problem.services_count;
        struct allocation_service *out = &part->services[part->problem.services_count++];
        *out = *service;
        out->first_vm = part->problem.vms_count;
        for (uint32_t k = 0; k < service->vms_count; k++) {
            add_vm(part, &whole->vms[service->first_vm + k]);
        }
    }
    for (uint32_t v = 0; v < whole->vms_count; v++) {
        if (!part->owned[v] && is_in(part, whole->vms[v].node)) {
            add_vm(part, &whole->vms[v]);
        }
    }
}

bool escalation_part_take(struct escalation_part *part, const struct allocation_problem *whole,
                          struct escalation_candidate *candidate)
{
    const struct allocation_service *service = &whole->services[candidate->service];
    const bool has_target =
        candidate->kind == ESCALATION_ADD_VM || candidate->kind == ESCALATION_MOVE_VM;
    const bool is_pause = candidate->kind == ESCALATION_PAUSE;
    const uint32_t from = part->roots[whole->vms[service->first_vm].node];
    uint32_t to = has_target ? part->roots[candidate->node] : from;
    if (is_pause) { /* who is helped is asked about too, wherever it is */
        to = part->roots[whole->vms[whole->services[candidate->helped].first_vm].node];
    }
    const uint32_t low = from < to ? from : to;
    const uint32_t high = from < to ? to : from;
    const bool is_new = part->taken_for[0] != low || part->taken_for[1] != high;
    if (is_new) {
        part->taken_for[0] = low;
        part->taken_for[1] = high;
        fill(part, whole);
    }
    const uint32_t index = part->service_index[candidate->service];
    if (candidate->kind != ESCALATION_ADD_VM) {
        candidate->vm = part->services[index].first_vm + (candidate->vm - service->first_vm);
    }
    if (has_target) {
        candidate->node = part->node_index[candidate->node];
    }
    candidate->service = index;
    candidate->helped = is_pause ? part->service_index[candidate->helped] : 0;
    return is_new;
}
