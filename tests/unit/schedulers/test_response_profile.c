// SPDX-License-Identifier: Apache-2.0
/* response_time with a profile: it starts from its prediction, corrects it, says when it
 * extrapolates and, once, when it is out of date. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/rng.h"
#include "schedulers/model.h"
#include "service_view.h"

/* Processor sharing where a request takes .02 CPU seconds: x = 6 / (r - 2 load). */
#define COST 2.0 /* percent times seconds */
static double truth(double load, double r_pct)
{
    return r_pct > COST * load ? 6.0 / (r_pct - COST * load) : 1000.0;
}

static struct profile_use profile_of_truth(struct profile_table *table, uint64_t revision)
{
    static const double loads[] = {20, 40, 60, 80};
    static const double parts[] = {0.5, 1.02, 1.05, 1.1, 1.2, 1.5, 2.0};
    struct profile_point points[28];
    struct err err = {0};
    for (uint32_t i = 0; i < 28; i++) {
        const double load = loads[i / 7];
        points[i] = (struct profile_point){.load = load,
                                           .cap_pct = (uint32_t)(COST * load * parts[i % 7])};
        points[i].x = truth(load, points[i].cap_pct);
    }
    cr_assert_eq(profile_init(table, points, 28, &err), 0, "%s", err.text);
    return (struct profile_use){.table = table, .revision = revision, .factor = 1.0};
}

/* A view of a service that has load, a cap and a truth that may be another than the profile's;
 * the VMs share both. */
struct trial {
    struct service_view view;
    struct scheduler_state state;
    struct proposal out;
    struct rng rng;
    uint32_t alarms;
};

static void start(struct trial *trial, double load, uint32_t cap_pct)
{
    memset(trial, 0, sizeof *trial);
    trial->view = web_view();
    trial->view.vms_running = 1;
    trial->view.load = load;
    trial->view.cap_pct = cap_pct;
    trial->view.measurement_age_ms = 0;
    rng_init(&trial->rng, 7);
}

/* One period with a truth whose requests take so many times the CPU. */
static void period(struct trial *trial, const struct profile_use *profile, double factor)
{
    struct service_view *view = &trial->view;
    const double vms = view->vms_running;
    view->now_ms += view->period_ms;
    view->measured = factor * truth(factor * view->load / vms, view->cap_pct / vms) *
                     (1 + 0.05 * rng_normal(&trial->rng));
    view->cpu_used_pct = fmin(factor * COST * view->load, view->cap_pct);
    scheduler_find("response_time")->propose(&trial->state, view, profile, &trial->out);
    cr_assert(model_is_valid(&trial->out) || trial->out.model == MODEL_KIND_FIXED);
    trial->alarms += trial->out.outdated;
}

Test(response_profile, the_first_proposal_is_right_where_without_one_it_takes_many)
{
    static struct profile_table table;
    const struct profile_use use = profile_of_truth(&table, 1);
    struct trial trial;
    start(&trial, 60, 20);
    period(&trial, &use, 1.0);
    cr_expect_eq(trial.out.basis, MODEL_BASIS_PROFILE);
    const double need = model_need(&trial.out, 1.0);
    cr_expect(need > 126 && need < 140, "%g", need);
    cr_expect(trial.out.want_pct > 126 && trial.out.want_pct < 200, "%u", trial.out.want_pct);

    start(&trial, 60, 20);
    period(&trial, NULL, 1.0);
    cr_expect_eq(trial.out.basis, MODEL_BASIS_UNSPECIFIED, "a guess");
    cr_expect(trial.out.want_pct < 126, "%u", trial.out.want_pct);
}

Test(response_profile, the_first_users_of_a_new_service_teach_it_nothing_wrong)
{
    static struct profile_table table;
    const struct profile_use use = profile_of_truth(&table, 1);
    struct trial trial;
    start(&trial, 4, 20); /* below every load that was measured */
    for (int i = 0; i < 3; i++) {
        period(&trial, &use, 1.0);
    }
    trial.view.load = 60; /* now they are all there, and it does not keep up */
    period(&trial, &use, 1.0);
    cr_expect_eq(trial.out.basis, MODEL_BASIS_PROFILE);
    const double need = model_need(&trial.out, 1.0);
    cr_expect(need > 126 && need < 140, "%g", need);
}

Test(response_profile, several_vms_share_the_load)
{
    static struct profile_table table;
    const struct profile_use use = profile_of_truth(&table, 1);
    struct trial trial;
    start(&trial, 120, 40);
    trial.view.vms_running = 2;
    period(&trial, &use, 1.0);
    const double need = model_need(&trial.out, 1.0);
    cr_expect(need > 2 * 126 && need < 2 * 140, "%g", need);
}

Test(response_profile, is_corrected_without_an_alarm_where_it_is_a_little_wrong)
{
    static struct profile_table table;
    const struct profile_use use = profile_of_truth(&table, 1);
    struct trial trial;
    start(&trial, 60, 140);
    for (int i = 0; i < 200; i++) {
        period(&trial, &use, 1.08);
    }
    cr_expect_eq(trial.alarms, 0);
    cr_expect_eq(trial.out.basis, MODEL_BASIS_PROFILE);
    const double need = model_need(&trial.out, 1.0);
    const double right = 1.08 * (COST * 60 + 6.0);
    cr_expect(need > right * 0.99 && need < right * 1.12, "%g for %g", need, right);
}

Test(response_profile, says_where_it_extrapolates)
{
    static struct profile_table table;
    const struct profile_use use = profile_of_truth(&table, 1);
    struct trial trial;
    start(&trial, 160, 350);
    period(&trial, &use, 1.0);
    cr_expect_eq(trial.out.basis, MODEL_BASIS_EXTRAPOLATED);
    const double need = model_need(&trial.out, 1.0);
    cr_expect(need > 290 && need < 360, "the CPU of a request stays: %g", need);
    trial.view.load = 70;
    period(&trial, &use, 1.0);
    cr_expect_eq(trial.out.basis, MODEL_BASIS_PROFILE);
}

Test(response_profile, is_out_of_date_once_and_then_learnt_until_it_is_measured_again)
{
    static struct profile_table table;
    struct profile_use use = profile_of_truth(&table, 1);
    struct trial trial;
    start(&trial, 40, 150);
    for (int i = 0; i < 300; i++) {
        period(&trial, &use, 1.0);
    }
    cr_expect_eq(trial.alarms, 0);
    double deviation = 0.0;
    for (int i = 0; i < 300; i++) {
        period(&trial, &use, 1.6);
        deviation = trial.out.outdated ? trial.out.deviation : deviation;
    }
    cr_expect_eq(trial.alarms, 1, "%u", trial.alarms);
    cr_expect(deviation > 1.3 && deviation < 2.0, "%g", deviation);
    cr_expect_eq(trial.out.basis, MODEL_BASIS_LEARNT);
    use.revision = 2;
    period(&trial, &use, 1.0);
    cr_expect_eq(trial.out.basis, MODEL_BASIS_PROFILE, "another one is believed");
    period(&trial, NULL, 1.0);
    cr_expect_neq(trial.out.basis, MODEL_BASIS_PROFILE, "none is not used");
}

Test(response_profile, a_service_that_became_faster_is_told_too)
{
    static struct profile_table table;
    const struct profile_use use = profile_of_truth(&table, 1);
    struct trial trial;
    start(&trial, 60, 130);
    for (int i = 0; i < 300; i++) {
        period(&trial, &use, 0.6);
    }
    cr_expect_eq(trial.alarms, 1, "%u", trial.alarms);
}
