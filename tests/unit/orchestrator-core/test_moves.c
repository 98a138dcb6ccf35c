// SPDX-License-Identifier: Apache-2.0
/* VMs that move by order: ended there before they start here; drains. */
#include <criterion/criterion.h>

#include "recovery_bench.h"

Test(moves, move_ends_the_vm_there_before_it_starts_here)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_RUN, 1);
    start_and_settle(world);
    struct vm_record *vm = vm_record_of(world, "web-vm-1");
    const char *to = strcmp(vm->vm.node, "n4") == 0 ? "n3" : "n4";
    struct test_node *from = host_of(world, "web-vm-1");
    enum reason why = REASON_UNSPECIFIED;
    world_begin(world);
    enum reply_code code =
        recovery_move(world->cluster, vm, node_record_of(world, to), &why, world->effects);
    world_perform(world);
    cr_assert_eq(code, REPLY_DONE);
    cr_assert_eq(vm->vm.phase, VM_PHASE_MOVING);
    world_run(world, 10000);
    cr_assert(is_running(world, "web-vm-1"));
    cr_assert_str_eq(vm->vm.node, to);
    cr_assert_eq(vm->vm.generation, 2);
    cr_assert_gt(orders_sent(world, from->name, "web-vm-1", RUN_STATE_ABSENT, 1), 0);
    world_free(world);
}

Test(moves, move_of_a_vm_goes_on_by_snapshots_when_the_results_are_lost)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_RUN, 1);
    start_and_settle(world);
    struct vm_record *vm = vm_record_of(world, "web-vm-1");
    struct test_node *from = host_of(world, "web-vm-1");
    from->lists_absent = false; /* it only stops listing the VM */
    const char *to = strcmp(vm->vm.node, "n4") == 0 ? "n3" : "n4";
    enum reason why = REASON_UNSPECIFIED;
    world_begin(world);
    (void)recovery_move(world->cluster, vm, node_record_of(world, to), &why, world->effects);
    world_perform(world);
    while (orders_sent(world, from->name, "web-vm-1", RUN_STATE_ABSENT, 1) == 0) {
        world_run(world, STEP_MS);
    }
    world_run(world, 2 * STEP_MS);
    from->up.drops = true; /* loses the result and the snapshot of the change */
    world_run(world, 1000);
    from->up.drops = false;
    from->ignores_orders = true; /* and answers no repeated order */
    world_run(world, 15000);
    cr_assert_str_eq(vm->vm.node, to);
    cr_assert(is_running(world, "web-vm-1"));
    world_free(world);
}

Test(moves, move_is_refused_where_it_cannot_be)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_RUN, 1);
    start_and_settle(world);
    struct vm_record *vm = vm_record_of(world, "web-vm-1");
    struct node_record *to = node_record_of(world, strcmp(vm->vm.node, "n4") ? "n4" : "n3");
    enum reason why = REASON_UNSPECIFIED;
    world_begin(world);
    struct service_record *service = table_find(&world->cluster->services, "web");
    service->spec.vms[0].disk.kind = DISK_KIND_LOCAL;
    cr_assert_eq(recovery_move(world->cluster, vm, to, &why, world->effects), REPLY_INFEASIBLE);
    cr_assert_eq(why, REASON_DISK_PINNED);
    service->spec.vms[0].disk.kind = DISK_KIND_COPY;
    to->spec.memory_kib = 1024;
    cr_assert_eq(recovery_move(world->cluster, vm, to, &why, world->effects), REPLY_INFEASIBLE);
    cr_assert_eq(why, REASON_NO_MEMORY);
    cr_assert_eq(world->effects->count, 0);
    world_free(world);
}

Test(moves, vm_that_moves_before_its_start_order_arrived_is_not_taken_for_gone)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_RUN, 1);
    for (uint32_t i = 0; i < 4; i++) {
        world->nodes[i].boot_ms = 3000;
        world->nodes[i].lists_absent = false;
    }
    world_start(world);
    while (orders_sent(world, NULL, "web-vm-1", RUN_STATE_RUNNING, 1) == 0) {
        world_run(world, STEP_MS);
    }
    struct test_node *from = host_of(world, "web-vm-1");
    struct vm_record *vm = vm_record_of(world, "web-vm-1");
    from->down.holds = true;
    world_run(world, 2000);
    enum reason why = REASON_UNSPECIFIED;
    world_begin(world);
    cr_assert_eq(recovery_move(world->cluster, vm,
                               node_record_of(world, strcmp(from->name, "n4") ? "n4" : "n3"),
                               &why, world->effects),
                 REPLY_DONE);
    world_perform(world);
    world_run(world, 100);
    node_send_snapshot(world, from); /* does not list what did not arrive */
    world_run(world, 1500);
    node_send_snapshot(world, from);
    world_run(world, 500);
    cr_assert_str_eq(vm->vm.node, from->name);
    from->down.holds = false;
    world_run(world, 30000);
    cr_assert_str_neq(vm->vm.node, from->name);
    cr_assert(is_running(world, "web-vm-1"));
    world_free(world);
}

Test(moves, late_result_of_the_start_is_not_taken_for_the_end)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_RUN, 1);
    start_and_settle(world);
    struct vm_record *vm = vm_record_of(world, "web-vm-1");
    struct test_node *from = host_of(world, "web-vm-1");
    enum reason why = REASON_UNSPECIFIED;
    world_begin(world);
    (void)recovery_move(world->cluster, vm,
                        node_record_of(world, strcmp(from->name, "n4") ? "n4" : "n3"), &why,
                        world->effects);
    world_perform(world);
    struct node_message message = {.type = NODE_MESSAGE_RESULT};
    message.result.operation = vm->operation; /* still that of the start */
    message.result.generation = 1;
    message.result.state = RESULT_STATE_EFFECTIVE;
    memcpy(message.result.vm, vm->vm.vm, sizeof message.result.vm);
    struct cluster_event event = {.type = CLUSTER_EVENT_NODE};
    event.node.name = from->name;
    event.node.message = &message;
    world_step(world, &event);
    cr_assert_str_eq(vm->vm.node, from->name);
    cr_assert_eq(vm->vm.phase, VM_PHASE_MOVING);
    world_free(world);
}

Test(moves, drain_moves_one_vm_of_a_service_at_a_time)
{
    struct world *world = with_cluster(MODE_ADVISE, ISOLATION_RUN, 8);
    start_and_settle(world);
    struct node_record *node = node_record_of(world, "n1");
    uint32_t vms = node->vms;
    cr_assert_gt(vms, 0);
    node->spec.draining = true;
    uint32_t least = 8;
    int64_t until_ms = world->now_ms + 120000;
    while (world->now_ms < until_ms && node->vms > 0) {
        world_run(world, STEP_MS);
        uint32_t running = 0;
        for (uint32_t i = 1; i <= 8; i++) {
            char vm[NAME_SIZE];
            (void)snprintf(vm, sizeof vm, "web-vm-%u", i);
            running += is_running(world, vm) ? 1 : 0;
        }
        least = running < least ? running : least;
    }
    cr_assert_eq(node->vms, 0);
    cr_assert_geq(least, 7);
    world_run(world, 5000);
    cr_assert_eq(world_worst(world), 1);
    world_free(world);
}

Test(moves, drain_leaves_local_disks_with_one_alarm)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_RUN, 1);
    start_and_settle(world);
    struct service_record *service = table_find(&world->cluster->services, "web");
    service->spec.vms[0].disk.kind = DISK_KIND_LOCAL;
    struct test_node *host = host_of(world, "web-vm-1");
    node_record_of(world, host->name)->spec.draining = true;
    world_run(world, 60000);
    cr_assert_eq(host_of(world, "web-vm-1"), host);
    cr_assert(is_running(world, "web-vm-1"));
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_DISK_PINNED, host->name), 1);
    world_free(world);
}
