// SPDX-License-Identifier: Apache-2.0
/*
 * What is remembered from one solution to the next: a fingerprint of every node with all that
 * its services are, and what came out. A component whose nodes all have their old fingerprints
 * has its old answer.
 */
#ifndef SCHEDULERS_OPTIMIZER_MEMORY_H
#define SCHEDULERS_OPTIMIZER_MEMORY_H

#include "schedulers/optimizer/optimizer.h"

struct allocation_memory {
    bool filled;
    uint64_t options; /* fingerprint of everything that is not a node or a service */
    uint32_t nodes_count;
    uint32_t services_count;
    uint32_t vms_count;
    uint64_t *prints;     /* by node */
    uint64_t *new_prints; /* of the problem at hand */
    double *prices;
    struct component_result *results; /* by the first node of a component */
    struct allocation_service_answer *services;
    double *values; /* by service: w log S, 0 where it does not count */
    uint32_t *caps;
};

/* Fingerprints of the problem; makes room for it, and forgets all where it has another shape.
 */
int memory_open(struct allocation_memory *memory, const struct allocation_problem *problem);
/* Nothing of a component has changed. */
bool memory_knows(const struct allocation_memory *memory, const struct component *component);
void memory_forget(struct allocation_memory *memory);

#endif
