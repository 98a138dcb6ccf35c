// SPDX-License-Identifier: Apache-2.0
/* Hysteresis service by service: one that needs more moves as few others as possible. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/service_level.h"
#include "schedulers/allocation.h"

#define SERVICES 5

static struct proposal models[SERVICES];
static struct allocation_node node = {.name = "n1", .cpu_pct = 500, .speed = 1.0};
static struct allocation_service services[SERVICES];
static struct allocation_vm vms[SERVICES];
static struct allocation_service_answer answers[SERVICES];
static uint32_t caps[SERVICES];

/* Services x = demand / r with these caps, of which the first needs more now. */
static void solve(double demand_pct, const uint32_t before[SERVICES])
{
    for (uint32_t i = 0; i < SERVICES; i++) {
        models[i] = (struct proposal){.model = MODEL_KIND_RECIPROCAL,
                                      .demand_pct = i == 0 ? demand_pct : 70};
        services[i] = (struct allocation_service){.weight = 1,
                                                  .curve = service_level_default_curve(),
                                                  .model = &models[i],
                                                  .coupling = COUPLING_SINGLE,
                                                  .first_vm = i,
                                                  .vms_count = 1};
        services[i].name[0] = (char)('a' + i);
        vms[i] = (struct allocation_vm){
            .min_cap_pct = 5, .max_cap_pct = 400, .previous_cap_pct = before[i]};
    }
    const struct allocation_problem problem = {.objective = ALLOCATION_FLOORS,
                                               .guard = 0.3,
                                               .switching_cost = 1e-3,
                                               .dead_band = 1,
                                               .nodes = &node,
                                               .nodes_count = 1,
                                               .services = services,
                                               .services_count = SERVICES,
                                               .vms = vms,
                                               .vms_count = SERVICES};
    struct allocation_answer answer = {.services = answers, .caps_pct = caps};
    struct err err = {0};
    cr_assert_eq(allocation_solve(&problem, &answer, &err), 0, "%s", err.text);
    cr_expect(answer.floors_feasible);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < SERVICES; i++) {
        sum += caps[i];
        cr_expect_geq(answers[i].level, 0.5);
        cr_expect_not(answers[i].sacrificed);
        cr_expect_eq(answers[i].missing_pct, 0);
    }
    cr_expect_leq(sum, 500);
    cr_expect_leq(answer.log_sigma, answer.upper_bound + 1e-9);
}

Test(keep, one_that_needs_more_raises_nobody_else)
{
    const uint32_t before[SERVICES] = {100, 80, 110, 110, 100};
    solve(110, before);
    cr_expect_geq(caps[0], 110);
    cr_expect_eq(caps[1], 80, "%u: as good a share as the others' is not worth a move",
                 caps[1]);
    for (uint32_t i = 2; i < SERVICES; i++) {
        cr_expect_leq(caps[i], before[i], "%u", i);
    }
}

Test(keep, room_that_is_free_pays_before_anybody_else)
{
    const uint32_t before[SERVICES] = {100, 80, 80, 80, 80};
    solve(110, before);
    cr_expect_geq(caps[0], 110);
    for (uint32_t i = 1; i < SERVICES; i++) {
        cr_expect_eq(caps[i], 80, "%u: %u", i, caps[i]);
    }
}

Test(keep, what_misses_its_floor_is_not_kept)
{
    const uint32_t before[SERVICES] = {100, 60, 100, 100, 100};
    solve(70, before);
    cr_expect_geq(caps[1], 70);
}
