// SPDX-License-Identifier: Apache-2.0
/* allocation_solve() against closed forms and against bad input. */
#include "allocation_bench.h"
#include "schedulers/optimizer/optimizer.h"

Test(allocation, identical_services_share_equally)
{
    start();
    add_node(3200);
    for (int i = 0; i < 4; i++) {
        add_service(COUPLING_SINGLE, 1, reciprocal(400));
        add_vm(0, 1, 3200, 0);
    }
    solve();
    for (int i = 0; i < 4; i++) {
        cr_expect_eq(t.caps[i], 800);
        cr_expect(fabs(t.answers[i].level - .990290338) < 1e-8);
        cr_expect_not(t.answers[i].sacrificed);
    }
    cr_expect(t.answer.floors_feasible);
    cr_expect(fabs(exp(t.answer.log_sigma) - .961723) < 1e-5);
    cr_expect(t.answer.upper_bound - t.answer.log_sigma < 1e-9);
}

Test(allocation, floors_come_before_weight)
{
    start();
    add_node(220);
    add_service(COUPLING_SINGLE, 100, reciprocal(100));
    add_vm(0, 5, 400, 0);
    add_service(COUPLING_SINGLE, 1, reciprocal(100));
    add_vm(0, 5, 400, 0);
    t.problem.guard = 0.02;
    solve();
    cr_expect(t.answer.floors_feasible);
    cr_expect_geq(t.answers[1].level, 0.52);
    cr_expect_gt(t.caps[0], t.caps[1]);
}

Test(allocation, guard_gives_way_before_a_service_does)
{
    start();
    add_node(200);
    for (int i = 0; i < 2; i++) {
        add_service(COUPLING_SINGLE, 1 + i, reciprocal(99));
        add_vm(0, 5, 400, 0);
    }
    t.problem.guard = 0.4;
    solve();
    cr_expect(t.answer.floors_feasible);
    cr_expect_geq(t.answers[0].level, 0.5);
    cr_expect_geq(t.answers[1].level, 0.5);
}

Test(allocation, a_want_is_a_ceiling_and_a_fixed_model_gets_just_that)
{
    start();
    add_node(400);
    struct proposal wish = reciprocal(50);
    wish.want_pct = 77;
    add_service(COUPLING_SINGLE, 1, wish);
    add_vm(0, 5, 400, 0);
    add_service(COUPLING_SUM, 1, (struct proposal){.model = MODEL_KIND_FIXED, .want_pct = 63});
    add_vm(0, 5, 100, 0);
    add_vm(0, 5, 100, 0);
    solve();
    cr_expect_eq(t.caps[0], 77);
    cr_expect_eq(t.caps[1] + t.caps[2], 63);
    cr_expect(isnan(t.answers[1].level));
    cr_expect(fabs((double)t.caps[1] - t.caps[2]) <= 1);
}

Test(allocation, ranks_of_a_gang_have_one_cap)
{
    start();
    add_node(200);
    add_node(100);
    add_service(COUPLING_GANG, 1, reciprocal(150));
    add_vm(0, 10, 200, 0);
    add_vm(0, 10, 200, 0);
    add_vm(1, 10, 200, 0);
    add_service(COUPLING_SINGLE, 1, reciprocal(30));
    add_vm(1, 5, 100, 0);
    solve();
    cr_expect_eq(t.caps[0], t.caps[1]);
    cr_expect_eq(t.caps[0], t.caps[2]);
    cr_expect(t.answer.floors_feasible);
}

Test(allocation, pinned_caps_stay_and_take_their_room)
{
    start();
    add_node(100);
    add_service(COUPLING_SINGLE, 1, reciprocal(20));
    add_vm(0, 5, 100, 80);
    t.vms[0].fixed = true;
    add_service(COUPLING_SINGLE, 5, reciprocal(30));
    add_vm(0, 5, 100, 10);
    solve();
    cr_expect_eq(t.caps[0], 80);
    cr_expect_eq(t.caps[1], 20);
    cr_expect(t.answers[1].sacrificed);
    cr_expect_eq(t.answers[1].missing_pct, 10);
}

Test(allocation, full_node_is_freed_along_a_chain_of_shifts)
{
    /* the single service needs node 0; the first sum service moves to node 1, the second to 2
     */
    start();
    add_node(100);
    add_node(100);
    add_node(100);
    add_service(COUPLING_SUM, 1, reciprocal(100));
    add_vm(0, 1, 100, 0);
    add_vm(1, 1, 100, 0);
    add_service(COUPLING_SUM, 1, reciprocal(95));
    add_vm(1, 1, 100, 0);
    add_vm(2, 1, 100, 0);
    add_service(COUPLING_SINGLE, 1, reciprocal(96));
    add_vm(0, 1, 100, 0);
    solve();
    cr_expect(t.answer.floors_feasible);
    for (int i = 0; i < 3; i++) {
        cr_expect_geq(t.answers[i].level, 0.5);
    }
}

Test(allocation, small_gains_move_nothing)
{
    start();
    add_node(400);
    add_service(COUPLING_SINGLE, 1, reciprocal(100));
    add_vm(0, 5, 400, 196);
    add_service(COUPLING_SINGLE, 1, reciprocal(100));
    add_vm(0, 5, 400, 204);
    t.problem.dead_band = 0.02;
    solve();
    cr_expect_eq(t.caps[0], 196);
    cr_expect_eq(t.caps[1], 204);
    t.models[0].demand_pct = 220; /* now it misses its floor */
    solve();
    cr_expect_gt(t.caps[0], 220);
}

Test(allocation, small_gains_keep_no_cap_that_is_not_listed_or_does_not_fit_in_memory)
{
    const struct allocation_level levels[] = {{.cap_pct = 100, .memory_kib = 500 * 1024},
                                              {.cap_pct = 200, .memory_kib = 900 * 1024}};
    const uint32_t previous[][2] = {{133, 100}, {100, 133}, {200, 200}, {133, 200}};
    for (size_t i = 0; i < sizeof previous / sizeof previous[0]; i++) {
        start();
        add_node(400);
        t.nodes[0].memory_kib = 1000 * 1024;
        t.problem.dead_band = 5;
        for (uint32_t v = 0; v < 2; v++) {
            add_service(COUPLING_SINGLE, 1, reciprocal(60));
            add_vm(0, 100, 200, previous[i][v]);
            t.vms[v].levels = levels;
            t.vms[v].levels_count = 2;
        }
        solve();
        cr_expect_eq(t.caps[0], 100, "case %zu: %u", i, t.caps[0]);
        cr_expect_eq(t.caps[1], 100, "case %zu: %u", i, t.caps[1]);
    }
}

/* sum w log S of sums on node 0 of speed 1 and node 1 of speed 2, less what it costs to go
 * there.
 */
static double net_of(const uint32_t *caps)
{
    double net = 0;
    for (uint32_t i = 0; i < t.problem.services_count; i++) {
        const double x = model_predict(&t.models[i], caps[2 * i] + 2.0 * caps[2 * i + 1]);
        net += t.services[i].weight * service_level_log(&t.services[i].curve, x);
    }
    for (uint32_t v = 0; v < t.problem.vms_count; v++) {
        net -= t.problem.switching_cost * fabs((double)caps[v] - t.vms[v].previous_cap_pct);
    }
    return net;
}

Test(allocation, sums_on_nodes_of_two_speeds_end_no_worse_than_where_they_were)
{
    const uint32_t cases[][4] = {{300, 300, 900, 900},
                                 {350, 300, 900, 500},
                                 {150, 300, 700, 700},
                                 {200, 300, 200, 600},
                                 {100, 300, 700, 800}}; /* caps of the first, both demands */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint32_t *it = cases[i];
        const uint32_t stay[] = {it[0], it[1], 500 - it[0], 500 - it[1]};
        start();
        t.problem.objective = ALLOCATION_PRODUCT;
        t.problem.switching_cost = 0.001;
        add_node(500);
        add_node(500);
        t.nodes[1].speed = 2;
        for (uint32_t k = 0; k < 2; k++) {
            add_service(COUPLING_SUM, 1, reciprocal(it[2 + k]));
            add_vm(0, 1, 500, stay[2 * k]);
            add_vm(1, 1, 500, stay[2 * k + 1]);
        }
        solve();
        cr_expect(net_of(t.caps) >= net_of(stay) - 1e-9, "case %zu: %.9f, before %.9f", i,
                  net_of(t.caps), net_of(stay));
    }
}

Test(allocation, a_wish_on_nodes_of_two_speeds_gets_no_more_than_it_asks_for)
{
    start();
    add_node(500);
    add_node(500);
    t.nodes[1].speed = 2;
    const struct proposal flat = {
        .model = MODEL_KIND_TABLE,
        .want_pct = 401,
        .points = {{.cap_pct = 10, .x = 1}, {.cap_pct = 100, .x = .5}},
        .points_count = 2};
    add_service(COUPLING_SUM, 1, flat);
    add_vm(1, 1, 500, 0);
    add_vm(0, 1, 500, 0);
    solve();
    cr_expect_geq(t.answers[0].r_pct, 401);
    cr_expect_leq(t.answers[0].r_pct, 402, "%g", t.answers[0].r_pct);
}

Test(allocation, minimum_caps_that_do_not_fit_are_named_with_their_numbers)
{
    start();
    add_node(90);
    for (int i = 0; i < 2; i++) {
        add_service(COUPLING_SINGLE, 1, reciprocal(20));
        add_vm(0, 50, 100, 0);
    }
    struct err err = {0};
    t.answer.log_sigma = 42;
    cr_expect_eq(allocation_solve(&t.problem, &t.answer, &err), -ENOSPC);
    cr_expect_str_eq(err.text,
                     "node node0: minimum caps need 100 % of a CPU in all, it has 90 %");
    cr_expect_eq(t.answer.log_sigma, 42, "the answer is untouched");
}

Test(allocation, bad_fields_are_refused)
{
    start();
    add_node(90);
    add_service(COUPLING_SINGLE, 1, reciprocal(20));
    add_vm(0, 5, 100, 0);
    cr_expect_eq(allocation_solve(&t.problem, &t.answer, NULL), 0);
    t.vms[0].min_cap_pct = 0;
    cr_expect_eq(allocation_solve(&t.problem, &t.answer, NULL), -EINVAL);
    t.vms[0].min_cap_pct = 5;
    t.vms[0].node = 1;
    cr_expect_eq(allocation_solve(&t.problem, &t.answer, NULL), -EINVAL);
    t.vms[0].node = 0;
    t.models[0].demand_pct = (double)NAN;
    cr_expect_eq(allocation_solve(&t.problem, &t.answer, NULL), -EINVAL);
    t.models[0].demand_pct = 20;
    t.services[0].weight = -1;
    cr_expect_eq(allocation_solve(&t.problem, &t.answer, NULL), -EINVAL);
    t.services[0].weight = 1;
    t.services[0].vms_count = 2;
    cr_expect_eq(allocation_solve(&t.problem, &t.answer, NULL), -EINVAL);
    t.services[0].vms_count = 1;
    t.problem.objective = 0;
    cr_expect_eq(allocation_solve(&t.problem, &t.answer, NULL), -EINVAL);
}

Test(allocation, largest_caps_of_a_service_above_the_limit_are_refused)
{
    const struct allocation_level huge = {.cap_pct = 1 + ALLOCATION_SERVICE_CAP_PCT_MAX};
    start();
    add_node(1000);
    add_service(COUPLING_SUM, 1, reciprocal(20));
    for (uint32_t sum = 0; sum < ALLOCATION_SERVICE_CAP_PCT_MAX; sum += 1000000) {
        cr_expect_eq(allocation_solve(&t.problem, &t.answer, NULL), sum > 0 ? 0 : -EINVAL);
        add_vm(0, 1, 1000000, 0);
    }
    struct err err = {0};
    cr_expect_eq(allocation_solve(&t.problem, &t.answer, &err), -EINVAL);
    cr_expect(strstr(err.text, "ALLOCATION_SERVICE_CAP_PCT_MAX") != NULL, "%s", err.text);
    start();
    add_node(1000);
    add_service(COUPLING_SINGLE, 1, reciprocal(20));
    add_vm(0, 1, 100, 0);
    t.vms[0].levels = &huge;
    t.vms[0].levels_count = 1;
    cr_expect_eq(allocation_solve(&t.problem, &t.answer, NULL), -EINVAL);
}

Test(allocation, a_search_without_memory_says_so)
{
    const struct optimizer optimizer = {0};
    struct contest contest = {0};
    struct arena arena = {.failed = true};
    cr_expect_eq(branch_solve(&optimizer, &contest, &arena), -ENOMEM);
}

Test(allocation, nothing_to_allocate_is_no_error)
{
    start();
    cr_expect_eq(allocation_solve(&t.problem, &t.answer, NULL), 0);
    cr_expect(t.answer.floors_feasible);
    cr_expect_eq(t.answer.upper_bound, 0);
}
