// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/capacity.h"

#include <errno.h>
#include <string.h>

#define PAGE_KIB 4

static uint32_t count_cpus(const uint8_t *map, int size)
{
    uint32_t count = 0;
    for (int i = 0; i < size; i++) {
        count += (uint32_t)__builtin_popcount(map[i]);
    }
    return count;
}

/* Asked of Xen itself: libxl would read the pool's name and more, each second. */
int capacity_read(struct xen_session *session, struct capacity *out, struct err *err)
{
    xc_physinfo_t info = {0};
    if (xc_physinfo(session->control, &info) != 0) {
        return err_set(err, -EIO, "read the host's capacity: %s", strerrordesc_np(errno));
    }
    xc_cpupoolinfo_t *pool = xc_cpupool_getinfo(session->control, CAPACITY_POOL);
    if (pool == NULL) {
        return err_set(err, -EIO, "read Xen's first pool: %s", strerrordesc_np(errno));
    }
    *out = (struct capacity){
        .cpus = count_cpus(pool->cpumap, xc_get_cpumap_size(session->control)),
        .memory_kib_total = info.total_pages * PAGE_KIB,
        .free_kib = (info.free_pages + info.scrub_pages) * PAGE_KIB,
    };
    xc_cpupool_infofree(session->control, pool);
    return 0;
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
