// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "timeline.h"

static struct world *with_entry(uint32_t gateways)
{
    struct world *world = world_new(MODE_ADVISE);
    for (uint32_t i = 0; i < 2; i++) {
        struct test_node *node = world_add_node(world, i == 0 ? "n1" : "n2");
        node->capabilities &= ~(unsigned)CAPABILITY_MODEL;
    }
    for (uint32_t i = 0; i < gateways; i++) {
        struct test_node *node = world_add_node(world, i == 0 ? "gw1" : "gw2");
        node->capabilities = CAPABILITY_GATEWAY;
    }
    struct service *service = world_add_service(world, "web", ISOLATION_RUN, 2);
    service->has_entry = true;
    (void)snprintf(service->entry.listen, sizeof service->entry.listen, "10.0.8.10:80");
    service->entry.check_every_ms = 2000;
    world_start(world);
    return world;
}

static struct service_record *service_of(struct world *world)
{
    return table_find(&world->cluster->services, "web");
}

static const struct entry_order *entry_on(struct world *world, const char *gateway)
{
    struct test_node *node = node_named(world, gateway);
    return node->entries_count == 0 ? NULL : &node->entry_orders[0];
}

static uint32_t entry_orders(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->sent_count; i++) {
        count += world->sent[i].type == NODE_MESSAGE_ENTRY_ORDER ? 1 : 0;
    }
    return count;
}

Test(entries, running_vms_are_behind_the_entry_with_weights_by_their_caps)
{
    struct world *world = with_entry(1);
    world_run(world, 20000);
    const struct entry_order *entry = entry_on(world, "gw1");
    cr_assert_not_null(entry);
    cr_assert_eq(entry->servers_count, 2);
    cr_assert_eq(entry->servers[0].port, 8080);
    cr_assert_null(strchr(entry->servers[0].address, '/'));
    cr_assert_eq(entry->servers[0].weight, 256);
    cr_assert_eq(entry->servers[1].weight, 256);
    vm_record_of(world, "web-vm-2")->vm.cap_pct = 25;
    world_run(world, 5000);
    entry = entry_on(world, "gw1");
    cr_assert_eq(entry->servers[0].weight, 256);
    cr_assert_eq(entry->servers[1].weight, 128);
    cr_assert_eq(service_of(world)->entry_done, service_of(world)->entry_operation);
    world_free(world);
}

Test(entries, nothing_is_sent_without_a_change)
{
    struct world *world = with_entry(1);
    world_run(world, 20000);
    uint32_t before = entry_orders(world);
    world_run(world, 60000);
    cr_assert_eq(entry_orders(world), before);
    world_free(world);
}

Test(entries, lost_order_is_sent_again_until_it_is_done)
{
    struct world *world = with_entry(1);
    world_run(world, 20000);
    struct test_node *gateway = node_named(world, "gw1");
    gateway->down.loss_permille = 1000;
    vm_record_of(world, "web-vm-2")->vm.cap_pct = 25;
    world_run(world, 2000);
    uint64_t operation = service_of(world)->entry_operation;
    gateway->down.loss_permille = 0;
    world_run(world, 6000);
    cr_assert_eq(entry_on(world, "gw1")->operation, operation);
    cr_assert_eq(service_of(world)->entry_done, operation);
    world_free(world);
}

Test(entries, vm_of_a_lost_node_leaves_before_its_replacement_is_up)
{
    struct world *world = with_entry(1);
    world_run(world, 20000);
    struct test_node *host = host_of(world, "web-vm-1");
    cr_assert_neq(host, host_of(world, "web-vm-2"));
    node_power_off(host);
    world_run(world, 30000);
    cr_assert_eq(entry_on(world, "gw1")->servers_count, 1);
    cr_assert_str_eq(entry_on(world, "gw1")->servers[0].vm, "web-vm-2");
    cr_assert_not(is_running(world, "web-vm-1"));
    world_free(world);
}

Test(entries, stopped_vm_leaves_at_once_and_comes_back_when_it_runs)
{
    struct world *world = with_entry(1);
    world_run(world, 20000);
    struct vm_record *vm = vm_record_of(world, "web-vm-1");
    vm->vm.desired = RUN_STATE_STOPPED;
    cluster_mark_dirty(world->cluster, vm);
    world_run(world, 100);
    cr_assert_eq(entry_on(world, "gw1")->servers_count, 1);
    vm->vm.desired = RUN_STATE_RUNNING;
    cluster_mark_dirty(world->cluster, vm);
    world_run(world, 5000);
    cr_assert_eq(entry_on(world, "gw1")->servers_count, 2);
    world_free(world);
}

Test(entries, vm_that_is_removed_is_drained_first)
{
    struct world *world = with_entry(1);
    world_run(world, 20000);
    struct vm_record *vm = vm_record_of(world, "web-vm-1");
    vm->vm.phase = VM_PHASE_REMOVING;
    cluster_mark_dirty(world->cluster, vm);
    world_run(world, 1000);
    const struct entry_order *entry = entry_on(world, "gw1");
    cr_assert_eq(entry->servers_count, 2);
    cr_assert(entry->servers[0].drain);
    cr_assert_not(entry->servers[1].drain);
    cr_assert(is_running(world, "web-vm-1"), "it finishes what it has");
    world_run(world, 4000);
    cr_assert_null(vm_record_of(world, "web-vm-1"));
    cr_assert_eq(entry_on(world, "gw1")->servers_count, 1);
    world_free(world);
}

Test(entries, lost_gateways_entry_moves_to_another_one_and_is_removed_from_the_first)
{
    struct world *world = with_entry(2);
    world_run(world, 20000);
    cr_assert_str_eq(service_of(world)->gateway, "gw1");
    cr_assert_null(entry_on(world, "gw2"));
    struct test_node *gateway = node_named(world, "gw1");
    gateway->up.drops = true;
    gateway->down.drops = true;
    world_run(world, 40000);
    cr_assert_str_eq(service_of(world)->gateway, "gw2");
    cr_assert_eq(entry_on(world, "gw2")->servers_count, 2);
    gateway->up.drops = false;
    gateway->down.drops = false;
    world_run(world, 20000);
    cr_assert_null(entry_on(world, "gw1"), "the returning one is told to end it");
    cr_assert_str_eq(service_of(world)->gateway, "gw2");
    world_free(world);
}

Test(entries, restarted_orchestrator_never_empties_an_entry_that_serves)
{
    struct world *world = with_entry(2);
    world_run(world, 20000);
    cr_assert_eq(entry_on(world, "gw1")->servers_count, 2);
    world_crash(world);
    node_named(world, "n2")->renew_at_ms = world->now_ms + 8000; /* speaks late */
    world_start(world);
    for (int64_t until_ms = world->now_ms + 30000; world->now_ms < until_ms;) {
        world_run(world, STEP_MS);
        cr_assert_eq(entry_on(world, "gw1")->servers_count, 2);
        cr_assert_null(entry_on(world, "gw2"));
    }
    cr_assert_str_eq(service_of(world)->gateway, "gw1");
    cr_assert_eq(service_of(world)->entry_done, service_of(world)->entry_operation);
    cr_assert_neq(service_of(world)->entry_hash, 0);
    world_free(world);
}

Test(entries, without_a_gateway_the_service_says_so)
{
    struct world *world = with_entry(0);
    world_run(world, 30000);
    cr_assert_eq(entry_orders(world), 0);
    cr_assert_not_null(strstr(service_of(world)->entry_problem, "gateway"));
    world_free(world);
}

Test(entries, removed_entry_is_taken_away)
{
    struct world *world = with_entry(1);
    world_run(world, 20000);
    world_begin(world);
    entries_remove(world->cluster, service_of(world), world->effects);
    service_of(world)->spec.has_entry = false;
    world_perform(world);
    world_run(world, 1000);
    cr_assert_null(entry_on(world, "gw1"));
    world_free(world);
}
