// SPDX-License-Identifier: Apache-2.0
#include "schedulers/allocation.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/service_level.h"
#include "schedulers/model.h"
#include "schedulers/optimizer/memory.h"

#define EXACT_WORK  20000000u /* of a solution, for components that are small */
#define CAP_PCT_MAX 1000000u  /* of one VM or node: 10,000 CPUs */

static bool is_positive(double value)
{
    return isfinite(value) && value > 0.0;
}

static bool is_not_negative(double value)
{
    return isfinite(value) && value >= 0.0;
}

static int check_vm(const struct allocation_problem *problem, uint32_t v, struct err *err)
{
    const struct allocation_vm *vm = &problem->vms[v];
    if (vm->node >= problem->nodes_count) {
        return err_set(err, -EINVAL, "vm %u: node %u does not exist", v, vm->node);
    }
    if (vm->min_cap_pct < 1 || vm->min_cap_pct > vm->max_cap_pct ||
        vm->max_cap_pct > CAP_PCT_MAX || vm->previous_cap_pct > CAP_PCT_MAX) {
        return err_set(err, -EINVAL, "vm %u: cap range %u..%u is not within 1..%u", v,
                       vm->min_cap_pct, vm->max_cap_pct, CAP_PCT_MAX);
    }
    if (vm->fixed && vm->previous_cap_pct == 0) {
        return err_set(err, -EINVAL, "vm %u: is fixed, but has no cap to keep", v);
    }
    return 0;
}

/* Sums of caps of a service are whole numbers of 32 bits. */
static int check_caps(const struct allocation_problem *problem,
                      const struct allocation_service *service, struct err *err)
{
    uint64_t most_pct = 0;
    for (uint32_t k = 0; k < service->vms_count; k++) {
        most_pct += optimizer_vm_most(&problem->vms[service->first_vm + k]);
    }
    if (most_pct > ALLOCATION_SERVICE_CAP_PCT_MAX) {
        return err_set(err, -EINVAL,
                       "service %s: its largest caps are %llu %% of a CPU in all, at most "
                       "ALLOCATION_SERVICE_CAP_PCT_MAX (%u) are allowed",
                       service->name, (unsigned long long)most_pct,
                       ALLOCATION_SERVICE_CAP_PCT_MAX);
    }
    return 0;
}

static int check_service(const struct allocation_problem *problem, uint32_t index,
                         struct err *err)
{
    const struct allocation_service *it = &problem->services[index];
    const struct level_curve *curve = &it->curve;
    if (!is_not_negative(it->weight)) {
        return err_set(err, -EINVAL, "service %s: weight is not a number from 0 up", it->name);
    }
    if (!is_positive(curve->a) || !is_positive(curve->b) || !is_positive(curve->w)) {
        return err_set(err, -EINVAL, "service %s: curve needs a, b and w above 0", it->name);
    }
    if (it->past < ALLOCATION_PAST_UNKNOWN || it->past > ALLOCATION_PAST_SACRIFICED) {
        return err_set(err, -EINVAL, "service %s: unknown past", it->name);
    }
    if (it->model == NULL || !model_is_valid(it->model)) {
        return err_set(err, -EINVAL, "service %s: its proposal is not valid", it->name);
    }
    if (it->vms_count == 0 || it->first_vm > problem->vms_count ||
        it->vms_count > problem->vms_count - it->first_vm) {
        return err_set(err, -EINVAL, "service %s: its VMs are out of range", it->name);
    }
    switch (it->coupling) {
    case COUPLING_SINGLE:
        if (it->vms_count != 1) {
            return err_set(err, -EINVAL, "service %s: single, but %u VMs", it->name,
                           it->vms_count);
        }
        return check_caps(problem, it, err);
    case COUPLING_SUM:
    case COUPLING_GANG: return check_caps(problem, it, err);
    }
    return err_set(err, -EINVAL, "service %s: unknown coupling", it->name);
}

/* No VM belongs to two services; their ranges may stand in any order. */
static int check_overlap(const struct allocation_problem *problem, struct err *err)
{
    unsigned char *taken = calloc(problem->vms_count + 1u, 1);
    if (taken == NULL) {
        return err_set(err, -ENOMEM, "no memory for %u VMs", problem->vms_count);
    }
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < problem->services_count; i++) {
        const struct allocation_service *it = &problem->services[i];
        for (uint32_t k = 0; rc == 0 && k < it->vms_count; k++) {
            if (taken[it->first_vm + k] != 0) {
                rc = err_set(err, -EINVAL, "service %s: shares a VM with another", it->name);
            }
            taken[it->first_vm + k] = 1;
        }
    }
    free(taken);
    return rc;
}

static int check(const struct allocation_problem *problem, struct err *err)
{
    if (problem->objective != ALLOCATION_FLOORS && problem->objective != ALLOCATION_PRODUCT) {
        return err_set(err, -EINVAL, "unknown objective %d", (int)problem->objective);
    }
    if (!is_not_negative(problem->guard) || problem->guard >= 0.5 ||
        !is_not_negative(problem->switching_cost) || !is_not_negative(problem->dead_band)) {
        return err_set(err, -EINVAL, "guard, switching cost or dead band is out of range");
    }
    if (!is_not_negative(problem->sticky_weight) || !is_not_negative(problem->return_margin)) {
        return err_set(err, -EINVAL, "sticky weight or return margin is out of range");
    }
    for (uint32_t j = 0; j < problem->nodes_count; j++) {
        const struct allocation_node *node = &problem->nodes[j];
        if (!is_positive(node->speed) || node->cpu_pct > CAP_PCT_MAX) {
            return err_set(err, -EINVAL, "node %s: speed or CPU is out of range", node->name);
        }
    }
    for (uint32_t v = 0; v < problem->vms_count; v++) {
        const int rc = check_vm(problem, v, err);
        if (rc < 0) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < problem->services_count; i++) {
        const int rc = check_service(problem, i, err);
        if (rc < 0) {
            return rc;
        }
    }
    return check_overlap(problem, err);
}

/* Fixed VMs, VMs of nobody and the minimums of the others are within every node. */
static int check_room(const struct optimizer *optimizer, struct err *err)
{
    const struct allocation_problem *problem = optimizer->problem;
    uint64_t *sums = calloc(problem->nodes_count + 1u, sizeof *sums);
    if (sums == NULL) {
        return err_set(err, -ENOMEM, "no memory for %u nodes", problem->nodes_count);
    }
    for (uint32_t v = 0; v < problem->vms_count; v++) {
        const struct allocation_vm *vm = &problem->vms[v];
        const uint32_t owner = optimizer->owners[v];
        const bool gang = owner != OPTIMIZER_NONE && !vm->fixed &&
                          optimizer->services[owner].coupling == COUPLING_GANG;
        sums[vm->node] += gang ? optimizer->services[owner].value.lo : optimizer_vm_least(vm);
    }
    int rc = 0;
    for (uint32_t j = 0; rc == 0 && j < problem->nodes_count; j++) {
        if (sums[j] > problem->nodes[j].cpu_pct) {
            rc = err_set(err, -ENOSPC,
                         "node %s: minimum caps need %llu %% of a CPU in all, it has %u %%",
                         problem->nodes[j].name, (unsigned long long)sums[j],
                         problem->nodes[j].cpu_pct);
        }
    }
    free(sums);
    return rc;
}

static uint32_t missing_pct(const struct optimizer_service *it, double r)
{
    const double missing = it->need_r - r;
    if (!(missing > VALUE_TOLERANCE)) {
        return 0;
    }
    return missing < CAP_PCT_MAX ? (uint32_t)ceil(missing - VALUE_TOLERANCE) : UINT32_MAX;
}

/* What came out for the services of a component, with the floors that were used for it. */
static void note_services(const struct optimizer *optimizer, const struct component *component,
                          struct allocation_memory *memory)
{
    for (uint32_t k = 0; k < component->services_count; k++) {
        const uint32_t i = component->services[k];
        const struct optimizer_service *it = &optimizer->services[i];
        const struct allocation_service *service = &optimizer->problem->services[i];
        const double r = optimizer_r(optimizer, i);
        const double x = model_predict(service->model, r);
        const bool held = r >= it->need_r - VALUE_TOLERANCE;
        memory->services[i] = (struct allocation_service_answer){
            .r_pct = r,
            .x = x,
            .level = service_level(&service->curve, x),
            .sacrificed = it->reachable && !held,
            .missing_pct = missing_pct(it, r),
        };
        memory->values[i] = it->counts ? value_at_r(&it->value, r) : 0.0;
        for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
            memory->caps[v] = optimizer->caps[v];
        }
    }
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        const uint32_t node = component->nodes[k];
        memory->prices[node] = optimizer->nodes[node].price;
        memory->prints[node] = memory->new_prints[node];
    }
}

static void fill_answer(const struct optimizer *optimizer,
                        const struct allocation_memory *memory,
                        struct allocation_answer *answer)
{
    const struct allocation_problem *problem = optimizer->problem;
    answer->log_sigma = 0.0;
    answer->kept_weight = 0.0;
    answer->floors_feasible = true;
    for (uint32_t i = 0; i < problem->services_count; i++) {
        const struct allocation_service_answer *it = &memory->services[i];
        answer->services[i] = *it;
        answer->kept_weight += it->missing_pct == 0 ? problem->services[i].weight : 0.0;
        answer->floors_feasible = answer->floors_feasible && !it->sacrificed;
        answer->log_sigma += memory->values[i];
    }
    for (uint32_t v = 0; v < problem->vms_count; v++) {
        answer->caps_pct[v] =
            optimizer->owners[v] == OPTIMIZER_NONE ? optimizer->caps[v] : memory->caps[v];
    }
    answer->upper_bound = 0.0;
    answer->kept_weight_bound = 0.0;
    for (uint32_t c = 0; c < optimizer->components_count; c++) {
        const struct component_result *result =
            &memory->results[optimizer->components[c].nodes[0]];
        answer->upper_bound += result->value_bound;
        answer->kept_weight_bound += result->kept_weight_bound;
    }
}

static int solve(struct optimizer *optimizer, struct allocation_memory *memory, struct err *err)
{
    int rc = check_room(optimizer, err);
    if (rc < 0) {
        return rc;
    }
    optimizer->exact_left = EXACT_WORK;
    optimizer->warm = memory->filled;
    for (uint32_t j = 0; j < optimizer->problem->nodes_count; j++) {
        optimizer->nodes[j].price = memory->prices[j];
    }
    optimizer->last_caps = memory->caps;
    optimizer->memory = memory;
    for (uint32_t c = 0; rc == 0 && c < optimizer->components_count; c++) {
        const struct component *component = &optimizer->components[c];
        if (memory_knows(memory, component)) {
            continue;
        }
        rc = component_solve(optimizer, component, &memory->results[component->nodes[0]]);
        if (rc == 0) {
            note_services(optimizer, component, memory);
        }
    }
    return rc < 0 ? err_set(err, rc, "no memory for %u VMs", optimizer->problem->vms_count) : 0;
}

static int solve_with(const struct allocation_problem *problem,
                      struct allocation_memory *memory, bool once,
                      struct allocation_answer *answer, struct err *err)
{
    int rc = check(problem, err);
    if (rc < 0) {
        memory_forget(memory);
        return rc;
    }
    struct optimizer optimizer = {0};
    rc = memory_open(memory, problem, once);
    rc = rc == 0 ? optimizer_init(&optimizer, problem) : rc;
    if (rc != 0) {
        memory_forget(memory);
        return err_set(err, rc, "no memory for %u VMs", problem->vms_count);
    }
    rc = solve(&optimizer, memory, err);
    if (rc == 0) {
        memory->filled = true;
        fill_answer(&optimizer, memory, answer);
    } else {
        memory_forget(memory);
    }
    optimizer_finish(&optimizer);
    return rc;
}

int allocation_answer_init(struct allocation_answer *answer, uint32_t services_count,
                           uint32_t vms_count)
{
    memset(answer, 0, sizeof *answer);
    answer->services = calloc(services_count + 1u, sizeof *answer->services);
    answer->caps_pct = calloc(vms_count + 1u, sizeof *answer->caps_pct);
    if (answer->services == NULL || answer->caps_pct == NULL) {
        allocation_answer_finish(answer);
        return -ENOMEM;
    }
    return 0;
}

void allocation_answer_finish(struct allocation_answer *answer)
{
    free(answer->services);
    free(answer->caps_pct);
    memset(answer, 0, sizeof *answer);
}

int allocation_solve(const struct allocation_problem *problem, struct allocation_answer *answer,
                     struct err *err)
{
    struct allocation_memory memory = {0};
    const int rc = solve_with(problem, &memory, true, answer, err);
    memory_forget(&memory);
    return rc;
}

int allocation_solve_again(const struct allocation_problem *problem,
                           struct allocation_memory *memory, struct allocation_answer *answer,
                           struct err *err)
{
    return memory == NULL ? allocation_solve(problem, answer, err)
                          : solve_with(problem, memory, false, answer, err);
}
