// SPDX-License-Identifier: Apache-2.0
/*
 * A guest's disks are served by threads of dom0's kernel named "DOMID.DEVICE-RING". They are
 * moved into a cgroup of the guest, whose io.max limits the devices behind its disks. A thread
 * leaves with its guest; so a reading counts the limit only while threads are in it.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io/file.h"
#include "common/io/scope.h"
#include "node-agent/io/xen/rates.h"

#define ROOT      "/sys/fs/cgroup"
#define GROUPS    ROOT "/arbiter"
#define PATH_HERE 256
#define FILE_MAX  4096
#define DISKS_MAX 8
#define COMM_SIZE 64

static bool has_word(const char *path, const char *word)
{
    SCOPE_FREE char *text = NULL;
    size_t size = 0;
    if (file_read(path, FILE_MAX, &text, &size, NULL) != 0) {
        return false;
    }
    const char *at = strstr(text, word);
    size_t length = strlen(word);
    return at != NULL && (at == text || at[-1] == ' ') && !isalnum((unsigned char)at[length]);
}

const char *rates_disk_missing(void)
{
    return has_word(ROOT "/cgroup.controllers", "io")
               ? ""
               : "dom0 has no cgroup of version 2 with the controller io at " ROOT;
}

/* Groups of guests that are gone; the kernel keeps those that hold threads. */
void rates_disk_sweep(void)
{
    DIR *groups = opendir(GROUPS);
    const struct dirent *entry = NULL;
    while (groups != NULL &&
           (entry = readdir(groups)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        if (isxdigit((unsigned char)entry->d_name[0])) {
            (void)unlinkat(dirfd(groups), entry->d_name, AT_REMOVEDIR);
        }
    }
    if (groups != NULL) {
        (void)closedir(groups);
    }
}

/* What the kernel's files refuse is its errno. */
static int put(const char *path, const char *text, struct err *err)
{
    SCOPE_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) {
        return err_set(err, -errno, "%s: \"%s\": %s", path, text, strerrordesc_np(errno));
    }
    return 0;
}

static int make_group(const char *uuid, char out[PATH_HERE], struct err *err)
{
    (void)snprintf(out, PATH_HERE, GROUPS "/%s", uuid);
    struct stat status;
    if (stat(out, &status) == 0) {
        return 0;
    }
    int rc = 0;
    if (!has_word(ROOT "/cgroup.subtree_control", "io")) {
        rc = put(ROOT "/cgroup.subtree_control", "+io", err);
    }
    if (rc == 0 && mkdir(GROUPS, 0755) != 0 && errno != EEXIST) {
        rc = err_set(err, -errno, GROUPS ": %s", strerrordesc_np(errno));
    }
    rc = rc == 0 ? put(GROUPS "/cgroup.subtree_control", "+io", err) : rc;
    if (rc == 0 && mkdir(out, 0755) != 0 && errno != EEXIST) {
        rc = err_set(err, -errno, "%s: %s", out, strerrordesc_np(errno));
    }
    return rc;
}

/* The devices behind its disks, "MAJOR:MINOR" in decimal. */
static int find_devices(struct xen_session *session, uint32_t domid,
                        char out[DISKS_MAX][COMM_SIZE], unsigned *count)
{
    char path[PATH_HERE];
    char value[COMM_SIZE];
    unsigned entries = 0;
    (void)snprintf(path, sizeof path, "/local/domain/0/backend/vbd/%" PRIu32, domid);
    char **names = xs_directory(session->store, XBT_NULL, path, &entries);
    *count = 0;
    for (unsigned i = 0; names != NULL && i < entries && *count < DISKS_MAX; i++) {
        (void)snprintf(path, sizeof path,
                       "/local/domain/0/backend/vbd/%" PRIu32 "/%s/physical-device", domid,
                       names[i]);
        char *end = NULL;
        if (session_read(session, path, value, sizeof value) != 0) {
            continue;
        }
        unsigned long major = strtoul(value, &end, 16);
        if (*end == ':') {
            (void)snprintf(out[(*count)++], COMM_SIZE, "%lu:%lu", major,
                           strtoul(end + 1, NULL, 16));
        }
    }
    free(names);
    return *count > 0 ? 0 : -ENODEV;
}

static bool is_thread_of(const char *pid, uint32_t domid)
{
    char path[PATH_HERE];
    char prefix[COMM_SIZE];
    SCOPE_FREE char *comm = NULL;
    size_t size = 0;
    (void)snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    int length = snprintf(prefix, sizeof prefix, "%" PRIu32 ".", domid);
    if (file_read(path, COMM_SIZE, &comm, &size, NULL) != 0 ||
        strncmp(comm, prefix, (size_t)length) != 0 || strchr(comm, '-') == NULL) {
        return false;
    }
    /* A program may take any name; only the kernel's threads have no program. */
    char program[PATH_HERE];
    (void)snprintf(path, sizeof path, "/proc/%.20s/exe", pid);
    return readlink(path, program, sizeof program) < 0 && errno == ENOENT;
}

static int move_threads(uint32_t domid, const char *group, struct err *err)
{
    char path[PATH_HERE];
    DIR *processes = opendir("/proc");
    if (processes == NULL) {
        return err_set(err, -errno, "/proc: %s", strerrordesc_np(errno));
    }
    (void)snprintf(path, sizeof path, "%.200s/cgroup.procs", group);
    const struct dirent *entry = NULL;
    int moved = 0;
    int rc = 0;
    while (rc == 0 && (entry = readdir(processes)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        if (isdigit((unsigned char)entry->d_name[0]) && is_thread_of(entry->d_name, domid)) {
            rc = put(path, entry->d_name, err);
            moved++;
        }
    }
    (void)closedir(processes);
    if (rc == 0 && moved == 0) {
        rc = err_set(err, -ESRCH, "no thread of the kernel serves the disks of domain %" PRIu32,
                     domid);
    }
    return rc;
}

int rates_disk_set(struct xen_session *session, uint32_t domid, const char *uuid,
                   uint64_t kib_s, struct err *err)
{
    char group[PATH_HERE];
    char path[PATH_HERE + 16];
    char line[PATH_HERE];
    char devices[DISKS_MAX][COMM_SIZE];
    unsigned count = 0;
    if (find_devices(session, domid, devices, &count) != 0) {
        return kib_s == 0 ? 0 : err_set(err, -ENODEV, "the guest has no disk of dom0");
    }
    int rc = make_group(uuid, group, err);
    (void)snprintf(path, sizeof path, "%s/io.max", group);
    for (unsigned i = 0; i < count && rc == 0; i++) {
        if (kib_s == 0) {
            (void)snprintf(line, sizeof line, "%s rbps=max wbps=max", devices[i]);
        } else {
            (void)snprintf(line, sizeof line, "%s rbps=%" PRIu64 " wbps=%" PRIu64, devices[i],
                           kib_s * 1024, kib_s * 1024);
        }
        rc = put(path, line, err);
    }
    return rc == 0 ? move_threads(domid, group, err) : rc;
}

uint64_t rates_disk_get(uint32_t domid, const char *uuid)
{
    char path[PATH_HERE];
    SCOPE_FREE char *threads = NULL;
    SCOPE_FREE char *limits = NULL;
    size_t size = 0;
    (void)snprintf(path, sizeof path, GROUPS "/%s/cgroup.procs", uuid);
    if (file_read(path, FILE_MAX, &threads, &size, NULL) != 0) {
        return 0;
    }
    threads[strcspn(threads, "\n")] = '\0';
    if (!isdigit((unsigned char)threads[0]) || !is_thread_of(threads, domid)) {
        return 0;
    }
    (void)snprintf(path, sizeof path, GROUPS "/%s/io.max", uuid);
    if (file_read(path, FILE_MAX, &limits, &size, NULL) != 0) {
        return 0;
    }
    const char *at = strstr(limits, "wbps=");
    return at != NULL ? strtoull(at + strlen("wbps="), NULL, 10) / 1024 : 0;
}
