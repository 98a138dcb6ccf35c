// SPDX-License-Identifier: Apache-2.0
/*
 * Baselines for the whole cluster: what stands in the place of the optimizer when a simulation
 * asks for one of them. Each gives the CPU of every node to the VMs on it.
 */
#ifndef TESTS_SIM_POLICY_H
#define TESTS_SIM_POLICY_H

#include <stdbool.h>

#include "schedulers/allocation.h"

enum policy {
    POLICY_OPTIMIZER = 0,    /* not a baseline: what arbiterd does */
    POLICY_EQUAL = 1,        /* static: every VM of a node the same */
    POLICY_PROPORTIONAL = 2, /* static: by the CPU that its mean load needs */
    POLICY_USAGE = 3,        /* by the CPU that it used lately */
    POLICY_ENTITLEMENT = 4,  /* as DRS: by weight, nobody more than it demands, the rest again
                                by weight */
    POLICY_ORACLE = 5,       /* the optimizer with the true parameters of every service */
};

/* What is true, and no controller can know. */
struct policy_truth {
    double load_per_s;      /* of the service, now */
    double mean_load_per_s; /* over the run */
    double used_pct;        /* CPU of its VMs */
    double request_cpu_ms;
    double target_ms; /* of its mean response time: p50 and p95 are fixed multiples of it */
};

/* The word of a policy; POLICY_OPTIMIZER when there is none of that name. */
enum policy policy_named(const char *name);
const char *policy_word(enum policy policy);

/* One element of truth per service of the problem. As allocation_solve(). */
int policy_solve(enum policy policy, const struct allocation_problem *problem,
                 const struct policy_truth *truth, struct allocation_answer *answer,
                 struct err *err);

#endif
