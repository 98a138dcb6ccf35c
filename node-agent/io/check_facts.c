// SPDX-License-Identifier: Apache-2.0
/* Facts about the host and its driver. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "common/io/scope.h"
#include "node-agent/io/check.h"
#include "node-agent/io/driver_module.h"

#define FULL_PATH_SIZE (4 * PATH_SIZE)
#define WALK_DEPTH     8 /* descriptors */

static enum fact can_access(const char *path, int mode)
{
    return access(path, mode) == 0 ? FACT_YES : FACT_NO;
}

/* The folder, or the nearest one above it that exists. */
static void read_state(struct host_facts *facts)
{
    char path[PATH_SIZE];
    struct statvfs space;
    (void)snprintf(path, sizeof path, "%s", facts->state);
    facts->state_exists = can_access(path, F_OK);
    char *slash = strrchr(path, '/');
    if (facts->state_exists == FACT_NO && slash != NULL) {
        slash[slash == path ? 1 : 0] = '\0'; /* the agent makes the last folder, no more */
    }
    facts->state_writable = can_access(path, W_OK | X_OK);
    if (statvfs(path, &space) == 0) {
        facts->state_free_kib = (uint64_t)space.f_bavail * space.f_frsize / 1024;
    }
}

/* A running agent holds the lock of its state folder. */
static void read_lock(struct host_facts *facts)
{
    char path[PATH_SIZE + 8];
    (void)snprintf(path, sizeof path, "%s/lock", facts->state);
    SCOPE_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        facts->agent_runs = errno == ENOENT ? FACT_NO : FACT_UNKNOWN;
        return;
    }
    facts->agent_runs =
        flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK ? FACT_YES : FACT_NO;
}

static void read_bridge(struct host_facts *facts, const char *root)
{
    char path[PATH_SIZE + 32];
    char flags[32];
    if (facts->bridge[0] == '\0') {
        return;
    }
    (void)snprintf(path, sizeof path, "/sys/class/net/%s", facts->bridge);
    facts->bridge_exists = check_path_exists(root, path);
    (void)snprintf(path, sizeof path, "/sys/class/net/%s/bridge", facts->bridge);
    facts->bridge_is_bridge = check_path_exists(root, path);
    (void)snprintf(path, sizeof path, "/sys/class/net/%s/flags", facts->bridge);
    if (check_read_line(root, path, flags, sizeof flags)) {
        facts->bridge_up = (strtoul(flags, NULL, 16) & 1u) != 0 ? FACT_YES : FACT_NO;
    }
    char full[FULL_PATH_SIZE];
    (void)snprintf(full, sizeof full, "%s/sys/class/net/%s/brif", root, facts->bridge);
    DIR *folder = opendir(full);
    const struct dirent *entry = NULL;
    /* One thread reads this folder. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        facts->bridge_ports += entry->d_name[0] != '.' ? 1u : 0u;
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
}

static void read_clock(struct host_facts *facts)
{
    struct timex clock = {.modes = 0};
    int r = adjtimex(&clock);
    if (r < 0) {
        facts->clock_synchronized = FACT_UNKNOWN;
    } else {
        facts->clock_synchronized =
            r != TIME_ERROR && (clock.status & STA_UNSYNC) == 0 ? FACT_YES : FACT_NO;
    }
}

void check_facts_host(struct host_facts *facts, const struct agent_settings *settings,
                      const char *root)
{
    char type[32];
    (void)snprintf(facts->node, sizeof facts->node, "%s", settings->node);
    (void)snprintf(facts->driver, sizeof facts->driver, "%.*s",
                   (int)strcspn(settings->driver, ":"), settings->driver);
    (void)snprintf(facts->bridge, sizeof facts->bridge, "%s", settings->bridge);
    (void)snprintf(facts->state, sizeof facts->state, "%s", settings->state);
    (void)snprintf(facts->haproxy, sizeof facts->haproxy, "%s", settings->haproxy);
    facts->gateway = strcmp(settings->roles, "gateway") == 0;
    facts->images_kib = settings->images_kib;
    facts->runs_xen = check_read_line(root, "/sys/hypervisor/type", type, sizeof type) &&
                      strcmp(type, "xen") == 0;
    facts->libvirt_guests = check_unit_state(root, "libvirt-guests");
    facts->haproxy_runs = can_access(settings->haproxy, X_OK);
    read_state(facts);
    read_lock(facts);
    read_bridge(facts, root);
    read_clock(facts);
}

static void read_driver(struct driver_facts *opened, const struct agent_settings *settings,
                        const char *folder)
{
    struct driver_module module;
    struct err err = {0};
    const struct hypervisor_settings own = {.uri = "",
                                            .state_folder = folder,
                                            .node = settings->node,
                                            .seed = 1,
                                            .look_only = true};
    opened->opened =
        driver_module_open(&module, settings->driver, settings->driver_folder, &own, &err) == 0;
    if (opened->opened) {
        opened->status_known =
            module.driver->status(module.hypervisor, &opened->status, &err) == 0;
        driver_module_close(&module);
    }
    (void)snprintf(opened->problem, sizeof opened->problem, "%s", err.text);
    opened->offered = opened->status;
    agent_settings_capacity(settings, &opened->offered);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void check_facts_driver(struct host_facts *facts, const struct agent_settings *settings)
{
    struct driver_facts *opened = &facts->opened;
    char folder[] = "/tmp/arbiter-check-XXXXXX";
    if (facts->driver[0] == '\0') {
        return;
    }
    if (mkdtemp(folder) == NULL) {
        (void)snprintf(opened->problem, sizeof opened->problem, "%s: %s", folder,
                       strerrordesc_np(errno));
        return;
    }
    read_driver(opened, settings, folder);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread makes and removes this folder
    (void)nftw(folder, remove_one, WALK_DEPTH, FTW_DEPTH | FTW_PHYS);
}
