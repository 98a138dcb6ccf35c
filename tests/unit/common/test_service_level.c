// SPDX-License-Identifier: Apache-2.0
/* Known answers of the service-level function and its symmetries. */
#include <criterion/criterion.h>
#include <math.h>

#include "common/service_level.h"

static void expect_near(double actual, double expected, double relative, const char *what)
{
    const double scale = fabs(expected) > 0 ? fabs(expected) : 1.0;
    cr_expect(fabs(actual - expected) <= relative * scale, "%s: got %.17g, expected %.17g",
              what, actual, expected);
}

Test(service_level, default_curve_has_the_levels_of_the_closed_form)
{
    const struct level_curve curve = service_level_default_curve();
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
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        expect_near(service_level(&curve, known[i].x), known[i].level, known[i].relative, "S");
        expect_near(exp(service_level_log(&curve, known[i].x)), known[i].level,
                    known[i].relative + 1e-14, "exp(log S)");
    }
    expect_near(service_level(&curve, .9), (1 + 1 / sqrt(2.0)) / 2, 1e-14, "S(.9)");
    expect_near(service_level(&curve, 1 + 1 / (10 * sqrt(3.0))), .25, 1e-14, "S at 1/4");
}

Test(service_level, log_keeps_its_digits_where_the_level_loses_them)
{
    /* u = -1e8 with b = 1, x = 2 */
    const struct level_curve steep = {.a = 1e8, .b = 1.0, .w = 0.5};
    expect_near(service_level_log(&steep, 2.0), -38.2276558490246, 1e-14, "log S(u=-1e8)");
    expect_near(service_level(&steep, 2.0), exp(-38.2276558490246), 1e-12, "S(u=-1e8)");
}

Test(service_level, levels_on_both_sides_of_the_middle_add_up_to_the_height)
{
    static const struct level_curve curves[] = {
        {10, 1, .5}, {5, 1, .5}, {2, 1.3, .4}, {50, .8, .3}, {.5, 20, .25}};
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        for (double d = 0; d <= curves[i].b; d += curves[i].b / 16) {
            expect_near(service_level(&curves[i], curves[i].b + d) +
                            service_level(&curves[i], curves[i].b - d),
                        2 * curves[i].w, 1e-14, "S(b+d)+S(b-d)");
        }
    }
}

Test(service_level, log_turns_convex_at_half_the_middle_for_every_curve)
{
    static const struct level_curve curves[] = {{10, 1, .5}, {5, 2, .5}, {3, 1, .4}};
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        const struct level_curve *curve = &curves[i];
        const double x = service_level_inverse(curve, curve->w / 2);
        const double h = 1e-4 / curve->a;
        const double before = service_level_log_slope(curve, x - 40 * h) -
                              service_level_log_slope(curve, x - 41 * h);
        const double after = service_level_log_slope(curve, x + 41 * h) -
                             service_level_log_slope(curve, x + 40 * h);
        cr_expect_lt(before, 0.0);
        cr_expect_gt(after, 0.0);
    }
}

Test(service_level, slope_agrees_with_differences)
{
    static const struct level_curve curves[] = {{10, 1, .5}, {4, 1.5, .3}};
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        for (double x = 0.05; x < 5; x += 0.05) {
            const double h = 1e-6;
            const double difference =
                (service_level_log(&curves[i], x + h) - service_level_log(&curves[i], x - h)) /
                (2 * h);
            cr_expect(fabs(service_level_log_slope(&curves[i], x) - difference) < 1e-5);
        }
    }
}

Test(service_level, inverse_returns_to_the_parameter)
{
    static const struct level_curve curves[] = {{10, 1, .5}, {4, 1.5, .3}};
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        for (double x = 0.05; x < 5; x += 0.05) {
            const double level = service_level(&curves[i], x);
            expect_near(service_level_inverse(&curves[i], level), x, 1e-9, "inverse");
        }
        cr_expect(isnan(service_level_inverse(&curves[i], 0.0)));
        cr_expect(isnan(service_level_inverse(&curves[i], 2 * curves[i].w)));
        cr_expect(isnan(service_level_inverse(&curves[i], NAN)));
    }
}

Test(service_level, parameter_is_clamped_and_unknown_stays_unknown)
{
    const struct level_curve curve = service_level_default_curve();
    cr_expect_eq(service_level(&curve, -3), service_level(&curve, 0));
    cr_expect_eq(service_level(&curve, 1e9), service_level(&curve, SERVICE_LEVEL_X_MAX));
    cr_expect_eq(service_level(&curve, INFINITY), service_level(&curve, SERVICE_LEVEL_X_MAX));
    cr_expect(isnan(service_level(&curve, NAN)));
    cr_expect(isnan(service_level_log(&curve, NAN)));
}

Test(service_level, several_parameters_multiply_and_one_unknown_makes_all_unknown)
{
    const double known[] = {.9, .5, .8};
    expect_near(service_level_combine(known, 3), .36, 1e-14, "product");
    const double unknown[] = {.9, NAN, .8};
    cr_expect(isnan(service_level_combine(unknown, 3)));
    cr_expect(isnan(service_level_combine(known, 0)));
}

Test(service_level, sigma_is_the_weighted_product_and_leaves_out_the_unknown)
{
    const double levels[] = {.990290338, .990290338, .990290338, .990290338, NAN};
    const double ones[] = {1, 1, 1, 1, 1};
    const struct sigma four = service_level_sigma(levels, ones, 5);
    cr_expect_eq(four.known, 4);
    expect_near(four.sigma, .961723, 1e-6, "sigma of four");
    expect_near(four.mean_level, .990290338, 1e-12, "mean of four");

    const double two[] = {.5, .9};
    const double weights[] = {3, 1};
    const struct sigma weighted = service_level_sigma(two, weights, 2);
    expect_near(weighted.sigma, .5 * .5 * .5 * .9, 1e-13, "weighted product");
    expect_near(weighted.log_sigma, 3 * log(.5) + log(.9), 1e-13, "its log");

    const struct sigma none = service_level_sigma(two, weights, 0);
    cr_expect(isnan(none.mean_level));
}

Test(service_level, sigma_survives_more_services_than_a_double_can_multiply)
{
    double levels[10000];
    double weights[10000];
    for (int i = 0; i < 10000; i++) {
        levels[i] = .5;
        weights[i] = 1;
    }
    const struct sigma sigma = service_level_sigma(levels, weights, 10000);
    expect_near(sigma.log_sigma, 10000 * log(.5), 1e-10, "log sigma");
    expect_near(sigma.mean_level, .5, 1e-10, "mean");
}
