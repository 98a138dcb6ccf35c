// SPDX-License-Identifier: Apache-2.0
/* A service with a profile in the control loop: what the ledger says of its prediction, and
 * what is told when the profile is out of date. */
#include "control_bench.h"
#include "orchestrator/core/requests.h"
#include "orchestrator/core/views.h"

static double factor;
static double load;

/* Processor sharing where a request takes .02 CPU seconds, or so many times that. */
static double x_of(double per_s, double cap_pct, double times)
{
    const double free_pct = cap_pct - 2.0 * times * per_s;
    return free_pct > 0.1 ? times * 6.0 / free_pct : 50.0;
}

static struct service_record *profiled_shop(uint32_t cap_pct)
{
    (void)bench_node("xen1", 400);
    struct profile_record *profile = table_add(&bench.cluster->profiles, "app");
    profile->meta.revision = 7;
    profile->spec.response_time.p95_ms = 200;
    static const uint32_t caps_pct[] = {20, 50, 85, 105, 125, 150, 200, 300};
    for (uint32_t i = 0; i < 24; i++) {
        const double at = 20.0 * (1 + i / 8);
        profile->spec.points[profile->spec.points_count++] = (struct profile_point){
            .load = at, .cap_pct = caps_pct[i % 8], .x = x_of(at, caps_pct[i % 8], 1.0)};
    }
    cluster_index_profile(profile);
    struct service_record *shop = bench_service("shop", SERVICE_KIND_WEB, 5, 400);
    (void)snprintf(shop->spec.profile, sizeof shop->spec.profile, "app");
    (void)bench_vm(shop, "xen1", 1, cap_pct);
    return shop;
}

static void run_periods(int periods)
{
    for (int i = 0; i < periods * 5; i++) {
        const struct vm_record *vm = table_find(&bench.cluster->vms, "shop-vm-1");
        const double cap_pct = vm->vm.cap_pct;
        bench_metric("xen1", METRIC_SUBJECT_VM, "shop-vm-1", METRIC_RESPONSE_P95_MS,
                     200.0 * x_of(load, cap_pct, factor));
        bench_metric("xen1", METRIC_SUBJECT_VM, "shop-vm-1", METRIC_REQUEST_RATE, load);
        bench_metric("xen1", METRIC_SUBJECT_VM, "shop-vm-1", METRIC_CPU_PCT,
                     fmin(2.0 * factor * load, cap_pct));
        bench_advance(1000);
    }
}

Test(control_profile, the_first_decision_is_right_and_says_what_it_rests_on)
{
    bench_start(MODE_ACT);
    load = 50;
    factor = 1.0;
    const struct service_record *shop = profiled_shop(20);
    run_periods(2);
    cr_assert_geq(bench.decisions, 1);
    const struct vm_record *vm = table_find(&bench.cluster->vms, "shop-vm-1");
    cr_expect(vm->vm.cap_pct > 106 && vm->vm.cap_pct < 180, "%u", vm->vm.cap_pct);
    cr_expect_eq(bench.decision.levels[0].basis, MODEL_BASIS_PROFILE);
    struct service_status status;
    views_service_status(bench.cluster, shop, bench.cluster->now_ms, &status);
    cr_expect_str_eq(status.profile, "app");
    cr_expect_eq(status.basis, MODEL_BASIS_PROFILE);
    cr_expect_eq(status.problem, REASON_NONE);
    bench_finish();
}

Test(control_profile, beyond_its_loads_the_ledger_says_that_it_extrapolates)
{
    bench_start(MODE_ACT);
    load = 90;
    factor = 1.0;
    (void)profiled_shop(20);
    run_periods(2);
    cr_assert_geq(bench.decisions, 1);
    cr_expect_eq(bench.decision.levels[0].basis, MODEL_BASIS_EXTRAPOLATED);
    bench_finish();
}

Test(control_profile, one_event_and_a_problem_say_that_it_is_out_of_date)
{
    bench_start(MODE_ACT);
    load = 50;
    factor = 1.0;
    struct service_record *shop = profiled_shop(150);
    run_periods(60);
    cr_expect_neq(bench.event_kind, EVENT_KIND_PROFILE_OUTDATED);
    cr_expect(isnan(control_profile_outdated(bench.cluster, shop)));
    factor = 1.6;
    uint32_t told = 0;
    for (int i = 0; i < 200; i++) {
        const uint32_t events = bench.events;
        bench.event_kind = EVENT_KIND_UNSPECIFIED;
        run_periods(1);
        told += bench.events > events && bench.event_kind == EVENT_KIND_PROFILE_OUTDATED;
    }
    cr_expect_eq(told, 1, "%u", told);
    struct service_status status;
    views_service_status(bench.cluster, shop, bench.cluster->now_ms, &status);
    cr_expect_eq(status.problem, REASON_PROFILE_OUTDATED);
    cr_expect_eq(status.basis, MODEL_BASIS_LEARNT);
    struct profile_record *profile = table_find(&bench.cluster->profiles, "app");
    profile->meta.revision++; /* measured again */
    views_service_status(bench.cluster, shop, bench.cluster->now_ms, &status);
    cr_expect_eq(status.problem, REASON_NONE);
    bench_finish();
}

static struct item learnt[4];
static uint32_t learnt_count;

static void take_learnt(void *context, const struct item *item)
{
    (void)context;
    cr_assert_lt(learnt_count, 4);
    learnt[learnt_count++] = *item;
}

Test(control_profile, what_was_measured_comes_back_as_a_profile_of_its_owner)
{
    bench_start(MODE_ACT);
    load = 50;
    factor = 1.0;
    struct service_record *shop = profiled_shop(150);
    (void)snprintf(shop->meta.owner, sizeof shop->meta.owner, "alice");
    shop->spec.profile[0] = '\0';
    struct request request = {.method = METHOD_GET, .kind = OBJECT_KIND_PROFILE};
    (void)snprintf(request.service, sizeof request.service, "shop");
    cr_expect_eq(cluster_items(bench.cluster, &request, "alice", bench.cluster->now_ms,
                               take_learnt, NULL),
                 0);
    cr_expect_eq(learnt_count, 0, "nothing was measured yet");
    run_periods(60);
    (void)cluster_items(bench.cluster, &request, "bob", bench.cluster->now_ms, take_learnt,
                        NULL);
    cr_expect_eq(learnt_count, 0, "it is not bob's");
    (void)cluster_items(bench.cluster, &request, "alice", bench.cluster->now_ms, take_learnt,
                        NULL);
    cr_assert_eq(learnt_count, 1);
    const struct profile *profile = &learnt[0].object.profile;
    cr_expect_str_eq(profile->profile, "shop");
    cr_expect_str_eq(profile->on_node, "xen1");
    cr_expect_eq(profile->response_time.p95_ms, 200);
    cr_assert_gt(profile->points_count, 0);
    for (uint32_t i = 0; i < profile->points_count; i++) {
        const struct profile_point *point = &profile->points[i];
        cr_expect_float_eq(point->load, 50, 1e-9);
        cr_expect_float_eq(point->x, x_of(50, point->cap_pct, 1.0), 0.05 * point->x);
    }
    struct profile_table table;
    cr_expect_eq(profile_init(&table, profile->points, profile->points_count, NULL), 0);
    bench_finish();
}
