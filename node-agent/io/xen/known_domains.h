// SPDX-License-Identifier: Apache-2.0
/*
 * What the newest list found out about our domains and what does not have to be asked for every
 * second: the mark, which stays as it is once a domain is whole; the memory target, which goes
 * with Xen's own limit; the rates, which nobody changes but our calls, or a person by hand. The
 * latter are read anew after a call and now and then.
 */
#ifndef NODE_AGENT_IO_XEN_KNOWN_DOMAINS_H
#define NODE_AGENT_IO_XEN_KNOWN_DOMAINS_H

#include "node-agent/io/xen/host.h"

#define KNOWN_DOMAINS_FRESH_MS 10000 /* so late a rate that was changed by hand is seen */

/* Copies the domain with this number and uuid. False: the newest list did not have it. */
bool known_domains_find(struct xen_host *host, uint32_t domid, const char *uuid,
                        struct known_domain *out);

/* The number of the domain of this uuid. */
bool known_domains_number(struct xen_host *host, const char *uuid, uint32_t *domid);

/* A call for this VM has ended: what is known of it is to be read anew. */
void known_domains_changed(struct xen_host *host, const char *uuid);

/* What a list found, in place of what was known. What calls changed since its reading began,
 * which known[].changes shows, is still to be read anew. */
void known_domains_store(struct xen_host *host, const struct known_domain *known,
                         uint32_t count);

#endif
