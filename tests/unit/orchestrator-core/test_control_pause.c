// SPDX-License-Identifier: Apache-2.0
#include "control_bench.h"

/* On one CPU dear needs more than the least CPU of light and plain leaves it. Only light may be
 * paused. */
static struct service_record *crowd(enum mode mode)
{
    bench_start(mode);
    struct node_record *node = bench_node("xen1", 100);
    node->status.capabilities |= CAPABILITY_PAUSE | CAPABILITY_SUSPEND;
    struct service_record *dear = bench_service("dear", SERVICE_KIND_WEB, 5, 100);
    dear->spec.objective.weight = 4;
    struct service_record *light = bench_service("light", SERVICE_KIND_WEB, 30, 100);
    light->spec.when_sacrificed = WHEN_SACRIFICED_PAUSE;
    (void)bench_vm(dear, "xen1", 1, 40);
    (void)bench_vm(light, "xen1", 1, 30);
    (void)bench_vm(bench_service("plain", SERVICE_KIND_WEB, 30, 100), "xen1", 1, 30);
    return light;
}

static struct vm_record *vm_of(const char *service)
{
    char name[NAME_SIZE];
    (void)snprintf(name, sizeof name, "%s-vm-1", service);
    return table_find(&bench.cluster->vms, name);
}

/* One VM with so many requests a second of 10 ms each, as a queue answers them. */
static void measure(const char *service, double rate)
{
    const struct vm_record *vm = vm_of(service);
    if (vm->vm.desired != RUN_STATE_RUNNING) {
        return;
    }
    const double used = fmin(rate, vm->vm.cap_pct);
    const double spare = fmax(vm->vm.cap_pct - rate, 0.05);
    bench_metric("xen1", METRIC_SUBJECT_VM, vm->vm.vm, METRIC_RESPONSE_P95_MS, 2500 / spare);
    bench_metric("xen1", METRIC_SUBJECT_VM, vm->vm.vm, METRIC_REQUEST_RATE, rate);
    bench_metric("xen1", METRIC_SUBJECT_VM, vm->vm.vm, METRIC_CPU_PCT, used);
}

/* What was ordered is there a second later. */
static void obey(void)
{
    struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&bench.cluster->vms, &i)) != NULL;) {
        vm->status.state = vm->vm.desired;
        vm->status.cap_pct = vm->vm.cap_pct;
    }
}

static uint32_t run(int seconds, double rate_of_dear)
{
    uint32_t changes = 0;
    enum run_state before = vm_of("light")->vm.desired;
    for (int i = 0; i < seconds; i++) {
        measure("dear", rate_of_dear);
        measure("light", 30);
        measure("plain", rate_of_dear > 10 ? 30 : 10);
        obey();
        bench_advance(1000);
        cr_assert_eq(vm_of("dear")->vm.desired, RUN_STATE_RUNNING);
        cr_assert_eq(vm_of("plain")->vm.desired, RUN_STATE_RUNNING);
        changes += vm_of("light")->vm.desired != before;
        before = vm_of("light")->vm.desired;
    }
    return changes;
}

Test(control_pause, the_service_that_allows_it_is_paused_for_a_dearer_one)
{
    struct service_record *light = crowd(MODE_ACT);
    for (int i = 0; i < 120 && vm_of("light")->vm.desired == RUN_STATE_RUNNING; i++) {
        (void)run(1, 45);
    }
    cr_assert_eq(vm_of("light")->vm.desired, RUN_STATE_PAUSED);
    cr_expect(vm_of("light")->vm.paused_by_manager);
    const struct decision *is = &bench.decision;
    cr_expect_not_null(strstr(is->text, "pause light for dear: "), "%s", is->text);
    cr_expect_str_eq(is->service, "dear");
    cr_assert_eq(is->levels_count, 2);
    cr_expect_geq(is->levels[0].level_predicted, 0.5);
    cr_expect_str_eq(is->levels[1].service, "light");
    cr_expect_eq(is->levels[1].reason, REASON_SACRIFICED);
    cr_expect_eq(light->last_decision, is->id);
    bench.watched = is->id;
    (void)run(60, 45);
    cr_expect_eq(bench.watched_decision.outcome, DECISION_OUTCOME_APPLIED);
    cr_expect_gt(vm_of("dear")->vm.cap_pct, 60, "it got what was let go");
    cr_expect_geq(bench.watched_decision.levels[0].level_after, 0.5);
    bench_finish();
}

Test(control_pause, suspend_is_ordered_where_the_file_says_so)
{
    crowd(MODE_ACT)->spec.when_sacrificed = WHEN_SACRIFICED_SUSPEND;
    cr_expect_eq(run(120, 45), 1);
    cr_expect_eq(vm_of("light")->vm.desired, RUN_STATE_SUSPENDED);
    bench_finish();
}

Test(control_pause, a_service_whose_file_does_not_allow_it_is_never_paused)
{
    crowd(MODE_ACT)->spec.when_sacrificed = WHEN_SACRIFICED_RUN;
    cr_expect_eq(run(1200, 45), 0);
    bench_finish();

    struct service spec = {.when_sacrificed = WHEN_SACRIFICED_UNSPECIFIED};
    service_set_defaults(&spec);
    cr_expect_eq(spec.when_sacrificed, WHEN_SACRIFICED_RUN, "the default is the safe one");
}

Test(control_pause, no_driver_that_cannot_no_pinned_cap_and_no_dearer_service_is_paused)
{
    (void)crowd(MODE_ACT);
    ((struct node_record *)table_find(&bench.cluster->nodes, "xen1"))->status.capabilities &=
        ~(uint32_t)CAPABILITY_PAUSE;
    cr_expect_eq(run(300, 45), 0);
    bench_finish();

    (void)crowd(MODE_ACT);
    vm_of("light")->vm.cap_pinned = true;
    cr_expect_eq(run(300, 45), 0);
    bench_finish();

    crowd(MODE_ACT)->spec.objective.weight = 5;
    cr_expect_eq(run(300, 45), 0);
    bench_finish();
}

Test(control_pause, in_mode_advise_it_is_only_written_down)
{
    (void)crowd(MODE_ADVISE);
    bool told = false;
    for (int i = 0; i < 120; i++) {
        cr_expect_eq(run(1, 45), 0);
        told = told || strstr(bench.event_text, "advice: pause light for dear") != NULL;
    }
    cr_expect(told);
    bench_finish();
}

Test(control_pause, it_comes_back_once_there_is_room_for_five_minutes)
{
    struct service_record *light = crowd(MODE_ACT);
    cr_assert_eq(run(120, 45), 1);
    cr_expect_eq(run(1200, 45), 0, "no room");
    cr_expect_eq(run(280, 5), 0, "not yet for five minutes");
    cr_assert_eq(run(600, 5), 1);
    cr_expect_eq(vm_of("light")->vm.desired, RUN_STATE_RUNNING);
    cr_expect_not(vm_of("light")->vm.paused_by_manager);
    cr_expect_neq(light->last_decision, 0);
    bench_finish();
}

Test(control_pause, load_that_comes_and_goes_does_not_make_it_flap)
{
    (void)crowd(MODE_ACT);
    cr_assert_eq(run(120, 45), 1);
    uint32_t changes = 0;
    for (int i = 0; i < 60; i++) { /* two hours, a minute high and a minute low */
        changes += run(60, 5) + run(60, 45);
    }
    cr_expect_eq(changes, 0, "it stays paused: %u changes", changes);
    bench_finish();
}

Test(control_pause, what_was_taken_back_is_left_alone_for_ten_minutes)
{
    (void)crowd(MODE_ACT);
    cr_assert_eq(run(120, 45), 1);
    cr_assert_eq(run(1200, 5), 1);
    const int64_t back_ms =
        bench.cluster->control
            ->services[table_slot(&bench.cluster->services,
                                  table_find(&bench.cluster->services, "light"))]
            .taken_back_at_ms;
    while (vm_of("light")->vm.desired == RUN_STATE_RUNNING &&
           bench.cluster->now_ms < back_ms + 3000000) {
        (void)run(1, 45);
    }
    cr_expect_eq(vm_of("light")->vm.desired, RUN_STATE_PAUSED);
    cr_expect_geq(bench.cluster->now_ms - back_ms, 600000);
    bench_finish();
}

Test(control_pause, a_file_that_no_longer_allows_it_brings_the_service_back_at_once)
{
    struct service_record *light = crowd(MODE_ACT);
    cr_assert_eq(run(120, 45), 1);
    light->spec.when_sacrificed = WHEN_SACRIFICED_RUN;
    cr_expect_eq(run(3, 45), 1);
    cr_expect_eq(run(600, 45), 0);
    bench_finish();
}

Test(control_pause, what_a_person_paused_is_left_as_it_is)
{
    (void)crowd(MODE_ACT);
    vm_of("light")->vm.desired = RUN_STATE_PAUSED;
    cr_expect_eq(run(1200, 5), 0);
    bench_finish();
}
