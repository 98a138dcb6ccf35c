// SPDX-License-Identifier: Apache-2.0
/* The xen driver: PV and PVH guests by libxl, in a dom0 of Xen. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/log.h"
#include "common/model/object.h"
#include "node-agent/io/driver/opening.h"
#include "node-agent/io/hypervisor.h"
#include "node-agent/io/xen/footprint.h"
#include "node-agent/io/xen/host.h"
#include "node-agent/io/xen/making.h"
#include "node-agent/io/xen/operations.h"
#include "node-agent/io/xen/readings.h"
#include "node-agent/io/xen/records.h"
#include "node-agent/io/xen/watchdog.h"

#define CLOSE_WAIT_MS 2000
#define VCPUS_MAX     128 /* of a PVH guest */

#define OWN_CAPABILITIES                                                                       \
    (CAPABILITY_CREATE | CAPABILITY_SHUTDOWN | CAPABILITY_REBOOT | CAPABILITY_PAUSE |          \
     CAPABILITY_SUSPEND | CAPABILITY_VCPUS | CAPABILITY_CAP | CAPABILITY_WEIGHT |              \
     CAPABILITY_MEMORY)

struct hypervisor {
    struct xen_host host;
};

/* Found by name when the agent loads this module. */
extern const struct hypervisor_driver hypervisor_driver_entry;

static const char *scheduler_word(libxl_scheduler scheduler)
{
    return scheduler == LIBXL_SCHEDULER_CREDIT ? "credit" : "credit2";
}

/* A fence that would let saved copies of its guests come back after it is none. What an earlier
 * agent armed is kept up or disarmed in any case. */
static uint32_t open_watchdog(struct xen_host *host)
{
    struct err why = {0};
    host->watchdog = watchdog_open(host->node, host->look_only, &why);
    if (host->watchdog != NULL && watchdog_check_xendomains("", &why) == 0) {
        return CAPABILITY_SELF_FENCE;
    }
    log_line(LOG_LEVEL_WARN, "no VMs with isolation fence here: %s", why.text);
    return 0;
}

/* Who this host is; a scheduler without caps is refused at once. */
static int describe(struct xen_host *host, struct xen_session *session, struct err *err)
{
    const libxl_version_info *version = libxl_get_version_info(session->ctx);
    if (version == NULL) {
        return err_set(err, -EIO, "libxl does not tell the version of Xen");
    }
    libxl_scheduler scheduler = LIBXL_SCHEDULER_UNKNOWN;
    int r = libxl_get_scheduler(session->ctx);
    scheduler = r >= 0 ? (libxl_scheduler)r : scheduler;
    if (scheduler != LIBXL_SCHEDULER_CREDIT && scheduler != LIBXL_SCHEDULER_CREDIT2) {
        return err_set(err, -ENOTSUP,
                       "Xen's scheduler has no caps: boot Xen with sched=credit2 or "
                       "sched=credit");
    }
    host->scheduler = scheduler;
    host->status = (struct node_status){
        .capabilities = OWN_CAPABILITIES | parts_capabilities(host) | open_watchdog(host),
        .vcpus_max = VCPUS_MAX,
        .image_formats = 1u << IMAGE_FORMAT_RAW | 1u << IMAGE_FORMAT_KERNEL,
    };
    (void)snprintf(host->status.driver, sizeof(host->status.driver), "xen %d.%d %s",
                   version->xen_version_major, version->xen_version_minor,
                   scheduler_word(scheduler));
    return 0;
}

/* The first list: an agent whose driver cannot list does not start. */
static int first_look(struct xen_host *host, struct err *err)
{
    struct xen_session *session = sessions_take(host->sessions, err);
    if (session == NULL) {
        return err->code;
    }
    int rc = describe(host, session, err);
    struct domain_list *list = calloc(1, sizeof(*list));
    if (rc == 0 && list == NULL) {
        rc = err_set(err, -ENOMEM, "no memory for a list of domains");
    }
    if (rc == 0) {
        if (!host->look_only) {
            making_recover(host, session);
        }
        rc = readings_list(host, session, list, err);
    }
    free(list);
    if (rc != 0 && session_log(session)[0] != '\0') {
        (void)err_set(err, rc, "%.150s: %.300s", err->text, session_log(session));
    }
    sessions_give(host->sessions, session);
    return rc;
}

static int fill_settings(struct xen_host *host, const struct hypervisor_settings *settings,
                         struct err *err)
{
    int rc = opening_check(settings, "xen", err);
    if (rc != 0) {
        return rc;
    }
    (void)snprintf(host->state_folder, sizeof(host->state_folder), "%s",
                   settings->state_folder);
    (void)snprintf(host->node, sizeof(host->node), "%s", settings->node);
    host->look_only = settings->look_only;
    const char *text = settings->uri != NULL ? settings->uri : "";
    rc = xen_settings_parse(text, &host->settings, err);
    return rc != 0 || host->look_only ? rc : records_make_folders(host, err);
}

static int connect_host(struct xen_host *host, struct err *err)
{
    host->sessions = sessions_create(err);
    if (host->sessions == NULL) {
        return err->code;
    }
    int rc = first_look(host, err);
    if (rc == 0) {
        host->lanes = lanes_create(operations_do, host, err);
        rc = host->lanes != NULL ? 0 : err->code;
    }
    return rc;
}

static void driver_close(struct hypervisor *hypervisor)
{
    if (hypervisor == NULL) {
        return;
    }
    struct xen_host *host = &hypervisor->host;
    if (lanes_destroy(host->lanes, CLOSE_WAIT_MS) != 0) {
        return; /* a thread is inside libxl: what it uses stays until the process ends */
    }
    sessions_destroy(host->sessions);
    watchdog_destroy(host->watchdog); /* what is armed stays armed */
    (void)pthread_mutex_destroy(&host->mutex);
    (void)pthread_mutex_destroy(&host->making);
    free(hypervisor);
}

static struct hypervisor *driver_open(const struct hypervisor_settings *settings,
                                      struct err *err)
{
    struct err cause = {0};
    struct hypervisor *hypervisor = calloc(1, sizeof(*hypervisor));
    if (hypervisor == NULL) {
        (void)err_set(err, -ENOMEM, "no memory for the xen driver");
        return NULL;
    }
    struct xen_host *host = &hypervisor->host;
    (void)pthread_mutex_init(&host->mutex, NULL);
    (void)pthread_mutex_init(&host->making, NULL);
    opening_stay_loaded();
    footprint_limit();
    int rc = fill_settings(host, settings, &cause);
    rc = rc != 0 ? rc : connect_host(host, &cause);
    if (rc != 0) {
        driver_close(hypervisor);
        (void)err_set(err, rc, "xen: %.480s", cause.text);
        return NULL;
    }
    footprint_release_code();
    return hypervisor;
}

static int driver_status(struct hypervisor *hypervisor, struct node_status *out,
                         struct err *err)
{
    struct xen_host *host = &hypervisor->host;
    (void)pthread_mutex_lock(&host->mutex);
    struct err lost = host->lost;
    if (lost.code == 0) {
        *out = host->status;
    }
    (void)pthread_mutex_unlock(&host->mutex);
    return lost.code == 0 ? 0 : err_set(err, lost.code, "%s", lost.text);
}

static int driver_start(struct hypervisor *hypervisor, const struct hypervisor_call *call,
                        struct err *err)
{
    struct xen_host *host = &hypervisor->host;
    if ((host->status.capabilities & hypervisor_call_capability(call->kind)) == 0) {
        return err_set(err, -ENOTSUP, "xen cannot do %s here",
                       hypervisor_call_word(call->kind));
    }
    return lanes_start(host->lanes, call, err);
}

static int driver_fd(const struct hypervisor *hypervisor)
{
    return lanes_fd(hypervisor->host.lanes);
}

static int64_t driver_deadline_ms(const struct hypervisor *hypervisor)
{
    return lanes_deadline_ms(hypervisor->host.lanes);
}

static int driver_complete(struct hypervisor *hypervisor, int64_t now_ms,
                           struct hypervisor_completion *out)
{
    return lanes_complete(hypervisor->host.lanes, now_ms, out);
}

static int driver_arm(struct hypervisor *hypervisor, int64_t until_ms, struct err *err)
{
    struct watchdog *watchdog = hypervisor->host.watchdog;
    if (watchdog == NULL) {
        return until_ms == 0 ? 0 : err_set(err, -ENOTSUP, "Xen's watchdog does not work here");
    }
    return watchdog_arm(watchdog, until_ms, err);
}

const struct hypervisor_driver hypervisor_driver_entry = {
    .abi = HYPERVISOR_DRIVER_ABI,
    .size = sizeof(struct hypervisor_driver),
    .name = "xen",
    .open = driver_open,
    .close = driver_close,
    .status = driver_status,
    .start = driver_start,
    .fd = driver_fd,
    .deadline_ms = driver_deadline_ms,
    .complete = driver_complete,
    .arm = driver_arm,
};
