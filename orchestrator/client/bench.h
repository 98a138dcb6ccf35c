// SPDX-License-Identifier: Apache-2.0
/*
 * What the verb bench works with: runs of arbiter-sim, one for each scheduler that is compared,
 * and a picture of their first seeds. The simulator is a program of its own: the client links
 * no core of a daemon.
 */
#ifndef ORCHESTRATOR_CLIENT_BENCH_H
#define ORCHESTRATOR_CLIENT_BENCH_H

#include <stdbool.h>

#include "common/err.h"
#include "common/limits.h"

#define BENCH_SCHEDULERS_MAX 16
#define BENCH_SERVICES_MAX   32
#define BENCH_PATH_SIZE      512

/* What is measured in each run; the names are those of arbiter-sim's JSON. */
enum bench_metric {
    BENCH_UNDER_50,
    BENCH_MEAN_LEVEL,
    BENCH_LOWEST_LEVEL,
    BENCH_CHANGES,
    BENCH_MIGRATIONS,
    BENCH_CPU_S,
    BENCH_DECISION_MS,
    BENCH_DEVIATION,
    BENCH_METRICS,
};

struct bench_sum {
    unsigned count; /* of runs that have this metric */
    double sum;
    double squares;
};

struct bench_row {
    char scheduler[NAME_SIZE];
    unsigned runs;
    struct bench_sum sums[BENCH_METRICS];
    char series[BENCH_PATH_SIZE]; /* CSV of the first seed; empty: none */
};

double bench_mean(const struct bench_sum *sum);
/* Of the runs (n - 1); 0 for one run. */
double bench_deviation(const struct bench_sum *sum);

/* Draws levels and CPU over time, a row of panels for each scheduler. -ENOENT: gnuplot is not
 * installed; -EIO: it failed; -E2BIG: more services than BENCH_SERVICES_MAX; -EINVAL: a quote
 * in a path. */
int bench_plot(const char *path, const struct bench_row *rows, unsigned rows_count,
               struct err *err);

#endif
