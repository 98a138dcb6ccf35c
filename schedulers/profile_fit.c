// SPDX-License-Identifier: Apache-2.0
/* What keeps a profile true: correction, alarm, and the laws that need no profile. */
#include <math.h>

#include "schedulers/profile.h"

#define VARIANCE_MOST 1e12 /* forgetting without news would let it grow without end */

void profile_fit_start(struct profile_fit *fit, double offset, double gain,
                       const double variance[2], double forgetting)
{
    *fit = (struct profile_fit){
        .offset = offset,
        .gain = gain,
        .variance = {variance[0], 0.0, variance[1]},
        .variance_start = {variance[0], variance[1]},
        .forgetting = forgetting,
    };
}

void profile_fit_update(struct profile_fit *fit, double z, double x)
{
    if (!isfinite(z) || !isfinite(x) || !(x > 0.0)) {
        return;
    }
    double *p = fit->variance;
    const double by_offset = p[0] + p[1] * z;
    const double by_gain = p[1] + p[2] * z;
    const double scale = fit->forgetting + by_offset + by_gain * z;
    const double error = 1.0 / x - (fit->offset + fit->gain * z);
    fit->offset += by_offset / scale * error;
    fit->gain += by_gain / scale * error;
    const double next[3] = {(p[0] - by_offset * by_offset / scale) / fit->forgetting,
                            (p[1] - by_offset * by_gain / scale) / fit->forgetting,
                            (p[2] - by_gain * by_gain / scale) / fit->forgetting};
    if (next[0] < VARIANCE_MOST && next[2] < VARIANCE_MOST) {
        p[0] = next[0];
        p[1] = next[1];
        p[2] = next[2];
    }
}

double profile_fit_predict(const struct profile_fit *fit, double z)
{
    const double speed = fit->offset + fit->gain * z;
    return speed > 0.0 ? 1.0 / speed : HUGE_VAL;
}

double profile_fit_need(const struct profile_fit *fit, double x)
{
    if (!(fit->gain > 0.0) || !(x > 0.0)) {
        return HUGE_VAL;
    }
    return (1.0 / x - fit->offset) / fit->gain;
}

void profile_fit_doubt(struct profile_fit *fit)
{
    fit->variance[0] = fit->variance_start[0];
    fit->variance[1] = 0.0;
    fit->variance[2] = fit->variance_start[1];
}

void profile_alarm_start(struct profile_alarm *alarm, double k, double h)
{
    *alarm = (struct profile_alarm){.k = k, .h = h};
}

bool profile_alarm_update(struct profile_alarm *alarm, double deviation)
{
    if (isnan(deviation)) {
        return false; /* nothing was measured: nothing is known */
    }
    alarm->high = fmax(0.0, alarm->high + deviation - alarm->k);
    alarm->low = fmax(0.0, alarm->low - deviation - alarm->k);
    if (alarm->high <= alarm->h && alarm->low <= alarm->h) {
        return false;
    }
    alarm->high = 0.0;
    alarm->low = 0.0;
    return true;
}

double profile_demand(double cpu_used_pct, double load)
{
    return cpu_used_pct >= 0.0 && load > 0.0 ? cpu_used_pct / load : (double)NAN;
}

double profile_response_s(double demand_pct_s, double load, double cap_pct)
{
    const double free_pct = cap_pct - load * demand_pct_s;
    return free_pct > 0.0 ? demand_pct_s / free_pct : HUGE_VAL;
}

double profile_response_factor(double demand_pct, double r_pct, uint32_t vms)
{
    if (!(r_pct > demand_pct)) {
        return HUGE_VAL;
    }
    const double cpus = r_pct / 100.0 / (vms > 0 ? vms : 1);
    const double busy = demand_pct / r_pct;
    const double servers = fmax(cpus, 1.0);
    const double waiting =
        pow(busy, sqrt(2.0 * (servers + 1.0)) - 1.0) / (servers * (1.0 - busy));
    return (1.0 + waiting) / fmin(cpus, 1.0);
}

double profile_best_vcpus(double contention, double coherence)
{
    return coherence > 0.0 ? sqrt(fmax(1.0 - contention, 0.0) / coherence) : HUGE_VAL;
}
