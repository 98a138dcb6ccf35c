// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/operations.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/io/xen/amounts.h"
#include "node-agent/io/xen/domain.h"
#include "node-agent/io/xen/footprint.h"
#include "node-agent/io/xen/known_domains.h"
#include "node-agent/io/xen/life_cycle.h"
#include "node-agent/io/xen/readings.h"
#include "node-agent/io/xen/saving.h"

static int list(struct xen_host *host, struct xen_session *session,
                struct hypervisor_completion *out, struct err *err)
{
    struct domain_list *domains = calloc(1, sizeof(*domains));
    if (domains == NULL) {
        return err_set(err, -ENOMEM, "no memory for a list of domains");
    }
    int rc = readings_list(host, session, domains, err);
    if (rc != 0) {
        free(domains);
        return rc;
    }
    out->list = domains;
    return 0;
}

/* Amounts of a domain that must be there: these calls come often. */
static int set_amount(struct xen_host *host, struct xen_session *session,
                      const struct hypervisor_call *call, uint64_t *value, struct err *err)
{
    struct xen_domain domain;
    int rc = domain_find_again(host, session, call->order.uuid, &domain, err);
    if (rc != 0) {
        return rc;
    }
    if (call->kind == HYPERVISOR_CALL_CAP) {
        return amounts_cap(host, session, &domain, call, value, err);
    }
    if (call->kind == HYPERVISOR_CALL_WEIGHT) {
        return amounts_weight(host, session, &domain, call, value, err);
    }
    return call->kind == HYPERVISOR_CALL_VCPUS
               ? amounts_vcpus(session, &domain, call, value, err)
               : amounts_memory(host, session, &domain, call, value, err);
}

/* The state of a domain that must be there. */
static int set_state(struct xen_host *host, struct xen_session *session,
                     const struct hypervisor_call *call, struct hypervisor_completion *out,
                     struct err *err)
{
    struct xen_domain domain;
    int rc = domain_find(host, session, call->order.uuid, &domain, err);
    if (rc != 0) {
        return rc;
    }
    char note[TEXT_SIZE] = "";
    if (call->kind == HYPERVISOR_CALL_PAUSE) {
        rc = life_cycle_pause(session, &domain, call, err);
    } else if (call->kind == HYPERVISOR_CALL_RESUME) {
        rc = life_cycle_resume(session, &domain, call, err);
    } else if (call->kind == HYPERVISOR_CALL_SHUTDOWN) {
        rc = life_cycle_shutdown(host, session, &domain, call, note, err);
    } else if (call->kind == HYPERVISOR_CALL_REBOOT) {
        rc = life_cycle_reboot(host, session, &domain, call, note, err);
    } else {
        rc = saving_suspend(host, session, &domain, call, err);
    }
    (void)snprintf(out->text, sizeof(out->text), "%s", note);
    return rc;
}

static int dispatch(struct xen_host *host, struct xen_session *session,
                    const struct hypervisor_call *call, struct hypervisor_completion *out,
                    struct err *err)
{
    const struct xen_part *part = parts_of_call(call->kind);
    if (part != NULL) {
        return part->call(host, session, call, out, err);
    }
    switch (call->kind) {
    case HYPERVISOR_CALL_LIST: return list(host, session, out, err);
    case HYPERVISOR_CALL_CAP:
    case HYPERVISOR_CALL_WEIGHT:
    case HYPERVISOR_CALL_VCPUS:
    case HYPERVISOR_CALL_MEMORY: return set_amount(host, session, call, &out->value, err);
    case HYPERVISOR_CALL_PAUSE:
    case HYPERVISOR_CALL_RESUME:
    case HYPERVISOR_CALL_SHUTDOWN:
    case HYPERVISOR_CALL_REBOOT:
    case HYPERVISOR_CALL_SUSPEND: return set_state(host, session, call, out, err);
    case HYPERVISOR_CALL_CREATE: return life_cycle_create(host, session, call, err);
    case HYPERVISOR_CALL_DESTROY: return life_cycle_destroy(host, session, call, err);
    case HYPERVISOR_CALL_RESTORE: return saving_restore(host, session, call, err);
    case HYPERVISOR_CALL_UNSPECIFIED:
    case HYPERVISOR_CALL_NET_RATE:
    case HYPERVISOR_CALL_DISK_RATE:
    case HYPERVISOR_CALL_LOAD_SHARE:
    case HYPERVISOR_CALL_MIGRATE_LISTEN:
    case HYPERVISOR_CALL_MIGRATE_OUT:
    case HYPERVISOR_CALL_MIGRATE_IN: break;
    }
    return err_set(err, -ENOTSUP, "xen cannot do %s here", hypervisor_call_word(call->kind));
}

static enum reason reason_of(const struct hypervisor_call *call, int code)
{
    bool takes_memory =
        call->kind == HYPERVISOR_CALL_CREATE || call->kind == HYPERVISOR_CALL_RESTORE ||
        call->kind == HYPERVISOR_CALL_REBOOT || call->kind == HYPERVISOR_CALL_MEMORY ||
        call->kind == HYPERVISOR_CALL_MIGRATE_IN;
    switch (code) {
    case -ETIMEDOUT: return REASON_TIME_OUT;
    case -ENOTSUP: return REASON_UNSUPPORTED;
    case -ENOENT: return REASON_NOT_FOUND;
    case -EEXIST:
    case -EPERM: return REASON_CONFLICT;
    case -EBUSY: return REASON_RETRY_LATER;
    case -ENOMEM:
    case -ENOSPC: return takes_memory ? REASON_NO_MEMORY : REASON_NO_SPACE;
    default: return REASON_DRIVER;
    }
}

void operations_do(void *context, enum lane_kind lane, const struct hypervisor_call *call,
                   struct hypervisor_completion *out)
{
    struct xen_host *host = context;
    struct err err = {0};
    struct xen_session *session = sessions_take(host->sessions, &err);
    int rc = session == NULL ? err.code : dispatch(host, session, call, out, &err);
    if (rc != 0) {
        const char *log = session == NULL ? "" : session_log(session);
        out->code = rc;
        out->reason = reason_of(call, rc);
        (void)snprintf(out->text, sizeof(out->text), "%s%s%s", err.text,
                       log[0] != '\0' ? ": " : "", log);
    }
    if (session != NULL) {
        sessions_give(host->sessions, session);
    }
    if (lane == LANE_LONG) {
        footprint_release_code(); /* that of making and saving guests */
    }
    if (call->kind != HYPERVISOR_CALL_LIST) {
        known_domains_changed(host, call->order.uuid);
    } else {
        (void)pthread_mutex_lock(&host->mutex);
        if (rc != 0) {
            host->lost = err;
        } else {
            host->lost = (struct err){0};
        }
        (void)pthread_mutex_unlock(&host->mutex);
    }
}
