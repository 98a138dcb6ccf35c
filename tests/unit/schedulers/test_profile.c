// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/rng.h"
#include "common/service_level.h"
#include "schedulers/profile.h"

static const struct profile_resources one_vcpu = {.vcpus = 1, .memory_kib = 1 << 20};
/* The same as members of a point. */
#define ONE_VCPU  .vcpus = 1, .memory_kib = 1 << 20
#define TWO_VCPUS .vcpus = 2, .memory_kib = 1 << 20
#define POINT(L, C, W, X)                                                                      \
    {                                                                                          \
        .load = (L), .cap_pct = (C), W, .x = (X)                                               \
    }

/* ---- applications that are measured ---- */

static double reciprocal(double r)
{
    return 100.0 / r;
}
static double sharing(double r)
{
    return r > 60.0 ? 40.0 / (r - 60.0) : HUGE_VAL;
}
static double amdahl(double r)
{
    const double serial = 0.2;
    return 1.25 * (serial + (1.0 - serial) * 100.0 / r);
}
/* Sakasegawa's approximation for m servers; 100 % is one CPU. */
static double servers(double r)
{
    const double cpus = r / 100.0;
    const double rho = 1.6 / cpus;
    const double m = fmax(1.0, cpus);
    if (rho >= 1.0) {
        return HUGE_VAL;
    }
    return 0.5 / fmin(1.0, cpus) *
           (1.0 + pow(rho, sqrt(2.0 * (m + 1.0)) - 1.0) / (m * (1.0 - rho)));
}

static struct profile_table measure(double (*truth)(double r), const uint32_t *caps,
                                    uint32_t count)
{
    struct profile_table profile;
    struct profile_point points[32];
    struct err err = {0};
    for (uint32_t i = 0; i < count; i++) {
        points[i] = (struct profile_point){
            .load = 10, .cap_pct = caps[i], ONE_VCPU, .x = truth(caps[i])};
    }
    cr_assert_eq(profile_init(&profile, points, count, &err), 0, "%s", err.text);
    return profile;
}

/* The largest error of the level, on whole percents between the first and the last cap. */
static double worst(double (*truth)(double r), const uint32_t *caps, uint32_t count)
{
    const struct profile_table profile = measure(truth, caps, count);
    const struct level_curve curve = service_level_default_curve();
    double error = 0.0;
    for (uint32_t r = caps[0]; r <= caps[count - 1]; r++) {
        const struct profile_value value = profile_predict(&profile, 10, r, &one_vcpu);
        cr_assert(!value.extrapolated);
        error =
            fmax(error, fabs(service_level(&curve, value.x) - service_level(&curve, truth(r))));
    }
    return error;
}

Test(profile, interpolates_levels_within_a_hundredth)
{
    const uint32_t eight[] = {40, 60, 80, 100, 130, 180, 260, 400};
    const uint32_t above[] = {65, 75, 90, 100, 115, 150, 240, 400};
    const uint32_t twelve[] = {165, 170, 176, 184, 194, 206, 220, 240, 270, 300, 350, 400};
    cr_expect_lt(worst(reciprocal, eight, 8), 1e-9, "D/r: %g", worst(reciprocal, eight, 8));
    cr_expect_lt(worst(sharing, above, 8), 1e-9, "PS: %g", worst(sharing, above, 8));
    cr_expect_lt(worst(amdahl, eight, 8), 0.01, "Amdahl: %g", worst(amdahl, eight, 8));
    cr_expect_lt(worst(servers, twelve, 12), 0.016, "servers: %g", worst(servers, twelve, 12));
}

Test(profile, is_monotone_through_noise)
{
    struct rng rng;
    rng_init(&rng, 3);
    for (int round = 0; round < 200; round++) {
        struct profile_point points[24];
        struct profile_table profile;
        struct err err = {0};
        for (uint32_t i = 0; i < 24; i++) {
            const double load = 10.0 * (1 + i % 3);
            points[i] = (struct profile_point){.load = load,
                                               .cap_pct = 20 + 10 * (i / 3),
                                               ONE_VCPU,
                                               .x = load / (20 + 10 * (i / 3)) *
                                                    exp(0.5 * rng_normal(&rng))};
        }
        cr_assert_eq(profile_init(&profile, points, 24, &err), 0);
        double before[4] = {HUGE_VAL, HUGE_VAL, HUGE_VAL, HUGE_VAL};
        for (double r = 15; r < 100; r += 1.0) {
            double less = 0.0;
            for (int k = 0; k < 4; k++) {
                const double x = profile_predict(&profile, 8 + 7 * k, r, &one_vcpu).x;
                cr_assert(x <= before[k] * (1 + 1e-12), "x rises with the cap");
                cr_assert(x >= less * (1 - 1e-12), "x falls with the load");
                before[k] = x;
                less = x;
            }
        }
    }
}

Test(profile, flags_what_was_not_measured_and_is_careful_there)
{
    const uint32_t caps[] = {100, 200};
    const struct profile_table profile = measure(reciprocal, caps, 2);
    const struct profile_resources more = {.vcpus = 2, .memory_kib = 1 << 21};
    const struct profile_resources less = {.vcpus = 1, .memory_kib = 1 << 19};
    struct profile_value value = profile_predict(&profile, 10, 50, &one_vcpu);
    cr_expect(value.extrapolated && fabs(value.x - 2.0) < 1e-12, "half the CPU: %g", value.x);
    value = profile_predict(&profile, 10, 400, &one_vcpu);
    cr_expect(value.extrapolated && fabs(value.x - 0.5) < 1e-12);
    value = profile_predict(&profile, 11, 150, &one_vcpu);
    cr_expect(value.extrapolated && fabs(value.x - 11.0 / 15) < 1e-12, "%g", value.x);
    value = profile_predict(&profile, 10, 150, &more);
    cr_expect(!value.extrapolated && fabs(value.x - 100.0 / 150) < 1e-12, "more is not worse");
    value = profile_predict(&profile, 10, 150, &less);
    cr_expect(value.extrapolated, "less was never measured");
}

Test(profile, caps_of_far_lower_loads_do_not_make_it_extrapolate)
{
    const struct profile_point points[] = {
        POINT(10, 20, ONE_VCPU, 1.0), POINT(10, 40, ONE_VCPU, 0.5),
        POINT(20, 40, ONE_VCPU, 1.0), POINT(20, 80, ONE_VCPU, 0.5),
        POINT(40, 80, ONE_VCPU, 1.0), POINT(40, 160, ONE_VCPU, 0.5)};
    struct profile_table profile;
    struct err err = {0};
    cr_assert_eq(profile_init(&profile, points, 6, &err), 0);
    cr_expect(!profile_predict(&profile, 40, 120, &one_vcpu).extrapolated);
    cr_expect(!profile_predict(&profile, 30, 80, &one_vcpu).extrapolated);
    const struct profile_value between = profile_predict(&profile, 30, 120, &one_vcpu);
    cr_expect(between.extrapolated && fabs(between.x - 1 / 1.75) < 1e-12,
              "less load is at least as fast: %g", between.x);
    cr_expect_float_eq(profile_predict(&profile, 40, 160, &one_vcpu).x, 0.5, 1e-12,
                       "what was measured stands");
    cr_expect(profile_predict(&profile, 20, 100, &one_vcpu).extrapolated);
}

Test(profile, takes_the_better_of_the_measured_resources)
{
    const struct profile_resources two = {.vcpus = 2, .memory_kib = 1 << 20};
    const struct profile_point points[] = {
        POINT(10, 100, ONE_VCPU, 1.0),  POINT(10, 200, ONE_VCPU, 0.9),
        POINT(10, 100, TWO_VCPUS, 1.0), POINT(10, 200, TWO_VCPUS, 0.5),
        POINT(20, 100, TWO_VCPUS, 2.0), POINT(20, 200, TWO_VCPUS, 1.0)};
    struct profile_table profile;
    struct err err = {0};
    cr_assert_eq(profile_init(&profile, points, 6, &err), 0);
    cr_expect_float_eq(profile_predict(&profile, 10, 200, &one_vcpu).x, 0.9, 1e-12);
    cr_expect_float_eq(profile_predict(&profile, 10, 200, &two).x, 0.5, 1e-12);
    /* 1/x between the loads: (2 + 1) / 2 */
    cr_expect_float_eq(profile_predict(&profile, 15, 200, &two).x, 1 / 1.5, 1e-12);
    cr_expect_float_eq(profile_need(&profile, 20, 1.0, &two, 400), 200.0, 1e-6);
    cr_expect(isinf(profile_need(&profile, 20, 0.9, &two, 400)));
}

Test(profile, refuses_what_is_not_a_measurement)
{
    struct profile_table profile = {.points_count = 7};
    struct profile_point point = {.load = 1, .cap_pct = 10, ONE_VCPU, .x = 1};
    struct err err = {0};
    cr_expect_eq(profile_init(&profile, &point, 0, &err), -EINVAL);
    point.x = NAN;
    cr_expect_eq(profile_init(&profile, &point, 1, &err), -EINVAL);
    point.x = 0;
    cr_expect_eq(profile_init(&profile, &point, 1, &err), -EINVAL);
    cr_expect_eq(profile.points_count, 7, "nothing changed");
    static struct profile_point many[PROFILE_POINTS_MAX + 1];
    for (uint32_t i = 0; i <= PROFILE_POINTS_MAX; i++) {
        many[i] = (struct profile_point)POINT(i, 10, ONE_VCPU, 1.0 + i);
    }
    cr_expect_eq(profile_init(&profile, many, PROFILE_POINTS_MAX + 1, &err), -ENOSPC);
    cr_expect_eq(profile.points_count, 7, "nothing changed");
    cr_expect_eq(profile_init(&profile, many, PROFILE_POINTS_MAX, &err), 0);
    cr_expect_eq(profile.curves_count, PROFILE_POINTS_MAX, "each load is a curve of its own");
}

Test(profile, is_worth_the_same_against_another_target)
{
    const struct profile profile = {.response_time = {.p95_ms = 300}};
    cr_expect_float_eq(profile_factor(&profile, &(struct response_time){.p95_ms = 200}), 1.5,
                       1e-12);
    cr_expect(isnan(profile_factor(&profile, &(struct response_time){.mean_ms = 300})),
              "a percentile says nothing of a mean");
    cr_expect(isnan(profile_factor(&profile, &(struct response_time){.window_ms = 300})));
}

Test(profile, two_measurements_of_one_setting_count_with_their_mean_speed)
{
    const struct profile_point points[] = {POINT(10, 100, ONE_VCPU, 1.0),
                                           POINT(10, 100, ONE_VCPU, 0.5),
                                           POINT(10, 200, ONE_VCPU, HUGE_VAL)};
    struct profile_table profile;
    struct err err = {0};
    cr_assert_eq(profile_init(&profile, points, 3, &err), 0);
    cr_expect_float_eq(profile_predict(&profile, 10, 100, &one_vcpu).x, 1 / 1.5, 1e-12);
    cr_expect_float_eq(profile_predict(&profile, 10, 200, &one_vcpu).x, 1 / 1.5, 1e-12,
                       "more CPU never slows it down");
}
