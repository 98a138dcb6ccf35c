// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/life_cycle.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/io/clock.h"
#include "common/model/object.h"
#include "node-agent/io/driver/guest_disk.h"
#include "node-agent/io/xen/making.h"
#include "node-agent/io/xen/records.h"

#define POLL_MS      100
#define FORCE_MARGIN 10000 /* ms of the deadline that are kept for ending it by force */

int life_cycle_create(struct xen_host *host, struct xen_session *session,
                      const struct hypervisor_call *call, struct err *err)
{
    const struct making making = {
        .call = call, .stream = -1, .address = call->address, .gateway = call->gateway};
    return making_domain(host, session, &making, err);
}

/* Only copy disks go with their VM; what lies on a storage stays. */
static int discard(const struct xen_host *host, const struct hypervisor_call *call,
                   struct err *err)
{
    char disk[DISK_PATH_SIZE];
    int rc = making_disk_path(host, &call->order, disk, err);
    if (rc == 0 && disk[0] != '\0' && call->order.disk_kind == DISK_KIND_COPY) {
        rc = guest_disk_discard(disk, call->deadline_ms, err);
    }
    if (rc == 0) {
        records_remove_saved(host, call->order.uuid);
        records_remove(host, call->order.uuid);
    }
    return rc;
}

int life_cycle_destroy(struct xen_host *host, struct xen_session *session,
                       const struct hypervisor_call *call, struct err *err)
{
    struct xen_domain domain;
    int rc = domain_find(host, session, call->order.uuid, &domain, err);
    if (rc == 0) {
        rc = making_end(host, session, domain.domid, call, err);
    } else if (rc == -ENOENT) {
        rc = 0;
    }
    return rc == 0 && call->discard_disk ? discard(host, call, err) : rc;
}

int life_cycle_pause(struct xen_session *session, const struct xen_domain *domain,
                     const struct hypervisor_call *call, struct err *err)
{
    if (domain->info.paused) {
        return 0;
    }
    return session_wait(session,
                        libxl_domain_pause(session->ctx, domain->domid, session_how(session)),
                        call->deadline_ms, "pause", err);
}

int life_cycle_resume(struct xen_session *session, const struct xen_domain *domain,
                      const struct hypervisor_call *call, struct err *err)
{
    libxl_ctx *ctx = session->ctx;
    int rc = 0;
    if (!domain->mark.made) {
        return err_set(err, -EBUSY, "domain %u is not whole yet", domain->domid);
    }
    if (domain->info.shutdown &&
        domain->info.shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND) {
        rc = session_wait(session,
                          libxl_domain_resume(ctx, domain->domid, 1, session_how(session)),
                          call->deadline_ms, "resume", err);
    }
    if (rc == 0 && domain->info.paused) {
        rc = session_wait(session,
                          libxl_domain_unpause(ctx, domain->domid, session_how(session)),
                          call->deadline_ms, "unpause", err);
    }
    return rc;
}

/* Waits for the guest to end by itself. True: it did. */
static bool wait_for_end(struct xen_session *session, uint32_t domid, int64_t until_ms)
{
    libxl_dominfo info;
    bool ended = false;
    libxl_dominfo_init(&info);
    while (!ended && clock_boot_ms() < until_ms) {
        ended =
            libxl_domain_info(session->ctx, &info, domid) != 0 || info.shutdown || info.dying;
        if (!ended) {
            (void)poll(NULL, 0, POLL_MS);
        }
    }
    libxl_dominfo_dispose(&info);
    return ended;
}

/* The guest's kernel hears of it by xenstore; one without that never does. */
static int ask(struct xen_session *session, const struct xen_domain *domain, bool reboot,
               int64_t until_ms, struct err *err)
{
    const libxl_asyncop_how *how = session_how(session);
    int started = reboot ? libxl_domain_reboot(session->ctx, domain->domid, how)
                         : libxl_domain_shutdown(session->ctx, domain->domid, how);
    return session_wait(session, started, until_ms, reboot ? "reboot" : "shutdown", err);
}

/* The guest ends by itself, or note says why it must be ended by force. */
static void stop(struct xen_session *session, const struct xen_domain *domain,
                 const struct hypervisor_call *call, bool reboot, char note[TEXT_SIZE])
{
    int64_t began_ms = clock_boot_ms();
    int64_t left_ms = call->deadline_ms - began_ms;
    int64_t until_ms =
        call->deadline_ms - (left_ms / 3 < FORCE_MARGIN ? left_ms / 3 : FORCE_MARGIN);
    struct err refused = {0};
    if (domain->info.shutdown) {
        return;
    }
    if (domain->info.paused) {
        (void)life_cycle_resume(session, domain, call, NULL); /* a frozen guest cannot answer */
    }
    bool asked = ask(session, domain, reboot, until_ms, &refused) == 0;
    if (!asked || !wait_for_end(session, domain->domid, until_ms)) {
        (void)snprintf(note, TEXT_SIZE, "did not stop in %lld ms%s%.150s: ended by force",
                       (long long)(clock_boot_ms() - began_ms), asked ? "" : ": ",
                       refused.text);
    }
}

int life_cycle_shutdown(const struct xen_host *host, struct xen_session *session,
                        const struct xen_domain *domain, const struct hypervisor_call *call,
                        char note[TEXT_SIZE], struct err *err)
{
    stop(session, domain, call, false, note);
    return making_end(host, session, domain->domid, call, err);
}

int life_cycle_reboot(struct xen_host *host, struct xen_session *session,
                      const struct xen_domain *domain, const struct hypervisor_call *call,
                      char note[TEXT_SIZE], struct err *err)
{
    struct hypervisor_call half = *call; /* the other half is for making it again */
    half.deadline_ms -= (call->deadline_ms - clock_boot_ms()) / 2;
    stop(session, domain, &half, true, note);
    int rc = making_end(host, session, domain->domid, &half, err);
    if (rc != 0) {
        return rc;
    }
    const struct making making = {.call = call,
                                  .stream = -1,
                                  .address = domain->mark.address,
                                  .gateway = domain->mark.gateway};
    return making_domain(host, session, &making, err);
}
