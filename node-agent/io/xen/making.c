// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/making.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/model/object.h"
#include "node-agent/io/driver/guest_disk.h"
#include "node-agent/io/xen/block_device.h"
#include "node-agent/io/xen/domain.h"
#include "node-agent/io/xen/domain_config.h"
#include "node-agent/io/xen/free_memory.h"
#include "node-agent/io/xen/records.h"

#define END_MS      60000
#define CLEAN_UP_MS 30000 /* after a failure, which may have been the deadline */
#define GONE_MS     10000 /* Xen gives the last pages of a domain back a little later */
#define GONE_STEP   50

int making_disk_path(const struct xen_host *host, const struct vm_order *order, char *out,
                     struct err *err)
{
    out[0] = '\0';
    return order->image_format == IMAGE_FORMAT_KERNEL
               ? 0
               : guest_disk_path(host->state_folder, order, out, err);
}

/* Waits until Xen does not know the domain any more. */
static int wait_gone(struct xen_session *session, uint32_t domid, struct err *err)
{
    int64_t until_ms = clock_boot_ms() + GONE_MS;
    libxl_dominfo info;
    libxl_dominfo_init(&info);
    int r = 0;
    while ((r = libxl_domain_info(session->ctx, &info, domid)) == 0 &&
           clock_boot_ms() < until_ms) {
        (void)poll(NULL, 0, GONE_STEP);
    }
    libxl_dominfo_dispose(&info);
    return r != 0 ? 0
                  : err_set(err, -EBUSY,
                            "domain %u is dying and still holds its memory and disks", domid);
}

int making_end(const struct xen_host *host, struct xen_session *session, uint32_t domid,
               const struct hypervisor_call *call, struct err *err)
{
    /* Never left half-way: who waits for the call may give up earlier, and ask again. */
    int64_t until_ms = clock_boot_ms() + END_MS;
    until_ms = until_ms > call->deadline_ms ? until_ms : call->deadline_ms;
    int started = libxl_domain_destroy(session->ctx, domid, session_how(session));
    int rc = session_wait(session, started, until_ms, "destroy", err);
    rc = rc == 0 || rc == -ENOENT ? wait_gone(session, domid, err) : rc;
    char disk[DISK_PATH_SIZE];
    if (rc == 0 && making_disk_path(host, &call->order, disk, NULL) == 0 && disk[0] != '\0') {
        block_device_detach(disk);
    }
    return rc;
}

/* 0: nothing is in the way, or it was swept up. */
static int clear_way(const struct xen_host *host, struct xen_session *session,
                     const struct hypervisor_call *call, struct err *err)
{
    struct xen_domain old;
    struct err missing = {0};
    int rc = domain_find(host, session, call->order.uuid, &old, &missing);
    if (rc == -ENOENT) {
        return 0;
    }
    if (rc != 0) {
        return err_set(err, rc, "%s", missing.text);
    }
    if (domain_state(&old.info) != RUN_STATE_STOPPED) {
        return err_set(err, -EEXIST, "domain %u with uuid %s is %s already", old.domid,
                       call->order.uuid, run_state_word(domain_state(&old.info)));
    }
    return making_end(host, session, old.domid, call, err);
}

static int write_mark(struct xen_session *session, uint32_t domid,
                      const struct domain_mark *mark, struct err *err)
{
    char path[64];
    char text[DOMAIN_MARK_SIZE];
    (void)snprintf(path, sizeof path, "/local/domain/%u/" DOMAIN_MARK_KEY, domid);
    if (domain_mark_format(mark, text) != 0 ||
        !xs_write(session->store, XBT_NULL, path, text, (unsigned int)strlen(text))) {
        return err_set(err, -EIO, "the mark of domain %u cannot be written to xenstore", domid);
    }
    return 0;
}

static int build(struct xen_session *session, const struct making *making,
                 libxl_domain_config *config, uint32_t *domid, struct err *err)
{
    const libxl_asyncop_how *how = session_how(session);
    if (making->stream < 0) {
        int started = libxl_domain_create_new(session->ctx, config, domid, how, NULL);
        return session_wait(session, started, making->call->deadline_ms, "create", err);
    }
    libxl_domain_restore_params params;
    libxl_domain_restore_params_init(&params);
    params.stream_version = 2;
    int started = libxl_domain_create_restore(session->ctx, config, domid, making->stream, -1,
                                              &params, how, NULL);
    int rc = session_wait(session, started, making->call->deadline_ms, "restore", err);
    libxl_domain_restore_params_dispose(&params);
    return rc;
}

/* libxl ends what it could not finish by itself, except after an abort. */
static bool is_there(struct xen_session *session, uint32_t domid)
{
    libxl_dominfo info;
    libxl_dominfo_init(&info);
    bool there =
        domid != (uint32_t)INVALID_DOMID && libxl_domain_info(session->ctx, &info, domid) == 0;
    libxl_dominfo_dispose(&info);
    return there;
}

/* With everything in place: the domain, and then its mark as made. */
static int make(struct xen_host *host, struct xen_session *session, const struct making *making,
                const struct domain_plan *plan, struct err *err)
{
    const struct hypervisor_call *call = making->call;
    libxl_domain_config config;
    uint32_t domid = (uint32_t)INVALID_DOMID;
    int rc = domain_config(host, session, plan, &config, err);
    if (rc == 0 && making->stream_kib > config.b_info.target_memkb) {
        config.b_info.target_memkb = making->stream_kib; /* its own amount is set afterwards */
        config.b_info.max_memkb = config.b_info.max_memkb > making->stream_kib
                                      ? config.b_info.max_memkb
                                      : making->stream_kib;
    }
    rc = rc != 0 ? rc : free_memory_for_domain(host, session, &config, call, err);
    rc = rc != 0 ? rc : build(session, making, &config, &domid, err);
    if (rc == 0) {
        struct domain_mark made = *plan->mark;
        made.made = true;
        rc = write_mark(session, domid, &made, err);
    }
    if (rc != 0 && is_there(session, domid)) {
        (void)making_end(host, session, domid, call, NULL); /* the first failure is told */
    }
    libxl_domain_config_dispose(&config);
    return rc;
}

static int prepare_disk(const struct xen_host *host, const struct hypervisor_call *call,
                        char disk[DISK_PATH_SIZE], bool *made, struct err *err)
{
    int rc = making_disk_path(host, &call->order, disk, err);
    return rc != 0 || disk[0] == '\0' ? rc : guest_disk_prepare(call, disk, made, err);
}

static void undo(const struct xen_host *host, const struct hypervisor_call *call,
                 const char *disk, bool disk_made, bool was_known)
{
    if (disk[0] != '\0') {
        block_device_detach(disk);
    }
    if (disk_made) {
        (void)guest_disk_discard(disk, clock_boot_ms() + CLEAN_UP_MS, NULL);
    }
    if (!was_known) {
        records_remove(host, call->order.uuid);
    }
}

static int make_all(struct xen_host *host, struct xen_session *session,
                    const struct making *making, struct err *err)
{
    const struct hypervisor_call *call = making->call;
    struct domain_mark mark = {.made = true, .generation = call->order.generation};
    (void)snprintf(mark.node, sizeof mark.node, "%s", host->node);
    (void)snprintf(mark.vm, sizeof mark.vm, "%s", call->order.vm);
    (void)snprintf(mark.address, sizeof mark.address, "%s", making->address);
    (void)snprintf(mark.gateway, sizeof mark.gateway, "%s", making->gateway);
    struct domain_mark before;
    bool was_known = records_read(host, call->order.uuid, &before) == 0;
    char disk[DISK_PATH_SIZE] = "";
    char device[BLOCK_DEVICE_SIZE] = "";
    bool disk_made = false;
    int rc = clear_way(host, session, call, err);
    if (rc != 0) {
        return rc;
    }
    rc = prepare_disk(host, call, disk, &disk_made, err);
    if (rc == 0 && disk[0] != '\0') {
        rc = block_device_attach(disk, device, err);
    }
    rc = rc != 0 ? rc : records_write(host, call->order.uuid, &mark, err);
    if (rc == 0) {
        mark.made = false;
        struct domain_plan plan = {.order = &call->order, .mark = &mark, .disk = device};
        rc = make(host, session, making, &plan, err);
    }
    if (rc != 0) {
        undo(host, call, disk, disk_made, was_known);
        if (was_known) {
            (void)records_write(host, call->order.uuid, &before, NULL);
        }
    }
    return rc;
}

int making_domain(struct xen_host *host, struct xen_session *session,
                  const struct making *making, struct err *err)
{
    (void)pthread_mutex_lock(&host->making);
    int rc = make_all(host, session, making, err);
    (void)pthread_mutex_unlock(&host->making);
    return rc;
}

struct recovery {
    struct xen_host *host;
    struct xen_session *session;
};

/* Once its domain is whole an image is out of date. A domain that is half made, is ending, or
 * cannot be looked at leaves it the only copy of the guest. */
static void recover_restoring(void *context, const char *uuid)
{
    const struct recovery *recovery = context;
    struct xen_domain domain;
    char name[UUID_SIZE + 16];
    char path[STATE_PATH_SIZE];
    char saved[STATE_PATH_SIZE];
    (void)snprintf(name, sizeof name, "%s" RECORDS_RESTORING, uuid);
    if (host_state_path(recovery->host, RECORDS_SAVED, name, path) != 0 ||
        host_state_path(recovery->host, RECORDS_SAVED, uuid, saved) != 0) {
        return;
    }
    int rc = domain_find(recovery->host, recovery->session, uuid, &domain, NULL);
    if (rc == 0 && domain.mark.made) {
        (void)unlink(path);
    } else {
        (void)rename(path, saved);
    }
}

static void recover_part(void *context, const char *uuid)
{
    const struct recovery *recovery = context;
    char name[UUID_SIZE + 16];
    char path[STATE_PATH_SIZE];
    (void)snprintf(name, sizeof name, "%s" RECORDS_PART, uuid);
    if (host_state_path(recovery->host, RECORDS_SAVED, name, path) == 0) {
        (void)unlink(path);
    }
}

/* A domain that is half made, or whose image was whole before it could be given up. */
static void recover_domain(struct xen_host *host, struct xen_session *session,
                           const libxl_dominfo *info)
{
    struct domain_mark mark;
    struct hypervisor_call call = {0};
    if (info->dying || domain_mark_read(host, session, info->domid, &mark) != 0) {
        return;
    }
    domain_uuid_text(&info->uuid, call.order.uuid);
    bool given_up = info->shutdown && info->shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND &&
                    records_has_saved(host, call.order.uuid);
    if (!mark.made || given_up) {
        call.order.image_format = IMAGE_FORMAT_KERNEL; /* its loop device is used again */
        (void)making_end(host, session, info->domid, &call, NULL);
    }
}

void making_recover(struct xen_host *host, struct xen_session *session)
{
    struct recovery recovery = {.host = host, .session = session};
    int count = 0;
    libxl_dominfo *list = libxl_list_domain(session->ctx, &count);
    for (int i = 0; list != NULL && i < count; i++) {
        recover_domain(host, session, &list[i]);
    }
    if (list != NULL) {
        libxl_dominfo_list_free(list, count);
        records_visit(host, RECORDS_SAVED, RECORDS_PART, recover_part, &recovery);
        records_visit(host, RECORDS_SAVED, RECORDS_RESTORING, recover_restoring, &recovery);
    }
}
