// SPDX-License-Identifier: Apache-2.0
// link: arbiter_orchestrator_io
/* The solver's thread: a copy is solved, the answer comes back, a second start waits. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/io/clock.h"
#include "common/io/poll.h"
#include "orchestrator/io/solver.h"

static const struct solved *wait_solved(struct solver *solver)
{
    int64_t until_ms = clock_boot_ms() + 10000;
    const struct solved *solved = NULL;
    while (solved == NULL && clock_boot_ms() < until_ms) {
        struct poll_item item = {.fd = solver_fd(solver)};
        (void)poll_wait(&item, 1, until_ms);
        solved = solver_finished(solver);
    }
    return solved;
}

int main(void)
{
    struct err err = {0};
    struct solver *solver = solver_create(&err);
    assert(solver != NULL);
    for (uint64_t round = 1; round <= 50; round++) {
        struct proposal model = {.model = MODEL_KIND_RECIPROCAL, .demand_pct = 50.0};
        struct allocation_node node = {.name = "n1", .cpu_pct = 200, .speed = 1.0};
        struct allocation_vm vm = {.node = 0, .min_cap_pct = 5, .max_cap_pct = 100};
        struct allocation_service service = {.name = "s1",
                                             .weight = 1.0,
                                             .curve = {.a = 10, .b = 1, .w = 0.5},
                                             .model = &model,
                                             .coupling = COUPLING_SINGLE,
                                             .vms_count = 1};
        struct allocation_problem problem = {.objective = ALLOCATION_FLOORS,
                                             .nodes = &node,
                                             .nodes_count = 1,
                                             .services = &service,
                                             .services_count = 1,
                                             .vms = &vm,
                                             .vms_count = 1};
        assert(solver_start(solver, round, &problem, NULL, 0) == 0);
        /* The caller's arrays may change at once. */
        memset(&service, 0, sizeof service);
        memset(&model, 0, sizeof model);
        const struct solved *solved = wait_solved(solver);
        assert(solved != NULL && solved->code == 0);
        assert(solved->revision == round);
        assert(solved->answer.caps_pct[0] >= 50 && solved->answer.caps_pct[0] <= 100);
    }
    solver_destroy(solver);
    solver_destroy(NULL);
    (void)printf("solver: 50 rounds\n");
    return 0;
}
