// SPDX-License-Identifier: Apache-2.0
/* The xen module on a host without Xen, as the agent loads it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node-agent/io/driver_module.h"

/* Fills err from opening the driver. False: this build has no such driver, or this is a dom0.
 */
static bool refusal(const char *choice, const char *state_folder, bool look_only, int *code,
                    struct err *err)
{
    const char *build = getenv("ARBITER_BUILD");
    cr_assert_not_null(build);
    char folder[256];
    char module_path[300];
    struct driver_module module;
    (void)snprintf(folder, sizeof folder, "%s/lib/arbiter", build);
    (void)snprintf(module_path, sizeof module_path, "%s/driver_xen.so", folder);
    if (access(module_path, F_OK) != 0 || access("/proc/xen/privcmd", F_OK) == 0) {
        return false;
    }
    const struct hypervisor_settings settings = {.uri = "",
                                                 .state_folder = state_folder,
                                                 .node = "n1",
                                                 .seed = 1,
                                                 .look_only = look_only};
    *code = driver_module_open(&module, choice, folder, &settings, err);
    return true;
}

static void is_refused(const char *choice, const char *state_folder, int wanted,
                       const char *text)
{
    struct err err = {0};
    int code = 0;
    if (!refusal(choice, state_folder, false, &code, &err)) {
        cr_skip("no xen driver in this build, or Xen is here");
    }
    cr_assert_eq(code, wanted, "%s: %d %s", choice, code, err.text);
    cr_assert_not_null(strstr(err.text, text), "%s: %s", choice, err.text);
}

Test(xen_open, without_xen_the_driver_says_what_is_missing)
{
    char folder[] = "/tmp/test_xen_open.XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    is_refused("xen", folder, -ENOENT, "is this a dom0, and does xenstored run?");
    static const char *const made[] = {"domains", "saved", "disks"};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "%s/%s", folder, made[i]);
        cr_assert_eq(rmdir(path), 0, "%s is empty", path);
    }
    cr_assert_eq(rmdir(folder), 0);
}

Test(xen_open, whoever_only_looks_makes_no_folders)
{
    char folder[] = "/tmp/test_xen_open.XXXXXX";
    struct err err = {0};
    int code = 0;
    cr_assert_not_null(mkdtemp(folder));
    bool tried = refusal("xen", folder, true, &code, &err);
    cr_assert_eq(rmdir(folder), 0, "it is empty");
    if (!tried) {
        cr_skip("no xen driver in this build, or Xen is here");
    }
    cr_assert_eq(code, -ENOENT, "%s", err.text);
}

Test(xen_open, wrong_settings_are_told_all_at_once)
{
    is_refused("xen:colour=red,tsc_mode=fast", "/tmp", -EINVAL, "colour");
    is_refused("xen:colour=red,tsc_mode=fast", "/tmp", -EINVAL, "tsc_mode");
}

Test(xen_open, state_folder_must_be_a_full_path)
{
    is_refused("xen", "state", -EINVAL, "full path");
}
