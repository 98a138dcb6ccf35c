// SPDX-License-Identifier: Apache-2.0
/*
 * Whether a service still is what its profile says. What is compared is CPU, not x: what it has
 * against what the profile says it needs for the x that was measured. Near saturation x moves
 * by much where CPU moves by little, and the correction (response_fit.h) takes care of that;
 * the operator is only told where plans made with the profile would be wrong. For
 * response_time.c, which keeps it in its state.
 */
#ifndef SCHEDULERS_RESPONSE_WATCH_H
#define SCHEDULERS_RESPONSE_WATCH_H

#include "schedulers/response_fit.h"

/* CPU over what was said, as a factor, is worth telling somebody: above 1.2 or below 1/1.2. */
bool response_watch_is_far(double deviation);

/* All zero: there was no profile yet. */
struct response_watch {
    uint64_t revision; /* of the profile that is watched; 0: none */
    bool outdated;     /* it is out of date: not used any more */
    double deviation;  /* CPU over what the profile says, as a factor; when it was found so */
    struct profile_alarm alarm;
};

/* True: another profile than before (NULL: none), so that all starts anew. */
bool response_watch_begin(struct response_watch *watch, const struct profile_use *profile);

/* The profile says something of this measurement: it lies within what was measured, and where
 * the service kept up. From elsewhere nothing can be learnt by its law. */
bool response_watch_covers(const struct response_measurement *seen);

/*
 * One measurement of a quiet time, with the relative deviation of x. True: the profile is out
 * of date now; said once. Nothing is said of what lies beyond what was measured.
 */
bool response_watch_learn(struct response_watch *watch, const struct response_measurement *seen,
                          double noise);

#endif
