// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/capacity.h"

#include <errno.h>

#define PAGE_KIB 4

int capacity_read(struct xen_session *session, struct capacity *out, struct err *err)
{
    libxl_physinfo info;
    libxl_cpupoolinfo pool;
    libxl_physinfo_init(&info);
    libxl_cpupoolinfo_init(&pool);
    int r = libxl_get_physinfo(session->ctx, &info);
    r = r != 0 ? r : libxl_cpupool_info(session->ctx, &pool, CAPACITY_POOL);
    if (r == 0) {
        *out = (struct capacity){
            .cpus = (uint32_t)libxl_bitmap_count_set(&pool.cpumap),
            .memory_kib_total = info.total_pages * PAGE_KIB,
            .free_kib = (info.free_pages + info.scrub_pages) * PAGE_KIB,
        };
    }
    libxl_cpupoolinfo_dispose(&pool);
    libxl_physinfo_dispose(&info);
    return r == 0 ? 0 : session_error(r, "read the host's capacity", err);
}

/* A foreign domain holds its cap, or all of its VCPUs; its memory is simply not free. */
void capacity_count(struct capacity *capacity, const struct domain_reading *domain,
                    bool in_pool)
{
    if (domain->ours) {
        capacity->ours_kib += domain->memory_kib;
        return;
    }
    capacity->foreign_vms++;
    if (in_pool) {
        uint32_t cap_pct = domain->cap_pct;
        capacity->foreign_cpu_pct += cap_pct != UINT32_MAX ? cap_pct : 100 * domain->vcpus;
    }
}

void capacity_show(const struct capacity *capacity, const struct xen_settings *settings,
                   struct node_status *out)
{
    uint64_t kept_pct = (uint64_t)settings->reserve_cpu_pct + capacity->foreign_cpu_pct;
    uint64_t memory_kib = capacity->free_kib + capacity->ours_kib;
    out->cpu_pct_total = capacity->cpus * 100;
    out->cpu_pct = kept_pct < out->cpu_pct_total ? out->cpu_pct_total - (uint32_t)kept_pct : 0;
    out->memory_kib_total = capacity->memory_kib_total;
    out->memory_kib = memory_kib > settings->reserve_memory_kib
                          ? memory_kib - settings->reserve_memory_kib
                          : 0;
    out->foreign_vms = capacity->foreign_vms;
}
