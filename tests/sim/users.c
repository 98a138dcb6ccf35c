// SPDX-License-Identifier: Apache-2.0
#include "users.h"

#include <math.h>

#define TAU            6.283185307179586
#define NOISE_LASTS_MS 300000.0 /* after this time a deviation is forgotten to 1 / e */
#define RATE_LEAST     0.05     /* of the mean: somebody is always there */

static int64_t next_crowd_ms(const struct user_pattern *pattern, struct rng *rng,
                             int64_t after_ms)
{
    if (pattern->crowd <= 0.0 || pattern->crowd_every_ms <= 0) {
        return INT64_MAX / 2;
    }
    const double wait = -log(1.0 - rng_unit(rng)) * (double)pattern->crowd_every_ms;
    return after_ms + (int64_t)wait;
}

void users_start(const struct user_pattern *pattern, struct rng *rng, struct user_state *state)
{
    state->phase = rng_unit(rng);
    state->noise = rng_normal(rng);
    state->crowd_from_ms = next_crowd_ms(pattern, rng, 0);
}

/* 1 without a crowd, pattern->crowd at its height. */
static double crowd_factor(const struct user_pattern *pattern, struct user_state *state,
                           struct rng *rng, int64_t now_ms)
{
    if (now_ms >= state->crowd_from_ms + pattern->crowd_length_ms) {
        state->crowd_from_ms = next_crowd_ms(pattern, rng, now_ms);
    }
    const int64_t since_ms = now_ms - state->crowd_from_ms;
    if (since_ms < 0) {
        return 1.0;
    }
    const int64_t left_ms = pattern->crowd_length_ms - since_ms;
    const int64_t edge_ms = since_ms < left_ms ? since_ms : left_ms;
    const double height = edge_ms >= pattern->crowd_ramp_ms
                              ? 1.0
                              : (double)edge_ms / (double)pattern->crowd_ramp_ms;
    return 1.0 + (pattern->crowd - 1.0) * height;
}

double users_rate(const struct user_pattern *pattern, struct user_state *state, struct rng *rng,
                  int64_t now_ms, int64_t step_ms)
{
    const double keep = exp(-(double)step_ms / NOISE_LASTS_MS);
    state->noise = keep * state->noise + sqrt(1.0 - keep * keep) * rng_normal(rng);
    double factor = 1.0 + pattern->noise * state->noise;
    if (pattern->wave_ms > 0) {
        const double at = (double)now_ms / (double)pattern->wave_ms + state->phase;
        factor *= 1.0 + pattern->wave * sin(TAU * (at - floor(at)));
    }
    factor = factor < RATE_LEAST ? RATE_LEAST : factor;
    factor *= crowd_factor(pattern, state, rng, now_ms);
    if (pattern->step > 0.0 && now_ms >= pattern->step_at_ms) {
        factor *= pattern->step;
    }
    return pattern->requests_per_s * factor;
}
