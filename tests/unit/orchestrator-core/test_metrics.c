// SPDX-License-Identifier: Apache-2.0
#include "control_bench.h"

static void measure(struct service_record *service)
{
    effects_clear(bench.effects);
    metrics_measure(bench.cluster, service, bench.effects);
    bench_absorb();
}

static double value_of(const char *name, enum metric_kind kind, uint32_t *age_ms)
{
    return metrics_value(bench.cluster, "xen1", METRIC_SUBJECT_VM, name, kind, age_ms);
}

Test(metrics, only_the_newest_value_counts_and_it_has_an_age)
{
    bench_start(MODE_ACT);
    (void)bench_node("xen1", 200);
    uint32_t age_ms = 0;
    cr_expect(isnan(value_of("a", METRIC_CPU_PCT, &age_ms)));
    cr_expect_eq(age_ms, UINT32_MAX);
    bench_metric("xen1", METRIC_SUBJECT_VM, "a", METRIC_CPU_PCT, 10);
    bench_metric("xen1", METRIC_SUBJECT_VM, "a", METRIC_CPU_PCT, 20);
    bench.cluster->now_ms += 700;
    cr_expect_eq(value_of("a", METRIC_CPU_PCT, &age_ms), 20);
    cr_expect_eq(age_ms, 700);
    cr_expect(isnan(value_of("a", METRIC_MEMORY_KIB, &age_ms)), "another kind is unknown");
    cr_expect_eq(bench.cluster->metrics.count, 1);
    bench.cluster->now_ms += 60000;
    cr_expect(isnan(value_of("a", METRIC_CPU_PCT, &age_ms)), "stale is unknown");
    bench_finish();
}

Test(metrics, values_that_are_no_numbers_are_dropped)
{
    bench_start(MODE_ACT);
    (void)bench_node("xen1", 200);
    uint32_t age_ms = 0;
    bench_metric("xen1", METRIC_SUBJECT_VM, "a", METRIC_CPU_PCT, 10);
    bench_metric("xen1", METRIC_SUBJECT_VM, "a", METRIC_CPU_PCT, (double)NAN);
    bench_metric("xen1", METRIC_SUBJECT_VM, "a", METRIC_KIND_COUNT, 1);
    cr_expect_eq(value_of("a", METRIC_CPU_PCT, &age_ms), 10);
    bench_finish();
}

Test(metrics, a_full_table_forgets_only_what_is_old)
{
    bench_start(MODE_ACT);
    (void)bench_node("xen1", 200);
    char name[NAME_SIZE];
    for (int i = 0; i < 64; i++) {
        (void)snprintf(name, sizeof name, "vm%d", i);
        bench_metric("xen1", METRIC_SUBJECT_VM, name, METRIC_CPU_PCT, i);
    }
    uint32_t age_ms = 0;
    bench_metric("xen1", METRIC_SUBJECT_VM, "more", METRIC_CPU_PCT, 1);
    cr_expect(isnan(value_of("more", METRIC_CPU_PCT, &age_ms)));
    cr_expect_eq(value_of("vm63", METRIC_CPU_PCT, &age_ms), 63);
    bench.cluster->now_ms += 700000;
    bench_metric("xen1", METRIC_SUBJECT_VM, "more", METRIC_CPU_PCT, 1);
    cr_expect_eq(value_of("more", METRIC_CPU_PCT, &age_ms), 1);
    bench_finish();
}

Test(metrics, web_service_is_measured_at_its_entry_when_there_is_one)
{
    bench_start(MODE_ACT);
    (void)bench_node("xen1", 200);
    (void)bench_node("gate", 0);
    struct service_record *shop = bench_service("shop", SERVICE_KIND_WEB, 5, 200);
    (void)bench_vm(shop, "xen1", 1, 30);
    (void)bench_vm(shop, "xen1", 2, 30);
    measure(shop);
    cr_expect(isnan(shop->measured));
    cr_expect(isnan(shop->load));
    cr_expect(isnan(shop->level));
    for (int i = 1; i <= 2; i++) {
        char vm[NAME_SIZE];
        (void)snprintf(vm, sizeof vm, "shop-vm-%d", i);
        bench_metric("xen1", METRIC_SUBJECT_VM, vm, METRIC_RESPONSE_P95_MS, 100 * i);
        bench_metric("xen1", METRIC_SUBJECT_VM, vm, METRIC_REQUEST_RATE, 30 / i);
        bench_metric("xen1", METRIC_SUBJECT_VM, vm, METRIC_CPU_PCT, 7);
    }
    measure(shop);
    cr_expect(fabs(shop->measured_value - (30 * 100 + 15 * 200) / 45.0) < 1e-9);
    cr_expect_eq(shop->load, 45);
    cr_expect_eq(shop->cpu_used_pct, 14);
    (void)snprintf(shop->gateway, NAME_SIZE, "gate");
    bench_metric("gate", METRIC_SUBJECT_ENTRY, "shop", METRIC_RESPONSE_P95_MS, 210);
    bench_metric("gate", METRIC_SUBJECT_ENTRY, "shop", METRIC_REQUEST_RATE, 44);
    measure(shop);
    cr_expect_eq(shop->measured_value, 210);
    cr_expect(fabs(shop->measured - 1.05) < 1e-12);
    cr_expect_eq(shop->load, 44);
    cr_expect(fabs(shop->level - .276393202250) < 1e-9);
    bench_finish();
}

Test(metrics, requests_that_only_fail_are_over_the_target_and_not_unknown)
{
    bench_start(MODE_ACT);
    (void)bench_node("gate", 0);
    struct service_record *shop = bench_service("shop", SERVICE_KIND_WEB, 5, 200);
    (void)snprintf(shop->gateway, NAME_SIZE, "gate");
    bench_metric("gate", METRIC_SUBJECT_ENTRY, "shop", METRIC_REQUEST_RATE, 44);
    bench_metric("gate", METRIC_SUBJECT_ENTRY, "shop", METRIC_ERROR_SHARE, 0.1);
    measure(shop);
    cr_expect(isnan(shop->measured));
    bench_metric("gate", METRIC_SUBJECT_ENTRY, "shop", METRIC_ERROR_SHARE, 1);
    measure(shop);
    cr_expect_gt(shop->measured, 2);
    cr_expect_lt(shop->level, 0.01);
    bench_finish();
}

Test(metrics, one_silent_vm_makes_the_service_unknown)
{
    bench_start(MODE_ACT);
    (void)bench_node("xen1", 200);
    struct service_record *shop = bench_service("shop", SERVICE_KIND_WEB, 5, 200);
    (void)bench_vm(shop, "xen1", 1, 30);
    (void)bench_vm(shop, "xen1", 2, 30);
    bench_metric("xen1", METRIC_SUBJECT_VM, "shop-vm-1", METRIC_RESPONSE_P95_MS, 100);
    bench_metric("xen1", METRIC_SUBJECT_VM, "shop-vm-1", METRIC_REQUEST_RATE, 10);
    measure(shop);
    cr_expect(isnan(shop->measured));
    cr_expect(isnan(shop->load));
    bench_finish();
}

Test(metrics, two_parameters_multiply_their_levels)
{
    bench_start(MODE_ACT);
    (void)bench_node("xen1", 200);
    struct service_record *shop = bench_service("shop", SERVICE_KIND_WEB, 5, 200);
    shop->spec.objective.error_share_permille = 10;
    (void)bench_vm(shop, "xen1", 1, 30);
    bench_metric("xen1", METRIC_SUBJECT_VM, "shop-vm-1", METRIC_RESPONSE_P95_MS, 180);
    bench_metric("xen1", METRIC_SUBJECT_VM, "shop-vm-1", METRIC_REQUEST_RATE, 10);
    measure(shop);
    cr_expect(isnan(shop->level), "the second parameter is unknown");
    bench_metric("xen1", METRIC_SUBJECT_VM, "shop-vm-1", METRIC_ERROR_SHARE, 0.009);
    measure(shop);
    cr_expect(fabs(shop->level - .853553390593 * .853553390593) < 1e-9);
    cr_expect(fabs(shop->measured - 0.9) < 1e-12, "x of the first parameter");
    bench_finish();
}

Test(metrics, missing_and_meeting_the_objective_is_told_once)
{
    bench_start(MODE_ACT);
    (void)bench_node("xen1", 200);
    struct service_record *shop = bench_service("shop", SERVICE_KIND_WEB, 5, 200);
    (void)bench_vm(shop, "xen1", 1, 30);
    bench_metric("xen1", METRIC_SUBJECT_VM, "shop-vm-1", METRIC_REQUEST_RATE, 10);
    const struct {
        double p95_ms;
        uint32_t events;
        enum event_kind kind;
    } steps[] = {
        {100, 0, EVENT_KIND_UNSPECIFIED},      {150, 0, EVENT_KIND_UNSPECIFIED},
        {300, 1, EVENT_KIND_OBJECTIVE_MISSED}, {400, 1, EVENT_KIND_OBJECTIVE_MISSED},
        {150, 2, EVENT_KIND_OBJECTIVE_MET},    {201, 2, EVENT_KIND_OBJECTIVE_MET},
        {210, 3, EVENT_KIND_OBJECTIVE_MISSED},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        bench_metric("xen1", METRIC_SUBJECT_VM, "shop-vm-1", METRIC_RESPONSE_P95_MS,
                     steps[i].p95_ms);
        measure(shop);
        cr_expect_eq(bench.events, steps[i].events, "step %zu", i);
        cr_expect_eq(bench.event_kind, steps[i].kind, "step %zu", i);
    }
    bench_finish();
}

Test(metrics, queue_counts_all_generations_and_predicts_its_end)
{
    bench_start(MODE_ACT);
    (void)bench_node("xen1", 200);
    struct service_record *job = bench_service("job", SERVICE_KIND_QUEUE, 10, 200);
    job->spec.queue = (struct queue){.tasks = 1000, .task_cpu_ms = 1000};
    job->spec.objective.within_ms = 1000000;
    job->progress.started_wall_ms = BENCH_WALL_MS;
    job->progress.tasks_done_before = 200;
    struct vm_record *vm = bench_vm(job, "xen1", 1, 100);
    (void)bench_vm(job, "xen1", 2, 100);
    bench_metric("xen1", METRIC_SUBJECT_VM, "job-vm-1", METRIC_TASKS_DONE, 60);
    measure(job);
    cr_expect(isnan(job->tasks_done), "the second VM has not reported yet");
    bench_metric("xen1", METRIC_SUBJECT_VM, "job-vm-2", METRIC_TASKS_DONE, 40);
    measure(job);
    cr_expect_eq(job->tasks_done, 300);
    cr_expect_eq(job->load, 700);
    /* two whole CPUs: 350 s more */
    cr_expect(fabs(job->measured - 0.35) < 1e-9, "%g", job->measured);
    cr_expect(fabs(job->measured_value - 350000) < 1e-6);
    /* A new generation of the first VM: what the old one did is banked. */
    effects_clear(bench.effects);
    cluster_bank_tasks(bench.cluster, vm, bench.effects);
    vm->vm.generation++;
    vm->status.generation++;
    bench_metric("xen1", METRIC_SUBJECT_VM, "job-vm-1", METRIC_TASKS_DONE, 5);
    measure(job);
    cr_expect_eq(job->tasks_done, 305);
    bench_finish();
}

Test(metrics, virtual_cluster_is_as_fast_as_its_slowest_rank)
{
    bench_start(MODE_ACT);
    (void)bench_node("xen1", 200);
    struct service_record *mpi = bench_service("mpi", SERVICE_KIND_CLUSTER, 10, 100);
    mpi->spec.objective.speed_permille = 600;
    (void)bench_vm(mpi, "xen1", 1, 50);
    (void)bench_vm(mpi, "xen1", 2, 50);
    bench_metric("xen1", METRIC_SUBJECT_VM, "mpi-vm-1", METRIC_SPEED_RATIO, 0.9);
    measure(mpi);
    cr_expect(isnan(mpi->measured));
    bench_metric("xen1", METRIC_SUBJECT_VM, "mpi-vm-2", METRIC_SPEED_RATIO, 0.5);
    measure(mpi);
    cr_expect_eq(mpi->measured_value, 0.5);
    cr_expect(fabs(mpi->measured - 1.2) < 1e-12);
    bench_finish();
}
