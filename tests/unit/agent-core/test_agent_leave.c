// SPDX-License-Identifier: Apache-2.0
/* Clean stops and restarts of an agent whose fence is the hypervisor's and outlives it. */
#include "tests/unit/agent-core/agent_world.h"

static struct world *make_fenced_world(void)
{
    struct world *w = make_world();
    w->fence_outlives = true;
    start_agent(w, "boot-1", 0, NULL);
    welcome(w);
    struct node_message message = make_order(1, "p", RUN_STATE_RUNNING);
    message.vm_order.isolation = ISOLATION_FENCE;
    send_message(w, &message);
    run_until(w, 6000);
    cr_assert(runs(w, "uuid-p"));
    cr_assert_neq(w->armed_until_ms, 0);
    return w;
}

static void stop(struct world *w)
{
    struct agent_event event = {.type = AGENT_EVENT_STOP, .now_ms = w->now_ms};
    step(w, &event);
}

static void park(struct world *w)
{
    struct node_message message = {.type = NODE_MESSAGE_PARK};
    send_message(w, &message);
    struct agent_event tick = {.type = AGENT_EVENT_TICK, .now_ms = w->now_ms};
    step(w, &tick);
}

static void restart(struct world *w)
{
    static struct agent_memory memory;
    memory = *w->memory;
    agent_destroy(w->agent);
    start_agent(w, "boot-2", 0, &memory);
}

Test(agent_leave, the_fence_is_disarmed_only_after_the_lease_was_let_go)
{
    struct world *w = make_fenced_world();
    stop(w);
    cr_assert_eq(w->leaves, 1);
    cr_assert_neq(w->armed_until_ms, 0);
    cr_assert_not(agent_has_stopped(w->agent));
    park(w);
    cr_assert_eq(w->armed_until_ms, 0);
    cr_assert(agent_has_stopped(w->agent));
    cr_assert(w->memory->parked);
    cr_assert(runs(w, "uuid-p"));
    end_world(w);
}

Test(agent_leave, without_an_answer_the_fence_stays_armed_and_no_lease_is_renewed)
{
    struct world *w = make_fenced_world();
    uint32_t renews = w->renews;
    int64_t armed_until_ms = w->armed_until_ms;
    stop(w);
    run_until(w, w->now_ms + 8000);
    cr_assert(agent_has_stopped(w->agent));
    cr_assert_geq(w->leaves, 9);
    cr_assert_eq(w->renews, renews);
    cr_assert_eq(w->armed_until_ms, armed_until_ms);
    end_world(w);
}

Test(agent_leave, a_fence_that_protects_nothing_is_disarmed_at_once)
{
    struct world *w = make_fenced_world();
    order(w, 2, "p", RUN_STATE_ABSENT);
    run_until(w, 8000);
    cr_assert_eq(w->armed_until_ms, 0);
    stop(w);
    cr_assert_eq(w->leaves, 0);
    cr_assert(agent_has_stopped(w->agent));
    end_world(w);
}

Test(agent_leave, a_fence_that_dies_with_the_process_needs_no_answer)
{
    struct world *w = make_running_world();
    struct node_message message = make_order(1, "p", RUN_STATE_RUNNING);
    message.vm_order.isolation = ISOLATION_FENCE;
    send_message(w, &message);
    run_until(w, 6000);
    stop(w);
    cr_assert(agent_has_stopped(w->agent));
    cr_assert_eq(w->leaves, 0);
    end_world(w);
}

Test(agent_leave, after_a_parked_stop_protected_vms_run_on_until_the_next_grant)
{
    struct world *w = make_fenced_world();
    stop(w);
    park(w);
    w->grants = false;
    restart(w);
    run_until(w, 60000);
    cr_assert(runs(w, "uuid-p"), "nobody may start it elsewhere");
    cr_assert_eq(w->armed_until_ms, 0);
    w->grants = true;
    welcome(w);
    run_until(w, 65000);
    cr_assert_neq(w->armed_until_ms, 0);
    cr_assert_not(w->memory->parked);
    w->grants = false;
    run_until(w, w->armed_until_ms - 500);
    cr_assert_not(runs(w, "uuid-p"));
    end_world(w);
}

Test(agent_leave, a_killed_agent_comes_back_within_the_lease_and_arms_again)
{
    struct world *w = make_fenced_world();
    int64_t armed_until_ms = w->armed_until_ms;
    w->now_ms += 4000;
    restart(w);
    welcome(w);
    run_until(w, w->now_ms + 2000);
    cr_assert(runs(w, "uuid-p"));
    cr_assert_gt(w->armed_until_ms, armed_until_ms);
    end_world(w);
}

Test(agent_leave, what_a_killed_agent_left_armed_is_disarmed_when_nothing_is_protected)
{
    struct world *w = make_fenced_world();
    struct hypervisor_call destroy = {.id = 1u << 30, .kind = HYPERVISOR_CALL_DESTROY};
    destroy.order = make_order(9, "p", RUN_STATE_ABSENT).vm_order;
    destroy.deadline_ms = w->now_ms + 10000;
    destroy.discard_disk = true;
    struct err err = {0};
    cr_assert_eq(host_model_start(w->host, &destroy, w->now_ms, &err), 0, "%s", err.text);
    restart(w); /* the guest ended while no agent was there */
    run_until(w, w->now_ms + 3000);
    cr_assert_eq(w->armed_until_ms, 0);
    end_world(w);
}

Test(agent_leave, an_armed_fence_is_armed_again_though_the_driver_no_longer_declares_it)
{
    struct world *w = make_fenced_world();
    struct node_status status;
    host_model_status(w->host, &status);
    status.capabilities &= ~(uint32_t)CAPABILITY_SELF_FENCE;
    struct agent_event event = {
        .type = AGENT_EVENT_STATUS, .now_ms = w->now_ms, .status = &status};
    step(w, &event);
    run_until(w, 60000); /* run_until fails when the fence fires */
    cr_assert(runs(w, "uuid-p"));
    end_world(w);
}
