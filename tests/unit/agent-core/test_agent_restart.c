// SPDX-License-Identifier: Apache-2.0
/* What an agent finds when it starts: VMs that run on, a host that lost them, strays. */
#include "tests/unit/agent-core/agent_world.h"

Test(agent_restart, after_a_restart_running_vms_are_adopted_and_nothing_is_started_twice)
{
    struct world *w = make_running_world();
    order(w, 1, "a", RUN_STATE_RUNNING);
    order(w, 2, "b", RUN_STATE_RUNNING);
    run_until(w, 5000);
    agent_destroy(w->agent);
    struct agent_memory memory = *w->memory;
    start_agent(w, "boot-2", 0, &memory);
    cr_assert_eq(w->hello.epoch_seen, 3);
    welcome(w);
    run_until(w, 8000);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_CREATE), 2);
    cr_assert_eq(status_of(w, "b")->state, RUN_STATE_RUNNING);
    cr_assert_str_eq(status_of(w, "b")->address, "10.0.0.12");
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 12000);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_CREATE), 2);
    end_world(w);
}

Test(agent_restart, after_a_loss_of_its_host_nothing_runs_until_it_is_ordered)
{
    struct world *w = make_running_world();
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 5000);
    agent_destroy(w->agent);
    host_model_destroy(w->host);
    struct host_model_config config = {.cpus = 2, .memory_kib = 2 * GIB, .call_ms = 10};
    struct err err;
    w->host = host_model_create(&config, &err);
    struct agent_memory memory = *w->memory;
    start_agent(w, "boot-2", 0, &memory);
    welcome(w);
    run_until(w, 10000);
    cr_assert_not(runs(w, "uuid-a"));
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 12000);
    cr_assert(runs(w, "uuid-a"));
    end_world(w);
}

Test(agent_restart, a_domain_without_order_is_reported_and_left_alone)
{
    struct world *w = make_running_world();
    struct node_message stray = make_order(1, "stray", RUN_STATE_RUNNING);
    stray.vm_order.generation = 7;
    struct hypervisor_call call = {
        .id = 1u << 30, .kind = HYPERVISOR_CALL_CREATE, .order = stray.vm_order};
    struct err err;
    cr_assert_eq(host_model_start(w->host, &call, w->now_ms, &err), 0);
    run_until(w, 20000);
    cr_assert_eq(status_of(w, "stray")->generation, 7);
    cr_assert_eq(w->calls_count, 0);
    stray.vm_order.desired = RUN_STATE_ABSENT;
    send_message(w, &stray);
    run_until(w, 25000);
    cr_assert_null(status_of(w, "stray"));
    end_world(w);
}
