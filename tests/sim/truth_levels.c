// SPDX-License-Identifier: Apache-2.0
/*
 * The level that users really had, looked at every 2 s in all hosts at once: of a web service
 * from the response times of its VMs weighted by their requests, of a cluster from its slowest
 * rank. A service with users of which no VM serves has the lowest level there is. And the
 * opposite of truth: what the manager is told when a scenario has noise.
 */
#include <math.h>
#include <string.h>

#include "common/service_level.h"
#include "world.h"

#define NOISE_LEAST 0.2   /* a factor is never less */
#define MISS_COST   200.0 /* response times, for each working set that is not in memory */

void truth_look(struct guest_run *run, const struct domain_reading *domain, uint64_t look,
                int64_t now_ms)
{
    const double cpu_s = (double)domain->cpu_time_ns / 1e9;
    const double passed_s = (double)(now_ms - run->looked_ms) / 1000.0;
    if (run->looked_ms > 0 && passed_s > 0.0) {
        run->cpu_rate_pct = 100.0 * (cpu_s - run->cpu_s_before) / passed_s;
    }
    run->cpu_s_before = cpu_s;
    run->looked_ms = now_ms;
    run->look = look;
    run->response_ms = domain->response_mean_ms;
    run->request_rate = domain->request_rate;
    run->speed_ratio = domain->speed_ratio;
    run->cap_pct = domain->cap_pct;
}

/* measured / target; NAN: nobody can say. */
static double web_x(const struct world *world, const struct world_service *service)
{
    const struct response_time *target = &service->objective.response_time;
    const double mean_ms = target->mean_ms > 0  ? target->mean_ms
                           : target->p50_ms > 0 ? target->p50_ms / TRUTH_P50
                                                : target->p95_ms / TRUTH_P95;
    double sum = 0.0;
    double rates = 0.0;
    for (uint32_t i = 0; i < world->runs_count; i++) {
        const struct guest_run *run = &world->runs[i];
        if (run->look == world->look && truth_belongs(run->vm, service->name) &&
            run->request_rate > 0.0 && !isnan(run->response_ms)) {
            sum += run->request_rate * run->response_ms;
            rates += run->request_rate;
        }
    }
    if (rates > 0.0) {
        return sum / rates / mean_ms;
    }
    /* Before its first answer nobody expects one. */
    return service->looks > 0 && service->requests_per_s > 0.0 ? SERVICE_LEVEL_X_MAX
                                                               : (double)NAN;
}

static double cluster_x(const struct world *world, const struct world_service *service)
{
    double slowest = INFINITY;
    for (uint32_t i = 0; i < world->runs_count; i++) {
        const struct guest_run *run = &world->runs[i];
        if (run->look == world->look && truth_belongs(run->vm, service->name) &&
            !isnan(run->speed_ratio)) {
            slowest = fmin(slowest, run->speed_ratio);
        }
    }
    const double wanted = service->objective.speed_permille / 1000.0;
    return slowest > 0.0 && isfinite(slowest) ? wanted / slowest : (double)NAN;
}

static void add_up(const struct world *world, struct world_service *service)
{
    service->cap_pct = 0;
    service->used_pct = 0.0;
    for (uint32_t i = 0; i < world->runs_count; i++) {
        const struct guest_run *run = &world->runs[i];
        if (run->look == world->look && truth_belongs(run->vm, service->name)) {
            service->cap_pct += run->cap_pct;
            service->used_pct += run->cpu_rate_pct;
        }
    }
}

void truth_levels(struct world *world)
{
    for (uint32_t i = 0; i < world->services_count; i++) {
        struct world_service *service = &world->services[i];
        add_up(world, service);
        double x = (double)NAN;
        if (service->kind == SERVICE_KIND_WEB && service->objective.has_response_time) {
            x = web_x(world, service);
        } else if (service->kind == SERVICE_KIND_CLUSTER) {
            x = cluster_x(world, service);
        }
        service->level = service_level(&service->objective.curve, x);
        if (!isnan(x)) {
            service->looks++;
            service->level_sum += service->level;
            service->log_sum += service_level_log(&service->objective.curve, x);
            service->under += service->level < SERVICE_LEVEL_FLOOR;
        }
        if (world->series != NULL) {
            (void)fprintf(world->series, "%.3f,%s,%.6f,%u,%.1f,%.2f\n",
                          (double)world->now_ms / 1000.0, service->name, service->level,
                          service->cap_pct, service->used_pct, service->requests_per_s);
        }
    }
}

static struct guest_run *run_with(struct world *world, const struct domain_reading *domain)
{
    for (uint32_t i = 0; i < world->runs_count; i++) {
        if (world->runs[i].generation == domain->generation &&
            strcmp(world->runs[i].uuid, domain->uuid) == 0) {
            return &world->runs[i];
        }
    }
    return NULL;
}

static double cpu_error(const struct world *world, const char *vm)
{
    for (uint32_t i = 0; i < world->services_count; i++) {
        if (truth_belongs(vm, world->services[i].name)) {
            return world->services[i].cpu_error;
        }
    }
    return 1.0;
}

static double working_set_kib(struct world *world, const char *vm)
{
    const struct scenario *scenario = world->scenario;
    for (uint32_t i = 0; i < scenario->users_count; i++) {
        const struct user_pattern *pattern = &scenario->users[i];
        const struct world_service *service = truth_service(world, pattern->service);
        if (truth_belongs(vm, pattern->service) && service != NULL &&
            service->mean_per_s > 0.0) {
            return (double)pattern->working_set_kib * service->requests_per_s /
                   service->mean_per_s;
        }
    }
    return 0.0;
}

void truth_memory(struct world *world, struct domain_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct domain_reading *domain = &list->domains[i];
        const double missing = working_set_kib(world, domain->vm) - (double)domain->memory_kib;
        if (!(missing > 0.0) || domain->memory_kib == 0) {
            continue;
        }
        const double factor = 1.0 + MISS_COST * missing / (double)domain->memory_kib;
        domain->response_mean_ms *= factor;
        domain->response_p50_ms *= factor;
        domain->response_p95_ms *= factor;
    }
}

/* One factor for a whole control period: a mean over the period does not take the noise away.
 */
void truth_disturb(struct world *world, struct domain_list *list)
{
    const struct scenario *scenario = world->scenario;
    for (uint32_t i = 0; i < list->count; i++) {
        struct domain_reading *domain = &list->domains[i];
        if (scenario->model_error > 0.0) {
            domain->cpu_time_ns =
                (uint64_t)((double)domain->cpu_time_ns * cpu_error(world, domain->vm));
        }
        struct guest_run *run = scenario->noise > 0.0 ? run_with(world, domain) : NULL;
        if (run == NULL) {
            continue;
        }
        if (world->now_ms >= run->noise_until_ms) {
            run->noise =
                fmax(1.0 + scenario->noise * rng_normal(&world->truth_rng), NOISE_LEAST);
            run->noise_until_ms = world->now_ms + scenario->period_ms;
        }
        domain->response_mean_ms *= run->noise;
        domain->response_p50_ms *= run->noise;
        domain->response_p95_ms *= run->noise;
    }
}
