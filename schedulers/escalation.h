// SPDX-License-Identifier: Apache-2.0
/*
 * What comes after caps. When the best allocation still leaves a service short, something
 * slower may help: more VCPUs, one more VM, a VM moved to a node with room; and when a service
 * has had more than it needs for long, fewer of them; and last, a light service that lets all
 * its CPU go. Each such step is judged by solving the allocation with it: its gain is what the
 * objective rises by, its cost what the step itself loses, spread over a horizon. Only a step
 * that gains more than it costs is worth anything.
 *
 * The caller makes the candidates, since only it knows what is allowed where.
 */
#ifndef SCHEDULERS_ESCALATION_H
#define SCHEDULERS_ESCALATION_H

#include "schedulers/allocation.h"

#define ESCALATION_CANDIDATES_MAX 16

enum escalation_kind {
    ESCALATION_ADD_VM = 1,
    ESCALATION_MOVE_VM = 2,
    ESCALATION_REMOVE_VM = 3,
    ESCALATION_MORE_VCPUS = 4, /* the caps of some VMs may rise further */
    ESCALATION_FEWER_VCPUS = 5,
    ESCALATION_PAUSE =
        6, /* all VMs of a service get no CPU, so that another reaches its floor */
    ESCALATION_MORE_MEMORY = 7,
    ESCALATION_FREE_MEMORY = 8, /* a VM gives memory back, for one of another service */
};

struct escalation_candidate {
    enum escalation_kind kind;
    uint32_t service;   /* index in the problem */
    uint32_t helped;    /* PAUSE, FREE_MEMORY: index of the service for which it is done */
    uint32_t vm;        /* index; MOVE, REMOVE, MEMORY; VCPUS, PAUSE: the first of vms_count */
    uint32_t vms_count; /* VCPUS, PAUSE */
    uint32_t vcpus;     /* VCPUS: of each then; for the caller */
    uint32_t node;      /* index of the target; ADD, MOVE */
    uint32_t min_cap_pct; /* ADD: the range of the new VM */
    uint32_t max_cap_pct; /* VCPUS: of each VM with them */
    uint64_t memory_kib;  /* ADD, MEMORY: of the VM then */
    double x_now;         /* MEMORY: of the service that lacks it, as measured ... */
    double x_then;        /* ... and if memory is all that it lacks */
    double cost; /* nats over the horizon; REMOVE, FEWER_VCPUS: what may be lost at most */
};

struct escalation_judgement {
    double kept_gain; /* weight of services that reach their floor beside those that do */
    double gain;      /* nats of sum w log S */
    double level; /* predicted, of the candidate's service; PAUSE, FREE: of the one helped */
    bool floors_feasible; /* with the step, of all services that it can touch */
    bool worthwhile;
};

/*
 * Judges every candidate for itself, against the optimum without it, in the part of the problem
 * that it can touch. The problem is one that allocation_solve() takes. What gives a service
 * more is worthwhile when it keeps more weight at the floor, or as much with a gain above its
 * cost; what takes from it when nobody falls below a floor and the loss stays within its cost.
 * A pause is worthwhile only when the one helped, which must weigh no less, reaches its floor
 * by it and more weight is kept there in all. Errors as of allocation_solve(), with -EINVAL for
 * a candidate that does not fit the problem.
 */
int escalation_judge(const struct allocation_problem *problem,
                     const struct escalation_candidate *candidates, uint32_t count,
                     struct escalation_judgement *out, struct err *err);

/* The best worthwhile candidate; UINT32_MAX: none. Ties: the lower index. */
uint32_t escalation_best(const struct escalation_judgement *judgements, uint32_t count);

/*
 * CPU of every node that no floor needs, in percent of a CPU; negative where floors lack it.
 * Where a service's VMs add up, its need is spread over them in proportion to their caps.
 */
void escalation_slack(const struct allocation_problem *problem,
                      const struct allocation_answer *answer, double *slack_pct);

/*
 * Nats that a disturbance costs: a service of this weight and level falls to the level of one
 * that hardly serves for disturbed_ms of a horizon.
 */
double escalation_cost(double weight, double level, uint32_t disturbed_ms, uint32_t horizon_ms);

#endif
