// SPDX-License-Identifier: Apache-2.0
#include "schedulers/profile_probe.h"

#include <math.h>

#define STEP_MOST    2.0 /* of the first steps, by the ratio rule */
#define TOLERANCE    0.005
#define NOISE_FACTOR 4.0 /* so many times the noise apart, two probes tell a slope */

void profile_probe_start(struct profile_probe *probe, double target, const double limits[2],
                         double start_pct)
{
    *probe = (struct profile_probe){
        .target = target,
        .tolerance = TOLERANCE,
        .least_pct = limits[0],
        .most_pct = limits[1],
        .next_pct = fmin(fmax(start_pct, limits[0]), limits[1]),
        .low_pct = limits[0],
        .high_pct = limits[1],
    };
}

/* The probe to draw the line through, with the newest: the nearest to the target of those that
 * are far enough apart for the noise; the farthest when none is. UINT32_MAX: there is none. */
static uint32_t partner(const struct profile_probe *probe)
{
    const uint32_t last = probe->count - 1;
    const double wanted = 1.0 / probe->target;
    uint32_t best = UINT32_MAX;
    double best_distance = HUGE_VAL;
    uint32_t farthest = UINT32_MAX;
    double farthest_apart = 0.0;
    for (uint32_t i = 0; i < last; i++) {
        if (!(probe->speeds[i] > 0.0)) {
            continue; /* it did not keep up: not on the line */
        }
        const double apart = fabs(probe->speeds[last] - probe->speeds[i]);
        const double distance = fabs(probe->speeds[i] - wanted);
        if (apart > NOISE_FACTOR * probe->noise * probe->speeds[last] &&
            distance <= best_distance) {
            best = i;
            best_distance = distance;
        }
        if (apart >= farthest_apart) {
            farthest = i;
            farthest_apart = apart;
        }
    }
    return best != UINT32_MAX ? best : farthest;
}

static double ratio_step(const struct profile_probe *probe, double r, double speed)
{
    const double ratio = speed > 0.0 ? 1.0 / (speed * probe->target) : STEP_MOST;
    return r * fmin(fmax(ratio, 1.0 / STEP_MOST), STEP_MOST);
}

/* The hyperbola x = A / (r - B) + C through the three newest probes: exact where a part of the
 * time does not depend on the CPU. NAN: there are no three, or they say nothing. */
static double hyperbola_step(const struct profile_probe *probe)
{
    double r[3] = {0};
    double x[3] = {0};
    uint32_t count = 0;
    for (uint32_t i = probe->count; i > 0 && count < 3; i--) {
        if (probe->speeds[i - 1] > 0.0) {
            r[count] = probe->r_pct[i - 1];
            x[count++] = 1.0 / probe->speeds[i - 1];
        }
    }
    if (count < 3 || probe->noise > 0.0) {
        return (double)NAN;
    }
    /* Such a map keeps the cross-ratio of four points. */
    const double ratio = (probe->target - x[0]) * (x[1] - x[2]) * (r[1] - r[0]) /
                         ((probe->target - x[2]) * (x[1] - x[0]) * (r[1] - r[2]));
    const double step = (r[0] - ratio * r[2]) / (1.0 - ratio);
    return isfinite(step) ? step : (double)NAN;
}

static double secant_step(const struct profile_probe *probe)
{
    const uint32_t last = probe->count - 1;
    const double r = probe->r_pct[last];
    const double speed = probe->speeds[last];
    const uint32_t other = speed > 0.0 ? partner(probe) : UINT32_MAX;
    if (other == UINT32_MAX) {
        return ratio_step(probe, r, speed);
    }
    const double slope = (speed - probe->speeds[other]) / (r - probe->r_pct[other]);
    if (!isfinite(slope) || !(slope > 0.0)) {
        return ratio_step(probe, r, speed);
    }
    return r + (1.0 / probe->target - speed) / slope;
}

/* Inside what is known: measured ends are not tried again. */
static double inside(const struct profile_probe *probe, double r)
{
    if (!(probe->high_pct > probe->low_pct) || probe->noise > 0.0) {
        return fmin(fmax(r, probe->least_pct), probe->most_pct);
    }
    const bool below = r <= probe->low_pct && probe->low_pct > probe->least_pct;
    const bool above = r >= probe->high_pct && probe->high_pct < probe->most_pct;
    if (below || above) {
        return 0.5 * (probe->low_pct + probe->high_pct);
    }
    return fmin(fmax(r, probe->least_pct), probe->most_pct);
}

void profile_probe_tell(struct profile_probe *probe, double x)
{
    if (probe->done || isnan(x) || !(x > 0.0)) {
        return;
    }
    const double r = probe->next_pct;
    probe->r_pct[probe->count] = r;
    probe->speeds[probe->count] = isinf(x) ? 0.0 : 1.0 / x;
    probe->count++;
    if (fabs(x / probe->target - 1.0) <= probe->tolerance) {
        probe->done = true;
        return;
    }
    if (x > probe->target) {
        probe->low_pct = fmax(probe->low_pct, r);
    } else {
        probe->high_pct = fmin(probe->high_pct, r);
    }
    double next = hyperbola_step(probe);
    if (!(next > probe->low_pct && next < probe->high_pct)) {
        next = inside(probe, secant_step(probe));
    }
    const bool at_limit = !(next < r) && !(next > r);
    probe->done = at_limit || probe->count == PROFILE_PROBES_MAX;
    probe->next_pct = next;
}
