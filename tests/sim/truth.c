// SPDX-License-Identifier: Apache-2.0
/*
 * What really happened, from the hosts and not from the orchestrator: the work that guests did,
 * when a job was done, how long a service missed its objective.
 */
#include <math.h>
#include <string.h>

#include "world.h"

#define NEAR_END_S 5.0 /* of work at the present pace: from here on hosts are probed */

static struct guest_run *run_of(struct world *world, const struct domain_reading *domain)
{
    for (uint32_t i = 0; i < world->runs_count; i++) {
        if (world->runs[i].generation == domain->generation &&
            strcmp(world->runs[i].uuid, domain->uuid) == 0) {
            return &world->runs[i];
        }
    }
    if (world->runs_count == WORLD_RUNS_MAX) {
        world_fail(world, "more than %d generations of guests", WORLD_RUNS_MAX);
        return NULL;
    }
    struct guest_run *run = &world->runs[world->runs_count++];
    (void)snprintf(run->uuid, sizeof run->uuid, "%s", domain->uuid);
    (void)snprintf(run->vm, sizeof run->vm, "%s", domain->vm);
    run->generation = domain->generation;
    return run;
}

bool truth_belongs(const char *vm, const char *service)
{
    const size_t length = strlen(service);
    return strncmp(vm, service, length) == 0 && vm[length] == '-';
}

static void sum_runs(const struct world *world, const struct world_service *service,
                     double *tasks, double *cpu_s)
{
    *tasks = 0.0;
    *cpu_s = 0.0;
    for (uint32_t i = 0; i < world->runs_count; i++) {
        if (truth_belongs(world->runs[i].vm, service->name)) {
            *tasks += world->runs[i].tasks;
            *cpu_s += world->runs[i].cpu_s;
        }
    }
}

/* Near its end a job is watched in steps of a tenth of a second. */
static void watch_end(struct world *world, struct world_service *service)
{
    double tasks = 0.0;
    double cpu_s = 0.0;
    sum_runs(world, service, &tasks, &cpu_s);
    const double left = (double)service->tasks - tasks;
    const double per_s =
        (double)world->scenario->nodes * world->scenario->cpus; /* at most, at speed 1 */
    if (!world->probing && left <= per_s * NEAR_END_S) {
        world->probing = true;
        world_add(world, (struct world_item){.at_ms = world->now_ms, .type = ITEM_PROBE});
    }
}

void truth_reading(struct world *world, const struct domain_list *list, bool probe)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct guest_run *run = run_of(world, &list->domains[i]);
        if (run == NULL) {
            return;
        }
        run->cpu_s = (double)list->domains[i].cpu_time_ns / 1e9;
        if (probe) {
            truth_look(run, &list->domains[i], world->look, world->now_ms);
        }
        if (!isnan(list->domains[i].tasks_done)) {
            run->tasks = list->domains[i].tasks_done;
        }
    }
    for (uint32_t i = 0; !probe && i < world->services_count; i++) {
        if (world->services[i].kind == SERVICE_KIND_QUEUE && world->services[i].tasks > 0) {
            watch_end(world, &world->services[i]);
        }
    }
}

void truth_probed(struct world *world)
{
    truth_levels(world);
    for (uint32_t i = 0; i < world->services_count; i++) {
        struct world_service *service = &world->services[i];
        if (service->kind != SERVICE_KIND_QUEUE || service->finished_ms != 0) {
            continue;
        }
        double tasks = 0.0;
        sum_runs(world, service, &tasks, &service->cpu_s);
        if (tasks >= (double)service->tasks) {
            /* Between two probes the work is as good as linear. */
            const double whole = (double)service->tasks;
            const double part =
                service->seen_ms > 0 && tasks > service->tasks_seen
                    ? (whole - service->tasks_seen) / (tasks - service->tasks_seen)
                    : 1.0;
            const double before =
                service->seen_ms > 0 ? (double)service->seen_ms : (double)world->now_ms;
            service->finished_ms = world->now_ms;
            service->finish_exact_ms = before + part * ((double)world->now_ms - before);
            world_trace(world, "truth", "%s is done: %.0f tasks", service->name, tasks);
        }
        service->tasks_seen = tasks;
        service->seen_ms = world->now_ms;
    }
}

struct world_service *truth_service(struct world *world, const char *name)
{
    for (uint32_t i = 0; i < world->services_count; i++) {
        if (strcmp(world->services[i].name, name) == 0) {
            return &world->services[i];
        }
    }
    return NULL;
}

void truth_event(struct world *world, const struct event_record *event)
{
    world->next_event = event->id;
    world_trace(world, "orchestrator", "event %llu %s %s: %s", (unsigned long long)event->id,
                event_kind_word(event->kind), reason_word(event->reason), event->text);
    struct world_service *service = truth_service(world, event->service);
    if (service == NULL) {
        return;
    }
    if (event->kind == EVENT_KIND_OBJECTIVE_MISSED && !service->missed) {
        service->missed = true;
        service->missed_since_ms = world->now_ms;
    } else if (event->kind == EVENT_KIND_OBJECTIVE_MET && service->missed) {
        service->missed = false;
        service->missed_ms += world->now_ms - service->missed_since_ms;
    }
}

void truth_finish(struct world *world)
{
    for (uint32_t i = 0; i < world->services_count; i++) {
        struct world_service *service = &world->services[i];
        if (service->missed) {
            service->missed_ms += world->now_ms - service->missed_since_ms;
        }
        if (service->finished_ms == 0) {
            double tasks = 0.0;
            sum_runs(world, service, &tasks, &service->cpu_s);
        }
    }
}
