// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "tests/unit/orchestrator-core/desk.h"

TestSuite(requests_vm, .timeout = 20);

static enum reply_code set_vm(struct desk *desk, const struct person *person, const char *name,
                              const struct set_vm *set)
{
    struct request request = {.method = METHOD_SET_VM, .has_set_vm = true, .set_vm = *set};
    (void)snprintf(request.name, NAME_SIZE, "%s", name);
    return desk_ask(desk, person, &request);
}

Test(requests_vm, cap_by_hand_is_pinned_reserved_decided_and_given_back)
{
    struct desk *desk = desk_with_shop();
    const struct vm_record *vm = desk_vm(desk, "shop-web-1");
    cr_assert_eq(set_vm(desk, &ALICE, "shop-web-1", &(struct set_vm){.cap_pct = 150}),
                 REPLY_DONE, "%s", desk->reply.text);
    cr_assert_eq(vm->vm.cap_pct, 150);
    cr_assert(vm->vm.cap_pinned);
    cr_assert_eq(desk->decision.reason, REASON_PERSON);
    cr_assert_str_eq(desk->decision.principal, "alice");
    cr_assert_eq(desk->decision.caps[0].from_pct, 50);
    cr_assert_eq(desk->decision.caps[0].to_pct, 150);
    cr_assert_eq(vm->decision, desk->decision.id);
    cr_assert(vm->dirty);
    cr_assert_eq(desk_node(desk, vm->vm.node)->cpu_pct_reserved, 150);
    cr_assert_eq(set_vm(desk, &ALICE, "shop-web-1", &(struct set_vm){.cap_pct = 150}),
                 REPLY_DONE);
    cr_assert_eq(desk->puts, 0);
    cr_assert_eq(set_vm(desk, &ALICE, "shop-web-1", &(struct set_vm){.release_cap = true}),
                 REPLY_DONE);
    cr_assert_not(vm->vm.cap_pinned);
    cr_assert_eq(vm->vm.cap_pct, 150, "the manager takes it from where it is");
    cr_assert_eq(desk_node(desk, vm->vm.node)->cpu_pct_reserved, 50);
    desk_free(desk);
}

Test(requests_vm, limits_are_set_and_taken_away_and_not_both)
{
    struct desk *desk = desk_with_shop();
    const struct vm_record *vm = table_find(&desk->cluster->vms, "shop-web-1");
    cr_assert_eq(set_vm(desk, &ADMIN, "shop-web-1",
                        &(struct set_vm){.net_rate_kib_s = 128, .disk_rate_kib_s = 1024}),
                 REPLY_DONE, "%s", desk->reply.text);
    cr_assert_eq(vm->vm.net_rate_kib_s, 128);
    cr_assert_eq(vm->vm.disk_rate_kib_s, 1024);
    cr_assert_eq(set_vm(desk, &ADMIN, "shop-web-1", &(struct set_vm){.no_net_rate = true}),
                 REPLY_DONE);
    cr_assert_eq(vm->vm.net_rate_kib_s, 0);
    cr_assert_eq(vm->vm.disk_rate_kib_s, 1024, "only what was named");
    cr_assert_eq(set_vm(desk, &ADMIN, "shop-web-1",
                        &(struct set_vm){.disk_rate_kib_s = 8, .no_disk_rate = true}),
                 REPLY_INVALID);
    cr_assert_eq(set_vm(desk, &ADMIN, "shop-web-1", &(struct set_vm){.no_disk_rate = true}),
                 REPLY_DONE);
    cr_assert_eq(vm->vm.disk_rate_kib_s, 0);
    desk_free(desk);
}

Test(requests_vm, sizes_by_hand_stay_under_the_file_and_on_the_node)
{
    struct desk *desk = desk_with_shop();
    cr_assert_eq(set_vm(desk, &ALICE, "shop-web-1", &(struct set_vm){.vcpus = 3}),
                 REPLY_INVALID);
    cr_assert_eq(set_vm(desk, &ALICE, "shop-web-1", &(struct set_vm){.memory_kib = 2 * GIB}),
                 REPLY_INVALID);
    cr_assert_eq(set_vm(desk, &ALICE, "shop-web-1", &(struct set_vm){.cap_pct = 20}),
                 REPLY_INVALID);
    cr_assert_eq(set_vm(desk, &ADMIN, "shop-web-1", &(struct set_vm){.cap_pct = 20}),
                 REPLY_DONE);
    cr_assert_eq(set_vm(desk, &ALICE, "shop-web-1", &(struct set_vm){.weight = 1000}),
                 REPLY_INVALID);
    cr_assert_eq(set_vm(desk, &ADMIN, "shop-web-1", &(struct set_vm){.weight = 1000}),
                 REPLY_DONE);
    cr_assert_eq(
        set_vm(desk, &ALICE, "shop-web-1", &(struct set_vm){.memory_kib = GIB / 2, .vcpus = 1}),
        REPLY_DONE);
    cr_assert_eq(set_vm(desk, &ALICE, "shop-web-1",
                        &(struct set_vm){.cap_pct = 100, .release_cap = true}),
                 REPLY_INVALID);
    cr_assert_eq(set_vm(desk, &ALICE, "shop-web-1", &(struct set_vm){0}), REPLY_INVALID);
    struct service big = desk_web("big", 2);
    big.vms[0].cpu = (struct cap_range){330, 400};
    big.vms[0].vcpus = 4;
    cr_assert_eq(desk_put_service(desk, &BOB, &big), REPLY_DONE, "%s", desk->reply.text);
    cr_assert_eq(set_vm(desk, &ADMIN, "shop-web-2", &(struct set_vm){.cap_pct = 200}),
                 REPLY_INFEASIBLE);
    cr_assert_eq(desk->reply.reason, REASON_NO_CPU);
    cr_assert_not_null(strstr(desk->reply.text, "0.70 CPU free, 2.00 needed"), "%s",
                       desk->reply.text);
    desk_free(desk);
}

Test(requests_vm, what_the_driver_cannot_do_is_not_ordered)
{
    struct desk *desk = desk_new();
    desk_add_image(desk, "debian");
    desk_add_node(
        desk, &(struct desk_node){"poor", 400, 8 * GIB,
                                  CAPABILITY_CREATE | CAPABILITY_SHUTDOWN | CAPABILITY_MODEL});
    struct service web = desk_web("shop", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    cr_assert_eq(set_vm(desk, &ALICE, "shop-web-1", &(struct set_vm){.vcpus = 1}),
                 REPLY_INFEASIBLE);
    cr_assert_eq(desk->reply.reason, REASON_NO_CAPABILITY);
    struct request pause = {
        .method = METHOD_SET_STATE, .kind = OBJECT_KIND_SERVICE, .run_state = RUN_STATE_PAUSED};
    (void)snprintf(pause.name, NAME_SIZE, "shop");
    cr_assert_eq(desk_ask(desk, &ALICE, &pause), REPLY_INFEASIBLE);
    cr_assert_eq(desk->reply.reason, REASON_NO_CAPABILITY);
    cr_assert(desk_has_fact(desk, "vm shop-web-1 is on poor"));
    cr_assert_eq(desk_order(desk, &ALICE, METHOD_REBOOT, OBJECT_KIND_VM, "shop-web-1"),
                 REPLY_INFEASIBLE);
    cr_assert_eq(desk_vm(desk, "shop-web-1")->vm.desired, RUN_STATE_RUNNING);
    desk_free(desk);
}

Test(requests_vm, run_state_of_a_service_is_that_of_all_its_vms)
{
    struct desk *desk = desk_with_shop();
    struct request stop = {.method = METHOD_SET_STATE,
                           .kind = OBJECT_KIND_SERVICE,
                           .run_state = RUN_STATE_STOPPED};
    (void)snprintf(stop.name, NAME_SIZE, "shop");
    cr_assert_eq(desk_ask(desk, &ALICE, &stop), REPLY_DONE);
    cr_assert_eq(desk->puts, 2);
    cr_assert_eq(desk_vm(desk, "shop-web-2")->vm.desired, RUN_STATE_STOPPED);
    cr_assert_eq(desk_ask(desk, &ALICE, &stop), REPLY_DONE);
    cr_assert_eq(desk->puts, 0);
    cr_assert_eq(desk_order(desk, &ALICE, METHOD_REBOOT, OBJECT_KIND_VM, "shop-web-1"),
                 REPLY_CONFLICT);
    struct request start = {
        .method = METHOD_SET_STATE, .kind = OBJECT_KIND_VM, .run_state = RUN_STATE_RUNNING};
    (void)snprintf(start.name, NAME_SIZE, "shop-web-1");
    cr_assert_eq(desk_ask(desk, &ALICE, &start), REPLY_DONE);
    cr_assert_eq(desk_vm(desk, "shop-web-1")->vm.desired, RUN_STATE_RUNNING);
    cr_assert_eq(desk_vm(desk, "shop-web-2")->vm.desired, RUN_STATE_STOPPED);
    cr_assert_eq(desk_order(desk, &ALICE, METHOD_REBOOT, OBJECT_KIND_VM, "shop-web-1"),
                 REPLY_DONE);
    cr_assert_eq(desk_vm(desk, "shop-web-1")->vm.reboots, 1);
    start.run_state = RUN_STATE_ABSENT;
    cr_assert_eq(desk_ask(desk, &ALICE, &start), REPLY_INVALID);
    desk_free(desk);
}

Test(requests_vm, orders_of_people_are_carried_out_in_hold)
{
    struct desk *desk = desk_with_shop();
    struct request hold = {.method = METHOD_MODE, .mode = MODE_HOLD};
    cr_assert_eq(desk_ask(desk, &ADMIN, &hold), REPLY_DONE);
    cr_assert_eq(set_vm(desk, &ALICE, "shop-web-1", &(struct set_vm){.cap_pct = 150}),
                 REPLY_DONE);
    cr_assert_eq(desk->decision.outcome, DECISION_OUTCOME_ORDERED);
    cr_assert_eq(desk->decision.mode, MODE_HOLD);
    struct service more = desk_web("more", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &more), REPLY_DONE);
    cr_assert_eq(desk_vm(desk, "more-web-1")->vm.phase, VM_PHASE_ASSIGNED);
    desk_free(desk);
}

Test(requests_vm, order_for_a_vm_that_the_manager_paused_is_the_persons_from_then_on)
{
    struct desk *desk = desk_with_shop();
    struct request order = {
        .method = METHOD_SET_STATE, .kind = OBJECT_KIND_SERVICE, .run_state = RUN_STATE_PAUSED};
    (void)snprintf(order.name, NAME_SIZE, "shop");
    for (int i = 1; i <= 2; i++) {
        char name[NAME_SIZE];
        (void)snprintf(name, sizeof name, "shop-web-%d", i);
        desk_vm(desk, name)->vm.desired = RUN_STATE_PAUSED;
        desk_vm(desk, name)->vm.paused_by_manager = true;
    }
    cr_assert_eq(desk_ask(desk, &ALICE, &order), REPLY_DONE);
    cr_expect_eq(desk_vm(desk, "shop-web-1")->vm.desired, RUN_STATE_PAUSED);
    cr_expect_not(desk_vm(desk, "shop-web-1")->vm.paused_by_manager, "it stays paused");
    desk_vm(desk, "shop-web-2")->vm.paused_by_manager = true;
    order.run_state = RUN_STATE_RUNNING;
    cr_assert_eq(desk_ask(desk, &ALICE, &order), REPLY_DONE);
    cr_expect_eq(desk_vm(desk, "shop-web-2")->vm.desired, RUN_STATE_RUNNING);
    cr_expect_not(desk_vm(desk, "shop-web-2")->vm.paused_by_manager);
    desk_free(desk);
}
