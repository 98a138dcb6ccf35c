// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "common/rng.h"
#include "schedulers/placement_all.h"

TestSuite(placement_all, .timeout = 60);

#define NODES 6
#define NEEDS 40

/* An instance; solve() works on copies of what is scratch. */
static struct {
    struct placement_node nodes[NODES];
    uint32_t nodes_count;
    uint32_t vms_free[NODES];
    uint8_t occupied[NEEDS * NODES];
    uint8_t closed[NEEDS][NODES];
    struct placement_need needs[NEEDS];
    uint32_t service_of[NEEDS];
    double weights[NEEDS];
    uint32_t needs_count;
    uint32_t services_count;
    uint32_t chosen[NEEDS];
    struct placement_found found;
} it;

static void add_node(uint32_t cpu_pct, int64_t slack_pct, uint64_t memory_kib)
{
    it.vms_free[it.nodes_count] = VMS_PER_NODE_MAX;
    it.nodes[it.nodes_count++] = (struct placement_node){.cpu_pct_free = cpu_pct,
                                                         .memory_kib_free = memory_kib,
                                                         .closed = REASON_NONE,
                                                         .cpu_pct = cpu_pct,
                                                         .memory_kib = memory_kib,
                                                         .slack_pct = slack_pct};
}

/* A VM of a service of its own. */
static struct placement_need *add_need(uint32_t floor_pct, uint64_t memory_kib, double weight)
{
    it.weights[it.services_count] = weight;
    it.service_of[it.needs_count] = it.services_count++;
    struct placement_need *need = &it.needs[it.needs_count++];
    *need = (struct placement_need){
        .cpu_pct = 10, .floor_pct = floor_pct, .memory_kib = memory_kib};
    return need;
}

static void solve(void)
{
    struct placement_node nodes[NODES];
    uint32_t vms_free[NODES];
    uint8_t occupied[sizeof it.occupied];
    memcpy(nodes, it.nodes, sizeof nodes);
    memcpy(vms_free, it.vms_free, sizeof vms_free);
    memcpy(occupied, it.occupied, sizeof occupied);
    struct placement_all all = {.nodes = nodes,
                                .nodes_count = it.nodes_count,
                                .vms_free = vms_free,
                                .occupied = occupied,
                                .needs = it.needs,
                                .service_of = it.service_of,
                                .weights = it.weights,
                                .needs_count = it.needs_count,
                                .services_count = it.services_count};
    placement_all(&all, it.chosen, &it.found);
}

/* What placement_choose() answers for one VM after the other. */
static void choose_alone(uint32_t *chosen)
{
    struct placement_node nodes[NODES];
    uint8_t occupied[sizeof it.occupied];
    memcpy(nodes, it.nodes, sizeof nodes);
    memcpy(occupied, it.occupied, sizeof occupied);
    for (uint32_t i = 0; i < it.needs_count; i++) {
        (void)placement_choose(nodes, it.nodes_count, &it.needs[i], 1, occupied, &chosen[i]);
    }
}

static void expect_kept(double before, double after)
{
    cr_expect_float_eq(it.found.start.kept, before, 1e-9, "%g", it.found.start.kept);
    cr_expect_float_eq(it.found.worth.kept, after, 1e-9, "%g", it.found.worth.kept);
}

/* ---- what one after the other loses ---- */

Test(placement_all, a_small_floor_makes_way_where_only_one_node_holds_the_big_one)
{
    add_node(400, 100, 1000); /* by memory the small one is best placed here */
    add_node(400, 60, 1000);
    it.nodes[1].memory_kib_free = 500;
    (void)add_need(50, 100, 1);
    (void)add_need(90, 100, 1);
    uint32_t alone[NEEDS];
    choose_alone(alone);
    cr_assert_eq(alone[0], 0);
    solve();
    expect_kept(1, 2);
    cr_expect_eq(it.chosen[0], 1);
    cr_expect_eq(it.chosen[1], 0);
}

Test(placement_all, big_floor_that_fits_on_both_leaves_the_node_with_the_memory)
{
    add_node(400, 100, 1000);
    add_node(400, 100, 1000);
    it.nodes[1].memory_kib_free = 300;
    (void)add_need(90, 200, 1);
    (void)add_need(80, 850, 1); /* only the first has the memory */
    solve();
    expect_kept(1, 2);
    cr_expect_float_eq(it.found.start.placed, 1, 1e-9);
    cr_expect_eq(it.chosen[0], 1);
    cr_expect_eq(it.chosen[1], 0);
}

Test(placement_all, vm_of_a_group_that_spreads_gets_the_node_that_another_service_has)
{
    add_node(400, 200, 1000);
    add_node(400, 90, 1000);
    (void)add_need(85, 100, 1);
    struct placement_need *web = add_need(80, 100, 1);
    web->spread_group = 1;
    it.occupied[1] = 1; /* one of the group is on the second */
    it.nodes[0].slack_pct = 120;
    solve();
    expect_kept(1, 2);
    cr_expect_eq(it.chosen[0], 1);
    cr_expect_eq(it.chosen[1], 0);
}

Test(placement_all, two_of_a_group_that_spreads_never_come_together)
{
    add_node(400, 300, 1000);
    add_node(400, 20, 1000);
    add_need(80, 100, 1)->spread_group = 1;
    add_need(80, 100, 1)->spread_group = 1;
    solve();
    expect_kept(1, 1);
    cr_expect_neq(it.chosen[0], it.chosen[1]);
    cr_expect_neq(it.chosen[1], PLACEMENT_NONE);
}

Test(placement_all, heavy_service_takes_the_place_of_a_light_one_that_goes_without_floor)
{
    add_node(400, 100, 1000);
    (void)add_need(80, 100, 1);
    (void)add_need(70, 100, 4);
    solve();
    expect_kept(1, 4);
    cr_expect_eq(it.chosen[0], 0, "it runs, with its least");
    cr_expect_eq(it.chosen[1], 0);
}

Test(placement_all, one_big_floor_gives_way_to_two_small_ones_of_the_same_weight)
{
    add_node(400, 125, 1000);
    (void)add_need(100, 100, 1);
    (void)add_need(50, 100, 1);
    (void)add_need(50, 100, 1);
    solve();
    expect_kept(1, 2);
}

Test(placement_all, services_of_several_vms_count_only_when_all_of_them_hold)
{
    add_node(400, 100, 1000);
    (void)add_need(60, 100, 3); /* of a service that lacks its other VM anyhow */
    (void)add_need(500, 100, 3);
    it.service_of[1] = it.service_of[0];
    (void)add_need(50, 100, 1);
    it.service_of[2] = 1;
    it.weights[1] = 1;
    it.services_count = 2;
    solve();
    expect_kept(0, 1);
}

Test(placement_all, full_and_closed_nodes_stay_so)
{
    add_node(400, 400, 1000);
    add_node(400, 400, 1000);
    it.vms_free[0] = 1;
    it.nodes[1].closed = REASON_CORDONED;
    (void)add_need(50, 100, 1);
    (void)add_need(40, 100, 2);
    solve();
    expect_kept(1, 2);
    cr_expect_eq(it.chosen[0], PLACEMENT_NONE);
    cr_expect_eq(it.chosen[1], 0);
}

Test(placement_all, who_makes_way_takes_the_cheaper_of_two_nodes)
{
    add_node(400, 150, 1000);
    add_node(400, 60, 1000);
    add_node(400, 80, 1000); /* more of it is to spare */
    it.nodes[1].memory_kib_free = 60;
    it.nodes[2].memory_kib_free = 60;
    (void)add_need(50, 50, 1);
    (void)add_need(40, 960, 1); /* only the first has the memory */
    solve();
    expect_kept(1, 2);
    cr_expect_eq(it.chosen[0], 2);
    cr_expect_eq(it.chosen[1], 0);
}

Test(placement_all, nothing_to_gain_leaves_what_one_after_the_other_gives)
{
    add_node(400, 300, 1000);
    add_node(400, 200, 1000);
    for (uint32_t i = 0; i < 6; i++) {
        (void)add_need(70 - i, 100, 1);
    }
    uint32_t alone[NEEDS];
    choose_alone(alone);
    solve();
    expect_kept(6, 6);
    cr_expect_eq(it.found.looks, 0, "there is nothing to search for");
    cr_expect_eq(memcmp(alone, it.chosen, it.needs_count * sizeof *alone), 0);
}

Test(placement_all, no_needs_and_no_nodes_are_fine)
{
    solve();
    expect_kept(0, 0);
    (void)add_need(10, 10, 1);
    solve();
    cr_expect_eq(it.chosen[0], PLACEMENT_NONE);
    expect_kept(0, 0);
}

/* ---- random instances against all answers ---- */

static void make_random(struct rng *rng, uint32_t nodes_most, uint32_t needs_most)
{
    memset(&it, 0, sizeof it);
    const uint32_t nodes_count = 1 + (uint32_t)rng_below(rng, nodes_most);
    const uint32_t needs_count = 1 + (uint32_t)rng_below(rng, needs_most);
    for (uint32_t i = 0; i < nodes_count; i++) {
        add_node(100 + (uint32_t)rng_below(rng, 200), 0, 400 + rng_below(rng, 600));
        it.nodes[i].slack_pct = (int64_t)rng_below(rng, 200) - 20;
        it.nodes[i].closed = rng_below(rng, 10) == 0 ? REASON_CORDONED : REASON_NONE;
        it.vms_free[i] = rng_below(rng, 8) == 0 ? 1 : VMS_PER_NODE_MAX;
    }
    for (uint32_t i = 0; i < needs_count; i++) {
        const uint32_t floor_pct =
            rng_below(rng, 8) == 0 ? 0 : 10 + (uint32_t)rng_below(rng, 90);
        struct placement_need *need =
            add_need(floor_pct, 100 + rng_below(rng, 400), 1 << rng_below(rng, 3));
        need->cpu_pct = 5 + (uint32_t)rng_below(rng, 6);
        if (i > 0 && rng_below(rng, 3) == 0) { /* of the service before, apart half the time */
            it.service_of[i] = it.service_of[i - 1];
            it.services_count--;
            need->spread_group = it.needs[i - 1].spread_group;
        } else if (rng_below(rng, 2) == 0) {
            need->spread_group = it.services_count;
            it.occupied[(size_t)(need->spread_group - 1) * nodes_count +
                        rng_below(rng, nodes_count)] = (uint8_t)rng_below(rng, 2);
        }
        if (rng_below(rng, 4) == 0) {
            memset(it.closed[i], REASON_NONE, sizeof it.closed[i]);
            it.closed[i][rng_below(rng, nodes_count)] = REASON_NO_STORAGE;
            need->closed = it.closed[i];
        }
    }
}

/* Where all are, and which of them are to have their floor, as a number in base 2m + 1. */
static bool read_answer(uint64_t number, uint32_t *chosen, bool *holds)
{
    const uint64_t choices = 2 * (uint64_t)it.nodes_count + 1;
    for (uint32_t i = 0; i < it.needs_count; i++, number /= choices) {
        const uint64_t choice = number % choices;
        chosen[i] =
            choice == choices - 1 ? PLACEMENT_NONE : (uint32_t)(choice % it.nodes_count);
        holds[i] = choice < it.nodes_count;
        if (it.needs[i].floor_pct == 0 && !holds[i] && chosen[i] != PLACEMENT_NONE) {
            return false; /* the same as with it */
        }
    }
    return number == 0;
}

/* Written apart from what it checks: sums over all, no differences. */
static bool is_feasible(const uint32_t *chosen)
{
    for (uint32_t j = 0; j < it.nodes_count; j++) {
        uint64_t cpu_pct = 0;
        uint64_t memory_kib = 0;
        uint32_t vms = 0;
        for (uint32_t i = 0; i < it.needs_count; i++) {
            if (chosen[i] != j) {
                continue;
            }
            const struct placement_need *need = &it.needs[i];
            cpu_pct += need->cpu_pct;
            memory_kib += need->memory_kib;
            vms++;
            bool taken = need->spread_group > 0 &&
                         it.occupied[(size_t)(need->spread_group - 1) * it.nodes_count + j] > 0;
            for (uint32_t k = 0; k < i; k++) {
                taken = taken || (chosen[k] == j && need->spread_group > 0 &&
                                  it.needs[k].spread_group == need->spread_group);
            }
            if (taken || it.nodes[j].closed != REASON_NONE ||
                (need->closed != NULL && need->closed[j] != REASON_NONE)) {
                return false;
            }
        }
        if (cpu_pct > it.nodes[j].cpu_pct_free || memory_kib > it.nodes[j].memory_kib_free ||
            vms > it.vms_free[j]) {
            return false;
        }
    }
    return true;
}

static struct placement_worth worth_of(const uint32_t *chosen, const bool *holds)
{
    int64_t left[NODES];
    struct placement_worth worth = {0};
    bool is_whole[NEEDS];
    for (uint32_t j = 0; j < it.nodes_count; j++) {
        left[j] = it.nodes[j].slack_pct;
        for (uint32_t i = 0; i < it.needs_count; i++) {
            const struct placement_need *need = &it.needs[i];
            const uint32_t least =
                need->cpu_pct < need->floor_pct ? need->cpu_pct : need->floor_pct;
            left[j] -= chosen[i] != j ? 0 : holds[i] ? need->floor_pct : least;
        }
        worth.lacking -= left[j] < 0 ? left[j] : 0;
    }
    memset(is_whole, 1, sizeof is_whole);
    for (uint32_t i = 0; i < it.needs_count; i++) {
        const double weight = it.weights[it.service_of[i]];
        const bool held = chosen[i] != PLACEMENT_NONE && holds[i] &&
                          (it.needs[i].floor_pct == 0 || left[chosen[i]] >= 0);
        worth.placed += chosen[i] != PLACEMENT_NONE ? weight : 0;
        worth.held += held ? weight : 0;
        is_whole[it.service_of[i]] = is_whole[it.service_of[i]] && held;
    }
    for (uint32_t i = 0; i < it.services_count; i++) {
        worth.kept += is_whole[i] ? it.weights[i] : 0;
    }
    return worth;
}

static int compare(const struct placement_worth *a, const struct placement_worth *b)
{
    const double differences[] = {a->kept - b->kept, a->placed - b->placed, a->held - b->held,
                                  (double)(b->lacking - a->lacking)};
    for (size_t i = 0; i < 4; i++) {
        if (differences[i] != 0.0) {
            return differences[i] > 0.0 ? 1 : -1;
        }
    }
    return 0;
}

/* The best of all answers, and the best with these nodes. */
static struct placement_worth best_of_all(struct placement_worth *best_of_chosen)
{
    struct placement_worth best = {.kept = -1};
    uint32_t chosen[NEEDS];
    bool holds[NEEDS];
    uint64_t answers = 1;
    for (uint32_t i = 0; i < it.needs_count; i++) {
        answers *= 2 * (uint64_t)it.nodes_count + 1;
    }
    *best_of_chosen = best;
    for (uint64_t number = 0; number < answers; number++) {
        if (!read_answer(number, chosen, holds) || !is_feasible(chosen)) {
            continue;
        }
        const struct placement_worth worth = worth_of(chosen, holds);
        best = compare(&worth, &best) > 0 ? worth : best;
        if (memcmp(chosen, it.chosen, it.needs_count * sizeof *chosen) == 0 &&
            compare(&worth, best_of_chosen) > 0) {
            *best_of_chosen = worth;
        }
    }
    return best;
}

/* Without a gain nothing changes; one after the other does not know of numbers of VMs. */
static void expect_as_alone(uint32_t round)
{
    uint32_t alone[NEEDS];
    for (uint32_t j = 0; j < it.nodes_count; j++) {
        if (it.vms_free[j] < VMS_PER_NODE_MAX) {
            return;
        }
    }
    choose_alone(alone);
    cr_expect_eq(memcmp(alone, it.chosen, it.needs_count * sizeof *alone), 0, "round %u",
                 round);
}

Test(placement_all, small_instances_are_between_the_greedy_and_the_best_of_all_answers)
{
    struct rng rng;
    rng_init(&rng, 11);
    uint32_t best_kept = 0;
    uint32_t start_kept = 0;
    const uint32_t rounds = 300;
    for (uint32_t round = 0; round < rounds; round++) {
        make_random(&rng, 3, 5);
        solve();
        cr_assert(is_feasible(it.chosen), "round %u", round);
        struct placement_worth of_chosen;
        const struct placement_worth best = best_of_all(&of_chosen);
        cr_assert_geq(compare(&it.found.worth, &it.found.start), 0, "round %u", round);
        cr_assert_leq(compare(&it.found.worth, &of_chosen), 0,
                      "what is said is there: round %u", round);
        cr_assert_leq(compare(&it.found.worth, &best), 0, "round %u", round);
        best_kept += it.found.worth.kept == best.kept;
        start_kept += it.found.start.kept == best.kept;
        if (compare(&it.found.worth, &it.found.start) == 0) {
            expect_as_alone(round);
        }
    }
    cr_expect_geq(best_kept, rounds * 97 / 100, "%u of %u, greedy %u", best_kept, rounds,
                  start_kept);
    cr_expect_lt(start_kept, rounds * 9 / 10, "these instances are not too easy: %u",
                 start_kept);
}

Test(placement_all, large_instances_stay_within_their_steps_and_are_the_same_twice)
{
    struct rng rng;
    rng_init(&rng, 12);
    double start = 0;
    double kept = 0;
    for (uint32_t round = 0; round < 60; round++) {
        make_random(&rng, NODES, NEEDS);
        solve();
        cr_assert(is_feasible(it.chosen), "round %u", round);
        cr_assert_geq(compare(&it.found.worth, &it.found.start), 0, "round %u", round);
        const uint32_t step = 2 * it.needs_count * (it.nodes_count + it.needs_count + 1);
        cr_assert_leq(it.found.looks, PLACEMENT_LOOKS_MAX + step, "round %u", round);
        start += it.found.start.kept;
        kept += it.found.worth.kept;
        uint32_t once[NEEDS];
        memcpy(once, it.chosen, sizeof once);
        solve();
        cr_assert_eq(memcmp(once, it.chosen, it.needs_count * sizeof *once), 0);
    }
    cr_expect_gt(kept, 1.05 * start, "%g, greedy %g", kept, start);
}
