// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node-agent/io/gateway_entry.h"
#include "node-agent/io/haproxy_log.h"

#define HAPROXY_PATH    "/usr/sbin/haproxy"
#define CONNECTIONS_MAX 8000 /* each takes two descriptors */
#define LOG_PAUSE_MS    10   /* 512 lines in it: 51,200 requests/s */
#define THREADS_MAX     4    /* a HAProxy per service: not every CPU for each */

struct gateway {
    char haproxy[PATH_SIZE];
    int lock_fd;
    struct entry_host host;
    struct gateway_entry *entries[GATEWAY_ENTRIES_MAX]; /* NULL: free */
};

static void read_limits(struct haproxy_host *limits)
{
    struct passwd user;
    struct passwd *found = NULL;
    char text[2048];
    if (geteuid() == 0 && getpwnam_r("haproxy", &user, text, sizeof text, &found) == 0 &&
        found != NULL) {
        limits->drop_privileges = true;
        limits->gid = user.pw_gid;
    }
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    limits->threads = processors < 1             ? 1
                      : processors > THREADS_MAX ? THREADS_MAX
                                                 : (uint32_t)processors;
    struct rlimit files = {0};
    limits->connections_max = CONNECTIONS_MAX;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < 2 * CONNECTIONS_MAX + 500) {
        limits->connections_max =
            files.rlim_max > 700 ? (uint32_t)(files.rlim_max - 500) / 2 : 100;
    }
}

static int open_folder(struct gateway *gateway, const char *folder, struct err *err)
{
    if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
        return err_set(err, -errno, "%s: %s", folder, strerrordesc_np(errno));
    }
    gateway->host.folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (gateway->host.folder_fd < 0) {
        return err_set(err, -errno, "%s: %s", folder, strerrordesc_np(errno));
    }
    gateway->lock_fd =
        openat(gateway->host.folder_fd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (gateway->lock_fd < 0) {
        return err_set(err, -errno, "%s/.lock: %s", folder, strerrordesc_np(errno));
    }
    if (flock(gateway->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        return err_set(err, -EBUSY, "another process is the gateway of %s", folder);
    }
    return 0;
}

int gateway_open(struct gateway **out, const struct gateway_settings *settings, struct err *err)
{
    const char *haproxy = settings->haproxy != NULL ? settings->haproxy : HAPROXY_PATH;
    if (strlen(haproxy) >= PATH_SIZE || haproxy[0] != '/' || access(haproxy, X_OK) < 0) {
        return err_set(err, -ENOENT, "no HAProxy at %s: install the package haproxy", haproxy);
    }
    struct gateway *gateway = calloc(1, sizeof *gateway);
    if (gateway == NULL) {
        return err_set(err, -ENOMEM, "no memory for the gateway");
    }
    memcpy(gateway->haproxy, haproxy, strlen(haproxy) + 1);
    gateway->host.haproxy = gateway->haproxy;
    gateway->host.folder_fd = -1;
    gateway->lock_fd = -1;
    gateway->host.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int rc = gateway->host.epoll_fd >= 0
                 ? open_folder(gateway, settings->folder, err)
                 : err_set(err, -errno, "epoll: %s", strerrordesc_np(errno));
    if (rc < 0) {
        gateway_close(gateway);
        return rc;
    }
    read_limits(&gateway->host.limits);
    /* With a short queue, bursts are counted in part only; then at least look at once. */
    gateway->host.log_pause_ms = haproxy_log_raise_queue() ? LOG_PAUSE_MS : 0;
    *out = gateway;
    return 0;
}

static void close_entry(struct gateway *gateway, uint32_t slot)
{
    entry_close(gateway->entries[slot]);
    free(gateway->entries[slot]);
    gateway->entries[slot] = NULL;
}

void gateway_close(struct gateway *gateway)
{
    if (gateway == NULL) {
        return;
    }
    for (uint32_t i = 0; i < GATEWAY_ENTRIES_MAX; i++) {
        if (gateway->entries[i] != NULL) {
            close_entry(gateway, i);
        }
    }
    const int fds[] = {gateway->host.epoll_fd, gateway->host.folder_fd, gateway->lock_fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    free(gateway);
}

/* The slot of a service, or else a free one; GATEWAY_ENTRIES_MAX: neither. */
static uint32_t find_slot(const struct gateway *gateway, const char *service)
{
    uint32_t slot = GATEWAY_ENTRIES_MAX;
    for (uint32_t i = GATEWAY_ENTRIES_MAX; i-- > 0;) {
        const struct gateway_entry *entry = gateway->entries[i];
        if (entry == NULL) {
            slot = i;
        } else if (strcmp(entry->status.service, service) == 0) {
            return i;
        }
    }
    return slot;
}

int gateway_apply(struct gateway *gateway, const struct entry_order *order, int64_t now_ms,
                  struct err *err)
{
    if (!entry_name_is_valid(order->service)) {
        return err_set(err, -EINVAL, "entry point: the service's name is not valid");
    }
    const uint32_t slot = find_slot(gateway, order->service);
    if (slot == GATEWAY_ENTRIES_MAX) {
        return err_set(err, -ENOSPC, "entry point of %s: this gateway has %d already",
                       order->service, GATEWAY_ENTRIES_MAX);
    }
    if (gateway->entries[slot] != NULL && gateway->entries[slot]->phase == ENTRY_PHASE_GONE) {
        close_entry(gateway, slot); /* its folder is gone; begin anew */
    }
    if (gateway->entries[slot] == NULL) {
        struct gateway_entry *entry = calloc(1, sizeof *entry);
        if (entry == NULL) {
            return err_set(err, -ENOMEM, "entry point of %s: no memory", order->service);
        }
        entry->slot = slot;
        const int rc = entry_open(entry, &gateway->host, order->service, now_ms, err);
        if (rc < 0) {
            free(entry);
            return rc;
        }
        gateway->entries[slot] = entry;
    }
    entry_apply(gateway->entries[slot], &gateway->host, order, now_ms);
    return 0;
}

int gateway_fd(const struct gateway *gateway)
{
    return gateway->host.epoll_fd;
}

int64_t gateway_deadline_ms(const struct gateway *gateway)
{
    int64_t deadline_ms = INT64_MAX;
    for (uint32_t i = 0; i < GATEWAY_ENTRIES_MAX; i++) {
        if (gateway->entries[i] != NULL) {
            const int64_t entry_ms = entry_deadline_ms(gateway->entries[i]);
            deadline_ms = entry_ms < deadline_ms ? entry_ms : deadline_ms;
        }
    }
    return deadline_ms;
}

void gateway_run(struct gateway *gateway, int64_t now_ms)
{
    bool ready[GATEWAY_ENTRIES_MAX] = {false};
    struct epoll_event events[GATEWAY_ENTRIES_MAX];
    const int count = epoll_wait(gateway->host.epoll_fd, events, GATEWAY_ENTRIES_MAX, 0);
    for (int i = 0; i < count; i++) {
        ready[events[i].data.u32 % GATEWAY_ENTRIES_MAX] = true;
    }
    for (uint32_t i = 0; i < GATEWAY_ENTRIES_MAX; i++) {
        struct gateway_entry *entry = gateway->entries[i];
        if (entry != NULL && (ready[i] || now_ms >= entry_deadline_ms(entry))) {
            entry_run(entry, &gateway->host, now_ms);
        }
    }
}

static bool status_differs(const struct entry_status *a, const struct entry_status *b)
{
    return a->operation_done != b->operation_done || a->up != b->up ||
           a->servers_up != b->servers_up || strcmp(a->problem_text, b->problem_text) != 0;
}

bool gateway_next_status(struct gateway *gateway, struct entry_status *out)
{
    for (uint32_t i = 0; i < GATEWAY_ENTRIES_MAX; i++) {
        struct gateway_entry *entry = gateway->entries[i];
        if (entry == NULL ||
            (!entry->report && !status_differs(&entry->status, &entry->reported))) {
            continue;
        }
        entry->reported = entry->status;
        entry->report = false;
        *out = entry->status;
        if (entry->phase == ENTRY_PHASE_GONE) {
            close_entry(gateway, i);
        }
        return true;
    }
    return false;
}

bool gateway_next_metrics(struct gateway *gateway, int64_t now_ms, struct metrics *out)
{
    for (uint32_t i = 0; i < GATEWAY_ENTRIES_MAX; i++) {
        if (gateway->entries[i] != NULL && entry_metrics(gateway->entries[i], now_ms, out)) {
            return true;
        }
    }
    return false;
}
