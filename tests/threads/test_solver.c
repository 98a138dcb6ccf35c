// SPDX-License-Identifier: Apache-2.0
// link: arbiter_orchestrator_io
/*
 * The solver's thread: a copy is solved, the answer comes back, and what it remembers of one
 * problem does not make the next answer another one than a solution from nothing.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/io/clock.h"
#include "common/io/poll.h"
#include "common/rng.h"
#include "orchestrator/io/solver.h"

#define NODES    6
#define SERVICES 24
#define VMS      (2 * SERVICES)
#define ROUNDS   40

static struct {
    struct allocation_problem problem;
    struct allocation_node nodes[NODES];
    struct allocation_service services[SERVICES];
    struct proposal models[SERVICES];
    struct allocation_vm vms[VMS];
} t;

/* Each service has one VM, or in coupled problems each fourth two on different nodes. */
static void fill(bool coupled)
{
    memset(&t, 0, sizeof t);
    t.problem = (struct allocation_problem){.objective = ALLOCATION_FLOORS,
                                            .guard = 0.3,
                                            .switching_cost = 1e-5,
                                            .dead_band = 0.02,
                                            .nodes = t.nodes,
                                            .nodes_count = NODES,
                                            .services = t.services,
                                            .services_count = SERVICES,
                                            .vms = t.vms};
    for (uint32_t j = 0; j < NODES; j++) {
        t.nodes[j] = (struct allocation_node){.cpu_pct = 400, .speed = 1.0};
        (void)snprintf(t.nodes[j].name, NAME_SIZE, "n%u", j);
    }
    for (uint32_t i = 0; i < SERVICES; i++) {
        const uint32_t vms = coupled && i % 4 == 0 ? 2 : 1;
        t.models[i] = (struct proposal){.model = MODEL_KIND_RECIPROCAL, .demand_pct = 50.0};
        t.services[i] =
            (struct allocation_service){.weight = 1.0 + i % 3,
                                        .curve = {.a = 10, .b = 1, .w = 0.5},
                                        .model = &t.models[i],
                                        .coupling = vms == 1 ? COUPLING_SINGLE : COUPLING_SUM,
                                        .first_vm = t.problem.vms_count,
                                        .vms_count = vms};
        (void)snprintf(t.services[i].name, NAME_SIZE, "s%u", i);
        for (uint32_t k = 0; k < vms; k++) {
            t.vms[t.problem.vms_count++] = (struct allocation_vm){
                .node = (i + k) % NODES, .min_cap_pct = 5, .max_cap_pct = 200};
        }
    }
}

static const struct solved *solve(struct solver *solver, uint64_t revision,
                                  const struct escalation_candidate *candidates, uint32_t count)
{
    assert(solver_start(solver, revision, &t.problem, candidates, count) == 0);
    const int64_t until_ms = clock_boot_ms() + 10000;
    const struct solved *solved = NULL;
    while (solved == NULL && clock_boot_ms() < until_ms) {
        struct poll_item item = {.fd = solver_fd(solver)};
        (void)poll_wait(&item, 1, until_ms);
        solved = solver_finished(solver);
    }
    assert(solved != NULL && solved->revision == revision);
    return solved;
}

/* What the thread was given is its own: the caller's arrays may change at once. */
static void test_copies(struct solver *solver)
{
    fill(false);
    assert(solver_start(solver, 1000, &t.problem, NULL, 0) == 0);
    memset(&t, 0, sizeof t);
    const int64_t until_ms = clock_boot_ms() + 10000;
    const struct solved *solved = NULL;
    while (solved == NULL && clock_boot_ms() < until_ms) {
        struct poll_item item = {.fd = solver_fd(solver)};
        (void)poll_wait(&item, 1, until_ms);
        solved = solver_finished(solver);
    }
    assert(solved != NULL && solved->code == 0 && solved->answer.floors_feasible);
    assert(solved->judgements_count == 0 && solved->judge_code == 0);
}

/* Rounds in which a few services change and caps follow the answers. */
static void test_memory(struct solver *solver, bool coupled)
{
    static struct allocation_service_answer services[SERVICES];
    static uint32_t caps[VMS];
    struct allocation_answer cold = {.services = services, .caps_pct = caps};
    struct rng rng;
    struct err err = {0};
    rng_init(&rng, 7);
    fill(coupled);
    if (coupled) { /* in the dead band either may be kept: what is compared is the optimum */
        t.problem.dead_band = 0.0;
        t.problem.switching_cost = 0.0;
    }
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        for (uint32_t k = 0; k < 3; k++) {
            const uint32_t i = (uint32_t)rng_below(&rng, SERVICES);
            t.models[i].demand_pct = 20.0 + (double)rng_below(&rng, 100);
        }
        const struct solved *warm = solve(solver, round, NULL, 0);
        assert(warm->code == 0);
        assert(allocation_solve(&t.problem, &cold, &err) == 0);
        assert(warm->answer.floors_feasible == cold.floors_feasible);
        assert(fabs(warm->answer.kept_weight - cold.kept_weight) < 1e-9);
        if (coupled) {
            assert(fabs(warm->answer.log_sigma - cold.log_sigma) < 1e-3 * NODES);
        } else {
            assert(fabs(warm->answer.log_sigma - cold.log_sigma) < 1e-9);
            assert(memcmp(warm->answer.caps_pct, cold.caps_pct,
                          t.problem.vms_count * sizeof *caps) == 0);
        }
        for (uint32_t v = 0; v < t.problem.vms_count; v++) {
            t.vms[v].previous_cap_pct = warm->answer.caps_pct[v];
        }
    }
}

/* Steps that cannot be judged: caps all the same, and the reason. */
static void test_judge(struct solver *solver)
{
    fill(false);
    struct escalation_candidate candidate = {
        .kind = ESCALATION_MOVE_VM, .service = 0, .vm = 0, .node = 3, .cost = 0.1};
    const struct solved *solved = solve(solver, 1, &candidate, 1);
    assert(solved->code == 0 && solved->judge_code == 0 && solved->judgements_count == 1);
    candidate.node = NODES;
    solved = solve(solver, 2, &candidate, 1);
    assert(solved->code == 0 && solved->judgements_count == 0);
    assert(solved->judge_code == -EINVAL);
    assert(strstr(solved->judge_err.text, "candidate 0") != NULL);
    solved = solve(solver, 3, NULL, 0);
    assert(solved->code == 0 && solved->judge_code == 0 && solved->judge_err.text[0] == '\0');
}

int main(void)
{
    struct err err = {0};
    struct solver *solver = solver_create(&err);
    assert(solver != NULL);
    test_copies(solver);
    test_memory(solver, false);
    test_memory(solver, true);
    test_judge(solver);
    solver_destroy(solver);
    solver_destroy(NULL);
    (void)printf("solver: %d rounds with memory as good as without\n", 2 * ROUNDS);
    return 0;
}
