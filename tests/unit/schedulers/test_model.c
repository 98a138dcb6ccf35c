// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <math.h>

#include "schedulers/model.h"

Test(model, need_is_the_inverse_of_predict)
{
    const struct proposal models[] = {
        {.model = MODEL_KIND_RECIPROCAL, .demand_pct = 120},
        {.model = MODEL_KIND_PS, .a_pct = 30, .b_pct = 90},
        {.model = MODEL_KIND_TABLE,
         .points_count = 3,
         .points = {{50, 4.0}, {100, 1.5}, {400, 0.3}}},
    };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        cr_expect(model_is_valid(&models[i]));
        for (double r = 95; r < 390; r += 7) {
            const double x = model_predict(&models[i], r);
            cr_expect(fabs(model_need(&models[i], x) - r) < 1e-9 * r, "model %zu at %g", i, r);
        }
    }
}

Test(model, table_is_exact_for_processor_sharing_with_few_points)
{
    const struct proposal ps = {.model = MODEL_KIND_PS, .a_pct = 20, .b_pct = 60};
    struct proposal table = {.model = MODEL_KIND_TABLE, .points_count = 2};
    table.points[0] = (struct curve_point){70, model_predict(&ps, 70)};
    table.points[1] = (struct curve_point){300, model_predict(&ps, 300)};
    for (double r = 70; r <= 300; r += 10) {
        cr_expect(fabs(model_predict(&table, r) - model_predict(&ps, r)) < 1e-12);
    }
}

Test(model, table_is_clamped_outside)
{
    const struct proposal table = {
        .model = MODEL_KIND_TABLE, .points_count = 2, .points = {{50, 4.0}, {100, 1.5}}};
    cr_expect_eq(model_predict(&table, 10), 4.0);
    cr_expect_eq(model_predict(&table, 500), 1.5);
    cr_expect_eq(model_need(&table, 5.0), 0.0, "x is clamped below the first point");
    cr_expect(isinf(model_need(&table, 1.0)));
}

Test(model, service_that_cannot_keep_up_has_no_finite_parameter)
{
    const struct proposal ps = {.model = MODEL_KIND_PS, .a_pct = 20, .b_pct = 60};
    cr_expect(isinf(model_predict(&ps, 60)));
    const struct proposal fixed = {.model = MODEL_KIND_FIXED, .want_pct = 60};
    cr_expect(isnan(model_predict(&fixed, 60)));
    cr_expect(isnan(model_need(&fixed, 1)));
}

Test(model, bad_numbers_are_refused)
{
    cr_expect_not(model_is_valid(&(struct proposal){.model = MODEL_KIND_UNSPECIFIED}));
    cr_expect_not(
        model_is_valid(&(struct proposal){.model = MODEL_KIND_RECIPROCAL, .demand_pct = NAN}));
    cr_expect_not(
        model_is_valid(&(struct proposal){.model = MODEL_KIND_PS, .a_pct = 1, .b_pct = -1}));
    cr_expect_not(model_is_valid(&(struct proposal){.model = MODEL_KIND_TABLE}));
    struct proposal table = {
        .model = MODEL_KIND_TABLE, .points_count = 2, .points = {{50, 1.0}, {100, 2.0}}};
    cr_expect_not(model_is_valid(&table), "x must fall");
    table.points[1] = (struct curve_point){50, 0.5};
    cr_expect_not(model_is_valid(&table), "cap must rise");
    table.points_count = CURVE_POINTS_MAX + 1;
    cr_expect_not(model_is_valid(&table));
}
