// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/libvirt/operations.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/io/libvirt/rates.h"
#include "node-agent/io/libvirt/readings.h"

virDomainPtr operations_find(const struct libvirt_host *host, virConnectPtr connection,
                             const struct hypervisor_call *call, struct err *err)
{
    virDomainPtr domain = virDomainLookupByUUIDString(connection, call->order.uuid);
    if (domain == NULL) {
        (void)libvirt_error(err, call->order.vm);
        return NULL;
    }
    struct domain_mark mark;
    if (readings_mark(host, domain, &mark) != 0) {
        (void)err_set(err, -EPERM, "%s: the domain with uuid %s was not made by node %s",
                      call->order.vm, call->order.uuid, host->node);
        (void)virDomainFree(domain);
        return NULL;
    }
    return domain;
}

unsigned int operations_affect(virDomainPtr domain)
{
    unsigned int flags = 0;
    flags |= virDomainIsActive(domain) == 1 ? (unsigned int)VIR_DOMAIN_AFFECT_LIVE : 0;
    flags |= virDomainIsPersistent(domain) == 1 ? (unsigned int)VIR_DOMAIN_AFFECT_CONFIG : 0;
    return flags;
}

static int list(struct libvirt_host *host, virConnectPtr connection,
                struct hypervisor_completion *out, struct err *err)
{
    struct domain_list *domains = calloc(1, sizeof(*domains));
    if (domains == NULL) {
        return err_set(err, -ENOMEM, "no memory for a list of domains");
    }
    int rc = readings_list(host, connection, domains, err);
    if (rc != 0) {
        free(domains);
        return rc;
    }
    out->list = domains;
    return 0;
}

/* Tools say their errors in several lines; ours is one. */
static void copy_line(const char *text, char *out, size_t size)
{
    size_t length = 0;
    for (; length < size - 1 && text[length] != '\0'; length++) {
        out[length] = text[length];
        if ((unsigned char)text[length] < ' ') {
            out[length] = ' ';
        }
    }
    while (length > 0 && out[length - 1] == ' ') {
        length--;
    }
    out[length] = '\0';
}

/* Calls on a domain that must be there. */
static int change(struct libvirt_host *host, virConnectPtr connection,
                  const struct hypervisor_call *call, struct hypervisor_completion *out,
                  struct err *err)
{
    virDomainPtr domain = operations_find(host, connection, call, err);
    if (domain == NULL) {
        return err->code;
    }
    char note[TEXT_SIZE] = "";
    int rc = 0;
    switch (call->kind) {
    case HYPERVISOR_CALL_CAP: rc = amounts_cap(host, domain, call, &out->value, err); break;
    case HYPERVISOR_CALL_WEIGHT:
        rc = amounts_weight(host, domain, call, &out->value, err);
        break;
    case HYPERVISOR_CALL_VCPUS: rc = amounts_vcpus(domain, call, &out->value, err); break;
    case HYPERVISOR_CALL_MEMORY:
        rc = amounts_memory(host, domain, call, &out->value, err);
        break;
    case HYPERVISOR_CALL_NET_RATE:
        rc = rates_set_net(domain, call, &out->value, note, err);
        break;
    case HYPERVISOR_CALL_DISK_RATE:
        rc = rates_set_disk(host, domain, call, &out->value, err);
        break;
    case HYPERVISOR_CALL_PAUSE: rc = life_cycle_pause(domain, err); break;
    case HYPERVISOR_CALL_RESUME: rc = life_cycle_resume(domain, err); break;
    case HYPERVISOR_CALL_SHUTDOWN:
        rc = life_cycle_shutdown(host, domain, call, note, err);
        break;
    case HYPERVISOR_CALL_REBOOT: rc = life_cycle_reboot(host, domain, call, note, err); break;
    case HYPERVISOR_CALL_SUSPEND: rc = life_cycle_suspend(host, domain, call, err); break;
    case HYPERVISOR_CALL_UNSPECIFIED:
    case HYPERVISOR_CALL_LIST:
    case HYPERVISOR_CALL_DESTROY:
    case HYPERVISOR_CALL_LOAD_SHARE:
    case HYPERVISOR_CALL_CREATE:
    case HYPERVISOR_CALL_RESTORE:
    case HYPERVISOR_CALL_MIGRATE_LISTEN:
    case HYPERVISOR_CALL_MIGRATE_OUT:
    case HYPERVISOR_CALL_MIGRATE_IN: rc = err_set(err, -ENOTSUP, "not done by libvirt"); break;
    }
    (void)virDomainFree(domain);
    copy_line(note, out->text, sizeof(out->text));
    return rc;
}

static int dispatch(struct libvirt_host *host, virConnectPtr connection,
                    const struct hypervisor_call *call, struct hypervisor_completion *out,
                    struct err *err)
{
    if (call->kind == HYPERVISOR_CALL_LIST) {
        return list(host, connection, out, err);
    }
    if (call->kind == HYPERVISOR_CALL_CREATE) {
        return life_cycle_create(host, connection, call, err);
    }
    if (call->kind == HYPERVISOR_CALL_DESTROY) {
        return life_cycle_destroy(host, connection, call, err);
    }
    if (call->kind == HYPERVISOR_CALL_RESTORE) {
        return life_cycle_restore(host, connection, call, err);
    }
    return change(host, connection, call, out, err);
}

static enum reason reason_of(int code)
{
    switch (code) {
    case -ETIMEDOUT: return REASON_TIME_OUT;
    case -ENOTSUP: return REASON_UNSUPPORTED;
    case -ENOENT: return REASON_NOT_FOUND;
    case -EEXIST:
    case -EPERM: return REASON_CONFLICT;
    case -ENOSPC: return REASON_NO_SPACE;
    default: return REASON_DRIVER;
    }
}

void operations_do(void *context, enum lane_kind lane, const struct hypervisor_call *call,
                   struct hypervisor_completion *out)
{
    struct libvirt_host *host = context;
    struct err err = {0};
    virConnectPtr connection = connection_get(host->connections[lane], &err);
    int rc = err.code;
    if (connection != NULL) {
        rc = dispatch(host, connection, call, out, &err);
        if (rc != 0 && virConnectIsAlive(connection) != 1) {
            rc = -ENOTCONN; /* whether it was done, the next list will show */
        }
        (void)virConnectClose(connection);
    }
    if (call->kind == HYPERVISOR_CALL_LIST) {
        (void)pthread_mutex_lock(&host->mutex);
        if (rc == 0) {
            memset(&host->lost, 0, sizeof host->lost);
        } else {
            host->lost = err;
        }
        (void)pthread_mutex_unlock(&host->mutex);
    }
    if (rc != 0) {
        out->code = rc;
        out->reason = reason_of(rc);
        copy_line(err.text, out->text, sizeof(out->text));
    }
}
