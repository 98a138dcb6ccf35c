// SPDX-License-Identifier: Apache-2.0
/* Nodes too large for the small dynamic program, whose values are not concave, and listed
 * levels: against a dynamic program over every percent of the node. */
#include "allocation_bench.h"

#define CPU_MOST    1000u
#define LEVELS_MOST 64u

static struct allocation_level levels[SERVICES][LEVELS_MOST];

static struct proposal random_table(struct rng *rng, uint32_t most)
{
    struct proposal model = {.model = MODEL_KIND_TABLE};
    const uint32_t points = 1 + (uint32_t)rng_below(rng, 8);
    uint32_t cap_pct = (uint32_t)rng_below(rng, 1 + most / 8);
    double x = 0.5 + 3 * rng_unit(rng);
    for (uint32_t i = 0; i < points; i++) {
        model.points[model.points_count++] = (struct curve_point){.cap_pct = cap_pct, .x = x};
        cap_pct += 1 + (uint32_t)rng_below(rng, 1 + most / points);
        x *= rng_below(rng, 5) == 0 ? 1.0 : 0.2 + 0.8 * rng_unit(rng);
    }
    return model;
}

static void random_services(struct rng *rng, uint32_t cpu_pct, uint32_t count)
{
    const double steepness[] = {2, 3, 5, 10, 20, 50};
    for (uint32_t i = 0; i < count; i++) {
        const double size = (0.3 + 1.4 * rng_unit(rng)) * cpu_pct / count;
        const uint64_t kind = rng_below(rng, 4);
        const uint32_t service = add_service(COUPLING_SINGLE, (double)(1u << rng_below(rng, 3)),
                                             kind == 0 ? random_table(rng, 2 * cpu_pct / count)
                                             : kind == 1 ? ps(size * 0.4, size * 0.6)
                                                         : reciprocal(size));
        t.services[service].curve.a = steepness[rng_below(rng, 6)];
        t.services[service].curve.b = rng_below(rng, 4) == 0 ? 0.5 + rng_unit(rng) : 1.0;
        const uint32_t min = 1 + (uint32_t)rng_below(rng, 5);
        add_vm(0, min, rng_below(rng, 4) == 0 ? min + 1 + (uint32_t)(2 * size) : 4 * cpu_pct,
               0);
    }
}

static void random_levels(struct rng *rng)
{
    for (uint32_t v = 0; v < t.problem.vms_count; v++) {
        const uint32_t count = 1 + (uint32_t)rng_below(rng, LEVELS_MOST);
        uint32_t cap_pct = 1 + (uint32_t)rng_below(rng, 6);
        for (uint32_t k = 0; k < count; k++) {
            levels[v][k] = (struct allocation_level){.cap_pct = cap_pct, .vcpus = 1};
            cap_pct += 1 + (uint32_t)rng_below(rng, 20);
        }
        t.vms[v].levels = levels[v];
        t.vms[v].levels_count = count;
        t.vms[v].min_cap_pct = levels[v][0].cap_pct;
        t.vms[v].max_cap_pct = levels[v][count - 1].cap_pct;
    }
}

static double value_at_cap(uint32_t service, uint32_t cap_pct)
{
    const struct allocation_service *it = &t.services[service];
    const double x = model_predict(it->model, cap_pct * t.nodes[0].speed);
    return it->weight * service_level_log(&it->curve, x);
}

/* The largest sum w log S; with floors, of allocations that hold all. */
static double dynamic_program(void)
{
    static double best[CPU_MOST + 1];
    const uint32_t cpu = t.nodes[0].cpu_pct;
    memset(best, 0, sizeof best);
    for (uint32_t i = 0; i < t.problem.services_count; i++) {
        const struct allocation_vm *vm = &t.vms[t.services[i].first_vm];
        static double after[CPU_MOST + 1];
        for (uint32_t c = 0; c <= cpu; c++) {
            after[c] = -HUGE_VAL;
        }
        const uint32_t count =
            vm->levels_count > 0 ? vm->levels_count : vm->max_cap_pct - vm->min_cap_pct + 1;
        for (uint32_t k = 0; k < count; k++) {
            const uint32_t cap =
                vm->levels_count > 0 ? vm->levels[k].cap_pct : vm->min_cap_pct + k;
            if (cap > cpu) {
                break;
            }
            const double own = value_at_cap(i, cap);
            const double floor = t.services[i].weight * log(0.5);
            if (t.problem.objective == ALLOCATION_FLOORS && own < floor - 1e-9) {
                continue;
            }
            for (uint32_t c = cap; c <= cpu; c++) {
                const double with = best[c - cap] + own;
                after[c] = with > after[c] ? with : after[c];
            }
        }
        memcpy(best, after, sizeof best);
    }
    return best[cpu];
}

static void expect_optimum(const char *what, uint32_t round)
{
    const double best = dynamic_program();
    cr_expect(fabs(t.answer.log_sigma - best) < 1e-9, "%s %u: %.12g of %.12g", what, round,
              t.answer.log_sigma, best);
    cr_expect(t.answer.upper_bound >= best - 1e-9, "%s %u: bound %.12g below %.12g", what,
              round, t.answer.upper_bound, best);
    cr_expect(t.answer.upper_bound <= best + 1e-6, "%s %u: bound %.12g, best %.12g", what,
              round, t.answer.upper_bound, best);
}

Test(allocation_search, every_percent_of_a_node_equals_the_dynamic_program, .timeout = 100)
{
    struct rng rng;
    rng_init(&rng, 71);
    for (uint32_t round = 0; round < 300; round++) {
        start();
        add_node(401 + (uint32_t)rng_below(&rng, CPU_MOST - 401));
        t.nodes[0].speed = rng_below(&rng, 4) == 0 ? 0.5 + rng_unit(&rng) : 1.0;
        random_services(&rng, t.nodes[0].cpu_pct, 1 + (uint32_t)rng_below(&rng, 9));
        t.problem.objective = ALLOCATION_PRODUCT;
        solve();
        expect_optimum("node", round);
    }
}

Test(allocation_search, listed_levels_equal_the_dynamic_program, .timeout = 100)
{
    struct rng rng;
    rng_init(&rng, 73);
    uint32_t with_floors = 0;
    for (uint32_t round = 0; round < 1000; round++) {
        start();
        add_node(100 + (uint32_t)rng_below(&rng, CPU_MOST - 100));
        random_services(&rng, t.nodes[0].cpu_pct, 1 + (uint32_t)rng_below(&rng, 9));
        random_levels(&rng);
        t.problem.objective = rng_below(&rng, 2) == 0 ? ALLOCATION_PRODUCT : ALLOCATION_FLOORS;
        solve();
        bool all = true;
        for (uint32_t i = 0; i < t.problem.services_count; i++) {
            all = all && t.answers[i].level >= 0.5 - 1e-9;
        }
        if (t.problem.objective == ALLOCATION_FLOORS && !all) {
            continue;
        }
        with_floors += t.problem.objective == ALLOCATION_FLOORS;
        expect_optimum("levels", round);
    }
    cr_expect_gt(with_floors, 20u);
}

/* Few levels below the need, many around it, few above. */
static void levels_around(uint32_t v, double need)
{
    uint32_t cap_pct = 0;
    for (uint32_t k = 0; k < LEVELS_MOST; k++) {
        const double at = k < 12   ? 3.0 * pow(0.8 * need / 3.0, k / 12.0)
                          : k < 44 ? need * (0.8 + 0.7 * (k - 12) / 32.0)
                                   : 1.5 * need * pow(CPU_MOST / (1.5 * need), (k - 43) / 20.0);
        cap_pct = at > cap_pct + 1 ? (uint32_t)at : cap_pct + 1;
        levels[v][k] = (struct allocation_level){.cap_pct = cap_pct, .vcpus = 1};
    }
    t.vms[v].levels = levels[v];
    t.vms[v].levels_count = LEVELS_MOST;
    t.vms[v].min_cap_pct = levels[v][0].cap_pct;
    t.vms[v].max_cap_pct = cap_pct;
}

Test(allocation_search, levels_around_the_needs_equal_the_dynamic_program, .timeout = 100)
{
    struct rng rng;
    rng_init(&rng, 83);
    for (uint32_t round = 0; round < 500; round++) {
        start();
        add_node(CPU_MOST);
        const double load = 0.85 + 0.5 * rng_unit(&rng);
        const uint32_t count = 3 + (uint32_t)rng_below(&rng, 8);
        for (uint32_t i = 0; i < count; i++) {
            const double need = load * CPU_MOST / count * (0.5 + rng_unit(&rng));
            add_service(COUPLING_SINGLE, (double)(1u << rng_below(&rng, 3)),
                        rng_below(&rng, 2) == 0 ? reciprocal(need) : ps(need / 2, need / 2));
            add_vm(0, 1, 1, 0);
            levels_around(i, need);
        }
        t.problem.objective = ALLOCATION_PRODUCT;
        solve();
        expect_optimum("around", round);
    }
}

/* More services than can be searched through: the work is limited, and the bound says so. */
Test(allocation_search, a_search_that_ends_early_keeps_an_honest_bound, .timeout = 100)
{
    struct rng rng;
    rng_init(&rng, 79);
    uint32_t open = 0;
    for (uint32_t round = 0; round < 12; round++) {
        start();
        add_node(CPU_MOST);
        random_services(&rng, CPU_MOST, 60);
        for (uint32_t i = 0; i < t.problem.services_count; i++) {
            t.models[i] = reciprocal(1.3 * CPU_MOST / 60 * (0.5 + rng_unit(&rng)));
            t.services[i].curve = service_level_default_curve();
            t.services[i].weight = 1;
        }
        if (round % 2 == 0) {
            random_levels(&rng);
        }
        t.problem.objective = ALLOCATION_PRODUCT;
        solve();
        const double best = dynamic_program();
        cr_expect(t.answer.upper_bound >= best - 1e-9, "%u: bound %.12g below %.12g", round,
                  t.answer.upper_bound, best);
        cr_expect(t.answer.log_sigma <= best + 1e-9);
        cr_expect(t.answer.log_sigma >= best - 2.0, "%u: %.12g of %.12g", round,
                  t.answer.log_sigma, best);
        open += t.answer.upper_bound > best + 1e-6;
    }
    cr_expect_gt(open, 0u);
}

Test(allocation_search, what_has_no_level_is_no_part_of_the_bound)
{
    start();
    add_node(1000);
    add_service(COUPLING_SINGLE, 1, reciprocal(400));
    add_vm(0, 5, 1000, 0);
    add_service(COUPLING_SINGLE, 8,
                (struct proposal){.model = MODEL_KIND_FIXED, .want_pct = 300});
    add_vm(0, 5, 1000, 0);
    t.problem.objective = ALLOCATION_PRODUCT;
    solve(); /* the bound is not below what is reached */
    cr_expect_eq(t.caps[0], 700);
    cr_expect_eq(t.caps[1], 300);
}
