// SPDX-License-Identifier: Apache-2.0
/*
 * The allocation problem: give the CPU of the nodes to the VMs of the services, so that the
 * weighted product of the service levels is as high as possible, floors first. Plain arrays
 * owned by the caller; allocation_solve() and, with a memory of the last solution,
 * allocation_solve_again() are the only ways in, whatever algorithm is behind them.
 */
#ifndef SCHEDULERS_ALLOCATION_H
#define SCHEDULERS_ALLOCATION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/message/scheduler_message.h"

/* Of the largest caps of all VMs of a service in sum: 671,088 CPUs. */
#define ALLOCATION_SERVICE_CAP_PCT_MAX (UINT32_MAX / 64)

enum coupling {
    COUPLING_SINGLE = 1, /* one VM */
    COUPLING_SUM = 2,    /* r = sum over its VMs of cap times speed of the node */
    COUPLING_GANG = 3,   /* all caps equal; r = number of VMs times cap times slowest speed */
};

enum allocation_objective {
    ALLOCATION_FLOORS = 1, /* floors first, then sum w log S; triage by weight in overload */
    ALLOCATION_PRODUCT = 2,
};

/* How a service fared in the last answer; for a triage that does not turn around at once. */
enum allocation_past {
    ALLOCATION_PAST_UNKNOWN = 0,
    ALLOCATION_PAST_KEPT = 1,
    ALLOCATION_PAST_SACRIFICED = 2,
};

struct allocation_node {
    char name[NAME_SIZE];
    uint32_t cpu_pct;
    double speed;        /* 1: the reference CPU */
    uint64_t memory_kib; /* 0: memory is not part of the problem */
};

/* One setting of a VM: what is chosen together. */
struct allocation_level {
    uint32_t cap_pct;
    uint32_t vcpus;
    uint64_t memory_kib;
};

struct allocation_vm {
    uint32_t node;        /* index */
    uint32_t min_cap_pct; /* at least 1 */
    uint32_t max_cap_pct;
    uint32_t previous_cap_pct;             /* 0: none */
    bool fixed;                            /* keeps previous_cap_pct: a person pinned it */
    uint64_t memory_kib;                   /* what it has; with levels: not used */
    const struct allocation_level *levels; /* ascending caps; instead of min and max */
    uint32_t levels_count;                 /* 0: every whole percent from min to max */
};

struct allocation_service {
    char name[NAME_SIZE];
    double weight;
    struct level_curve curve;
    const struct proposal *model;
    enum coupling coupling;
    uint32_t first_vm; /* its VMs are vms[first_vm .. first_vm + vms_count) */
    uint32_t vms_count;
    enum allocation_past past;
};

struct allocation_problem {
    enum allocation_objective objective;
    double guard; /* added to the 50 % of a floor; given up where not all floors fit with it */
    double switching_cost; /* nats per percent moved */
    double dead_band;      /* nats: keep the old caps for less gain than this */
    double sticky_weight;  /* of who was kept, in the triage, beside his weight: he goes only
                              where that gains more than this for each who goes; 0: off */
    double return_margin;  /* share of its need: who was sacrificed is kept only with so much
                              more than that, as far as it can have it; 0: off */
    const struct allocation_node *nodes;
    uint32_t nodes_count;
    const struct allocation_service *services;
    uint32_t services_count;
    const struct allocation_vm *vms;
    uint32_t vms_count;
};

struct allocation_service_answer {
    double r_pct;
    double x;
    double level;
    bool sacrificed;
    uint32_t missing_pct; /* CPU that it lacked to reach its floor; UINT32_MAX: none would do */
};

/* Arrays have the caller's memory, one element per service and per VM of the problem. */
struct allocation_answer {
    double log_sigma;   /* sum w log S, nats */
    double upper_bound; /* of log_sigma */
    double kept_weight;
    double kept_weight_bound; /* of kept_weight with all that sticky_weight adds to it, over
                                 every choice; so also of kept_weight alone */
    bool floors_feasible;
    struct allocation_service_answer *services;
    uint32_t *caps_pct;
};

/* Room for an answer to problems of this size; 0 or -ENOMEM. finish: all zero afterwards. */
int allocation_answer_init(struct allocation_answer *answer, uint32_t services_count,
                           uint32_t vms_count);
void allocation_answer_finish(struct allocation_answer *answer);

/*
 * Errors: -EINVAL a field is out of range; -ENOSPC the minimum caps of a node exceed its CPU
 * (text names node and numbers); -ENOMEM. On error the answer is untouched.
 */
int allocation_solve(const struct allocation_problem *problem, struct allocation_answer *answer,
                     struct err *err);

/*
 * What one solution leaves for the next: prices, and for every part of the problem what it was
 * solved for. The same problem later, a little changed, is then solved again only where it
 * changed. One memory belongs to one caller at a time; it holds no pointers into problems.
 */
struct allocation_memory;

struct allocation_memory *allocation_memory_create(void); /* NULL: no memory */
void allocation_memory_destroy(struct allocation_memory *memory);

/*
 * As allocation_solve(); memory may be NULL. The answer is as good as without memory, but not
 * always the same to the percent where services couple nodes: it depends on what was solved
 * before, and on nothing else. On error the memory is as after allocation_memory_create().
 */
int allocation_solve_again(const struct allocation_problem *problem,
                           struct allocation_memory *memory, struct allocation_answer *answer,
                           struct err *err);

#endif
