// SPDX-License-Identifier: Apache-2.0
/*
 * Limits on what a guest moves: its network both ways, and its disks.
 *
 * What it receives is limited by a token bucket on its interface in dom0, what it sends by the
 * backend itself, which follows a value in xenstore. Its disks are served by threads of the
 * kernel of their own, which a cgroup (version 2) holds to io.max; without one there is no
 * limit, and the capability is not declared.
 */
#ifndef NODE_AGENT_IO_XEN_RATES_H
#define NODE_AGENT_IO_XEN_RATES_H

#include "node-agent/io/xen/host.h"

extern const struct xen_part rates_part;

/* rates_disk.c. Empty, or why disks cannot be limited here. */
const char *rates_disk_missing(void);
void rates_disk_sweep(void);
int rates_disk_set(struct xen_session *session, uint32_t domid, const char *uuid,
                   uint64_t kib_s, struct err *err);
/* 0: none, or not all of its threads are held. */
uint64_t rates_disk_get(uint32_t domid, const char *uuid);

#endif
