// SPDX-License-Identifier: Apache-2.0
#include "control_bench.h"

static struct vm_record *shop_vms[2];

/* One node, two web guests of shop and one of blog, which has less weight. */
static void shop_and_blog(uint32_t node_pct)
{
    (void)bench_node("xen1", node_pct);
    struct service_record *shop = bench_service("shop", SERVICE_KIND_WEB, 5, 200);
    shop->spec.objective.weight = 4;
    shop_vms[0] = bench_vm(shop, "xen1", 1, 30);
    shop_vms[1] = bench_vm(shop, "xen1", 2, 30);
    struct service_record *blog = bench_service("blog", SERVICE_KIND_WEB, 5, 200);
    (void)bench_vm(blog, "xen1", 1, 60);
}

static void web_metrics(const char *vm, double p95_ms, double rate, double cpu_pct)
{
    bench_metric("xen1", METRIC_SUBJECT_VM, vm, METRIC_RESPONSE_P95_MS, p95_ms);
    bench_metric("xen1", METRIC_SUBJECT_VM, vm, METRIC_REQUEST_RATE, rate);
    bench_metric("xen1", METRIC_SUBJECT_VM, vm, METRIC_CPU_PCT, cpu_pct);
}

static void overloaded_shop(void)
{
    web_metrics("shop-vm-1", 400, 20, 29.5);
    web_metrics("shop-vm-2", 400, 20, 29.5);
    web_metrics("blog-vm-1", 60, 5, 10);
}

static uint32_t cap_of(const char *vm)
{
    const struct vm_record *record = table_find(&bench.cluster->vms, vm);
    return record->vm.cap_pct;
}

/* Control every five seconds, with fresh metrics before each. */
static void run_periods(int periods, void (*metrics)(void))
{
    for (int i = 0; i < periods * 5; i++) {
        metrics();
        bench_advance(1000);
    }
}

Test(control, service_that_misses_its_target_gets_more_and_the_ledger_says_why)
{
    bench_start(MODE_ACT);
    shop_and_blog(200);
    run_periods(2, overloaded_shop);
    cr_expect_geq(cap_of("shop-vm-1"), 37);
    cr_expect_geq(cap_of("shop-vm-2"), 37);
    cr_assert_geq(bench.decisions, 1);
    const struct decision *decision = &bench.decision;
    cr_expect_str_eq(decision->service, "shop");
    cr_expect_str_eq(decision->scheduler, "response_time");
    cr_expect_eq(decision->reason, REASON_LEVEL_LOW);
    cr_expect_eq(decision->mode, MODE_ACT);
    cr_expect_eq(decision->took_us, 42);
    cr_expect_eq(decision->levels[0].measured_value, 400);
    cr_expect_eq(decision->levels[0].target_value, 200);
    cr_expect_lt(decision->levels[0].level_before, 0.01);
    cr_expect_gt(decision->levels[0].level_predicted, 0.9);
    cr_expect_not_null(strstr(decision->text, "cap shop-vm-1 0.3 -> "), "%s", decision->text);
    cr_expect_not_null(strstr(decision->text, "on xen1 and 1 more: p95 400 ms of 200 ms"), "%s",
                       decision->text);
    cr_expect_geq(decision->bound, decision->value - 1e-9);
    bench_finish();
}

Test(control, the_less_weighty_service_pays_and_keeps_its_floor)
{
    bench_start(MODE_ACT);
    shop_and_blog(140);
    run_periods(2, overloaded_shop);
    cr_expect_gt(cap_of("shop-vm-1") + cap_of("shop-vm-2"), 80);
    cr_expect_lt(cap_of("blog-vm-1"), 60);
    cr_expect_geq(cap_of("blog-vm-1"), 20, "%u", cap_of("blog-vm-1"));
    cr_expect_leq(cap_of("shop-vm-1") + cap_of("shop-vm-2") + cap_of("blog-vm-1"), 140);
    cr_expect_not_null(strstr(bench.decision.text, "paid by blog"), "%s", bench.decision.text);
    bool paid = false;
    for (uint32_t i = 0; i < bench.decision.caps_count; i++) {
        const struct cap_change *change = &bench.decision.caps[i];
        paid = paid || (strcmp(change->service, "blog") == 0 && change->to_pct < 60 &&
                        change->reason == REASON_PAID_FOR_OTHERS);
    }
    cr_expect(paid);
    bench_finish();
}

Test(control, advice_is_written_down_once_and_changes_nothing)
{
    bench_start(MODE_ADVISE);
    shop_and_blog(200);
    run_periods(6, overloaded_shop);
    cr_expect_eq(cap_of("shop-vm-1"), 30);
    cr_expect_eq(cap_of("shop-vm-2"), 30);
    cr_expect_eq(bench.decisions, 1, "%u", bench.decisions);
    cr_expect_eq(bench.decision.outcome, DECISION_OUTCOME_ADVISED);
    cr_expect_gt(bench.solves, 3);
    cr_expect_gt(bench.cluster->decisions_without_change, 2);
    cr_expect_eq(bench.cluster->next_decision, 2, "ids rise without gaps");
    bench_finish();
}

Test(control, hold_measures_and_decides_nothing)
{
    bench_start(MODE_HOLD);
    shop_and_blog(200);
    run_periods(3, overloaded_shop);
    cr_expect_eq(bench.solves, 0);
    cr_expect_eq(bench.decisions, 0);
    const struct service_record *shop = table_find(&bench.cluster->services, "shop");
    cr_expect_eq(shop->measured, 2.0);
    bench_finish();
}

Test(control, stale_metrics_hold_the_last_plan)
{
    bench_start(MODE_ACT);
    shop_and_blog(200);
    overloaded_shop();
    bench_advance(1000); /* seen for the first time: nothing is due yet */
    for (int i = 0; i < 30; i++) {
        bench_advance(1000);
    }
    const uint32_t cap = cap_of("shop-vm-1");
    const uint32_t decisions = bench.decisions;
    for (int i = 0; i < 60; i++) {
        bench_advance(1000);
    }
    cr_expect_eq(cap_of("shop-vm-1"), cap);
    cr_expect_eq(cap_of("blog-vm-1"), 60);
    cr_expect_leq(bench.decisions, decisions + 1, "only the outcome may be added");
    const struct service_record *shop = table_find(&bench.cluster->services, "shop");
    cr_expect(isnan(shop->measured));
    cr_expect(isnan(shop->level));
    bench_finish();
}

Test(control, pinned_cap_is_left_alone)
{
    bench_start(MODE_ACT);
    shop_and_blog(200);
    shop_vms[0]->vm.cap_pinned = true;
    run_periods(3, overloaded_shop);
    cr_expect_eq(cap_of("shop-vm-1"), 30);
    cr_expect_gt(cap_of("shop-vm-2"), 30);
    bench_finish();
}

Test(control, outcome_is_added_two_periods_later)
{
    bench_start(MODE_ACT);
    shop_and_blog(200);
    while (bench.decisions == 0) {
        overloaded_shop();
        bench_advance(1000);
    }
    const uint64_t id = bench.decision.id;
    cr_expect_eq(bench.decision.outcome, DECISION_OUTCOME_ORDERED);
    cr_expect(isnan(bench.decision.levels[0].level_after));
    for (int i = 0; i < 2; i++) {
        shop_vms[i]->status.cap_pct = shop_vms[i]->vm.cap_pct; /* the agent did it */
    }
    for (int i = 0; i < 10 && !(bench.decision.id == id &&
                                bench.decision.outcome == DECISION_OUTCOME_APPLIED);
         i++) {
        web_metrics("shop-vm-1", 100, 20, 25);
        web_metrics("shop-vm-2", 100, 20, 25);
        web_metrics("blog-vm-1", 60, 5, 10);
        bench_advance(1000);
    }
    cr_expect_eq(bench.decision.id, id);
    cr_expect_eq(bench.decision.outcome, DECISION_OUTCOME_APPLIED);
    cr_expect_gt(bench.decision.levels[0].level_after, 0.95);
    bench_finish();
}

Test(control, answer_about_a_state_that_has_changed_is_dropped)
{
    bench_start(MODE_ACT);
    shop_and_blog(200);
    bench.keep_answer = true;
    while (bench.solves == 0) {
        overloaded_shop();
        bench_advance(1000);
    }
    /* A person sets a cap while the worker solves. */
    shop_vms[0]->vm.cap_pct = 77;
    shop_vms[0]->vm.cap_pinned = true;
    effects_clear(bench.effects);
    emit_vm(bench.cluster, shop_vms[0], bench.effects);
    bench.keep_answer = false;
    bench_answer(&bench.cluster->control->problem, bench.revision);
    cr_expect_eq(bench.decisions, 0);
    cr_expect_eq(cap_of("shop-vm-1"), 77);
    bench_advance(1); /* solved anew at once */
    cr_expect_eq(bench.solves, 2);
    cr_expect_eq(cap_of("shop-vm-1"), 77);
    bench_finish();
}

Test(control, worker_that_never_answers_is_given_up)
{
    bench_start(MODE_ACT);
    shop_and_blog(200);
    bench.keep_answer = true;
    run_periods(2, overloaded_shop);
    cr_expect_eq(bench.solves, 1, "one at a time");
    const uint64_t first = bench.revision;
    run_periods(3, overloaded_shop);
    cr_expect_eq(bench.solves, 2);
    cr_expect_neq(bench.revision, first);
    bench_finish();
}

Test(control, vms_of_a_lost_node_keep_their_caps)
{
    bench_start(MODE_ACT);
    (void)bench_node("xen1", 200);
    struct node_record *lost = bench_node("xen2", 200);
    struct service_record *shop = bench_service("shop", SERVICE_KIND_WEB, 5, 200);
    (void)bench_vm(shop, "xen1", 1, 30);
    (void)bench_vm(shop, "xen2", 2, 30);
    lost->state = NODE_STATE_EXPIRED;
    for (int i = 0; i < 12; i++) {
        web_metrics("shop-vm-1", 400, 20, 29.5);
        bench_advance(1000);
    }
    cr_expect_eq(cap_of("shop-vm-2"), 30);
    cr_expect_gt(cap_of("shop-vm-1"), 30);
    bench_finish();
}

Test(control, finished_queue_stops_its_vms)
{
    bench_start(MODE_ACT);
    (void)bench_node("xen1", 200);
    struct service_record *job = bench_service("job", SERVICE_KIND_QUEUE, 10, 200);
    job->spec.queue = (struct queue){.tasks = 100, .task_cpu_ms = 1000};
    job->spec.objective.within_ms = 100000;
    job->progress.started_wall_ms = BENCH_WALL_MS;
    struct vm_record *vm = bench_vm(job, "xen1", 1, 100);
    for (int i = 0; i <= 60; i++) {
        bench_metric("xen1", METRIC_SUBJECT_VM, "job-vm-1", METRIC_TASKS_DONE, 2.0 * i);
        bench_metric("xen1", METRIC_SUBJECT_VM, "job-vm-1", METRIC_CPU_PCT, 100);
        bench_advance(1000);
        cr_expect_eq(vm->vm.desired, i < 50 ? RUN_STATE_RUNNING : RUN_STATE_STOPPED, "at %d",
                     i);
    }
    cr_expect_eq(job->progress.tasks_done_before, 100);
    cr_expect(vm->dirty);
    bench_finish();
}

Test(control, queue_gets_what_its_deadline_needs_at_multiples_of_the_period)
{
    bench_start(MODE_ACT);
    (void)bench_node("xen1", 400);
    bench.cluster->settings.control_period_ms = 30000;
    struct service_record *job = bench_service("job", SERVICE_KIND_QUEUE, 10, 400);
    job->spec.queue = (struct queue){.tasks = 200, .task_cpu_ms = 1000};
    job->spec.objective.within_ms = 120000;
    job->progress.started_wall_ms = BENCH_WALL_MS;
    struct vm_record *vm = bench_vm(job, "xen1", 1, 10);
    double done = 0;
    for (int i = 1; i <= 29; i++) {
        done += vm->vm.cap_pct / 100.0;
        bench_metric("xen1", METRIC_SUBJECT_VM, "job-vm-1", METRIC_TASKS_DONE, done);
        bench_advance(1000);
    }
    cr_expect_eq(vm->vm.cap_pct, 10);
    done += vm->vm.cap_pct / 100.0;
    bench_metric("xen1", METRIC_SUBJECT_VM, "job-vm-1", METRIC_TASKS_DONE, done);
    bench_advance(1000);
    /* 197 CPU-seconds in 90 s */
    cr_expect(vm->vm.cap_pct >= 219 && vm->vm.cap_pct <= 222, "%u", vm->vm.cap_pct);
    cr_expect_not_null(strstr(bench.decision.text, "predicted end after"), "%s",
                       bench.decision.text);
    bench_finish();
}
