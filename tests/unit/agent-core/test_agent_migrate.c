// SPDX-License-Identifier: Apache-2.0
/* The agents' part of a migration: one copy that can run, whatever is lost and when. */
#include "tests/unit/agent-core/agent_world.h"

#define OUR_CALL (1u << 30)

/* Something happens to the guest that is not a call of the agent. */
static void happen(struct world *w, enum hypervisor_call_kind kind, uint64_t generation)
{
    static uint64_t id = OUR_CALL;
    struct hypervisor_call call = {.id = id++, .kind = kind, .deadline_ms = w->now_ms + 10000};
    call.order = make_order(9, "v", RUN_STATE_PAUSED).vm_order;
    call.order.generation = generation;
    struct err err = {0};
    cr_assert_eq(host_model_start(w->host, &call, w->now_ms, &err), 0, "%s", err.text);
    run_until(w, w->now_ms + 50);
}

static void finish_call(struct world *w, int code)
{
    struct hypervisor_completion done = {.id = w->migrate_call.id,
                                         .kind = w->migrate_call.kind,
                                         .code = code,
                                         .reason = code == 0 ? REASON_NONE : REASON_DRIVER};
    snprintf(done.text, sizeof done.text, "%s", code == 0 ? "" : "the peer went away");
    if (done.kind == HYPERVISOR_CALL_MIGRATE_LISTEN && code == 0) {
        snprintf(done.peer, sizeof done.peer, "192.0.2.1:4711");
        snprintf(done.peer_key, sizeof done.peer_key, "key-1");
    }
    struct agent_event event = {
        .type = AGENT_EVENT_COMPLETED, .now_ms = w->now_ms, .completed = &done};
    step(w, &event);
    run_until(w, w->now_ms + 3000);
}

static struct world *make_migrating_world(void)
{
    struct world *w = make_world();
    start_agent(w, "boot-1", CAPABILITY_MIGRATE_LIVE, NULL);
    welcome(w);
    return w;
}

static void order_out(struct world *w, uint64_t operation, const char *key)
{
    struct node_message message = make_order(operation, "v", RUN_STATE_RUNNING);
    snprintf(message.vm_order.migrate_to, NAME_SIZE, "n2");
    snprintf(message.vm_order.peer, ADDRESS_SIZE, "192.0.2.2:4711");
    snprintf(message.vm_order.peer_key, NAME_SIZE, "%s", key);
    send_message(w, &message);
    run_until(w, w->now_ms + 2000);
}

static struct world *make_sender(void)
{
    struct world *w = make_migrating_world();
    order(w, 1, "v", RUN_STATE_RUNNING);
    run_until(w, 4000);
    cr_assert(runs(w, "uuid-v"));
    order_out(w, 2, "key-1");
    cr_assert_eq(w->migrate_calls, 1);
    cr_assert_eq(w->migrate_call.kind, HYPERVISOR_CALL_MIGRATE_OUT);
    cr_assert_str_eq(w->migrate_call.peer, "192.0.2.2:4711");
    cr_assert_str_eq(w->migrate_call.peer_key, "key-1");
    return w;
}

static void order_in(struct world *w, uint64_t operation)
{
    struct node_message message = make_order(operation, "v", RUN_STATE_PAUSED);
    message.vm_order.generation = 2;
    snprintf(message.vm_order.migrate_from, NAME_SIZE, "n2");
    snprintf(message.vm_order.address, ADDRESS_SIZE, "10.0.0.77");
    send_message(w, &message);
    run_until(w, w->now_ms + 2000);
}

static struct world *make_receiver(void)
{
    struct world *w = make_migrating_world();
    order_in(w, 1);
    cr_assert_eq(w->migrate_call.kind, HYPERVISOR_CALL_MIGRATE_LISTEN);
    cr_assert_str_eq(w->migrate_call.peer, "192.0.2.1");
    finish_call(w, 0);
    cr_assert_eq(w->migrate_call.kind, HYPERVISOR_CALL_MIGRATE_IN);
    return w;
}

static void restart(struct world *w)
{
    static struct agent_memory memory;
    memory = *w->memory;
    agent_destroy(w->agent);
    start_agent(w, "boot-2", CAPABILITY_MIGRATE_LIVE, &memory);
    welcome(w);
    run_until(w, w->now_ms + 3000);
}

Test(agent_migrate, what_is_handed_over_stays_suspended_until_it_is_ordered_to_go_on)
{
    struct world *w = make_sender();
    happen(w, HYPERVISOR_CALL_PAUSE, 1); /* the end of the stream suspends it */
    finish_call(w, 0);
    cr_assert_not_null(result_of(w, 2, RESULT_STATE_EFFECTIVE));
    run_until(w, w->now_ms + 120000);
    cr_assert_not(runs(w, "uuid-v"));
    cr_assert_eq(status_of(w, "v")->state, RUN_STATE_PAUSED);
    cr_assert_eq(status_of(w, "v")->operation_done, 2);
    order(w, 3, "v", RUN_STATE_RUNNING);
    run_until(w, w->now_ms + 2000);
    cr_assert(runs(w, "uuid-v"));
    end_world(w);
}

Test(agent_migrate, an_address_that_went_along_is_not_given_to_the_next_vm)
{
    struct world *w = make_sender();
    cr_assert_str_eq(status_of(w, "v")->address, "10.0.0.11");
    happen(w, HYPERVISOR_CALL_PAUSE, 1);
    finish_call(w, 0);
    order(w, 3, "v", RUN_STATE_ABSENT);
    run_until(w, w->now_ms + 3000);
    cr_assert_null(status_of(w, "v"));
    order(w, 4, "x", RUN_STATE_RUNNING);
    run_until(w, w->now_ms + 3000);
    cr_assert_str_eq(status_of(w, "x")->address, "10.0.0.12");
    order(w, 5, "y", RUN_STATE_RUNNING);
    run_until(w, w->now_ms + 3000);
    cr_assert_str_eq(status_of(w, "y")->address, "10.0.0.11", "no other is left");
    end_world(w);
}

Test(agent_migrate, an_address_that_went_along_is_known_after_a_restart)
{
    struct world *w = make_sender();
    happen(w, HYPERVISOR_CALL_PAUSE, 1);
    finish_call(w, 0);
    order(w, 3, "v", RUN_STATE_ABSENT);
    run_until(w, w->now_ms + 3000);
    restart(w);
    restart(w);
    order(w, 4, "x", RUN_STATE_RUNNING);
    run_until(w, w->now_ms + 3000);
    cr_assert_str_eq(status_of(w, "x")->address, "10.0.0.12");
    end_world(w);
}

Test(agent_migrate, a_changed_cap_does_not_undo_what_was_handed_over)
{
    struct world *w = make_sender();
    happen(w, HYPERVISOR_CALL_PAUSE, 1);
    finish_call(w, 0);
    order_out(w, 3, "key-1");
    cr_assert_not_null(result_of(w, 3, RESULT_STATE_EFFECTIVE));
    cr_assert_eq(w->migrate_calls, 1);
    cr_assert_not(runs(w, "uuid-v"));
    end_world(w);
}

Test(agent_migrate, the_end_of_an_older_stream_hands_nothing_over_for_a_newer_order)
{
    struct world *w = make_sender();
    order_out(w, 3, "key-2"); /* beside the stream: it waits for its end */
    cr_assert_eq(w->migrate_calls, 1);
    happen(w, HYPERVISOR_CALL_PAUSE, 1);
    finish_call(w, 0); /* of key-1 */
    run_until(w, w->now_ms + 60000);
    cr_assert_null(result_of(w, 3, RESULT_STATE_EFFECTIVE));
    cr_assert_neq(status_of(w, "v")->operation_done, 3);
    cr_assert_not(runs(w, "uuid-v"), "a receiver has it: not for the agent to decide");
    cr_assert_not_null(result_of(w, 3, RESULT_STATE_FAILED));
    end_world(w);
}

Test(agent_migrate, a_stream_that_breaks_is_told_and_not_tried_again_by_itself)
{
    struct world *w = make_sender();
    finish_call(w, -ECONNRESET);
    run_until(w, w->now_ms + 120000);
    cr_assert(runs(w, "uuid-v"));
    cr_assert_not_null(result_of(w, 2, RESULT_STATE_FAILED));
    cr_assert_eq(w->migrate_calls, 1);
    cr_assert_null(result_of(w, 2, RESULT_STATE_EFFECTIVE));
    order_out(w, 3, "key-2");
    cr_assert_eq(w->migrate_calls, 2, "another order, another try");
    end_world(w);
}

Test(agent_migrate, a_sender_that_restarts_holds_a_suspended_copy_and_says_that_it_failed)
{
    struct world *w = make_sender();
    happen(w, HYPERVISOR_CALL_PAUSE, 1);
    restart(w);
    cr_assert_not(runs(w, "uuid-v"), "the receiver may have it: not for the agent to decide");
    order_out(w, 2, "key-1"); /* sent again */
    cr_assert_eq(w->migrate_calls, 1);
    cr_assert_not_null(result_of(w, 2, RESULT_STATE_FAILED));
    cr_assert_neq(status_of(w, "v")->operation_done, 2);
    order(w, 3, "v", RUN_STATE_RUNNING);
    run_until(w, w->now_ms + 2000);
    cr_assert(runs(w, "uuid-v"));
    end_world(w);
}

Test(agent_migrate, a_sender_that_restarts_in_the_stream_does_not_stream_by_itself)
{
    struct world *w = make_sender();
    restart(w);
    run_until(w, w->now_ms + 60000);
    cr_assert_eq(w->migrate_calls, 1);
    cr_assert(runs(w, "uuid-v"));
    end_world(w);
}

Test(agent_migrate, memory_is_not_changed_beside_a_stream)
{
    struct world *w = make_sender();
    struct node_message message = make_order(3, "v", RUN_STATE_RUNNING);
    snprintf(message.vm_order.migrate_to, NAME_SIZE, "n2");
    snprintf(message.vm_order.peer, ADDRESS_SIZE, "192.0.2.2:4711");
    snprintf(message.vm_order.peer_key, NAME_SIZE, "key-1");
    message.vm_order.memory_kib = GIB / 4;
    send_message(w, &message);
    run_until(w, w->now_ms + 3000);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_MEMORY), 0);
    finish_call(w, -EIO);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_MEMORY), 1);
    end_world(w);
}

Test(agent_migrate, a_receiver_tells_where_it_waits_and_keeps_what_came_paused)
{
    struct world *w = make_receiver();
    cr_assert_str_eq(status_of(w, "v")->peer, "192.0.2.1:4711");
    cr_assert_str_eq(status_of(w, "v")->peer_key, "key-1");
    cr_assert_eq(status_of(w, "v")->generation, 2);
    cr_assert_eq(status_of(w, "v")->state, RUN_STATE_ABSENT);
    cr_assert_str_eq(w->migrate_call.address, "10.0.0.77/24");
    happen(w, HYPERVISOR_CALL_CREATE, 2);
    finish_call(w, 0);
    cr_assert_not_null(result_of(w, 1, RESULT_STATE_EFFECTIVE));
    run_until(w, w->now_ms + 120000);
    cr_assert_not(runs(w, "uuid-v"));
    cr_assert_eq(status_of(w, "v")->state, RUN_STATE_PAUSED);
    cr_assert_str_eq(status_of(w, "v")->peer, "");
    struct node_message message = make_order(2, "v", RUN_STATE_RUNNING);
    message.vm_order.generation = 2;
    send_message(w, &message);
    run_until(w, w->now_ms + 2000);
    cr_assert(runs(w, "uuid-v"));
    cr_assert_str_eq(status_of(w, "v")->address, "10.0.0.77");
    end_world(w);
}

Test(agent_migrate, a_receiver_that_fails_says_so_and_waits_no_more)
{
    struct world *w = make_receiver();
    finish_call(w, -ETIMEDOUT);
    run_until(w, w->now_ms + 120000);
    cr_assert_not_null(result_of(w, 1, RESULT_STATE_FAILED));
    cr_assert_eq(w->migrate_calls, 2);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_CREATE), 0, "it is no order to start it anew");
    order(w, 2, "v", RUN_STATE_ABSENT);
    cr_assert_eq(result_of(w, 2, RESULT_STATE_REFUSED)->reason, REASON_STALE_GENERATION);
    struct node_message message = make_order(3, "v", RUN_STATE_ABSENT);
    message.vm_order.generation = 2;
    send_message(w, &message);
    run_until(w, w->now_ms + 3000);
    cr_assert_null(status_of(w, "v"));
    end_world(w);
}

Test(agent_migrate, a_receiver_that_restarts_with_the_whole_copy_keeps_it_paused)
{
    struct world *w = make_receiver();
    happen(w, HYPERVISOR_CALL_CREATE, 2);
    restart(w);
    run_until(w, w->now_ms + 60000);
    cr_assert_not(runs(w, "uuid-v"));
    cr_assert_eq(status_of(w, "v")->state, RUN_STATE_PAUSED);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_RESUME), 0);
    end_world(w);
}

Test(agent_migrate, a_receiver_that_restarts_without_it_does_not_listen_by_itself)
{
    struct world *w = make_receiver();
    restart(w);
    run_until(w, w->now_ms + 60000);
    cr_assert_eq(w->migrate_calls, 2);
    cr_assert_str_eq(status_of(w, "v")->peer, "");
    end_world(w);
}

Test(agent_migrate, a_protected_copy_is_received_only_with_a_lease_and_ends_with_it)
{
    struct world *w = make_migrating_world();
    struct node_message message = make_order(1, "v", RUN_STATE_PAUSED);
    message.vm_order.generation = 2;
    message.vm_order.isolation = ISOLATION_FENCE;
    snprintf(message.vm_order.migrate_from, NAME_SIZE, "n2");
    run_until(w, 3000);
    send_message(w, &message);
    run_until(w, w->now_ms + 2000);
    finish_call(w, 0);
    cr_assert_eq(w->migrate_call.kind, HYPERVISOR_CALL_MIGRATE_IN);
    happen(w, HYPERVISOR_CALL_CREATE, 2);
    finish_call(w, 0);
    cr_assert_neq(w->armed_until_ms, 0);
    w->grants = false;
    run_until(w, w->now_ms + 30000);
    cr_assert_neq(status_of(w, "v")->state, RUN_STATE_PAUSED);
    end_world(w);
}

Test(agent_migrate, an_agent_without_an_address_for_others_declares_no_migration)
{
    struct world *w = make_world();
    struct agent_config config = {.node = "n1", .list_at_start = true};
    snprintf(config.incarnation, sizeof config.incarnation, "boot-1");
    w->agent = agent_create(&config, NULL);
    struct node_status status = {.capabilities = CAPABILITY_CREATE | CAPABILITY_MIGRATE_LIVE};
    struct agent_event event = {
        .type = AGENT_EVENT_STATUS, .now_ms = w->now_ms, .status = &status};
    step(w, &event);
    struct agent_event start = {.type = AGENT_EVENT_START, .now_ms = w->now_ms};
    step(w, &start);
    cr_assert_eq(w->hello.status.capabilities, CAPABILITY_CREATE);
    end_world(w);
}
