// SPDX-License-Identifier: Apache-2.0
/* What the VMs take at least, whatever the optimizer decides. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/client/problem.h"

/* Memory comes with the level, and no level has less than the least. */
static uint64_t least_memory_kib(const struct allocation_vm *vm)
{
    uint64_t least = vm->levels_count > 0 ? UINT64_MAX : vm->memory_kib;
    for (uint32_t k = 0; k < vm->levels_count; k++) {
        least = vm->levels[k].memory_kib < least ? vm->levels[k].memory_kib : least;
    }
    return least;
}

/* The cap that no VM of a service goes below: a gang has one cap, so the highest minimum. */
static uint32_t common_minimum(const struct allocation_problem *problem,
                               const struct allocation_service *service)
{
    uint32_t least = 1;
    for (uint32_t k = 0; service->coupling == COUPLING_GANG && k < service->vms_count; k++) {
        const uint32_t own = problem->vms[service->first_vm + k].min_cap_pct;
        least = own > least ? own : least;
    }
    return least;
}

void problem_minimum(const struct allocation_problem *problem, struct problem_need *needs)
{
    memset(needs, 0, problem->nodes_count * sizeof *needs);
    for (uint32_t i = 0; i < problem->services_count; i++) {
        const struct allocation_service *service = &problem->services[i];
        const uint32_t common = common_minimum(problem, service);
        for (uint32_t k = 0; k < service->vms_count; k++) {
            const struct allocation_vm *vm = &problem->vms[service->first_vm + k];
            needs[vm->node].cpu_pct += vm->min_cap_pct > common ? vm->min_cap_pct : common;
            needs[vm->node].memory_kib += least_memory_kib(vm);
        }
    }
}

bool problem_is_short(const struct allocation_node *node, const struct problem_need *need,
                      char text[TEXT_SIZE])
{
    const bool cpu = need->cpu_pct > node->cpu_pct;
    const bool memory = node->memory_kib > 0 && need->memory_kib > node->memory_kib;
    char part[TEXT_SIZE] = "";
    if (cpu) {
        (void)snprintf(part, sizeof part,
                       " its VMs need at least %" PRIu64 " %% of CPU, it has %u %%",
                       need->cpu_pct, node->cpu_pct);
    }
    const size_t used = strlen(part);
    if (memory) {
        (void)snprintf(part + used, sizeof part - used,
                       "%s its VMs need at least %" PRIu64 " MiB of memory, it has %" PRIu64
                       " MiB",
                       cpu ? ";" : "", need->memory_kib / 1024, node->memory_kib / 1024);
    }
    (void)snprintf(text, TEXT_SIZE, "node %s:%s", node->name, part);
    return cpu || memory;
}
