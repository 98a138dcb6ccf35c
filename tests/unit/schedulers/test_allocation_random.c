// SPDX-License-Identifier: Apache-2.0
/* allocation_solve() against planted optima and brute force on random problems, and on a large
 * one. */
#include <time.h>

#include "allocation_bench.h"

Test(allocation_random, planted_optimum_is_found)
{
    /* weights are chosen so that the slopes at r are equal: then r is the optimum for sum r */
    struct rng rng;
    rng_init(&rng, 11);
    for (int round = 0; round < 200; round++) {
        start();
        uint32_t planted[8];
        uint32_t sum = 0;
        add_node(0);
        const uint32_t count = 2 + (uint32_t)rng_below(&rng, 7);
        for (uint32_t i = 0; i < count; i++) {
            const double demand = 50 + (double)rng_below(&rng, 300);
            planted[i] = (uint32_t)(demand * (1.1 + rng_unit(&rng)));
            const double x = demand / planted[i];
            const struct level_curve curve = service_level_default_curve();
            const double slope = -service_level_log_slope(&curve, x) * x / planted[i];
            add_service(COUPLING_SINGLE, 0.01 / slope, reciprocal(demand));
            add_vm(0, 1, 5000, 0);
            sum += planted[i];
        }
        t.nodes[0].cpu_pct = sum;
        solve();
        for (uint32_t i = 0; i < count; i++) {
            cr_expect(t.caps[i] + 1 >= planted[i] && t.caps[i] <= planted[i] + 1,
                      "round %d: %u, planted %u", round, t.caps[i], planted[i]);
        }
        cr_expect(t.answer.upper_bound - t.answer.log_sigma < 1e-9, "gap %g",
                  t.answer.upper_bound - t.answer.log_sigma);
    }
}

/* Value of given caps, in the order in which it counts: weight of the kept, their value, the
 * value of the others. */
struct score {
    double kept;
    double value;
    double others;
};

static struct score value_of(const uint32_t *caps)
{
    struct score score = {0};
    for (uint32_t i = 0; i < t.problem.services_count; i++) {
        const struct allocation_service *it = &t.services[i];
        double r = 0;
        uint32_t least = UINT32_MAX;
        for (uint32_t k = 0; k < it->vms_count; k++) {
            r += caps[it->first_vm + k];
            least = caps[it->first_vm + k] < least ? caps[it->first_vm + k] : least;
        }
        r = it->coupling == COUPLING_GANG ? (double)least * it->vms_count : r;
        const double x = model_predict(it->model, r);
        const bool holds = service_level(&it->curve, x) >= 0.5 - 1e-12;
        score.kept += holds ? it->weight : 0;
        *(holds ? &score.value : &score.others) +=
            it->weight * service_level_log(&it->curve, x);
    }
    return score;
}

static bool is_better(const struct score *a, const struct score *b)
{
    if (fabs(a->kept - b->kept) > 1e-9) {
        return a->kept > b->kept;
    }
    if (fabs(a->value - b->value) > 1e-12) {
        return a->value > b->value;
    }
    return a->others > b->others;
}

/* The best value over all caps with the largest kept weight. */
static double brute_force(double *best_kept)
{
    uint32_t caps[8];
    const uint32_t vms = t.problem.vms_count;
    for (uint32_t v = 0; v < vms; v++) {
        caps[v] = t.vms[v].min_cap_pct;
    }
    struct score best = {.kept = -1};
    for (;;) {
        uint32_t used[NODES] = {0};
        bool fits = true;
        for (uint32_t v = 0; v < vms; v++) {
            used[t.vms[v].node] += caps[v];
            fits = fits && used[t.vms[v].node] <= t.nodes[t.vms[v].node].cpu_pct;
        }
        if (fits) {
            const struct score score = value_of(caps);
            best = is_better(&score, &best) ? score : best;
        }
        uint32_t v = 0;
        while (v < vms && caps[v] == t.vms[v].max_cap_pct) {
            caps[v] = t.vms[v].min_cap_pct;
            v++;
        }
        if (v == vms) {
            *best_kept = best.kept;
            return best.value + best.others;
        }
        caps[v]++;
    }
}

Test(allocation_random, random_nodes_with_feasible_floors_are_solved_exactly)
{
    struct rng rng;
    rng_init(&rng, 5);
    int solved = 0;
    for (int round = 0; round < 300; round++) {
        start();
        add_node(20 + (uint32_t)rng_below(&rng, 40));
        const uint32_t count = 1 + (uint32_t)rng_below(&rng, 4);
        for (uint32_t i = 0; i < count; i++) {
            const double size = 1 + rng_unit(&rng) * 12;
            add_service(COUPLING_SINGLE, 1 + (double)rng_below(&rng, 3),
                        rng_below(&rng, 2) == 0 ? reciprocal(size) : ps(size / 3, size / 2));
            add_vm(0, 1, 12 + (uint32_t)rng_below(&rng, 8), 0);
        }
        solve();
        if (!t.answer.floors_feasible || t.answer.kept_weight <= 0) {
            continue;
        }
        double kept = 0;
        const double best = brute_force(&kept);
        cr_expect(fabs(best - t.answer.log_sigma) < 1e-9, "round %d: %g, best %g", round,
                  t.answer.log_sigma, best);
        cr_expect(t.answer.upper_bound >= best - 1e-9);
        cr_expect(fabs(kept - t.answer.kept_weight) < 1e-9);
        solved++;
    }
    cr_expect_gt(solved, 100);
}

Test(allocation_random, coupled_services_come_close_to_brute_force_and_the_bound_holds)
{
    struct rng rng;
    rng_init(&rng, 17);
    double worst_sum = 0;
    double worst_gang = 0;
    int solved = 0;
    for (int round = 0; round < 150; round++) {
        start();
        add_node(14 + (uint32_t)rng_below(&rng, 10));
        add_node(14 + (uint32_t)rng_below(&rng, 10));
        const bool gang = rng_below(&rng, 2) == 0;
        add_service(gang ? COUPLING_GANG : COUPLING_SUM, 1 + (double)rng_below(&rng, 3),
                    reciprocal(4 + rng_unit(&rng) * 10));
        add_vm(0, 1, 14, 0);
        add_vm(1, 1, 14, 0);
        for (uint32_t j = 0; j < 2; j++) {
            add_service(COUPLING_SINGLE, 1 + (double)rng_below(&rng, 3),
                        reciprocal(4 + rng_unit(&rng) * 6));
            add_vm(j, 1, 14, 0);
        }
        solve();
        double kept = 0;
        const double best = brute_force(&kept);
        if (!t.answer.floors_feasible) {
            cr_expect(t.answer.kept_weight <= kept + 1e-9);
            continue;
        }
        cr_expect(t.answer.upper_bound >= best - 1e-9, "round %d", round);
        double *worst = gang ? &worst_gang : &worst_sum;
        *worst = best - t.answer.log_sigma > *worst ? best - t.answer.log_sigma : *worst;
        solved++;
    }
    cr_expect_gt(solved, 50);
    cr_expect(worst_sum < 1e-9, "worst of sum: %g", worst_sum);
    cr_expect(worst_gang < 1e-2, "worst of gang: %g", worst_gang);
}

Test(allocation_random, triage_keeps_the_largest_weight_on_a_node)
{
    struct rng rng;
    rng_init(&rng, 23);
    for (int round = 0; round < 100; round++) {
        start();
        add_node(10 + (uint32_t)rng_below(&rng, 14));
        for (uint32_t i = 0; i < 4; i++) {
            add_service(COUPLING_SINGLE, 1 + (double)rng_below(&rng, 5),
                        reciprocal(2 + rng_unit(&rng) * 9));
            add_vm(0, 1, 12, 0);
        }
        solve();
        double kept = 0;
        (void)brute_force(&kept);
        cr_expect(fabs(t.answer.kept_weight - kept) < 1e-9, "round %d: %g, best %g", round,
                  t.answer.kept_weight, kept);
        for (uint32_t i = 0; i < 4; i++) {
            cr_expect(!t.answers[i].sacrificed || t.answers[i].missing_pct > 0);
        }
    }
}

/* 64 nodes of 32 CPUs, 640 services, a quarter of them over two nodes. */
static void large_problem(double load)
{
    struct rng rng;
    rng_init(&rng, 3);
    start();
    for (uint32_t j = 0; j < NODES; j++) {
        add_node(3200);
    }
    for (uint32_t i = 0; i < SERVICES; i++) {
        const double demand = 320 * load * (0.5 + rng_unit(&rng));
        const bool coupled = i % 4 == 0;
        const uint32_t kind = i % 8 == 0 ? COUPLING_GANG : COUPLING_SUM;
        add_service(coupled ? (enum coupling)kind : COUPLING_SINGLE,
                    1 + (double)rng_below(&rng, 4),
                    i % 2 == 0 ? reciprocal(demand) : ps(demand / 4, demand * 3 / 4));
        add_vm(i % NODES, 10, 1600, 0);
        if (coupled) {
            add_vm((i + 1 + i / NODES) % NODES, 10, 1600, 0);
        }
    }
}

Test(allocation_random, hundreds_of_services_are_solved_quickly_and_the_same_each_time)
{
    for (int overload = 0; overload < 2; overload++) {
        large_problem(overload == 0 ? 0.8 : 1.2);
        const clock_t before = clock();
        solve();
        const double took_ms = (double)(clock() - before) * 1000 / CLOCKS_PER_SEC;
        uint32_t first[VMS];
        memcpy(first, t.caps, sizeof first);
        const double gap = t.answer.upper_bound - t.answer.log_sigma;
        fprintf(stderr, "load %s: %.1f ms, gap %.4f nats per service, kept %.0f\n",
                overload == 0 ? "0.8" : "1.2", took_ms, gap / SERVICES, t.answer.kept_weight);
        cr_expect_eq(t.answer.floors_feasible, overload == 0);
        solve();
        cr_expect_arr_eq(t.caps, first, sizeof first);
    }
}
