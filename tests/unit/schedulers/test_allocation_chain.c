// SPDX-License-Identifier: Apache-2.0
/* Full nodes on which nearly all of the kept stand at their floors: percents go over several
 * nodes to where they are worth more, and the bound stays close to what is reached. */
#include "allocation_oracle.h"

/* Of what each node lacks to the bound, in nats. */
static double gap_per_node(void)
{
    return (t.answer.upper_bound - t.answer.log_sigma) / t.problem.nodes_count;
}

/* A ring of nodes; sums over two neighbours let percents go on from node to node. */
static void ring(uint64_t seed, double load, uint32_t singles, uint32_t gang_every)
{
    struct rng rng;
    rng_init(&rng, seed);
    start();
    for (uint32_t j = 0; j < NODES; j++) {
        add_node(3200);
    }
    const double mean = 3200.0 * load / (singles + 2);
    for (uint32_t i = 0; i < NODES * (singles + 2); i++) {
        const uint32_t node = i % NODES;
        const uint32_t row = i / NODES;
        const double need = mean * (0.5 + rng_unit(&rng));
        const double weight = (double)(1u << rng_below(&rng, 3));
        if (row >= 2) {
            add_service(COUPLING_SINGLE, weight, reciprocal(need));
            add_vm(node, 5, 3200, 0);
            continue;
        }
        const bool gang = gang_every > 0 && i % gang_every == 0;
        add_service(gang ? COUPLING_GANG : COUPLING_SUM, weight, reciprocal(need));
        add_vm(node, 5, 3200, 0);
        add_vm((node + 1 + 5 * row) % NODES, 5, 3200, 0);
    }
}

Test(allocation_chain, the_bound_is_close_in_overload_where_services_couple_nodes)
{
    const double loads[] = {1.05, 1.1, 1.3};
    for (uint32_t i = 0; i < 3; i++) {
        for (uint64_t seed = 1; seed <= 4; seed++) {
            ring(seed, loads[i], 7, 11);
            solve();
            cr_expect_not(t.answer.floors_feasible);
            cr_expect(gap_per_node() < 0.1, "load %g, seed %u: %g nats per node", loads[i],
                      (uint32_t)seed, gap_per_node());
        }
    }
}

Test(allocation_chain, the_bound_is_very_close_where_all_floors_fit)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        ring(seed, 0.95, 7, 11);
        solve();
        cr_expect(t.answer.floors_feasible);
        cr_expect(gap_per_node() < 1e-3, "seed %u: %g nats per node", (uint32_t)seed,
                  gap_per_node());
    }
}

/* Four nodes in a row, full of floors but for 100 % on the first; what it can do for the light
 * service there is little beside what it does for the heavy one on the last. */
Test(allocation_chain, what_one_node_has_to_spare_goes_to_the_node_where_it_is_worth_most)
{
    start();
    const uint32_t nodes = 4;
    for (uint32_t j = 0; j < nodes; j++) {
        add_node(1000);
    }
    for (uint32_t j = 0; j < nodes; j++) {
        const double need = j == 0 ? 600 : j + 1 == nodes ? 849 : 699;
        add_service(COUPLING_SINGLE, j == 0 ? 1 : j + 1 == nodes ? 16 : 1, reciprocal(need));
        add_vm(j, 5, 1000, 0);
    }
    for (uint32_t j = 0; j + 1 < nodes; j++) {
        add_service(COUPLING_SUM, 1, reciprocal(300));
        add_vm(j, 5, 1000, 0);
        add_vm(j + 1, 5, 1000, 0);
    }
    solve();
    cr_expect(t.answer.floors_feasible);
    cr_expect(t.answers[nodes - 1].r_pct > 920, "%g", t.answers[nodes - 1].r_pct);
    cr_expect(gap_per_node() < 1e-4, "%g", gap_per_node());
}

/* Caps that go back to where they were gain by that alone, where nobody takes the percents. */
Test(allocation_chain, caps_that_cost_something_to_move_are_settled_too)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        ring(seed, 0.4 + 0.6 * rng_unit(&rng), 3, 5);
        t.problem.switching_cost = 1e-3;
        for (uint32_t v = 0; v < t.problem.vms_count; v++) {
            t.vms[v].max_cap_pct = 200 + (uint32_t)rng_below(&rng, 1000);
            t.vms[v].previous_cap_pct = 5 + (uint32_t)rng_below(&rng, t.vms[v].max_cap_pct - 4);
        }
        for (uint32_t i = 0; i < t.problem.services_count; i++) {
            t.models[i].want_pct =
                rng_below(&rng, 3) == 0 ? 100 + (uint32_t)rng_below(&rng, 300) : 0;
        }
        solve();
    }
}

/* Five nodes in a row, too many for the exact way, but few enough caps to try all of them. */
static void small_row(struct rng *rng)
{
    start();
    for (uint32_t j = 0; j < 5; j++) {
        add_node(4 + (uint32_t)rng_below(rng, 3));
    }
    for (uint32_t j = 0; j < 4; j++) {
        const bool gang = rng_below(rng, 4) == 0;
        add_service(gang ? COUPLING_GANG : COUPLING_SUM, 1 + (double)rng_below(rng, 3),
                    reciprocal(2 + rng_unit(rng) * 5));
        add_vm(j, 1, 3, 0);
        add_vm(j + 1, 1, 3, 0);
    }
    for (uint32_t i = 0; i < 2; i++) {
        add_service(COUPLING_SINGLE, 1 + (double)rng_below(rng, 3),
                    reciprocal(1 + rng_unit(rng) * 3));
        add_vm((uint32_t)rng_below(rng, 5), 1, 3, 0);
    }
}

/* The best with just those at their floors that the answer keeps. */
static struct oracle_score best_with_same_kept(void)
{
    uint32_t answered[VMS];
    memcpy(answered, t.caps, sizeof answered);
    struct oracle_score best = {.kept = -HUGE_VAL};
    uint32_t caps[10];
    for (uint32_t v = 0; v < 10; v++) {
        caps[v] = 1;
    }
    for (uint32_t v = 0; v < 10;) {
        uint32_t used[5] = {0};
        bool fits = true;
        for (uint32_t k = 0; k < 10; k++) {
            used[t.vms[k].node] += caps[k];
            fits = fits && used[t.vms[k].node] <= t.nodes[t.vms[k].node].cpu_pct;
        }
        if (fits && oracle_same_kept(caps, answered)) {
            const struct oracle_score score = oracle_of_caps(caps);
            best = !isfinite(best.kept) || oracle_is_better(&score, &best) ? score : best;
        }
        for (v = 0; v < 10 && caps[v] == 3; v++) {
            caps[v] = 1;
        }
        if (v < 10) {
            caps[v]++;
        }
    }
    return best;
}

Test(allocation_chain, the_bound_is_never_below_the_best_with_the_same_kept, .timeout = 100)
{
    struct rng rng;
    rng_init(&rng, 97);
    uint32_t overloaded = 0;
    for (uint32_t round = 0; round < 80; round++) {
        small_row(&rng);
        solve();
        const struct oracle_score best = best_with_same_kept();
        const double sum = best.value + best.others;
        cr_expect(t.answer.upper_bound >= sum - 1e-9, "%u: bound %.12g below %.12g", round,
                  t.answer.upper_bound, sum);
        overloaded += !t.answer.floors_feasible;
    }
    cr_expect_gt(overloaded, 20);
    cr_expect_lt(overloaded, 80);
}
