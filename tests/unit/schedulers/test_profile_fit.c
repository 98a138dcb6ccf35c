// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <math.h>

#include "common/rng.h"
#include "schedulers/profile.h"

/* ---- correction ---- */

Test(profile_fit, learns_a_and_b_of_a_queue)
{
    struct rng rng;
    rng_init(&rng, 5);
    struct profile_fit fit;
    profile_fit_start(&fit, 0.0, 0.01, (const double[2]){1e4, 1.0}, 0.98);
    for (int i = 0; i < 200; i++) {
        const double r = 80 + 100 * rng_unit(&rng);
        profile_fit_update(&fit, r, 40.0 / (r - 60.0) * (1 + 0.05 * rng_normal(&rng)));
    }
    cr_expect(fabs(1.0 / fit.gain - 40.0) < 2.0, "A is %g", 1.0 / fit.gain);
    cr_expect(fabs(-fit.offset / fit.gain - 60.0) < 3.0, "B is %g", -fit.offset / fit.gain);
    cr_expect(fabs(profile_fit_need(&fit, 1.0) - 100.0) < 2.0);
    cr_expect(isinf(profile_fit_predict(&fit, 20.0)), "below B it does not keep up");
}

Test(profile_fit, corrects_a_profile_that_is_a_fifth_wrong)
{
    struct rng rng;
    rng_init(&rng, 6);
    struct profile_fit fit;
    profile_fit_start(&fit, 0.0, 1.0, (const double[2]){0.01, 0.1}, 0.98);
    for (int i = 0; i < 100; i++) {
        const double z = 0.5 + 1.5 * rng_unit(&rng); /* 1/x of the profile */
        profile_fit_update(&fit, z, 1.2 / z * (1 + 0.1 * rng_normal(&rng)));
    }
    cr_expect(fabs(profile_fit_predict(&fit, 1.2) - 1.0) < 0.06, "%g",
              profile_fit_predict(&fit, 1.2));
}

Test(profile_fit, forgets_after_doubt_and_ignores_what_is_unknown)
{
    struct profile_fit fit;
    profile_fit_start(&fit, 0.0, 0.01, (const double[2]){1e4, 1.0}, 1.0);
    for (int i = 0; i < 1000; i++) {
        profile_fit_update(&fit, 100 + i % 50, 100.0 / (100 + i % 50));
    }
    const struct profile_fit before = fit;
    profile_fit_update(&fit, 100, NAN);
    profile_fit_update(&fit, 100, HUGE_VAL);
    profile_fit_update(&fit, NAN, 1.0);
    profile_fit_update(&fit, 100, 0.0);
    cr_expect_eq(fit.gain, before.gain);
    struct profile_fit doubting = fit;
    profile_fit_doubt(&doubting);
    for (int i = 0; i < 4; i++) {
        profile_fit_update(&fit, 100 + 10 * i, 200.0 / (100 + 10 * i));
        profile_fit_update(&doubting, 100 + 10 * i, 200.0 / (100 + 10 * i));
    }
    cr_expect(fabs(profile_fit_need(&doubting, 1.0) - 200.0) < 1.0, "%g",
              profile_fit_need(&doubting, 1.0));
    cr_expect(profile_fit_need(&fit, 1.0) < 130.0, "without doubt it takes long");
}

Test(profile_fit, stays_finite_without_news)
{
    struct profile_fit fit;
    profile_fit_start(&fit, 0.0, 0.01, (const double[2]){1e4, 1.0}, 0.9);
    for (int i = 0; i < 10000; i++) {
        profile_fit_update(&fit, 100, 1.0);
    }
    profile_fit_update(&fit, 120, 0.8);
    cr_expect(isfinite(fit.gain) && isfinite(fit.offset));
    cr_expect(fabs(profile_fit_predict(&fit, 100) - 1.0) < 0.1);
}

/* ---- alarm ---- */

/* Mean number of measurements until the alarm, with a shift in standard deviations. */
static double run_length(double h, double shift, int runs, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    uint64_t steps = 0;
    for (int run = 0; run < runs; run++) {
        struct profile_alarm alarm;
        profile_alarm_start(&alarm, 0.5, h);
        do {
            steps++;
        } while (!profile_alarm_update(&alarm, shift + rng_normal(&rng)));
    }
    return (double)steps / runs;
}

/* A share of the expected value; the standard error of the mean is at most 1 / sqrt(runs). */
static void expect_length(double h, double shift, int runs, double expected)
{
    const double length = run_length(h, shift, runs, 11);
    /* rng_normal() is a sum of twelve: its tails are a little lighter than a normal one's. */
    const double share = 4.0 / sqrt(runs) + (shift > 0.0 ? 0.0 : 0.12);
    cr_expect(fabs(length / expected - 1.0) < share, "h=%g shift=%g: %g, not %g", h, shift,
              length, expected);
}

Test(profile_alarm, has_the_run_lengths_of_the_integral_equation)
{
    expect_length(4, 0, 2000, 167.7);
    expect_length(5, 0, 1500, 465.4);
    expect_length(8, 0, 300, 9483);
    expect_length(4, 1, 4000, 8.38);
    expect_length(5, 1, 4000, 10.38);
    expect_length(5, 2, 4000, 4.01);
    expect_length(8, 1, 4000, 16.37);
    expect_length(8, 2, 4000, 6.01);
}

Test(profile_alarm, sees_a_profile_that_got_stale_within_six_measurements)
{
    /* at one measurement in 30 s: fewer false alarms than one in 72 h */
    cr_expect_lt(run_length(8, 2, 4000, 12), 6.1);
    cr_expect_lt(run_length(8, -2, 4000, 13), 6.1);
    cr_expect_gt(run_length(8, 0, 300, 14), 72 * 120);
}

Test(profile_alarm, starts_anew_after_an_alarm_and_learns_nothing_from_nothing)
{
    struct profile_alarm alarm;
    profile_alarm_start(&alarm, 0.5, 4);
    cr_expect_not(profile_alarm_update(&alarm, NAN));
    cr_expect_not(profile_alarm_update(&alarm, 4.0));
    cr_expect(profile_alarm_update(&alarm, 4.0));
    cr_expect_eq(alarm.high, 0.0);
}

/* ---- laws ---- */

Test(profile_laws, say_what_the_books_say)
{
    /* 80 requests/s of 10 ms on one CPU: 80 % used, so the response takes 5 times the service
     */
    const double demand = profile_demand(80.0, 80.0);
    cr_expect_float_eq(demand, 1.0, 1e-12);
    cr_expect_float_eq(profile_response_s(demand, 80.0, 100.0), 5 * 0.01, 1e-12);
    cr_expect(isinf(profile_response_s(demand, 100.0, 100.0)));
    cr_expect(isnan(profile_demand(NAN, 80.0)));
    cr_expect(isnan(profile_demand(80.0, 0.0)));
    cr_expect_float_eq(profile_best_vcpus(0.05, 0.001), sqrt(950.0), 1e-9);
    cr_expect(isinf(profile_best_vcpus(0.05, 0.0)));
}
