// SPDX-License-Identifier: Apache-2.0
/*
 * Making a domain: from its kernel, or from the stream of a saved or migrating one. What is
 * made is left paused, with its mark and its record; what fails leaves nothing behind.
 */
#ifndef NODE_AGENT_IO_XEN_MAKING_H
#define NODE_AGENT_IO_XEN_MAKING_H

#include "node-agent/io/xen/domain_mark.h"
#include "node-agent/io/xen/host.h"

struct making {
    const struct hypervisor_call *call; /* its order says what is made */
    int stream;                         /* -1: a new guest, from its kernel */
    uint64_t stream_kib; /* memory that the guest in the stream holds; 0: unknown */
    const char *address; /* what the guest is told, or was told when it began */
    const char *gateway;
};

/* A domain of this uuid that only waits to be swept up is replaced; any other: -EEXIST. */
int making_domain(struct xen_host *host, struct xen_session *session,
                  const struct making *making, struct err *err);

/* Ends a domain, waits until nothing of it is left, and lets its loop device go. */
int making_end(const struct xen_host *host, struct xen_session *session, uint32_t domid,
               const struct hypervisor_call *call, struct err *err);

/* The disk of this VM, in a file or a volume; empty: it has none. */
int making_disk_path(const struct xen_host *host, const struct vm_order *order, char *out,
                     struct err *err);

/* What an agent that was killed left half done is undone or finished; once, at open. */
void making_recover(struct xen_host *host, struct xen_session *session);

#endif
