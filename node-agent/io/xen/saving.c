// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/saving.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "node-agent/io/xen/amounts.h"
#include "node-agent/io/xen/balloon.h"
#include "node-agent/io/xen/life_cycle.h"
#include "node-agent/io/xen/making.h"
#include "node-agent/io/xen/records.h"
#include "node-agent/io/xen/saved_image.h"

#define BALLOON_STEP_MS 200
#define RESUME_MS       30000 /* after a failed save, which may have been the deadline */
#define KEEP_BYTES      (UINT64_C(64) << 20) /* that stay free beside an image */

int saving_wait_for_balloon(const struct xen_host *host, struct xen_session *session,
                            uint32_t domid, int64_t deadline_ms, struct err *err)
{
    struct balloon balloon;
    balloon_start(&balloon, host->settings.balloon_still_ms);
    for (;;) {
        uint64_t target_kib = 0;
        libxl_dominfo info;
        libxl_dominfo_init(&info);
        int r = libxl_domain_info(session->ctx, &info, domid);
        uint64_t held_kib = info.current_memkb;
        libxl_dominfo_dispose(&info);
        if (r != 0) {
            return session_error(r, "read memory", err);
        }
        if (amounts_memory_target(session, domid, &target_kib) != 0) {
            return err_set(err, -EIO, "the memory target of domain %u is unknown", domid);
        }
        int64_t now_ms = clock_boot_ms();
        enum balloon_state state = balloon_look(&balloon, held_kib, target_kib, now_ms);
        if (state == BALLOON_THERE) {
            return 0;
        }
        if (state == BALLOON_STUCK || now_ms >= deadline_ms) {
            return err_set(err, -EBUSY,
                           "its balloon %s at %" PRIu64 " KiB, above the target of %" PRIu64
                           " KiB: an image of it could not be restored; set its memory to what "
                           "it holds, or make it free some",
                           state == BALLOON_STUCK ? "has stopped" : "still moves", held_kib,
                           target_kib);
        }
        (void)poll(NULL, 0, BALLOON_STEP_MS);
    }
}

/* The image holds every page of the guest; the folder must have room for it. */
static int check_room(const char *path, uint64_t memory_kib, struct err *err)
{
    struct statvfs status;
    if (statvfs(path, &status) != 0) {
        return err_set(err, -errno, "%s: %s", path, strerrordesc_np(errno));
    }
    uint64_t free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    uint64_t need_bytes = memory_kib * 1024 + memory_kib * 16 + KEEP_BYTES;
    return free_bytes >= need_bytes
               ? 0
               : err_set(err, -ENOSPC,
                         "its image needs %" PRIu64 " MiB, %s has %" PRIu64 " MiB free",
                         need_bytes >> 20, path, free_bytes >> 20);
}

/* Everything of the image is on the medium and can be read back to its end. */
static int check_written(int fd, const char *path, struct err *err)
{
    if (fsync(fd) != 0) {
        return err_set(err, -errno, "%s: %s", path, strerrordesc_np(errno));
    }
    uint64_t pages_kib = 0;
    return saved_image_check(fd, &pages_kib, err);
}

static int publish(const struct xen_host *host, const char *part, const char *path,
                   struct err *err)
{
    char folder[STATE_PATH_SIZE];
    (void)snprintf(folder, sizeof folder, "%s/" RECORDS_SAVED, host->state_folder);
    int r = rename(part, path);
    int fd = r != 0 ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = fd < 0 ? -1 : fsync(fd);
    int code = r == 0 ? 0 : -errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    return code == 0 ? 0 : err_set(err, code, "%s: %s", path, strerrordesc_np(-code));
}

static int write_image(struct xen_session *session, uint32_t domid, const char *part,
                       const struct hypervisor_call *call, struct err *err)
{
    (void)unlink(part); /* of an attempt that was interrupted */
    int fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_set(err, -errno, "%s: %s", part, strerrordesc_np(errno));
    }
    int started = libxl_domain_suspend(session->ctx, domid, fd, 0, session_how(session));
    int rc = session_wait(session, started, call->deadline_ms, "save", err);
    rc = rc != 0 ? rc : check_written(fd, part, err);
    (void)close(fd);
    return rc;
}

/* After a save that failed the guest must go on, if it had come so far as to stop. */
static void bring_back(struct xen_session *session, uint32_t domid)
{
    libxl_dominfo info;
    libxl_dominfo_init(&info);
    bool stopped = libxl_domain_info(session->ctx, &info, domid) == 0 && info.shutdown &&
                   info.shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND;
    libxl_dominfo_dispose(&info);
    if (stopped) {
        (void)session_wait(session,
                           libxl_domain_resume(session->ctx, domid, 1, session_how(session)),
                           clock_boot_ms() + RESUME_MS, "resume", NULL);
    }
}

static int paths(const struct xen_host *host, const char *uuid, const char *suffix,
                 char path[STATE_PATH_SIZE], char other[STATE_PATH_SIZE], struct err *err)
{
    char name[UUID_SIZE + 16];
    (void)snprintf(name, sizeof name, "%s%s", uuid, suffix);
    return host_state_path(host, RECORDS_SAVED, uuid, path) == 0 &&
                   host_state_path(host, RECORDS_SAVED, name, other) == 0
               ? 0
               : err_set(err, -ENAMETOOLONG, "the state folder's path is too long");
}

int saving_suspend(const struct xen_host *host, struct xen_session *session,
                   const struct xen_domain *domain, const struct hypervisor_call *call,
                   struct err *err)
{
    char path[STATE_PATH_SIZE];
    char part[STATE_PATH_SIZE];
    int rc = paths(host, call->order.uuid, RECORDS_PART, path, part, err);
    rc = rc != 0 ? rc : life_cycle_resume(session, domain, call, err); /* it takes part in it */
    rc = rc != 0
             ? rc
             : saving_wait_for_balloon(host, session, domain->domid, call->deadline_ms, err);
    rc = rc != 0 ? rc : check_room(host->state_folder, domain->info.current_memkb, err);
    if (rc != 0) {
        return rc;
    }
    rc = write_image(session, domain->domid, part, call, err);
    rc = rc != 0 ? rc : publish(host, part, path, err);
    if (rc != 0) {
        (void)unlink(part);
        (void)unlink(path);
        bring_back(session, domain->domid);
        return rc;
    }
    return making_end(host, session, domain->domid, call, err); /* there is no way back */
}

static int read_back(struct xen_host *host, struct xen_session *session,
                     const struct hypervisor_call *call, const char *path, struct err *err)
{
    struct domain_mark mark = {0};
    uint64_t pages_kib = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, -errno, "%s: %s", path, strerrordesc_np(errno));
    }
    (void)records_read(host, call->order.uuid, &mark); /* else it is told no address */
    int rc = saved_image_check(fd, &pages_kib, err);
    if (rc == 0) {
        const struct making making = {.call = call,
                                      .stream = fd,
                                      .stream_kib = pages_kib,
                                      .address = mark.address,
                                      .gateway = mark.gateway};
        rc = making_domain(host, session, &making, err);
    }
    (void)close(fd);
    return rc;
}

int saving_restore(struct xen_host *host, struct xen_session *session,
                   const struct hypervisor_call *call, struct err *err)
{
    char path[STATE_PATH_SIZE];
    char restoring[STATE_PATH_SIZE];
    int rc = paths(host, call->order.uuid, RECORDS_RESTORING, path, restoring, err);
    if (rc != 0) {
        return rc;
    }
    if (rename(path, restoring) != 0) {
        return err_set(err, -errno, "no saved image %s: %s", path, strerrordesc_np(errno));
    }
    rc = read_back(host, session, call, restoring, err);
    if (rc == 0) {
        (void)unlink(restoring); /* it runs: the image would only be an old copy of it */
    } else {
        (void)rename(restoring, path);
    }
    return rc;
}
