// SPDX-License-Identifier: Apache-2.0
/* What is learnt from a queue whose CPU time is misread, and when it is said to be out of date.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "common/rng.h"
#include "schedulers/response_fit.h"

/* x of a queue on two VMs where a request alone takes .3 of the target, read with noise. */
static struct response_measurement measure(struct rng *rng, double scale, double alone,
                                           double noise)
{
    const double demand_pct = 250.0 + 60.0 * rng_normal(rng) / 3.0;
    const double r_pct = 320.0 + 40.0 * rng_unit(rng);
    const double x = alone * profile_response_factor(demand_pct, r_pct, 2);
    return (struct response_measurement){.demand_pct = demand_pct / scale,
                                         .r_pct = r_pct,
                                         .vms = 2,
                                         .x = x * fmax(1.0 + noise * rng_normal(rng), 0.2)};
}

static bool learn(struct response_fit *fit, struct rng *rng, double scale, double alone)
{
    const struct response_measurement seen = measure(rng, scale, alone, 0.1);
    return isfinite(seen.x) && response_fit_learn(fit, &seen);
}

Test(response_fit, need_is_right_although_a_fifth_of_the_cpu_time_is_misread)
{
    const double scales[] = {1.0 / 1.2, 1.0, 1.0 / 0.8};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        struct rng rng;
        rng_init(&rng, 5 + i);
        struct response_fit fit = {0};
        for (int k = 0; k < 200; k++) {
            (void)learn(&fit, &rng, scales[i], 0.3);
        }
        const struct response_model model = response_fit_model(&fit, 2);
        const struct response_model truth = {.alone = 0.3, .scale = 1.0, .vms = 2};
        const double need = response_model_need(&model, 250.0 / scales[i], 1.0, 2000.0);
        const double right = response_model_need(&truth, 250.0, 1.0, 2000.0);
        cr_expect(fabs(need / right - 1.0) < 0.03, "scale %f: %f for %f", scales[i], need,
                  right);
        cr_expect(fit.noise > 0.07 && fit.noise < 0.14, "noise %f", fit.noise);
    }
}

Test(response_fit, what_changed_for_good_is_said_and_learnt_anew)
{
    struct rng rng;
    rng_init(&rng, 11);
    struct response_fit fit = {0};
    int alarms = 0;
    for (int k = 0; k < 720; k++) {
        alarms += learn(&fit, &rng, 1.0, 0.3);
    }
    cr_expect_eq(alarms, 0);
    int after = 0;
    while (after < 30 && !learn(&fit, &rng, 1.0, 0.5)) {
        after++;
    }
    cr_expect_leq(after, 10, "%d", after);
    for (int k = 0; k < 50; k++) {
        (void)learn(&fit, &rng, 1.0, 0.5);
    }
    const struct response_model model = response_fit_model(&fit, 2);
    cr_expect(fabs(response_model_x(&model, 250.0, 340.0) /
                       (0.5 * profile_response_factor(250.0, 340.0, 2)) -
                   1.0) < 0.1);
}

Test(response_fit, nothing_is_learnt_of_what_no_scale_explains)
{
    struct response_fit fit = {0};
    const struct response_measurement seen = {
        .demand_pct = 300.0, .r_pct = 100.0, .vms = 1, .x = 0.5};
    cr_expect_not(response_fit_learn(&fit, &seen));
    cr_expect_eq(fit.count, 0);
    cr_expect(response_fit_model(&fit, 1).alone <= 0.0);
}

Test(response_fit, need_of_what_cannot_be_reached_is_infinite)
{
    const struct response_model model = {.alone = 1.2, .scale = 1.0, .vms = 1};
    cr_expect(isinf(response_model_need(&model, 100.0, 1.0, 1000.0)));
    cr_expect(isinf(response_model_x(&model, 100.0, 100.0)));
}
