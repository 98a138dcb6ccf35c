// SPDX-License-Identifier: Apache-2.0
/*
 * A guest goes over to another host: PVH while it runs, PV suspended for the time of its stream
 * (a Xen without shadow paging cannot follow what a running PV guest writes).
 *
 * LISTEN opens the port and makes the key; IN waits there for the one sender. OUT ends when the
 * receiver has said that it has all of the guest; until then a failure lets ours go on.
 */
#ifndef NODE_AGENT_IO_XEN_MIGRATION_H
#define NODE_AGENT_IO_XEN_MIGRATION_H

#include "node-agent/io/xen/host.h"

extern const struct xen_part migration_part;

#endif
