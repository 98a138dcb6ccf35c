// SPDX-License-Identifier: Apache-2.0
/*
 * Each call of the driver interface, done with libxl; they run in the threads of the lanes. A
 * call touches a domain only when it carries our mark, and what it changed is read back.
 */
#ifndef NODE_AGENT_IO_XEN_OPERATIONS_H
#define NODE_AGENT_IO_XEN_OPERATIONS_H

#include "node-agent/io/xen/host.h"

/* The lane_work of this driver; context is the struct xen_host. */
void operations_do(void *context, enum lane_kind lane, const struct hypervisor_call *call,
                   struct hypervisor_completion *out);

#endif
