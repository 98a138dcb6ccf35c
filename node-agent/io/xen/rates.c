// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/rates.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/log.h"
#include "node-agent/io/driver/rates_link.h"
#include "node-agent/io/xen/domain.h"

#define INTERFACES_MAX 8 /* of one guest */
#define KEY_SIZE       128
#define VALUE_SIZE     64
#define PERIOD_US      50000 /* the backend gives its credit anew so often */
#define PERIODS_PER_S  20

/* The backend's value: "BYTES,MICROSECONDS". It watches it. */
static void backend_key(uint32_t domid, int device, char out[KEY_SIZE])
{
    (void)snprintf(out, KEY_SIZE, "/local/domain/0/backend/vif/%" PRIu32 "/%d/rate", domid,
                   device);
}

static bool interface_of(uint32_t domid, int device, char out[IF_NAMESIZE])
{
    (void)snprintf(out, IF_NAMESIZE, "vif%" PRIu32 ".%d", domid, device);
    return if_nametoindex(out) != 0;
}

static int set_sending(struct xen_session *session, uint32_t domid, int device, uint64_t kib_s,
                       struct err *err)
{
    char key[KEY_SIZE];
    char value[VALUE_SIZE];
    backend_key(domid, device, key);
    int length = snprintf(value, sizeof value, "%" PRIu64 ",%d", kib_s * 1024 / PERIODS_PER_S,
                          PERIOD_US);
    bool done = kib_s == 0 ? xs_rm(session->store, XBT_NULL, key) || errno == ENOENT
                           : xs_write(session->store, XBT_NULL, key, value, (unsigned)length);
    return done ? 0 : err_set(err, -errno, "%s: %s", key, strerrordesc_np(errno));
}

static uint64_t get_sending(struct xen_session *session, uint32_t domid, int device)
{
    char key[KEY_SIZE];
    char value[VALUE_SIZE];
    backend_key(domid, device, key);
    if (session_read(session, key, value, sizeof value) != 0) {
        return 0;
    }
    char *end = NULL;
    uint64_t bytes = strtoull(value, &end, 10);
    bool ours = end != value && *end == ',' && strtoul(end + 1, NULL, 10) == PERIOD_US;
    return ours ? (bytes * PERIODS_PER_S + 1023) / 1024 : 0;
}

/* The looser one of both ways counts, and none is the loosest. */
static uint64_t net_rate(struct xen_session *session, uint32_t domid)
{
    char interface[IF_NAMESIZE];
    uint64_t all = 0;
    for (int i = 0; i < INTERFACES_MAX && interface_of(domid, i, interface); i++) {
        uint64_t in = 0;
        uint64_t out = get_sending(session, domid, i);
        if (rates_link_get(interface, &in, NULL) != 0 || in == 0 || out == 0) {
            return 0;
        }
        in = in > out ? in : out;
        all = in > all ? in : all;
    }
    return all;
}

static int set_net_rate(struct xen_session *session, uint32_t domid, uint64_t kib_s,
                        struct err *err)
{
    char interface[IF_NAMESIZE];
    int rc = 0;
    int i = 0;
    for (; i < INTERFACES_MAX && rc == 0 && interface_of(domid, i, interface); i++) {
        rc = rates_link_set(interface, kib_s, err);
        rc = rc == 0 ? set_sending(session, domid, i, kib_s, err) : rc;
    }
    if (i == 0 && kib_s != 0) {
        return err_set(err, -ENODEV, "the guest has no interface to limit");
    }
    return rc;
}

static uint32_t capabilities(const struct xen_host *host)
{
    const char *missing = rates_disk_missing();
    if (missing[0] != '\0') {
        log_line(LOG_LEVEL_INFO, "no limits on disks: %s", missing);
        return CAPABILITY_NET_RATE;
    }
    if (!host->look_only) {
        rates_disk_sweep();
    }
    return CAPABILITY_NET_RATE | CAPABILITY_DISK_RATE;
}

static bool takes(enum hypervisor_call_kind kind)
{
    return kind == HYPERVISOR_CALL_NET_RATE || kind == HYPERVISOR_CALL_DISK_RATE;
}

static int call_rate(struct xen_host *host, struct xen_session *session,
                     const struct hypervisor_call *call, struct hypervisor_completion *out,
                     struct err *err)
{
    const struct vm_order *order = &call->order;
    struct xen_domain domain;
    int rc = domain_find(host, session, order->uuid, &domain, err);
    if (rc != 0) {
        return rc;
    }
    if (call->kind == HYPERVISOR_CALL_NET_RATE) {
        rc = set_net_rate(session, domain.domid, order->net_rate_kib_s, err);
        out->value = net_rate(session, domain.domid);
        return rc;
    }
    rc = rates_disk_set(session, domain.domid, order->uuid, order->disk_rate_kib_s, err);
    out->value = rates_disk_get(domain.domid, order->uuid);
    return rc;
}

static void read_rates(struct xen_host *host, struct xen_session *session, uint32_t domid,
                       struct domain_reading *out)
{
    (void)host;
    out->net_rate_kib_s = net_rate(session, domid);
    out->disk_rate_kib_s = rates_disk_get(domid, out->uuid);
}

const struct xen_part rates_part = {
    .name = "rates",
    .capabilities = capabilities,
    .takes = takes,
    .call = call_rate,
    .read = read_rates,
};
