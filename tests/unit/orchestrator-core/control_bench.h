// SPDX-License-Identifier: Apache-2.0
/*
 * A cluster whose records a test writes itself, with only the measuring and the control loop
 * running: what they are given and what they decide, without agents in between.
 */
#ifndef TESTS_ORCHESTRATOR_CORE_CONTROL_BENCH_H
#define TESTS_ORCHESTRATOR_CORE_CONTROL_BENCH_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/core/control.h"
#include "orchestrator/core/state.h"

#define BENCH_WALL_MS 1700000000000ll

static struct {
    struct cluster *cluster;
    struct effects *effects;
    int solves;
    bool keep_answer; /* a solve is left unanswered */
    uint64_t revision;
    uint32_t candidates;      /* that were judged with the newest answer */
    struct decision decision; /* newest stored */
    uint32_t decisions;
    uint64_t watched; /* a decision, as it was stored newest and how often */
    struct decision watched_decision;
    uint32_t watched_count;
    char event_text[TEXT_SIZE]; /* newest */
    enum event_kind event_kind;
    uint32_t events;
} bench;

static __attribute__((unused)) void bench_start(enum mode mode)
{
    struct err err = {0};
    const struct cluster_config config = {.services_max = 16,
                                          .vms_max = 64,
                                          .nodes_max = 8,
                                          .metrics_max = 64,
                                          .control_period_ms = 5000,
                                          .mode = mode,
                                          .seed = 1};
    memset(&bench, 0, sizeof bench);
    bench.cluster = cluster_create(&config, &err);
    cr_assert_not_null(bench.cluster, "%s", err.text);
    bench.effects = effects_create();
    const struct cluster_event event = {
        .type = CLUSTER_EVENT_START,
        .now_ms = 1000000,
        .wall_ms = BENCH_WALL_MS,
        .start = {.epoch = 1, .next_event = 1, .next_decision = 1}};
    cluster_step(bench.cluster, &event, bench.effects);
    effects_clear(bench.effects);
}

static __attribute__((unused)) void bench_finish(void)
{
    cluster_destroy(bench.cluster);
    effects_destroy(bench.effects);
}

static __attribute__((unused)) struct node_record *bench_node(const char *name,
                                                              uint32_t cpu_pct)
{
    struct node_record *node = table_add(&bench.cluster->nodes, name);
    node->status.cpu_pct = cpu_pct;
    node->status.capabilities = CAPABILITY_CAP | CAPABILITY_CREATE;
    node->state = NODE_STATE_UP;
    node->seen = true;
    node->snapshot_known = true;
    node->kind = NODE_KIND_MODEL;
    return node;
}

static __attribute__((unused)) struct service_record *
bench_service(const char *name, enum service_kind kind, uint32_t min_pct, uint32_t max_pct)
{
    struct service_record *service = table_add(&bench.cluster->services, name);
    service->spec.kind = kind;
    service->spec.vms_count = 1;
    (void)snprintf(service->spec.vms[0].name, NAME_SIZE, "vm");
    service->spec.vms[0].cpu = (struct cap_range){.min_pct = min_pct, .max_pct = max_pct};
    if (kind == SERVICE_KIND_WEB) {
        service->spec.objective.has_response_time = true;
        service->spec.objective.response_time =
            (struct response_time){.p95_ms = 200, .window_ms = 5000};
    }
    service_set_defaults(&service->spec);
    cluster_init_service(service);
    return service;
}

static __attribute__((unused)) struct vm_record *
bench_vm(struct service_record *service, const char *node, uint32_t number, uint32_t cap_pct)
{
    struct vm_record *vm = cluster_add_vm(bench.cluster, service, "vm", number);
    cr_assert_not_null(vm);
    (void)snprintf(vm->vm.node, NAME_SIZE, "%s", node);
    vm->vm.phase = VM_PHASE_ASSIGNED;
    vm->vm.desired = RUN_STATE_RUNNING;
    vm->vm.generation = 1;
    vm->vm.cap_pct = cap_pct;
    vm->vm.vcpus = 4;
    vm->status_known = true;
    vm->status.state = RUN_STATE_RUNNING;
    vm->status.generation = 1;
    vm->status.cap_pct = cap_pct;
    cluster_count_vm(bench.cluster, vm);
    return vm;
}

static __attribute__((unused)) void bench_metric(const char *node, enum metric_subject subject,
                                                 const char *name, enum metric_kind kind,
                                                 double value)
{
    struct metrics metrics = {.metrics_count = 1};
    metrics.metrics[0] = (struct metric){.subject = subject, .kind = kind, .value = value};
    (void)snprintf(metrics.metrics[0].name, NAME_SIZE, "%s", name);
    metrics_store(bench.cluster, table_find(&bench.cluster->nodes, node), &metrics);
}

static void bench_absorb(void);

/* What the worker does, at once. */
static __attribute__((unused)) void bench_answer(const struct allocation_problem *problem,
                                                 uint64_t revision)
{
    struct escalation_judgement judgements[ESCALATION_CANDIDATES_MAX];
    struct err err = {0};
    struct allocation_answer answer = {
        .services = calloc(problem->services_count + 1u, sizeof *answer.services),
        .caps_pct = calloc(problem->vms_count + 1u, sizeof *answer.caps_pct)};
    const int code = allocation_solve(problem, &answer, &err);
    cr_expect_eq(code, 0, "%s", err.text);
    cr_expect_eq(escalation_judge(problem, bench.cluster->control->candidates,
                                  bench.cluster->control->candidates_count, judgements, &err),
                 0, "%s", err.text);
    bench.candidates = bench.cluster->control->candidates_count;
    const struct cluster_event event = {.type = CLUSTER_EVENT_SOLVED,
                                        .solved = {.revision = revision,
                                                   .code = code,
                                                   .err = &err,
                                                   .answer = &answer,
                                                   .took_us = 42,
                                                   .judgements = judgements,
                                                   .judgements_count = bench.candidates}};
    effects_clear(bench.effects);
    control_solved(bench.cluster, &event, bench.effects);
    bench_absorb();
    free(answer.services);
    free(answer.caps_pct);
}

static __attribute__((unused)) void bench_absorb(void)
{
    const struct allocation_problem *problem = NULL;
    for (uint32_t i = 0; i < bench.effects->count; i++) {
        const struct effect *effect = &bench.effects->items[i];
        if (effect->type == EFFECT_PUT_DECISION) {
            bench.decision = *effect->decision;
            bench.decisions++;
            if (effect->decision->id == bench.watched) {
                bench.watched_decision = *effect->decision;
                bench.watched_count++;
            }
        } else if (effect->type == EFFECT_PUT_EVENT) {
            (void)snprintf(bench.event_text, TEXT_SIZE, "%s", effect->event->text);
            bench.event_kind = effect->event->kind;
            bench.events++;
        } else if (effect->type == EFFECT_SOLVE) {
            bench.solves++;
            bench.revision = effect->solve.revision;
            problem = effect->solve.problem;
        }
    }
    if (problem != NULL && !bench.keep_answer) {
        bench_answer(problem, bench.revision);
    }
}

/* Time goes on, and the control loop runs. */
static __attribute__((unused)) void bench_advance(int64_t ms)
{
    bench.cluster->now_ms += ms;
    bench.cluster->wall_ms += ms;
    effects_clear(bench.effects);
    control_tick(bench.cluster, bench.effects);
    bench_absorb();
}

#endif
