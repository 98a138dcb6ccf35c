// SPDX-License-Identifier: Apache-2.0
/*
 * What the loop counts for /metrics beside the cluster's own numbers: plain data, counted in
 * place, copied for each page. Since the start of this process.
 */
#ifndef ORCHESTRATOR_IO_METRICS_COUNTERS_H
#define ORCHESTRATOR_IO_METRICS_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/io/bus.h"
#include "common/message/node_message.h"
#include "common/model/decision.h"

#define METRICS_SCHEDULERS_MAX 32
#define METRICS_BUCKETS        10 /* and one for all above */

/* Seconds. */
struct metrics_histogram {
    uint64_t buckets[METRICS_BUCKETS + 1]; /* each for itself, not added up */
    uint64_t count;
    double sum_s;
};

enum metrics_socket {
    METRICS_CONTROL,
    METRICS_TELEMETRY,
    METRICS_API,
    METRICS_EVENTS,
    METRICS_SOCKETS
};

#define METRICS_OUTCOMES     (DECISION_OUTCOME_FAILED + 1)
#define METRICS_REFUSALS_MAX 16

struct metrics_counters {
    uint32_t schedulers_count;
    struct {
        char scheduler[NAME_SIZE]; /* "other" when there are too many */
        uint64_t decisions[METRICS_OUTCOMES];
    } schedulers[METRICS_SCHEDULERS_MAX];
    uint64_t newest_decision; /* an outcome that came later is no new decision */
    uint64_t orders_effective;
    uint64_t orders_refused;
    uint64_t orders_failed;
    struct metrics_histogram solve;
    struct metrics_histogram commit;
    uint64_t commits_failed;
    uint64_t commit_writes;
    uint64_t unsent; /* messages whose receiver was gone or too slow */
    uint32_t refused_count;
    struct {
        const char *kind;
        uint64_t count;
    } refused[METRICS_REFUSALS_MAX];
    struct bus_counters bus[METRICS_SOCKETS];
    int64_t wall_ms; /* of this page */
    uint64_t epoch;
};

void metrics_count_seconds(struct metrics_histogram *histogram, double seconds);
void metrics_count_decision(struct metrics_counters *counters, const struct decision *decision);
/* Of an order; one that was only accepted is not counted yet. */
void metrics_count_result(struct metrics_counters *counters, const struct result *result);

/* Upper ends of the buckets. */
extern const double metrics_bucket_ends[METRICS_BUCKETS];

#endif
