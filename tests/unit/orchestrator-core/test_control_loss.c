// SPDX-License-Identifier: Apache-2.0
/* A lost node is one decision: its VMs start elsewhere and the others make room for them. */
#include "control_bench.h"

static struct node_record *node(const char *name)
{
    struct node_record *record = bench_node(name, 100);
    record->status.image_formats = 1u << IMAGE_FORMAT_MODEL;
    record->status.memory_kib = 1u << 22;
    record->status.capabilities |= CAPABILITY_SELF_FENCE;
    record->lease_acknowledged = true;
    record->lease_expires_ms = bench.cluster->now_ms + 10000000;
    return record;
}

static struct vm_record *place(const char *service_name, const char *node_name, uint32_t number,
                               uint32_t cap_pct)
{
    struct service_record *service = table_find(&bench.cluster->services, service_name);
    if (service == NULL) {
        service = bench_service(service_name, SERVICE_KIND_WEB, 5, 100);
        (void)snprintf(service->spec.vms[0].image, NAME_SIZE, "guest");
        service->spec.isolation = ISOLATION_FENCE;
    }
    struct vm_record *vm = bench_vm(service, node_name, number, cap_pct);
    vm->ordered_generation = 1;
    vm->fenced_generation = 1;
    return vm;
}

static void measure(const char *node_name, const char *vm, double p95_ms, double cpu_pct)
{
    bench_metric(node_name, METRIC_SUBJECT_VM, vm, METRIC_RESPONSE_P95_MS, p95_ms);
    bench_metric(node_name, METRIC_SUBJECT_VM, vm, METRIC_REQUEST_RATE, 50);
    bench_metric(node_name, METRIC_SUBJECT_VM, vm, METRIC_CPU_PCT, cpu_pct);
}

/* shop on xen1, wiki on xen2 with all of it, blog on xen3 with all of it; shop and blog fit
 * together. */
static void three(enum mode mode)
{
    bench_start(mode);
    struct image_record *image = table_add(&bench.cluster->images, "guest");
    image->spec.format = IMAGE_FORMAT_MODEL;
    (void)node("xen1");
    (void)node("xen2");
    (void)node("xen3");
    (void)place("shop", "xen1", 1, 90);
    (void)place("wiki", "xen2", 1, 100);
    (void)place("blog", "xen3", 1, 100);
    for (int i = 0; i < 30; i++) {
        measure("xen1", "shop-vm-1", 60, 20);
        measure("xen2", "wiki-vm-1", 100, 30);
        measure("xen3", "blog-vm-1", 40, 10);
        bench_advance(1000);
    }
}

static void lose(const char *name, bool confirmed)
{
    struct node_record *lost = table_find(&bench.cluster->nodes, name);
    lost->state = NODE_STATE_EXPIRED;
    bench.solves = 0;
    bench.decisions = 0;
    effects_clear(bench.effects);
    if (confirmed) {
        recovery_node_confirmed_dead(bench.cluster, lost, bench.effects);
    } else {
        recovery_node_expired(bench.cluster, lost, bench.effects);
    }
    control_tick(bench.cluster, bench.effects);
    bench_absorb();
}

Test(control_loss, starts_and_caps_of_survivors_are_one_decision)
{
    three(MODE_ACT);
    const uint32_t wiki_before =
        ((struct vm_record *)table_find(&bench.cluster->vms, "wiki-vm-1"))->vm.cap_pct;
    const uint64_t before = bench.cluster->next_decision;
    bench.keep_answer = true;
    lose("xen1", false);
    cr_expect_eq(bench.decisions, 1, "stored before the worker has answered");
    cr_expect_eq(bench.decision.id, before);
    cr_expect_eq(bench.decision.outcome, DECISION_OUTCOME_ORDERED);
    cr_expect_eq(bench.decision.reason, REASON_LEASE_EXPIRED);
    cr_assert_eq(bench.decision.caps_count, 1);
    cr_expect_str_eq(bench.decision.caps[0].vm, "shop-vm-1");
    cr_expect_eq(bench.decision.caps[0].from_pct, 0);
    cr_assert_eq(bench.solves, 1, "in the same step");
    const struct vm_record *shop = table_find(&bench.cluster->vms, "shop-vm-1");
    cr_expect_eq(shop->vm.generation, 2);
    cr_expect_eq(shop->decision, before);
    cr_expect_str_eq(shop->vm.node, "xen3", "which has more to spare than %s", shop->vm.node);

    bench_answer(&bench.cluster->control->problem, bench.revision);
    cr_expect_eq(bench.cluster->next_decision, before + 1, "no second one");
    cr_expect_eq(bench.decision.id, before);
    const struct vm_record *blog = table_find(&bench.cluster->vms, "blog-vm-1");
    const struct vm_record *wiki = table_find(&bench.cluster->vms, "wiki-vm-1");
    cr_expect_lt(blog->vm.cap_pct, 100);
    cr_expect_leq(blog->vm.cap_pct + shop->vm.cap_pct, 100);
    cr_expect_eq(blog->decision, before);
    cr_expect_eq(wiki->vm.cap_pct, wiki_before);
    cr_assert_eq(bench.decision.caps_count, 2);
    cr_expect_eq(bench.decision.caps[0].to_pct, shop->vm.cap_pct);
    cr_assert_eq(bench.decision.levels_count, 2);
    for (uint32_t i = 0; i < bench.decision.levels_count; i++) {
        cr_expect_geq(bench.decision.levels[i].level_predicted, 0.5);
    }
    cr_expect_not_null(
        strstr(bench.decision.text, "node xen1 is lost: shop-vm-1 starts on xen3; 1 other cap"),
        "%s", bench.decision.text);
    bench_finish();
}

Test(control_loss, a_node_whose_vms_start_in_two_rounds_is_counted_once)
{
    three(MODE_ACT);
    (void)node("xen4");
    bench.keep_answer = true;
    lose("xen1", true);
    lose("xen2", true);
    (void)place("news", "xen1", 1, 10); /* that the first round left over */
    lose("xen1", true);
    cr_expect_eq(bench.cluster->control->loss.restarts, 3);
    cr_expect_eq(bench.cluster->control->loss.nodes, 2);
    cr_expect_not_null(strstr(bench.decision.text, "2 nodes are lost"), "%s",
                       bench.decision.text);
    bench_answer(&bench.cluster->control->problem, bench.revision);
    bench_finish();
}

Test(control_loss, an_answer_to_what_was_asked_before_the_loss_is_not_taken_for_room)
{
    three(MODE_ACT);
    bench.keep_answer = true;
    for (int i = 0; i < 6; i++) {
        measure("xen2", "wiki-vm-1", 5000, 99); /* something to solve */
        bench_advance(1000);
    }
    const uint64_t old = bench.revision;
    cr_assert_eq(bench.cluster->solve_revision, old);
    lose("xen1", false);
    cr_assert_eq(bench.solves, 0, "the worker is busy");
    bench_answer(&bench.cluster->control->problem, old);
    cr_expect(bench.cluster->control->loss.open);
    bench.keep_answer = false;
    bench_advance(1);
    cr_expect_eq(bench.solves, 1);
    cr_expect_not(bench.cluster->control->loss.open);
    cr_expect_geq(bench.decision.caps_count, 2);
    bench_finish();
}

Test(control_loss, what_a_person_confirmed_is_carried_out_and_the_caps_are_advice)
{
    three(MODE_ADVISE);
    const uint64_t before = bench.cluster->next_decision;
    bench.keep_answer = true;
    lose("xen1", true);
    cr_expect_eq(bench.decision.id, before);
    cr_expect_eq(bench.decision.outcome, DECISION_OUTCOME_ORDERED);
    cr_expect_eq(bench.decision.reason, REASON_CONFIRMED_DEAD);
    bench_answer(&bench.cluster->control->problem, bench.revision);
    cr_expect_eq(bench.decision.id, before + 1);
    cr_expect_eq(bench.decision.outcome, DECISION_OUTCOME_ADVISED);
    const struct vm_record *blog = table_find(&bench.cluster->vms, "blog-vm-1");
    cr_expect_eq(blog->vm.cap_pct, 100);
    bench_finish();
}

Test(control_loss, without_an_answer_the_starts_stand_and_get_an_outcome)
{
    three(MODE_ACT);
    bench.keep_answer = true;
    const uint64_t before = bench.cluster->next_decision;
    lose("xen1", false);
    const struct err err = {.text = "it broke"};
    const struct cluster_event event = {
        .type = CLUSTER_EVENT_SOLVED,
        .solved = {.revision = bench.revision, .code = -12, .err = &err}};
    effects_clear(bench.effects);
    control_solved(bench.cluster, &event, bench.effects);
    bench_absorb();
    cr_expect_not(bench.cluster->control->loss.open);
    bench.watched = before;
    bench_advance(10000);
    cr_expect_eq(bench.watched_count, 0, "it does not serve yet");
    struct vm_record *shop = table_find(&bench.cluster->vms, "shop-vm-1");
    shop->status_known = true;
    shop->status.state = RUN_STATE_RUNNING;
    shop->status.cap_pct = shop->vm.cap_pct;
    for (int i = 0; i < 17; i++) {
        measure(shop->vm.node, "shop-vm-1", 60, 20);
        bench_advance(1000);
    }
    cr_assert_eq(bench.watched_count, 1);
    cr_expect_eq(bench.watched_decision.outcome, DECISION_OUTCOME_APPLIED);
    cr_expect_not(isnan(bench.watched_decision.levels[0].level_after));
    bench_finish();
}

Test(control_loss, vms_that_leave_a_drained_node_together_are_not_all_sent_to_the_roomiest)
{
    three(MODE_ACT);
    (void)place("news", "xen1", 1, 90);
    for (int i = 0; i < 30; i++) {
        measure("xen1", "shop-vm-1", 60, 20);
        measure("xen1", "news-vm-1", 30, 10);
        measure("xen2", "wiki-vm-1", 20, 20);
        measure("xen3", "blog-vm-1", 20, 10);
        bench_advance(1000);
    }
    struct node_record *xen1 = table_find(&bench.cluster->nodes, "xen1");
    const struct node_record *xen2 = table_find(&bench.cluster->nodes, "xen2");
    const struct node_record *xen3 = table_find(&bench.cluster->nodes, "xen3");
    cr_assert_gt(control_room_of(bench.cluster, xen3), control_room_of(bench.cluster, xen2));
    xen1->spec.draining = true;
    effects_clear(bench.effects);
    recovery_drain(bench.cluster, xen1, bench.effects);
    const struct vm_record *shop = table_find(&bench.cluster->vms, "shop-vm-1");
    const struct vm_record *news = table_find(&bench.cluster->vms, "news-vm-1");
    cr_expect_str_eq(shop->vm.move_to, "xen3");
    cr_expect_str_eq(news->vm.move_to, "xen2");
    bench_finish();
}
