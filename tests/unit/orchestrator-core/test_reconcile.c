// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "timeline.h"

static struct world *with_vms(uint32_t nodes, uint32_t vms)
{
    static const char *const names[] = {"n1", "n2", "n3"};
    struct world *world = world_new(MODE_ADVISE);
    for (uint32_t i = 0; i < nodes; i++) {
        world_add_node(world, names[i]);
    }
    (void)world_add_service(world, "web", ISOLATION_RUN, vms);
    return world;
}

static const struct vm_order *newest_order(const struct world *world, const char *vm)
{
    for (uint32_t i = world->sent_count; i > 0; i--) {
        if (world->sent[i - 1].type == NODE_MESSAGE_VM_ORDER &&
            strcmp(world->sent[i - 1].vm_order.vm, vm) == 0) {
            return &world->sent[i - 1].vm_order;
        }
    }
    return NULL;
}

static uint32_t count_orders(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->sent_count; i++) {
        count += world->sent[i].type == NODE_MESSAGE_VM_ORDER ? 1 : 0;
    }
    return count;
}

static void set_cap(struct world *world, const char *vm, uint32_t cap_pct)
{
    world_begin(world);
    vm_record_of(world, vm)->vm.cap_pct = cap_pct;
    emit_vm(world->cluster, vm_record_of(world, vm), world->effects);
    cluster_mark_dirty(world->cluster, vm_record_of(world, vm));
    world_perform(world);
}

static void answer(struct world *world, const char *vm, enum result_state state,
                   enum reason reason, const char *text)
{
    const struct vm_record *record = vm_record_of(world, vm);
    struct node_message message = {.type = NODE_MESSAGE_RESULT};
    message.result.operation = record->operation;
    message.result.generation = record->vm.generation;
    message.result.state = state;
    message.result.reason = reason;
    memcpy(message.result.vm, record->vm.vm, sizeof message.result.vm);
    (void)snprintf(message.result.text, sizeof message.result.text, "%s", text);
    struct cluster_event event = {.type = CLUSTER_EVENT_NODE};
    event.node.name = record->vm.node;
    event.node.message = &message;
    world_step(world, &event);
}

Test(reconcile, waiting_vms_are_placed_ordered_and_run)
{
    struct world *world = with_vms(2, 2);
    world_start(world);
    world_run(world, 5000);
    cr_assert(is_running(world, "web-vm-1"));
    cr_assert(is_running(world, "web-vm-2"));
    const struct vm_order *order = newest_order(world, "web-vm-1");
    cr_assert_eq(order->cap_pct, 50);
    cr_assert_eq(order->memory_kib, 512u << 10);
    cr_assert_eq(order->image_format, IMAGE_FORMAT_MODEL);
    cr_assert_eq(order->isolation, ISOLATION_RUN);
    cr_assert_eq(order->port, 8080);
    world_free(world);
}

Test(reconcile, nothing_is_sent_while_everything_is_as_ordered)
{
    struct world *world = with_vms(2, 2);
    world_start(world);
    world_run(world, 30000);
    uint32_t before = count_orders(world);
    world_run(world, 60000);
    cr_assert_eq(count_orders(world), before);
    world_free(world);
}

Test(reconcile, other_content_is_another_operation_and_lost_ones_are_sent_again)
{
    struct world *world = with_vms(1, 1);
    world_start(world);
    world_run(world, 20000);
    uint64_t operation = vm_record_of(world, "web-vm-1")->operation;
    world->nodes[0].down.loss_permille = 1000;
    set_cap(world, "web-vm-1", 80);
    world_run(world, 1000);
    uint64_t next = vm_record_of(world, "web-vm-1")->operation;
    cr_assert_gt(next, operation);
    world->nodes[0].down.loss_permille = 0;
    world_run(world, 15000);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->operation, next, "the same, not a new one");
    cr_assert(reconcile_is_shown(vm_record_of(world, "web-vm-1")));
    cr_assert_eq(vm_record_of(world, "web-vm-1")->status.cap_pct, 80);
    world_free(world);
}

Test(reconcile, nothing_is_ordered_from_a_node_that_is_not_up)
{
    struct world *world = with_vms(1, 1);
    world_start(world);
    world_run(world, 20000);
    world->nodes[0].up.drops = true;
    world_run(world, 5000);
    uint32_t before = count_orders(world);
    set_cap(world, "web-vm-1", 80);
    world_run(world, 60000);
    cr_assert_eq(count_orders(world), before);
    world_free(world);
}

Test(reconcile, smaller_caps_are_ordered_before_larger_ones)
{
    struct world *world = with_vms(1, 2);
    world_start(world);
    world_run(world, 20000);
    uint32_t before = world->sent_count;
    set_cap(world, "web-vm-1", 90);
    set_cap(world, "web-vm-2", 10);
    world_run(world, 100);
    cr_assert_str_eq(world->sent[before].vm_order.vm, "web-vm-2");
    cr_assert_str_eq(world->sent[before + 1].vm_order.vm, "web-vm-1");
    world_free(world);
}

Test(reconcile, memory_grows_only_into_what_others_really_gave_back)
{
    struct world *world = with_vms(1, 2);
    world_start(world);
    world_run(world, 20000);
    node_record_of(world, "n1")->spec.memory_kib = 1024u << 10; /* full with two of 512 MiB */
    world->nodes[0].boot_ms = 4000;                             /* memory comes back slowly */
    world_begin(world);
    struct vm_record *shrinks = vm_record_of(world, "web-vm-1");
    struct vm_record *grows = vm_record_of(world, "web-vm-2");
    shrinks->vm.memory_kib = 256u << 10;
    grows->vm.memory_kib = 768u << 10;
    emit_vm(world->cluster, shrinks, world->effects);
    emit_vm(world->cluster, grows, world->effects);
    cluster_mark_dirty(world->cluster, shrinks);
    cluster_mark_dirty(world->cluster, grows);
    world_perform(world);
    shrinks->status.memory_kib = 512u << 10;
    world_run(world, 20);
    cr_assert_eq(newest_order(world, "web-vm-1")->memory_kib, 256u << 10);
    cr_assert_eq(newest_order(world, "web-vm-2")->memory_kib, 512u << 10);
    world_run(world, 20000);
    cr_assert_eq(newest_order(world, "web-vm-2")->memory_kib, 768u << 10);
    world_free(world);
}

Test(reconcile, failure_is_told_once_and_tried_again_with_a_new_operation)
{
    struct world *world = with_vms(1, 1);
    world->nodes[0].ignores_orders = true;
    world_start(world);
    world_run(world, 2500);
    uint64_t operation = vm_record_of(world, "web-vm-1")->operation;
    answer(world, "web-vm-1", RESULT_STATE_FAILED, REASON_IMAGE_MISSING, "no such file");
    cr_assert_eq(vm_record_of(world, "web-vm-1")->problem, REASON_IMAGE_MISSING);
    cr_assert_str_eq(vm_record_of(world, "web-vm-1")->problem_text, "no such file");
    cr_assert_eq(told(world, EVENT_KIND_ACTION, REASON_IMAGE_MISSING, "n1"), 1);
    world_run(world, 4000);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->operation, 0, "not yet");
    world_run(world, 30000);
    cr_assert_gt(vm_record_of(world, "web-vm-1")->operation, operation);
    answer(world, "web-vm-1", RESULT_STATE_FAILED, REASON_IMAGE_MISSING, "no such file");
    cr_assert_eq(told(world, EVENT_KIND_ACTION, REASON_IMAGE_MISSING, "n1"), 1);
    world_free(world);
}

Test(reconcile, what_happened_behind_our_back_is_an_event_and_no_problem_of_the_vm)
{
    struct world *world = with_vms(1, 1);
    world_start(world);
    world_run(world, 20000);
    answer(world, "web-vm-1", RESULT_STATE_ACCEPTED, REASON_DRIFT, "its CPU cap was changed");
    cr_assert_eq(told(world, EVENT_KIND_ACTION, REASON_DRIFT, "n1"), 1);
    answer(world, "web-vm-1", RESULT_STATE_ACCEPTED, REASON_GUEST_STOPPED, "the guest is gone");
    cr_assert_eq(told(world, EVENT_KIND_ACTION, REASON_GUEST_STOPPED, "n1"), 1);
    answer(world, "web-vm-1", RESULT_STATE_ACCEPTED, REASON_NONE, "");
    cr_assert_eq(told(world, EVENT_KIND_ACTION, REASON_DRIFT, "n1"), 1);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->problem, REASON_NONE);
    world_free(world);
}

Test(reconcile, results_of_other_nodes_generations_and_operations_change_nothing)
{
    struct world *world = with_vms(2, 1);
    world_start(world);
    world_run(world, 20000);
    struct vm_record *vm = vm_record_of(world, "web-vm-1");
    struct node_message message = {.type = NODE_MESSAGE_RESULT};
    message.result.operation = vm->operation;
    message.result.generation = vm->vm.generation;
    message.result.state = RESULT_STATE_FAILED;
    message.result.reason = REASON_DRIVER;
    memcpy(message.result.vm, vm->vm.vm, sizeof message.result.vm);
    struct cluster_event event = {.type = CLUSTER_EVENT_NODE};
    event.node.message = &message;
    event.node.name = strcmp(vm->vm.node, "n1") == 0 ? "n2" : "n1";
    world_step(world, &event);
    event.node.name = vm->vm.node;
    message.result.generation = 7;
    world_step(world, &event);
    message.result.generation = vm->vm.generation;
    message.result.operation--;
    world_step(world, &event);
    cr_assert_eq(vm->problem, REASON_NONE);
    world_free(world);
}

Test(reconcile, removed_vm_is_ended_and_its_record_goes_with_the_proof)
{
    struct world *world = with_vms(1, 2);
    world_start(world);
    world_run(world, 20000);
    struct vm_record *vm = vm_record_of(world, "web-vm-2");
    char uuid[UUID_SIZE];
    memcpy(uuid, vm->vm.uuid, sizeof uuid);
    world->nodes[0].boot_ms = 1500;
    world_begin(world);
    vm->vm.phase = VM_PHASE_REMOVING;
    emit_vm(world->cluster, vm, world->effects);
    cluster_mark_dirty(world->cluster, vm);
    world_perform(world);
    world_run(world, 1000);
    cr_assert_not_null(vm_record_of(world, "web-vm-2"));
    world_run(world, 2000);
    cr_assert_null(vm_record_of(world, "web-vm-2"));
    cr_assert_eq(world_instances(world, uuid), 0);
    for (uint32_t i = 0; i < world->objects_count; i++) {
        cr_assert_str_neq(object_name(&world->objects[i]), "web-vm-2");
    }
    world_free(world);
}

Test(reconcile, vm_of_ours_that_the_store_does_not_know_is_left_alone_with_an_alarm)
{
    struct world *world = with_vms(1, 1);
    world_start(world);
    world_run(world, 20000);
    struct vm_order order = {.operation = UINT64_MAX, .generation = 3};
    (void)snprintf(order.vm, sizeof order.vm, "stranger");
    (void)snprintf(order.uuid, sizeof order.uuid, "00000000-0000-4000-8000-000000000001");
    order.desired = RUN_STATE_RUNNING;
    order.isolation = ISOLATION_RUN;
    node_take_order(world, &world->nodes[0], &order);
    world_run(world, 60000);
    cr_assert_eq(world_instances(world, order.uuid), 1);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_NOT_FOUND, "n1"), 1);
    world_free(world);
}

Test(reconcile, newer_generation_than_the_store_knows_is_left_alone_with_an_alarm)
{
    struct world *world = with_vms(1, 1);
    world_start(world);
    world_run(world, 20000);
    struct node_vm *vm = vm_of(&world->nodes[0], vm_record_of(world, "web-vm-1")->vm.uuid);
    vm->runs_generation = 9;
    vm->order.generation = 9;
    world_run(world, 60000);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_STALE_GENERATION, "n1"), 1);
    cr_assert_eq(orders_sent(world, "n1", "web-vm-1", RUN_STATE_ABSENT, 0), 0);
    cr_assert(is_running(world, "web-vm-1"));
    world_free(world);
}

Test(reconcile, guest_that_vanishes_behind_our_back_is_ordered_again)
{
    struct world *world = with_vms(1, 1);
    world_start(world);
    world_run(world, 20000);
    struct node_vm *vm = vm_of(&world->nodes[0], vm_record_of(world, "web-vm-1")->vm.uuid);
    vm->used = false; /* somebody destroyed the domain and the agent forgot it */
    vm->runs = false;
    world_run(world, 60000);
    cr_assert(is_running(world, "web-vm-1"));
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, 1);
    world_free(world);
}

Test(reconcile, shares_of_the_load_follow_caps_of_those_that_serve)
{
    struct world *world = with_vms(2, 2);
    world_start(world);
    world_run(world, 20000);
    set_cap(world, "web-vm-1", 75);
    set_cap(world, "web-vm-2", 25);
    world_run(world, 5000);
    cr_assert_eq(newest_order(world, "web-vm-1")->load_share_permille, 750);
    cr_assert_eq(newest_order(world, "web-vm-2")->load_share_permille, 250);
    world_begin(world);
    vm_record_of(world, "web-vm-1")->vm.desired = RUN_STATE_STOPPED;
    cluster_mark_dirty(world->cluster, vm_record_of(world, "web-vm-1"));
    world_run(world, 5000);
    cr_assert_eq(newest_order(world, "web-vm-1")->load_share_permille, 0);
    cr_assert_eq(newest_order(world, "web-vm-2")->load_share_permille, 1000);
    world_free(world);
}

Test(reconcile, adopted_vms_after_a_restart_are_no_news)
{
    struct world *world = with_vms(2, 2);
    world_start(world);
    world_run(world, 20000);
    uint32_t told_before = told(world, EVENT_KIND_ACTION, REASON_NONE, NULL);
    cr_assert_eq(told_before, 2);
    world_crash(world);
    world_start(world);
    world_run(world, 20000);
    cr_assert_eq(told(world, EVENT_KIND_ACTION, REASON_NONE, NULL), told_before);
    cr_assert(is_running(world, "web-vm-1"));
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, 1);
    world_free(world);
}
