// SPDX-License-Identifier: Apache-2.0
/* Modules of drivers as the agent loads them: model and none, and what is refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "node-agent/io/agent_settings.h"
#include "node-agent/io/driver_module.h"

static int open_driver(struct driver_module *module, const char *choice, struct err *err)
{
    const char *build = getenv("ARBITER_BUILD");
    cr_assert_not_null(build);
    char folder[256];
    (void)snprintf(folder, sizeof folder, "%s/lib/arbiter", build);
    const struct hypervisor_settings settings = {
        .uri = "", .state_folder = "/tmp", .node = "n1", .seed = 1};
    return driver_module_open(module, choice, folder, &settings, err);
}

static void is_refused(const char *choice, int code, const char *text)
{
    struct driver_module module;
    struct err err = {0};
    cr_assert_eq(open_driver(&module, choice, &err), code, "%s: %s", choice, err.text);
    cr_assert_not_null(strstr(err.text, text), "%s: %s", choice, err.text);
    cr_assert_null(module.hypervisor);
}

Test(drivers, there_is_no_default_and_every_refusal_says_why)
{
    is_refused("", -EINVAL, "no driver is named");
    is_refused(":cpus=2", -EINVAL, "no driver is named");
    is_refused("../evil", -EINVAL, "no name of a driver");
    is_refused("vmware", -ENOENT, "driver_vmware.so");
    is_refused("none:x", -EINVAL, "takes no");
    is_refused("model:cpus=0", -EINVAL, "out of range");
    is_refused("model:cpus", -EINVAL, "expected name=value");
    is_refused("model:memory=2GB", -EINVAL, "e.g. memory=2GiB");
    is_refused("model:boot=5", -EINVAL, "e.g. boot=500ms");
    is_refused("model:cpu=2", -EINVAL, "there are cpus");
    is_refused("model:load=/nowhere", -ENOENT, "/nowhere");
}

/* Waits for the end of a call, as the loop does, with a limit. */
static struct hypervisor_completion finish(struct driver_module *module,
                                           const struct hypervisor_call *call)
{
    struct err err = {0};
    struct hypervisor_completion done = {0};
    cr_assert_eq(module->driver->start(module->hypervisor, call, &err), 0, "%s", err.text);
    int64_t limit = clock_boot_ms() + 10000;
    while (module->driver->complete(module->hypervisor, clock_boot_ms(), &done) == 0) {
        cr_assert_lt(clock_boot_ms(), limit);
        int64_t next = module->driver->deadline_ms(module->hypervisor);
        clock_sleep_until(next < limit ? next : limit);
    }
    cr_assert_eq(done.id, call->id);
    return done;
}

Test(drivers, none_has_no_capacity_lists_nothing_and_starts_nothing)
{
    struct driver_module module;
    struct err err = {0};
    struct node_status status;
    cr_assert_eq(open_driver(&module, "none", &err), 0, "%s", err.text);
    cr_assert_eq(module.driver->status(module.hypervisor, &status, &err), 0);
    cr_assert_eq(status.cpu_pct, 0);
    cr_assert_eq(status.capabilities, 0);
    struct hypervisor_call call = {.id = 1, .kind = HYPERVISOR_CALL_LIST};
    cr_assert_eq(finish(&module, &call).list->count, 0);
    call.kind = HYPERVISOR_CALL_CREATE;
    cr_assert_eq(module.driver->start(module.hypervisor, &call, &err), -ENOTSUP);
    driver_module_close(&module);
}

/* test:/// is played inside libvirt's library. */
Test(drivers, libvirt_makes_its_folders_unless_it_only_looks)
{
    char library[256];
    char folder[256];
    (void)snprintf(folder, sizeof folder, "%s/lib/arbiter", getenv("ARBITER_BUILD"));
    (void)snprintf(library, sizeof library, "%s/lib/arbiter/driver_libvirt.so",
                   getenv("ARBITER_BUILD"));
    if (access(library, F_OK) != 0) {
        cr_skip("no libvirt driver in this build");
    }
    for (int i = 0; i < 2; i++) {
        char state[] = "/tmp/test_drivers.XXXXXX";
        char path[64];
        cr_assert_not_null(mkdtemp(state));
        struct driver_module module;
        struct node_status status;
        struct err err = {0};
        const struct hypervisor_settings settings = {
            .uri = "", .state_folder = state, .node = "n1", .look_only = i == 0};
        cr_assert_eq(
            driver_module_open(&module, "libvirt:test:///default", folder, &settings, &err), 0,
            "%s", err.text);
        cr_assert_eq(module.driver->status(module.hypervisor, &status, &err), 0);
        driver_module_close(&module);
        static const char *const made[] = {"saved", "disks"};
        for (size_t k = 0; k < sizeof made / sizeof made[0]; k++) {
            (void)snprintf(path, sizeof path, "%s/%s", state, made[k]);
            cr_assert_eq(rmdir(path) == 0, i != 0, "%s", path);
        }
        cr_assert_eq(rmdir(state), 0);
    }
}

static double response_ms(struct driver_module *module)
{
    struct hypervisor_call call = {.id = 9, .kind = HYPERVISOR_CALL_LIST};
    struct hypervisor_completion done = finish(module, &call);
    cr_assert_eq(done.list->count, 1);
    return done.list->domains[0].request_rate;
}

static void write_load(const char *path, const char *text)
{
    char next[128];
    (void)snprintf(next, sizeof next, "%s.new", path);
    FILE *file = fopen(next, "we");
    cr_assert_not_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
    cr_assert_eq(rename(next, path), 0);
}

static void wait_for_rate(struct driver_module *module, double rate)
{
    int64_t limit = clock_boot_ms() + 10000;
    while (fabs(response_ms(module) - rate) > 0.01) {
        cr_assert_lt(clock_boot_ms(), limit, "the load never became %g", rate);
        clock_sleep_until(clock_boot_ms() + 20);
    }
}

Test(drivers, the_load_of_a_model_follows_its_file_and_a_broken_file_changes_nothing)
{
    char path[] = "/tmp/arbiter-load-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    (void)close(fd);
    write_load(path, "# users\nshop 30\n");
    char choice[128];
    (void)snprintf(choice, sizeof choice, "model:cpus=2,boot=0ms,call=1ms,load=%s", path);
    struct driver_module module;
    struct err err = {0};
    cr_assert_eq(open_driver(&module, choice, &err), 0, "%s", err.text);
    struct hypervisor_call call = {.id = 1, .kind = HYPERVISOR_CALL_CREATE};
    call.order = (struct vm_order){.vm = "shop-1",
                                   .uuid = "u",
                                   .service = "shop",
                                   .service_kind = SERVICE_KIND_WEB,
                                   .cap_pct = 100,
                                   .weight = 256,
                                   .vcpus = 1,
                                   .memory_kib = 65536,
                                   .load_share_permille = 500};
    cr_assert_eq(finish(&module, &call).code, 0);
    call.kind = HYPERVISOR_CALL_RESUME;
    cr_assert_eq(finish(&module, &call).code, 0);
    wait_for_rate(&module, 15);
    write_load(path, "shop 80\n");
    wait_for_rate(&module, 40);
    write_load(path, "shop many\n");
    clock_sleep_until(clock_boot_ms() + 250);
    wait_for_rate(&module, 40);
    write_load(path, "other 80\n");
    wait_for_rate(&module, 0);
    driver_module_close(&module);
    (void)unlink(path);
}

Test(agent_settings, capacity_is_declared_or_what_the_reserve_leaves)
{
    struct agent_settings settings = {.reserve_cpu_pct = 50, .reserve_memory_kib = 1024};
    struct node_status status = {.cpu_pct = 200, .memory_kib = 4096};
    agent_settings_capacity(&settings, &status);
    cr_assert_eq(status.cpu_pct, 150);
    cr_assert_eq(status.memory_kib, 3072);
    settings.cpu_pct = 60;
    settings.reserve_memory_kib = 8192;
    agent_settings_capacity(&settings, &status);
    cr_assert_eq(status.cpu_pct, 60);
    cr_assert_eq(status.memory_kib, 0);
}
