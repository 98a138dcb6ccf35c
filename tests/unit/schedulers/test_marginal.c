// SPDX-License-Identifier: Apache-2.0
/* The curvature of log S over speed, and its tabulated inverse slopes, against plain search. */
#include <criterion/criterion.h>
#include <math.h>

#include "schedulers/optimizer/marginal.h"

static double bend(double ab, double t)
{
    const double step = 1e-4 * t;
    return marginal_slope(ab, t + step) - marginal_slope(ab, t - step);
}

Test(marginal, convex_part_of_the_default_curve_is_the_published_one)
{
    struct marginal marginal;
    marginal_init(&marginal, 10.0);
    cr_expect(fabs(1.0 / marginal.t_high - 1.079) < 2e-3, "%g", 1.0 / marginal.t_high);
    cr_expect(fabs(1.0 / marginal.t_low - 1.970) < 2e-3, "%g", 1.0 / marginal.t_low);
    marginal_init(&marginal, 2.0);
    cr_expect_eq(marginal.t_low, MARGINAL_T_LEAST);
    cr_expect_eq(marginal.t_high, MARGINAL_T_LEAST);
}

Test(marginal, curvature_changes_just_where_it_says)
{
    // NOLINTNEXTLINE(cert-flp30-c,clang-analyzer-security.FloatLoopCounter): geometric steps
    for (double ab = 0.1; ab < 1000.0; ab *= 1.1) {
        struct marginal marginal;
        marginal_init(&marginal, ab);
        // NOLINTNEXTLINE(cert-flp30-c,clang-analyzer-security.FloatLoopCounter)
        for (double t = 0.011; t < 20.0; t *= 1.003) {
            const bool outside = t < marginal.t_low || t > marginal.t_high;
            const bool near =
                fabs(t - marginal.t_low) < 3e-3 * t || fabs(t - marginal.t_high) < 3e-3 * t;
            cr_expect(near || (bend(ab, t) < 0.0) == outside, "ab %g, t %g", ab, t);
        }
    }
}

/* Where G' is nearly flat its inverse is not well known: then the slope is what must be right.
 */
static bool is_close(double ab, double got, double t, double log_slope)
{
    return fabs(got - t) <= 3e-5 * t || fabs(log(marginal_slope(ab, got)) - log_slope) <= 1e-4;
}

/* By bisection of a slope that falls between two points. */
static double search(double ab, double log_slope, double below, double above)
{
    for (int i = 0; i < 200; i++) {
        const double middle = sqrt(below * above);
        if (log(marginal_slope(ab, middle)) > log_slope) {
            below = middle;
        } else {
            above = middle;
        }
    }
    return below;
}

Test(marginal, inverse_is_right_at_the_points_of_both_tables)
{
    const double all[] = {0.3, 1.0, 2.0, 2.5, 3.0, 5.0, 10.0, 12.5, 20.0, 50.0, 300.0};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct marginal marginal;
        marginal_init(&marginal, all[i]);
        for (uint32_t k = 1; k <= MARGINAL_STEPS; k++) {
            const double log_slope = marginal.log_top - k * MARGINAL_STEP;
            const double t = search(all[i], log_slope, marginal.t_high, 1e9);
            const double got = marginal_t_high(&marginal, log_slope);
            cr_expect(is_close(all[i], got, t, log_slope), "ab %g, step %u: %.9g of %.9g",
                      all[i], k, got, t);
        }
        for (uint32_t k = 1; k <= MARGINAL_LOW_STEPS && marginal.t_low > MARGINAL_T_LEAST;
             k++) {
            const double log_slope = marginal.log_bottom + k * MARGINAL_STEP;
            const double t = search(all[i], log_slope, MARGINAL_T_LEAST, marginal.t_low);
            const double got = marginal_t_low(&marginal, log_slope);
            cr_expect(is_close(all[i], got, t, log_slope), "ab %g, low step %u: %.9g of %.9g",
                      all[i], k, got, t);
        }
    }
}

Test(marginal, inverse_goes_on_beyond_its_tables)
{
    struct marginal marginal;
    marginal_init(&marginal, 10.0);
    const double log_slope = marginal.log_top - 1.5 * MARGINAL_STEPS * MARGINAL_STEP;
    const double t = search(10.0, log_slope, 1.0, 1e12);
    cr_expect(fabs(marginal_t_high(&marginal, log_slope) - t) < 1e-2 * t);
    cr_expect_eq(marginal_t_high(&marginal, marginal.log_top + 1.0), marginal.t_high);
    cr_expect_eq(marginal_t_low(&marginal, marginal.log_bottom - 1.0), marginal.t_low);
    cr_expect(marginal_t_low(&marginal, marginal.log_bottom + 100.0) <= MARGINAL_T_LEAST);
}
