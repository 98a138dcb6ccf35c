// SPDX-License-Identifier: Apache-2.0
/*
 * Closed-form answers, K1 to K9 and K13: numbers that follow from the formulas alone. With
 * u = a (b - x) the level is S = w (1 + u / sqrt(1 + u^2)); most cases are services with
 * x = D / r, D percent of a CPU being what takes x to 1. K10 to K12 are in
 * test_known_answers_models.c.
 */
#include "allocation_oracle.h"
#include "schedulers/optimizer/optimizer.h"

static void expect_near(double actual, double expected, double relative, const char *what)
{
    cr_expect(fabs(actual - expected) <= relative * fabs(expected),
              "%s: got %.15g, expected %.15g", what, actual, expected);
}

/* ---- one service ---- */

/* The optimizer's own view of one service x = demand / r that it may give any r. */
static const struct service_value *look_alone(struct optimizer *optimizer, double a,
                                              uint32_t demand)
{
    start();
    add_node(3 * demand);
    add_service(COUPLING_SINGLE, 1, reciprocal(demand));
    t.services[0].curve.a = a;
    add_vm(0, 1, 3 * demand, 0);
    cr_assert_eq(optimizer_init(optimizer, &t.problem), 0);
    optimizer_cut(optimizer, &optimizer->components[0]);
    return &optimizer->services[0].value;
}

/* K1: S of the default curve; at 1 + 1/(10 sqrt 3) u is -1/sqrt 3, so S is a quarter. */
Test(known_answers, levels_of_the_default_curve_are_those_of_the_formula)
{
    static const struct {
        double x;
        double level;
        double relative;
    } known[] = {
        {0, .997518595105, 1e-11},    {.5, .990290337845, 1e-11},  {.75, .964238345443, 1e-11},
        {.9, .853553390593, 1e-11},   {.95, .723606797750, 1e-11}, {1, .5, 1e-15},
        {1.05, .276393202250, 1e-11}, {1.1, .146446609407, 1e-11}, {1.5, .009709662155, 1e-9},
        {2, .002481404895, 1e-9},     {10, 3.0861340e-5, 1e-7},    {100, 2.55076e-7, 1e-5},
    };
    const struct level_curve curve = service_level_default_curve();
    struct optimizer optimizer;
    const struct service_value *alone = look_alone(&optimizer, 10, 100);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        expect_near(service_level(&curve, known[i].x), known[i].level, known[i].relative, "S");
        if (known[i].x > 0) {
            const double value = value_at_r(alone, 100 / known[i].x);
            expect_near(exp(value), known[i].level, known[i].relative + 1e-13, "of r");
        }
    }
    expect_near(service_level(&curve, .9), (1 + 1 / sqrt(2.0)) / 2, 1e-14, "S(.9)");
    expect_near(service_level(&curve, 1 + 1 / (10 * sqrt(3.0))), .25, 1e-14, "a quarter");
    const struct level_curve steep = {.a = 1e8, .b = 1, .w = .5};
    expect_near(service_level_log(&steep, 2), -38.2276558490246, 1e-14, "log S at u = -1e8");
    optimizer_finish(&optimizer);
}

/* K2: u / sqrt(1 + u^2) is odd, so S(b + d) + S(b - d) = 2 w; and log S turns from concave to
 * convex where u = -1/sqrt 3, at S = w / 2, whatever a and b are. */
Test(known_answers, every_curve_is_odd_about_its_middle_and_turns_at_half_of_it)
{
    static const struct level_curve curves[] = {
        {10, 1, .5}, {5, 1, .5}, {2, 1.3, .4}, {50, .8, .3}, {3, 20, .25}};
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        const struct level_curve *curve = &curves[i];
        for (double d = 0; d <= curve->b; d += curve->b / 16) {
            const double both =
                service_level(curve, curve->b + d) + service_level(curve, curve->b - d);
            expect_near(both, 2 * curve->w, 1e-14, "S(b + d) + S(b - d)");
        }
        const double turn = service_level_inverse(curve, curve->w / 2);
        expect_near(turn, curve->b + 1 / (curve->a * sqrt(3.0)), 1e-12, "x of the turn");
        const double h = 1e-3 / curve->a;
        const double at = service_level_log_slope(curve, turn);
        cr_expect_lt(at, service_level_log_slope(curve, turn - h), "the steepest is the turn");
        cr_expect_lt(at, service_level_log_slope(curve, turn + h), "the steepest is the turn");
    }
}

/* ---- services of one kind ---- */

static void add_equals(uint32_t count, uint32_t demand, uint32_t cpu_pct)
{
    start();
    add_node(cpu_pct);
    for (uint32_t i = 0; i < count; i++) {
        add_service(COUPLING_SINGLE, 1, reciprocal(demand));
        add_vm(0, 1, cpu_pct, 0);
    }
}

/* K3: n identical services with room for n D share evenly; four of 400 % in 3200 % get 800 %
 * each, and sigma is the fourth power of S(1/2). */
Test(known_answers, identical_services_with_room_share_evenly)
{
    for (int objective = ALLOCATION_FLOORS; objective <= ALLOCATION_PRODUCT; objective++) {
        add_equals(4, 400, 3200);
        t.problem.objective = (enum allocation_objective)objective;
        solve();
        for (int i = 0; i < 4; i++) {
            cr_expect_eq(t.caps[i], 800);
            expect_near(t.answers[i].level, .990290338, 1e-9, "S");
        }
        expect_near(exp(t.answer.log_sigma), .961723, 1e-6, "sigma");
        cr_expect(t.answer.upper_bound - t.answer.log_sigma <= 1e-9);
    }
    for (uint32_t n = 1; n <= 50; n += 7) {
        add_equals(n, 300, 330 * n);
        solve();
        for (uint32_t i = 0; i < n; i++) {
            cr_expect_eq(t.caps[i], 330, "%u services: %u", n, t.caps[i]);
        }
    }
}

/* Weights that make the slopes of all w log S(D / r) equal at planted r: no shift gains. */
static uint32_t plant(struct rng *rng, uint32_t count, const double parts[2], uint32_t *planted)
{
    uint32_t sum = 0;
    start();
    add_node(0);
    for (uint32_t i = 0; i < count; i++) {
        const double demand = 2000 + (double)rng_below(rng, 8000);
        const double part = parts[0] + (parts[1] - parts[0]) * rng_unit(rng);
        planted[i] = (uint32_t)(demand * part);
        const double x = demand / planted[i];
        const struct level_curve curve = service_level_default_curve();
        const double slope = -service_level_log_slope(&curve, x) * x / planted[i];
        add_service(COUPLING_SINGLE, 0.001 / slope, reciprocal(demand));
        /* a quarter is at r = .94541 D: above it every value is concave */
        add_vm(0, (uint32_t)ceil(0.9455 * demand), 100000, 0);
        sum += planted[i];
    }
    t.nodes[0].cpu_pct = sum;
    return sum;
}

/* K4: where every value is concave, equal slopes are the optimum. Above S = 1/4 log S(D / r)
 * is: r may be planted anywhere from there, below the floors too when the objective is the
 * product.
 */
Test(known_answers, planted_equal_slopes_are_the_optimum)
{
    struct rng rng;
    rng_init(&rng, 104);
    for (int round = 0; round < 400; round++) {
        const bool product = round % 2 == 0;
        uint32_t planted[8];
        const uint32_t count = 2 + (uint32_t)rng_below(&rng, 7);
        (void)plant(&rng, count, product ? (double[]){.947, 1.8} : (double[]){1.001, 1.8},
                    planted);
        t.problem.objective = product ? ALLOCATION_PRODUCT : ALLOCATION_FLOORS;
        solve();
        for (uint32_t i = 0; i < count; i++) {
            cr_expect(t.caps[i] + 1 >= planted[i] && t.caps[i] <= planted[i] + 1,
                      "round %d, service %u: %u, planted %u", round, i, t.caps[i], planted[i]);
        }
        cr_expect(t.answer.upper_bound - t.answer.log_sigma <= 1e-9, "round %d: gap %g", round,
                  t.answer.upper_bound - t.answer.log_sigma);
    }
}

/* ---- the chord of the value over r ---- */

/*
 * K5: log S(D / r) is concave, convex, concave; the line that touches it twice from above does
 * so at these parts of D. At a price just above its slope the best r is the lower end, just
 * below it the upper one: nobody is ever best served in between.
 */
Test(known_answers, best_amount_jumps_over_the_chord_of_the_value)
{
    static const struct {
        double a;
        double low;
        double high;
    } chords[] = {{5, .411076922, .893009581},
                  {8, .307427148, .982369298},
                  {10, .276633703, 1.000135975},
                  {20, .213508917, 1.018565303},
                  {50, .166881248, 1.016101757},
                  {9.977439273, 0, 1.0}}; /* here the upper end is at 50 % */
    const uint32_t demand = 100000000;
    for (size_t i = 0; i < sizeof chords / sizeof *chords; i++) {
        struct optimizer optimizer;
        const struct service_value *alone = look_alone(&optimizer, chords[i].a, demand);
        double cheap = 0; /* bisect the price at which the best amount jumps */
        double dear = 1e3 / demand;
        for (int step = 0; step < 60; step++) {
            const double price = 0.5 * (cheap + dear);
            const uint32_t n = value_best(alone, price, 1, 3 * demand);
            *(n > demand * .7 ? &cheap : &dear) = price;
        }
        const uint32_t low = value_best(alone, dear, 1, 3 * demand);
        const uint32_t high = value_best(alone, cheap, 1, 3 * demand);
        if (chords[i].low > 0) {
            cr_expect(fabs((double)low / demand - chords[i].low) < 2e-7, "a %g: %.9f, not %.9f",
                      chords[i].a, (double)low / demand, chords[i].low);
        }
        cr_expect(fabs((double)high / demand - chords[i].high) < 2e-7, "a %g: %.9f, not %.9f",
                  chords[i].a, (double)high / demand, chords[i].high);
        const double rise = (value_at(alone, high) - value_at(alone, low)) / (high - low);
        expect_near(cheap, rise, 1e-6, "the price is the slope of the chord");
        if (chords[i].a == 10) {
            expect_near(cheap * demand, 9.983680, 1e-6, "slope times D");
            expect_near(exp(value_at(alone, high)), .50068, 1e-5, "S of the upper end");
        }
        optimizer_finish(&optimizer);
    }
}

/* ---- overload ---- */

/* Between the most and the least that one of count services has. */
static uint32_t spread_of(uint32_t count)
{
    uint32_t least = t.caps[0];
    uint32_t most = t.caps[0];
    for (uint32_t i = 1; i < count; i++) {
        least = t.caps[i] < least ? t.caps[i] : least;
        most = t.caps[i] > most ? t.caps[i] : most;
    }
    return most - least;
}

/*
 * K6: n identical services with q n D of CPU. With less than a threshold of q the product is
 * larger when one of them falls off the cliff and the others share what it leaves; above it
 * they all have q D.
 */
Test(known_answers, one_identical_service_gives_way_below_the_threshold_and_none_above)
{
    static const struct {
        uint32_t count;
        double threshold;
        double even_level; /* S(1 / threshold) */
    } known[] = {{2, .9271, .191},  {3, .9333, .209},  {5, .9486, .262},
                 {10, .9689, .347}, {20, .9831, .416}, {50, .9931, .465}};
    const struct level_curve curve = service_level_default_curve();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const uint32_t count = known[i].count;
        expect_near(service_level(&curve, 1 / known[i].threshold), known[i].even_level, 5e-3,
                    "S of the even split");
        for (int above = 0; above < 2; above++) {
            const double q = known[i].threshold + (above == 1 ? 1.5e-4 : -1.5e-4);
            add_equals(count, 10000, (uint32_t)(q * 10000 * count));
            t.problem.objective = ALLOCATION_PRODUCT;
            solve();
            /* with two the pair parts slowly: at the threshold itself both are alike */
            const uint32_t spread = spread_of(count);
            cr_expect(above == 1 ? spread <= 20 : spread > 100, "%u services, q %g: %u", count,
                      q, spread);
        }
    }
}

/* K6: three examples, with what is gained over the even split. */
Test(known_answers, who_gives_way_keeps_what_helps_most_and_the_gain_is_known)
{
    static const struct {
        uint32_t count;
        double q;
        double least; /* r / D of the one that gives way; 0: none does */
        double rest;
        double gain;
    } known[] = {
        {10, .95, .383, 1.013, 1.092}, {5, .95, 0, .95, 0}, {2, .90, .814, .986, .090}};
    const struct level_curve curve = service_level_default_curve();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const uint32_t count = known[i].count;
        add_equals(count, 10000, (uint32_t)(known[i].q * 10000 * count + .5));
        t.problem.objective = ALLOCATION_PRODUCT;
        solve();
        const double even = count * service_level_log(&curve, 1 / known[i].q);
        cr_expect(fabs(t.answer.log_sigma - even - known[i].gain) < 1e-3, "%u services: %g",
                  count, t.answer.log_sigma - even);
        uint32_t least = 0;
        for (uint32_t k = 1; k < count; k++) {
            least = t.caps[k] < t.caps[least] ? k : least;
        }
        for (uint32_t k = 0; k < count; k++) {
            const double expected =
                k == least && known[i].least > 0 ? known[i].least : known[i].rest;
            cr_expect(fabs(t.caps[k] / 1e4 - expected) < 1.1e-3, "%u services: %u", count,
                      t.caps[k]);
        }
        if (count == 10) {
            expect_near(t.answers[(least + 1) % count].level, .564, 2e-3, "S of the rest");
        }
    }
}

/* ---- weights ---- */

/* Two services of 60 % and 80 % on 200 %: the cap of the first with the largest product of
 * w S, weights as factors, or of S^w, weights as exponents. */
static uint32_t best_by_hand(double w1, double w2, bool exponents)
{
    const struct level_curve curve = service_level_default_curve();
    uint32_t best = 1;
    double best_value = -HUGE_VAL;
    for (uint32_t cap = 1; cap < 200; cap++) {
        const double one = service_level_log(&curve, 60.0 / cap);
        const double other = service_level_log(&curve, 80.0 / (200 - cap));
        const double value =
            exponents ? w1 * one + w2 * other : log(w1) + one + log(w2) + other;
        if (value > best_value) {
            best_value = value;
            best = cap;
        }
    }
    return best;
}

/* K7: weights as factors cancel, the product of w_i S_i is largest where that of S_i is: so
 * they are exponents, and only their ratios count. */
Test(known_answers, weights_decide_as_exponents_where_as_factors_they_would_cancel)
{
    const double weights[][2] = {{1, 1}, {1, 4}, {4, 1}, {0.5, 20}};
    uint32_t chosen[4];
    for (size_t i = 0; i < 4; i++) {
        cr_expect_eq(best_by_hand(weights[i][0], weights[i][1], false),
                     best_by_hand(1, 1, false));
        for (double scale = 1; scale <= 1000; scale *= 1000) {
            start();
            t.problem.objective = ALLOCATION_PRODUCT;
            add_node(200);
            for (uint32_t k = 0; k < 2; k++) {
                add_service(COUPLING_SINGLE, scale * weights[i][k], reciprocal(60 + 20 * k));
                add_vm(0, 1, 200, 0);
            }
            solve();
            chosen[i] = t.caps[0];
            cr_expect_eq(t.caps[0], best_by_hand(weights[i][0], weights[i][1], true));
        }
    }
    cr_expect_lt(chosen[1], chosen[0]);
    cr_expect_gt(chosen[2], chosen[0]);
}

/* ---- the convex part ---- */

static void random_product(struct rng *rng, uint32_t count, uint32_t demand_most)
{
    const double steep[] = {5, 10, 20, 50};
    double sum = 0;
    start();
    t.problem.objective = ALLOCATION_PRODUCT;
    add_node(0);
    for (uint32_t i = 0; i < count; i++) {
        const double demand = 5 + rng_unit(rng) * (demand_most - 5);
        add_service(COUPLING_SINGLE, 1 + (double)rng_below(rng, 4), reciprocal(demand));
        t.services[i].curve.a = steep[rng_below(rng, 4)];
        add_vm(0, 1, 256, 0);
        sum += demand;
    }
    t.nodes[0].cpu_pct = count + (uint32_t)(sum * (0.6 + 0.6 * rng_unit(rng)));
}

/* K8: of two services strictly inside their convex parts one could give to the other and both
 * together gain: an optimum has at most one there. */
Test(known_answers, at_most_one_service_of_a_node_stands_in_its_convex_part)
{
    struct rng rng;
    rng_init(&rng, 108);
    uint32_t rounds_with_one = 0;
    for (int round = 0; round < 1000; round++) {
        const uint32_t count = 2 + (uint32_t)rng_below(&rng, 9);
        random_product(&rng, count, 100);
        solve();
        uint32_t inside = 0;
        for (uint32_t i = 0; i < count; i++) {
            struct marginal marginal;
            marginal_init(&marginal, t.services[i].curve.a);
            const double demand = t.models[i].demand_pct;
            inside += t.caps[i] > 1 && (t.caps[i] - 1) / demand > marginal.t_low &&
                              (t.caps[i] + 1) / demand < marginal.t_high
                          ? 1
                          : 0;
        }
        cr_expect_leq(inside, 1u, "round %d: %u", round, inside);
        rounds_with_one += inside;
    }
    cr_expect_gt(rounds_with_one, 10u, "the rule was never near");
}

/* ---- bounds ---- */

/* K9: for every price p >= 0, p C + sum of max over r of (w log S(r) - p r) is no less than the
 * optimum, here that of the dynamic program. */
Test(known_answers, every_price_bounds_the_optimum_from_above)
{
    struct rng rng;
    rng_init(&rng, 109);
    uint32_t close = 0; /* far where few services with steep curves are too many */
    for (int round = 0; round < 300; round++) {
        random_product(&rng, 1 + (uint32_t)rng_below(&rng, 5), 30);
        const double best = oracle_node().value;
        struct optimizer optimizer;
        cr_assert_eq(optimizer_init(&optimizer, &t.problem), 0);
        cr_assert_eq(optimizer.components_count, 1u);
        const struct component *component = &optimizer.components[0];
        optimizer_cut(&optimizer, component);
        for (uint32_t i = 0; i < t.problem.vms_count; i++) {
            optimizer.caps[i] = 1;
        }
        double least = HUGE_VAL;
        for (int k = 0; k < 40; k++) {
            /* any at first, then all in steps of a factor of 2 */
            const double price = k < 20 ? 20 * rng_unit(&rng) : ldexp(1e-5, k - 19);
            optimizer.nodes[0].price = price;
            const double bound = bound_of(&optimizer, component);
            cr_expect(bound >= best - 1e-9, "round %d, price %g: %.12g below %.12g", round,
                      price, bound, best);
            least = bound < least ? bound : least;
        }
        optimizer_finish(&optimizer);
        close += least < best + 0.1 ? 1 : 0;
    }
    cr_expect_gt(close, 50u, "only %u of 300 bounds say much", close);
}

/* K13: where all values are concave the best price's bound is reached: no gap but rounding. The
 * amounts are large, so that a whole percent is next to nothing. */
Test(known_answers, bound_of_a_concave_problem_is_reached)
{
    struct rng rng;
    rng_init(&rng, 113);
    for (int round = 0; round < 300; round++) {
        const uint32_t count = 1 + (uint32_t)rng_below(&rng, 20);
        double sum = 0;
        start();
        add_node(0);
        for (uint32_t i = 0; i < count; i++) {
            const double demand = 2e3 + 2e4 * rng_unit(&rng);
            add_service(COUPLING_SINGLE, 1 + (double)rng_below(&rng, 4),
                        rng_below(&rng, 2) == 0 ? reciprocal(demand)
                                                : ps(demand / 4, demand * 3 / 4));
            t.services[i].curve.a = 2 + 18 * rng_unit(&rng);
            add_vm(0, 1, 1000000, 0);
            sum += demand;
        }
        t.nodes[0].cpu_pct = count + (uint32_t)(sum * (1.0 + rng_unit(&rng)));
        solve();
        cr_expect(t.answer.floors_feasible);
        const double gap = t.answer.upper_bound - t.answer.log_sigma;
        cr_expect(fabs(gap) <= 1e-9, "round %d: gap %g", round, gap);
    }
}
