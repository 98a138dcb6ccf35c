// SPDX-License-Identifier: Apache-2.0
#include "schedulers/escalation.h"
#include "tests/unit/schedulers/allocation_bench.h"

static struct escalation_judgement judge(struct escalation_candidate candidate)
{
    struct escalation_judgement judgement;
    struct err err = {0};
    cr_assert_eq(escalation_judge(&t.problem, &candidate, 1, &judgement, &err), 0, "%s",
                 err.text);
    return judgement;
}

/* Two services that need 80 % each share node0 of 100 %; node1 of 100 % is empty. */
static void two_on_one_node(void)
{
    start();
    add_node(100);
    add_node(100);
    for (int i = 0; i < 2; i++) {
        add_service(COUPLING_SINGLE, 1.0, reciprocal(80));
        add_vm(0, 5, 100, 0);
    }
}

Test(escalation, a_move_to_an_empty_node_keeps_both_services)
{
    two_on_one_node();
    struct escalation_judgement judgement = judge((struct escalation_candidate){
        .kind = ESCALATION_MOVE_VM, .service = 1, .vm = 1, .node = 1, .cost = 0.1});
    cr_assert(judgement.worthwhile);
    cr_assert_gt(judgement.kept_gain, 0.9);
    cr_assert(judgement.floors_feasible);
    cr_assert_gt(judgement.level, 0.8);
}

Test(escalation, a_move_that_gains_less_than_it_costs_is_not_worthwhile)
{
    start();
    add_node(400);
    add_node(400);
    for (int i = 0; i < 2; i++) {
        add_service(COUPLING_SINGLE, 1.0, reciprocal(80));
        add_vm((uint32_t)i, 5, 400, 0);
    }
    struct escalation_judgement judgement = judge((struct escalation_candidate){
        .kind = ESCALATION_MOVE_VM, .service = 1, .vm = 1, .node = 0, .cost = 0.01});
    cr_assert_not(judgement.worthwhile);
    cr_assert_lt(judgement.gain, 0.0);
}

Test(escalation, between_equal_nodes_no_move_gains_anything)
{
    start();
    add_node(160);
    add_node(160);
    for (uint32_t i = 0; i < 4; i++) {
        add_service(COUPLING_SINGLE, 1.0, reciprocal(70));
        add_vm(i / 2, 5, 160, 0);
    }
    for (uint32_t i = 0; i < 4; i++) {
        struct escalation_judgement judgement = judge((struct escalation_candidate){
            .kind = ESCALATION_MOVE_VM, .service = i, .vm = i, .node = 1 - i / 2, .cost = 0.0});
        cr_assert_not(judgement.worthwhile, "service %u", i);
    }
}

Test(escalation, one_more_vm_on_another_node_lifts_a_service_above_its_floor)
{
    start();
    add_node(100);
    add_node(100);
    add_service(COUPLING_SINGLE, 1.0, reciprocal(150));
    add_vm(0, 5, 100, 0);
    add_service(COUPLING_SINGLE, 1.0, reciprocal(20)); /* later ones keep their VMs */
    add_vm(1, 5, 40, 0);
    struct escalation_judgement judgement =
        judge((struct escalation_candidate){.kind = ESCALATION_ADD_VM,
                                            .service = 0,
                                            .node = 1,
                                            .min_cap_pct = 5,
                                            .max_cap_pct = 100,
                                            .cost = 0.1});
    cr_assert(judgement.worthwhile);
    cr_assert_gt(judgement.level, 0.5);
}

Test(escalation, one_vm_less_is_fine_while_the_rest_carry_the_load)
{
    start();
    add_node(400);
    add_service(COUPLING_SUM, 1.0, reciprocal(30));
    add_vm(0, 5, 100, 0);
    add_vm(0, 5, 100, 0);
    struct escalation_candidate candidate = {
        .kind = ESCALATION_REMOVE_VM, .service = 0, .vm = 1, .cost = 0.02};
    cr_assert(judge(candidate).worthwhile);
    t.models[0].demand_pct = 120;
    cr_assert_not(judge(candidate).worthwhile);
}

Test(escalation, minimum_caps_that_do_not_fit_on_the_target_make_no_step)
{
    start();
    add_node(100);
    add_node(10);
    add_service(COUPLING_SINGLE, 1.0, reciprocal(150));
    add_vm(0, 20, 100, 0);
    struct escalation_judgement judgement = judge((struct escalation_candidate){
        .kind = ESCALATION_MOVE_VM, .service = 0, .vm = 0, .node = 1, .cost = 0.0});
    cr_assert_not(judgement.worthwhile);
}

Test(escalation, a_candidate_outside_the_problem_is_refused)
{
    two_on_one_node();
    struct escalation_judgement judgement;
    const struct escalation_candidate wrong[] = {
        {.kind = ESCALATION_MOVE_VM, .service = 2, .vm = 0, .node = 1},
        {.kind = ESCALATION_MOVE_VM, .service = 0, .vm = 1, .node = 1},
        {.kind = ESCALATION_MOVE_VM, .service = 0, .vm = 0, .node = 2},
        {.kind = ESCALATION_REMOVE_VM, .service = 0, .vm = 0},
        {.kind = ESCALATION_ADD_VM, .service = 0, .node = 1},
        {.service = 0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct err err = {0};
        cr_assert_eq(escalation_judge(&t.problem, &wrong[i], 1, &judgement, &err), -EINVAL,
                     "candidate %zu", i);
    }
}

Test(escalation, the_best_step_keeps_most_weight_then_gains_most)
{
    const struct escalation_judgement judgements[] = {
        {.kept_gain = 0.0, .gain = 9.0, .worthwhile = true},
        {.kept_gain = 1.0, .gain = 2.0, .worthwhile = true},
        {.kept_gain = 1.0, .gain = 3.0, .worthwhile = true},
        {.kept_gain = 1.0, .gain = 3.0, .worthwhile = true},
        {.kept_gain = 5.0, .gain = 9.0, .worthwhile = false},
    };
    cr_assert_eq(escalation_best(judgements, 5), 2);
    cr_assert_eq(escalation_best(judgements + 4, 1), UINT32_MAX);
    cr_assert_eq(escalation_best(judgements, 0), UINT32_MAX);
}

Test(escalation, slack_is_what_no_floor_needs)
{
    two_on_one_node();
    cr_assert_eq(allocation_solve(&t.problem, &t.answer, NULL), 0);
    double slack[2];
    escalation_slack(&t.problem, &t.answer, slack);
    cr_assert_float_eq(slack[0], 100.0 - 160.0, 1e-6);
    cr_assert_float_eq(slack[1], 100.0, 1e-9);
}

Test(escalation, a_longer_disturbance_of_a_weightier_service_costs_more)
{
    const double cost = escalation_cost(1.0, 0.9, 1000, 600000);
    cr_assert_gt(cost, 0.0);
    cr_assert_float_eq(escalation_cost(2.0, 0.9, 1000, 600000), 2 * cost, 1e-12);
    cr_assert_float_eq(escalation_cost(1.0, 0.9, 3000, 600000), 3 * cost, 1e-12);
    cr_assert_eq(escalation_cost(1.0, 0.001, 1000, 600000), 0.0);
    cr_assert_eq(escalation_cost(1.0, (double)NAN, 1000, 600000), 0.0);
}

/* Random services on six nodes; each fifth has two VMs. */
static void random_cluster(struct rng *rng, bool coupled)
{
    start();
    for (int j = 0; j < 6; j++) {
        add_node(200 + (uint32_t)rng_below(rng, 200));
    }
    for (uint32_t i = 0; i < 18; i++) {
        const bool two = coupled && i % 5 == 0;
        const uint32_t node = (uint32_t)rng_below(rng, 6);
        add_service(two ? COUPLING_SUM : COUPLING_SINGLE, 1.0 + (double)rng_below(rng, 3),
                    reciprocal(30 + (double)rng_below(rng, 80)));
        add_vm(node, 5, 200, 0);
        if (two) {
            add_vm((node + 1) % 6, 5, 200, 0);
        }
    }
}

Test(escalation, a_step_is_judged_the_same_whatever_stands_beside_it)
{
    struct rng rng;
    rng_init(&rng, 3);
    for (int round = 0; round < 100; round++) {
        random_cluster(&rng, true);
        struct escalation_candidate candidates[ESCALATION_CANDIDATES_MAX];
        struct escalation_judgement together[ESCALATION_CANDIDATES_MAX];
        for (uint32_t i = 0; i < ESCALATION_CANDIDATES_MAX; i++) {
            const uint32_t service = (uint32_t)rng_below(&rng, 18);
            candidates[i] = (struct escalation_candidate){
                .kind = i % 4 == 3 ? ESCALATION_ADD_VM : ESCALATION_MOVE_VM,
                .service = service,
                .vm = t.services[service].first_vm,
                .node = (uint32_t)rng_below(&rng, 6),
                .min_cap_pct = 5,
                .max_cap_pct = 200,
                .cost = 0.1};
        }
        struct err err = {0};
        cr_assert_eq(
            escalation_judge(&t.problem, candidates, ESCALATION_CANDIDATES_MAX, together, &err),
            0);
        for (uint32_t i = 0; i < ESCALATION_CANDIDATES_MAX; i++) {
            const struct escalation_judgement alone = judge(candidates[i]);
            cr_expect_float_eq(alone.gain, together[i].gain, 1e-9, "round %d: %g, %g", round,
                               alone.gain, together[i].gain);
            cr_expect_float_eq(alone.kept_gain, together[i].kept_gain, 1e-9);
            cr_expect_eq(alone.worthwhile, together[i].worthwhile);
        }
    }
}

static double value_of_whole(void)
{
    struct err err = {0};
    cr_assert_eq(allocation_solve(&t.problem, &t.answer, &err), 0, "%s", err.text);
    return t.answer.log_sigma;
}

Test(escalation, a_step_gains_in_the_part_that_it_touches_what_it_gains_in_the_whole)
{
    struct rng rng;
    rng_init(&rng, 4);
    for (int round = 0; round < 200; round++) {
        random_cluster(&rng, false);
        const uint32_t vm = (uint32_t)rng_below(&rng, t.problem.vms_count);
        const uint32_t node = (uint32_t)rng_below(&rng, 6);
        const struct escalation_judgement judgement = judge((struct escalation_candidate){
            .kind = ESCALATION_MOVE_VM, .service = vm, .vm = vm, .node = node, .cost = 0.1});
        const double before = value_of_whole();
        t.vms[vm].node = node;
        cr_expect_float_eq(judgement.gain, value_of_whole() - before, 1e-9);
        cr_expect_float_eq(judgement.level, t.answers[vm].level, 1e-9);
    }
}

Test(escalation, a_step_between_tied_nodes_is_judged_with_all_of_them)
{
    start();
    for (int j = 0; j < 5; j++) {
        add_node(200);
    }
    add_service(COUPLING_SINGLE, 1.0, reciprocal(100)); /* 0: on a node apart */
    add_vm(4, 5, 200, 0);
    add_service(COUPLING_SUM, 1.0, reciprocal(150)); /* 1: ties 0 and 1 */
    add_vm(0, 5, 200, 0);
    add_vm(1, 5, 200, 0);
    add_service(COUPLING_SUM, 1.0, reciprocal(150)); /* 2: ties 1 and 2 */
    add_vm(1, 5, 200, 0);
    add_vm(2, 5, 200, 0);
    add_service(COUPLING_SINGLE, 1.0, reciprocal(120)); /* 3: crowds 0 */
    add_vm(0, 5, 200, 0);
    const double before = value_of_whole();
    const struct escalation_judgement judgement = judge((struct escalation_candidate){
        .kind = ESCALATION_MOVE_VM, .service = 3, .vm = 5, .node = 3, .cost = 0.01});
    t.vms[5].node = 3;
    cr_expect_float_eq(judgement.gain, value_of_whole() - before, 1e-3);
    cr_expect_gt(judgement.gain, 0.0);
    cr_expect_float_eq(judgement.level, t.answers[3].level, 1e-3);
}

Test(escalation, more_vcpus_help_where_the_node_has_cpu_and_only_there)
{
    start();
    add_node(300);
    add_service(COUPLING_SINGLE, 1.0, reciprocal(150));
    add_vm(0, 5, 100, 0);
    struct escalation_candidate more = {.kind = ESCALATION_MORE_VCPUS,
                                        .service = 0,
                                        .vm = 0,
                                        .vms_count = 1,
                                        .vcpus = 2,
                                        .max_cap_pct = 200,
                                        .cost = 0.01};
    const struct escalation_judgement judgement = judge(more);
    cr_expect(judgement.worthwhile);
    cr_expect_float_eq(judgement.kept_gain, 1.0, 1e-9);
    cr_expect_gt(judgement.level, 0.9);
    t.nodes[0].cpu_pct = 100;
    cr_expect_not(judge(more).worthwhile);
    more.vms_count = 2; /* of one */
    struct escalation_judgement out;
    struct err err = {0};
    cr_expect_eq(escalation_judge(&t.problem, &more, 1, &out, &err), -EINVAL);
}

Test(escalation, fewer_vcpus_are_fine_only_while_they_carry_the_load)
{
    start();
    add_node(400);
    add_service(COUPLING_SINGLE, 1.0, reciprocal(50));
    add_vm(0, 5, 200, 0);
    const struct escalation_candidate fewer = {.kind = ESCALATION_FEWER_VCPUS,
                                               .service = 0,
                                               .vm = 0,
                                               .vms_count = 1,
                                               .vcpus = 1,
                                               .max_cap_pct = 100,
                                               .cost = 0.02};
    cr_expect(judge(fewer).worthwhile);
    t.models[0] = reciprocal(95);
    cr_expect_not(judge(fewer).worthwhile);
}

/* node0 of 100 %: the first needs 70 % and weighs 4, the others must have 20 % and need 60 %.
 */
static void least_cpu_in_the_way(void)
{
    start();
    add_node(100);
    add_service(COUPLING_SINGLE, 4.0, reciprocal(70));
    add_vm(0, 5, 100, 0);
    for (int i = 0; i < 2; i++) {
        add_service(COUPLING_SINGLE, 1.0, reciprocal(60));
        add_vm(0, 20, 100, 0);
    }
}

static struct escalation_candidate pause_of(uint32_t service, uint32_t helped)
{
    return (struct escalation_candidate){.kind = ESCALATION_PAUSE,
                                         .service = service,
                                         .helped = helped,
                                         .vm = service,
                                         .vms_count = 1};
}

Test(escalation, a_pause_is_worthwhile_when_a_dearer_service_reaches_its_floor_by_it)
{
    least_cpu_in_the_way();
    const struct escalation_judgement judgement = judge(pause_of(1, 0));
    cr_expect(judgement.worthwhile);
    cr_expect_geq(judgement.level, 0.5, "of the one that is helped");
    cr_expect_float_eq(judgement.kept_gain, 3.0, 1e-9, "4 instead of the 1 of either other");
}

Test(escalation, a_pause_that_helps_nobody_or_only_a_lighter_one_is_not_worthwhile)
{
    least_cpu_in_the_way();
    t.models[0].demand_pct = 90; /* more than one pause can free */
    cr_expect_not(judge(pause_of(1, 0)).worthwhile);
    t.models[0].demand_pct = 50; /* it has its floor anyhow */
    cr_expect_not(judge(pause_of(1, 0)).worthwhile);
    cr_expect_not(judge(pause_of(0, 1)).worthwhile, "the dearest of all");
}

Test(escalation, memory_gains_what_the_level_rises_by_if_it_is_all_that_is_lacking)
{
    two_on_one_node();
    struct escalation_candidate more = {.kind = ESCALATION_MORE_MEMORY,
                                        .service = 1,
                                        .vm = 1,
                                        .memory_kib = 1024,
                                        .x_now = 2.0,
                                        .x_then = 0.5,
                                        .cost = 0.02};
    const struct escalation_judgement judgement = judge(more);
    cr_expect(judgement.worthwhile);
    cr_expect_float_eq(judgement.gain, log(0.990290337845 / 0.002481404895), 1e-6);
    cr_expect_float_eq(judgement.level, 0.990290337845, 1e-9);
    cr_expect_eq(judgement.kept_gain, 1.0);
    more.x_now = 0.5;
    cr_expect_not(judge(more).worthwhile, "nothing to gain");
    more.x_now = 2.0;
    more.kind = ESCALATION_FREE_MEMORY;
    more.helped = 0;
    cr_expect(judge(more).worthwhile, "for the one that is helped");
    more.helped = 1;
    struct escalation_judgement none;
    struct err err = {0};
    cr_expect_eq(escalation_judge(&t.problem, &more, 1, &none, &err), -EINVAL, "for itself");
}
