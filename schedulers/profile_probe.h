// SPDX-License-Identifier: Apache-2.0
/*
 * Finds the allocation that a service without a profile needs, by a few probes: the secant on
 * 1/x, which is exact after two of them where x = A / (r - B), then a hyperbola, exact after
 * three where x = A / (r - B) + C, kept inside the bracket that the probes have found so far.
 * Each probe also feeds the correction (profile.h), so that the service has a model behind it.
 *
 * Who uses it sets next_pct, measures x, and tells it, until it is done.
 */
#ifndef SCHEDULERS_PROFILE_PROBE_H
#define SCHEDULERS_PROFILE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#define PROFILE_PROBES_MAX 16

struct profile_probe {
    double target;    /* x that is wanted */
    double tolerance; /* of x, as a part: done when so close */
    double noise; /* of x, as a part: probes nearer to each other say nothing of the slope */
    double least_pct;
    double most_pct;
    double next_pct; /* to set and measure next, or the result */
    bool done;       /* so close, at a limit, or after PROFILE_PROBES_MAX */
    double low_pct;  /* too little; least_pct when none is known */
    double high_pct; /* enough; most_pct when none is known */
    uint32_t count;
    double r_pct[PROFILE_PROBES_MAX];
    double speeds[PROFILE_PROBES_MAX]; /* 1/x; 0: it did not keep up */
};

/* Limits from above 0 up, start between them; target above 0; parts from 0 up. */
void profile_probe_start(struct profile_probe *probe, double target, const double limits[2],
                         double start_pct);

/* x measured at next_pct; INFINITY: it did not keep up; NAN: unknown, the same is tried again.
 */
void profile_probe_tell(struct profile_probe *probe, double x);

#endif
