// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/io/metrics_counters.h"

#include <stdio.h>
#include <string.h>

const double metrics_bucket_ends[METRICS_BUCKETS] = {0.0001, 0.0003, 0.001, 0.003, 0.01,
                                                     0.03,   0.1,    0.3,   1.0,   3.0};

void metrics_count_seconds(struct metrics_histogram *histogram, double seconds)
{
    int bucket = 0;
    while (bucket < METRICS_BUCKETS && seconds > metrics_bucket_ends[bucket]) {
        bucket++;
    }
    histogram->buckets[bucket]++;
    histogram->count++;
    histogram->sum_s += seconds;
}

void metrics_count_decision(struct metrics_counters *counters, const struct decision *decision)
{
    unsigned outcome = (unsigned)decision->outcome;
    if (decision->id <= counters->newest_decision || outcome >= METRICS_OUTCOMES) {
        return;
    }
    counters->newest_decision = decision->id;
    const char *name = decision->scheduler[0] != '\0' ? decision->scheduler : "person";
    for (uint32_t i = 0; i < METRICS_SCHEDULERS_MAX; i++) {
        if (i == counters->schedulers_count) {
            counters->schedulers_count++;
            bool last = i == METRICS_SCHEDULERS_MAX - 1;
            (void)snprintf(counters->schedulers[i].scheduler, NAME_SIZE, "%s",
                           last ? "other" : name);
        }
        if (strcmp(counters->schedulers[i].scheduler, name) == 0 ||
            i == METRICS_SCHEDULERS_MAX - 1) {
            counters->schedulers[i].decisions[outcome]++;
            return;
        }
    }
}

void metrics_count_result(struct metrics_counters *counters, const struct result *result)
{
    switch (result->state) {
    case RESULT_STATE_EFFECTIVE: counters->orders_effective++; return;
    case RESULT_STATE_REFUSED: counters->orders_refused++; return;
    case RESULT_STATE_FAILED: counters->orders_failed++; return;
    case RESULT_STATE_ACCEPTED:
    case RESULT_STATE_UNSPECIFIED: return;
    }
}
