// SPDX-License-Identifier: Apache-2.0
/*
 * Seeded allocation problems of any size for benchmarks and tests: services with mixed models
 * (reciprocal, processor sharing, a table of Amdahl's law), weights 1, 2 and 4, a share of them
 * with VMs on several nodes. Every node has exactly the wanted load: the CPU that brings all
 * its services to x = 1, coupled ones split evenly, over the CPU that it has. Up to a load of
 * about 0.97 all floors fit. The same seed gives the same problem everywhere.
 */
#ifndef TESTS_BENCH_INSTANCES_H
#define TESTS_BENCH_INSTANCES_H

#include "schedulers/allocation.h"

#define INSTANCE_NODE_CPU_PCT 3200u
#define INSTANCE_MIN_CAP_PCT  5u

struct instance_spec {
    uint64_t seed;
    uint32_t nodes;
    uint32_t services;
    double load;
    uint32_t sum_permille;  /* services whose VMs on 2..4 nodes add up */
    uint32_t gang_permille; /* services whose VMs on 2..8 nodes have one cap */
    enum allocation_objective objective;
};

/* The problem, and room for its answer. The arrays may be changed between two solutions. */
struct instance {
    struct allocation_problem problem;
    struct allocation_answer answer;
    struct allocation_node *nodes;
    struct allocation_service *services;
    struct proposal *models;
    struct allocation_vm *vms;
    double *need_pct; /* of each service: r at x = 1 */
};

/* NULL: no memory. Nodes and services: at least 8 nodes where services are coupled. */
struct instance *instance_create(const struct instance_spec *spec);
void instance_destroy(struct instance *instance);

/* New models for a share of the services, their need up to 10 % up or down. */
void instance_change(struct instance *instance, uint64_t seed, uint32_t permille);

/* CPU time of the calling thread: what a solution takes is the difference of two. */
double instance_cpu_ms(void);

#endif
