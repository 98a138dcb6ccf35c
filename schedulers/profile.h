// SPDX-License-Identifier: Apache-2.0
/*
 * The performance profile of an application (common/model/profile.h) as a table
 * load x (cap, vcpus, memory, I/O) -> measured parameter x, and what keeps it true while the
 * service runs: a correction from measurements (profile_fit), an alarm when it is out of date
 * (profile_alarm), and a search for services without one (profile_probe.h).
 *
 * Interpolation is on 1/x, which for queues is close to linear in the CPU and in the load: by
 * PCHIP (Fritsch and Butland 1984) along the caps, linear between loads. It never falls with
 * the cap and never rises with the load.
 *
 * Outside of what was measured the answer is flagged and careful, for somebody decides by it:
 * above the caps nothing is gained; below them 1/x goes on along its slope, and at most in
 * proportion to the cap; below the loads the lowest one counts; above them the CPU of a request
 * stays that of the highest one, so that twice the load counts as half the cap.
 */
#ifndef SCHEDULERS_PROFILE_H
#define SCHEDULERS_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/model/profile.h"

#define PROFILE_CURVES_MAX PROFILE_POINTS_MAX

/* What a VM of the service has. */
struct profile_resources {
    uint32_t vcpus;
    uint64_t memory_kib;
    uint64_t io_kib_s; /* 0: no limit */
};

/* The points of one load and one set of resources, by rising cap. */
struct profile_curve {
    double load;
    struct profile_resources with;
    uint32_t first; /* into speeds, slopes and caps_pct */
    uint32_t count;
};

/* Read by the functions below. */
struct profile_table {
    uint32_t curves_count;
    uint32_t points_count;
    struct profile_curve curves[PROFILE_CURVES_MAX]; /* by resources, then by load */
    double caps_pct[PROFILE_POINTS_MAX];
    double speeds[PROFILE_POINTS_MAX]; /* 1/x */
    double slopes[PROFILE_POINTS_MAX]; /* of 1/x over the cap */
};

struct profile_value {
    double x;          /* INFINITY: it does not keep up */
    bool extrapolated; /* outside of what was measured */
};

/*
 * Sorts the points into a table. Several measurements of one setting count with the mean of
 * 1/x. -EINVAL: a point is out of range; -ENOSPC: too many points. On an error *out is
 * unchanged.
 */
int profile_init(struct profile_table *out, const struct profile_point *points, uint32_t count,
                 struct err *err);

/*
 * x at a load and an allocation. Resources between two measured sets count as the smaller one:
 * more than was measured promises nothing.
 */
struct profile_value profile_predict(const struct profile_table *profile, double load,
                                     double cap_pct, const struct profile_resources *with);

/* The least cap from least_pct to most_pct with which x is reached; INFINITY: none. */
double profile_need(const struct profile_table *profile, double load, double x,
                    const struct profile_resources *with, double most_pct);

/* The highest cap that was measured. */
double profile_most_pct(const struct profile_table *profile);

/*
 * The factor by which x of the table is x against this target; NAN: the profile is of another
 * statistic (mean, p50, p95), so that it says nothing of the target.
 */
double profile_factor(const struct profile *profile, const struct response_time *target);

/* A table as a service uses it. Borrowed by whoever gets it, for the call. */
struct profile_use {
    const struct profile_table *table;
    uint64_t revision;             /* of the profile; never 0 */
    double factor;                 /* profile_factor() */
    struct profile_resources with; /* of each of the service's VMs, the least of them */
};

/* ---- correction by what is measured ---- */

/*
 * Recursive least squares with forgetting: 1/x = offset + gain z, where z is the profile's own
 * 1/x (it starts as offset 0, gain 1) or, without a profile, the CPU r (then x = A / (r - B)
 * with A = 1 / gain, B = -offset / gain).
 */
struct profile_fit {
    double offset;
    double gain;
    double variance[3]; /* of offset, of both together, of gain; in units of the noise */
    double variance_start[2];
    double forgetting; /* in (0, 1]; .98 remembers about 50 measurements */
};

void profile_fit_start(struct profile_fit *fit, double offset, double gain,
                       const double variance[2], double forgetting);
/* Unknown or not positive x changes nothing. */
void profile_fit_update(struct profile_fit *fit, double z, double x);
/* x at z; INFINITY where it does not keep up. */
double profile_fit_predict(const struct profile_fit *fit, double z);
/* The z with this x; INFINITY: none. */
double profile_fit_need(const struct profile_fit *fit, double x);
/* Out of date: what it learnt stays as a start, but counts for little. */
void profile_fit_doubt(struct profile_fit *fit);

/* ---- is it out of date? ---- */

/* Two-sided CUSUM with the reference value k and the threshold h, in standard deviations. At
 * k = .5 and h = 8: one false alarm in 9,483 measurements, two deviations found in 6. */
struct profile_alarm {
    double k;
    double h;
    double high;
    double low;
};

void profile_alarm_start(struct profile_alarm *alarm, double k, double h);
/* log(measured / predicted) over its standard deviation. True: out of date, and it starts
 * anew. */
bool profile_alarm_update(struct profile_alarm *alarm, double deviation);

/* ---- laws ---- */

/* CPU of one request in percent times seconds, from what all of them used; NAN: unknown. */
double profile_demand(double cpu_used_pct, double load);
/* Mean response time in seconds of processor sharing (M/G/1-PS); INFINITY: overloaded. */
double profile_response_s(double demand_pct_s, double load, double cap_pct);
/*
 * Mean response time in parts of what a request takes that has a whole CPU for itself: demand
 * and r in percent of a CPU, spread evenly over this many VMs, where one request uses at most
 * one CPU (Sakasegawa 1977; up to one CPU for each VM it is processor sharing). INFINITY:
 * overloaded.
 */
double profile_response_factor(double demand_pct, double r_pct, uint32_t vms);
/* Universal scalability law: the number of VCPUs behind which more of them slow it down;
 * INFINITY: none. */
double profile_best_vcpus(double contention, double coherence);

#endif
