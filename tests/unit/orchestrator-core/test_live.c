// SPDX-License-Identifier: Apache-2.0
/*
 * A VM that goes over as it is: what it holds is kept, and whatever is lost in whichever phase,
 * one copy can run (world_run() fails as soon as there are two).
 */
#include <criterion/criterion.h>

#include "recovery_bench.h"

#define VM "web-vm-1"

static struct world *with_live_nodes(enum isolation isolation)
{
    struct world *world = with_cluster(MODE_ACT, isolation, 1);
    world->objects[0].image.format = IMAGE_FORMAT_KERNEL;
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        world->nodes[i].capabilities |= CAPABILITY_MIGRATE_LIVE;
    }
    world_start(world);
    world_run(world, 4000);
    cr_assert(is_running(world, VM));
    return world;
}

static const char *other_node(struct world *world)
{
    return strcmp(vm_record_of(world, VM)->vm.node, "n4") == 0 ? "n3" : "n4";
}

static void move_to(struct world *world, const char *node)
{
    enum reason why = REASON_UNSPECIFIED;
    world_begin(world);
    enum reply_code code = recovery_move(world->cluster, vm_record_of(world, VM),
                                         node_record_of(world, node), &why, world->effects);
    world_perform(world);
    cr_assert_eq(code, REPLY_DONE, "%s", reason_word(why));
}

/* What the guest holds where it runs; 0: it runs nowhere. */
static uint64_t memory_of(struct world *world)
{
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        for (uint32_t j = 0; j < NODE_VMS_MAX; j++) {
            const struct node_vm *vm = &world->nodes[i].vms[j];
            if (vm->runs && strcmp(vm->order.vm, VM) == 0) {
                return vm->memory;
            }
        }
    }
    return 0;
}

/* Copies that hold memory, running or paused. */
static uint32_t copies_of(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        for (uint32_t j = 0; j < NODE_VMS_MAX; j++) {
            const struct node_vm *vm = &world->nodes[i].vms[j];
            count += vm->used && strcmp(vm->order.vm, VM) == 0 &&
                             (vm->runs || vm->state == RUN_STATE_PAUSED)
                         ? 1
                         : 0;
        }
    }
    return count;
}

Test(live, a_vm_goes_over_with_what_it_holds)
{
    struct world *world = with_live_nodes(ISOLATION_RUN);
    uint64_t memory = memory_of(world);
    const char *to = other_node(world);
    const char *from = host_of(world, VM)->name;
    move_to(world, to);
    cr_assert(vm_record_of(world, VM)->vm.live);
    world_run(world, 20000);
    const struct vm_record *vm = vm_record_of(world, VM);
    cr_assert_str_eq(vm->vm.node, to);
    cr_assert_eq(vm->vm.phase, VM_PHASE_ASSIGNED);
    cr_assert_eq(vm->vm.generation, 2);
    cr_assert_eq(memory_of(world), memory);
    cr_assert_eq(copies_of(world), 1);
    cr_assert_gt(orders_sent(world, from, VM, RUN_STATE_ABSENT, 1), 0);
    cr_assert_eq(orders_sent(world, to, VM, RUN_STATE_RUNNING, 1), 0);
    world_free(world);
}

Test(live, it_serves_until_it_is_handed_over)
{
    struct world *world = with_live_nodes(ISOLATION_RUN);
    host_of(world, VM)->boot_ms = 3000; /* a long stream */
    move_to(world, other_node(world));
    world_run(world, 2500);
    cr_assert(vm_record_of(world, VM)->vm.live);
    cr_assert(is_running(world, VM));
    cr_assert(reconcile_is_serving(world->cluster, vm_record_of(world, VM)));
    world_free(world);
}

Test(live, without_the_capability_on_both_nodes_it_is_ended_and_started)
{
    struct world *world = with_live_nodes(ISOLATION_RUN);
    uint64_t memory = memory_of(world);
    const char *to = other_node(world);
    node_record_of(world, to)->status.capabilities &= ~(uint32_t)CAPABILITY_MIGRATE_LIVE;
    move_to(world, to);
    cr_assert_not(vm_record_of(world, VM)->vm.live);
    world_run(world, 10000);
    cr_assert_str_eq(vm_record_of(world, VM)->vm.node, to);
    cr_assert_neq(memory_of(world), memory);
    world_free(world);
}

Test(live, a_copy_disk_and_a_pv_guest_without_paging_do_not_go_over)
{
    struct world *world = with_live_nodes(ISOLATION_RUN);
    const struct vm_record *vm = vm_record_of(world, VM);
    const struct node_record *from = node_record_of(world, vm->vm.node);
    const struct node_record *to = node_record_of(world, other_node(world));
    struct service_record *service = table_find(&world->cluster->services, "web");
    struct image_record *image = table_find(&world->cluster->images, "worker");
    cr_assert(live_can_begin(world->cluster, vm, from, to));
    image->spec.guest_type = GUEST_TYPE_PV;
    cr_assert_not(live_can_begin(world->cluster, vm, from, to));
    image->spec.guest_type = GUEST_TYPE_PVH;
    image->spec.format = IMAGE_FORMAT_RAW; /* with a disk, made on its node */
    cr_assert_eq(service->spec.vms[0].disk.kind, DISK_KIND_COPY);
    cr_assert_not(live_can_begin(world->cluster, vm, from, to));
    service->spec.vms[0].disk.kind = DISK_KIND_SHARED;
    cr_assert(live_can_begin(world->cluster, vm, from, to));
    world_free(world);
}

Test(live, a_stream_that_breaks_leaves_it_where_it_is)
{
    struct world *world = with_live_nodes(ISOLATION_RUN);
    uint64_t memory = memory_of(world);
    struct test_node *from = host_of(world, VM);
    from->streams_broken = 1;
    move_to(world, other_node(world));
    world_run(world, 20000);
    cr_assert_str_eq(vm_record_of(world, VM)->vm.node, from->name);
    cr_assert_eq(vm_record_of(world, VM)->vm.phase, VM_PHASE_ASSIGNED);
    cr_assert_eq(memory_of(world), memory);
    cr_assert_eq(copies_of(world), 1);
    cr_assert_eq(told(world, EVENT_KIND_MIGRATION, REASON_DRIVER, NULL), 1);
    world_free(world);
}

Test(live, a_generation_that_was_reserved_is_never_used_again)
{
    struct world *world = with_live_nodes(ISOLATION_RUN);
    host_of(world, VM)->streams_broken = 1;
    move_to(world, other_node(world));
    world_run(world, 20000);
    cr_assert_eq(vm_record_of(world, VM)->vm.generation, 1);
    vm_record_of(world, VM)->live_failed = false;
    move_to(world, other_node(world));
    world_run(world, 20000);
    cr_assert_eq(vm_record_of(world, VM)->vm.generation, 3);
    world_free(world);
}

Test(live, a_drain_goes_on_by_a_restart_where_a_stream_failed)
{
    struct world *world = with_live_nodes(ISOLATION_RUN);
    struct test_node *from = host_of(world, VM);
    from->streams_broken = 1000;
    node_record_of(world, from->name)->spec.draining = true;
    world_run(world, 40000);
    cr_assert_str_neq(vm_record_of(world, VM)->vm.node, from->name);
    cr_assert(is_running(world, VM));
    world_free(world);
}

Test(live, a_vm_that_is_deleted_on_its_way_leaves_no_copy)
{
    struct world *world = with_live_nodes(ISOLATION_RUN);
    host_of(world, VM)->boot_ms = 3000;
    move_to(world, other_node(world));
    world_run(world, 1500);
    world_begin(world);
    plan_remove(world->cluster, vm_record_of(world, VM), world->effects);
    world_perform(world);
    world_run(world, 20000);
    cr_assert_null(vm_record_of(world, VM));
    cr_assert_eq(copies_of(world), 0);
    world_free(world);
}

/* ---- loss at each phase ---- */

enum loss {
    LOSS_SENDER_LINK,
    LOSS_SENDER_ANSWERS, /* it hears, and is not heard */
    LOSS_SENDER_AGENT,
    LOSS_SENDER_POWER,
    LOSS_RECEIVER_LINK,
    LOSS_RECEIVER_ANSWERS,
    LOSS_RECEIVER_AGENT,
    LOSS_RECEIVER_POWER,
    LOSS_ORCHESTRATOR,
    LOSS_COUNT
};

static void lose(struct world *world, enum loss loss, struct test_node *from,
                 struct test_node *to)
{
    struct test_node *node = loss < LOSS_RECEIVER_LINK ? from : to;
    switch (loss) {
    case LOSS_SENDER_LINK:
    case LOSS_RECEIVER_LINK: node->down.drops = true; // fallthrough
    case LOSS_SENDER_ANSWERS:
    case LOSS_RECEIVER_ANSWERS: node->up.drops = true; break;
    case LOSS_SENDER_AGENT:
    case LOSS_RECEIVER_AGENT: node_kill_agent(node); break;
    case LOSS_SENDER_POWER:
    case LOSS_RECEIVER_POWER: node_power_off(node); break;
    case LOSS_ORCHESTRATOR: world_crash(world); break;
    case LOSS_COUNT: break;
    }
}

static void heal(struct world *world, struct test_node *from, struct test_node *to)
{
    from->up.drops = from->down.drops = false;
    to->up.drops = to->down.drops = false;
    if (world->cluster == NULL) {
        world_start(world);
    }
    struct test_node *const nodes[] = {from, to};
    for (int i = 0; i < 2; i++) {
        if (!nodes[i]->powered) {
            node_power_on(world, nodes[i]);
        } else if (!nodes[i]->agent) {
            node_restart_agent(world, nodes[i]);
        }
    }
}

/* Returns the node that runs it in the end. */
static void lose_at(enum isolation isolation, enum loss loss, int64_t at_ms, int64_t for_ms,
                    uint32_t *went, uint32_t *stayed)
{
    struct world *world = with_live_nodes(isolation);
    uint64_t memory = memory_of(world);
    struct test_node *from = host_of(world, VM);
    struct test_node *to = node_named(world, other_node(world));
    move_to(world, to->name);
    world_run(world, at_ms);
    lose(world, loss, from, to);
    world_run(world, for_ms);
    heal(world, from, to);
    world_run(world, 40000);
    const struct vm_record *vm = vm_record_of(world, VM);
    cr_assert_not_null(vm);
    cr_assert_not(vm->vm.live, "loss %d at %d ms for %d ms: not over", (int)loss, (int)at_ms,
                  (int)for_ms);
    cr_assert(is_running(world, VM), "loss %d at %d ms for %d ms: it runs nowhere", (int)loss,
              (int)at_ms, (int)for_ms);
    cr_assert_eq(copies_of(world), 1, "loss %d at %d ms for %d ms: %u copies", (int)loss,
                 (int)at_ms, (int)for_ms, copies_of(world));
    bool power = loss == LOSS_SENDER_POWER || loss == LOSS_RECEIVER_POWER;
    bool long_loss = isolation == ISOLATION_FENCE && for_ms > 10000;
    if (!power && !long_loss) {
        cr_assert_eq(memory_of(world), memory,
                     "loss %d at %d ms for %d ms: what it held is lost", (int)loss, (int)at_ms,
                     (int)for_ms);
    }
    *went += strcmp(vm->vm.node, to->name) == 0 ? 1 : 0;
    *stayed += strcmp(vm->vm.node, from->name) == 0 ? 1 : 0;
    world_free(world);
}

static void sweep(enum isolation isolation)
{
    uint32_t went = 0;
    uint32_t stayed = 0;
    for (enum loss loss = 0; loss < LOSS_COUNT; loss++) {
        for (int64_t at_ms = 0; at_ms <= 1200; at_ms += 100) {
            lose_at(isolation, loss, at_ms, 3000, &went, &stayed);
        }
        for (int64_t at_ms = 0; at_ms <= 1200; at_ms += 400) {
            lose_at(isolation, loss, at_ms, 60000, &went, &stayed);
        }
    }
    cr_assert_gt(went, 0);
    cr_assert_gt(stayed, 0);
}

Test(live, loss_at_each_phase_leaves_one_copy_that_runs)
{
    sweep(ISOLATION_RUN);
}

Test(live, loss_at_each_phase_leaves_one_copy_of_a_protected_vm)
{
    sweep(ISOLATION_FENCE);
}
