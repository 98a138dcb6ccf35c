// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/known_domains.h"

#include <string.h>

/* With the mutex held. */
static struct known_domain *find(struct xen_host *host, const char *uuid)
{
    struct known_domain *found = NULL;
    for (uint32_t i = 0; i < host->known_count && found == NULL; i++) {
        found = strcmp(host->known[i].uuid, uuid) == 0 ? &host->known[i] : NULL;
    }
    return found;
}

bool known_domains_find(struct xen_host *host, uint32_t domid, const char *uuid,
                        struct known_domain *out)
{
    (void)pthread_mutex_lock(&host->mutex);
    const struct known_domain *known = find(host, uuid);
    bool same = known != NULL && known->domid == domid;
    if (same) {
        *out = *known;
    }
    (void)pthread_mutex_unlock(&host->mutex);
    return same;
}

bool known_domains_number(struct xen_host *host, const char *uuid, uint32_t *domid)
{
    (void)pthread_mutex_lock(&host->mutex);
    const struct known_domain *known = find(host, uuid);
    *domid = known != NULL ? known->domid : 0;
    (void)pthread_mutex_unlock(&host->mutex);
    return known != NULL;
}

void known_domains_changed(struct xen_host *host, const char *uuid)
{
    (void)pthread_mutex_lock(&host->mutex);
    struct known_domain *known = find(host, uuid);
    if (known != NULL) {
        known->changes++;
        known->read_at_ms = 0;
    }
    (void)pthread_mutex_unlock(&host->mutex);
}

void known_domains_store(struct xen_host *host, const struct known_domain *known,
                         uint32_t count)
{
    uint32_t changes[VMS_PER_NODE_MAX];
    (void)pthread_mutex_lock(&host->mutex);
    for (uint32_t i = 0; i < count; i++) {
        const struct known_domain *now = find(host, known[i].uuid);
        changes[i] = now != NULL ? now->changes : known[i].changes;
    }
    for (uint32_t i = 0; i < count; i++) {
        host->known[i] = known[i];
        if (changes[i] != known[i].changes) {
            host->known[i].changes = changes[i];
            host->known[i].read_at_ms = 0;
        }
    }
    host->known_count = count;
    (void)pthread_mutex_unlock(&host->mutex);
}
