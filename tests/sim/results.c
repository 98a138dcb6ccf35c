// SPDX-License-Identifier: Apache-2.0
#include "results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/service_level.h"

#define QUEUE_LATE                                                                             \
    0.05 /* a job that ends with this much less than the floor is in time still */

/* A job has one level, that of its end, for all of its time. */
static double queue_x(const struct world_service *service, int64_t now_ms)
{
    const double end_ms = service->finished_ms > 0 ? service->finish_exact_ms : (double)now_ms;
    return (end_ms - (double)service->applied_ms) / service->within_ms;
}

/* What the truth says of the levels of all services. */
static void judge_levels(const struct world *world, struct result_line *line)
{
    double under = 0.0;
    double counted = 0.0;
    double logs = 0.0;
    double weights = 0.0;
    line->lowest_level = INFINITY;
    for (uint32_t i = 0; i < world->services_count; i++) {
        const struct world_service *service = &world->services[i];
        const double weight = service->objective.weight > 0 ? service->objective.weight : 1.0;
        double level = service->level_sum / service->looks;
        double log_level = service->log_sum / service->looks;
        double part = (double)service->under / service->looks;
        if (service->kind == SERVICE_KIND_QUEUE && service->within_ms > 0) {
            const double x = queue_x(service, world->now_ms);
            if (service->finished_ms == 0 && x < 1.0) {
                continue; /* not done, and not late yet */
            }
            level = service_level(&service->objective.curve, x);
            log_level = service_level_log(&service->objective.curve, x);
            part = level < SERVICE_LEVEL_FLOOR - QUEUE_LATE ? 1.0 : 0.0;
        } else if (service->looks == 0) {
            continue;
        }
        under += part;
        counted += 1.0;
        logs += weight * log_level;
        weights += weight;
        line->lowest_level = fmin(line->lowest_level, level);
    }
    line->under_share = under / counted;
    line->mean_level = exp(logs / weights);
    line->lowest_level = counted > 0.0 ? line->lowest_level : (double)NAN;
}

struct result_line results_of(const struct world *world, uint64_t seed)
{
    struct result_line line = {.seed = seed,
                               .deviation = (double)NAN,
                               .decisions = world->decisions,
                               .changes = world->changes,
                               .hash = world->hash};
    double time_ms = 0.0;
    double missed_ms = 0.0;
    bool first = true;
    for (uint32_t i = 0; i < world->services_count; i++) {
        const struct world_service *service = &world->services[i];
        line.cpu_s += service->cpu_s;
        const int64_t end_ms = service->finished_ms > 0 ? service->finished_ms : world->now_ms;
        time_ms += (double)(end_ms - service->applied_ms);
        missed_ms += (double)service->missed_ms;
        if (first && service->kind == SERVICE_KIND_QUEUE && service->within_ms > 0) {
            first = false;
            if (service->finished_ms > 0) {
                line.deviation = (service->finish_exact_ms - (double)service->applied_ms) /
                                     service->within_ms -
                                 1.0;
            }
        }
    }
    line.missed_share = time_ms > 0.0 ? missed_ms / time_ms : 0.0;
    const double periods = (double)world->now_ms / world->scenario->period_ms;
    line.change_rate = line.changes / (periods * fmax(world->services_count, 1));
    line.migrations = world->migrations;
    line.solve_ms = world->solves > 0 ? 1000.0 * world->solve_s / world->solves : (double)NAN;
    judge_levels(world, &line);
    return line;
}

/* JSON has no NAN. */
static void print_number(const char *name, double value)
{
    if (isfinite(value)) {
        (void)printf(", \"%s\": %.9g", name, value);
    } else {
        (void)printf(", \"%s\": null", name);
    }
}

static void print_json(const struct result_line *line)
{
    (void)printf("{\"seed\": %llu", (unsigned long long)line->seed);
    print_number("under_50", line->under_share);
    print_number("mean_level", line->mean_level);
    print_number("lowest_level", line->lowest_level);
    print_number("changes", line->change_rate);
    print_number("migrations", line->migrations);
    print_number("cpu_s", line->cpu_s);
    print_number("decision_ms", line->solve_ms);
    print_number("deviation", line->deviation);
    (void)printf(", \"hash\": \"%016llx\"}\n", (unsigned long long)line->hash);
    (void)fflush(stdout); /* somebody shows the progress */
}

void results_print(const struct result_line *line, enum results_format format)
{
    switch (format) {
    case RESULTS_JSON: print_json(line); break;
    case RESULTS_CSV:
        (void)printf("%llu,%.6f,%.3f,%.6f,%u,%u,%016llx\n", (unsigned long long)line->seed,
                     line->deviation, line->cpu_s, line->missed_share, line->decisions,
                     line->changes, (unsigned long long)line->hash);
        break;
    case RESULTS_TABLE:
        (void)printf("seed %llu: deviation %+.4f %%, CPU %.2f min, off target %.2f %% of the "
                     "time, %u decisions, %u caps changed, hash %016llx\n",
                     (unsigned long long)line->seed, line->deviation * 100, line->cpu_s / 60,
                     line->missed_share * 100, line->decisions, line->changes,
                     (unsigned long long)line->hash);
        break;
    }
}

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

static double percentile(const double *sorted, size_t count, double part)
{
    const size_t at = (size_t)(part * (double)(count - 1) + 0.5);
    return count == 0 ? (double)NAN : sorted[at];
}

void results_summary(const struct result_line *lines, size_t count)
{
    double *away = calloc(count, sizeof *away);
    if (away == NULL) {
        return;
    }
    size_t finished = 0;
    size_t late = 0;
    double mean = 0.0;
    double cpu_s = 0.0;
    double decisions = 0.0;
    double changes = 0.0;
    double missed = 0.0;
    double under = 0.0;
    double level = 0.0;
    for (size_t i = 0; i < count; i++) {
        cpu_s += lines[i].cpu_s;
        decisions += lines[i].decisions;
        changes += lines[i].changes;
        missed += lines[i].missed_share;
        under += lines[i].under_share;
        level += lines[i].mean_level;
        if (isnan(lines[i].deviation)) {
            continue;
        }
        away[finished++] = fabs(lines[i].deviation);
        late += lines[i].deviation > 0.001;
        mean += lines[i].deviation;
    }
    qsort(away, finished, sizeof *away, by_value);
    const double runs = (double)count;
    (void)printf("runs %zu, finished %zu\n", count, finished);
    if (finished > 0) {
        (void)printf("deviation from the deadline: mean %+.4f %%, |p50| %.4f %%, |p95| %.4f "
                     "%%, |max| %.4f %%\n",
                     mean / (double)finished * 100, percentile(away, finished, 0.5) * 100,
                     percentile(away, finished, 0.95) * 100, away[finished - 1] * 100);
        (void)printf("late by more than 0.1 %% of the deadline: %.2f %% of the runs\n",
                     (double)late / runs * 100);
    }
    (void)printf("per run: CPU %.2f min, %.1f decisions, %.1f caps changed, off target %.2f %% "
                 "of the time\n",
                 cpu_s / runs / 60, decisions / runs, changes / runs, missed / runs * 100);
    (void)printf("true levels: under 50 %% in %.2f %% of the time, mean %.4f\n",
                 under / runs * 100, level / runs);
    free(away);
}
