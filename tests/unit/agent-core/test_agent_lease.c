// SPDX-License-Identifier: Apache-2.0
/* Being welcomed, keeping the lease, and what happens to protected VMs without one. */
#include "tests/unit/agent-core/agent_world.h"

Test(agent_lease, says_hello_until_it_is_welcomed_and_then_renews)
{
    struct world *w = make_world();
    start_agent(w, "boot-1", 0, NULL);
    run_until(w, 4500);
    cr_assert_eq(w->hellos, 4);
    cr_assert_eq(w->renews, 0);
    cr_assert_eq(w->snapshots, 0);
    welcome(w);
    run_until(w, 10000);
    cr_assert_eq(w->hellos, 4);
    cr_assert_eq(w->renews, 6);
    cr_assert_geq(w->snapshots, 1);
    cr_assert_geq(w->heartbeats, 9);
    cr_assert_eq(w->renew.granted_epoch, 3);
    cr_assert_eq(w->renew.granted_sequence, w->renew.sequence - 1);
    end_world(w);
}

Test(agent_lease, says_hello_again_when_its_renewals_stay_without_answer)
{
    struct world *w = make_running_world();
    w->grants = false;
    uint32_t before = w->hellos;
    run_until(w, 10000);
    cr_assert_gt(w->hellos, before);
    end_world(w);
}

static struct world *make_protected_world(void)
{
    struct world *w = make_running_world();
    struct node_message message = make_order(1, "p", RUN_STATE_RUNNING);
    message.vm_order.isolation = ISOLATION_FENCE;
    run_until(w, 1500);
    send_message(w, &message);
    order(w, 2, "r", RUN_STATE_RUNNING);
    run_until(w, 5000);
    cr_assert(runs(w, "uuid-p"));
    cr_assert(runs(w, "uuid-r"));
    return w;
}

Test(agent_lease, when_the_lease_ends_protected_vms_end_and_others_run_on)
{
    struct world *w = make_protected_world();
    cr_assert_eq(w->renew.protected_vms, 1);
    int64_t lease_end = w->renew.sent_at_ms + 15000;
    cr_assert_eq(w->armed_until_ms, lease_end);
    w->grants = false;
    run_until(w, lease_end - 2500);
    cr_assert(runs(w, "uuid-p"));
    run_until(w, lease_end - 1000);
    cr_assert_not(runs(w, "uuid-p"));
    cr_assert(runs(w, "uuid-r"));
    run_until(w, lease_end + 60000); /* its own fence is off again: the host lives */
    cr_assert_eq(w->armed_until_ms, 0);
    w->grants = true;
    run_until(w, lease_end + 80000);
    cr_assert_not(runs(w, "uuid-p"), "it may be elsewhere by now");
    cr_assert_eq(status_of(w, "p")->problem, REASON_LEASE_EXPIRED);
    struct node_message message = make_order(3, "p", RUN_STATE_RUNNING);
    message.vm_order.isolation = ISOLATION_FENCE;
    message.vm_order.generation = 2;
    send_message(w, &message);
    run_until(w, lease_end + 90000);
    cr_assert(runs(w, "uuid-p"));
    end_world(w);
}

Test(agent_lease, a_parked_node_disarms_and_lets_protected_vms_run)
{
    struct world *w = make_protected_world();
    struct node_message park = {.type = NODE_MESSAGE_PARK};
    send_message(w, &park);
    cr_assert_eq(w->armed_until_ms, 0);
    run_until(w, 100000); /* grants of this epoch count no more */
    cr_assert(runs(w, "uuid-p"));
    cr_assert_eq(w->armed_until_ms, 0);
    w->epoch = 4;
    welcome(w);
    run_until(w, 105000);
    cr_assert_neq(w->armed_until_ms, 0);
    end_world(w);
}

Test(agent_lease, a_protected_vm_is_not_started_without_a_lease)
{
    struct world *w = make_world();
    w->grants = false;
    start_agent(w, "boot-1", 0, NULL);
    welcome(w);
    struct node_message message = make_order(1, "p", RUN_STATE_RUNNING);
    message.vm_order.isolation = ISOLATION_FENCE;
    send_message(w, &message);
    run_until(w, 5000);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_CREATE), 0);
    cr_assert_eq(status_of(w, "p")->problem, REASON_LEASE_EXPIRED);
    w->grants = true;
    run_until(w, 10000);
    cr_assert(runs(w, "uuid-p"));
    cr_assert_eq(status_of(w, "p")->problem, REASON_NONE);
    end_world(w);
}

Test(agent_lease, old_and_foreign_grants_are_ignored)
{
    struct world *w = make_running_world();
    run_until(w, 5000);
    uint32_t running = 0;
    int64_t before = 0;
    int64_t after = 0;
    agent_summary(w->agent, w->now_ms, &running, &before);
    cr_assert_gt(before, 0);
    struct node_message grant = {.type = NODE_MESSAGE_GRANT};
    const struct grant bad[] = {{1, 1000, 600000},
                                {w->renew.sequence + 5, w->now_ms, 600000},
                                {w->renew.sequence, w->now_ms, 600000}};
    for (int i = 0; i < 3; i++) {
        grant.grant = bad[i];
        send_message(w, &grant);
    }
    grant.header.epoch = 1;
    send_message(w, &grant);
    agent_summary(w->agent, w->now_ms, &running, &after);
    cr_assert_eq(before, after);
    end_world(w);
}

Test(agent_lease, isolation_fence_needs_a_driver_that_fences_itself)
{
    struct world *w = make_running_world();
    struct node_status status;
    host_model_status(w->host, &status);
    status.capabilities &= ~(uint32_t)CAPABILITY_SELF_FENCE;
    struct agent_event event = {
        .type = AGENT_EVENT_STATUS, .now_ms = w->now_ms, .status = &status};
    step(w, &event);
    struct node_message message = make_order(1, "p", RUN_STATE_RUNNING);
    message.vm_order.isolation = ISOLATION_FENCE;
    send_message(w, &message);
    cr_assert_eq(result_of(w, 1, RESULT_STATE_REFUSED)->reason, REASON_NO_SELF_FENCE);
    message = make_order(2, "m", RUN_STATE_RUNNING);
    snprintf(message.vm_order.migrate_to, NAME_SIZE, "n2");
    send_message(w, &message);
    cr_assert_eq(result_of(w, 2, RESULT_STATE_REFUSED)->reason, REASON_NO_CAPABILITY);
    end_world(w);
}
