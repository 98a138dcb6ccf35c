// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/domain_config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/io/driver/guest_kernel.h"
#include "node-agent/io/xen/guest_values.h"

#define DISK_NAME "xvda"

/* libxl's structures own their texts. */
static bool copy(char **out, const char *text)
{
    *out = text[0] == '\0' ? NULL : strdup(text);
    return *out != NULL || text[0] == '\0';
}

static libxl_domain_type type_of(const struct vm_order *order)
{
    return order->guest_type == GUEST_TYPE_PV ? LIBXL_DOMAIN_TYPE_PV : LIBXL_DOMAIN_TYPE_PVH;
}

static bool fill_create(const struct domain_plan *plan, libxl_domain_create_info *out)
{
    char mark[DOMAIN_MARK_SIZE];
    out->type = type_of(plan->order);
    if (libxl_uuid_from_string(&out->uuid, plan->order->uuid) != 0 ||
        domain_mark_format(plan->mark, mark) != 0) {
        return false;
    }
    out->xsdata = calloc(3, sizeof(char *));
    return out->xsdata != NULL && copy(&out->name, plan->order->vm) &&
           copy(&out->xsdata[0], DOMAIN_MARK_KEY) && copy(&out->xsdata[1], mark);
}

static libxl_tsc_mode tsc_mode_of(const struct xen_host *host)
{
    switch (host->settings.tsc_mode) {
    case XEN_TSC_NATIVE: return LIBXL_TSC_MODE_NATIVE;
    case XEN_TSC_EMULATE: return LIBXL_TSC_MODE_ALWAYS_EMULATE;
    case XEN_TSC_DEFAULT: break;
    }
    return LIBXL_TSC_MODE_DEFAULT;
}

static bool fill_build(const struct xen_host *host, libxl_ctx *ctx,
                       const struct domain_plan *plan, libxl_domain_build_info *out)
{
    const struct vm_order *order = plan->order;
    struct guest_size size = guest_size_of(order);
    libxl_domain_build_info_init_type(out, type_of(order));
    libxl_defbool_set(&out->claim_mode, true); /* all of its memory, or none at once */
    if (type_of(order) == LIBXL_DOMAIN_TYPE_PVH) {
        out->tsc_mode = tsc_mode_of(host);
    }
    out->max_vcpus = (int)size.vcpus_max;
    out->target_memkb = size.memory_kib;
    out->max_memkb = size.memory_max_kib;
    out->sched_params.weight = (int)order->weight;
    out->sched_params.cap = (int)order->cap_pct;
    if (libxl_cpu_bitmap_alloc(ctx, &out->avail_vcpus, out->max_vcpus) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < size.vcpus; i++) {
        libxl_bitmap_set(&out->avail_vcpus, (int)i);
    }
    char line[GUEST_COMMAND_LINE_SIZE];
    guest_command_line(order, plan->mark->address, plan->mark->gateway, line);
    return copy(&out->kernel, order->kernel) && copy(&out->ramdisk, order->ramdisk) &&
           copy(&out->cmdline, line);
}

static bool add_disk(const struct domain_plan *plan, libxl_domain_config *out)
{
    if (plan->disk[0] == '\0') {
        return true;
    }
    out->disks = calloc(1, sizeof(*out->disks));
    if (out->disks == NULL) {
        return false;
    }
    out->num_disks = 1;
    libxl_device_disk *disk = &out->disks[0];
    libxl_device_disk_init(disk);
    disk->format = LIBXL_DISK_FORMAT_RAW;
    disk->backend = LIBXL_DISK_BACKEND_PHY;
    disk->readwrite = 1;
    return copy(&disk->pdev_path, plan->disk) && copy(&disk->vdev, DISK_NAME);
}

static bool add_nic(const struct domain_plan *plan, libxl_domain_config *out)
{
    const struct vm_order *order = plan->order;
    if (order->bridge[0] == '\0') {
        return true;
    }
    out->nics = calloc(1, sizeof(*out->nics));
    if (out->nics == NULL) {
        return false;
    }
    out->num_nics = 1;
    libxl_device_nic *nic = &out->nics[0];
    libxl_device_nic_init(nic);
    nic->devid = 0;
    nic->nictype = LIBXL_NIC_TYPE_VIF;
    guest_mac(order->uuid, nic->mac);
    return copy(&nic->bridge, order->bridge) && copy(&nic->script, order->vif_script);
}

int domain_config(const struct xen_host *host, struct xen_session *session,
                  const struct domain_plan *plan, libxl_domain_config *out, struct err *err)
{
    libxl_domain_config_init(out);
    int rc = guest_values_check(plan->order, err);
    if (rc != 0) {
        return rc;
    }
    out->on_poweroff = LIBXL_ACTION_ON_SHUTDOWN_PRESERVE;
    out->on_reboot = LIBXL_ACTION_ON_SHUTDOWN_PRESERVE;
    out->on_watchdog = LIBXL_ACTION_ON_SHUTDOWN_PRESERVE;
    out->on_crash = LIBXL_ACTION_ON_SHUTDOWN_PRESERVE;
    out->on_soft_reset = LIBXL_ACTION_ON_SHUTDOWN_PRESERVE;
    bool fine = fill_create(plan, &out->c_info) &&
                fill_build(host, session->ctx, plan, &out->b_info) && add_disk(plan, out) &&
                add_nic(plan, out);
    return fine ? 0
                : err_set(err, -ENOMEM, "no memory for the configuration of %s",
                          plan->order->vm);
}
