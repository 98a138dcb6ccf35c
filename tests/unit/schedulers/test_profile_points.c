// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "schedulers/profile_points.h"

static struct profile_point point(double load, uint32_t cap_pct, double x)
{
    return (struct profile_point){.load = load, .cap_pct = cap_pct, .x = x, .vcpus = 2};
}

Test(profile_points, nearly_the_same_setting_is_one_point_with_the_mean_of_its_speed)
{
    struct profile_points points = {0};
    const struct profile_point one = point(50, 200, 1.0);
    const struct profile_point same = point(52, 202, 0.5);
    const struct profile_point other = point(50, 240, 0.5);
    struct profile_point larger = point(50, 200, 0.4);
    larger.vcpus = 4;
    profile_points_add(&points, &one, 1000);
    profile_points_add(&points, &same, 2000);
    profile_points_add(&points, &other, 3000);
    profile_points_add(&points, &larger, 4000);
    cr_assert_eq(points.count, 3);
    cr_expect_float_eq(points.items[0].point.x, 1 / 1.5, 1e-12);
    cr_expect_float_eq(points.items[0].point.load, 51, 1e-12);
    cr_expect_eq(points.items[0].count, 2);
    cr_expect_eq(points.items[0].at_ms, 2000);
    cr_expect_eq(points.items[2].point.vcpus, 4);
}

Test(profile_points, a_full_list_gives_up_its_oldest)
{
    struct profile_points points = {0};
    for (uint32_t i = 0; i <= PROFILE_LEARNT_MAX; i++) {
        const struct profile_point seen = point(10, 100 + 10 * i, 1.0);
        profile_points_add(&points, &seen, 1000 * (1 + i));
    }
    cr_expect_eq(points.count, PROFILE_LEARNT_MAX);
    for (uint32_t i = 0; i < points.count; i++) {
        cr_expect_neq(points.items[i].point.cap_pct, 100);
    }
}
