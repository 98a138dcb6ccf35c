// SPDX-License-Identifier: Apache-2.0
/* The answer in the form that we keep stable. */
#include <math.h>

#include "common/service_level.h"
#include "orchestrator/client/problem.h"

double problem_mean_level(const struct allocation_problem *problem,
                          const struct allocation_answer *answer)
{
    double weights = 0.0;
    for (uint32_t i = 0; i < problem->services_count; i++) {
        weights += problem->services[i].weight;
    }
    return exp(answer->log_sigma / weights);
}

double problem_x(const struct allocation_service *service, double x)
{
    return fmin(x, SERVICE_LEVEL_X_MAX * service->curve.b);
}

bool problem_is_extrapolated(const struct allocation_service *service, double r_pct)
{
    const struct proposal *model = service->model;
    return model->model == MODEL_KIND_TABLE &&
           (r_pct < model->points[0].cap_pct ||
            r_pct > model->points[model->points_count - 1].cap_pct);
}

bool problem_is_sacrificed(const struct allocation_service_answer *answer)
{
    return answer->sacrificed || answer->missing_pct == UINT32_MAX;
}

bool problem_floors_fit(const struct allocation_problem *problem,
                        const struct allocation_answer *answer)
{
    bool fit = answer->floors_feasible;
    for (uint32_t i = 0; i < problem->services_count; i++) {
        fit = fit && answer->services[i].missing_pct != UINT32_MAX;
    }
    return fit;
}

static json_t *service_tree(const struct allocation_problem *problem,
                            const struct allocation_answer *answer, uint32_t index)
{
    const struct allocation_service *service = &problem->services[index];
    const struct allocation_service_answer *own = &answer->services[index];
    json_t *vms = json_array();
    for (uint32_t k = 0; k < service->vms_count; k++) {
        const uint32_t v = service->first_vm + k;
        json_t *vm = json_pack("{s:s,s:I}", "node", problem->nodes[problem->vms[v].node].name,
                               "cap_pct", (json_int_t)answer->caps_pct[v]);
        if (json_array_append_new(vms, vm) != 0) {
            json_decref(vms);
            return NULL;
        }
    }
    json_t *missing =
        own->missing_pct == UINT32_MAX ? json_null() : json_integer(own->missing_pct);
    json_t *tree =
        json_pack("{s:s,s:f,s:f,s:f,s:b,s:o}", "name", service->name, "r_pct", own->r_pct, "x",
                  problem_x(service, own->x), "level", own->level, "sacrificed",
                  (int)problem_is_sacrificed(own), "missing_pct", missing);
    if (problem_is_extrapolated(service, own->r_pct)) {
        (void)json_object_set_new(tree, "extrapolated", json_true());
    }
    if (json_object_set_new(tree, "vms", vms) != 0) {
        json_decref(tree);
        return NULL;
    }
    return tree;
}

json_t *problem_answer_tree(const struct allocation_problem *problem,
                            const struct allocation_answer *answer, double time_ms)
{
    json_t *services = json_array();
    for (uint32_t i = 0; i < problem->services_count; i++) {
        if (json_array_append_new(services, service_tree(problem, answer, i)) != 0) {
            json_decref(services);
            return NULL;
        }
    }
    return json_pack(
        "{s:i,s:s,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:b,s:o}", "version", PROBLEM_VERSION,
        "objective", problem->objective == ALLOCATION_FLOORS ? "floors" : "product",
        "log_sigma", answer->log_sigma, "mean_level", problem_mean_level(problem, answer),
        "kept_weight", answer->kept_weight, "kept_weight_bound", answer->kept_weight_bound,
        "upper_bound", answer->upper_bound, "gap", answer->upper_bound - answer->log_sigma,
        "time_ms", time_ms, "floors_feasible", (int)problem_floors_fit(problem, answer),
        "services", services);
}
