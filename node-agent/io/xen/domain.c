// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/domain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "node-agent/io/xen/known_domains.h"

void domain_uuid_text(const libxl_uuid *uuid, char out[UUID_SIZE])
{
    const uint8_t *bytes = libxl_uuid_bytearray_const(uuid);
    char *at = out;
    for (int i = 0; i < 16; i++) {
        bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        at += snprintf(at, 4, "%s%02x", dash ? "-" : "", bytes[i]);
    }
}

int domain_mark_read(const struct xen_host *host, struct xen_session *session, uint32_t domid,
                     struct domain_mark *out)
{
    char path[64];
    char text[DOMAIN_MARK_SIZE];
    struct domain_mark mark;
    (void)snprintf(path, sizeof path, "/local/domain/%u/" DOMAIN_MARK_KEY, domid);
    if (session_read(session, path, text, sizeof text) != 0 ||
        domain_mark_parse(text, &mark) != 0 || strcmp(mark.node, host->node) != 0) {
        return -ENOENT;
    }
    *out = mark;
    return 0;
}

enum run_state domain_state(const libxl_dominfo *info)
{
    if (info->dying) {
        return RUN_STATE_UNKNOWN; /* still holds memory and disks */
    }
    if (!info->shutdown) {
        return info->paused ? RUN_STATE_PAUSED : RUN_STATE_RUNNING;
    }
    switch (info->shutdown_reason) {
    case LIBXL_SHUTDOWN_REASON_POWEROFF:
    case LIBXL_SHUTDOWN_REASON_REBOOT: return RUN_STATE_STOPPED;
    case LIBXL_SHUTDOWN_REASON_SUSPEND: return RUN_STATE_PAUSED; /* a save that was left */
    case LIBXL_SHUTDOWN_REASON_CRASH:
    case LIBXL_SHUTDOWN_REASON_WATCHDOG:
    case LIBXL_SHUTDOWN_REASON_SOFT_RESET: return RUN_STATE_CRASHED;
    case LIBXL_SHUTDOWN_REASON_UNKNOWN: break;
    }
    return RUN_STATE_UNKNOWN;
}

int domain_find(const struct xen_host *host, struct xen_session *session, const char *uuid,
                struct xen_domain *out, struct err *err)
{
    int count = 0;
    int found = 0;
    libxl_dominfo *list = libxl_list_domain(session->ctx, &count);
    if (list == NULL) {
        return err_set(err, -EIO, "libxl does not list the domains");
    }
    for (int i = 0; i < count; i++) {
        char text[UUID_SIZE];
        domain_uuid_text(&list[i].uuid, text);
        if (strcmp(text, uuid) == 0) {
            found++;
            out->domid = list[i].domid;
            out->info = list[i];
            out->info.ssid_label = NULL;
        }
    }
    libxl_dominfo_list_free(list, count);
    if (found == 0) {
        return err_set(err, -ENOENT, "there is no domain with uuid %s", uuid);
    }
    if (found > 1) {
        return err_set(err, -EEXIST,
                       "%d domains have the uuid %s: look at them with xl list -v and destroy "
                       "all but one",
                       found, uuid);
    }
    if (domain_mark_read(host, session, out->domid, &out->mark) != 0) {
        return err_set(err, -EPERM, "domain %u with uuid %s %s", out->domid, uuid,
                       out->info.dying ? "is dying and still holds its memory and disks"
                                       : "was not made by this node's agent");
    }
    return 0;
}

int domain_find_again(struct xen_host *host, struct xen_session *session, const char *uuid,
                      struct xen_domain *out, struct err *err)
{
    uint32_t domid = 0;
    bool same = false;
    if (known_domains_number(host, uuid, &domid)) {
        libxl_dominfo info;
        char text[UUID_SIZE] = "";
        libxl_dominfo_init(&info);
        if (libxl_domain_info(session->ctx, &info, domid) == 0) {
            domain_uuid_text(&info.uuid, text);
        }
        same = strcmp(text, uuid) == 0 && !info.dying;
        out->domid = domid;
        out->info = info;
        out->info.ssid_label = NULL;
        libxl_dominfo_dispose(&info);
    }
    return same ? 0 : domain_find(host, session, uuid, out, err);
}
