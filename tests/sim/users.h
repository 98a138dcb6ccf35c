// SPDX-License-Identifier: Apache-2.0
/*
 * Users of a service over time, as a pattern with a few numbers: a daily wave, noise that lasts
 * some minutes, crowds that come at random, and one lasting step. The seeds of a run give each
 * run its own users; a trace need not be shipped.
 */
#ifndef TESTS_SIM_USERS_H
#define TESTS_SIM_USERS_H

#include <stdint.h>

#include "common/limits.h"
#include "common/rng.h"

struct user_pattern {
    char service[NAME_SIZE];
    double requests_per_s;   /* the mean, without crowds */
    double wave;             /* part of the mean, 0..1 */
    int64_t wave_ms;         /* its length; 0: no wave */
    double noise;            /* relative deviation */
    double crowd;            /* a crowd multiplies the rate by this; 0: none come */
    int64_t crowd_every_ms;  /* mean time between two */
    int64_t crowd_length_ms; /* with the way up and down */
    int64_t crowd_ramp_ms;   /* the way up, and the way down */
    double step;             /* from step_at_ms on times this; 0: no step */
    int64_t step_at_ms;
    uint64_t working_set_kib; /* of each VM at the mean rate; with more users more; 0: small */
};

struct user_state {
    double phase; /* of the wave, 0..1 */
    double noise; /* in deviations */
    int64_t crowd_from_ms;
};

void users_start(const struct user_pattern *pattern, struct rng *rng, struct user_state *state);

/* Requests per second from now on; called once every step_ms. */
double users_rate(const struct user_pattern *pattern, struct user_state *state, struct rng *rng,
                  int64_t now_ms, int64_t step_ms);

#endif
