// SPDX-License-Identifier: Apache-2.0
/* Each scheduler against a plant made of the formula that it assumes, and against missing data.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "common/rng.h"
#include "schedulers/model.h"
#include "schedulers/scheduler.h"
#include "tests/unit/schedulers/service_view.h"

Test(schedulers, every_one_holds_when_nothing_is_known)
{
    for (size_t i = 0; scheduler_all()[i] != NULL; i++) {
        struct scheduler_state state = {0};
        struct service_view view = web_view();
        view.queue.tasks = 100;
        view.deadline_ms = 1000000;
        struct proposal out;
        memset(&out, 0xff, sizeof out);
        scheduler_all()[i]->propose(&state, &view, NULL, &out);
        cr_expect_eq(out.want_pct, view.cap_pct, "%s", scheduler_all()[i]->name);
        cr_expect_eq(out.model, MODEL_KIND_FIXED, "%s", scheduler_all()[i]->name);
        cr_expect(model_is_valid(&out));
        cr_expect_str_eq(out.service, "shop");
        if (strcmp(scheduler_all()[i]->name, "fixed") != 0) {
            cr_expect_eq(out.reason, REASON_STALE, "%s", scheduler_all()[i]->name);
        }
    }
}

Test(schedulers, are_found_by_name_and_by_kind)
{
    for (size_t i = 0; scheduler_all()[i] != NULL; i++) {
        cr_expect_eq(scheduler_find(scheduler_all()[i]->name), scheduler_all()[i]);
    }
    cr_expect_null(scheduler_find("nonsense"));
    cr_expect_eq(scheduler_default(SERVICE_KIND_WEB), scheduler_find("response_time"));
    cr_expect_eq(scheduler_default(SERVICE_KIND_QUEUE), scheduler_find("deadline"));
    cr_expect_eq(scheduler_default(SERVICE_KIND_CLUSTER), scheduler_find("gang"));
}

/* x = a / (cap - b) while it keeps up; a growing backlog otherwise. */
struct web_plant {
    double a;
    double b;
    double backlog;
    uint32_t cap;
    struct rng rng;
    double noise;
    bool answers_only; /* requests are counted when they end, as an entry point does */
};

static void web_step(struct web_plant *plant, struct service_view *view)
{
    view->now_ms += view->period_ms;
    view->cap_pct = plant->cap;
    view->measurement_age_ms = 500;
    view->load = (plant->answers_only ? fmin(plant->b, plant->cap) : plant->b) / 2;
    const double spare = plant->cap - plant->b;
    plant->backlog -= spare / 20;
    plant->backlog = plant->backlog < 0 ? 0 : plant->backlog;
    view->cpu_used_pct = spare > 0 && plant->backlog <= 0 ? plant->b : plant->cap * 0.99;
    const double x = spare > plant->a / 20 ? plant->a / spare : 20;
    view->measured = (x + plant->backlog) * (1 + plant->noise * rng_normal(&plant->rng));
}

static void expect_step_answered(bool answers_only)
{
    const struct scheduler *scheduler = scheduler_find("response_time");
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct web_plant plant = {
            .a = 15, .b = 20, .cap = 50, .noise = 0.15, .answers_only = answers_only};
        rng_init(&plant.rng, seed);
        struct scheduler_state state = {0};
        struct service_view view = web_view();
        struct proposal out;
        for (int i = 0; i < 20; i++) {
            web_step(&plant, &view);
            scheduler->propose(&state, &view, NULL, &out);
            plant.cap = out.want_pct;
        }
        plant.b = 110; /* more than twice what the cap allows */
        int met_from = -1;
        for (int i = 0; i < 80; i++) { /* more than 5 minutes */
            web_step(&plant, &view);
            if (view.measured <= 1 && met_from < 0) {
                met_from = i;
            }
            cr_expect(met_from < 0 || view.measured <= 1, "seed %d period %d", (int)seed, i);
            scheduler->propose(&state, &view, NULL, &out);
            plant.cap = out.want_pct;
        }
        cr_expect(met_from >= 0 && met_from <= 5, "seed %d: met from %d", (int)seed, met_from);
        cr_expect_lt(plant.cap, 230);
    }
}

Test(response_time, load_step_is_answered_within_five_periods)
{
    expect_step_answered(false);
}

Test(response_time, load_step_is_answered_as_soon_where_only_answers_are_counted)
{
    expect_step_answered(true);
}

Test(response_time, spare_is_given_back_slowly)
{
    const struct scheduler *scheduler = scheduler_find("response_time");
    struct web_plant plant = {.a = 15, .b = 20, .cap = 200, .noise = 0};
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    struct proposal out;
    plant.b = 120;
    for (int i = 0; i < 80; i++) { /* longer than what was before counts */
        web_step(&plant, &view);
        scheduler->propose(&state, &view, NULL, &out);
        plant.cap = out.want_pct;
    }
    const uint32_t before = plant.cap;
    plant.b = 20;
    for (int i = 0; i < 55; i++) { /* not yet 5 minutes */
        web_step(&plant, &view);
        scheduler->propose(&state, &view, NULL, &out);
        cr_expect_eq(out.want_pct, before, "period %d", i);
        plant.cap = out.want_pct;
    }
    for (int i = 0; i < 15; i++) {
        web_step(&plant, &view);
        scheduler->propose(&state, &view, NULL, &out);
        plant.cap = out.want_pct;
    }
    cr_expect_lt(plant.cap, 60);
    cr_expect_geq(plant.cap, 40);
}

/* How long after its load went down a service asks for less. */
static int64_t kept_ms(uint32_t period_ms)
{
    const struct scheduler *scheduler = scheduler_find("response_time");
    struct web_plant plant = {.a = 15, .b = 120, .cap = 200};
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    struct proposal out;
    view.period_ms = period_ms;
    while (view.now_ms < 1200000) {
        web_step(&plant, &view);
        scheduler->propose(&state, &view, NULL, &out);
        plant.cap = out.want_pct;
    }
    const int64_t down_ms = view.now_ms;
    const uint32_t before = plant.cap;
    plant.b = 20;
    while (plant.cap == before && view.now_ms < down_ms + 1200000) {
        web_step(&plant, &view);
        scheduler->propose(&state, &view, NULL, &out);
        plant.cap = out.want_pct;
    }
    return view.now_ms - down_ms;
}

Test(response_time, spare_is_kept_for_five_minutes_whatever_the_period_is)
{
    const uint32_t periods_ms[] = {1000, 5000, 10000, 30000, 60000};
    for (size_t i = 0; i < sizeof periods_ms / sizeof *periods_ms; i++) {
        const int64_t kept = kept_ms(periods_ms[i]);
        cr_expect_geq(kept, 285000, "period %u: %d ms", periods_ms[i], (int)kept);
        cr_expect_leq(kept, 320000 + periods_ms[i], "period %u: %d ms", periods_ms[i],
                      (int)kept);
    }
}

Test(response_time, steady_noise_moves_nothing)
{
    const struct scheduler *scheduler = scheduler_find("response_time");
    struct web_plant plant = {.a = 15, .b = 60, .cap = 90, .noise = 0.1};
    rng_init(&plant.rng, 7);
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    struct proposal out;
    int changes = 0;
    for (int i = 0; i < 720; i++) { /* an hour */
        web_step(&plant, &view);
        scheduler->propose(&state, &view, NULL, &out);
        changes += i > 20 && out.want_pct != plant.cap;
        plant.cap = out.want_pct;
    }
    cr_expect_leq(changes, 10, "%d changes in an hour", changes);
}

/* One control of a service with this x, cap and CPU in use, at 6 requests/s. */
static struct proposal see(struct scheduler_state *state, struct service_view *view, double x,
                           uint32_t cap_pct, double cpu_used_pct)
{
    struct proposal out;
    view->now_ms += view->period_ms;
    view->measurement_age_ms = 100;
    view->load = 6;
    view->cap_min_pct = 10;
    view->measured = x;
    view->cap_pct = cap_pct;
    view->cpu_used_pct = cpu_used_pct;
    scheduler_find("response_time")->propose(state, view, NULL, &out);
    return out;
}

Test(response_time, a_backlog_that_drains_teaches_nothing)
{
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    (void)see(&state, &view, 4, 10, 10);
    (void)see(&state, &view, 5, 20, 20);
    (void)see(&state, &view, 3, 40, 20); /* drains: the window holds what had waited */
    (void)see(&state, &view, 0.9, 40, 15);
    for (int i = 0; i < 3; i++) {
        const struct proposal out = see(&state, &view, 0.05, 40, 14);
        cr_expect_leq(out.want_pct, 40);
        cr_expect_lt(model_predict(&out, 23), 0.9, "x %f", model_predict(&out, 23));
    }
    const struct proposal out = see(&state, &view, 0.05, 40, 14);
    /* x = A / (r - B) with A below 2 */
    cr_expect_lt(model_need(&out, 1), 14 * 1.35 + 2, "%f", model_need(&out, 1));
}

Test(response_time, a_lower_need_is_believed_at_once)
{
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    const struct proposal first = see(&state, &view, 0.8, 20, 10);
    const double before = model_need(&first, 1);
    const struct proposal out = see(&state, &view, 0.1, 20, 10);
    /* x = 1 / (r - 10), with what is kept for the noise of 30 requests in a window */
    cr_expect_gt(before, 18, "%f", before);
    cr_expect_lt(model_need(&out, 1), 10 * 1.4 + 1, "%f", model_need(&out, 1));
}

Test(response_time, a_good_level_never_asks_for_more)
{
    const double noise[] = {7, 18, 5, 19.9, 12, 20, 3, 17};
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    (void)see(&state, &view, 5, 10, 10);
    for (size_t i = 0; i < sizeof noise / sizeof *noise; i++) {
        const struct proposal out = see(&state, &view, 0.05, 20, noise[i]);
        cr_expect_leq(out.want_pct, 20, "CPU %f", noise[i]);
        cr_expect_lt(model_predict(&out, 20), 0.9, "CPU %f", noise[i]);
    }
}

Test(response_time, what_is_kept_covers_the_noise_of_few_requests)
{
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    struct proposal out = {0};
    for (int i = 0; i < 100; i++) {
        out = see(&state, &view, 0.05, out.want_pct > 0 ? out.want_pct : 40, 14 - i % 3);
    }
    /* 30 requests in a window: the standard error is 18 %, two of it are kept. */
    cr_expect_geq(out.want_pct, 19);
    cr_expect_leq(out.want_pct, 22);
    cr_expect_geq(model_need(&out, 0.9), 14 * 1.3);
}

Test(response_time, guests_at_their_limit_that_answer_nothing_get_more)
{
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    struct proposal out = see(&state, &view, NAN, 20, 20);
    cr_expect_eq(out.want_pct, 40);
    view.load = 0; /* HAProxy logs a request when it ends, and none does */
    view.measurement_age_ms = 60000;
    view.cap_pct = 20;
    scheduler_find("response_time")->propose(&state, &view, NULL, &out);
    cr_expect_eq(out.want_pct, 40);
}

Test(response_time, users_that_wait_get_more_also_where_cpu_use_is_unknown)
{
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    struct proposal out = see(&state, &view, 2, 20, NAN);
    cr_expect_eq(out.want_pct, 40);
    out = see(&state, &view, 0.7, 20, NAN);
    cr_expect_eq(out.want_pct, 20);
}

Test(response_time, no_load_returns_to_the_minimum)
{
    const struct scheduler *scheduler = scheduler_find("response_time");
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    struct proposal out;
    view.load = 0;
    view.cpu_used_pct = 0;
    view.measurement_age_ms = 100;
    for (int i = 0; i < 65; i++) {
        view.now_ms += 5000;
        scheduler->propose(&state, &view, NULL, &out);
        view.cap_pct = out.want_pct;
    }
    cr_expect_eq(view.cap_pct, view.cap_min_pct);
}

/* The paper's job with exact measurements: returns the deviation in parts of the deadline. */
static double run_job(uint64_t seed, uint32_t period_ms, const char *name)
{
    struct rng rng;
    rng_init(&rng, seed);
    struct scheduler_state state = {0};
    const double total = 6945;
    struct service_view view = web_view();
    view.kind = SERVICE_KIND_QUEUE;
    view.queue = (struct queue){.tasks = 6945, .task_cpu_ms = 1000};
    view.deadline_ms = 2400000;
    view.period_ms = period_ms;
    view.cap_pct = 40;
    view.cap_min_pct = 40;
    view.cap_max_pct = 800;
    double done = 0;
    double speed = 1;
    double done_at_decision = 0;
    for (int64_t now = 0; now < 4800000; now += 100) {
        if (now % 10000 == 0) {
            speed = 1 + 0.05 / 2 * rng_normal(&rng); /* mean of four VMs */
        }
        if (now > 0 && now % period_ms == 0) {
            view.now_ms = now;
            view.measurement_age_ms = 0;
            view.tasks_done = floor(done);
            const double rate = (done - done_at_decision) * 1000.0 / period_ms;
            view.measured = ((double)now + (total - done) / rate * 1000.0) / 2400000.0;
            done_at_decision = done;
            struct proposal out;
            scheduler_find(name)->propose(&state, &view, NULL, &out);
            cr_assert(model_is_valid(&out));
            view.cap_pct = out.want_pct;
        }
        const double step = speed * view.cap_pct / 100.0 * 0.1;
        if (done + step >= total) {
            return ((double)now + 100 * (total - done) / step) / 2400000.0 - 1.0;
        }
        done += step;
    }
    return INFINITY;
}

Test(deadline, job_of_the_paper_ends_on_its_deadline)
{
    /* p95 of the deviation, in parts of the deadline, for each period */
    const struct {
        uint32_t period_ms;
        double most;
    } goals[] = {{300000, 0.003}, {60000, 0.001}, {30000, 0.0005}};
    for (size_t i = 0; i < sizeof goals / sizeof *goals; i++) {
        int far = 0;
        int late = 0;
        for (uint64_t seed = 1; seed <= 100; seed++) {
            const double deviation = run_job(seed, goals[i].period_ms, "deadline");
            far += fabs(deviation) > goals[i].most;
            late += deviation > 0.001;
        }
        cr_expect_leq(far, 5, "%u ms: %d", goals[i].period_ms, far);
        cr_expect_leq(late, 1, "%u ms: %d", goals[i].period_ms, late);
    }
}

Test(deadline, a_deadline_that_no_cpu_holds_is_said_while_there_is_time)
{
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    view.kind = SERVICE_KIND_QUEUE;
    view.queue = (struct queue){.tasks = 1000, .task_cpu_ms = 1000};
    view.deadline_ms = 200000;
    view.tasks_done = 0;
    view.measurement_age_ms = 0;
    struct proposal out;
    /* 1000 s of CPU in 200 s need 5 CPUs, and 4 are the most it may have. */
    scheduler_find("deadline")->propose(&state, &view, NULL, &out);
    cr_expect_eq(out.want_pct, view.cap_max_pct);
    cr_expect_eq(out.reason, REASON_DEADLINE_HOPELESS);
    view.cap_max_pct = 600;
    scheduler_find("deadline")->propose(&state, &view, NULL, &out);
    cr_expect_eq(out.reason, REASON_DEADLINE_LATE);
    cr_expect(out.want_pct >= 500 && out.want_pct <= 510, "%u", out.want_pct);
}

Test(deadline, a_late_job_gets_all_it_may_have)
{
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    view.kind = SERVICE_KIND_QUEUE;
    view.queue = (struct queue){.tasks = 1000, .task_cpu_ms = 1000};
    view.deadline_ms = 100000;
    view.now_ms = 101000;
    view.tasks_done = 900;
    view.measurement_age_ms = 0;
    struct proposal out;
    scheduler_find("deadline")->propose(&state, &view, NULL, &out);
    cr_expect_eq(out.want_pct, view.cap_max_pct);
    cr_expect_eq(out.reason, REASON_DEADLINE_HOPELESS);
}

Test(deadline, table_says_what_more_or_less_cpu_would_do)
{
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    view.kind = SERVICE_KIND_QUEUE;
    view.queue = (struct queue){.tasks = 300, .task_cpu_ms = 1000};
    view.deadline_ms = 200000;
    view.now_ms = 100000;
    view.tasks_done = 100;
    view.measurement_age_ms = 0;
    view.cap_pct = 100;
    struct proposal out;
    scheduler_find("deadline")->propose(&state, &view, NULL, &out);
    cr_assert_eq(out.model, MODEL_KIND_TABLE);
    /* 200 CPU-seconds in 100 s: 2 CPUs end exactly at the deadline. */
    cr_expect(fabs(model_predict(&out, 200) - 1.0) < 0.01);
    cr_expect(fabs(model_predict(&out, 100) - 1.5) < 0.02);
    cr_expect(out.want_pct >= 200 && out.want_pct <= 203, "%u", out.want_pct);
}

Test(gang, cap_follows_the_speed_that_was_agreed)
{
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    view.kind = SERVICE_KIND_CLUSTER;
    view.cap_min_pct = 40;
    view.cap_pct = 40;
    struct proposal out;
    for (int i = 0; i < 12; i++) {
        /* four ranks of one VCPU at 60 % of full speed: 240 % in all for x = 1 */
        view.measured = 240.0 / view.cap_pct;
        view.measurement_age_ms = 10;
        scheduler_find("gang")->propose(&state, &view, NULL, &out);
        view.cap_pct = out.want_pct;
    }
    cr_expect(view.cap_pct >= 264 && view.cap_pct <= 270, "%u", view.cap_pct);
}

Test(search, finds_the_share_by_doubling_and_halving_within_twelve_probes)
{
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    view.cap_pct = 40;
    view.cap_min_pct = 10;
    view.cap_max_pct = 1000;
    struct proposal out;
    for (int i = 0; i < 12; i++) {
        view.measured = 325.0 / view.cap_pct;
        view.measurement_age_ms = 0;
        scheduler_find("search")->propose(&state, &view, NULL, &out);
        cr_expect_eq(out.reason, REASON_SEARCH_PROBE);
        view.cap_pct = out.want_pct;
    }
    cr_expect(view.cap_pct >= 325 && view.cap_pct <= 329, "%u", view.cap_pct);
    /* near the target: stays */
    for (int i = 0; i < 5; i++) {
        view.now_ms += 300000;
        view.measured = 325.0 / view.cap_pct;
        scheduler_find("search")->propose(&state, &view, NULL, &out);
        cr_expect_eq(out.want_pct, view.cap_pct);
    }
    /* what happens between two launches is not seen */
    view.now_ms += 299000;
    view.measured = 160.0 / view.cap_pct;
    scheduler_find("search")->propose(&state, &view, NULL, &out);
    cr_expect_eq(out.want_pct, view.cap_pct);
    view.now_ms += 1000;
    /* the load halves: goes down, and not below the target */
    for (int i = 0; i < 16; i++) {
        view.measured = 160.0 / view.cap_pct;
        scheduler_find("search")->propose(&state, &view, NULL, &out);
        view.cap_pct = out.want_pct;
    }
    cr_expect(view.cap_pct >= 160 && view.cap_pct <= 164, "%u", view.cap_pct);
}
