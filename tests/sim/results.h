// SPDX-License-Identifier: Apache-2.0
/* What came out of runs: one line each, and the distribution of many. */
#ifndef TESTS_SIM_RESULTS_H
#define TESTS_SIM_RESULTS_H

#include "world.h"

enum results_format {
    RESULTS_TABLE = 0,
    RESULTS_CSV = 1,
    RESULTS_JSON = 2, /* one object a line; what "arbiter bench" reads */
};

/* Of one run. */
struct result_line {
    uint64_t seed;
    double deviation; /* of the first queue, in parts of its time; NAN: not finished */
    double cpu_s;
    double missed_share; /* of all services' time, as the orchestrator saw it */
    uint32_t decisions;
    uint32_t changes;
    uint64_t hash;
    /* from the truth */
    double under_share;  /* of all services' time with a level under 50 % */
    double mean_level;   /* geometric mean over time and services, by weight */
    double lowest_level; /* mean over time of the service that has the least */
    double change_rate;  /* caps changed per service and control period */
    uint32_t migrations;
    double solve_ms; /* CPU time of one decision */
};

struct result_line results_of(const struct world *world, uint64_t seed);
void results_print(const struct result_line *line, enum results_format format);
void results_summary(const struct result_line *lines, size_t count);

#endif
