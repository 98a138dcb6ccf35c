// SPDX-License-Identifier: Apache-2.0
/* The life of a domain, call by call. */
#ifndef NODE_AGENT_IO_XEN_LIFE_CYCLE_H
#define NODE_AGENT_IO_XEN_LIFE_CYCLE_H

#include "node-agent/io/xen/domain.h"
#include "node-agent/io/xen/host.h"

int life_cycle_create(struct xen_host *host, struct xen_session *session,
                      const struct hypervisor_call *call, struct err *err);

/* Fine when there is none. With call->discard_disk nothing is left of it in the state folder.
 */
int life_cycle_destroy(struct xen_host *host, struct xen_session *session,
                       const struct hypervisor_call *call, struct err *err);

int life_cycle_pause(struct xen_session *session, const struct xen_domain *domain,
                     const struct hypervisor_call *call, struct err *err);
/* Also brings a guest back whose save was not finished. */
int life_cycle_resume(struct xen_session *session, const struct xen_domain *domain,
                      const struct hypervisor_call *call, struct err *err);

/* Asks the guest, waits for it, and ends it by force shortly before the deadline; says so in
 * note. */
int life_cycle_shutdown(const struct xen_host *host, struct xen_session *session,
                        const struct xen_domain *domain, const struct hypervisor_call *call,
                        char note[TEXT_SIZE], struct err *err);

/* The same, and made again: what Xen leaves of a guest that reboots is ours to replace. */
int life_cycle_reboot(struct xen_host *host, struct xen_session *session,
                      const struct xen_domain *domain, const struct hypervisor_call *call,
                      char note[TEXT_SIZE], struct err *err);

#endif
