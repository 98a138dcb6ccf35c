// SPDX-License-Identifier: Apache-2.0
/*
 * Cap, weight, VCPUs and memory of a domain: set, then read back into *value. Xen's cap of 0 is
 * none and never leaves these functions: UINT32_MAX stands for it outside.
 */
#ifndef NODE_AGENT_IO_XEN_AMOUNTS_H
#define NODE_AGENT_IO_XEN_AMOUNTS_H

#include "node-agent/io/xen/domain.h"
#include "node-agent/io/xen/host.h"

struct amounts_schedule {
    uint32_t cap_pct; /* UINT32_MAX: none */
    uint32_t weight;
};

/* Of credit or credit2, whichever the domain's pool has. */
int amounts_schedule_read(const struct xen_host *host, struct xen_session *session,
                          uint32_t domid, struct amounts_schedule *out, struct err *err);

int amounts_cap(const struct xen_host *host, struct xen_session *session,
                const struct xen_domain *domain, const struct hypervisor_call *call,
                uint64_t *value, struct err *err);
int amounts_weight(const struct xen_host *host, struct xen_session *session,
                   const struct xen_domain *domain, const struct hypervisor_call *call,
                   uint64_t *value, struct err *err);

/* Offers them to the guest; *value is what is online now. */
int amounts_vcpus(struct xen_session *session, const struct xen_domain *domain,
                  const struct hypervisor_call *call, uint64_t *value, struct err *err);

/* Sets the target. More is given only when Xen has it free: -ENOSPC with the numbers. */
int amounts_memory(const struct xen_host *host, struct xen_session *session,
                   const struct xen_domain *domain, const struct hypervisor_call *call,
                   uint64_t *value, struct err *err);

/* The target that the guest's balloon was given. -ENOENT: none. */
int amounts_memory_target(struct xen_session *session, uint32_t domid, uint64_t *target_kib);

#endif
