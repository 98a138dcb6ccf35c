// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/free_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>

#include "common/io/clock.h"
#include "common/model/object.h"
#include "node-agent/io/xen/domain.h"
#include "node-agent/io/xen/making.h"

#define SCRUB_STEP_MS 100
#define PAGE_KIB      4

/* Memory of Xen that nobody has; *scrubbing: some more is on its way. */
static int read_free(struct xen_session *session, uint64_t *free_kib, bool *scrubbing,
                     struct err *err)
{
    libxl_physinfo info;
    libxl_physinfo_init(&info);
    int r = libxl_get_physinfo(session->ctx, &info);
    if (r == 0) {
        uint64_t claimed = info.outstanding_pages; /* by domains that are being made */
        *free_kib = (info.free_pages > claimed ? info.free_pages - claimed : 0) * PAGE_KIB;
        *scrubbing = info.scrub_pages > 0;
    }
    libxl_physinfo_dispose(&info);
    return r == 0 ? 0 : session_error(r, "free memory", err);
}

/* True when one was swept up. */
static bool sweep(const struct xen_host *host, struct xen_session *session,
                  const struct hypervisor_call *call)
{
    int count = 0;
    bool any = false;
    libxl_dominfo *list = libxl_list_domain(session->ctx, &count);
    for (int i = 0; list != NULL && i < count; i++) {
        struct domain_mark mark;
        if (domain_state(&list[i]) == RUN_STATE_STOPPED &&
            domain_mark_read(host, session, list[i].domid, &mark) == 0 && mark.made) {
            struct hypervisor_call end = {.deadline_ms = call->deadline_ms};
            end.order.image_format = IMAGE_FORMAT_KERNEL; /* its loop device is used again */
            any = making_end(host, session, list[i].domid, &end, NULL) == 0 || any;
        }
    }
    if (list != NULL) {
        libxl_dominfo_list_free(list, count);
    }
    return any;
}

static int need(const struct xen_host *host, struct xen_session *session, uint64_t need_kib,
                const struct hypervisor_call *call, struct err *err)
{
    uint64_t free_kib = 0;
    bool scrubbing = false;
    bool swept = false;
    int rc = read_free(session, &free_kib, &scrubbing, err);
    while (rc == 0 && free_kib < need_kib) {
        if (!swept) {
            swept = true;
            (void)sweep(host, session, call);
        } else if (scrubbing && clock_boot_ms() < call->deadline_ms) {
            (void)poll(NULL, 0, SCRUB_STEP_MS);
        } else {
            return err_set(err, -ENOSPC,
                           "%" PRIu64 " MiB of memory are needed, Xen has %" PRIu64
                           " MiB free; what guests are asked to give back counts when it is "
                           "back",
                           (need_kib + 1023) / 1024, free_kib / 1024);
        }
        rc = read_free(session, &free_kib, &scrubbing, err);
    }
    return rc;
}

int free_memory_for_domain(const struct xen_host *host, struct xen_session *session,
                           libxl_domain_config *config, const struct hypervisor_call *call,
                           struct err *err)
{
    uint64_t need_kib = 0;
    int r = libxl_domain_need_memory(session->ctx, config, (uint32_t)INVALID_DOMID, &need_kib);
    if (r != 0) {
        return session_error(r, "memory that the domain needs", err);
    }
    return need(host, session, need_kib, call, err);
}

int free_memory_for_growth(const struct xen_host *host, struct xen_session *session,
                           uint64_t more_kib, const struct hypervisor_call *call,
                           struct err *err)
{
    return need(host, session, more_kib, call, err);
}
