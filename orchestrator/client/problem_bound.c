// SPDX-License-Identifier: Apache-2.0
/* Numbers of copies that no arrangement can exceed. */
#include <math.h>

#include "orchestrator/client/problem_room.h"

/* The greatest number of copies that the CPU of all nodes together would hold. */
double problem_pooled_bound(const struct problem_search *search)
{
    const struct allocation_problem *problem = search->problem;
    double left = 0.0;
    double slowest = HUGE_VAL;
    for (uint32_t j = 0; j < problem->nodes_count; j++) {
        left += problem->nodes[j].cpu_pct * problem->nodes[j].speed;
        slowest = fmin(slowest, problem->nodes[j].speed);
    }
    for (uint32_t i = 0; i < problem->services_count; i++) {
        const struct allocation_service *service = &problem->services[i];
        double least = 0.0;
        for (uint32_t k = 0; k < service->vms_count; k++) {
            const struct allocation_vm *vm = &problem->vms[service->first_vm + k];
            least += vm->min_cap_pct * problem->nodes[vm->node].speed;
        }
        left -= fmax(least, problem_floor_r(problem, service));
    }
    double least = 0.0;
    for (uint32_t k = 0; k < search->like->vms_count; k++) {
        least += problem->vms[search->like->first_vm + k].min_cap_pct * slowest;
    }
    return floor(fmax(left, 0.0) / fmax(least, search->need_r) + PROBLEM_TOLERANCE);
}

/* The least cap and memory that VM v takes while its service is at its floor. */
static uint32_t unavoidable(const struct allocation_problem *problem,
                            const struct allocation_service *service, uint32_t v, double speed,
                            uint64_t *memory_kib)
{
    const struct allocation_vm *vm = &problem->vms[v];
    const bool single = service->vms_count == 1;
    const uint32_t cap =
        single ? problem_least_cap(vm, problem_floor_r(problem, service), speed) : 0;
    *memory_kib = vm->levels_count > 0 ? UINT64_MAX : vm->memory_kib;
    for (uint32_t k = 0; k < vm->levels_count; k++) {
        if (vm->levels[k].cap_pct >= cap && vm->levels[k].memory_kib < *memory_kib) {
            *memory_kib = vm->levels[k].memory_kib;
        }
    }
    return cap > vm->min_cap_pct ? cap : vm->min_cap_pct;
}

/* How many VMs like one of the copy's fit beside what is unavoidable, node by node. */
double problem_node_bound(struct problem_search *search)
{
    const struct allocation_problem *problem = search->problem;
    const struct allocation_service *like = search->like;
    search->grown.services_count = 0; /* all free */
    problem_look_at_nodes(search);
    uint64_t memory = 0;
    for (uint32_t i = 0; i < problem->services_count; i++) {
        const struct allocation_service *service = &problem->services[i];
        for (uint32_t v = service->first_vm; v < service->first_vm + service->vms_count; v++) {
            const uint32_t node = problem->vms[v].node;
            const uint32_t cap =
                unavoidable(problem, service, v, problem->nodes[node].speed, &memory);
            problem_take(&search->nodes[node], cap, memory);
        }
    }
    double fit = 0.0;
    for (uint32_t j = 0; j < problem->nodes_count; j++) {
        uint32_t least = UINT32_MAX;
        uint64_t least_memory = UINT64_MAX;
        bool possible = false;
        for (uint32_t k = 0; k < like->vms_count; k++) {
            const uint32_t cap = unavoidable(problem, like, like->first_vm + k,
                                             problem->nodes[j].speed, &memory);
            least = cap < least ? cap : least;
            least_memory = memory < least_memory ? memory : least_memory;
            possible = possible || like->vms_count > 1 ||
                       search->caps[(size_t)k * problem->nodes_count + j] > 0;
        }
        const struct placement_node *node = &search->nodes[j];
        double own = possible ? floor((double)node->cpu_pct_free / least) : 0.0;
        if (problem->nodes[j].memory_kib > 0 && least_memory > 0) {
            own = fmin(own, floor((double)node->memory_kib_free / (double)least_memory));
        }
        fit += own;
    }
    return floor(fit / like->vms_count);
}
