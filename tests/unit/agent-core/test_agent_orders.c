// SPDX-License-Identifier: Apache-2.0
/* What an order makes of a VM or an entry point, in which sequence, and which are refused. */
#include "tests/unit/agent-core/agent_world.h"

Test(agent_orders, starts_an_ordered_vm_and_reports_it_effective)
{
    struct world *w = make_running_world();
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 5000);
    cr_assert(runs(w, "uuid-a"));
    const struct vm_status *status = status_of(w, "a");
    cr_assert_not_null(status);
    cr_assert_eq(status->state, RUN_STATE_RUNNING);
    cr_assert_eq(status->operation_done, 1);
    cr_assert_eq(status->cap_pct, 50);
    cr_assert_str_eq(status->address, "10.0.0.11");
    cr_assert_str_eq(w->calls[0].address, "10.0.0.11/24");
    cr_assert_not_null(result_of(w, 1, RESULT_STATE_ACCEPTED));
    cr_assert_not_null(result_of(w, 1, RESULT_STATE_EFFECTIVE));
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_CREATE), 1);
    cr_assert_eq(w->memory->vms_count, 1);
    cr_assert_eq(w->memory->epoch_seen, 3);
    end_world(w);
}

Test(agent_orders, an_older_epoch_or_generation_is_refused_and_changes_nothing)
{
    struct world *w = make_running_world();
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 5000);
    struct node_message old = make_order(2, "a", RUN_STATE_ABSENT);
    old.header.epoch = 2;
    send_message(w, &old);
    cr_assert_eq(result_of(w, 2, RESULT_STATE_REFUSED)->reason, REASON_STALE_EPOCH);
    struct node_message newer = make_order(3, "a", RUN_STATE_RUNNING);
    newer.vm_order.generation = 5;
    send_message(w, &newer);
    run_until(w, 12000);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_CREATE), 2, "the old instance makes way first");
    cr_assert_eq(status_of(w, "a")->generation, 5);
    order(w, 4, "a", RUN_STATE_ABSENT);
    cr_assert_eq(result_of(w, 4, RESULT_STATE_REFUSED)->reason, REASON_STALE_GENERATION);
    run_until(w, 20000);
    cr_assert(runs(w, "uuid-a"));
    end_world(w);
}

Test(agent_orders, the_epoch_is_remembered_before_its_order_is_carried_out)
{
    struct world *w = make_running_world();
    struct node_message message = make_order(1, "a", RUN_STATE_RUNNING);
    message.header.epoch = 9;
    run_until(w, 2000);
    struct agent_effects *out = agent_effects_create();
    struct agent_event event = {
        .type = AGENT_EVENT_MESSAGE, .now_ms = w->now_ms, .message = &message};
    agent_step(w->agent, &event, out);
    uint32_t remembered = 0;
    uint32_t called = 0;
    for (uint32_t i = 0; i < out->count; i++) {
        if (out->items[i].type == AGENT_EFFECT_REMEMBER) {
            remembered = i + 1;
            cr_assert_eq(out->items[i].memory->epoch_seen, 9);
        }
        if (out->items[i].type == AGENT_EFFECT_CALL &&
            out->items[i].call->kind == HYPERVISOR_CALL_CREATE) {
            called = i + 1;
        }
    }
    cr_assert_gt(remembered, 0);
    cr_assert_gt(called, remembered);
    agent_effects_destroy(out);
    end_world(w);
}

Test(agent_orders, more_vcpus_come_before_a_higher_cap_and_a_lower_cap_before_fewer)
{
    struct world *w = make_running_world();
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 5000);
    uint32_t before = w->calls_count;
    struct node_message more = make_order(2, "a", RUN_STATE_RUNNING);
    more.vm_order.vcpus = 2;
    more.vm_order.cap_pct = 150;
    send_message(w, &more);
    run_until(w, 8000);
    cr_assert_eq(w->calls_count, before + 2);
    cr_assert_eq(w->calls[before].kind, HYPERVISOR_CALL_VCPUS);
    cr_assert_eq(w->calls[before + 1].kind, HYPERVISOR_CALL_CAP);
    order(w, 3, "a", RUN_STATE_RUNNING);
    run_until(w, 11000);
    cr_assert_eq(w->calls[before + 2].kind, HYPERVISOR_CALL_CAP);
    cr_assert_eq(w->calls[before + 3].kind, HYPERVISOR_CALL_VCPUS);
    cr_assert_eq(status_of(w, "a")->operation_done, 3);
    end_world(w);
}

Test(agent_orders, a_cap_that_was_read_back_is_effective_without_a_list)
{
    struct world *w = make_running_world();
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 5000);
    uint32_t lists = w->lists;
    while (w->lists == lists) {
        run_until(w, w->now_ms + 10); /* lists come every second, and just did */
    }
    lists = w->lists;
    struct node_message message = make_order(2, "a", RUN_STATE_RUNNING);
    message.vm_order.cap_pct = 77;
    send_message(w, &message);
    run_until(w, w->now_ms + 200);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_CAP), 1);
    cr_assert_eq(w->lists, lists);
    cr_assert_not_null(result_of(w, 2, RESULT_STATE_EFFECTIVE));
    end_world(w);
}

Test(agent_orders, memory_is_taken_from_one_vm_before_another_gets_it)
{
    struct world *w = make_running_world();
    struct node_message a = make_order(1, "a", RUN_STATE_RUNNING);
    struct node_message b = make_order(2, "b", RUN_STATE_RUNNING);
    a.vm_order.memory_kib = GIB;
    b.vm_order.memory_kib = GIB;
    send_message(w, &a);
    send_message(w, &b);
    run_until(w, 5000);
    uint32_t before = w->calls_count;
    a.vm_order.operation = 3;
    a.vm_order.memory_kib = GIB + GIB / 2;
    b.vm_order.operation = 4;
    b.vm_order.memory_kib = GIB / 2;
    send_message(w, &b);
    send_message(w, &a);
    run_until(w, 60000);
    cr_assert_str_eq(w->calls[before].vm, "b");
    cr_assert_eq(status_of(w, "a")->memory_kib, GIB + GIB / 2);
    cr_assert_eq(status_of(w, "b")->memory_kib, GIB / 2);
    cr_assert_eq(status_of(w, "a")->problem, REASON_NONE);
    end_world(w);
}

Test(agent_orders, a_long_call_delays_neither_caps_nor_renewals)
{
    struct world *w = make_running_world();
    order(w, 1, "a", RUN_STATE_RUNNING);
    order(w, 2, "b", RUN_STATE_RUNNING);
    run_until(w, 5000);
    order(w, 3, "a", RUN_STATE_STOPPED); /* takes 5 s */
    struct node_message reboot = make_order(4, "b", RUN_STATE_RUNNING);
    reboot.vm_order.reboots = 1; /* takes 5 s, too */
    send_message(w, &reboot);
    run_until(w, 6000);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_SHUTDOWN), 1);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_REBOOT), 1);
    uint32_t renews = w->renews;
    reboot.vm_order.operation = 5;
    reboot.vm_order.cap_pct = 90;
    send_message(w, &reboot); /* of the VM that is busy */
    run_until(w, 6100);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_CAP), 1);
    run_until(w, 6400);
    cr_assert(status_of(w, "b")->busy);
    cr_assert_eq(status_of(w, "b")->cap_pct, 90);
    run_until(w, 9000);
    cr_assert_geq(w->renews, renews + 2);
    run_until(w, 15000);
    cr_assert_eq(status_of(w, "a")->state, RUN_STATE_STOPPED);
    cr_assert_eq(status_of(w, "b")->reboots_done, 1);
    cr_assert_eq(status_of(w, "b")->operation_done, 5);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_REBOOT), 1);
    end_world(w);
}

Test(agent_orders, walks_through_every_state_that_can_be_ordered)
{
    static const enum run_state states[] = {
        RUN_STATE_RUNNING,   RUN_STATE_PAUSED,  RUN_STATE_SUSPENDED, RUN_STATE_RUNNING,
        RUN_STATE_SUSPENDED, RUN_STATE_PAUSED,  RUN_STATE_STOPPED,   RUN_STATE_PAUSED,
        RUN_STATE_RUNNING,   RUN_STATE_STOPPED, RUN_STATE_RUNNING};
    struct world *w = make_running_world();
    for (uint32_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        order(w, i + 1, "a", states[i]);
        run_until(w, w->now_ms + 10000);
        cr_assert_eq(status_of(w, "a")->state, states[i], "step %u: %s", i,
                     run_state_word(status_of(w, "a")->state));
        cr_assert_eq(status_of(w, "a")->operation_done, i + 1, "step %u", i);
    }
    order(w, 100, "a", RUN_STATE_ABSENT);
    run_until(w, w->now_ms + 5000);
    cr_assert_null(status_of(w, "a"));
    cr_assert_not_null(result_of(w, 100, RESULT_STATE_EFFECTIVE));
    cr_assert_eq(w->memory->vms_count, 0);
    end_world(w);
}

static void is_on_the_bridge(const struct world *w, enum hypervisor_call_kind kind)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < w->calls_count; i++) {
        if (w->calls[i].kind == kind) {
            cr_assert_str_eq(w->calls[i].bridge, "br0", "%s", hypervisor_call_word(kind));
            found++;
        }
    }
    cr_assert_gt(found, 0, "no %s", hypervisor_call_word(kind));
}

Test(agent_orders, a_guest_that_is_made_again_is_on_the_nodes_bridge_again)
{
    struct world *w = make_running_world();
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 5000);
    struct node_message reboot = make_order(2, "a", RUN_STATE_RUNNING);
    reboot.vm_order.reboots = 1;
    send_message(w, &reboot);
    run_until(w, 15000);
    reboot.vm_order.operation = 3;
    reboot.vm_order.desired = RUN_STATE_SUSPENDED;
    send_message(w, &reboot);
    run_until(w, 25000);
    reboot.vm_order.operation = 4;
    reboot.vm_order.desired = RUN_STATE_RUNNING;
    send_message(w, &reboot);
    run_until(w, 35000);
    is_on_the_bridge(w, HYPERVISOR_CALL_CREATE);
    is_on_the_bridge(w, HYPERVISOR_CALL_REBOOT);
    is_on_the_bridge(w, HYPERVISOR_CALL_RESTORE);
    end_world(w);
}

Test(agent_orders, entry_points_go_to_a_gateway_only_and_are_remembered)
{
    struct world *w = make_running_world();
    struct node_message message = {.type = NODE_MESSAGE_ENTRY_ORDER};
    message.entry_order.operation = 1;
    snprintf(message.entry_order.service, NAME_SIZE, "shop");
    send_message(w, &message);
    cr_assert_eq(w->entries, 0);
    cr_assert_eq(result_of(w, 1, RESULT_STATE_REFUSED)->reason, REASON_NO_CAPABILITY);
    agent_destroy(w->agent);
    start_agent(w, "boot-2", CAPABILITY_GATEWAY, NULL);
    cr_assert(w->hello.status.capabilities & CAPABILITY_GATEWAY);
    welcome(w);
    send_message(w, &message);
    cr_assert_eq(w->entries, 1);
    cr_assert_eq(w->memory->entries_count, 1);
    struct entry_status status = {.service = "shop", .operation_done = 1, .up = true};
    struct agent_event event = {
        .type = AGENT_EVENT_ENTRY, .now_ms = w->now_ms, .entry = &status};
    step(w, &event);
    run_until(w, 3000);
    cr_assert_eq(w->snapshot->entries_count, 1);
    struct agent_memory memory = *w->memory;
    agent_destroy(w->agent);
    start_agent(w, "boot-3", CAPABILITY_GATEWAY, &memory);
    cr_assert_eq(w->entries, 2, "handed to the gateway anew, which adopts");
    message.entry_order.operation = 2;
    message.entry_order.remove = true;
    send_message(w, &message);
    status = (struct entry_status){.service = "shop", .operation_done = 2};
    step(w, &event);
    cr_assert_eq(w->memory->entries_count, 0);
    end_world(w);
}

Test(agent_orders, one_vm_more_than_a_node_can_hold_is_refused)
{
    struct world *w = make_running_world();
    char name[NAME_SIZE];
    for (uint32_t i = 0; i <= VMS_PER_NODE_MAX; i++) {
        snprintf(name, sizeof name, "vm%u", i);
        order(w, i + 1, name, RUN_STATE_STOPPED);
    }
    cr_assert_eq(result_of(w, VMS_PER_NODE_MAX + 1, RESULT_STATE_REFUSED)->reason,
                 REASON_LIMIT);
    end_world(w);
}
