// SPDX-License-Identifier: Apache-2.0
/* Does anything start saved guests at boot? */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node-agent/io/xen/watchdog.h"

#define FILE_PATH_SIZE 512

static bool exists(const char *root, const char *path)
{
    char full[FILE_PATH_SIZE];
    struct stat status;
    (void)snprintf(full, sizeof full, "%s%s", root, path);
    return lstat(full, &status) == 0;
}

static bool is_masked(const char *root, const char *path)
{
    char full[FILE_PATH_SIZE];
    char target[FILE_PATH_SIZE];
    (void)snprintf(full, sizeof full, "%s%s", root, path);
    ssize_t size = readlink(full, target, sizeof target - 1);
    if (size < 0) {
        return false;
    }
    target[size] = '\0';
    return strcmp(target, "/dev/null") == 0;
}

/* Without systemd it is started by a link of its run level. */
static bool starts_by_link(const char *root)
{
    for (int level = 2; level <= 5; level++) {
        for (int order = 0; order < 100; order++) {
            char path[FILE_PATH_SIZE];
            (void)snprintf(path, sizeof path, "/etc/rc%d.d/S%02dxendomains", level, order);
            if (exists(root, path)) {
                return true;
            }
        }
    }
    return false;
}

int watchdog_check_xendomains(const char *root, struct err *err)
{
    static const char *const places[] = {
        "/etc/systemd/system/xendomains.service", "/run/systemd/system/xendomains.service",
        "/usr/lib/systemd/system/xendomains.service", "/lib/systemd/system/xendomains.service",
        "/etc/init.d/xendomains"};
    bool there = false;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (is_masked(root, places[i])) {
            return 0; /* the first place that has it counts */
        }
        if (exists(root, places[i])) {
            there = true;
            break;
        }
    }
    if (there && !exists(root, "/run/systemd/system")) {
        there = starts_by_link(root);
    }
    if (!there) {
        return 0;
    }
    return err_set(
        err, -EBUSY,
        "the service xendomains would start saved guests after a fence: systemctl "
        "mask xendomains (without --now: that would stop every domain), then restart "
        "this agent");
}
