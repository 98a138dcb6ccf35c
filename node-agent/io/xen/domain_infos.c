// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/domain_infos.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/scope.h"

#define AT_ONCE  32 /* domains of one call; its buffer is a page */
#define PAGE_KIB 4

void domain_info_of(const xc_domaininfo_t *domain, libxl_dominfo *out)
{
    static_assert(sizeof out->uuid.uuid == sizeof domain->handle, "both are 16 bytes");
    libxl_dominfo_init(out);
    out->domid = domain->domain;
    memcpy(out->uuid.uuid, domain->handle, sizeof domain->handle);
    out->dying = (domain->flags & XEN_DOMINF_dying) != 0;
    out->shutdown = (domain->flags & XEN_DOMINF_shutdown) != 0;
    out->paused = (domain->flags & XEN_DOMINF_paused) != 0;
    out->blocked = (domain->flags & XEN_DOMINF_blocked) != 0;
    out->running = (domain->flags & XEN_DOMINF_running) != 0;
    out->shutdown_reason = LIBXL_SHUTDOWN_REASON_UNKNOWN;
    if (out->shutdown) {
        out->shutdown_reason =
            (libxl_shutdown_reason)(domain->flags >> XEN_DOMINF_shutdownshift &
                                    XEN_DOMINF_shutdownmask);
    }
    out->current_memkb = domain->tot_pages * PAGE_KIB;
    out->max_memkb = domain->max_pages * PAGE_KIB;
    out->cpu_time = domain->cpu_time;
    out->vcpu_max_id = domain->max_vcpu_id;
    out->vcpu_online = domain->nr_online_vcpus;
    out->cpupool = domain->cpupool;
}

int domain_infos_read(struct xen_session *session, libxl_dominfo **out, int *count,
                      struct err *err)
{
    xc_domaininfo_t part[AT_ONCE];
    SCOPE_FREE libxl_dominfo *list = NULL;
    uint32_t next = 0;
    int got = AT_ONCE;
    *count = 0;
    while (got == AT_ONCE) {
        got = xc_domain_getinfolist(session->control, next, AT_ONCE, part);
        if (got < 0) {
            return err_set(err, -EIO, "Xen does not list the domains: %s",
                           strerrordesc_np(errno));
        }
        libxl_dominfo *more = realloc(list, sizeof *list * (size_t)(*count + got + 1));
        if (more == NULL) {
            return err_set(err, -ENOMEM, "no memory for a list of domains");
        }
        list = more;
        for (int i = 0; i < got; i++) {
            domain_info_of(&part[i], &list[(*count)++]);
            next = (uint32_t)part[i].domain + 1;
        }
    }
    *out = list;
    list = NULL;
    return 0;
}
