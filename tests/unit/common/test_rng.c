// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "common/rng.h"

TestSuite(rng, .timeout = 20);

/* First numbers of SplitMix64 with seed 1234567, from the reference implementation by S. Vigna.
 */
Test(rng, numbers_are_those_of_splitmix64)
{
    static const uint64_t expected[] = {6457827717110365317u, 3203168211198807973u,
                                        9817491932198370423u, 4593380528125082431u,
                                        16408922859458223821u};
    struct rng rng;
    rng_init(&rng, 1234567);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        cr_assert_eq(rng_next(&rng), expected[i]);
    }
}

Test(rng, below_stays_below_and_reaches_every_value)
{
    struct rng rng;
    rng_init(&rng, 3);
    uint32_t seen[7] = {0};
    for (int i = 0; i < 7000; i++) {
        uint64_t value = rng_below(&rng, 7);
        cr_assert_lt(value, 7);
        seen[value]++;
    }
    for (int i = 0; i < 7; i++) {
        cr_assert_gt(seen[i], 850);
        cr_assert_lt(seen[i], 1150);
    }
    cr_assert_eq(rng_below(&rng, 1), 0);
    cr_assert_lt(rng_below(&rng, UINT64_MAX), UINT64_MAX);
}

Test(rng, unit_is_in_its_half_open_range_around_one_half)
{
    struct rng rng;
    rng_init(&rng, 4);
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double value = rng_unit(&rng);
        cr_assert_geq(value, 0.0);
        cr_assert_lt(value, 1.0);
        sum += value;
    }
    cr_assert_float_eq(sum / 10000, 0.5, 0.02);
}

Test(rng, normal_has_mean_zero_and_deviation_one)
{
    struct rng rng;
    rng_init(&rng, 5);
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < 20000; i++) {
        double value = rng_normal(&rng);
        sum += value;
        squares += value * value;
    }
    cr_assert_float_eq(sum / 20000, 0.0, 0.03);
    cr_assert_float_eq(squares / 20000, 1.0, 0.04);
}

Test(rng, uuid_is_a_version_4_uuid_and_another_each_time)
{
    struct rng rng;
    rng_init(&rng, 6);
    char previous[UUID_SIZE] = "";
    for (int i = 0; i < 200; i++) {
        char uuid[UUID_SIZE];
        rng_uuid(&rng, uuid);
        cr_assert_eq(strlen(uuid), UUID_SIZE - 1);
        for (size_t k = 0; k < UUID_SIZE - 1; k++) {
            bool is_dash = k == 8 || k == 13 || k == 18 || k == 23;
            cr_assert_eq(uuid[k] == '-', is_dash);
            cr_assert(is_dash || strchr("0123456789abcdef", uuid[k]) != NULL);
        }
        cr_assert_eq(uuid[14], '4');
        cr_assert_not_null(strchr("89ab", uuid[19]));
        cr_assert_str_neq(uuid, previous);
        memcpy(previous, uuid, sizeof previous);
    }
}
