// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "timeline.h"

static void step_until_state(struct world *world, const char *node, enum node_state state,
                             int64_t at_most_ms)
{
    int64_t until_ms = world->now_ms + at_most_ms;
    while (world->now_ms < until_ms && node_record_of(world, node)->state != state) {
        world_advance(world);
    }
    cr_assert_eq(node_record_of(world, node)->state, state, "%s is in state %d", node,
                 node_record_of(world, node)->state);
}

static struct world *with_nodes(enum mode mode, uint32_t nodes)
{
    static const char *const names[] = {"n1", "n2", "n3", "n4", "n5"};
    struct world *world = world_new(mode);
    for (uint32_t i = 0; i < nodes; i++) {
        world_add_node(world, names[i]);
    }
    return world;
}

/* One message of a node that does not follow the rules of a test_node. */
static void inject(struct world *world, const char *node, const struct node_message *message)
{
    struct cluster_event event = {.type = CLUSTER_EVENT_NODE};
    event.node.name = node;
    event.node.message = message;
    world_step(world, &event);
}

Test(membership, node_that_speaks_is_up_and_gets_welcome_and_lease)
{
    struct world *world = with_nodes(MODE_ACT, 1);
    world_start(world);
    world_run(world, 2500);
    const struct node_record *node = node_record_of(world, "n1");
    cr_assert_eq(node->state, NODE_STATE_UP);
    cr_assert(node->lease_acknowledged);
    cr_assert_not(node->stored, "made by a hello, not written by a person");
    cr_assert_eq(world->epochs_count, 1);
    cr_assert_eq(world->epochs[0].acknowledged_epoch, world->epoch);
    cr_assert(world->nodes[0].welcome);
    world_free(world);
}

Test(membership, acknowledgement_is_stored_once_per_epoch)
{
    struct world *world = with_nodes(MODE_ACT, 1);
    world_start(world);
    world_run(world, 3000);
    world->epochs_count = 0;
    world_run(world, 10000);
    cr_assert_eq(world->epochs_count, 0);
    world_free(world);
}

Test(membership, lease_is_counted_from_receipt_with_drift_and_never_ends_before_the_nodes)
{
    struct world *world = with_nodes(MODE_ACT, 1);
    world->nodes[0].up.delay_ms = 400;
    world_start(world);
    world_run(world, 20000);
    const struct node_record *node = node_record_of(world, "n1");
    cr_assert_geq((double)node->lease_expires_ms, world->nodes[0].lease_until);
    cr_assert_leq(node->lease_expires_ms, world->now_ms + 15000 + 150 + 1000);
    cr_assert_gt(node->lease_expires_ms, world->now_ms + 15000 - 2000);
    world_free(world);
}

Test(membership, grant_leaves_only_after_the_lease_was_noted)
{
    struct world *world = with_nodes(MODE_ACT, 1);
    world_start(world);
    world_run(world, 2500);
    struct node_message message = {.type = NODE_MESSAGE_RENEW};
    (void)snprintf(message.renew.incarnation, NAME_SIZE, "n1-1");
    message.renew.sequence = 1000;
    message.renew.sent_at_ms = 77;
    inject(world, "n1", &message);
    const struct sent_record *sent = &world->sent[world->sent_count - 1];
    cr_assert_eq(sent->type, NODE_MESSAGE_GRANT);
    cr_assert_eq(sent->grant.sent_at_ms, 77);
    cr_assert_eq(sent->grant.sequence, 1000);
    cr_assert_eq(node_record_of(world, "n1")->lease_expires_ms, world->now_ms + 16150);
    uint32_t before = world->sent_count;
    inject(world, "n1", &message);
    cr_assert_eq(world->sent_count, before, "a repeated renewal grants nothing");
    world_free(world);
}

Test(membership, silent_node_is_suspect_after_three_seconds_with_one_alarm)
{
    struct world *world = with_nodes(MODE_ACT, 2);
    world_start(world);
    world_run(world, 5000);
    node_power_off(&world->nodes[0]);
    int64_t off_ms = world->now_ms;
    step_until_state(world, "n1", NODE_STATE_SUSPECT, 10000);
    cr_assert_geq(world->now_ms - off_ms, 2000);
    cr_assert_leq(world->now_ms - off_ms, 3500);
    world_run(world, 5000);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_NODE_DOWN, "n1"), 1);
    cr_assert_eq(node_record_of(world, "n2")->state, NODE_STATE_UP);
    world_free(world);
}

Test(membership, node_expires_only_by_lease_arithmetic_plus_margin)
{
    struct world *world = with_nodes(MODE_ACT, 4);
    world_start(world);
    world_run(world, 30000);
    node_power_off(&world->nodes[0]);
    int64_t expires_ms = node_record_of(world, "n1")->lease_expires_ms;
    step_until_state(world, "n1", NODE_STATE_EXPIRED, 40000);
    cr_assert_gt(world->now_ms, expires_ms + 5000);
    cr_assert_leq(world->now_ms, expires_ms + 5000 + 600);
    cr_assert_eq(told(world, EVENT_KIND_NODE_LOST, REASON_LEASE_EXPIRED, "n1"), 1);
    world_free(world);
}

Test(membership, heartbeats_alone_do_not_keep_a_node_from_expiring)
{
    struct world *world = with_nodes(MODE_ACT, 4);
    world_start(world);
    world_run(world, 30000);
    world->nodes[0].up.drops = true;
    uint64_t sequence = world->nodes[0].telemetry + 1000;
    int64_t until_ms = world->now_ms + 30000;
    while (world->now_ms < until_ms) {
        struct node_message beat = {.type = NODE_MESSAGE_HEARTBEAT};
        beat.header.sequence = sequence++;
        (void)snprintf(beat.heartbeat.incarnation, NAME_SIZE, "n1-1");
        inject(world, "n1", &beat);
        world_run(world, 1000);
    }
    cr_assert_eq(node_record_of(world, "n1")->state, NODE_STATE_EXPIRED);
    world_free(world);
}

Test(membership, node_that_never_acknowledged_a_lease_never_expires)
{
    struct world *world = with_nodes(MODE_ACT, 4);
    world->nodes[0].down.drops = true; /* it hears nothing, so it acknowledges nothing */
    world_start(world);
    world_run(world, 3000);
    cr_assert_eq(node_record_of(world, "n1")->state, NODE_STATE_UP);
    node_power_off(&world->nodes[0]);
    world_run(world, 300000);
    cr_assert_eq(node_record_of(world, "n1")->state, NODE_STATE_SUSPECT);
    cr_assert_eq(told(world, EVENT_KIND_NODE_LOST, REASON_LEASE_EXPIRED, NULL), 0);
    world_free(world);
}

Test(membership, stopped_observer_judges_nobody_by_the_past)
{
    struct world *world = with_nodes(MODE_ACT, 4);
    world_start(world);
    world_run(world, 30000);
    world->stopped = true; /* SIGSTOP: what is sent meanwhile waits in queues */
    world_run(world, 60000);
    world->stopped = false;
    world_step(world, &(struct cluster_event){.type = CLUSTER_EVENT_LATE, .late_ms = 60000});
    world_step(world, &(struct cluster_event){.type = CLUSTER_EVENT_TICK});
    world_run(world, 60000);
    cr_assert_eq(told(world, EVENT_KIND_NODE_LOST, REASON_LEASE_EXPIRED, NULL), 0);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_NODE_DOWN, NULL), 0);
    world_free(world);
}

Test(membership, stopped_observer_needs_one_fresh_lease_even_about_a_dead_node)
{
    struct world *world = with_nodes(MODE_ACT, 4);
    world_start(world);
    world_run(world, 30000);
    world->stopped = true;
    node_power_off(&world->nodes[0]);
    world_run(world, 60000);
    world->stopped = false;
    int64_t back_ms = world->now_ms; /* its own lateness is seen even if nobody says LATE */
    step_until_state(world, "n1", NODE_STATE_EXPIRED, 60000);
    cr_assert_geq(world->now_ms - back_ms, 15000);
    world_free(world);
}

Test(membership, late_messages_of_an_older_incarnation_are_dropped)
{
    struct world *world = with_nodes(MODE_ACT, 1);
    world_start(world);
    world_run(world, 3000);
    node_restart_agent(world, &world->nodes[0]);
    world_run(world, 3000);
    cr_assert_str_eq(node_record_of(world, "n1")->incarnation, "n1-2");
    struct node_message message = {.type = NODE_MESSAGE_HELLO};
    (void)snprintf(message.hello.incarnation, NAME_SIZE, "n1-1");
    inject(world, "n1", &message);
    cr_assert_str_eq(node_record_of(world, "n1")->incarnation, "n1-2");
    message = (struct node_message){.type = NODE_MESSAGE_SNAPSHOT};
    message.header.epoch = world->epoch;
    (void)snprintf(message.snapshot.incarnation, NAME_SIZE, "n1-1");
    message.snapshot.number = 1000000;
    inject(world, "n1", &message);
    cr_assert_lt(node_record_of(world, "n1")->snapshot_number, 1000000);
    world_free(world);
}

Test(membership, older_snapshot_that_arrives_late_is_dropped)
{
    struct world *world = with_nodes(MODE_ACT, 1);
    world_start(world);
    world_run(world, 12000);
    uint64_t number = node_record_of(world, "n1")->snapshot_number;
    cr_assert_geq(number, 2);
    struct node_message message = {.type = NODE_MESSAGE_SNAPSHOT};
    message.header.epoch = world->epoch;
    (void)snprintf(message.snapshot.incarnation, NAME_SIZE, "n1-1");
    message.snapshot.number = number - 1;
    message.snapshot.status.cpu_pct = 1;
    inject(world, "n1", &message);
    cr_assert_eq(node_record_of(world, "n1")->snapshot_number, number);
    cr_assert_eq(node_record_of(world, "n1")->status.cpu_pct, 800);
    world_free(world);
}

Test(membership, lost_telemetry_is_counted_by_sequence_and_not_across_incarnations)
{
    struct world *world = with_nodes(MODE_ACT, 1);
    world_start(world);
    world_run(world, 3000);
    struct node_record *node = node_record_of(world, "n1");
    cr_assert_eq(node->telemetry_lost, 0);
    struct node_message beat = {.type = NODE_MESSAGE_HEARTBEAT};
    (void)snprintf(beat.heartbeat.incarnation, NAME_SIZE, "n1-1");
    beat.header.sequence = node->telemetry_sequence + 6;
    inject(world, "n1", &beat);
    cr_assert_eq(node->telemetry_lost, 5);
    inject(world, "n1", &beat);
    cr_assert_eq(node->telemetry_lost, 5, "a repeated one is no loss");
    node_restart_agent(world, &world->nodes[0]);
    world_run(world, 3000);
    cr_assert_eq(node->telemetry_lost, 5);
    world_free(world);
}

Test(membership, model_node_among_real_ones_gets_an_alarm_and_no_capacity)
{
    struct world *world = with_nodes(MODE_ACT, 2);
    world->nodes[0].capabilities &= ~(unsigned)CAPABILITY_MODEL;
    world->nodes[1].renew_at_ms += 2000;
    struct test_node *gateway = world_add_node(world, "gw");
    gateway->capabilities = CAPABILITY_GATEWAY;
    world_add_service(world, "web", ISOLATION_RUN, 2);
    world_start(world);
    world_run(world, 20000);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_NODE_MIXED, "n2"), 1);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_NODE_MIXED, NULL), 1);
    cr_assert(node_record_of(world, "n2")->mixed);
    cr_assert_not(node_record_of(world, "gw")->mixed);
    cr_assert_eq(node_record_of(world, "n1")->vms, 2);
    cr_assert_eq(node_record_of(world, "n2")->vms, 0);
    world_free(world);
}

Test(membership, kind_of_the_nodes_that_hold_vms_wins_over_the_first_that_speaks)
{
    struct world *world = with_nodes(MODE_ACT, 2);
    world->nodes[0].capabilities &= ~(unsigned)CAPABILITY_MODEL;
    world->nodes[1].powered = false;
    world_add_service(world, "web", ISOLATION_RUN, 1);
    world_start(world);
    world_run(world, 5000);
    cr_assert_str_eq(vm_record_of(world, "web-vm-1")->vm.node, "n1");
    world_crash(world);
    node_power_on(world, &world->nodes[1]);
    world->nodes[0].renew_at_ms = world->now_ms + 4000; /* the model node speaks first */
    world_start(world);
    world_run(world, 10000);
    cr_assert(node_record_of(world, "n2")->mixed);
    cr_assert_not(node_record_of(world, "n1")->mixed);
    world_free(world);
}

Test(membership, clean_stop_parks_and_the_next_epoch_waits_to_be_spoken_to)
{
    struct world *world = with_nodes(MODE_ACT, 2);
    world_start(world);
    world_run(world, 5000);
    world_step(world, &(struct cluster_event){.type = CLUSTER_EVENT_STOP});
    world_run(world, 100);
    cr_assert(world->nodes[0].parked);
    cr_assert(world->epochs[0].parked);
    world_crash(world);
    node_power_off(&world->nodes[0]);
    world_start(world);
    cr_assert_eq(node_record_of(world, "n1")->state, NODE_STATE_PARKED);
    world_run(world, 120000);
    cr_assert_eq(node_record_of(world, "n1")->state, NODE_STATE_PARKED);
    cr_assert_eq(node_record_of(world, "n2")->state, NODE_STATE_UP);
    cr_assert_not(world->nodes[1].parked);
    cr_assert_not(node_record_of(world, "n2")->life.parked);
    world_free(world);
}

Test(membership, agent_of_a_later_epoch_is_left_alone)
{
    struct world *world = with_nodes(MODE_ACT, 1);
    world_start(world);
    struct node_message message = {.type = NODE_MESSAGE_HELLO};
    (void)snprintf(message.hello.incarnation, NAME_SIZE, "x-1");
    message.hello.epoch_seen = world->epoch + 5;
    inject(world, "x", &message);
    inject(world, "x", &message);
    cr_assert_neq(node_record_of(world, "x")->state, NODE_STATE_UP);
    cr_assert_eq(world->sent_count, 0);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_STALE_EPOCH, "x"), 1);
    world_free(world);
}

Test(membership, more_nodes_than_fit_are_ignored_with_one_alarm)
{
    struct world *world = with_nodes(MODE_ACT, 0);
    world->config.nodes_max = 2;
    world_start(world);
    struct node_message message = {.type = NODE_MESSAGE_HELLO};
    (void)snprintf(message.hello.incarnation, NAME_SIZE, "i");
    inject(world, "a", &message);
    inject(world, "b", &message);
    inject(world, "c", &message);
    inject(world, "d", &message);
    cr_assert_eq(world->cluster->nodes.count, 2);
    cr_assert_eq(told(world, EVENT_KIND_ALARM, REASON_LIMIT, NULL), 1);
    world_free(world);
}

Test(membership, restarted_orchestrator_grants_at_once_to_an_agent_that_only_renews)
{
    struct world *world = with_nodes(MODE_ACT, 1);
    world_start(world);
    world_run(world, 5000);
    world_crash(world);
    world_run(world, 2000);
    world_start(world);
    world_run(world, 3500);
    const struct node_record *node = node_record_of(world, "n1");
    cr_assert_eq(node->state, NODE_STATE_UP);
    cr_assert(node->lease_acknowledged);
    cr_assert_eq(world->nodes[0].epoch_seen, world->epoch);
    cr_assert(node->snapshot_known);
    world_free(world);
}
