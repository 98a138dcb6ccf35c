// SPDX-License-Identifier: Apache-2.0
/* Orders that cannot be carried out, or not at once: said, and tried again. */
#include "tests/unit/agent-core/agent_world.h"

Test(agent_failures, a_shutdown_that_times_out_becomes_a_destroy)
{
    struct world *w = make_running_world();
    host_model_destroy(w->host);
    struct host_model_config config = {
        .cpus = 2, .memory_kib = 2 * GIB, .boot_ms = 500, .shutdown_ms = 900000, .call_ms = 10};
    struct err err;
    w->host = host_model_create(&config, &err);
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 50000);
    order(w, 2, "a", RUN_STATE_STOPPED);
    run_until(w, 130000);
    cr_assert_eq(status_of(w, "a")->state, RUN_STATE_STOPPED);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_DESTROY), 1);
    cr_assert_eq(result_of(w, 2, RESULT_STATE_FAILED)->reason, REASON_TIME_OUT);
    cr_assert_not_null(result_of(w, 2, RESULT_STATE_EFFECTIVE));
    end_world(w);
}

Test(agent_failures, a_failed_call_is_reported_with_the_drivers_text_and_tried_again)
{
    struct world *w = make_running_world();
    w->fail_create = 2;
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 2000);
    const struct result *failed = result_of(w, 1, RESULT_STATE_FAILED);
    cr_assert_not_null(failed);
    cr_assert_eq(failed->reason, REASON_DRIVER);
    cr_assert_not_null(strstr(failed->text, "no such bridge br7"));
    cr_assert_eq(status_of(w, "a")->problem, REASON_DRIVER);
    run_until(w, 20000);
    cr_assert_eq(status_of(w, "a")->state, RUN_STATE_RUNNING);
    cr_assert_eq(status_of(w, "a")->problem, REASON_NONE);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_CREATE), 3);
    end_world(w);
}

Test(agent_failures, vcpus_that_never_come_online_are_accepted_and_not_effective)
{
    struct world *w = make_running_world();
    struct node_message message = make_order(1, "a", RUN_STATE_RUNNING);
    snprintf(message.vm_order.image, sizeof message.vm_order.image, "old-novcpu");
    send_message(w, &message);
    run_until(w, 5000);
    message.vm_order.operation = 2;
    message.vm_order.vcpus = 2;
    send_message(w, &message);
    run_until(w, 50000);
    const struct vm_status *status = status_of(w, "a");
    cr_assert_eq(status->vcpus_accepted, 2);
    cr_assert_eq(status->vcpus, 1);
    cr_assert_eq(status->operation_done, 1);
    cr_assert_eq(status->problem, REASON_NOT_EFFECTIVE);
    cr_assert_null(result_of(w, 2, RESULT_STATE_EFFECTIVE));
    end_world(w);
}

Test(agent_failures, a_guest_that_ends_by_itself_is_started_again_and_that_is_said)
{
    struct world *w = make_running_world();
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 100000);
    /* Behind the agent's back, as a guest's own halt would. */
    struct node_message behind = make_order(1, "a", RUN_STATE_RUNNING);
    struct hypervisor_call halt = {
        .id = 1u << 30, .kind = HYPERVISOR_CALL_DESTROY, .order = behind.vm_order};
    struct err err;
    cr_assert_eq(host_model_start(w->host, &halt, w->now_ms, &err), 0);
    run_until(w, 110000);
    cr_assert(runs(w, "uuid-a"));
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_CREATE), 2);
    bool said = false;
    for (uint32_t i = 0; i < w->results_count; i++) {
        said = said || w->results[i].reason == REASON_GUEST_STOPPED;
    }
    cr_assert(said);
    end_world(w);
}

Test(agent_failures, a_cap_that_somebody_else_changed_is_set_right_and_that_is_said_once)
{
    struct world *w = make_running_world();
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 100000);
    struct node_message behind = make_order(1, "a", RUN_STATE_RUNNING);
    const uint32_t ordered_pct = behind.vm_order.cap_pct;
    behind.vm_order.cap_pct = ordered_pct + 7;
    struct hypervisor_call other = {
        .id = 1u << 30, .kind = HYPERVISOR_CALL_CAP, .order = behind.vm_order};
    struct err err;
    cr_assert_eq(host_model_start(w->host, &other, w->now_ms, &err), 0);
    run_until(w, 110000);
    cr_assert_eq(w->snapshot->vms[0].cap_pct, ordered_pct);
    uint32_t said = 0;
    for (uint32_t i = 0; i < w->results_count; i++) {
        said += w->results[i].reason == REASON_DRIFT;
    }
    cr_assert_eq(said, 1);
    end_world(w);
}

/* Behind the agent's back, for all VMs. */
static void change_all(struct world *w, enum hypervisor_call_kind kind)
{
    struct hypervisor_completion done;
    for (uint32_t i = 0; i < VMS_PER_NODE_MAX; i++) {
        char name[NAME_SIZE];
        struct err err = {0};
        (void)snprintf(name, sizeof name, "vm%u", i);
        struct hypervisor_call other = {.id = (1u << 30) + i,
                                        .kind = kind,
                                        .order =
                                            make_order(1, name, RUN_STATE_RUNNING).vm_order};
        other.order.cap_pct = 33;
        other.order.weight = 77;
        other.order.memory_kib = GIB / 16;
        other.order.net_rate_kib_s = 55;
        other.order.disk_rate_kib_s = 66;
        cr_assert_eq(host_model_start(w->host, &other, w->now_ms, &err), 0, "%s", err.text);
    }
    w->now_ms += 20;
    while (host_model_complete(w->host, w->now_ms, &done) == 1) {
    }
}

Test(agent_failures, everything_changed_on_a_full_node_at_once_is_set_right)
{
    struct world *w = make_world();
    host_model_destroy(w->host);
    struct host_model_config config = {
        .cpus = 64, .memory_kib = 32 * (uint64_t)GIB, .boot_ms = 500, .call_ms = 10};
    struct err err;
    w->host = host_model_create(&config, &err);
    w->address_last = "10.0.0.200";
    start_agent(w, "boot-1", 0, NULL);
    welcome(w);
    struct node_message message = {0};
    char name[NAME_SIZE];
    for (uint64_t i = 0; i < VMS_PER_NODE_MAX; i++) {
        (void)snprintf(name, sizeof name, "vm%d", (int)i);
        message = make_order(i + 1, name, RUN_STATE_RUNNING);
        message.vm_order.memory_kib = GIB / 8;
        message.vm_order.memory_max_kib = GIB / 8;
        send_message(w, &message);
    }
    run_until(w, w->now_ms + 120000);
    cr_assert_eq(w->snapshot->vms_count, VMS_PER_NODE_MAX);
    change_all(w, HYPERVISOR_CALL_CAP);
    change_all(w, HYPERVISOR_CALL_WEIGHT);
    change_all(w, HYPERVISOR_CALL_MEMORY);
    change_all(w, HYPERVISOR_CALL_NET_RATE);
    change_all(w, HYPERVISOR_CALL_DISK_RATE);
    run_until(w, w->now_ms + 120000);
    for (uint32_t i = 0; i < w->snapshot->vms_count; i++) {
        const struct vm_status *status = &w->snapshot->vms[i];
        cr_assert_eq(status->state, RUN_STATE_RUNNING, "%s", status->vm);
        cr_assert_eq(status->cap_pct, message.vm_order.cap_pct, "%s", status->vm);
        cr_assert_eq(status->weight, message.vm_order.weight, "%s", status->vm);
        cr_assert_eq(status->net_rate_kib_s, 0, "%s", status->vm);
    }
    end_world(w);
}

/* In the driver it would wait within its own time limit, and fail when many come at once. */
Test(agent_failures, the_fifth_long_call_begins_when_another_one_has_ended)
{
    struct world *w = make_world();
    w->address_last = "10.0.0.22";
    start_agent(w, "boot-1", 0, NULL);
    welcome(w);
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    const int64_t begin_ms = w->now_ms;
    for (uint64_t i = 0; i < 6; i++) {
        struct node_message message = make_order(i + 1, names[i], RUN_STATE_RUNNING);
        message.vm_order.memory_kib = GIB / 8;
        send_message(w, &message);
    }
    while (calls_of(w, HYPERVISOR_CALL_CREATE) < 4 && w->now_ms < begin_ms + 5000) {
        run_until(w, w->now_ms + 1);
    }
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_CREATE), 4);
    run_until(w, begin_ms + 20000);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_CREATE), 6);
    for (size_t i = 0; i < 6; i++) {
        cr_assert_eq(status_of(w, names[i])->state, RUN_STATE_RUNNING, "%s", names[i]);
    }
    end_world(w);
}

Test(agent_failures, without_image_nothing_is_started)
{
    struct world *w = make_running_world();
    w->image_ok = false;
    struct node_message message = make_order(1, "a", RUN_STATE_RUNNING);
    message.vm_order.image_format = IMAGE_FORMAT_MODEL;
    send_message(w, &message);
    run_until(w, 3000);
    cr_assert_eq(w->images, 0, "a model image needs no fetch");
    struct node_status status;
    host_model_status(w->host, &status);
    status.image_formats = 0;
    struct agent_event event = {
        .type = AGENT_EVENT_STATUS, .now_ms = w->now_ms, .status = &status};
    step(w, &event);
    message = make_order(2, "b", RUN_STATE_RUNNING);
    message.vm_order.image_format = IMAGE_FORMAT_RAW;
    snprintf(message.vm_order.image, NAME_SIZE, "web");
    snprintf(message.vm_order.image_source, URL_SIZE, "file:///nowhere");
    uint32_t created = calls_of(w, HYPERVISOR_CALL_CREATE);
    send_message(w, &message);
    run_until(w, 10000);
    cr_assert_eq(w->images, 1);
    cr_assert_eq(calls_of(w, HYPERVISOR_CALL_CREATE), created);
    cr_assert_eq(result_of(w, 2, RESULT_STATE_FAILED)->reason, REASON_IMAGE_CHECKSUM);
    w->image_ok = true;
    run_until(w, 30000);
    cr_assert(runs(w, "uuid-b"), "it is fetched again later");
    end_world(w);
}

Test(agent_failures, addresses_run_out_and_come_back)
{
    struct world *w = make_running_world();
    order(w, 1, "a", RUN_STATE_RUNNING);
    order(w, 2, "b", RUN_STATE_RUNNING);
    order(w, 3, "c", RUN_STATE_RUNNING);
    run_until(w, 5000);
    cr_assert_eq(result_of(w, 3, RESULT_STATE_FAILED)->reason, REASON_NO_ADDRESS);
    cr_assert_not(runs(w, "uuid-c"));
    order(w, 4, "a", RUN_STATE_ABSENT);
    run_until(w, 10000);
    cr_assert(runs(w, "uuid-c"));
    cr_assert_str_eq(status_of(w, "c")->address, "10.0.0.11");
    end_world(w);
}
