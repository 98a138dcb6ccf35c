// SPDX-License-Identifier: Apache-2.0
/* When recovery waits for a person, and what a confirmed death does. */
#include <criterion/criterion.h>

#include "recovery_bench.h"

Test(recovery_confirm, confirmed_death_restarts_vms_of_isolation_run_in_each_mode)
{
    const enum mode modes[] = {MODE_ADVISE, MODE_ACT, MODE_HOLD};
    for (size_t i = 0; i < 3; i++) {
        struct world *world = with_cluster(modes[i], ISOLATION_RUN, 1);
        start_and_settle(world);
        cr_assert(is_running(world, "web-vm-1"));
        struct test_node *host = host_of(world, "web-vm-1");
        node_power_off(host);
        world_run(world, 40000);
        cr_assert_not(is_running(world, "web-vm-1"));
        confirm_dead(world, host->name);
        world_run(world, 5000);
        cr_assert(is_running(world, "web-vm-1"));
        cr_assert_neq(host_of(world, "web-vm-1"), host);
        cr_assert_eq(told(world, EVENT_KIND_VM_LOST, REASON_CONFIRMED_DEAD, host->name), 1);
        world_free(world);
    }
}

Test(recovery_confirm, confirmed_death_acts_before_the_lease_ran_out)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_RUN, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    node_power_off(host);
    world_run(world, 5000);
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_SUSPECT);
    confirm_dead(world, host->name);
    world_run(world, 3000);
    cr_assert(is_running(world, "web-vm-1"));
    cr_assert_eq(told(world, EVENT_KIND_VM_LOST, REASON_CONFIRMED_DEAD, host->name), 1);
    world_free(world);
}

Test(recovery_confirm, node_that_speaks_cannot_be_confirmed_dead)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_RUN, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    confirm_dead(world, host->name);
    world_run(world, 5000);
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_UP);
    cr_assert_eq(host_of(world, "web-vm-1"), host);
    world_free(world);
}

Test(recovery_confirm, confirmed_death_is_remembered_over_a_restart_and_ends_with_a_hello)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_RUN, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    node_power_off(host);
    world_run(world, 40000);
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        world->nodes[i].down.drops = true; /* nobody can take the VM now */
    }
    confirm_dead(world, host->name);
    world_crash(world);
    world_start(world);
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_DEAD);
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        world->nodes[i].down.drops = false;
    }
    world_run(world, 20000);
    cr_assert(is_running(world, "web-vm-1"));
    node_power_on(world, host);
    world_run(world, 5000);
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_UP);
    for (uint32_t i = 0; i < world->epochs_count; i++) {
        cr_assert_not(world->epochs[i].confirmed_dead);
    }
    world_free(world);
}

Test(recovery_confirm, mode_advise_only_raises_the_alarm_with_the_command)
{
    struct world *world = with_cluster(MODE_ADVISE, ISOLATION_FENCE, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    node_power_off(host);
    world_run(world, 60000);
    cr_assert_not(is_running(world, "web-vm-1"));
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, 1);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_MODE, host->name), 1);
    world->cluster->settings.mode = MODE_ACT; /* the operator switches */
    world_run(world, 5000);
    cr_assert(is_running(world, "web-vm-1"));
    world_free(world);
}

Test(recovery_confirm, second_lost_node_within_ten_minutes_needs_a_person)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 8);
    start_and_settle(world);
    node_power_off(&world->nodes[0]);
    world_run(world, 60000);
    cr_assert_eq(node_record_of(world, "n1")->vms, 0);
    node_power_off(&world->nodes[1]);
    world_run(world, 60000);
    cr_assert_gt(node_record_of(world, "n2")->vms, 0);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_MASS_FAILURE, "n2"), 1);
    confirm_dead(world, "n2");
    world_run(world, 10000);
    cr_assert_eq(node_record_of(world, "n2")->vms, 0);
    world_free(world);
}

Test(recovery_confirm, brake_lets_the_next_node_pass_after_its_window)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 4);
    start_and_settle(world);
    node_power_off(&world->nodes[0]);
    world_run(world, 60000);
    node_power_on(world, &world->nodes[0]);
    world_run(world, 700000);
    node_power_off(&world->nodes[1]);
    world_run(world, 60000);
    cr_assert_eq(node_record_of(world, "n2")->vms, 0);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_MASS_FAILURE, NULL), 0);
    world_free(world);
}

Test(recovery_confirm, of_two_nodes_the_other_one_takes_over)
{
    struct world *world = world_new(MODE_ACT);
    world_add_node(world, "n1");
    world_add_node(world, "n2");
    world_add_service(world, "web", ISOLATION_FENCE, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    cr_assert_not_null(host);
    node_power_off(host);
    world_run(world, 60000);
    cr_assert(is_running(world, "web-vm-1"));
    cr_assert_neq(host_of(world, "web-vm-1"), host);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_MASS_FAILURE, NULL), 0);
    world_free(world);
}

Test(recovery_confirm, nothing_restarts_when_half_of_the_nodes_vanish_at_once)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 8);
    start_and_settle(world);
    node_power_off(&world->nodes[0]);
    node_power_off(&world->nodes[1]);
    world_run(world, 120000);
    for (uint32_t i = 1; i <= 8; i++) {
        char vm[NAME_SIZE];
        (void)snprintf(vm, sizeof vm, "web-vm-%u", i);
        cr_assert_eq(vm_record_of(world, vm)->vm.generation, 1);
    }
    cr_assert_geq(told(world, EVENT_KIND_ALARM, REASON_MASS_FAILURE, NULL), 1);
    world_free(world);
}

Test(recovery_confirm, vms_of_a_node_not_seen_in_this_epoch_are_not_restarted)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    world_crash(world);
    host->up.drops = true;
    host->down.drops = true;
    world_start(world);
    world_run(world, 300000);
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_UNSEEN);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, 1);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_NOT_SEEN_THIS_EPOCH, host->name), 1);
    confirm_dead(world, host->name);
    node_power_off(host);
    world_run(world, 5000);
    cr_assert(is_running(world, "web-vm-1"));
    world_free(world);
}

Test(recovery_confirm, parked_node_that_dies_while_we_are_away_needs_a_person)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    char uuid[UUID_SIZE];
    memcpy(uuid, vm_record_of(world, "web-vm-1")->vm.uuid, sizeof uuid);
    world_step(world, &(struct cluster_event){.type = CLUSTER_EVENT_STOP});
    world_run(world, 100);
    world_crash(world);
    world_run(world, 60000);
    cr_assert_eq(world_instances(world, uuid), 1);
    cr_assert_eq(host->fences, 0, "a parked node does not end its VMs");
    host->up.drops = true;
    host->down.drops = true;
    world_start(world);
    world_run(world, 300000);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, 1);
    cr_assert(is_running(world, "web-vm-1"));
    cr_assert_eq(host->fences, 0);
    world_free(world);
}

Test(recovery_confirm, an_agent_that_left_on_purpose_is_waited_for_whatever_its_lease)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    struct node_message *leave = calloc(1, sizeof *leave);
    cr_assert(host != NULL && leave != NULL);
    leave->type = NODE_MESSAGE_LEAVE;
    memcpy(leave->leave.incarnation, host->incarnation, sizeof leave->leave.incarnation);
    node_send(world, host, leave);
    world_run(world, 500);
    cr_assert(host->parked, "it was told that its lease is let go");
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_PARKED);
    node_kill_agent(host);
    world_run(world, 120000);
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_PARKED);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, 1);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_NEEDS_CONFIRM, host->name), 1);
    node_restart_agent(world, host);
    host->parked = false;
    world_run(world, 20000);
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_UP);
    cr_assert_eq(vm_record_of(world, "web-vm-1")->vm.generation, 1);
    cr_assert(node_record_of(world, host->name)->lease_acknowledged);
    world_free(world);
}

Test(recovery_confirm, a_lost_node_is_not_let_go_by_a_late_leave)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    static struct node_message leave = {.type = NODE_MESSAGE_LEAVE};
    memcpy(leave.leave.incarnation, host->incarnation, sizeof leave.leave.incarnation);
    host->up.drops = true;
    host->down.drops = true;
    world_run(world, 60000);
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_EXPIRED);
    host->up.drops = false;
    host->down.drops = false;
    struct cluster_event event = {.type = CLUSTER_EVENT_NODE};
    leave.header.epoch = world->cluster->epoch;
    event.node.name = host->name;
    event.node.message = &leave;
    world_step(world, &event);
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_EXPIRED);
    world_run(world, 100);
    cr_assert_not(host->parked);
    world_free(world);
}

/* It speaks again, but what it runs is not known yet: stale copies must not lose their fence.
 */
Test(recovery_confirm, a_returning_node_is_not_let_go_before_its_copies_are_known)
{
    struct world *world = with_cluster(MODE_ACT, ISOLATION_FENCE, 1);
    start_and_settle(world);
    struct test_node *host = host_of(world, "web-vm-1");
    host->up.drops = true;
    host->down.drops = true;
    world_run(world, 60000);
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_EXPIRED);
    static struct node_message message = {.type = NODE_MESSAGE_RENEW};
    message.header.epoch = world->cluster->epoch;
    memcpy(message.renew.incarnation, host->incarnation, sizeof message.renew.incarnation);
    message.renew.sequence = 1000000;
    struct cluster_event event = {.type = CLUSTER_EVENT_NODE};
    event.node.name = host->name;
    event.node.message = &message;
    world_step(world, &event);
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_UP);
    message = (struct node_message){.type = NODE_MESSAGE_LEAVE};
    message.header.epoch = world->cluster->epoch;
    memcpy(message.leave.incarnation, host->incarnation, sizeof message.leave.incarnation);
    world_step(world, &event);
    cr_assert_eq(node_record_of(world, host->name)->state, NODE_STATE_UP);
    host->up.drops = false;
    host->down.drops = false;
    world_run(world, 100);
    cr_assert_not(host->parked);
    world_free(world);
}
