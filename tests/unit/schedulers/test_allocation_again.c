// SPDX-License-Identifier: Apache-2.0
/* allocation_solve_again(): long chains of small changes, each answer beside one from scratch.
 */
#include "allocation_bench.h"

#define CHAIN       12
#define CHAIN_NODES 48
#define CHAIN_COUNT 400 /* services */

/* An answer of its own for the problem of the bench. */
struct other {
    struct allocation_answer answer;
    struct allocation_service_answer services[SERVICES];
    uint32_t caps[VMS];
};

static struct other scratch;

static struct proposal random_model(struct rng *rng, double need_pct)
{
    const double share = 0.2 + 0.6 * rng_unit(rng);
    struct proposal table = {.model = MODEL_KIND_TABLE};
    switch (rng_below(rng, 3)) {
    case 0: return reciprocal(need_pct);
    case 1: return ps(need_pct * (1 - share), need_pct * share);
    default: break;
    }
    for (uint32_t i = 0; i < 8; i++) {
        const double r = need_pct * (0.25 + 0.25 * i);
        table.points[table.points_count++] = (struct curve_point){
            .cap_pct = (uint32_t)r, .x = 0.1 + 0.9 * need_pct / (double)(uint32_t)r};
    }
    return table;
}

static double random_need(struct rng *rng, double load)
{
    return load * 3200.0 * CHAIN_NODES / CHAIN_COUNT * (0.5 + rng_unit(rng));
}

static void random_vms(struct rng *rng, uint32_t count)
{
    const uint32_t first = (uint32_t)rng_below(rng, CHAIN_NODES);
    for (uint32_t k = 0; k < count; k++) {
        add_vm((first + 7 * k) % CHAIN_NODES, 5, 3200, 0);
    }
}

static void random_cluster(struct rng *rng, enum allocation_objective objective, double load)
{
    start();
    t.problem.objective = objective;
    for (uint32_t j = 0; j < CHAIN_NODES; j++) {
        add_node(3200);
        t.nodes[j].speed = j % 8 == 0 ? 1.25 : 1.0;
    }
    for (uint32_t i = 0; i < CHAIN_COUNT; i++) {
        const uint64_t draw = rng_below(rng, 100);
        const enum coupling coupling = draw < 20   ? COUPLING_SUM
                                       : draw < 25 ? COUPLING_GANG
                                                   : COUPLING_SINGLE;
        add_service(coupling, (double)(1u << rng_below(rng, 3)),
                    random_model(rng, random_need(rng, load)));
        if (coupling == COUPLING_SINGLE) {
            add_vm(i % CHAIN_NODES, 5, 3200, 0);
        } else {
            random_vms(rng, 2 + (uint32_t)rng_below(rng, 3));
        }
    }
}

/* About 2 % of the services need something else; now and then a VM is moved. */
static void change(struct rng *rng, double load)
{
    for (uint32_t i = 0; i < t.problem.services_count; i++) {
        if (rng_below(rng, 50) == 0) {
            t.models[i] = random_model(rng, random_need(rng, load));
        }
    }
    if (rng_below(rng, 3) == 0) {
        const uint32_t vm = (uint32_t)rng_below(rng, t.problem.vms_count);
        t.vms[vm].node = (t.vms[vm].node + 1) % CHAIN_NODES;
    }
}

static void solve_again(struct allocation_memory *memory)
{
    struct err err = {0};
    cr_assert_eq(allocation_solve_again(&t.problem, memory, &t.answer, &err), 0, "%s",
                 err.text);
}

static void solve_from_scratch(void)
{
    struct err err = {0};
    scratch.answer.services = scratch.services;
    scratch.answer.caps_pct = scratch.caps;
    cr_assert_eq(allocation_solve(&t.problem, &scratch.answer, &err), 0, "%s", err.text);
}

static void expect_valid(void)
{
    uint64_t used[NODES] = {0};
    for (uint32_t v = 0; v < t.problem.vms_count; v++) {
        used[t.vms[v].node] += t.caps[v];
        cr_assert(t.caps[v] >= t.vms[v].min_cap_pct && t.caps[v] <= t.vms[v].max_cap_pct);
    }
    for (uint32_t j = 0; j < t.problem.nodes_count; j++) {
        cr_assert(used[j] <= t.nodes[j].cpu_pct, "node %u", j);
    }
    for (uint32_t i = 0; i < t.problem.services_count; i++) {
        const struct allocation_service *it = &t.services[i];
        for (uint32_t k = 1; it->coupling == COUPLING_GANG && k < it->vms_count; k++) {
            cr_assert_eq(t.caps[it->first_vm], t.caps[it->first_vm + k]);
        }
    }
}

/* Worst that an answer of a chain was below the one from scratch, nats per node. */
static double run_chain(enum allocation_objective objective, double load, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    random_cluster(&rng, objective, load);
    struct allocation_memory *memory = allocation_memory_create();
    cr_assert_not_null(memory);
    solve_again(memory);
    double worst = 0;
    for (uint32_t step = 0; step < CHAIN; step++) {
        change(&rng, load);
        solve_again(memory);
        solve_from_scratch();
        expect_valid();
        const double low = t.answer.log_sigma;
        const double other = scratch.answer.log_sigma;
        cr_expect_eq(t.answer.floors_feasible, scratch.answer.floors_feasible);
        cr_expect(t.answer.upper_bound >= low - 1e-9, "step %u", step);
        if (objective == ALLOCATION_PRODUCT || t.answer.floors_feasible) {
            cr_expect(t.answer.upper_bound >= other - 1e-9, "step %u: bound %.9f, found %.9f",
                      step, t.answer.upper_bound, other);
            cr_expect(scratch.answer.upper_bound >= low - 1e-9, "step %u", step);
            worst = fmax(worst, (other - low) / CHAIN_NODES);
        }
        cr_expect(t.answer.kept_weight_bound >= scratch.answer.kept_weight - 1e-9);
        cr_expect(scratch.answer.kept_weight_bound >= t.answer.kept_weight - 1e-9);
        if (objective == ALLOCATION_FLOORS) {
            cr_expect(t.answer.kept_weight >= 0.99 * scratch.answer.kept_weight,
                      "step %u: kept %g, from scratch %g", step, t.answer.kept_weight,
                      scratch.answer.kept_weight);
            cr_expect(t.answer.kept_weight_bound <= 1.005 * scratch.answer.kept_weight_bound);
        }
    }
    allocation_memory_destroy(memory);
    return worst;
}

Test(allocation_again, chains_of_small_changes_stay_as_good_as_from_scratch, .timeout = 100)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        const double light = run_chain(ALLOCATION_FLOORS, 0.6, seed);
        cr_expect_lt(light, 1e-3, "%g nats per node", light);
        const double heavy = run_chain(ALLOCATION_FLOORS, 0.8, seed);
        cr_expect_lt(heavy, 1e-2, "%g nats per node", heavy);
    }
}

Test(allocation_again, chains_in_overload_keep_as_much_and_their_bounds_hold, .timeout = 100)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        (void)run_chain(ALLOCATION_FLOORS, 1.3, seed);
    }
}

Test(allocation_again, chains_without_floors_stay_close_to_from_scratch, .timeout = 100)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        const double heavy = run_chain(ALLOCATION_PRODUCT, 1.1, seed);
        cr_expect_lt(heavy, 0.2, "%g nats per node", heavy);
    }
}

Test(allocation_again, the_same_chain_gives_the_same_answers)
{
    static uint32_t first[VMS];
    for (uint32_t run = 0; run < 2; run++) {
        struct rng rng;
        rng_init(&rng, 77);
        random_cluster(&rng, ALLOCATION_FLOORS, 0.9);
        struct allocation_memory *memory = allocation_memory_create();
        for (uint32_t step = 0; step < 4; step++) {
            change(&rng, 0.9);
            solve_again(memory);
        }
        allocation_memory_destroy(memory);
        if (run == 0) {
            memcpy(first, t.caps, sizeof first);
        }
    }
    cr_expect_arr_eq(t.caps, first, sizeof first);
}

Test(allocation_again, a_vm_that_goes_to_another_service_is_not_mistaken_for_its_old_one)
{
    struct rng rng;
    rng_init(&rng, 5);
    random_cluster(&rng, ALLOCATION_FLOORS, 0.7);
    struct allocation_memory *memory = allocation_memory_create();
    solve_again(memory);
    /* as many services, VMs and services of several VMs as before, but others */
    uint32_t i = 0;
    while (i + 1 < CHAIN_COUNT &&
           !(t.services[i].vms_count == 2 && t.services[i + 1].coupling == COUPLING_SINGLE)) {
        i++;
    }
    cr_assert_lt(i + 1, CHAIN_COUNT);
    t.services[i].coupling = COUPLING_SINGLE;
    t.services[i].vms_count = 1;
    t.services[i + 1].coupling = COUPLING_SUM;
    t.services[i + 1].first_vm--;
    t.services[i + 1].vms_count = 2;
    solve_again(memory);
    solve_from_scratch();
    expect_valid();
    cr_expect_eq(t.answer.floors_feasible, scratch.answer.floors_feasible);
    cr_expect(t.answer.upper_bound >= scratch.answer.log_sigma - 1e-9);
    cr_expect(scratch.answer.upper_bound >= t.answer.log_sigma - 1e-9);
    cr_expect_lt(scratch.answer.log_sigma - t.answer.log_sigma, 1e-3 * CHAIN_NODES);
    allocation_memory_destroy(memory);
}
