// SPDX-License-Identifier: Apache-2.0
/* Random small problems against dynamic programming and brute force: the optimum to 1e-9, and
 * bounds that are never below it. */
#include "allocation_oracle.h"

static struct proposal random_table(struct rng *rng, uint32_t most)
{
    struct proposal model = {.model = MODEL_KIND_TABLE};
    const uint32_t points = 1 + (uint32_t)rng_below(rng, 6);
    uint32_t cap_pct = (uint32_t)rng_below(rng, 1 + most / 8);
    double x = 0.5 + 3 * rng_unit(rng);
    for (uint32_t i = 0; i < points; i++) {
        model.points[model.points_count++] = (struct curve_point){.cap_pct = cap_pct, .x = x};
        cap_pct += 1 + (uint32_t)rng_below(rng, 1 + most / points);
        x *= rng_below(rng, 5) == 0 ? 1.0 : 0.2 + 0.8 * rng_unit(rng);
    }
    return model;
}

static struct proposal random_model(struct rng *rng, uint32_t most)
{
    const double size = 1 + rng_unit(rng) * most;
    switch (rng_below(rng, 4)) {
    case 0: return reciprocal(size);
    case 1: return ps(size / 3, size / 2);
    default: return random_table(rng, most);
    }
}

static void random_curve(struct rng *rng, uint32_t service)
{
    const double steepness[] = {2, 5, 10, 20, 50};
    t.services[service].curve.a = steepness[rng_below(rng, 5)];
    t.services[service].curve.b = rng_below(rng, 4) == 0 ? 0.5 + rng_unit(rng) : 1.0;
    t.services[service].curve.w = rng_below(rng, 6) == 0 ? 0.2 + 0.3 * rng_unit(rng) : 0.5;
}

static void random_node(struct rng *rng, uint32_t cpu_most)
{
    start();
    add_node(20 + (uint32_t)rng_below(rng, cpu_most - 20));
    t.nodes[0].speed = rng_below(rng, 4) == 0 ? 0.5 + rng_unit(rng) : 1.0;
    const uint32_t count = 1 + (uint32_t)rng_below(rng, 8);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t service = add_service(COUPLING_SINGLE, 1 + (double)rng_below(rng, 4),
                                             random_model(rng, 2 * t.nodes[0].cpu_pct / count));
        random_curve(rng, service);
        const uint32_t min = 1 + (uint32_t)rng_below(rng, 2);
        add_vm(0, min, min + (uint32_t)rng_below(rng, cpu_most), 0);
    }
    t.problem.objective = rng_below(rng, 3) == 0 ? ALLOCATION_PRODUCT : ALLOCATION_FLOORS;
}

Test(allocation_exact, ten_thousand_small_nodes_equal_the_dynamic_program, .timeout = 100)
{
    struct rng rng;
    rng_init(&rng, 41);
    uint32_t same = 0;
    for (uint32_t round = 0; round < 10000; round++) {
        random_node(&rng, round % 50 == 0 ? 200 : 60);
        solve();
        const struct oracle_score best = oracle_node();
        same += oracle_agrees(&best, "node", round);
    }
    cr_expect_eq(same, 10000u);
}

static void random_component(struct rng *rng)
{
    start();
    add_node(8 + (uint32_t)rng_below(rng, 8));
    add_node(8 + (uint32_t)rng_below(rng, 8));
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t service =
            add_service(rng_below(rng, 2) == 0 ? COUPLING_SUM : COUPLING_GANG,
                        1 + (double)rng_below(rng, 3),
                        rng_below(rng, 3) == 0 ? random_table(rng, 10)
                                               : reciprocal(2 + rng_unit(rng) * 12));
        random_curve(rng, service);
        add_vm(0, 1, 4 + (uint32_t)rng_below(rng, 6), 0);
        add_vm(1, 1, 4 + (uint32_t)rng_below(rng, 6), 0);
        if (t.services[service].coupling == COUPLING_GANG) {
            const uint32_t first = t.services[service].first_vm;
            t.vms[first + 1].max_cap_pct = t.vms[first].max_cap_pct;
        }
    }
    add_service(COUPLING_SINGLE, 1 + (double)rng_below(rng, 3),
                reciprocal(2 + rng_unit(rng) * 6));
    add_vm((uint32_t)rng_below(rng, 2), 1, 9, 0);
    t.problem.objective = rng_below(rng, 3) == 0 ? ALLOCATION_PRODUCT : ALLOCATION_FLOORS;
}

Test(allocation_exact, a_thousand_coupled_problems_equal_brute_force, .timeout = 100)
{
    struct rng rng;
    rng_init(&rng, 43);
    uint32_t same = 0;
    for (uint32_t round = 0; round < 1000; round++) {
        random_component(&rng);
        solve();
        const struct oracle_score best = oracle_brute();
        same += oracle_agrees(&best, "component", round);
    }
    cr_expect_eq(same, 1000u);
}
