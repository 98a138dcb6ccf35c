// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/readings.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/clock.h"
#include "common/io/scope.h"
#include "node-agent/io/xen/amounts.h"
#include "node-agent/io/xen/capacity.h"
#include "node-agent/io/xen/device_counters.h"
#include "node-agent/io/xen/domain.h"
#include "node-agent/io/xen/domain_infos.h"
#include "node-agent/io/xen/known_domains.h"
#include "node-agent/io/xen/records.h"

struct listing {
    struct xen_host *host;
    struct xen_session *session;
    struct domain_list *out;
    struct capacity capacity;
    struct known_domain known[VMS_PER_NODE_MAX];
    uint32_t known_count;
};

static void take_mark(const struct domain_mark *mark, struct domain_reading *out)
{
    out->ours = true;
    memcpy(out->vm, mark->vm, sizeof(out->vm));
    out->generation = mark->generation;
    (void)snprintf(out->address, sizeof(out->address), "%.*s", (int)strcspn(mark->address, "/"),
                   mark->address);
}

static void read_amounts(struct listing *listing, const libxl_dominfo *info,
                         struct domain_reading *out)
{
    struct amounts_schedule schedule;
    out->vcpus = info->vcpu_online;
    out->cpu_time_ns = info->cpu_time;
    out->memory_kib = info->current_memkb;
    if (amounts_schedule_read(listing->host, listing->session, info->domid, &schedule, NULL) ==
        0) {
        out->cap_pct = schedule.cap_pct;
        out->weight = schedule.weight;
    } else if (out->state == RUN_STATE_RUNNING) {
        out->state = RUN_STATE_UNKNOWN; /* a cap that cannot be read is not "no cap" */
    }
}

/* What does not change by itself: as it is known, or read anew. */
static void read_settings(struct listing *listing, const libxl_dominfo *info,
                          struct known_domain *known, struct domain_reading *out)
{
    if (known->read_at_ms == 0 || known->memory_max_kib != info->max_memkb ||
        listing->out->read_at_ms - known->read_at_ms >= KNOWN_DOMAINS_FRESH_MS) {
        out->memory_target_kib = info->current_memkb;
        (void)amounts_memory_target(listing->session, info->domid, &out->memory_target_kib);
        parts_read(listing->host, listing->session, info->domid, out);
        known->memory_max_kib = info->max_memkb;
        known->memory_target_kib = out->memory_target_kib;
        known->net_rate_kib_s = out->net_rate_kib_s;
        known->disk_rate_kib_s = out->disk_rate_kib_s;
        known->read_at_ms = listing->out->read_at_ms;
    }
    out->memory_target_kib = known->memory_target_kib;
    out->net_rate_kib_s = known->net_rate_kib_s;
    out->disk_rate_kib_s = known->disk_rate_kib_s;
}

/* known is NULL for a foreign domain. */
static void read_domain(struct listing *listing, const libxl_dominfo *info,
                        struct known_domain *known, struct domain_reading *out)
{
    const struct domain_mark *mark = known != NULL ? &known->mark : NULL;
    domain_reading_clear(out);
    out->state = domain_state(info);
    domain_uuid_text(&info->uuid, out->uuid);
    if (mark != NULL) {
        take_mark(mark, out);
    }
    if (mark != NULL && !mark->made) {
        out->state = RUN_STATE_UNKNOWN; /* libxl takes no values for what it is still making */
    }
    if (info->dying) {
        out->memory_kib = info->current_memkb;
        return;
    }
    read_amounts(listing, info, out);
    out->memory_target_kib = out->memory_kib;
    if (known != NULL) {
        device_counters_read(info->domid, out);
        read_settings(listing, info, known, out);
    }
}

static void add(struct listing *listing, const struct domain_reading *reading)
{
    struct domain_list *out = listing->out;
    if (out->count < VMS_PER_NODE_MAX) {
        out->domains[out->count++] = *reading;
    }
}

/* Whose domain is it? True, with what is known of it: ours. A domain that is dying has lost its
 * values in xenstore: its record says whose it was. */
static bool find_known(const struct listing *listing, const libxl_dominfo *info,
                       struct known_domain *out)
{
    char uuid[UUID_SIZE];
    domain_uuid_text(&info->uuid, uuid);
    if (!info->dying && known_domains_find(listing->host, info->domid, uuid, out)) {
        return true;
    }
    *out = (struct known_domain){.domid = info->domid};
    (void)snprintf(out->uuid, sizeof(out->uuid), "%s", uuid);
    return domain_mark_read(listing->host, listing->session, info->domid, &out->mark) == 0 ||
           (info->dying && records_read(listing->host, uuid, &out->mark) == 0);
}

static void read_domains(struct listing *listing, const libxl_dominfo *list, int count)
{
    for (int pass = 0; pass < 2; pass++) { /* ours first: there may be more than fit */
        for (int i = 0; i < count; i++) {
            struct known_domain known;
            struct domain_reading reading;
            if (list[i].domid == 0 || find_known(listing, &list[i], &known) != (pass == 0)) {
                continue;
            }
            bool ours = pass == 0;
            read_domain(listing, &list[i], ours ? &known : NULL, &reading);
            capacity_count(&listing->capacity, &reading,
                           list[i].cpupool == CAPACITY_POOL && !list[i].shutdown);
            add(listing, &reading);
            if (ours && known.mark.made && !list[i].dying &&
                listing->known_count < VMS_PER_NODE_MAX) {
                listing->known[listing->known_count++] = known;
            }
        }
    }
}

/* A VM that is kept here and that Xen does not know: off, or saved. */
static void add_kept(void *context, const char *uuid)
{
    struct listing *listing = context;
    struct domain_mark mark;
    for (uint32_t i = 0; i < listing->out->count; i++) {
        if (strcmp(listing->out->domains[i].uuid, uuid) == 0) {
            return;
        }
    }
    if (records_read(listing->host, uuid, &mark) != 0) {
        return;
    }
    struct domain_reading reading;
    domain_reading_clear(&reading);
    (void)snprintf(reading.uuid, sizeof(reading.uuid), "%s", uuid);
    take_mark(&mark, &reading);
    reading.state =
        records_has_saved(listing->host, uuid) ? RUN_STATE_SUSPENDED : RUN_STATE_STOPPED;
    add(listing, &reading);
}

int readings_list(struct xen_host *host, struct xen_session *session, struct domain_list *out,
                  struct err *err)
{
    struct listing listing; /* not cleared as a whole: it is large, and mostly not used */
    listing.host = host;
    listing.session = session;
    listing.out = out;
    listing.known_count = 0;
    int rc = capacity_read(session, &listing.capacity, err);
    if (rc != 0) {
        return rc;
    }
    int count = 0;
    out->count = 0;
    out->read_at_ms = clock_boot_ms();
    SCOPE_FREE libxl_dominfo *list = NULL;
    rc = domain_infos_read(session, &list, &count, err);
    if (rc != 0) {
        return rc;
    }
    read_domains(&listing, list, count);
    records_visit(host, RECORDS_DOMAINS, "", add_kept, &listing);
    (void)pthread_mutex_lock(&host->mutex);
    capacity_show(&listing.capacity, &host->settings, &host->status);
    (void)pthread_mutex_unlock(&host->mutex);
    known_domains_store(host, listing.known, listing.known_count);
    return 0;
}
