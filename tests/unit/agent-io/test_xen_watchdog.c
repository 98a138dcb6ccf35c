// SPDX-License-Identifier: Apache-2.0
/*
 * The slot of the hypervisor's watchdog: taken, kept over a restart, given back. Xen's side is
 * played by the rules of its scheduler's domain_watchdog(); the real one fires in the lab.
 */
#include <criterion/criterion.h>
#include <ftw.h>

#include "common/io/clock.h"

/* The clock goes on while a call is held up, without the test waiting for it. */
static int64_t held_up_ms;

static int64_t clock_of_the_test(void)
{
    return clock_boot_ms() + held_up_ms;
}

#define clock_boot_ms clock_of_the_test
#include "node-agent/io/xen/watchdog.c"
#include "node-agent/io/xen/watchdog_xendomains.c"

#define SLOTS 2

struct hypervisor_side {
    bool used[SLOTS];
    uint32_t seconds[SLOTS];
    uint32_t calls;
    int64_t stall_ms; /* each call is held up for so long, and sets its timer at the end */
};

static int answer(void *context, uint32_t id, uint32_t seconds)
{
    struct hypervisor_side *xen = context;
    xen->calls++;
    held_up_ms += xen->stall_ms;
    if (id > SLOTS) {
        return -EINVAL;
    }
    if (id == 0) {
        cr_assert_neq(seconds, 0, "a new slot with 0 seconds reboots the host at once");
        for (uint32_t i = 0; i < SLOTS; i++) {
            if (!xen->used[i]) {
                xen->used[i] = true;
                xen->seconds[i] = seconds;
                return (int)i + 1;
            }
        }
        return -ENOSPC;
    }
    if (!xen->used[id - 1]) {
        return -EINVAL;
    }
    xen->used[id - 1] = seconds != 0;
    xen->seconds[id - 1] = seconds;
    return 0;
}

static char folder[64];
static struct hypervisor_side xen;

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/arbiter-watchdog-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    xen = (struct hypervisor_side){0};
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void tear_down(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(xen_watchdog, .init = set_up, .fini = tear_down);

static struct watchdog *start(const char *boot_id)
{
    struct err err = {0};
    const struct watchdog_options options = {
        .folder = folder, .name = "n1", .boot_id = boot_id, .call = answer, .context = &xen};
    struct watchdog *watchdog = watchdog_create(&options, &err);
    cr_assert_not_null(watchdog, "%s", err.text);
    return watchdog;
}

Test(xen_watchdog, is_armed_with_what_is_left_of_the_lease_and_given_back)
{
    struct watchdog *watchdog = start("boot-a");
    cr_assert_eq(xen.calls, 0, "a host without protected VMs never arms it");
    cr_assert_eq(watchdog_arm(watchdog, 0, NULL), 0);
    cr_assert_eq(xen.calls, 0);
    cr_assert_eq(watchdog_arm(watchdog, clock_boot_ms() + 15000, NULL), 0);
    cr_assert(xen.used[0]);
    cr_assert_leq(xen.seconds[0], 14);
    cr_assert_geq(xen.seconds[0], 13);
    cr_assert_eq(watchdog_arm(watchdog, clock_boot_ms() + 30000, NULL), 0);
    cr_assert_not(xen.used[1], "it keeps to its slot");
    cr_assert_geq(xen.seconds[0], 28);
    cr_assert_eq(watchdog_arm(watchdog, 0, NULL), 0);
    cr_assert_not(xen.used[0]);
    watchdog_destroy(watchdog);
}

Test(xen_watchdog, the_next_agent_of_this_boot_arms_the_same_slot)
{
    xen.used[0] = true; /* of somebody else */
    struct watchdog *watchdog = start("boot-a");
    cr_assert_eq(watchdog_arm(watchdog, clock_boot_ms() + 15000, NULL), 0);
    cr_assert(xen.used[1]);
    watchdog_destroy(watchdog); /* killed: the slot counts on */
    watchdog = start("boot-a");
    cr_assert_eq(watchdog_arm(watchdog, clock_boot_ms() + 60000, NULL), 0);
    cr_assert_geq(xen.seconds[1], 58);
    cr_assert_eq(watchdog_arm(watchdog, 0, NULL), 0);
    cr_assert_not(xen.used[1]);
    cr_assert(xen.used[0], "what others armed stays");
    watchdog_destroy(watchdog);
}

Test(xen_watchdog, a_slot_of_an_earlier_boot_is_not_believed)
{
    struct watchdog *watchdog = start("boot-a");
    cr_assert_eq(watchdog_arm(watchdog, clock_boot_ms() + 15000, NULL), 0);
    watchdog_destroy(watchdog);
    xen = (struct hypervisor_side){.used = {true, false}, .seconds = {5, 0}};
    watchdog = start("boot-b");
    cr_assert_eq(watchdog_arm(watchdog, 0, NULL), 0);
    cr_assert(xen.used[0], "slot 1 is somebody else's in this boot");
    cr_assert_eq(watchdog_arm(watchdog, clock_boot_ms() + 15000, NULL), 0);
    cr_assert(xen.used[1]);
    watchdog_destroy(watchdog);
}

Test(xen_watchdog, a_slot_that_somebody_gave_back_is_taken_anew)
{
    struct watchdog *watchdog = start("boot-a");
    cr_assert_eq(watchdog_arm(watchdog, clock_boot_ms() + 15000, NULL), 0);
    xen.used[0] = false;
    cr_assert_eq(watchdog_arm(watchdog, clock_boot_ms() + 15000, NULL), 0);
    cr_assert(xen.used[0]);
    watchdog_destroy(watchdog);
}

Test(xen_watchdog, without_a_free_slot_it_says_who_may_hold_them)
{
    struct err err = {0};
    xen.used[0] = xen.used[1] = true;
    struct watchdog *watchdog = start("boot-a");
    cr_assert_eq(watchdog_arm(watchdog, clock_boot_ms() + 15000, &err), -ENOSPC);
    cr_assert_not_null(strstr(err.text, "xenwatchdogd"), "%s", err.text);
    cr_assert_eq(watchdog_arm(watchdog, clock_boot_ms() + 300, &err), -ETIME);
    watchdog_destroy(watchdog);
}

Test(xen_watchdog, a_slot_that_cannot_be_kept_is_given_back)
{
    struct watchdog *watchdog = start("boot-a");
    snprintf(watchdog->path, sizeof watchdog->path, "%s/none/n1", folder);
    cr_assert_lt(watchdog_arm(watchdog, clock_boot_ms() + 15000, NULL), 0);
    cr_assert_not(xen.used[0]);
    watchdog_destroy(watchdog);
}

Test(xen_watchdog, calls_that_are_held_up_until_it_would_fire_after_the_lease_are_an_error)
{
    struct err err = {0};
    struct watchdog *watchdog = start("boot-a");
    xen.stall_ms = 3000;
    cr_assert_eq(watchdog_arm(watchdog, clock_boot_ms() + 15000, &err), -ETIME);
    cr_assert_not_null(strstr(err.text, "held up"), "%s", err.text);
    cr_assert_eq(xen.calls, TRIES_MAX);
    xen.stall_ms = 0;
    cr_assert_eq(watchdog_arm(watchdog, clock_boot_ms() + 15000, NULL), 0);
    watchdog_destroy(watchdog);
}

Test(xen_watchdog, calls_that_are_held_up_and_still_in_time_arm_it)
{
    struct watchdog *watchdog = start("boot-a");
    int64_t until_ms = clock_boot_ms() + 15000;
    xen.stall_ms = 400;
    cr_assert_eq(watchdog_arm(watchdog, until_ms, NULL), 0);
    cr_assert_leq(clock_boot_ms() + (int64_t)xen.seconds[0] * 1000, until_ms);
    watchdog_destroy(watchdog);
}

Test(xen_watchdog, whoever_only_looks_makes_no_folder)
{
    char path[128];
    snprintf(path, sizeof path, "%s/run", folder);
    struct watchdog_options options = {
        .folder = path, .name = "n1", .boot_id = "a", .call = answer, .look_only = true};
    struct watchdog *watchdog = watchdog_create(&options, NULL);
    cr_assert_not_null(watchdog);
    cr_assert_neq(access(path, F_OK), 0);
    cr_assert_eq(xen.calls, 0);
    watchdog_destroy(watchdog);
    options.look_only = false;
    watchdog_destroy(watchdog_create(&options, NULL));
    cr_assert_eq(access(path, F_OK), 0);
}

static void make_folders(const char *path)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", folder, path);
    for (char *slash = full + strlen(folder) + 1; (slash = strchr(slash, '/')) != NULL;
         slash++) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
}

static void put(const char *path, const char *link_to)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", folder, path);
    make_folders(path);
    if (link_to != NULL) {
        cr_assert_eq(symlink(link_to, full), 0);
        return;
    }
    FILE *file = fopen(full, "w");
    cr_assert_not_null(file);
    fclose(file);
}

Test(xen_watchdog, xendomains_must_be_masked_or_away)
{
    cr_assert_eq(watchdog_check_xendomains(folder, NULL), 0);
    put("/etc/init.d/xendomains", NULL);
    cr_assert_eq(watchdog_check_xendomains(folder, NULL), 0, "no systemd, and no run level");
    put("/run/systemd/system/x.service", NULL);
    struct err err = {0};
    cr_assert_eq(watchdog_check_xendomains(folder, &err), -EBUSY);
    cr_assert_not_null(strstr(err.text, "mask xendomains"), "%s", err.text);
    cr_assert_null(strstr(err.text, "mask --now"), "it would stop every domain: %s", err.text);
    cr_assert_not_null(strstr(err.text, "restart this agent"), "whole: %s", err.text);
    put("/etc/systemd/system/xendomains.service", "/dev/null");
    cr_assert_eq(watchdog_check_xendomains(folder, NULL), 0);
}

Test(xen_watchdog, without_systemd_a_link_of_a_run_level_starts_xendomains)
{
    put("/etc/init.d/xendomains", NULL);
    put("/etc/rc3.d/S04xendomains", "../init.d/xendomains");
    cr_assert_eq(watchdog_check_xendomains(folder, NULL), -EBUSY);
}
