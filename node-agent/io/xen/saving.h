// SPDX-License-Identifier: Apache-2.0
/*
 * Saving a guest to a file of the state folder and bringing it back. The guest is given up only
 * when its image is whole, checked and on the medium; the image only when the guest is back.
 *
 * A guest whose balloon still moves is not saved: Xen could not restore it. It is waited for;
 * when the balloon has stopped short of its target, that is an error with the numbers.
 */
#ifndef NODE_AGENT_IO_XEN_SAVING_H
#define NODE_AGENT_IO_XEN_SAVING_H

#include "node-agent/io/xen/domain.h"
#include "node-agent/io/xen/host.h"

int saving_suspend(const struct xen_host *host, struct xen_session *session,
                   const struct xen_domain *domain, const struct hypervisor_call *call,
                   struct err *err);

int saving_restore(struct xen_host *host, struct xen_session *session,
                   const struct hypervisor_call *call, struct err *err);

/* Until the guest holds no more than its target, or the deadline. Used by migration, too. */
int saving_wait_for_balloon(const struct xen_host *host, struct xen_session *session,
                            uint32_t domid, int64_t deadline_ms, struct err *err);

#endif
