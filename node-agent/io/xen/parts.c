// SPDX-License-Identifier: Apache-2.0
/* The parts of the driver that bring calls and capabilities of their own: a line each. */
#include <stddef.h>

#include "node-agent/io/xen/host.h"
#include "node-agent/io/xen/migration.h"
#include "node-agent/io/xen/rates.h"

static const struct xen_part *const parts[] = {
    &rates_part, &migration_part, NULL, /* the end */
};

const struct xen_part *parts_of_call(enum hypervisor_call_kind kind)
{
    const struct xen_part *found = NULL;
    for (size_t i = 0; parts[i] != NULL && found == NULL; i++) {
        found = parts[i]->takes(kind) ? parts[i] : NULL;
    }
    return found;
}

uint32_t parts_capabilities(const struct xen_host *host)
{
    uint32_t capabilities = 0;
    for (size_t i = 0; parts[i] != NULL; i++) {
        capabilities |= parts[i]->capabilities(host);
    }
    return capabilities;
}

void parts_read(struct xen_host *host, struct xen_session *session, uint32_t domid,
                struct domain_reading *out)
{
    for (size_t i = 0; parts[i] != NULL; i++) {
        if (parts[i]->read != NULL) {
            parts[i]->read(host, session, domid, out);
        }
    }
}
