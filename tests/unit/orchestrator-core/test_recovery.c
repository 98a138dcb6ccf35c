// SPDX-License-Identifier: Apache-2.0
/* VMs of lost nodes start elsewhere, and never twice. */
#include <criterion/criterion.h>

#include "orchestrator/core/control.h"
#include "recovery_bench.h"

Test(recovery, fenced_vm_of_a_dead_node_starts_elsewhere_with_a_new_generation)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 1);
    start_and_settle(world);
    cr_assert(is_running(world, "web-vm-1"));
    struct test_node *host = host_of(world, "web-vm-1");
    uint64_t generation = vm_record_of(world, "web-vm-1")->vm.generation;
    node_power_off(host);
    int64_t off_ms = world->now_ms;
    while (!is_running(world, "web-vm-1") && world->now_ms < off_ms + 60000) {
        world_run(world, STEP_MS);
    }
    cr_assert(is_running(world, "web-vm-1"));
    cr_assert_leq(world->now_ms - off_ms, 25000, "took %lld ms",
                  (long long)(world->now_ms - off_ms));
    cr_assert_neq(host_of(world, "web-vm-1"), host);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, generation + 1);
    cr_assert_eq(told(world, EVENT_KIND_VM_LOST, REASON_LEASE_EXPIRED, host->name), 1);
    world_free(world);
}

Test(recovery, new_generation_is_stored_before_its_start_is_sent)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    node_power_off(host);
    world_run(world, 40000);
    for (uint32_t i = 0; i < world->sent_count; i++) {
        const struct sent_record *sent = &world->sent[i];
        if (sent->type == NODE_MESSAGE_VM_ORDER && sent->vm_order.generation == 2) {
            for (uint32_t j = 0; j < world->objects_count; j++) {
                if (world->objects[j].kind == OBJECT_KIND_VM) {
                    cr_assert_eq(world->objects[j].vm.generation, 2);
                    cr_assert_str_eq(world->objects[j].vm.node, sent->node);
                }
            }
        }
    }
    cr_assert_gt(orders_sent(world, NULL, "web-vm-1", RUN_STATE_RUNNING, 2), 0);
    world_free(world);
}

Test(recovery, partitioned_node_has_ended_its_vm_before_the_new_one_starts)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 4);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    host->up.drops = true;   /* it still hears, but nobody hears it */
    world_run(world, 60000); /* never two: world_run asserts it at each step */
    cr_assert_gt(host->fences, 0);
    cr_assert(is_running(world, "web-vm-1"));
    cr_assert_neq(host_of(world, "web-vm-1"), host);
    world_free(world);
}

Test(recovery, vms_of_isolation_run_are_never_started_elsewhere_unconfirmed)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_RUN, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    host->up.drops = true;
    host->down.drops = true;
    world_run(world, 600000);
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_EXPIRED);
    cr_assert(is_running(world, "web-vm-1"), "and it is not stopped either");
    cr_assert_eq(host_of(world, "web-vm-1"), host);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.phase, VM_PHASE_RECOVERING);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_NEEDS_CONFIRM, host->name), 1);
    bool names_command = false;
    for (uint32_t i = 0; i < world->told_count; i++) {
        names_command =
            names_command || (world->told[i].reason == REASON_NEEDS_CONFIRM &&
                              strstr(world->told[i].text, "arbiter confirm-dead n") != NULL);
    }
    cr_assert(names_command);
    world_free(world);
}

Test(recovery, returning_node_keeps_its_vms_that_were_not_restarted)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_RUN, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    host->up.drops = true;
    world_run(world, 60000);
    host->up.drops = false;
    world_run(world, 10000);
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_UP);
    cr_assert_eq(told(world, EVENT_KIND_NODE_BACK, REASON_NONE, host->name), 1);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.phase, VM_PHASE_ASSIGNED);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, 1);
    cr_assert(is_running(world, "web-vm-1"));
    world_free(world);
}

Test(recovery, returning_node_is_told_to_end_its_older_generation)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_RUN, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    node_power_off(host);
    world_run(world, 40000);
    confirm_dead(world, host->name);
    world_run(world, 5000);
    node_power_on(world, host);
    world_run(world, 20000);
    cr_assert_gt(orders_sent(world, host->name, "web-vm-1", RUN_STATE_ABSENT, 1), 0);
    cr_assert_eq(orders_sent(world, host->name, "web-vm-1", RUN_STATE_RUNNING, 2), 0);
    cr_assert(is_running(world, "web-vm-1"));
    world_free(world);
}

/* The order to start waits in the wire while its node is cut off, lost, and replaced. */
static void start_order_arrives_late(bool waits_for_lease, bool orchestrator_restarts)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 0);
    (void)world_add_service(world, "web", ISOLATION_FENCE, 1);
    world_start(world);
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        world->nodes[i].waits_for_lease = waits_for_lease;
        node_record_of(world, world->nodes[i].name);
    }
    world_step(world, &(struct cluster_event){.type = CLUSTER_EVENT_TICK});
    vm_record_of(world, "web-vm-1")->vm.phase = VM_PHASE_REMOVING; /* kept back for now */
    memcpy(vm_record_of(world, "web-vm-1")->vm.node, "n9", 3);
    vm_record_of(world, "web-vm-1")->vm.generation = 1;
    vm_record_of(world, "web-vm-1")->inherited_generation = 1;
    (void)table_add(&world->cluster->nodes, "n9");
    world_run(world, 10000);
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        world->nodes[i].down.holds = true;
    }
    struct vm_record *vm = vm_record_of(world, "web-vm-1");
    vm->vm.phase = VM_PHASE_WAITING;
    vm->vm.node[0] = '\0';
    world_begin(world);
    emit_vm(world->cluster, vm, world->effects);
    world_perform(world);
    while (orders_sent(world, NULL, "web-vm-1", RUN_STATE_RUNNING, 2) == 0) {
        world_run(world, STEP_MS);
    }
    struct test_node *host = host_of(world, "web-vm-1");
    host->up.drops = true;
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        world->nodes[i].down.holds = &world->nodes[i] == host;
    }
    world_run(world, 40000);
    cr_assert(is_running(world, "web-vm-1"));
    cr_assert_neq(host_of(world, "web-vm-1"), host);
    if (orchestrator_restarts) {
        /* What its kernel still had to send arrives, then the next process connects. */
        cluster_destroy(world->cluster);
        world->cluster = NULL;
        world->stopped = true;
        host->down.holds = false;
        host->up.drops = false;
        world_run(world, 1000);
        world_start(world);
    } else {
        host->down.holds = false;
        host->up.drops = false;
    }
    world_run(world, 30000); /* never two: asserted at each step */
    cr_assert(is_running(world, "web-vm-1"));
    cr_assert_neq(host_of(world, "web-vm-1"), host);
    cr_assert(node_record_of(world, host->name)->lease_acknowledged);
    cr_assert(has_lease(world, host), "in the end it gets a lease again");
    world_free(world);
}

Test(recovery, start_order_that_arrives_after_a_partition_starts_no_second_instance)
{
    start_order_arrives_late(false, false);
}

Test(recovery, start_order_that_waits_for_a_lease_starts_no_second_instance)
{
    start_order_arrives_late(true, false);
}

Test(recovery, start_order_of_an_older_epoch_starts_no_second_instance)
{
    start_order_arrives_late(true, true);
}

Test(recovery, vm_whose_node_may_hold_an_order_of_isolation_run_is_not_taken_for_fenced)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_RUN, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    host->down.drops = true; /* the order with isolation fence never arrives */
    struct service_record *service = table_find(&world->cluster->services, "web");
    service->spec.isolation = ISOLATION_FENCE;
    world_run(world, 5000);
    cr_assert_gt(orders_sent(world, host->name, "web-vm-1", RUN_STATE_RUNNING, 1), 1);
    host->up.drops = true;
    world_run(world, 120000);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, 1);
    cr_assert(is_running(world, "web-vm-1"));
    world_free(world);
}

Test(recovery, vm_that_changed_to_isolation_fence_in_time_is_restarted)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_RUN, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    struct service_record *service = table_find(&world->cluster->services, "web");
    service->spec.isolation = ISOLATION_FENCE;
    world_run(world, 20000);
    host->up.drops = true;
    world_run(world, 60000);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, 2);
    cr_assert(is_running(world, "web-vm-1"));
    world_free(world);
}

Test(recovery, restarted_orchestrator_recovers_once_the_fence_order_is_confirmed_again)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 1);
    start_and_settle(world);
    world_crash(world);
    world_start(world);
    world_run(world, 20000);
    node_power_off(host_of(world, "web-vm-1"));
    world_run(world, 60000);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, 2);
    cr_assert(is_running(world, "web-vm-1"));
    world_free(world);
}

Test(recovery, node_without_self_fence_never_counts_as_fenced)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    host->capabilities &= ~(unsigned)CAPABILITY_SELF_FENCE;
    world_run(world, 15000); /* its next snapshot says so */
    host->up.drops = true;
    world_run(world, 120000);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, 1);
    world_free(world);
}

Test(recovery, local_disk_pins_the_vm_with_an_alarm)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 1);
    start_and_settle(world);
    struct service_record *service = table_find(&world->cluster->services, "web");
    service->spec.vms[0].disk.kind = DISK_KIND_LOCAL;
    struct test_node *host = host_of(world, "web-vm-1");
    node_power_off(host);
    world_run(world, 60000);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, 1);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_DISK_PINNED, host->name), 1);
    world_free(world);
}

Test(recovery, vm_that_finds_no_node_waits_and_is_placed_when_there_is_room)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    for (uint32_t i = 1; i <= 4; i++) {
        char name[NAME_SIZE];
        (void)snprintf(name, sizeof name, "n%u", i);
        node_record_of(world, name)->spec.cordoned = true;
    }
    node_power_off(host);
    world_run(world, 60000);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.phase, VM_PHASE_WAITING);
    for (uint32_t i = 1; i <= 4; i++) {
        char name[NAME_SIZE];
        (void)snprintf(name, sizeof name, "n%u", i);
        node_record_of(world, name)->spec.cordoned = false;
    }
    world_run(world, 5000);
    cr_assert(is_running(world, "web-vm-1"));
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, 2);
    world_free(world);
}

Test(recovery, survivors_are_asked_to_make_room_in_the_step_that_starts_the_vms)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 4);
    start_and_settle(world);
    const struct node_record *node = node_record_of(world, "n1");
    struct service_record *service = table_find(&world->cluster->services, "web");
    cr_assert_gt(node->vms, 0);
    node_power_off(&world->nodes[0]);
    while (node->state != NODE_STATE_EXPIRED) {
        world->cluster->solve_revision = 0;   /* the worker is free ... */
        service->next_control_ms = INT64_MAX; /* ... and no period of its own comes up */
        world_advance(world);
    }
    cr_expect_neq(world->cluster->solve_revision, 0, "the worker has it");
    const struct control_loss *loss = &world->cluster->control->loss;
    cr_expect(loss->open);
    cr_expect_eq(loss->restarts, 1);
    cr_expect_eq(loss->asked_for_by, world->cluster->solve_revision);
    cr_expect_not_null(strstr(loss->decision.text, "node n1 is lost: web-vm-"), "%s",
                       loss->decision.text);
    cr_expect_eq(node->vms, 0);
    world_free(world);
}

Test(recovery, vms_of_several_groups_that_spread_each_get_the_node_that_their_group_lacks)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 0);
    const char *const names[] = {"web", "api", "ads"};
    for (size_t i = 0; i < 3; i++) {
        world_add_service(world, names[i], ISOLATION_FENCE, 3)->vms[0].spread = true;
    }
    start_and_settle(world);
    const uint32_t there = node_record_of(world, "n1")->vms;
    cr_assert_gt(there, 1);
    node_power_off(&world->nodes[0]);
    world_run(world, 60000);
    cr_expect_eq(node_record_of(world, "n1")->vms, 0);
    for (size_t i = 0; i < 3; i++) {
        bool is_taken[5] = {false};
        for (uint32_t number = 1; number <= 3; number++) {
            char vm[NAME_SIZE];
            (void)snprintf(vm, sizeof vm, "%s-vm-%u", names[i], number);
            cr_expect(is_running(world, vm), "%s", vm);
            const char *node = vm_record_of(world, vm)->vm.node;
            cr_expect_not(is_taken[node[1] - '0'], "%s has company on %s", vm, node);
            is_taken[node[1] - '0'] = true;
        }
    }
    world_free(world);
}
