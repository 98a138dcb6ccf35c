// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "node-agent/core/host_model.h"

#define GIB (1024u * 1024u)

static struct host_model *make_host(uint32_t cpus, double sigma)
{
    struct host_model_config config = {.cpus = cpus,
                                       .memory_kib = 2 * GIB,
                                       .boot_ms = 500,
                                       .shutdown_ms = 300,
                                       .call_ms = 10,
                                       .request_cpu_ms = 10,
                                       .speed_sigma = sigma,
                                       .speed_every_ms = 10000,
                                       .seed = 7};
    struct err err;
    struct host_model *host = host_model_create(&config, &err);
    cr_assert_not_null(host);
    return host;
}

static struct hypervisor_call make_call(uint64_t id, enum hypervisor_call_kind kind,
                                        const char *vm, enum service_kind service_kind)
{
    struct hypervisor_call call = {.id = id, .kind = kind};
    snprintf(call.order.vm, sizeof call.order.vm, "%s", vm);
    snprintf(call.order.uuid, sizeof call.order.uuid, "uuid-%s", vm);
    snprintf(call.order.service, sizeof call.order.service, "web");
    call.order.service_kind = service_kind;
    call.order.generation = 1;
    call.order.cap_pct = 100;
    call.order.weight = 256;
    call.order.vcpus = 1;
    call.order.memory_kib = GIB / 2;
    call.order.load_share_permille = 1000;
    call.order.queue.task_cpu_ms = 1000;
    return call;
}

/* Runs one call to its end and returns its completion. */
static struct hypervisor_completion finish(struct host_model *host,
                                           const struct hypervisor_call *call, int64_t *now_ms)
{
    struct err err = {0};
    struct hypervisor_completion done = {0};
    int rc = host_model_start(host, call, *now_ms, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    while (host_model_complete(host, *now_ms, &done) == 0 || done.id != call->id) {
        int64_t next = host_model_deadline_ms(host);
        cr_assert_lt(next, INT64_MAX);
        *now_ms = next > *now_ms ? next : *now_ms;
    }
    return done;
}

static void run_vm(struct host_model *host, const char *vm, enum service_kind kind,
                   uint32_t cap_pct, int64_t *now_ms)
{
    struct hypervisor_call call = make_call(1000, HYPERVISOR_CALL_CREATE, vm, kind);
    call.order.cap_pct = cap_pct;
    cr_assert_eq(finish(host, &call, now_ms).code, 0);
    call.kind = HYPERVISOR_CALL_RESUME;
    cr_assert_eq(finish(host, &call, now_ms).code, 0);
}

static const struct domain_reading *read_vm(struct host_model *host, const char *vm,
                                            int64_t now_ms)
{
    struct hypervisor_call call = {.id = 99999, .kind = HYPERVISOR_CALL_LIST};
    int64_t at = now_ms;
    struct hypervisor_completion done = finish(host, &call, &at);
    cr_assert_not_null(done.list);
    for (uint32_t i = 0; i < done.list->count; i++) {
        if (strcmp(done.list->domains[i].vm, vm) == 0) {
            return &done.list->domains[i];
        }
    }
    return NULL;
}

Test(host_model, a_created_vm_is_paused_until_it_is_resumed)
{
    struct host_model *host = make_host(2, 0);
    int64_t now = 1000;
    struct hypervisor_call call = make_call(1, HYPERVISOR_CALL_CREATE, "a", SERVICE_KIND_QUEUE);
    cr_assert_eq(finish(host, &call, &now).code, 0);
    cr_assert_eq(now, 1010);
    cr_assert_eq(read_vm(host, "a", now)->state, RUN_STATE_PAUSED);
    uint64_t generation = 0;
    cr_assert_not(host_model_runs(host, "uuid-a", &generation));
    call.kind = HYPERVISOR_CALL_RESUME;
    cr_assert_eq(finish(host, &call, &now).code, 0);
    cr_assert(host_model_runs(host, "uuid-a", &generation));
    cr_assert_eq(generation, 1);
    host_model_destroy(host);
}

Test(host_model, a_queue_guest_counts_whole_tasks_after_its_boot)
{
    struct host_model *host = make_host(2, 0);
    int64_t now = 0;
    run_vm(host, "a", SERVICE_KIND_QUEUE, 50, &now); /* resumed at 20, booted at 520 */
    cr_assert_float_eq(read_vm(host, "a", 2400)->tasks_done, 0, 0);
    cr_assert_float_eq(read_vm(host, "a", 2540)->tasks_done, 1, 0);
    cr_assert_float_eq(read_vm(host, "a", 20540)->tasks_done, 10, 0);
    cr_assert_eq(read_vm(host, "a", 20510)->cpu_time_ns / 1000000000u, 10);
    host_model_destroy(host);
}

Test(host_model, the_same_times_give_the_same_state_however_often_somebody_looks)
{
    struct host_model *seldom = make_host(2, 0.05);
    struct host_model *often = make_host(2, 0.05);
    struct host_model *hosts[2] = {seldom, often};
    for (int i = 0; i < 2; i++) {
        int64_t now = 0;
        run_vm(hosts[i], "a", SERVICE_KIND_QUEUE, 90, &now);
        run_vm(hosts[i], "b", SERVICE_KIND_QUEUE, 90, &now);
        run_vm(hosts[i], "c", SERVICE_KIND_WEB, 80, &now);
        host_model_set_load(hosts[i], "web", 90, 2000);
        host_model_set_load(hosts[i], "web", 35, 9000);
    }
    for (int64_t t = 9001; t < 60000; t += 7) {
        struct hypervisor_completion done;
        cr_assert_eq(host_model_complete(often, t, &done), 0);
    }
    const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        struct domain_reading one = *read_vm(seldom, names[i], 60000 + i * 100);
        struct domain_reading two = *read_vm(often, names[i], 60000 + i * 100);
        cr_assert_eq(memcmp(&one, &two, sizeof one), 0, "VM %s differs", names[i]);
        cr_assert_gt(one.cpu_time_ns, 0);
    }
    host_model_destroy(seldom);
    host_model_destroy(often);
}

Test(host_model, speed_factors_differ_between_vms_and_average_to_one)
{
    struct host_model *host = make_host(2, 0.05);
    int64_t now = 0;
    run_vm(host, "a", SERVICE_KIND_QUEUE, 100, &now);
    run_vm(host, "b", SERVICE_KIND_QUEUE, 100, &now);
    double a = read_vm(host, "a", 4000520)->tasks_done;
    double b = read_vm(host, "b", 4000540)->tasks_done;
    cr_assert_neq(a, b);
    cr_assert_float_eq(a, 4000, 40); /* 400 draws: deviation of the mean is 0.25 % */
    cr_assert_float_eq(b, 4000, 40);
    host_model_destroy(host);
}

Test(host_model, scarce_cpu_is_shared_by_weight_under_the_caps)
{
    struct host_model *host = make_host(1, 0);
    int64_t now = 0;
    run_vm(host, "a", SERVICE_KIND_QUEUE, 100, &now);
    run_vm(host, "b", SERVICE_KIND_QUEUE, 100, &now);
    run_vm(host, "c", SERVICE_KIND_QUEUE, 10, &now);
    struct hypervisor_call call = make_call(5, HYPERVISOR_CALL_WEIGHT, "a", SERVICE_KIND_QUEUE);
    call.order.weight = 512;
    cr_assert_eq(finish(host, &call, &now).value, 512);
    uint64_t before[3];
    const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        before[i] = read_vm(host, names[i], 1000 + 10 * i)->cpu_time_ns;
    }
    const uint64_t expected[3] = {600, 300,
                                  100}; /* of 1,000 ms: c has its cap, the rest is 2:1 */
    for (int i = 0; i < 3; i++) {
        uint64_t used = read_vm(host, names[i], 2000 + 10 * i)->cpu_time_ns - before[i];
        cr_assert_float_eq((double)used / 1e6, (double)expected[i], 0.01);
    }
    host_model_destroy(host);
}

Test(host_model, response_time_follows_processor_sharing)
{
    struct host_model *host = make_host(2, 0);
    int64_t now = 0;
    run_vm(host, "a", SERVICE_KIND_WEB, 50, &now);
    cr_assert(isnan(read_vm(host, "a", 1000)->response_mean_ms));
    host_model_set_load(host, "web", 30, 2000);
    /* 10 ms on half a CPU are 20 ms alone; rho = 0.3 / 0.5: 20 / 0.4 */
    const struct domain_reading *reading = read_vm(host, "a", 5000);
    cr_assert_float_eq(reading->response_mean_ms, 50, 1e-6);
    cr_assert_float_eq(reading->response_p95_ms, 50 * log(20), 1e-6);
    cr_assert_float_eq(reading->request_rate, 30, 1e-3);
    host_model_destroy(host);
}

Test(host_model, an_overloaded_guest_builds_a_backlog_and_drains_it_after_a_higher_cap)
{
    struct host_model *host = make_host(2, 0);
    int64_t now = 0;
    run_vm(host, "a", SERVICE_KIND_WEB, 50, &now);
    host_model_set_load(host, "web", 80, 2000); /* 80 % of a CPU wanted, 50 % there */
    double early = read_vm(host, "a", 3000)->response_mean_ms;
    double late = read_vm(host, "a", 5000)->response_mean_ms;
    cr_assert_gt(late, early);
    /* 3.01 s at 30 % too much is 903 ms of CPU, at 50 %: 1806 ms, and the request itself */
    cr_assert_float_eq(late, 1826, 10);
    struct hypervisor_completion done;
    now = 60000;
    cr_assert_eq(host_model_complete(host, now, &done), 0);
    const struct domain_reading *full = read_vm(host, "a", now);
    cr_assert_float_eq(full->response_mean_ms, 10000, 0);
    cr_assert_float_eq(full->error_share, 0.375, 1e-9);
    now += 10;
    struct hypervisor_call call = make_call(5, HYPERVISOR_CALL_CAP, "a", SERVICE_KIND_WEB);
    call.order.cap_pct = 100;
    cr_assert_eq(finish(host, &call, &now).value, 100);
    const struct domain_reading *healed = read_vm(host, "a", now + 30000);
    cr_assert_float_eq(healed->response_mean_ms, 50, 1e-6);
    cr_assert_float_eq(healed->error_share, 0, 0);
    host_model_destroy(host);
}

Test(host_model, a_rank_is_as_fast_as_its_share_of_its_vcpus)
{
    struct host_model *host = make_host(2, 0);
    int64_t now = 0;
    run_vm(host, "a", SERVICE_KIND_CLUSTER, 60, &now);
    cr_assert(isnan(read_vm(host, "a", now)->speed_ratio));
    cr_assert_float_eq(read_vm(host, "a", 1000)->speed_ratio, 0.6, 1e-9);
    host_model_destroy(host);
}

Test(host_model, short_memory_refuses_a_vm_with_the_numbers)
{
    struct host_model *host = make_host(2, 0);
    struct err err = {0};
    struct hypervisor_call call = make_call(1, HYPERVISOR_CALL_CREATE, "big", SERVICE_KIND_WEB);
    call.order.memory_kib = 3 * GIB;
    cr_assert_eq(host_model_start(host, &call, 0, &err), -ENOSPC);
    cr_assert_str_eq(err.text, "big needs 3072 MiB of memory, the host has 2048 MiB free");
    host_model_destroy(host);
}

Test(host_model, memory_is_accepted_at_once_and_effective_later)
{
    struct host_model *host = make_host(2, 0);
    int64_t now = 0;
    run_vm(host, "a", SERVICE_KIND_WEB, 50, &now);
    struct hypervisor_call call = make_call(5, HYPERVISOR_CALL_MEMORY, "a", SERVICE_KIND_WEB);
    call.order.memory_kib = GIB;
    cr_assert_eq(finish(host, &call, &now).value, GIB);
    struct domain_reading reading = *read_vm(host, "a", now);
    cr_assert_eq(reading.memory_target_kib, GIB);
    cr_assert_lt(reading.memory_kib, GIB / 2 + 10000);
    cr_assert_eq(read_vm(host, "a", now + 3000)->memory_kib, GIB);
    host_model_destroy(host);
}

Test(host_model, vcpus_come_online_later_and_some_guests_never_do)
{
    struct host_model *host = make_host(2, 0);
    int64_t now = 0;
    run_vm(host, "a", SERVICE_KIND_WEB, 50, &now);
    struct hypervisor_call call = make_call(5, HYPERVISOR_CALL_CREATE, "b", SERVICE_KIND_WEB);
    snprintf(call.order.image, sizeof call.order.image, "old-novcpu");
    cr_assert_eq(finish(host, &call, &now).code, 0);
    call.kind = HYPERVISOR_CALL_RESUME;
    cr_assert_eq(finish(host, &call, &now).code, 0);
    const char *const names[] = {"a", "b"};
    for (int i = 0; i < 2; i++) {
        call = make_call(6, HYPERVISOR_CALL_VCPUS, names[i], SERVICE_KIND_WEB);
        call.order.vcpus = 2;
        cr_assert_eq(finish(host, &call, &now).value, 2);
        cr_assert_eq(read_vm(host, names[i], now)->vcpus, 1);
    }
    cr_assert_eq(read_vm(host, "a", now + 1000)->vcpus, 2);
    cr_assert_eq(read_vm(host, "b", now + 1100)->vcpus, 1);
    host_model_destroy(host);
}

Test(host_model, a_long_call_does_not_hold_up_a_short_one_of_the_same_vm)
{
    struct host_model *host = make_host(2, 0);
    int64_t now = 0;
    run_vm(host, "a", SERVICE_KIND_WEB, 50, &now);
    struct err err = {0};
    struct hypervisor_call stop = make_call(5, HYPERVISOR_CALL_SHUTDOWN, "a", SERVICE_KIND_WEB);
    cr_assert_eq(host_model_start(host, &stop, now, &err), 0);
    stop.id = 6;
    cr_assert_eq(host_model_start(host, &stop, now, &err), -EBUSY);
    struct hypervisor_call cap = make_call(7, HYPERVISOR_CALL_CAP, "a", SERVICE_KIND_WEB);
    int64_t before = now;
    cr_assert_eq(finish(host, &cap, &now).code, 0);
    cr_assert_eq(now - before, 10);
    host_model_destroy(host);
}

Test(host_model, a_call_that_cannot_be_done_by_its_deadline_times_out_then)
{
    struct host_model *host = make_host(2, 0);
    int64_t now = 0;
    run_vm(host, "a", SERVICE_KIND_WEB, 50, &now);
    struct hypervisor_call stop = make_call(5, HYPERVISOR_CALL_SHUTDOWN, "a", SERVICE_KIND_WEB);
    stop.deadline_ms = now + 100;
    struct hypervisor_completion done = finish(host, &stop, &now);
    cr_assert_eq(now, stop.deadline_ms);
    cr_assert_eq(done.code, -ETIMEDOUT);
    cr_assert_eq(done.reason, REASON_TIME_OUT);
    cr_assert_eq(read_vm(host, "a", now)->state, RUN_STATE_RUNNING);
    host_model_destroy(host);
}

Test(host_model, work_survives_suspend_and_a_stop_but_not_a_lost_disk)
{
    struct host_model *host = make_host(2, 0);
    int64_t now = 0;
    run_vm(host, "a", SERVICE_KIND_QUEUE, 100, &now);
    now = 10520;
    struct hypervisor_call call =
        make_call(5, HYPERVISOR_CALL_SUSPEND, "a", SERVICE_KIND_QUEUE);
    cr_assert_eq(finish(host, &call, &now).code, 0);
    cr_assert_eq(read_vm(host, "a", now)->state, RUN_STATE_SUSPENDED);
    cr_assert_eq(read_vm(host, "a", now + 1000)->memory_kib, 0);
    double done = read_vm(host, "a", now + 2000)->tasks_done;
    cr_assert_geq(done, 10);
    now += 5000;
    call.kind = HYPERVISOR_CALL_RESTORE;
    cr_assert_eq(finish(host, &call, &now).code, 0);
    cr_assert_eq(read_vm(host, "a", now)->state, RUN_STATE_PAUSED);
    cr_assert_float_eq(read_vm(host, "a", now + 100)->tasks_done, done, 0);
    call.kind = HYPERVISOR_CALL_DESTROY;
    now += 100;
    cr_assert_eq(finish(host, &call, &now).code, 0);
    run_vm(host, "a", SERVICE_KIND_QUEUE, 100, &now);
    cr_assert_float_eq(read_vm(host, "a", now)->tasks_done, done, 0);
    call.discard_disk = true;
    now += 100;
    cr_assert_eq(finish(host, &call, &now).code, 0);
    cr_assert_null(read_vm(host, "a", now));
    host_model_destroy(host);
}

Test(host_model, a_host_without_power_answers_nothing_and_runs_nothing)
{
    struct host_model *host = make_host(2, 0);
    int64_t now = 0;
    run_vm(host, "a", SERVICE_KIND_WEB, 50, &now);
    struct err err = {0};
    struct hypervisor_call call = make_call(5, HYPERVISOR_CALL_CAP, "a", SERVICE_KIND_WEB);
    cr_assert_eq(host_model_start(host, &call, now, &err), 0);
    host_model_power_off(host, now);
    uint64_t generation = 0;
    struct hypervisor_completion done;
    cr_assert_not(host_model_runs(host, "uuid-a", &generation));
    cr_assert_eq(host_model_complete(host, now + 10000, &done), 0);
    cr_assert_eq(host_model_deadline_ms(host), INT64_MAX);
    cr_assert_eq(host_model_start(host, &call, now, &err), -EIO);
    host_model_destroy(host);
}

Test(host_model, migration_is_not_declared_and_refused)
{
    struct host_model *host = make_host(2, 0);
    struct node_status status;
    struct err err = {0};
    host_model_status(host, &status);
    cr_assert_eq(status.capabilities & (CAPABILITY_MIGRATE | CAPABILITY_MIGRATE_LIVE), 0);
    struct hypervisor_call call =
        make_call(5, HYPERVISOR_CALL_MIGRATE_OUT, "a", SERVICE_KIND_WEB);
    cr_assert_eq(host_model_start(host, &call, 0, &err), -ENOTSUP);
    host_model_destroy(host);
}
