// SPDX-License-Identifier: Apache-2.0
/*
 * What Xen shows about the host and its domains, and what the state folder knows of VMs of ours
 * that Xen does not know at present. What cannot be read is left unknown, never zero. Xen tells
 * a dom0 nothing about the time that a VCPU waited for a CPU (steal), only the guest itself.
 */
#ifndef NODE_AGENT_IO_XEN_READINGS_H
#define NODE_AGENT_IO_XEN_READINGS_H

#include "node-agent/core/hypervisor_call.h"
#include "node-agent/io/xen/host.h"

/* Every domain but dom0, ours first; also brings host->status up to date. */
int readings_list(struct xen_host *host, struct xen_session *session, struct domain_list *out,
                  struct err *err);

#endif
