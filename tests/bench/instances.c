// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/instances.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/rng.h"
#include "common/service_level.h"

#define AMDAHL_POINTS 12
#define VMS_MOST      8 /* of one service */

/* x = 1 at need_pct for each kind of model. */
static struct proposal reciprocal(double need_pct)
{
    return (struct proposal){.model = MODEL_KIND_RECIPROCAL, .demand_pct = need_pct};
}

static struct proposal processor_sharing(double need_pct, double busy)
{
    return (struct proposal){
        .model = MODEL_KIND_PS, .a_pct = need_pct * (1.0 - busy), .b_pct = need_pct * busy};
}

/* x = s + (1 - s) need / r: a part s does not get faster with more CPU. */
static struct proposal amdahl(double need_pct, double serial)
{
    struct proposal model = {.model = MODEL_KIND_TABLE};
    double share = 0.1;
    for (uint32_t i = 0; i < AMDAHL_POINTS; i++) {
        const double cap = share * need_pct;
        const uint32_t last =
            model.points_count > 0 ? model.points[model.points_count - 1].cap_pct : 0;
        const uint32_t cap_pct =
            (uint32_t)(cap + 0.5) > last ? (uint32_t)(cap + 0.5) : last + 1;
        model.points[model.points_count++] = (struct curve_point){
            .cap_pct = cap_pct, .x = serial + (1.0 - serial) * need_pct / cap_pct};
        share *= 1.5;
    }
    return model;
}

static struct proposal draw_model(struct rng *rng, double need_pct)
{
    const double parameter = rng_unit(rng);
    switch (rng_below(rng, 3)) {
    case 0: return reciprocal(need_pct);
    case 1: return processor_sharing(need_pct, 0.2 + 0.6 * parameter);
    default: return amdahl(need_pct, 0.05 + 0.25 * parameter);
    }
}

static enum coupling draw_coupling(const struct instance_spec *spec, struct rng *rng)
{
    const uint64_t draw = rng_below(rng, 1000);
    if (draw < spec->sum_permille) {
        return COUPLING_SUM;
    }
    return draw < spec->sum_permille + spec->gang_permille ? COUPLING_GANG : COUPLING_SINGLE;
}

/* Different nodes for the VMs of one service. */
static void draw_nodes(const struct instance_spec *spec, struct rng *rng, uint32_t count,
                       uint32_t *nodes)
{
    for (uint32_t k = 0; k < count; k++) {
        bool again = true;
        while (again) {
            nodes[k] = (uint32_t)rng_below(rng, spec->nodes);
            again = false;
            for (uint32_t other = 0; other < k; other++) {
                again = again || nodes[other] == nodes[k];
            }
        }
    }
}

static void add_vms(struct instance *instance, struct allocation_service *service,
                    const uint32_t *nodes, uint32_t count)
{
    service->first_vm = instance->problem.vms_count;
    service->vms_count = count;
    for (uint32_t k = 0; k < count; k++) {
        instance->vms[instance->problem.vms_count++] =
            (struct allocation_vm){.node = nodes[k],
                                   .min_cap_pct = INSTANCE_MIN_CAP_PCT,
                                   .max_cap_pct = INSTANCE_NODE_CPU_PCT};
    }
}

static void draw_services(struct instance *instance, const struct instance_spec *spec,
                          struct rng *rng)
{
    const double mean =
        spec->load * INSTANCE_NODE_CPU_PCT * (double)spec->nodes / (double)spec->services;
    for (uint32_t i = 0; i < spec->services; i++) {
        struct allocation_service *service = &instance->services[i];
        (void)snprintf(service->name, sizeof service->name, "s%06u", i);
        service->weight = (double)(1u << rng_below(rng, 3));
        service->curve = service_level_default_curve();
        service->model = &instance->models[i];
        service->coupling = draw_coupling(spec, rng);
        uint32_t nodes[VMS_MOST] = {i % spec->nodes};
        uint32_t count = 1;
        if (service->coupling != COUPLING_SINGLE) {
            count = 2 + (uint32_t)rng_below(rng, service->coupling == COUPLING_SUM ? 3 : 7);
            draw_nodes(spec, rng, count, nodes);
        }
        add_vms(instance, service, nodes, count);
        instance->need_pct[i] = mean * (0.5 + rng_unit(rng));
    }
}

/* Coupled services are drawn; those of one VM share what is left of each node's load. */
static int scale_singles(struct instance *instance, const struct instance_spec *spec)
{
    double *coupled = calloc(spec->nodes, sizeof *coupled);
    double *single = calloc(spec->nodes, sizeof *single);
    if (coupled == NULL || single == NULL) {
        free(coupled);
        free(single);
        return -1;
    }
    for (uint32_t i = 0; i < spec->services; i++) {
        const struct allocation_service *service = &instance->services[i];
        for (uint32_t k = 0; k < service->vms_count; k++) {
            const uint32_t node = instance->vms[service->first_vm + k].node;
            double *sum = service->coupling == COUPLING_SINGLE ? single : coupled;
            sum[node] += instance->need_pct[i] / service->vms_count;
        }
    }
    const double wanted = spec->load * INSTANCE_NODE_CPU_PCT;
    for (uint32_t i = 0; i < spec->services; i++) {
        const struct allocation_service *service = &instance->services[i];
        const uint32_t node = instance->vms[service->first_vm].node;
        if (service->coupling == COUPLING_SINGLE) {
            const double left = wanted - coupled[node];
            const double least = 0.1 * wanted;
            instance->need_pct[i] *= (left > least ? left : least) / single[node];
        }
    }
    free(coupled);
    free(single);
    return 0;
}

static void name_nodes(struct instance *instance, uint32_t count)
{
    for (uint32_t j = 0; j < count; j++) {
        (void)snprintf(instance->nodes[j].name, sizeof instance->nodes[j].name, "n%05u", j);
        instance->nodes[j].cpu_pct = INSTANCE_NODE_CPU_PCT;
        instance->nodes[j].speed = 1.0;
    }
}

static struct instance *allocate(const struct instance_spec *spec)
{
    struct instance *instance = calloc(1, sizeof *instance);
    if (instance == NULL) {
        return NULL;
    }
    const size_t vms = (size_t)spec->services * VMS_MOST;
    instance->nodes = calloc(spec->nodes + 1u, sizeof *instance->nodes);
    instance->services = calloc(spec->services + 1u, sizeof *instance->services);
    instance->models = calloc(spec->services + 1u, sizeof *instance->models);
    instance->vms = calloc(vms + 1u, sizeof *instance->vms);
    instance->need_pct = calloc(spec->services + 1u, sizeof *instance->need_pct);
    const int rc = allocation_answer_init(&instance->answer, spec->services, (uint32_t)vms);
    if (instance->nodes == NULL || instance->services == NULL || instance->models == NULL ||
        instance->vms == NULL || instance->need_pct == NULL || rc < 0) {
        instance_destroy(instance);
        return NULL;
    }
    return instance;
}

struct instance *instance_create(const struct instance_spec *spec)
{
    struct instance *instance = allocate(spec);
    if (instance == NULL) {
        return NULL;
    }
    struct rng rng;
    rng_init(&rng, spec->seed);
    name_nodes(instance, spec->nodes);
    draw_services(instance, spec, &rng);
    if (scale_singles(instance, spec) != 0) {
        instance_destroy(instance);
        return NULL;
    }
    for (uint32_t i = 0; i < spec->services; i++) {
        instance->models[i] = draw_model(&rng, instance->need_pct[i]);
    }
    instance->problem.objective = spec->objective;
    instance->problem.nodes = instance->nodes;
    instance->problem.nodes_count = spec->nodes;
    instance->problem.services = instance->services;
    instance->problem.services_count = spec->services;
    instance->problem.vms = instance->vms;
    return instance;
}

void instance_destroy(struct instance *instance)
{
    if (instance == NULL) {
        return;
    }
    free(instance->nodes);
    free(instance->services);
    free(instance->models);
    free(instance->vms);
    free(instance->need_pct);
    allocation_answer_finish(&instance->answer);
    free(instance);
}

void instance_change(struct instance *instance, uint64_t seed, uint32_t permille)
{
    struct rng rng;
    rng_init(&rng, seed);
    for (uint32_t i = 0; i < instance->problem.services_count; i++) {
        if (rng_below(&rng, 1000) < permille) {
            const double need = instance->need_pct[i] * (0.9 + 0.2 * rng_unit(&rng));
            instance->models[i] = draw_model(&rng, need);
        }
    }
}

double instance_cpu_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}
