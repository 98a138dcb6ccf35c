// SPDX-License-Identifier: Apache-2.0
/*
 * The problem that "arbiter optimize" reads, in the form that we keep stable (version 1), as
 * plain data for the optimizer. Pure: bytes in, data out; nothing is opened or printed.
 *
 *   problem_read.c     nodes, services: from a tree of values to arrays
 *   problem_vms.c      their VMs and the levels of these
 *   problem_model.c    the models of services
 *   problem_fields.c   what is true for all fields: types, ranges, unknown keys
 *   problem_minimum.c  do the minimums fit on the nodes?
 *   problem_room.c     how many more of a service fit
 *   problem_bound.c    and how many surely do not
 *   problem_write.c    the answer as a tree
 */
#ifndef ORCHESTRATOR_CLIENT_PROBLEM_H
#define ORCHESTRATOR_CLIENT_PROBLEM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "schedulers/allocation.h"

#define PROBLEM_VERSION      1
#define PROBLEM_BYTES_MAX    (256u << 20)
#define PROBLEM_NODES_MAX    100000
#define PROBLEM_SERVICES_MAX 1000000
#define PROBLEM_VMS_MAX      4000000
#define PROBLEM_LEVELS_MAX   16000000
#define PROBLEM_CAP_PCT_MAX  1000000 /* of a VM or node: 10,000 CPUs */
#define PROBLEM_PATH_SIZE    128     /* services[3].vms[0].min_cap_pct */
#define PROBLEM_MISTAKES_MAX 1000

struct problem_mistake {
    char path[PROBLEM_PATH_SIZE]; /* empty: of the whole file */
    char text[TEXT_SIZE];
};

struct problem_mistakes {
    size_t count; /* of all; only the first PROBLEM_MISTAKES_MAX are kept */
    struct problem_mistake items[PROBLEM_MISTAKES_MAX];
};

/* Owns everything that allocation points to. */
struct problem {
    struct allocation_problem allocation;
    struct allocation_node *nodes;
    struct allocation_service *services;
    struct allocation_vm *vms;
    struct proposal *models;         /* one a service */
    struct allocation_level *levels; /* of all VMs */
    uint32_t levels_count;
};

/*
 * Reads YAML or JSON, NUL-terminated behind its size. 0; -EINVAL with all mistakes; -ENOMEM. On
 * an error *out is empty.
 */
int problem_read(const char *text, size_t size, struct problem *out,
                 struct problem_mistakes *mistakes);
void problem_finish(struct problem *problem);

/* ---- minimums ---- */

/* What the VMs of each node take at least. */
struct problem_need {
    uint64_t cpu_pct;
    uint64_t memory_kib;
};

/* Fills one element per node. */
void problem_minimum(const struct allocation_problem *problem, struct problem_need *needs);
/* "node n1 is short of CPU: ..."; false: the minimums fit on this node. */
bool problem_is_short(const struct allocation_node *node, const struct problem_need *need,
                      char text[TEXT_SIZE]);

/* ---- how many more ---- */

struct problem_room {
    uint32_t more;       /* copies that were placed, with every floor kept */
    uint32_t more_bound; /* no way to place more than these */
    uint32_t *placed;    /* VMs of copies on each node; of the caller, one per node */
    char why[TEXT_SIZE]; /* why there are none */
};

#define PROBLEM_COPIES_MAX 100000

/*
 * Copies of a service, placed by the rules of schedulers/placement.h on all nodes, so that
 * every service of the problem and every copy is at its floor. 0; -ENOSPC the minimums do not
 * fit without any copy; -E2BIG too many VMs whose CPU adds up; -EINVAL; -ENOMEM.
 */
int problem_how_many(const struct allocation_problem *problem, uint32_t service,
                     struct problem_room *out, struct err *err);

/* ---- the answer ---- */

/* In the form that we keep stable; NULL: no memory. */
json_t *problem_answer_tree(const struct allocation_problem *problem,
                            const struct allocation_answer *answer, double time_ms);
/* exp(sum w log S / sum w) */
double problem_mean_level(const struct allocation_problem *problem,
                          const struct allocation_answer *answer);
/* x as it counts: not above 100 b. */
double problem_x(const struct allocation_service *service, double x);
/* Below its floor; also where no CPU in the world brings it there (missing_pct is then null).
 */
bool problem_is_sacrificed(const struct allocation_service_answer *answer);
/* Every floor can be held at once. */
bool problem_floors_fit(const struct allocation_problem *problem,
                        const struct allocation_answer *answer);
/* r lies outside the points of the service's table. */
bool problem_is_extrapolated(const struct allocation_service *service, double r_pct);

#endif
