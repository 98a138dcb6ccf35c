// SPDX-License-Identifier: Apache-2.0
/*
 * What we tell libxl about a VM: its configuration from the typed fields of an order, nothing
 * else. Used to create, to restore and to receive a VM.
 */
#ifndef NODE_AGENT_IO_XEN_DOMAIN_CONFIG_H
#define NODE_AGENT_IO_XEN_DOMAIN_CONFIG_H

#include "node-agent/io/xen/domain_mark.h"
#include "node-agent/io/xen/host.h"

struct domain_plan {
    const struct vm_order *order;
    const struct domain_mark *mark;
    const char *disk; /* block device in dom0; empty: the guest has none */
};

/* Fills *out, which the caller disposes of with libxl_domain_config_dispose() in every case. */
int domain_config(const struct xen_host *host, struct xen_session *session,
                  const struct domain_plan *plan, libxl_domain_config *out, struct err *err);

#endif
