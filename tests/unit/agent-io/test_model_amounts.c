// SPDX-License-Identifier: Apache-2.0
/* Every short order to a guest of the model, through its module, as the next list shows it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/io/clock.h"
#include "node-agent/io/driver_module.h"

#define LIMIT_MS 10000

static struct driver_module module;
static struct hypervisor_call call;

static struct hypervisor_completion finish(enum hypervisor_call_kind kind)
{
    struct err err = {0};
    struct hypervisor_completion done = {0};
    int64_t limit = clock_boot_ms() + LIMIT_MS;
    call.kind = kind;
    call.deadline_ms = limit;
    call.id++;
    cr_assert_eq(module.driver->start(module.hypervisor, &call, &err), 0, "%s", err.text);
    while (module.driver->complete(module.hypervisor, clock_boot_ms(), &done) == 0) {
        cr_assert_lt(clock_boot_ms(), limit);
        int64_t next = module.driver->deadline_ms(module.hypervisor);
        clock_sleep_until(next < limit ? next : limit);
    }
    cr_assert_eq(done.id, call.id);
    cr_assert_eq(done.code, 0, "%s: %s", hypervisor_call_word(kind), done.text);
    return done;
}

static struct domain_reading read_guest(void)
{
    struct hypervisor_completion done = finish(HYPERVISOR_CALL_LIST);
    cr_assert_eq(done.list->count, 1);
    return done.list->domains[0];
}

Test(model_amounts, every_order_is_seen_in_the_next_list, .timeout = 60)
{
    const char *build = getenv("ARBITER_BUILD");
    cr_assert_not_null(build);
    char folder[256];
    (void)snprintf(folder, sizeof folder, "%s/lib/arbiter", build);
    const struct hypervisor_settings settings = {
        .uri = "", .state_folder = "/tmp", .node = "n1", .seed = 1};
    struct err err = {0};
    cr_assert_eq(
        driver_module_open(&module, "model:cpus=2,boot=0ms,call=1ms", folder, &settings, &err),
        0, "%s", err.text);
    call.order = (struct vm_order){.vm = "shop-1",
                                   .uuid = "u",
                                   .service = "shop",
                                   .service_kind = SERVICE_KIND_WEB,
                                   .cap_pct = 100,
                                   .weight = 256,
                                   .vcpus = 1,
                                   .memory_kib = 65536};
    (void)finish(HYPERVISOR_CALL_CREATE);
    (void)finish(HYPERVISOR_CALL_RESUME);
    cr_assert_eq(read_guest().state, RUN_STATE_RUNNING);
    (void)finish(HYPERVISOR_CALL_PAUSE);
    cr_assert_eq(read_guest().state, RUN_STATE_PAUSED);
    (void)finish(HYPERVISOR_CALL_RESUME);

    call.order.cap_pct = 40;
    call.order.weight = 512;
    call.order.net_rate_kib_s = 2048;
    call.order.disk_rate_kib_s = 1024;
    cr_assert_eq(finish(HYPERVISOR_CALL_CAP).value, 40);
    cr_assert_eq(finish(HYPERVISOR_CALL_WEIGHT).value, 512);
    cr_assert_eq(finish(HYPERVISOR_CALL_NET_RATE).value, 2048);
    cr_assert_eq(finish(HYPERVISOR_CALL_DISK_RATE).value, 1024);
    struct domain_reading seen = read_guest();
    cr_assert_eq(seen.cap_pct, 40);
    cr_assert_eq(seen.weight, 512);
    cr_assert_eq(seen.net_rate_kib_s, 2048);
    cr_assert_eq(seen.disk_rate_kib_s, 1024);

    (void)finish(HYPERVISOR_CALL_REBOOT);
    cr_assert_eq(read_guest().state, RUN_STATE_RUNNING);
    (void)finish(HYPERVISOR_CALL_SHUTDOWN);
    cr_assert_eq(read_guest().state, RUN_STATE_STOPPED);
    driver_module_close(&module);
}
