// SPDX-License-Identifier: Apache-2.0
/* For problem_room.c and problem_bound.c: the search for how many more of a service fit. */
#ifndef ORCHESTRATOR_CLIENT_PROBLEM_ROOM_H
#define ORCHESTRATOR_CLIENT_PROBLEM_ROOM_H

#include "orchestrator/client/problem.h"
#include "schedulers/placement.h"

#define PROBLEM_TOLERANCE 1e-9

struct problem_search {
    const struct allocation_problem *problem;
    const struct allocation_service *like;
    double need_r;  /* of a copy */
    bool spread;    /* its VMs stand on different nodes */
    uint32_t *caps; /* of a copy's VMs at its floor, [vm][node]; 0: cannot be there */
    struct placement_node *nodes; /* free: what the floors leave */
    uint8_t *closed;              /* scratch: per node */
    /* the problem with copies, and its answer */
    struct allocation_problem grown;
    struct allocation_service *services;
    struct allocation_vm *vms;
    uint32_t copies_capacity;
    struct allocation_answer answer;
};

/* The r at which a service reaches its floor; HUGE_VAL: none. */
double problem_floor_r(const struct allocation_problem *problem,
                       const struct allocation_service *service);
/* The least cap of a VM that gives r on a node of this speed; 0: it has none. */
uint32_t problem_least_cap(const struct allocation_vm *vm, double r, double speed);
/* What is free on a node shrinks, at most to nothing. */
void problem_take(struct placement_node *node, uint64_t cpu_pct, uint64_t memory_kib);
/* Fills nodes with what the services of grown leave at their floors. */
void problem_look_at_nodes(struct problem_search *search);

/* ---- no more copies than these (problem_bound.c) ---- */

/* By the CPU of all nodes together. */
double problem_pooled_bound(const struct problem_search *search);
/* Node by node; changes nodes and the number of services in grown. */
double problem_node_bound(struct problem_search *search);

#endif
