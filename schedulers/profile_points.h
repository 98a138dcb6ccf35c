// SPDX-License-Identifier: Apache-2.0
/*
 * What was measured of a service in quiet times while it ran, so that it can be taken for a
 * profile: a few points, each the mean of measurements of nearly the same load and cap. For the
 * orchestrator, which keeps them for each service of which a scheduler says that it learnt.
 */
#ifndef SCHEDULERS_PROFILE_POINTS_H
#define SCHEDULERS_PROFILE_POINTS_H

#include "common/model/profile.h"

#define PROFILE_LEARNT_MAX 16

struct profile_learnt {
    struct profile_point point;
    uint32_t count; /* measurements behind it; the newest 20 count */
    int64_t at_ms;  /* of the newest */
};

/* All zero: nothing yet. */
struct profile_points {
    uint32_t count;
    struct profile_learnt items[PROFILE_LEARNT_MAX];
};

/* Takes a measurement up; when all places are taken, that of the oldest point. */
void profile_points_add(struct profile_points *points, const struct profile_point *seen,
                        int64_t now_ms);

#endif
