// SPDX-License-Identifier: Apache-2.0
/*
 * The performance profile of an application as its provider describes it in a file: what was
 * measured, and with where, when and how. It is an object of its own, not a part of the service
 * that has it: services of the same application share one, it is measured again without a
 * change of them, and a service stays small (10,000 of them are kept in memory, on the wire and
 * in the store, most without a profile). A service names it: "profile: shop".
 * schedulers/profile.h makes a table of it from which x is predicted.
 */
#ifndef COMMON_MODEL_PROFILE_H
#define COMMON_MODEL_PROFILE_H

#include <stdint.h>

#include "common/limits.h"
#include "common/model/service.h"

/* What a prediction of x rests on. */
enum model_basis {
    MODEL_BASIS_UNSPECIFIED = 0,  /* a guess, or no model */
    MODEL_BASIS_LEARNT = 1,       /* what was measured while it ran */
    MODEL_BASIS_PROFILE = 2,      /* its profile, corrected by what was measured */
    MODEL_BASIS_EXTRAPOLATED = 3, /* its profile, beyond what was measured for it */
};

/* One measurement, of one VM: a service with several spreads its load and its CPU evenly over
 * them. */
struct profile_point {
    double load;         /* requests/s, above 0 */
    uint32_t cap_pct;    /* percent of one CPU, above 0 */
    uint32_t vcpus;      /* 0: not said, as few as any */
    double x;            /* measured / target; one that did not keep up: far above 1 */
    uint64_t memory_kib; /* 0: not said, as little as any */
    uint64_t io_kib_s;   /* limit of disk traffic; 0: none */
};

struct profile {
    uint32_t version; /* of this schema: 1 */
    char profile[NAME_SIZE];
    struct response_time response_time; /* exactly one target, over which x is measured */
    char on_node[NAME_SIZE];            /* where */
    char governor[NAME_SIZE];           /* of the CPU's clock there: it holds for one only */
    char tool[NAME_SIZE];               /* how: "httperf" */
    int64_t measured_wall_ms;           /* when, since 1970 */
    uint32_t samples;                   /* how often, per point; 0: not said */
    uint32_t points_count;
    struct profile_point points[PROFILE_POINTS_MAX]; /* in any order */
};

#endif
