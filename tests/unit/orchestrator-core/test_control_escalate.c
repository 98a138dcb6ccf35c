// SPDX-License-Identifier: Apache-2.0
#include "control_bench.h"

static struct node_record *node(const char *name, uint32_t cpu_pct)
{
    struct node_record *record = bench_node(name, cpu_pct);
    record->status.image_formats = 1u << IMAGE_FORMAT_MODEL;
    record->status.memory_kib = 1u << 22;
    return record;
}

/* A web service of one VM on xen1 that wants more than its node has, and two nodes. */
static struct service_record *crowded(enum mode mode, uint32_t count_max)
{
    bench_start(mode);
    (void)node("xen1", 100);
    (void)node("xen2", 100);
    struct image_record *image = table_add(&bench.cluster->images, "guest");
    image->spec.format = IMAGE_FORMAT_MODEL;
    struct service_record *shop = bench_service("shop", SERVICE_KIND_WEB, 5, 100);
    (void)snprintf(shop->spec.vms[0].image, NAME_SIZE, "guest");
    shop->spec.vms[0].count.max = count_max;
    (void)bench_vm(shop, "xen1", 1, 100);
    return shop;
}

static void measure(const char *node_name, const char *vm, double p95_ms, double cpu_pct)
{
    bench_metric(node_name, METRIC_SUBJECT_VM, vm, METRIC_RESPONSE_P95_MS, p95_ms);
    bench_metric(node_name, METRIC_SUBJECT_VM, vm, METRIC_REQUEST_RATE, 50);
    bench_metric(node_name, METRIC_SUBJECT_VM, vm, METRIC_CPU_PCT, cpu_pct);
}

static void run_overloaded(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        measure("xen1", "shop-vm-1", 2000, 99.5);
        bench_advance(1000);
    }
}

static uint32_t vms_count(const char *service)
{
    uint32_t count = 0;
    const struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&bench.cluster->vms, &i)) != NULL;) {
        count += strcmp(vm->vm.service, service) == 0 && vm->vm.phase != VM_PHASE_REMOVING;
    }
    return count;
}

Test(control_escalate, a_service_that_caps_cannot_help_gets_a_vm_on_the_roomier_node)
{
    (void)crowded(MODE_ACT, 3);
    for (int i = 0; i < 60 && vms_count("shop") == 1; i++) {
        run_overloaded(1);
    }
    const struct vm_record *added = table_find(&bench.cluster->vms, "shop-vm-2");
    cr_assert_not_null(added);
    cr_expect_str_eq(added->vm.node, "xen2");
    cr_expect_eq(added->vm.generation, 1);
    cr_expect_eq(added->vm.load_share_permille, 500);
    const struct vm_record *first = table_find(&bench.cluster->vms, "shop-vm-1");
    cr_expect_eq(first->vm.load_share_permille, 500);
    cr_expect_not_null(strstr(bench.decision.text, "one vm more for shop on xen2"), "%s",
                       bench.decision.text);
    cr_expect_gt(bench.decision.levels[0].level_predicted,
                 bench.decision.levels[0].level_before);
    bench_finish();
}

Test(control_escalate, nothing_more_is_done_while_a_vm_is_on_its_way)
{
    (void)crowded(MODE_ACT, 3);
    run_overloaded(600); /* shop-vm-2 is never shown running */
    cr_expect_eq(vms_count("shop"), 2);
    bench_finish();
}

Test(control_escalate, without_a_range_and_with_a_disk_to_lose_nothing_but_caps_moves)
{
    struct service_record *shop = crowded(MODE_ACT, 1);
    cr_assert_eq(shop->spec.isolation, ISOLATION_RUN);
    cr_assert_eq(shop->spec.vms[0].disk.kind, DISK_KIND_COPY);
    (void)bench_vm(bench_service("blog", SERVICE_KIND_WEB, 60, 60), "xen1", 1, 60);
    run_overloaded(120);
    cr_expect_eq(bench.candidates, 0);
    cr_expect_eq(vms_count("shop"), 1);
    const struct vm_record *vm = table_find(&bench.cluster->vms, "shop-vm-1");
    cr_expect_str_eq(vm->vm.node, "xen1");
    cr_expect_eq(vm->vm.phase, VM_PHASE_ASSIGNED);
    bench_finish();
}

Test(control_escalate, advice_is_written_once_and_changes_nothing)
{
    (void)crowded(MODE_ADVISE, 3);
    run_overloaded(200);
    cr_expect_eq(vms_count("shop"), 1);
    cr_assert_geq(bench.decisions, 1);
    const uint32_t decisions = bench.decisions;
    run_overloaded(200);
    cr_expect_eq(bench.decisions, decisions);
    cr_expect_eq(bench.decision.outcome, DECISION_OUTCOME_ADVISED);
    cr_expect_not_null(strstr(bench.event_text, "advice: one vm more"), "%s", bench.event_text);
    bench_finish();
}

/* shop and blog crowd xen1; shop may be moved. Returns shop's VM. */
static struct vm_record *crowd_that_may_move(void)
{
    struct service_record *shop = crowded(MODE_ACT, 1);
    shop->spec.isolation = ISOLATION_FENCE;
    struct node_record *xen2 = table_find(&bench.cluster->nodes, "xen2");
    xen2->status.capabilities |= CAPABILITY_SELF_FENCE;
    (void)bench_vm(bench_service("blog", SERVICE_KIND_WEB, 60, 60), "xen1", 1, 60);
    struct vm_record *vm = table_find(&bench.cluster->vms, "shop-vm-1");
    vm->vm.cap_pct = 40;
    vm->status.cap_pct = 40;
    vm->ordered_generation = 1; /* it may run there, so it has to be ended first */
    return vm;
}

static void run_crowd(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        measure("xen1", "shop-vm-1", 2000, 39.9);
        measure("xen1", "blog-vm-1", 150, 20);
        bench_advance(1000);
    }
}

Test(control_escalate, a_vm_moves_to_a_free_node_when_its_file_accepts_that)
{
    struct vm_record *vm = crowd_that_may_move();
    run_crowd(60);
    cr_expect_eq(vm->vm.phase, VM_PHASE_MOVING);
    cr_expect_str_eq(vm->vm.move_to, "xen2");
    bench_finish();
}

Test(control_escalate, what_a_person_put_somewhere_stays_there_for_its_time)
{
    struct vm_record *vm = crowd_that_may_move();
    vm->vm.pinned_until_wall_ms = bench.cluster->wall_ms + 120000;
    run_crowd(100);
    cr_expect_eq(vm->vm.phase, VM_PHASE_ASSIGNED);
    run_crowd(100);
    cr_expect_eq(vm->vm.phase, VM_PHASE_MOVING);
    bench_finish();
}

Test(control_escalate, a_disk_that_the_file_does_not_name_is_a_copy_and_is_not_lost)
{
    struct vm_record *vm = crowd_that_may_move();
    struct service_record *shop = table_find(&bench.cluster->services, "shop");
    shop->spec.isolation = ISOLATION_RUN;
    shop->spec.vms[0].has_disk = false;
    run_crowd(100);
    cr_expect_eq(vm->vm.phase, VM_PHASE_ASSIGNED);
    cr_expect_str_eq(vm->vm.node, "xen1");
    bench_finish();
}

Test(control_escalate, a_vm_that_never_comes_up_holds_up_nobody)
{
    struct vm_record *vm = crowd_that_may_move();
    struct vm_record *stuck =
        bench_vm(bench_service("stuck", SERVICE_KIND_WEB, 5, 5), "xen2", 1, 5);
    stuck->status_known = false;
    stuck->attempts = 5;
    run_crowd(60);
    cr_expect_eq(vm->vm.phase, VM_PHASE_MOVING);
    bench_finish();
}

Test(control_escalate, a_vm_that_nobody_needs_goes_after_five_minutes)
{
    struct service_record *shop = crowded(MODE_ACT, 3);
    (void)bench_vm(shop, "xen2", 2, 100);
    shop->spec.vms[0].count.min = 1;
    for (int i = 0; i < 280; i++) {
        measure("xen1", "shop-vm-1", 60, 10);
        measure("xen2", "shop-vm-2", 60, 10);
        bench_advance(1000);
    }
    cr_expect_eq(vms_count("shop"), 2);
    for (int i = 0; i < 200; i++) {
        measure("xen1", "shop-vm-1", 60, 10);
        measure("xen2", "shop-vm-2", 60, 10);
        bench_advance(1000);
    }
    cr_expect_eq(vms_count("shop"), 1);
    cr_expect_not_null(table_find(&bench.cluster->vms, "shop-vm-1"));
    bench_finish();
}

Test(control_escalate, a_symmetric_full_cluster_stays_as_it_is)
{
    (void)crowded(MODE_ACT, 1);
    struct service_record *blog = bench_service("blog", SERVICE_KIND_WEB, 5, 100);
    blog->spec.isolation = ISOLATION_FENCE;
    (void)bench_vm(blog, "xen2", 1, 100);
    for (int i = 0; i < 300; i++) {
        measure("xen1", "shop-vm-1", 2000, 99.5);
        measure("xen2", "blog-vm-1", 2000, 99.5);
        bench_advance(1000);
    }
    const struct vm_record *vm = table_find(&bench.cluster->vms, "blog-vm-1");
    cr_expect_eq(vm->vm.phase, VM_PHASE_ASSIGNED);
    cr_expect_str_eq(vm->vm.node, "xen2");
    bench_finish();
}

/* It has come up on its node. */
static void show_running(const char *name)
{
    struct vm_record *vm = table_find(&bench.cluster->vms, name);
    vm->status_known = true;
    vm->status.state = RUN_STATE_RUNNING;
    vm->status.generation = vm->vm.generation;
    vm->status.cap_pct = vm->vm.cap_pct;
}

static void watch(uint64_t id)
{
    bench.watched = id;
    bench.watched_count = 0;
}

/* False: in all this time the watched decision was not stored again. */
static bool is_stored_within(int seconds)
{
    const uint32_t before = bench.watched_count;
    for (int i = 0; i < seconds && bench.watched_count == before; i++) {
        measure("xen1", "shop-vm-1", 80, 40);
        measure("xen2", "shop-vm-2", 80, 40);
        bench_advance(1000);
    }
    return bench.watched_count > before;
}

Test(control_escalate, a_vm_more_gets_an_outcome_when_it_serves_and_the_window_has_passed)
{
    (void)crowded(MODE_ACT, 3);
    for (int i = 0; i < 60 && vms_count("shop") == 1; i++) {
        run_overloaded(1);
    }
    watch(bench.decision.id);
    cr_assert_eq(bench.decision.caps_count, 1);
    cr_expect_str_eq(bench.decision.caps[0].vm, "shop-vm-2");
    cr_expect_eq(bench.decision.caps[0].from_pct, 0);
    cr_expect_not(is_stored_within(60), "it is not there yet");
    show_running("shop-vm-2");
    cr_expect_not(is_stored_within(15), "a window of 5 s and two periods of 5 s");
    cr_assert(is_stored_within(3));
    cr_expect_eq(bench.watched_decision.outcome, DECISION_OUTCOME_APPLIED);
    cr_expect_gt(bench.watched_decision.levels[0].level_after, 0.9);
    cr_expect_not(is_stored_within(60), "told once");
    bench_finish();
}

Test(control_escalate, a_vm_more_that_never_comes_up_has_failed)
{
    (void)crowded(MODE_ACT, 3);
    for (int i = 0; i < 60 && vms_count("shop") == 1; i++) {
        run_overloaded(1);
    }
    watch(bench.decision.id);
    cr_expect_not(is_stored_within(595));
    cr_assert(is_stored_within(10));
    cr_expect_eq(bench.watched_decision.outcome, DECISION_OUTCOME_FAILED);
    bench_finish();
}

Test(control_escalate, a_move_gets_an_outcome_when_the_vm_serves_from_its_other_node)
{
    struct vm_record *vm = crowd_that_may_move();
    run_crowd(60);
    cr_assert_eq(vm->vm.phase, VM_PHASE_MOVING);
    cr_assert_neq(vm->decision, 0);
    watch(vm->decision);
    cr_expect_not(is_stored_within(60), "it is on its way");
    (void)snprintf(vm->vm.node, NAME_SIZE, "xen2");
    vm->vm.phase = VM_PHASE_ASSIGNED;
    cr_assert(is_stored_within(20));
    cr_expect_eq(bench.watched_decision.outcome, DECISION_OUTCOME_APPLIED);
    cr_expect_str_eq(bench.watched_decision.service, "shop");
    bench_finish();
}

Test(control_escalate, a_vm_less_gets_an_outcome_when_it_is_gone)
{
    struct service_record *shop = crowded(MODE_ACT, 3);
    struct vm_record *vm = bench_vm(shop, "xen2", 2, 100);
    vm->ordered_generation = 1;
    shop->spec.vms[0].count.min = 1;
    for (int i = 0; i < 480 && vm->vm.phase != VM_PHASE_REMOVING; i++) {
        measure("xen1", "shop-vm-1", 60, 10);
        measure("xen2", "shop-vm-2", 60, 10);
        bench_advance(1000);
    }
    watch(vm->decision);
    cr_expect_not(is_stored_within(30), "its node still has it");
    cluster_vm_gone(bench.cluster, vm, bench.effects);
    cr_assert(is_stored_within(20));
    cr_expect_eq(bench.watched_decision.outcome, DECISION_OUTCOME_APPLIED);
    cr_expect_eq(bench.watched_decision.reason, REASON_LEVEL_SPARE);
    bench_finish();
}

/* shop has one VM with one VCPU of two that it may have, on a node with two CPUs. */
static struct vm_record *one_vcpu_of_two(void)
{
    struct service_record *shop = crowded(MODE_ACT, 3);
    struct node_record *xen1 = table_find(&bench.cluster->nodes, "xen1");
    xen1->status.cpu_pct = 200;
    xen1->status.capabilities |= CAPABILITY_VCPUS;
    shop->spec.vms[0].cpu.max_pct = 200;
    shop->spec.vms[0].vcpus = 2;
    shop->spec.vms[0].vcpus_min = 1;
    struct vm_record *vm = table_find(&bench.cluster->vms, "shop-vm-1");
    vm->vm.vcpus = 1;
    vm->status.vcpus = 1;
    return vm;
}

Test(control_escalate, vcpus_come_before_a_vm_and_before_the_cap_for_them)
{
    struct vm_record *vm = one_vcpu_of_two();
    for (int i = 0; i < 60 && vm->vm.vcpus == 1; i++) {
        run_overloaded(1);
    }
    cr_assert_eq(vm->vm.vcpus, 2);
    cr_expect_eq(vms_count("shop"), 1);
    cr_expect_not_null(strstr(bench.decision.text, "vcpus 1 -> 2 of shop-vm-1:"), "%s",
                       bench.decision.text);
    watch(bench.decision.id);
    cr_expect_eq(vm->decision, bench.watched);
    run_overloaded(20);
    cr_expect_eq(vm->vm.cap_pct, 100, "what is not online is not used");
    vm->status.vcpus = 2;
    run_overloaded(10);
    cr_expect_gt(vm->vm.cap_pct, 100);
    cr_expect_eq(vms_count("shop"), 1);
    vm->status.cap_pct = vm->vm.cap_pct;
    cr_assert(is_stored_within(20));
    cr_expect_eq(bench.watched_decision.outcome, DECISION_OUTCOME_APPLIED);
    bench_finish();
}

Test(control_escalate, vcpus_stay_where_the_file_gives_no_range_or_the_driver_cannot)
{
    struct vm_record *vm = one_vcpu_of_two();
    struct service_record *shop = table_find(&bench.cluster->services, "shop");
    shop->spec.vms[0].vcpus_min = 2;
    shop->spec.vms[0].count.max = 1;
    run_overloaded(40);
    cr_expect_eq(vm->vm.vcpus, 1);
    bench_finish();

    vm = one_vcpu_of_two();
    struct node_record *xen1 = table_find(&bench.cluster->nodes, "xen1");
    xen1->status.capabilities &= ~(uint32_t)CAPABILITY_VCPUS;
    shop = table_find(&bench.cluster->services, "shop");
    shop->spec.vms[0].count.max = 1;
    run_overloaded(40);
    cr_expect_eq(vm->vm.vcpus, 1);
    bench_finish();
}

Test(control_escalate, more_vcpus_on_a_full_node_gain_nothing_and_a_vm_is_added_elsewhere)
{
    struct vm_record *vm = one_vcpu_of_two();
    struct node_record *xen1 = table_find(&bench.cluster->nodes, "xen1");
    xen1->status.cpu_pct = 100;
    for (int i = 0; i < 60 && vms_count("shop") == 1; i++) {
        run_overloaded(1);
    }
    cr_expect_eq(vm->vm.vcpus, 1);
    cr_expect_eq(vms_count("shop"), 2);
    bench_finish();
}

Test(control_escalate, vcpus_that_nobody_needs_go_after_five_minutes_behind_their_cap)
{
    struct vm_record *vm = one_vcpu_of_two();
    vm->vm.vcpus = 2;
    vm->status.vcpus = 2;
    vm->vm.cap_pct = 180;
    int64_t low_ms = 0;
    for (int i = 0; i < 900 && vm->vm.vcpus == 2; i++) {
        measure("xen1", "shop-vm-1", 60, 10);
        bench_advance(1000);
        low_ms = vm->vm.cap_pct > 80 || low_ms != 0 ? low_ms : bench.cluster->now_ms;
    }
    cr_assert_eq(vm->vm.vcpus, 1);
    cr_assert_neq(low_ms, 0);
    cr_expect_geq(bench.cluster->now_ms - low_ms, 290000);
    cr_expect_leq(vm->vm.cap_pct, 80);
    cr_expect_eq(bench.decision.reason, REASON_LEVEL_SPARE);
    cr_expect_not_null(strstr(bench.decision.text, "vcpus 2 -> 1 of shop-vm-1"), "%s",
                       bench.decision.text);
    bench_finish();
}
