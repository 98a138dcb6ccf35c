// SPDX-License-Identifier: Apache-2.0
/* A triage that does not turn around at once: who was kept, who was sacrificed. */
#include "allocation_oracle.h"

static void node_of_two(double weight_a, double weight_b)
{
    start();
    add_node(300);
    add_service(COUPLING_SINGLE, weight_a, reciprocal(200));
    add_vm(0, 5, 300, 0);
    add_service(COUPLING_SINGLE, weight_b, reciprocal(200));
    add_vm(0, 5, 300, 0);
    t.services[0].past = ALLOCATION_PAST_KEPT;
    t.services[1].past = ALLOCATION_PAST_SACRIFICED;
}

Test(allocation_sticky, who_was_kept_stays_for_a_small_gain_of_weight)
{
    node_of_two(1.0, 1.4);
    solve();
    cr_expect(t.answers[0].sacrificed && !t.answers[1].sacrificed, "off");
    t.problem.sticky_weight = 0.5;
    solve();
    cr_expect(!t.answers[0].sacrificed && t.answers[1].sacrificed, "0.4 is not enough");
    cr_expect(fabs(t.answer.kept_weight - 1.0) < 1e-9);
    cr_expect_geq(t.answer.kept_weight_bound, 1.4);
}

Test(allocation_sticky, who_was_kept_goes_for_a_large_gain_of_weight)
{
    node_of_two(1.0, 1.6);
    t.problem.sticky_weight = 0.5;
    solve();
    cr_expect(t.answers[0].sacrificed && !t.answers[1].sacrificed);
}

Test(allocation_sticky, who_was_sacrificed_returns_only_with_room_to_spare)
{
    node_of_two(1.0, 1.0);
    t.problem.return_margin = 0.05;
    t.nodes[0].cpu_pct = 409;
    solve();
    cr_expect(t.answers[1].sacrificed, "both fit, but not with 5 %% more for the second");
    cr_expect_lt(t.answers[1].r_pct, 210);
    t.nodes[0].cpu_pct = 410;
    solve();
    cr_expect(!t.answers[1].sacrificed);
    cr_expect_geq(t.answers[1].r_pct, 210);
}

Test(allocation_sticky, who_cannot_have_the_margin_returns_with_what_it_can_have)
{
    node_of_two(1.0, 1.0);
    t.problem.return_margin = 0.05;
    t.nodes[0].cpu_pct = 410;
    t.vms[1].max_cap_pct = 203;
    solve();
    cr_expect(!t.answers[1].sacrificed);
    cr_expect(fabs(t.answers[1].r_pct - 203) < 1e-9);
}

static void random_past(struct rng *rng)
{
    const double weights[] = {0.0, 0.5, 1.5};
    const double margins[] = {0.0, 0.05, 0.3};
    t.problem.sticky_weight = weights[rng_below(rng, 3)];
    t.problem.return_margin = margins[rng_below(rng, 3)];
    for (uint32_t i = 0; i < t.problem.services_count; i++) {
        t.services[i].past = (enum allocation_past)rng_below(rng, 3);
    }
}

Test(allocation_sticky, small_nodes_equal_the_dynamic_program, .timeout = 100)
{
    struct rng rng;
    rng_init(&rng, 59);
    uint32_t same = 0;
    for (uint32_t round = 0; round < 3000; round++) {
        start();
        add_node(20 + (uint32_t)rng_below(&rng, 50));
        const uint32_t count = 1 + (uint32_t)rng_below(&rng, 8);
        for (uint32_t i = 0; i < count; i++) {
            const double size = 1 + rng_unit(&rng) * 2 * t.nodes[0].cpu_pct / count;
            add_service(COUPLING_SINGLE, 1 + (double)rng_below(&rng, 4),
                        rng_below(&rng, 2) == 0 ? reciprocal(size) : ps(size / 3, size / 2));
            add_vm(0, 1, 1 + (uint32_t)rng_below(&rng, 60), 0);
        }
        random_past(&rng);
        solve();
        const struct oracle_score best = oracle_node();
        same += oracle_agrees(&best, "node", round);
    }
    cr_expect_eq(same, 3000u);
}

/* Of nodes that are too large for the exact way the knapsack decides. */
Test(allocation_sticky, the_knapsack_of_large_nodes_counts_as_the_dynamic_program_does)
{
    struct rng rng;
    rng_init(&rng, 61);
    for (uint32_t round = 0; round < 200; round++) {
        start();
        add_node(240);
        for (uint32_t i = 0; i < 6; i++) {
            add_service(COUPLING_SINGLE, 1 + (double)rng_below(&rng, 4),
                        reciprocal(20 + rng_unit(&rng) * 60));
            add_vm(0, 5, 200, 0);
        }
        random_past(&rng);
        solve();
        const struct oracle_score best = oracle_node();
        const struct oracle_score small = oracle_of_caps(t.caps);
        /* the same tenfold */
        t.nodes[0].cpu_pct *= 10;
        for (uint32_t i = 0; i < 6; i++) {
            t.models[i].demand_pct *= 10;
            t.vms[i].min_cap_pct *= 10;
            t.vms[i].max_cap_pct *= 10;
        }
        solve();
        const struct oracle_score large = oracle_of_caps(t.caps);
        cr_expect(fabs(small.kept - best.kept) < 1e-9, "%u", round);
        cr_expect(large.kept >= small.kept - 1e-9, "%u: %g, %g", round, large.kept, small.kept);
    }
}

Test(allocation_sticky, coupled_problems_equal_brute_force, .timeout = 100)
{
    struct rng rng;
    rng_init(&rng, 67);
    uint32_t same = 0;
    for (uint32_t round = 0; round < 200; round++) {
        start();
        add_node(8 + (uint32_t)rng_below(&rng, 6));
        add_node(8 + (uint32_t)rng_below(&rng, 6));
        for (uint32_t i = 0; i < 2; i++) {
            add_service(rng_below(&rng, 2) == 0 ? COUPLING_SUM : COUPLING_GANG,
                        1 + (double)rng_below(&rng, 3), reciprocal(2 + rng_unit(&rng) * 12));
            add_vm(0, 1, 8, 0);
            add_vm(1, 1, 8, 0);
        }
        add_service(COUPLING_SINGLE, 1 + (double)rng_below(&rng, 3),
                    reciprocal(2 + rng_unit(&rng) * 6));
        add_vm((uint32_t)rng_below(&rng, 2), 1, 9, 0);
        random_past(&rng);
        solve();
        const struct oracle_score best = oracle_brute();
        same += oracle_agrees(&best, "component", round);
    }
    cr_expect_eq(same, 200u);
}

/* How often services go in or out while all needs sway by 4 %. */
static uint32_t turns(double sticky_weight, double return_margin, bool coupled)
{
    struct rng rng;
    rng_init(&rng, 71);
    bool was_kept[12] = {0};
    uint32_t count = 0;
    start();
    for (uint32_t j = 0; j < 6; j++) {
        add_node(1000);
    }
    double needs[12];
    for (uint32_t i = 0; i < 12; i++) {
        needs[i] = 430 + 140 * rng_unit(&rng);
        add_service(coupled ? COUPLING_SUM : COUPLING_SINGLE, 1, reciprocal(needs[i]));
        add_vm(i % 6, 5, 1000, 0);
        if (coupled) {
            add_vm((i + 1) % 6, 5, 1000, 0);
        }
    }
    t.problem.sticky_weight = sticky_weight;
    t.problem.return_margin = return_margin;
    for (uint32_t step = 0; step < 100; step++) {
        for (uint32_t i = 0; i < 12; i++) {
            t.models[i].demand_pct = needs[i] * (0.98 + 0.04 * rng_unit(&rng));
        }
        solve();
        for (uint32_t i = 0; i < 12; i++) {
            const bool kept = !t.answers[i].sacrificed;
            count += step > 0 && kept != was_kept[i];
            was_kept[i] = kept;
            t.services[i].past = kept ? ALLOCATION_PAST_KEPT : ALLOCATION_PAST_SACRIFICED;
        }
    }
    return count;
}

Test(allocation_sticky, triage_at_the_limit_does_not_go_to_and_fro)
{
    cr_expect_gt(turns(0, 0, false), 60);
    cr_expect_leq(turns(0.25, 0.1, false), 6);
    cr_expect_gt(turns(0, 0, true), 60);
    cr_expect_leq(turns(0.25, 0.1, true), 12);
}
