// SPDX-License-Identifier: Apache-2.0
#include "policy.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/service_level.h"
#include "schedulers/model.h"

#define HALVINGS   60
#define USAGE_FULL 0.8 /* DRS takes a VM for satisfied at this use of what it has */
#define LEAST      0.1 /* percent: a VM that used nothing still has a share */

static const char *const words[] = {"optimizer", "equal",       "proportional",
                                    "usage",     "entitlement", "oracle"};

enum policy policy_named(const char *name)
{
    for (unsigned i = 1; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], name) == 0) {
            return (enum policy)i;
        }
    }
    return POLICY_OPTIMIZER;
}

const char *policy_word(enum policy policy)
{
    return words[policy];
}

/* A VM while its node is shared. */
struct part {
    uint32_t vm;
    double share;
    double least;
    double most;
};

static double taken(const struct part *parts, uint32_t count, double price)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        sum += fmin(fmax(parts[i].share * price, parts[i].least), parts[i].most);
    }
    return sum;
}

/* Every part its share times one common number, between its least and its most. */
static void fill(const struct part *parts, uint32_t count, double room, double *out)
{
    double low = 0.0;
    double high = 1.0;
    for (int i = 0; i < HALVINGS && taken(parts, count, high) < room; i++) {
        high *= 2.0;
    }
    for (int i = 0; i < HALVINGS; i++) {
        const double middle = (low + high) / 2.0;
        if (taken(parts, count, middle) > room) {
            high = middle;
        } else {
            low = middle;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        out[parts[i].vm] = fmin(fmax(parts[i].share * low, parts[i].least), parts[i].most);
    }
}

static uint32_t service_of(const struct allocation_problem *problem, uint32_t vm)
{
    for (uint32_t i = 0; i < problem->services_count; i++) {
        const struct allocation_service *service = &problem->services[i];
        if (vm >= service->first_vm && vm < service->first_vm + service->vms_count) {
            return i;
        }
    }
    return 0;
}

static double share_of(enum policy policy, const struct allocation_problem *problem,
                       const struct policy_truth *truth, uint32_t service)
{
    const double vms = problem->services[service].vms_count;
    const struct policy_truth *known = &truth[service];
    if (policy == POLICY_PROPORTIONAL) {
        return fmax(known->mean_load_per_s * known->request_cpu_ms / 10.0 / vms, LEAST);
    }
    if (policy == POLICY_USAGE) {
        return fmax(known->used_pct / vms, LEAST);
    }
    return policy == POLICY_ENTITLEMENT ? problem->services[service].weight : 1.0;
}

/* The VMs of a node, each with its share. */
static uint32_t list_parts(enum policy policy, const struct allocation_problem *problem,
                           const struct policy_truth *truth, uint32_t node, struct part *parts)
{
    uint32_t count = 0;
    for (uint32_t v = 0; v < problem->vms_count; v++) {
        const struct allocation_vm *vm = &problem->vms[v];
        if (vm->node != node) {
            continue;
        }
        const uint32_t service = service_of(problem, v);
        const double used = truth[service].used_pct / problem->services[service].vms_count;
        struct part *part = &parts[count++];
        part->vm = v;
        part->share = share_of(policy, problem, truth, service);
        part->least = vm->fixed ? vm->previous_cap_pct : vm->min_cap_pct;
        part->most = vm->fixed ? vm->previous_cap_pct : vm->max_cap_pct;
        if (policy == POLICY_ENTITLEMENT) {
            part->most = fmax(fmin(part->most, used / USAGE_FULL), part->least);
        }
    }
    return count;
}

static void share_node(enum policy policy, const struct allocation_problem *problem,
                       const struct policy_truth *truth, uint32_t node, struct part *parts,
                       double *caps)
{
    const uint32_t count = list_parts(policy, problem, truth, node, parts);
    fill(parts, count, problem->nodes[node].cpu_pct, caps);
    if (policy != POLICY_ENTITLEMENT) {
        return;
    }
    /* What nobody demands is shared again, above what each already has. */
    for (uint32_t i = 0; i < count; i++) {
        const struct allocation_vm *vm = &problem->vms[parts[i].vm];
        parts[i].least = caps[parts[i].vm];
        parts[i].most =
            fmax(vm->fixed ? vm->previous_cap_pct : vm->max_cap_pct, parts[i].least);
    }
    fill(parts, count, problem->nodes[node].cpu_pct, caps);
}

/* Mean response time of processor sharing on c CPUs where one request uses at most one
 * (Sakasegawa); INFINITY when they do not suffice. */
static double response_ms(double request_ms, double load_cpus, double c)
{
    if (load_cpus >= c) {
        return INFINITY;
    }
    const double rho = load_cpus / c;
    const double m = fmax(c, 1.0);
    const double wait = pow(rho, sqrt(2.0 * (m + 1.0)) - 1.0) / (m * (1.0 - rho));
    return request_ms / fmin(c, 1.0) * (1.0 + wait);
}

/* x of the service over its CPU, as its plant has it. */
static void true_model(const struct policy_truth *truth, uint32_t vms, double most_pct,
                       struct proposal *out)
{
    const double load_cpus = truth->load_per_s * truth->request_cpu_ms / 1000.0 / vms;
    const double low = fmax(load_cpus * 100.0 * vms * 1.01, 1.0);
    const double factor = pow(fmax(most_pct / low, 1.01), 1.0 / (CURVE_POINTS_MAX - 2));
    *out = (struct proposal){.model = MODEL_KIND_TABLE};
    out->points[out->points_count++] =
        (struct curve_point){.cap_pct = 1, .x = SERVICE_LEVEL_X_MAX};
    double r_pct = low;
    for (uint32_t i = 1; i < CURVE_POINTS_MAX; i++) {
        const uint32_t cap = (uint32_t)ceil(r_pct);
        const double x =
            response_ms(truth->request_cpu_ms, load_cpus, cap / 100.0 / vms) / truth->target_ms;
        r_pct *= factor;
        struct curve_point *last = &out->points[out->points_count - 1];
        if (cap > last->cap_pct && x < last->x) {
            out->points[out->points_count++] = (struct curve_point){.cap_pct = cap, .x = x};
        }
    }
}

static int solve_with_truth(const struct allocation_problem *problem,
                            const struct policy_truth *truth, struct allocation_answer *answer,
                            struct err *err)
{
    struct allocation_service *services = calloc(problem->services_count, sizeof *services);
    struct proposal *models = calloc(problem->services_count, sizeof *models);
    int rc = services == NULL || models == NULL ? err_set(err, -ENOMEM, "no memory") : 0;
    for (uint32_t i = 0; rc == 0 && i < problem->services_count; i++) {
        services[i] = problem->services[i];
        if (!(truth[i].target_ms > 0.0)) {
            continue; /* not a web service: its own model */
        }
        double most_pct = 0.0;
        for (uint32_t v = 0; v < services[i].vms_count; v++) {
            most_pct += problem->vms[services[i].first_vm + v].max_cap_pct;
        }
        true_model(&truth[i], services[i].vms_count, most_pct, &models[i]);
        services[i].model = &models[i];
    }
    if (rc == 0) {
        struct allocation_problem known = *problem;
        known.services = services;
        known.dead_band = 0.0;
        known.switching_cost = 0.0;
        known.sticky_weight = 0.0;
        known.return_margin = 0.0;
        rc = allocation_solve(&known, answer, err);
    }
    free(services);
    free(models);
    return rc;
}

int policy_solve(enum policy policy, const struct allocation_problem *problem,
                 const struct policy_truth *truth, struct allocation_answer *answer,
                 struct err *err)
{
    if (policy == POLICY_ORACLE) {
        return solve_with_truth(problem, truth, answer, err);
    }
    struct part *parts = calloc(problem->vms_count, sizeof *parts);
    double *caps = calloc(problem->vms_count, sizeof *caps);
    const int rc = parts == NULL || caps == NULL ? err_set(err, -ENOMEM, "no memory") : 0;
    for (uint32_t j = 0; rc == 0 && j < problem->nodes_count; j++) {
        share_node(policy, problem, truth, j, parts, caps);
    }
    for (uint32_t v = 0; rc == 0 && v < problem->vms_count; v++) {
        answer->caps_pct[v] = (uint32_t)fmax(floor(caps[v] + 1e-6), 1.0);
    }
    for (uint32_t i = 0; rc == 0 && i < problem->services_count; i++) {
        const struct allocation_service *service = &problem->services[i];
        double r_pct = 0.0;
        for (uint32_t v = 0; v < service->vms_count; v++) {
            r_pct += answer->caps_pct[service->first_vm + v];
        }
        const double x = model_predict(service->model, r_pct);
        answer->services[i] = (struct allocation_service_answer){
            .r_pct = r_pct, .x = x, .level = service_level(&service->curve, x)};
    }
    free(parts);
    free(caps);
    return rc;
}
