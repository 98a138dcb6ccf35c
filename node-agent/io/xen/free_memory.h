// SPDX-License-Identifier: Apache-2.0
/*
 * Memory is given out only when Xen has it free: dom0 is never made smaller for a guest, and
 * what a guest was asked to give back does not count before it is back. Domains of ours that
 * have ended and only wait to be swept up are swept up first.
 */
#ifndef NODE_AGENT_IO_XEN_FREE_MEMORY_H
#define NODE_AGENT_IO_XEN_FREE_MEMORY_H

#include "node-agent/io/xen/host.h"

/* -ENOSPC with the numbers. May fill defaults into config. */
int free_memory_for_domain(const struct xen_host *host, struct xen_session *session,
                           libxl_domain_config *config, const struct hypervisor_call *call,
                           struct err *err);

/* The same for more_kib of one domain that is there. */
int free_memory_for_growth(const struct xen_host *host, struct xen_session *session,
                           uint64_t more_kib, const struct hypervisor_call *call,
                           struct err *err);

#endif
