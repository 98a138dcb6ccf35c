// SPDX-License-Identifier: Apache-2.0
/*
 * All domains of the host, as a list needs them every second: asked of Xen itself. libxl asks
 * for room for a thousand domains each time, and for the security label of each one.
 */
#ifndef NODE_AGENT_IO_XEN_DOMAIN_INFOS_H
#define NODE_AGENT_IO_XEN_DOMAIN_INFOS_H

#include "node-agent/io/xen/session.h"

/* Xen's word about one domain in libxl's. Filled: domid, uuid, what it does (running, blocked,
 * paused, dying, shutdown and why), memory, CPU time, VCPUs, pool. No pointer is set. */
void domain_info_of(const xc_domaininfo_t *domain, libxl_dominfo *out);

/* By rising number, dom0 first; *out is to be freed with free(). */
int domain_infos_read(struct xen_session *session, libxl_dominfo **out, int *count,
                      struct err *err);

#endif
