// SPDX-License-Identifier: Apache-2.0
/*
 * Speed and quality of the optimizer on generated clusters: loads x coupling x objective, cold,
 * and again after 2 % of the services changed; then how its time grows. CPU time of one thread;
 * the least of several runs, since other work on the machine only adds to it.
 *
 *     bench_optimizer [--quick] [--nodes N]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/instances.h"

#define SERVICES_PER_NODE 10u
#define CHANGED_PERMILLE  20u

static void fail(const char *text)
{
    (void)fprintf(stderr, "bench_optimizer: %s\n", text);
    exit(1);
}

struct figures {
    double cold_ms;
    double warm_ms;
    double gap; /* nats per node */
    double warm_gap;
    double kept;    /* share of the bound */
    uint32_t below; /* services under their floor although all floors fit */
};

static uint32_t count_below(const struct instance *instance)
{
    uint32_t below = 0;
    for (uint32_t i = 0; i < instance->problem.services_count; i++) {
        below += instance->answer.services[i].level < 0.5 - 1e-9;
    }
    return below;
}

static double gap_of(const struct instance *instance)
{
    return (instance->answer.upper_bound - instance->answer.log_sigma) /
           instance->problem.nodes_count;
}

static double solve_ms(struct instance *instance, struct allocation_memory *memory)
{
    struct err err = {0};
    const double before = instance_cpu_ms();
    const int rc = allocation_solve_again(&instance->problem, memory, &instance->answer, &err);
    const double took = instance_cpu_ms() - before;
    if (rc < 0) {
        fail(err.text);
    }
    return took;
}

static struct figures measure(const struct instance_spec *spec, uint32_t runs)
{
    struct figures out = {.cold_ms = HUGE_VAL, .warm_ms = HUGE_VAL};
    for (uint32_t run = 0; run < runs; run++) {
        struct instance *instance = instance_create(spec);
        struct allocation_memory *memory = allocation_memory_create();
        if (instance == NULL || memory == NULL) {
            fail("no memory");
        }
        out.cold_ms = fmin(out.cold_ms, solve_ms(instance, memory));
        out.gap = gap_of(instance);
        out.kept = instance->answer.kept_weight / instance->answer.kept_weight_bound;
        out.below = instance->answer.floors_feasible ? count_below(instance) : 0;
        for (uint32_t change = 0; change < 3; change++) {
            instance_change(instance, 100 + change, CHANGED_PERMILLE);
            out.warm_ms = fmin(out.warm_ms, solve_ms(instance, memory));
            out.warm_gap = gap_of(instance);
        }
        allocation_memory_destroy(memory);
        instance_destroy(instance);
    }
    return out;
}

static void print_row(const struct instance_spec *spec, const struct figures *figures)
{
    (void)printf("%7u %8u %-8s %-8s %5.2f %9.1f %9.1f %10.1e %10.1e %8.2f %6u\n", spec->nodes,
                 spec->services, spec->objective == ALLOCATION_FLOORS ? "floors" : "product",
                 spec->sum_permille > 0 ? "sum,gang" : "single", spec->load, figures->cold_ms,
                 figures->warm_ms, figures->gap, figures->warm_gap, 100.0 * figures->kept,
                 figures->below);
    (void)fflush(stdout);
}

static void print_table(uint32_t nodes, uint32_t runs)
{
    const double loads[] = {0.7, 0.95, 1.1, 1.3};
    for (uint32_t objective = 0; objective < 2; objective++) {
        for (uint32_t coupled = 0; coupled < 2; coupled++) {
            for (uint32_t i = 0; i < sizeof loads / sizeof *loads; i++) {
                const struct instance_spec spec = {
                    .seed = 1,
                    .nodes = nodes,
                    .services = nodes * SERVICES_PER_NODE,
                    .load = loads[i],
                    .sum_permille = coupled != 0 ? 200 : 0,
                    .gang_permille = coupled != 0 ? 50 : 0,
                    .objective = objective == 0 ? ALLOCATION_FLOORS : ALLOCATION_PRODUCT,
                };
                const struct figures figures = measure(&spec, runs);
                print_row(&spec, &figures);
            }
        }
    }
}

static void print_growth(void)
{
    for (uint32_t coupled = 0; coupled < 2; coupled++) {
        for (uint32_t nodes = 100; nodes <= 10000; nodes *= 10) {
            const struct instance_spec spec = {
                .seed = 2,
                .nodes = nodes,
                .services = nodes * SERVICES_PER_NODE,
                .load = 0.95,
                .sum_permille = coupled != 0 ? 200 : 0,
                .gang_permille = coupled != 0 ? 50 : 0,
                .objective = ALLOCATION_FLOORS,
            };
            const struct figures figures = measure(&spec, 1);
            print_row(&spec, &figures);
        }
    }
}

int main(int argc, char **argv)
{
    uint32_t nodes = 1000;
    bool quick = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            quick = true;
        } else if (strcmp(argv[i], "--nodes") == 0 && i + 1 < argc) {
            nodes = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else {
            fail("usage: bench_optimizer [--quick] [--nodes N]");
        }
    }
    (void)printf("%7s %8s %-8s %-8s %5s %9s %9s %10s %10s %8s %6s\n", "nodes", "services",
                 "goal", "coupling", "load", "cold ms", "2 % ms", "gap/node", "2 % gap",
                 "kept %", "below");
    print_table(nodes, quick ? 1 : 3);
    if (!quick) {
        print_growth();
    }
    return 0;
}
