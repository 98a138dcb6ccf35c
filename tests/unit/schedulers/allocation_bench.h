// SPDX-License-Identifier: Apache-2.0
/* An allocation problem that a test fills, and its answer, checked against the rules that
 * always hold. */
#ifndef TESTS_SCHEDULERS_ALLOCATION_BENCH_H
#define TESTS_SCHEDULERS_ALLOCATION_BENCH_H

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/rng.h"
#include "common/service_level.h"
#include "schedulers/allocation.h"
#include "schedulers/model.h"

#define NODES    64
#define SERVICES 640
#define VMS      1280

static struct {
    struct allocation_problem problem;
    struct allocation_node nodes[NODES];
    struct allocation_service services[SERVICES];
    struct proposal models[SERVICES];
    struct allocation_vm vms[VMS];
    struct allocation_answer answer;
    struct allocation_service_answer answers[SERVICES];
    uint32_t caps[VMS];
} t;

static __attribute__((unused)) void start(void)
{
    memset(&t, 0, sizeof t);
    t.problem = (struct allocation_problem){
        .objective = ALLOCATION_FLOORS, .nodes = t.nodes, .services = t.services, .vms = t.vms};
    t.answer.services = t.answers;
    t.answer.caps_pct = t.caps;
}

static __attribute__((unused)) void add_node(uint32_t cpu_pct)
{
    struct allocation_node *node = &t.nodes[t.problem.nodes_count];
    (void)snprintf(node->name, sizeof node->name, "node%u", t.problem.nodes_count++);
    node->cpu_pct = cpu_pct;
    node->speed = 1.0;
}

static __attribute__((unused)) uint32_t add_service(enum coupling coupling, double weight,
                                                    struct proposal model)
{
    const uint32_t index = t.problem.services_count++;
    struct allocation_service *service = &t.services[index];
    t.models[index] = model;
    (void)snprintf(service->name, sizeof service->name, "service%u", index);
    service->weight = weight;
    service->curve = service_level_default_curve();
    service->model = &t.models[index];
    service->coupling = coupling;
    service->first_vm = t.problem.vms_count;
    return index;
}

static __attribute__((unused)) void add_vm(uint32_t node, uint32_t min, uint32_t max,
                                           uint32_t previous)
{
    t.vms[t.problem.vms_count++] = (struct allocation_vm){
        .node = node, .min_cap_pct = min, .max_cap_pct = max, .previous_cap_pct = previous};
    t.services[t.problem.services_count - 1].vms_count++;
}

static __attribute__((unused)) void solve(void)
{
    struct err err = {0};
    const int rc = allocation_solve(&t.problem, &t.answer, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    uint32_t used[NODES] = {0};
    for (uint32_t v = 0; v < t.problem.vms_count; v++) {
        used[t.vms[v].node] += t.caps[v];
        if (!t.vms[v].fixed) {
            cr_assert(t.caps[v] >= t.vms[v].min_cap_pct && t.caps[v] <= t.vms[v].max_cap_pct);
        }
    }
    for (uint32_t j = 0; j < t.problem.nodes_count; j++) {
        cr_assert_leq(used[j], t.nodes[j].cpu_pct);
    }
    cr_assert_geq(t.answer.upper_bound, t.answer.log_sigma - 1e-9);
}

static __attribute__((unused)) struct proposal reciprocal(double demand)
{
    return (struct proposal){.model = MODEL_KIND_RECIPROCAL, .demand_pct = demand};
}

static __attribute__((unused)) struct proposal ps(double a, double b)
{
    return (struct proposal){.model = MODEL_KIND_PS, .a_pct = a, .b_pct = b};
}

#endif
