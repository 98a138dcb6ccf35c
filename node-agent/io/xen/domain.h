// SPDX-License-Identifier: Apache-2.0
/*
 * Whose domain is it? A domain is ours when it carries our mark: one value in xenstore, written
 * in the transaction that makes the domain, readable for the guest and writable for dom0 only.
 * A domain is known by uuid and mark, never by its number, which Xen uses again.
 */
#ifndef NODE_AGENT_IO_XEN_DOMAIN_H
#define NODE_AGENT_IO_XEN_DOMAIN_H

#include "node-agent/io/xen/domain_mark.h"
#include "node-agent/io/xen/host.h"

struct xen_domain {
    uint32_t domid;
    libxl_dominfo info; /* no pointer in it is kept */
    struct domain_mark mark;
};

/*
 * Our living or dead domain of this uuid. -ENOENT: there is none; -EPERM: there is one that we
 * did not make; -EEXIST: there are several, which nobody may touch but a person.
 */
int domain_find(const struct xen_host *host, struct xen_session *session, const char *uuid,
                struct xen_domain *out, struct err *err);

/*
 * The same for calls that come often: looks only where the newest list saw it, asks Xen for
 * that one domain and checks that it is still the one. Leaves out->mark alone.
 */
int domain_find_again(struct xen_host *host, struct xen_session *session, const char *uuid,
                      struct xen_domain *out, struct err *err);

/* The mark of a domain of this node. 0; -ENOENT: foreign. */
int domain_mark_read(const struct xen_host *host, struct xen_session *session, uint32_t domid,
                     struct domain_mark *out);

void domain_uuid_text(const libxl_uuid *uuid, char out[UUID_SIZE]);

enum run_state domain_state(const libxl_dominfo *info);

#endif
