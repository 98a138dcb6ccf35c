// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/libvirt/readings.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "node-agent/io/libvirt/rates.h"

#define PARAMETERS_MAX 16 /* the most that libvirt sends over its socket */

int saved_path(const struct libvirt_host *host, const char *uuid, char out[SAVED_PATH_SIZE])
{
    int r = snprintf(out, SAVED_PATH_SIZE, "%s/saved/%s", host->state_folder, uuid);
    return r > 0 && r < SAVED_PATH_SIZE - 8 ? 0 : -ENAMETOOLONG;
}

int readings_mark(const struct libvirt_host *host, virDomainPtr domain, struct domain_mark *out)
{
    char *xml = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, DOMAIN_NAMESPACE, 0);
    if (xml == NULL) {
        return -ENOENT;
    }
    struct domain_mark mark;
    int rc = domain_mark_parse(xml, &mark);
    free(xml);
    if (rc != 0 || strcmp(mark.node, host->node) != 0) {
        return -ENOENT;
    }
    *out = mark;
    return 0;
}

static const virTypedParameter *find_parameter(const virTypedParameter *parameters, int count,
                                               const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(parameters[i].field, name) == 0) {
            return &parameters[i];
        }
    }
    return NULL;
}

int readings_schedule(const struct libvirt_host *host, virDomainPtr domain, uint32_t *cap_pct,
                      uint32_t *weight, struct err *err)
{
    bool global = host->kind != LIBVIRT_LXC;
    virTypedParameter values[PARAMETERS_MAX];
    int count = PARAMETERS_MAX;
    if (virDomainGetSchedulerParametersFlags(domain, values, &count,
                                             VIR_DOMAIN_AFFECT_CURRENT) != 0) {
        return libvirt_error(err, "read cap and weight");
    }
    const virTypedParameter *quota = find_parameter(values, count,
                                                    global ? VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA
                                                           : VIR_DOMAIN_SCHEDULER_VCPU_QUOTA);
    const virTypedParameter *period = find_parameter(values, count,
                                                     global ? VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD
                                                            : VIR_DOMAIN_SCHEDULER_VCPU_PERIOD);
    const virTypedParameter *shares =
        find_parameter(values, count, VIR_DOMAIN_SCHEDULER_CPU_SHARES);
    int rc = 0;
    if (quota == NULL || period == NULL || shares == NULL) {
        rc = err_set(err, -ENOTSUP, "libvirt shows no quota, period or shares");
    } else {
        *cap_pct = cap_of_quota(quota->value.l, period->value.ul);
        *weight = weight_of_shares(shares->value.ul);
    }
    virTypedParamsClear(values, count);
    return rc;
}

/*
 * For a container the memory that it may use is what it has: the limit of its cgroup. For a
 * machine it is what the balloon has left to it.
 */
int readings_memory(const struct libvirt_host *host, virDomainPtr domain, uint64_t *memory_kib,
                    struct err *err)
{
    if (host->kind == LIBVIRT_LXC) {
        virTypedParameter values[PARAMETERS_MAX];
        int count = PARAMETERS_MAX;
        if (virDomainGetMemoryParameters(domain, values, &count, 0) != 0) {
            return libvirt_error(err, "read memory");
        }
        const virTypedParameter *limit =
            find_parameter(values, count, VIR_DOMAIN_MEMORY_HARD_LIMIT);
        if (limit != NULL) {
            *memory_kib = limit->value.ul;
        }
        int rc = limit != NULL ? 0 : err_set(err, -ENOTSUP, "libvirt shows no memory limit");
        virTypedParamsClear(values, count);
        return rc;
    }
    virDomainInfo info;
    if (virDomainGetInfo(domain, &info) != 0) {
        return libvirt_error(err, "read memory");
    }
    *memory_kib = info.memory;
    return 0;
}

int readings_vcpus(virDomainPtr domain, uint32_t *vcpus, struct err *err)
{
    virDomainInfo info;
    if (virDomainGetInfo(domain, &info) != 0) {
        return libvirt_error(err, "read VCPUs");
    }
    *vcpus = info.nrVirtCpu;
    return 0;
}

enum run_state readings_state(const struct libvirt_host *host, virDomainPtr domain)
{
    int state = VIR_DOMAIN_NOSTATE;
    int why = 0;
    if (virDomainGetState(domain, &state, &why, 0) != 0) {
        const virError *last = virGetLastError();
        return last != NULL && last->code == VIR_ERR_NO_DOMAIN ? RUN_STATE_ABSENT
                                                               : RUN_STATE_UNKNOWN;
    }
    switch ((virDomainState)state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
    case VIR_DOMAIN_SHUTDOWN: return RUN_STATE_RUNNING; /* on its way down it still runs */
    case VIR_DOMAIN_PAUSED:
    case VIR_DOMAIN_PMSUSPENDED: return RUN_STATE_PAUSED;
    case VIR_DOMAIN_CRASHED: return RUN_STATE_CRASHED;
    case VIR_DOMAIN_SHUTOFF: break;
    case VIR_DOMAIN_NOSTATE:
    default: return RUN_STATE_UNKNOWN;
    }
    char uuid[VIR_UUID_STRING_BUFLEN];
    char path[SAVED_PATH_SIZE];
    if (virDomainGetUUIDString(domain, uuid) == 0 && saved_path(host, uuid, path) == 0 &&
        access(path, F_OK) == 0) {
        return RUN_STATE_SUSPENDED;
    }
    return why == VIR_DOMAIN_SHUTOFF_CRASHED ? RUN_STATE_CRASHED : RUN_STATE_STOPPED;
}

/* Counters; all of them may be missing. */
static void read_counters(virDomainPtr domain, struct domain_reading *out)
{
    char interface[INTERFACE_NAME_SIZE];
    domain_interface_name(out->uuid, interface);
    virDomainInterfaceStatsStruct net;
    if (virDomainInterfaceStats(domain, interface, &net, sizeof(net)) == 0) {
        out->net_rx_bytes = net.rx_bytes < 0 ? UINT64_MAX : (uint64_t)net.rx_bytes;
        out->net_tx_bytes = net.tx_bytes < 0 ? UINT64_MAX : (uint64_t)net.tx_bytes;
    }
    virDomainBlockStatsStruct disk;
    if (virDomainBlockStats(domain, "", &disk, sizeof(disk)) == 0) {
        out->disk_read_bytes = disk.rd_bytes < 0 ? UINT64_MAX : (uint64_t)disk.rd_bytes;
        out->disk_write_bytes = disk.wr_bytes < 0 ? UINT64_MAX : (uint64_t)disk.wr_bytes;
    }
}

static void read_domain(struct libvirt_host *host, virDomainPtr domain,
                        const virDomainInfo *info, struct domain_reading *out)
{
    domain_reading_clear(out);
    out->state = readings_state(host, domain);
    (void)virDomainGetUUIDString(domain, out->uuid);
    struct domain_mark mark;
    if (readings_mark(host, domain, &mark) == 0) {
        out->ours = true;
        memcpy(out->vm, mark.vm, sizeof(out->vm));
        memcpy(out->address, mark.address, sizeof(out->address));
        out->generation = mark.generation;
    }
    out->vcpus = info->nrVirtCpu;
    out->memory_target_kib = info->maxMem;
    out->memory_kib = info->memory;
    out->cpu_time_ns = info->cpuTime;
    bool active = out->state == RUN_STATE_RUNNING || out->state == RUN_STATE_PAUSED;
    if (!active) {
        out->memory_kib = 0; /* what a VM that is off holds: nothing */
        return;
    }
    if ((host->status.capabilities & CAPABILITY_CAP) != 0) {
        if (readings_schedule(host, domain, &out->cap_pct, &out->weight, NULL) != 0) {
            out->state = RUN_STATE_UNKNOWN; /* a cap that cannot be read is not "no cap" */
        }
    }
    if ((host->status.capabilities & CAPABILITY_DISK_RATE) != 0) {
        (void)rates_read_disk(host, domain, &out->disk_rate_kib_s, NULL);
    }
    if ((host->status.capabilities & CAPABILITY_NET_RATE) != 0) {
        (void)rates_read_net(domain, out->uuid, &out->net_rate_kib_s, NULL);
    }
    if (readings_memory(host, domain, &out->memory_kib, NULL) == 0) {
        out->memory_target_kib = out->memory_kib;
    }
    read_counters(domain, out);
}

/* What a foreign domain holds of the host: its cap, or all of its VCPUs, and its memory. Dom0
 * is the host itself. */
static void count_foreign(const struct domain_reading *domain, bool is_xen,
                          struct node_status *status)
{
    bool active = domain->state == RUN_STATE_RUNNING || domain->state == RUN_STATE_PAUSED;
    if (!active) {
        return;
    }
    uint32_t cpu_pct = domain->cap_pct != UINT32_MAX ? domain->cap_pct : 100 * domain->vcpus;
    status->foreign_vms++;
    status->cpu_pct -= cpu_pct < status->cpu_pct ? cpu_pct : status->cpu_pct;
    uint64_t memory_kib = domain->memory_kib;
    if (!is_xen) {
        status->memory_kib -= memory_kib < status->memory_kib ? memory_kib : status->memory_kib;
    }
}

static int read_host(const struct libvirt_host *host, virConnectPtr connection,
                     struct node_status *status, struct err *err)
{
    virNodeInfo info;
    if (virNodeGetInfo(connection, &info) != 0) {
        return libvirt_error(err, "read the host's capacity");
    }
    *status = host->status; /* capabilities and names stay */
    status->cpu_pct_total = info.cpus * 100;
    status->cpu_pct = status->cpu_pct_total;
    status->memory_kib_total = info.memory;
    status->memory_kib = info.memory;
    if (host->kind == LIBVIRT_XEN) {
        /* What dom0, Xen and foreign domains hold is not free; ours are added one by one. */
        status->memory_kib = virNodeGetFreeMemory(connection) / 1024;
        if (status->memory_kib == 0) {
            return libvirt_error(err,
                                 "read the host's free memory"); /* it says no error else */
        }
    }
    status->foreign_vms = 0;
    return 0;
}

/*
 * CPU times of all domains, close together and close to read_at_ms: rates are made from the
 * differences, and on a busy host the rest of a list can take a while.
 */
static virDomainInfo *read_infos(const virDomainPtr *domains, int count, int64_t *read_at_ms)
{
    virDomainInfo *infos = calloc((size_t)count + 1, sizeof(*infos));
    *read_at_ms = clock_boot_ms();
    for (int i = 0; infos != NULL && i < count; i++) {
        if (virDomainGetInfo(domains[i], &infos[i]) != 0) {
            infos[i] = (virDomainInfo){0}; /* gone since it was listed, or its state says so */
        }
    }
    return infos;
}

static bool is_host_itself(const struct libvirt_host *host, virDomainPtr domain)
{
    return host->kind == LIBVIRT_XEN && virDomainGetID(domain) == 0;
}

static void read_domains(struct libvirt_host *host, const virDomainPtr *domains,
                         const virDomainInfo *infos, int count, struct domain_list *out,
                         struct node_status *status)
{
    for (int pass = 0; pass < 2; pass++) { /* ours first: there may be more than fit */
        for (int i = 0; i < count; i++) {
            struct domain_mark mark;
            bool ours = readings_mark(host, domains[i], &mark) == 0;
            if (ours != (pass == 0) || is_host_itself(host, domains[i])) {
                continue;
            }
            struct domain_reading reading;
            read_domain(host, domains[i], &infos[i], &reading);
            if (!ours) {
                count_foreign(&reading, host->kind == LIBVIRT_XEN, status);
            } else if (host->kind == LIBVIRT_XEN) {
                status->memory_kib += reading.memory_kib;
            }
            if (out->count < VMS_PER_NODE_MAX && reading.state != RUN_STATE_ABSENT) {
                out->domains[out->count++] = reading;
            }
        }
    }
}

static int read_all(struct libvirt_host *host, virConnectPtr connection,
                    struct domain_list *out, struct node_status *status, struct err *err)
{
    int rc = read_host(host, connection, status, err);
    if (rc != 0) {
        return rc;
    }
    virDomainPtr *domains = NULL;
    int count = virConnectListAllDomains(connection, &domains, 0);
    if (count < 0) {
        return libvirt_error(err, "list domains");
    }
    out->count = 0;
    virDomainInfo *infos = read_infos(domains, count, &out->read_at_ms);
    if (infos == NULL) {
        rc = err_set(err, -ENOMEM, "no memory for a list of domains");
    } else {
        read_domains(host, domains, infos, count, out, status);
    }
    free(infos);
    for (int i = 0; i < count; i++) {
        (void)virDomainFree(domains[i]);
    }
    free(domains);
    if (rc == 0 && virConnectIsAlive(connection) != 1) {
        rc = err_set(err, -ENOTCONN, "list domains: the connection to libvirt was lost");
    }
    return rc;
}

int readings_list(struct libvirt_host *host, virConnectPtr connection, struct domain_list *out,
                  struct err *err)
{
    struct node_status status = {0};
    int rc = read_all(host, connection, out, &status, err);
    if (rc == 0) {
        (void)pthread_mutex_lock(&host->mutex);
        host->status = status;
        (void)pthread_mutex_unlock(&host->mutex);
    }
    return rc;
}
