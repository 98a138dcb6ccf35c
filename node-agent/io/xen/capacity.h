// SPDX-License-Identifier: Apache-2.0
/*
 * What this host has to give: CPUs of Xen's first pool (other pools are somebody else's) minus
 * what dom0 keeps and what foreign domains hold; of memory what is free and what ours hold,
 * minus what is kept free.
 */
#ifndef NODE_AGENT_IO_XEN_CAPACITY_H
#define NODE_AGENT_IO_XEN_CAPACITY_H

#include "node-agent/core/hypervisor_call.h"
#include "node-agent/io/xen/host.h"

#define CAPACITY_POOL 0

struct capacity {
    uint32_t cpus; /* of the pool */
    uint64_t memory_kib_total;
    uint64_t free_kib;
    uint64_t ours_kib;
    uint32_t foreign_cpu_pct;
    uint32_t foreign_vms;
};

int capacity_read(struct xen_session *session, struct capacity *out, struct err *err);

/* Pure. in_pool: it may use CPUs of the pool. */
void capacity_count(struct capacity *capacity, const struct domain_reading *domain,
                    bool in_pool);
void capacity_show(const struct capacity *capacity, const struct xen_settings *settings,
                   struct node_status *out);

#endif
