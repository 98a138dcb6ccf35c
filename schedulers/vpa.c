// SPDX-License-Identifier: Apache-2.0
/*
 * The recommender of Kubernetes' vertical autoscaler with its constants: a histogram of the CPU
 * in use, buckets that grow by 5 %, samples that count half after 24 h; the target is the 90th
 * percentile plus 15 %. The caps follow where they leave the range between the 50th and the
 * 95th percentile, which is the wider the shorter the history is, or, after 12 h, where they
 * differ by more than 10 %. It knows nothing of users. A baseline.
 */
#include <math.h>
#include <string.h>

#include "schedulers/builtin.h"
#include "schedulers/model.h"

#define BUCKETS       176 /* the last one begins at 5 times 20 CPUs */
#define FIRST_CPUS    0.001
#define GROWTH        1.05
#define HALF_LIFE_MS  (24.0 * 3600 * 1000)
#define DAY_MS        (24.0 * 3600 * 1000)
#define MARGIN        1.15
#define LEAST_CPUS    0.025
#define SAMPLE_LEAST  0.1 /* weight of a sample: the CPUs granted, at least this */
#define CHANGE_LEAST  0.1
#define OLD_MS        (12ll * 3600 * 1000)
#define LOWER_PART    0.5
#define TARGET_PART   0.9
#define UPPER_PART    0.95
#define PERIODS_LEAST 2 /* samples before anything is recommended */

struct vpa_state {
    bool started;
    uint32_t samples;
    uint32_t cap_pct;
    int64_t first_ms;
    int64_t newest_ms;
    int64_t changed_ms;
    float weights[BUCKETS];
};
_Static_assert(sizeof(struct vpa_state) <= SCHEDULER_STATE_BYTES, "state fits its buffer");

static double bucket_start(uint32_t bucket)
{
    return FIRST_CPUS * (pow(GROWTH, bucket) - 1.0) / (GROWTH - 1.0);
}

static uint32_t bucket_of(double cpus)
{
    const double bucket = log1p(cpus * (GROWTH - 1.0) / FIRST_CPUS) / log(GROWTH);
    return bucket < BUCKETS - 1 ? (uint32_t)bucket : BUCKETS - 1;
}

static void add_sample(struct vpa_state *state, const struct service_view *view)
{
    if (!state->started) {
        *state = (struct vpa_state){.started = true,
                                    .first_ms = view->now_ms,
                                    .newest_ms = view->now_ms,
                                    .changed_ms = view->now_ms,
                                    .cap_pct = view->cap_pct};
    }
    const double fading = pow(0.5, (double)(view->now_ms - state->newest_ms) / HALF_LIFE_MS);
    for (uint32_t i = 0; i < BUCKETS; i++) {
        state->weights[i] *= (float)fading;
    }
    state->weights[bucket_of(view->cpu_used_pct / 100.0)] +=
        (float)fmax(view->cap_pct / 100.0, SAMPLE_LEAST);
    state->newest_ms = view->now_ms;
    state->samples++;
    if (state->cap_pct != view->cap_pct) {
        state->cap_pct = view->cap_pct;
        state->changed_ms = view->now_ms;
    }
}

/* The end of the bucket that this part of the samples lies in, in CPUs. */
static double percentile(const struct vpa_state *state, double part)
{
    double total = 0.0;
    for (uint32_t i = 0; i < BUCKETS; i++) {
        total += (double)state->weights[i];
    }
    double sum = 0.0;
    for (uint32_t i = 0; i < BUCKETS; i++) {
        sum += (double)state->weights[i];
        if (sum >= part * total) {
            return bucket_start(i + 1);
        }
    }
    return bucket_start(BUCKETS);
}

static double recommend(const struct vpa_state *state, double part)
{
    return fmax(percentile(state, part) * MARGIN, LEAST_CPUS) * 100.0;
}

static bool must_change(const struct vpa_state *state, double want, int64_t now_ms)
{
    /* By the minute, as its samples come. */
    const double days = fmax((double)(state->newest_ms - state->first_ms) / DAY_MS, 1e-6);
    const double lower = recommend(state, LOWER_PART) * pow(1.0 + 0.001 / days, -2.0);
    const double upper = recommend(state, UPPER_PART) * (1.0 + 1.0 / days);
    const double cap = state->cap_pct;
    const bool old = now_ms - state->changed_ms >= OLD_MS;
    return cap < lower || cap > upper || (old && fabs(want - cap) > CHANGE_LEAST * cap);
}

static void propose(struct scheduler_state *memory, const struct service_view *view,
                    const struct profile_use *profile, struct proposal *out)
{
    (void)profile;
    model_hold(view, REASON_STALE, out);
    if (view->cap_pct == 0 || !isfinite(view->cpu_used_pct) || view->cpu_used_pct < 0.0) {
        return;
    }
    struct vpa_state state;
    memcpy(&state, memory->bytes, sizeof state);
    add_sample(&state, view);
    memcpy(memory->bytes, &state, sizeof state);
    out->reason = REASON_NONE;
    const double want = recommend(&state, TARGET_PART);
    if (state.samples < PERIODS_LEAST || !must_change(&state, want, view->now_ms)) {
        return;
    }
    out->want_pct = model_clamp_want(view, want);
    out->reason = (uint32_t)(out->want_pct > view->cap_pct   ? REASON_LEVEL_LOW
                             : out->want_pct < view->cap_pct ? REASON_LEVEL_SPARE
                                                             : REASON_NONE);
}

const struct scheduler scheduler_vpa = {
    .name = "vpa",
    .summary = "a baseline: 90th percentile of the CPU in use plus 15 %, as Kubernetes' VPA",
    .propose = propose,
};
