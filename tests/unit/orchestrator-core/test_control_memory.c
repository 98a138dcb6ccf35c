// SPDX-License-Identifier: Apache-2.0
#include "control_bench.h"

#define MIB 1024u

/* shop and blog, each with a VM of 256 to 1024 MiB, on a node with so much memory. */
static void two_services(uint64_t node_mib, uint64_t shop_mib, uint64_t blog_mib)
{
    bench_start(MODE_ACT);
    struct node_record *node = bench_node("xen1", 400);
    node->status.memory_kib = node_mib * MIB;
    node->status.capabilities |= CAPABILITY_MEMORY;
    const char *names[] = {"shop", "blog"};
    const uint64_t sizes[] = {shop_mib, blog_mib};
    for (int i = 0; i < 2; i++) {
        struct service_record *service = bench_service(names[i], SERVICE_KIND_WEB, 100, 100);
        service->spec.vms[0].memory_kib = (uint64_t)1024 * MIB;
        service->spec.vms[0].memory_min_kib = (uint64_t)256 * MIB;
        struct vm_record *vm = bench_vm(service, "xen1", 1, 100);
        vm->vm.memory_kib = sizes[i] * MIB;
        vm->status.memory_kib = vm->vm.memory_kib;
        cluster_count_vm(bench.cluster, vm);
    }
}

static struct vm_record *vm_of(const char *service)
{
    char name[NAME_SIZE];
    (void)snprintf(name, sizeof name, "%s-vm-1", service);
    return table_find(&bench.cluster->vms, name);
}

static uint64_t node_kib(void)
{
    const struct node_record *node = table_find(&bench.cluster->nodes, "xen1");
    return node->status.memory_kib;
}

static uint64_t mib_of(const char *service)
{
    return vm_of(service)->vm.memory_kib / MIB;
}

/* 20 requests a second of 10 ms CPU each, as p95 they take so long. */
static void measure(const char *service, double p95_ms, double cpu_pct)
{
    const char *vm = vm_of(service)->vm.vm;
    bench_metric("xen1", METRIC_SUBJECT_VM, vm, METRIC_RESPONSE_P95_MS, p95_ms);
    bench_metric("xen1", METRIC_SUBJECT_VM, vm, METRIC_REQUEST_RATE, 20);
    bench_metric("xen1", METRIC_SUBJECT_VM, vm, METRIC_CPU_PCT, cpu_pct);
}

/* Slow as far as its working set is not in memory. */
static double p95_of(const char *service, double working_set_mib)
{
    const double held = (double)vm_of(service)->status.memory_kib / MIB;
    const double missing = working_set_mib - held;
    return 40.0 * (missing > 0.0 ? 1.0 + 50.0 * missing / held : 1.0);
}

static bool balloon_works = true;

/* What was ordered is there a second later. */
static void obey(void)
{
    struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&bench.cluster->vms, &i)) != NULL;) {
        vm->status.cap_pct = vm->vm.cap_pct;
        if (balloon_works) {
            vm->status.memory_kib = vm->vm.memory_kib;
        }
    }
}

/* Returns how often the memory of any VM was changed. */
static uint32_t run(int seconds, double shop_mib, double blog_mib)
{
    uint32_t changes = 0;
    for (int i = 0; i < seconds; i++) {
        const uint64_t before = mib_of("shop") * 10000 + mib_of("blog");
        measure("shop", p95_of("shop", shop_mib), 20);
        measure("blog", p95_of("blog", blog_mib), 20);
        bench_advance(1000);
        obey();
        changes += mib_of("shop") * 10000 + mib_of("blog") != before;
        cr_assert_leq(vm_of("shop")->vm.memory_kib + vm_of("blog")->vm.memory_kib, node_kib());
    }
    return changes;
}

Test(control_memory, who_lacks_it_gets_what_the_node_has_free_until_it_is_enough)
{
    two_services(2048, 256, 256);
    cr_expect_gt(run(600, 500, 100), 0);
    cr_expect_geq(mib_of("shop"), 500);
    cr_expect_leq(mib_of("shop"), 640, "%llu MiB", (unsigned long long)mib_of("shop"));
    cr_expect_eq(mib_of("blog"), 256);
    const struct service_record *shop = table_find(&bench.cluster->services, "shop");
    cr_expect_gt(shop->level, 0.9);
    cr_expect_eq(run(1200, 500, 100), 0, "then it stays");
    bench_finish();
}

Test(control_memory, the_decision_says_what_is_hoped_for_and_then_what_came)
{
    two_services(2048, 256, 256);
    for (int i = 0; i < 200 && mib_of("shop") == 256; i++) {
        (void)run(1, 500, 100);
    }
    cr_assert_eq(mib_of("shop"), 320);
    cr_expect_not_null(strstr(bench.decision.text, "memory 256 -> 320 MiB of shop-vm-1: "),
                       "%s", bench.decision.text);
    cr_expect_geq(bench.decision.levels[0].level_predicted, 0.9);
    bench.watched = bench.decision.id;
    (void)run(40, 300, 100);
    cr_expect_eq(bench.watched_decision.outcome, DECISION_OUTCOME_APPLIED);
    cr_expect_geq(bench.watched_decision.levels[0].level_after, 0.9);
    bench_finish();
}

Test(control_memory, it_is_freed_first_and_only_what_arrived_is_given_on)
{
    two_services(1024, 256, 768);
    balloon_works = false;
    for (int i = 0; i < 200 && mib_of("blog") == 768; i++) {
        (void)run(1, 300, 100);
    }
    cr_assert_lt(mib_of("blog"), 768);
    cr_expect_not_null(strstr(bench.decision.text, "free first, for shop: "), "%s",
                       bench.decision.text);
    cr_expect_str_eq(bench.decision.service, "shop");
    cr_expect_str_eq(bench.decision.levels[1].service, "blog");
    cr_expect_eq(bench.decision.levels[1].reason, REASON_PAID_FOR_OTHERS);
    for (int i = 0; i < 50; i++) {
        (void)run(1, 300, 100);
        cr_assert_eq(mib_of("shop"), 256, "accepted is not freed");
    }
    balloon_works = true;
    (void)run(120, 300, 100);
    cr_expect_gt(mib_of("shop"), 256);
    bench_finish();
}

Test(control_memory, a_balloon_that_does_not_move_is_set_back_and_left_alone)
{
    two_services(1024, 256, 768);
    balloon_works = false;
    const uint32_t changes = run(1800, 300, 100);
    cr_expect_eq(mib_of("blog"), 768);
    cr_expect_eq(mib_of("shop"), 256);
    cr_expect_eq(changes, 2, "down and back, once: %u", changes);
    balloon_works = true;
    bench_finish();
}

Test(control_memory, a_service_that_does_not_do_without_gets_it_back)
{
    two_services(1024, 256, 768);
    const uint32_t changes = run(1800, 300, 768);
    cr_expect_eq(mib_of("blog"), 768);
    cr_expect_eq(mib_of("shop"), 256);
    cr_expect_eq(changes, 2, "down and back, once: %u", changes);
    bench_finish();
}

Test(control_memory, two_that_both_need_more_than_there_is_do_not_take_turns)
{
    two_services(1024, 512, 512);
    const uint32_t changes = run(3500, 700, 700);
    cr_expect_eq(changes, 0, "%u changes", changes);
    bench_finish();
}

Test(control_memory, what_does_not_help_is_tried_once_in_an_hour)
{
    two_services(2048, 256, 256);
    uint32_t changes = 0;
    for (int i = 0; i < 3000; i++) { /* its disk is slow, whatever it holds */
        const uint64_t before = mib_of("shop");
        measure("shop", 2000, 20);
        measure("blog", 40, 20);
        bench_advance(1000);
        obey();
        changes += mib_of("shop") != before;
    }
    cr_expect_eq(changes, 1);
    bench_finish();
}

Test(control_memory, who_lacks_cpu_gets_none)
{
    two_services(2048, 256, 256);
    for (int i = 0; i < 600; i++) {
        measure("shop", 2000, 98);
        measure("blog", 40, 20);
        bench_advance(1000);
        obey();
    }
    cr_expect_eq(mib_of("shop"), 256);
    bench_finish();
}

Test(control_memory, unknown_measurements_move_nothing)
{
    two_services(1024, 256, 768);
    for (int i = 0; i < 600; i++) { /* blog says nothing: it is not known to do well */
        measure("shop", p95_of("shop", 300), 20);
        bench_advance(1000);
        obey();
    }
    cr_expect_eq(mib_of("blog"), 768);
    bench_finish();

    two_services(2048, 256, 256);
    for (int i = 0; i < 600; i++) { /* nobody knows what CPU shop uses */
        const char *vm = vm_of("shop")->vm.vm;
        bench_metric("xen1", METRIC_SUBJECT_VM, vm, METRIC_RESPONSE_P95_MS, 2000);
        bench_metric("xen1", METRIC_SUBJECT_VM, vm, METRIC_REQUEST_RATE, 20);
        bench_advance(1000);
        obey();
    }
    cr_expect_eq(mib_of("shop"), 256);
    bench_finish();
}

Test(control_memory, without_a_range_or_the_ability_nothing_moves)
{
    two_services(2048, 256, 256);
    struct service_record *shop = table_find(&bench.cluster->services, "shop");
    shop->spec.vms[0].memory_min_kib = shop->spec.vms[0].memory_kib;
    cr_expect_eq(run(600, 500, 100), 0);
    bench_finish();

    two_services(2048, 256, 256);
    ((struct node_record *)table_find(&bench.cluster->nodes, "xen1"))->status.capabilities &=
        ~(uint32_t)CAPABILITY_MEMORY;
    cr_expect_eq(run(600, 500, 100), 0);
    bench_finish();
}
