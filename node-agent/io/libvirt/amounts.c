// SPDX-License-Identifier: Apache-2.0
/* Cap, weight, VCPUs and memory of a domain: set, then read back. */
#include <errno.h>
#include <string.h>

#include "node-agent/io/libvirt/operations.h"
#include "node-agent/io/libvirt/readings.h"

static void set_number(virTypedParameter *parameter, const char *name, int type)
{
    memset(parameter, 0, sizeof(*parameter));
    (void)strncpy(parameter->field, name, sizeof(parameter->field) - 1);
    parameter->type = type;
}

int amounts_cap(const struct libvirt_host *host, virDomainPtr domain,
                const struct hypervisor_call *call, uint64_t *value, struct err *err)
{
    if (call->order.cap_pct == 0) {
        return err_set(err, -EINVAL, "%s: a cap of 0 would be no cap", call->order.vm);
    }
    bool global = host->kind != LIBVIRT_LXC;
    virTypedParameter values[2];
    set_number(&values[0],
               global ? VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD : VIR_DOMAIN_SCHEDULER_VCPU_PERIOD,
               VIR_TYPED_PARAM_ULLONG);
    values[0].value.ul = CAP_PERIOD_US;
    set_number(&values[1],
               global ? VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA : VIR_DOMAIN_SCHEDULER_VCPU_QUOTA,
               VIR_TYPED_PARAM_LLONG);
    values[1].value.l = quota_of_cap(call->order.cap_pct);
    if (virDomainSetSchedulerParametersFlags(domain, values, 2, operations_affect(domain)) !=
        0) {
        return libvirt_error(err, "set the cap");
    }
    uint32_t cap_pct = 0;
    uint32_t weight = 0;
    int rc = readings_schedule(host, domain, &cap_pct, &weight, err);
    *value = cap_pct;
    return rc;
}

int amounts_weight(const struct libvirt_host *host, virDomainPtr domain,
                   const struct hypervisor_call *call, uint64_t *value, struct err *err)
{
    virTypedParameter shares;
    set_number(&shares, VIR_DOMAIN_SCHEDULER_CPU_SHARES, VIR_TYPED_PARAM_ULLONG);
    shares.value.ul = shares_of_weight(call->order.weight);
    if (virDomainSetSchedulerParametersFlags(domain, &shares, 1, operations_affect(domain)) !=
        0) {
        return libvirt_error(err, "set the weight");
    }
    uint32_t cap_pct = 0;
    uint32_t weight = 0;
    int rc = readings_schedule(host, domain, &cap_pct, &weight, err);
    *value = weight;
    return rc;
}

int amounts_vcpus(virDomainPtr domain, const struct hypervisor_call *call, uint64_t *value,
                  struct err *err)
{
    if (virDomainSetVcpusFlags(domain, call->order.vcpus, operations_affect(domain)) != 0) {
        return libvirt_error(err, "set the VCPUs");
    }
    uint32_t vcpus = 0;
    int rc = readings_vcpus(domain, &vcpus, err);
    *value = vcpus;
    return rc;
}

/* The limit of a container's cgroup; it cannot go below what the guest uses. */
static int set_limit(virDomainPtr domain, uint64_t memory_kib, struct err *err)
{
    virTypedParameter limit;
    set_number(&limit, VIR_DOMAIN_MEMORY_HARD_LIMIT, VIR_TYPED_PARAM_ULLONG);
    limit.value.ul = memory_kib;
    if (virDomainSetMemoryParameters(domain, &limit, 1, operations_affect(domain)) != 0) {
        return libvirt_error(err, "set the memory limit");
    }
    return 0;
}

int amounts_memory(const struct libvirt_host *host, virDomainPtr domain,
                   const struct hypervisor_call *call, uint64_t *value, struct err *err)
{
    uint64_t memory_kib = call->order.memory_kib;
    int rc = 0;
    if (host->kind == LIBVIRT_LXC) {
        rc = set_limit(domain, memory_kib, err);
    } else if (virDomainSetMemoryFlags(domain, memory_kib, operations_affect(domain)) != 0) {
        rc = libvirt_error(err, "set the memory");
    }
    return rc != 0 ? rc : readings_memory(host, domain, value, err);
}
