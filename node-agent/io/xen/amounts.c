// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/amounts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "node-agent/io/xen/free_memory.h"

static uint32_t cap_of_xen(int cap)
{
    return cap > 0 ? (uint32_t)cap : UINT32_MAX;
}

/*
 * What Xen's scheduler has for a domain, by one call to Xen; libxl would first look for the
 * domain, its pool and the pool's name in xenstore. False: another scheduler rules its pool.
 */
static bool get_direct(const struct xen_host *host, struct xen_session *session, uint32_t domid,
                       struct amounts_schedule *out)
{
    int r = -1;
    if (host->scheduler == LIBXL_SCHEDULER_CREDIT2) {
        struct xen_domctl_sched_credit2 now = {0};
        r = xc_sched_credit2_domain_get(session->control, domid, &now);
        *out = (struct amounts_schedule){.cap_pct = cap_of_xen(now.cap), .weight = now.weight};
    } else if (host->scheduler == LIBXL_SCHEDULER_CREDIT) {
        struct xen_domctl_sched_credit now = {0};
        r = xc_sched_credit_domain_get(session->control, domid, &now);
        *out = (struct amounts_schedule){.cap_pct = cap_of_xen(now.cap), .weight = now.weight};
    }
    return r == 0;
}

/* Both at once, as Xen takes them. */
static bool set_direct(const struct xen_host *host, struct xen_session *session, uint32_t domid,
                       const struct amounts_schedule *schedule)
{
    uint16_t cap = schedule->cap_pct == UINT32_MAX ? 0 : (uint16_t)schedule->cap_pct;
    uint16_t weight = (uint16_t)schedule->weight;
    if (host->scheduler == LIBXL_SCHEDULER_CREDIT2) {
        struct xen_domctl_sched_credit2 wanted = {.weight = weight, .cap = cap};
        return xc_sched_credit2_domain_set(session->control, domid, &wanted) == 0;
    }
    struct xen_domctl_sched_credit wanted = {.weight = weight, .cap = cap};
    return xc_sched_credit_domain_set(session->control, domid, &wanted) == 0;
}

int amounts_schedule_read(const struct xen_host *host, struct xen_session *session,
                          uint32_t domid, struct amounts_schedule *out, struct err *err)
{
    if (get_direct(host, session, domid, out)) {
        return 0;
    }
    libxl_domain_sched_params params;
    libxl_domain_sched_params_init(&params);
    int r = libxl_domain_sched_params_get(session->ctx, domid, &params);
    bool known =
        params.sched == LIBXL_SCHEDULER_CREDIT || params.sched == LIBXL_SCHEDULER_CREDIT2;
    if (r == 0 && known) {
        out->cap_pct = cap_of_xen(params.cap);
        out->weight = (uint32_t)params.weight;
    }
    libxl_domain_sched_params_dispose(&params);
    if (r != 0) {
        return session_error(r, "read cap and weight", err);
    }
    return known ? 0
                 : err_set(err, -ENOTSUP,
                           "domain %u is in a pool whose scheduler has no cap; credit and "
                           "credit2 have one",
                           domid);
}

/* -1 leaves a value as it is. */
struct change {
    int cap;
    int weight;
};

static int set_by_libxl(struct xen_session *session, uint32_t domid, struct change change,
                        struct err *err)
{
    libxl_domain_sched_params params;
    libxl_domain_sched_params_init(&params); /* everything else: as it is */
    if (change.cap >= 0) {
        params.cap = change.cap;
    }
    if (change.weight >= 0) {
        params.weight = change.weight;
    }
    int r = libxl_domain_sched_params_set(session->ctx, domid, &params);
    libxl_domain_sched_params_dispose(&params);
    return r == 0 ? 0
                  : session_error(r, change.cap >= 0 ? "set the cap" : "set the weight", err);
}

/* Sets what is not -1 and reads both back. */
static int set_schedule(const struct xen_host *host, struct xen_session *session,
                        uint32_t domid, struct change change, struct amounts_schedule *now,
                        struct err *err)
{
    if (get_direct(host, session, domid, now)) {
        now->cap_pct = change.cap >= 0 ? (uint32_t)change.cap : now->cap_pct;
        now->weight = change.weight >= 0 ? (uint32_t)change.weight : now->weight;
        if (set_direct(host, session, domid, now)) {
            return amounts_schedule_read(host, session, domid, now, err);
        }
    }
    int rc = set_by_libxl(session, domid, change, err); /* says what is wrong, too */
    return rc != 0 ? rc : amounts_schedule_read(host, session, domid, now, err);
}

int amounts_cap(const struct xen_host *host, struct xen_session *session,
                const struct xen_domain *domain, const struct hypervisor_call *call,
                uint64_t *value, struct err *err)
{
    uint32_t cap_pct = call->order.cap_pct;
    uint32_t most_pct = 100 * (domain->info.vcpu_max_id + 1);
    if (cap_pct == 0) {
        return err_set(err, -EINVAL, "%s: a cap of 0 would be no cap", call->order.vm);
    }
    if (cap_pct > most_pct) {
        return err_set(err, -ERANGE,
                       "%s: a cap of %" PRIu32 " %% is more than its %" PRIu32
                       " VCPUs can use, %" PRIu32 " %%",
                       call->order.vm, cap_pct, domain->info.vcpu_max_id + 1, most_pct);
    }
    struct amounts_schedule now = {0};
    const struct change change = {.cap = (int)cap_pct, .weight = -1};
    int rc = set_schedule(host, session, domain->domid, change, &now, err);
    if (rc == 0) {
        *value = now.cap_pct;
    }
    return rc;
}

int amounts_weight(const struct xen_host *host, struct xen_session *session,
                   const struct xen_domain *domain, const struct hypervisor_call *call,
                   uint64_t *value, struct err *err)
{
    uint32_t weight = call->order.weight;
    if (weight == 0 || weight > 65535) {
        return err_set(err, -EINVAL, "%s: weight %" PRIu32 " is not within 1 and 65535",
                       call->order.vm, weight);
    }
    struct amounts_schedule now = {0};
    const struct change change = {.cap = -1, .weight = (int)weight};
    int rc = set_schedule(host, session, domain->domid, change, &now, err);
    if (rc == 0) {
        *value = now.weight;
    }
    return rc;
}

int amounts_vcpus(struct xen_session *session, const struct xen_domain *domain,
                  const struct hypervisor_call *call, uint64_t *value, struct err *err)
{
    uint32_t vcpus = call->order.vcpus;
    uint32_t most = domain->info.vcpu_max_id + 1;
    if (vcpus == 0 || vcpus > most) {
        return err_set(err, -ERANGE,
                       "%s: %" PRIu32 " VCPUs are asked for, it was started with room for "
                       "%" PRIu32,
                       call->order.vm, vcpus, most);
    }
    libxl_bitmap map;
    libxl_bitmap_init(&map);
    int r = libxl_cpu_bitmap_alloc(session->ctx, &map, (int)most);
    if (r != 0) {
        return session_error(r, "VCPUs", err);
    }
    for (uint32_t i = 0; i < vcpus; i++) {
        libxl_bitmap_set(&map, (int)i);
    }
    int started = libxl_set_vcpuonline(session->ctx, domain->domid, &map, session_how(session));
    int rc = session_wait(session, started, call->deadline_ms, "set the VCPUs", err);
    libxl_bitmap_dispose(&map);
    if (rc != 0) {
        return rc;
    }
    libxl_dominfo info;
    libxl_dominfo_init(&info);
    r = libxl_domain_info(session->ctx, &info, domain->domid);
    *value = r == 0 ? info.vcpu_online : *value;
    libxl_dominfo_dispose(&info);
    return r == 0 ? 0 : session_error(r, "read the VCPUs", err);
}

int amounts_memory_target(struct xen_session *session, uint32_t domid, uint64_t *target_kib)
{
    char path[64];
    char text[32];
    (void)snprintf(path, sizeof path, "/local/domain/%u/memory/target", domid);
    if (session_read(session, path, text, sizeof text) != 0) {
        return -ENOENT;
    }
    char *end = NULL;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0') {
        return -ENOENT;
    }
    *target_kib = value;
    return 0;
}

int amounts_memory(const struct xen_host *host, struct xen_session *session,
                   const struct xen_domain *domain, const struct hypervisor_call *call,
                   uint64_t *value, struct err *err)
{
    uint64_t memory_kib = call->order.memory_kib;
    uint64_t held_kib = domain->info.current_memkb;
    if (memory_kib > held_kib) {
        int rc = free_memory_for_growth(host, session, memory_kib - held_kib, call, err);
        if (rc != 0) {
            return rc;
        }
    }
    int r = libxl_set_memory_target(session->ctx, domain->domid, (int64_t)memory_kib, 0, 1);
    if (r != 0) {
        return session_error(r, "set the memory target", err);
    }
    uint64_t target_kib = 0;
    if (amounts_memory_target(session, domain->domid, &target_kib) != 0) {
        return err_set(err, -EIO, "%s: its memory target cannot be read back", call->order.vm);
    }
    *value = target_kib;
    return 0;
}
