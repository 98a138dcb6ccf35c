// SPDX-License-Identifier: Apache-2.0
/*
 * What is remembered from one solution to the next: a fingerprint of every node with all that
 * its services are, and what came out. A component whose nodes all have their old fingerprints
 * has its old answer. In one that services couple much is still as it was after a small change;
 * there every part of the work has a fingerprint of all that goes into it, and is done again
 * only where that is another one. So what is remembered can be old, but never wrong.
 */
#ifndef SCHEDULERS_OPTIMIZER_MEMORY_H
#define SCHEDULERS_OPTIMIZER_MEMORY_H

#include "schedulers/optimizer/optimizer.h"

/* Of nodes that services couple. Arrays by slot: of the services with several VMs. */
struct coupled_memory {
    uint32_t *slots; /* by service; OPTIMIZER_NONE: it has one VM */
    uint32_t slots_count;
    /* prices: */
    double *grids;         /* by the first node of a component: where its grid begins; or NAN */
    float *node_tables;    /* by node x point */
    uint64_t *node_keys;   /* what they were made from; 0: nothing */
    float *service_tables; /* by slot x point */
    uint64_t *service_keys;
    double *real_caps;   /* by VM: at the last prices */
    double *whole_caps;  /* by VM: real caps that the whole ones were made from */
    double *positions;   /* by slot: its own price on the grid */
    double *log_prices;  /* by node */
    double *used;        /* by node: sum of the real caps there */
    uint32_t *caps;      /* of every VM, settled */
    uint64_t *fill_keys; /* by node: what its single services had their caps for; 0: nothing */
    double *weight_prices; /* by node: of the triage, weight per percent; NAN: none */
};

struct allocation_memory {
    bool filled;
    uint64_t options; /* fingerprint of everything that is not a node or a service */
    uint32_t nodes_count;
    uint32_t services_count;
    uint32_t vms_count;
    uint64_t *prints;         /* by node */
    uint64_t *new_prints;     /* of the problem at hand */
    uint64_t *service_prints; /* by service, of the problem at hand, with its VMs */
    double *prices;
    struct component_result *results; /* by the first node of a component */
    struct allocation_service_answer *services;
    double *values; /* by service: w log S, 0 where it does not count */
    uint32_t *caps;
    struct coupled_memory coupled;
};

/* A fingerprint of a fingerprint and one more value; never 0 in practice. */
uint64_t memory_mix(uint64_t hash, uint64_t value);
uint64_t memory_mix_double(uint64_t hash, double value);

/* Fingerprints of the problem; makes room for it, and forgets all where it has another shape.
 * once: it is forgotten after this solution, so that only coupled nodes need fingerprints. */
int memory_open(struct allocation_memory *memory, const struct allocation_problem *problem,
                bool once);
/* Nothing of a component has changed. */
bool memory_knows(const struct allocation_memory *memory, const struct component *component);
void memory_forget(struct allocation_memory *memory);

#endif
