// SPDX-License-Identifier: Apache-2.0
#include "schedulers/escalation.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/service_level.h"
#include "schedulers/escalation_part.h"
#include "schedulers/model.h"

#define LEVEL_DISTURBED 0.01 /* of a service whose VM is just being moved */
#define WEIGHT_STEP     1e-9 /* kept weights that differ by less are the same */
#define FEWEST_PCT      1    /* the least cap there is */

/* A problem with one step carried out, in memory of its own. */
struct trial {
    struct allocation_problem problem;
    struct allocation_service *services;
    struct allocation_vm *vms;
    struct proposal free_model; /* of the service that gets a VM more */
    struct allocation_answer answer;
};

static void trial_finish(struct trial *trial)
{
    free(trial->services);
    free(trial->vms);
    allocation_answer_finish(&trial->answer);
}

static int trial_init(struct trial *trial, const struct allocation_problem *problem)
{
    memset(trial, 0, sizeof *trial);
    const size_t services = problem->services_count;
    const size_t vms = (size_t)problem->vms_count + 1; /* one may be added */
    trial->services = calloc(services + 1, sizeof *trial->services);
    trial->vms = calloc(vms, sizeof *trial->vms);
    const int rc = allocation_answer_init(&trial->answer, problem->services_count,
                                          problem->vms_count + 1u);
    if (trial->services == NULL || trial->vms == NULL || rc < 0) {
        trial_finish(trial);
        return -ENOMEM;
    }
    return 0;
}

static void trial_reset(struct trial *trial, const struct allocation_problem *problem)
{
    memcpy(trial->services, problem->services,
           problem->services_count * sizeof *trial->services);
    memcpy(trial->vms, problem->vms, problem->vms_count * sizeof *trial->vms);
    trial->problem = *problem;
    trial->problem.services = trial->services;
    trial->problem.vms = trial->vms;
    trial->problem.dead_band = 0.0; /* two optima are compared, not two habits */
    trial->problem.switching_cost = 0.0;
}

static enum coupling coupling_with(enum coupling coupling, uint32_t vms_count)
{
    if (coupling == COUPLING_GANG) {
        return COUPLING_GANG;
    }
    return vms_count == 1 ? COUPLING_SINGLE : COUPLING_SUM;
}

/* The VMs of later services move by one place. */
static void shift_later(struct trial *trial, uint32_t service, int step)
{
    trial->services[service].vms_count =
        (uint32_t)((int64_t)trial->services[service].vms_count + step);
    trial->services[service].coupling =
        coupling_with(trial->services[service].coupling, trial->services[service].vms_count);
    for (uint32_t i = 0; i < trial->problem.services_count; i++) {
        if (trial->services[i].first_vm > trial->services[service].first_vm) {
            trial->services[i].first_vm =
                (uint32_t)((int64_t)trial->services[i].first_vm + step);
        }
    }
    trial->problem.vms_count = (uint32_t)((int64_t)trial->problem.vms_count + step);
}

static void add_vm(struct trial *trial, const struct escalation_candidate *candidate)
{
    const struct allocation_service *service = &trial->services[candidate->service];
    const uint32_t at = service->first_vm + service->vms_count;
    memmove(&trial->vms[at + 1], &trial->vms[at],
            (trial->problem.vms_count - at) * sizeof *trial->vms);
    trial->vms[at] = (struct allocation_vm){.node = candidate->node,
                                            .min_cap_pct = candidate->min_cap_pct,
                                            .max_cap_pct = candidate->max_cap_pct,
                                            .memory_kib = candidate->memory_kib};
    shift_later(trial, candidate->service, 1);
}

/* What a scheduler wants never exceeds what its VMs may have: with one more it may want more.
 */
static void free_want(struct trial *trial, uint32_t index)
{
    struct allocation_service *service = &trial->services[index];
    uint64_t most = 0;
    for (uint32_t k = 0; k < service->vms_count; k++) {
        most += trial->vms[service->first_vm + k].max_cap_pct;
    }
    if (service->model->want_pct >= most && service->model->model != MODEL_KIND_FIXED) {
        trial->free_model = *service->model;
        trial->free_model.want_pct = 0;
        service->model = &trial->free_model;
    }
}

static void remove_vm(struct trial *trial, const struct escalation_candidate *candidate)
{
    memmove(&trial->vms[candidate->vm], &trial->vms[candidate->vm + 1],
            (trial->problem.vms_count - candidate->vm - 1) * sizeof *trial->vms);
    shift_later(trial, candidate->service, -1);
}

/* Of VMs that get another number of VCPUs; never below what they must have. */
static void limit_caps(struct trial *trial, const struct escalation_candidate *candidate)
{
    for (uint32_t k = 0; k < candidate->vms_count; k++) {
        struct allocation_vm *vm = &trial->vms[candidate->vm + k];
        if (!vm->fixed) {
            vm->max_cap_pct = candidate->max_cap_pct > vm->min_cap_pct ? candidate->max_cap_pct
                                                                       : vm->min_cap_pct;
        }
    }
}

/* Hardly any CPU stands for none: a VM of a problem has some. */
static void pause_vms(struct trial *trial, const struct escalation_candidate *candidate)
{
    for (uint32_t k = 0; k < candidate->vms_count; k++) {
        struct allocation_vm *vm = &trial->vms[candidate->vm + k];
        vm->fixed = false;
        vm->min_cap_pct = FEWEST_PCT;
        vm->max_cap_pct = FEWEST_PCT;
    }
}

static bool takes_away(enum escalation_kind kind)
{
    return kind == ESCALATION_REMOVE_VM || kind == ESCALATION_FEWER_VCPUS;
}

static bool is_memory(const struct escalation_candidate *candidate)
{
    return candidate->memory_kib > 0 && candidate->x_now >= 0.0 && candidate->x_then >= 0.0;
}

static bool is_valid(const struct allocation_problem *problem,
                     const struct escalation_candidate *candidate)
{
    if (candidate->service >= problem->services_count) {
        return false;
    }
    const struct allocation_service *service = &problem->services[candidate->service];
    const bool its_vm = candidate->vm >= service->first_vm &&
                        candidate->vm < service->first_vm + service->vms_count;
    switch (candidate->kind) {
    case ESCALATION_ADD_VM:
        return candidate->node < problem->nodes_count && candidate->min_cap_pct >= FEWEST_PCT &&
               candidate->min_cap_pct <= candidate->max_cap_pct;
    case ESCALATION_MOVE_VM: return candidate->node < problem->nodes_count && its_vm;
    case ESCALATION_REMOVE_VM: return its_vm && service->vms_count > 1;
    case ESCALATION_MORE_VCPUS:
    case ESCALATION_FEWER_VCPUS:
        return its_vm && candidate->vms_count > 0 && candidate->max_cap_pct >= FEWEST_PCT &&
               candidate->vms_count <= service->first_vm + service->vms_count - candidate->vm;
    case ESCALATION_PAUSE:
        return candidate->vm == service->first_vm &&
               candidate->vms_count == service->vms_count && candidate->vms_count > 0 &&
               candidate->helped < problem->services_count &&
               candidate->helped != candidate->service;
    case ESCALATION_FREE_MEMORY:
        return its_vm && is_memory(candidate) && candidate->helped < problem->services_count &&
               candidate->helped != candidate->service;
    case ESCALATION_MORE_MEMORY: return its_vm && is_memory(candidate);
    }
    return false;
}

static void carry_out(struct trial *trial, const struct escalation_candidate *candidate)
{
    switch (candidate->kind) {
    case ESCALATION_ADD_VM:
        free_want(trial, candidate->service);
        add_vm(trial, candidate);
        break;
    case ESCALATION_MOVE_VM: trial->vms[candidate->vm].node = candidate->node; break;
    case ESCALATION_REMOVE_VM: remove_vm(trial, candidate); break;
    case ESCALATION_MORE_VCPUS:
        free_want(trial, candidate->service);
        limit_caps(trial, candidate);
        break;
    case ESCALATION_FEWER_VCPUS: limit_caps(trial, candidate); break;
    case ESCALATION_PAUSE: pause_vms(trial, candidate); break;
    case ESCALATION_MORE_MEMORY:
    case ESCALATION_FREE_MEMORY: break; /* nothing of it is in the problem */
    }
}

/* Weight of the services at their floor, whatever guard the allocation aimed at. */
static double weight_at_floor(const struct trial *trial)
{
    double weight = 0.0;
    for (uint32_t i = 0; i < trial->problem.services_count; i++) {
        if (trial->answer.services[i].level >= SERVICE_LEVEL_FLOOR) {
            weight += trial->services[i].weight;
        }
    }
    return weight;
}

static bool is_worthwhile(const struct trial *trial,
                          const struct escalation_candidate *candidate,
                          const struct escalation_judgement *judgement)
{
    if (candidate->kind == ESCALATION_PAUSE) {
        return judgement->kept_gain > WEIGHT_STEP && judgement->level >= SERVICE_LEVEL_FLOOR &&
               trial->services[candidate->service].weight <=
                   trial->services[candidate->helped].weight;
    }
    if (takes_away(candidate->kind)) {
        return judgement->kept_gain > -WEIGHT_STEP && judgement->gain > -candidate->cost;
    }
    if (judgement->kept_gain > WEIGHT_STEP) {
        return true;
    }
    return judgement->kept_gain > -WEIGHT_STEP && judgement->gain > candidate->cost;
}

/* The optimum of a part without any step. */
struct before {
    double kept;
    double value;
};

static int solve_before(struct trial *trial, const struct allocation_problem *part,
                        struct before *out, struct err *err)
{
    trial_reset(trial, part);
    const int rc = allocation_solve(&trial->problem, &trial->answer, err);
    if (rc == 0) {
        out->kept = weight_at_floor(trial);
        out->value = trial->answer.log_sigma;
    }
    return rc;
}

static int judge(struct trial *trial, const struct allocation_problem *part,
                 const struct escalation_candidate *candidate, const struct before *before,
                 struct escalation_judgement *out, struct err *err)
{
    trial_reset(trial, part);
    carry_out(trial, candidate);
    *out = (struct escalation_judgement){0};
    const int rc = allocation_solve(&trial->problem, &trial->answer, err);
    if (rc == -ENOSPC) { /* the minimum caps of the target do not fit: no step */
        return 0;
    }
    if (rc == 0) {
        out->kept_gain = weight_at_floor(trial) - before->kept;
        out->gain = trial->answer.log_sigma - before->value;
        const bool is_pause = candidate->kind == ESCALATION_PAUSE;
        const uint32_t shown = is_pause ? candidate->helped : candidate->service;
        out->level = trial->answer.services[shown].level;
        out->floors_feasible = trial->answer.floors_feasible;
        out->worthwhile = is_worthwhile(trial, candidate, out);
    }
    return rc;
}

/* Nothing is solved for it: the caps stay as they are. */
static void judge_memory(const struct allocation_problem *problem,
                         const struct escalation_candidate *candidate,
                         struct escalation_judgement *out)
{
    const bool frees = candidate->kind == ESCALATION_FREE_MEMORY;
    const struct allocation_service *service =
        &problem->services[frees ? candidate->helped : candidate->service];
    const double level = service_level(&service->curve, candidate->x_now);
    *out = (struct escalation_judgement){
        .level = service_level(&service->curve, candidate->x_then),
        .gain = service->weight * (service_level_log(&service->curve, candidate->x_then) -
                                   service_level_log(&service->curve, candidate->x_now))};
    if (level < SERVICE_LEVEL_FLOOR && out->level >= SERVICE_LEVEL_FLOOR) {
        out->kept_gain = service->weight;
    }
    out->worthwhile = out->gain > candidate->cost;
}

int escalation_judge(const struct allocation_problem *problem,
                     const struct escalation_candidate *candidates, uint32_t count,
                     struct escalation_judgement *out, struct err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!is_valid(problem, &candidates[i])) {
            return err_set(err, -EINVAL, "candidate %u does not fit the problem", i);
        }
    }
    struct trial trial;
    struct escalation_part part;
    if (trial_init(&trial, problem) != 0) {
        return err_set(err, -ENOMEM, "no memory to judge steps");
    }
    if (escalation_part_init(&part, problem) != 0) {
        trial_finish(&trial);
        return err_set(err, -ENOMEM, "no memory to judge steps");
    }
    struct before before = {0};
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        struct escalation_candidate candidate = candidates[i];
        if (candidate.kind == ESCALATION_MORE_MEMORY ||
            candidate.kind == ESCALATION_FREE_MEMORY) {
            judge_memory(problem, &candidate, &out[i]);
            continue;
        }
        if (escalation_part_take(&part, problem, &candidate)) {
            rc = solve_before(&trial, &part.problem, &before, err);
        }
        if (rc == 0) {
            rc = judge(&trial, &part.problem, &candidate, &before, &out[i], err);
        }
    }
    escalation_part_finish(&part);
    trial_finish(&trial);
    return rc;
}

uint32_t escalation_best(const struct escalation_judgement *judgements, uint32_t count)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        if (!judgements[i].worthwhile) {
            continue;
        }
        const struct escalation_judgement *than = best == UINT32_MAX ? NULL : &judgements[best];
        if (than == NULL || judgements[i].kept_gain > than->kept_gain + WEIGHT_STEP ||
            (judgements[i].kept_gain > than->kept_gain - WEIGHT_STEP &&
             judgements[i].gain > than->gain)) {
            best = i;
        }
    }
    return best;
}

/* What the floor of a service needs in all; what it has where that cannot be told. */
static double floor_need(const struct allocation_service *service, double have_pct)
{
    const double x = service_level_inverse(&service->curve, SERVICE_LEVEL_FLOOR);
    const double need = model_need(service->model, x);
    return isfinite(need) ? need : have_pct;
}

void escalation_slack(const struct allocation_problem *problem,
                      const struct allocation_answer *answer, double *slack_pct)
{
    for (uint32_t j = 0; j < problem->nodes_count; j++) {
        slack_pct[j] = problem->nodes[j].cpu_pct;
    }
    for (uint32_t i = 0; i < problem->services_count; i++) {
        const struct allocation_service *service = &problem->services[i];
        double have = 0.0;
        for (uint32_t k = 0; k < service->vms_count; k++) {
            const uint32_t v = service->first_vm + k;
            have += answer->caps_pct[v] * problem->nodes[problem->vms[v].node].speed;
        }
        const double share = have > 0.0 ? floor_need(service, have) / have : 1.0;
        for (uint32_t k = 0; k < service->vms_count; k++) {
            const uint32_t v = service->first_vm + k;
            const double need = answer->caps_pct[v] * share;
            const double least = problem->vms[v].min_cap_pct;
            slack_pct[problem->vms[v].node] -= need > least ? need : least;
        }
    }
}

double escalation_cost(double weight, double level, uint32_t disturbed_ms, uint32_t horizon_ms)
{
    if (horizon_ms == 0 || !(level > LEVEL_DISTURBED)) {
        return 0.0;
    }
    return weight * log(level / LEVEL_DISTURBED) * disturbed_ms / horizon_ms;
}
