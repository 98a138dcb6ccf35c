// SPDX-License-Identifier: Apache-2.0
/*
 * The libvirt driver: guests of any libvirt URI whose driver it knows. lxc:/// gives Linux
 * containers with real CPU quotas, qemu:/// virtual machines, xen:/// domains where libvirtd
 * owns them, test:/// only a life cycle without resources. abilities.h says what each can do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/model/object.h"
#include "node-agent/io/driver/opening.h"
#include "node-agent/io/hypervisor.h"
#include "node-agent/io/libvirt/abilities.h"
#include "node-agent/io/libvirt/host.h"
#include "node-agent/io/libvirt/operations.h"
#include "node-agent/io/libvirt/rates.h"
#include "node-agent/io/libvirt/readings.h"

#define CLOSE_WAIT_MS 2000

struct hypervisor {
    struct libvirt_host host;
};

/* Found by name when the agent loads this module. */
extern const struct hypervisor_driver hypervisor_driver_entry;

static uint32_t capabilities_of(const struct libvirt_host *host)
{
    return abilities_of(host->kind, host->disk_device[0] != '\0');
}

static int find_kind(virConnectPtr connection, enum libvirt_kind *kind, struct err *err)
{
    const char *type = virConnectGetType(connection);
    if (type == NULL) {
        return libvirt_error(err, "kind of the hypervisor");
    }
    *kind = abilities_kind(type);
    if (*kind == LIBVIRT_UNKNOWN) {
        return err_set(err, -ENOTSUP, "libvirt's %s driver is not one that arbiter can use",
                       type);
    }
    if (*kind == LIBVIRT_QEMU) {
        char *able = virConnectGetDomainCapabilities(connection, NULL, NULL, NULL, "kvm", 0);
        *kind = able != NULL ? LIBVIRT_KVM : LIBVIRT_QEMU;
        free(able);
    }
    return 0;
}

static int make_folders(const struct libvirt_host *host, struct err *err)
{
    static const char *const names[] = {"disks", "saved"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[PATH_SIZE + 16];
        (void)snprintf(path, sizeof(path), "%s/%s", host->state_folder, names[i]);
        /* Searchable for libvirt's own users; the disks have the owners of the image. */
        if (mkdir(path, 0711) != 0 && errno != EEXIST) {
            return err_set(err, -errno, "%s: %s", path, strerrordesc_np(errno));
        }
    }
    return 0;
}

static uint32_t image_formats(enum libvirt_kind kind)
{
    if (kind == LIBVIRT_LXC) {
        return 1u << IMAGE_FORMAT_TAR;
    }
    uint32_t kernels = kind == LIBVIRT_XEN ? 1u << IMAGE_FORMAT_KERNEL : 0;
    return 1u << IMAGE_FORMAT_RAW | kernels;
}

/* The first list: an agent whose driver cannot list does not start. */
static int first_look(struct libvirt_host *host, virConnectPtr connection, struct err *err)
{
    char *device = host->disk_device;
    if (rates_find_device(host->state_folder, device, sizeof(host->disk_device)) != 0) {
        device[0] = '\0';
    }
    int vcpus_max = virConnectGetMaxVcpus(connection, NULL);
    host->status = (struct node_status){
        .capabilities = capabilities_of(host),
        .vcpus_max = vcpus_max > 0 ? (uint32_t)vcpus_max : 1,
        .image_formats = image_formats(host->kind),
    };
    (void)snprintf(host->status.driver, sizeof(host->status.driver), "libvirt %.40s",
                   host->uri);
    struct domain_list *list = calloc(1, sizeof(*list));
    int rc = list == NULL ? err_set(err, -ENOMEM, "no memory for a list of domains")
                          : readings_list(host, connection, list, err);
    free(list);
    return rc;
}

static int fill_settings(struct libvirt_host *host, const struct hypervisor_settings *settings,
                         struct err *err)
{
    if (settings->uri == NULL || settings->uri[0] == '\0' ||
        strlen(settings->uri) >= sizeof(host->uri)) {
        return err_set(err, -EINVAL, "libvirt needs a URI, e.g. libvirt:lxc:///");
    }
    int rc = opening_check(settings, "libvirt", err);
    if (rc != 0) {
        return rc;
    }
    (void)snprintf(host->uri, sizeof(host->uri), "%s", settings->uri);
    (void)snprintf(host->state_folder, sizeof(host->state_folder), "%s",
                   settings->state_folder);
    (void)snprintf(host->node, sizeof(host->node), "%s", settings->node);
    return settings->look_only ? 0 : make_folders(host, err);
}

static int connect_host(struct libvirt_host *host, struct err *err)
{
    for (int i = 0; i < LANE_COUNT; i++) {
        host->connections[i] = connection_create(host->uri, err);
        if (host->connections[i] == NULL) {
            return err->code;
        }
    }
    virConnectPtr connection = connection_get(host->connections[LANE_SHORT], err);
    if (connection == NULL) {
        return err->code;
    }
    int rc = find_kind(connection, &host->kind, err);
    rc = rc != 0 ? rc : first_look(host, connection, err);
    (void)virConnectClose(connection);
    if (rc != 0) {
        return err_wrap(err, "%s", host->uri);
    }
    host->lanes = lanes_create(operations_do, host, err);
    return host->lanes != NULL ? 0 : err->code;
}

static void driver_close(struct hypervisor *hypervisor)
{
    if (hypervisor == NULL) {
        return;
    }
    struct libvirt_host *host = &hypervisor->host;
    if (lanes_destroy(host->lanes, CLOSE_WAIT_MS) != 0) {
        return; /* a thread is inside libvirt: what it uses stays until the process ends */
    }
    for (int i = 0; i < LANE_COUNT; i++) {
        connection_destroy(host->connections[i]);
    }
    (void)pthread_mutex_destroy(&host->mutex);
    free(hypervisor);
}

static struct hypervisor *driver_open(const struct hypervisor_settings *settings,
                                      struct err *err)
{
    struct err cause = {0};
    struct hypervisor *hypervisor = calloc(1, sizeof(*hypervisor));
    if (hypervisor == NULL) {
        (void)err_set(err, -ENOMEM, "no memory for the libvirt driver");
        return NULL;
    }
    struct libvirt_host *host = &hypervisor->host;
    (void)pthread_mutex_init(&host->mutex, NULL);
    opening_stay_loaded();
    int rc = fill_settings(host, settings, &cause);
    rc = rc != 0 ? rc : connect_host(host, &cause);
    if (rc != 0) {
        driver_close(hypervisor);
        (void)err_set(err, rc, "%s", cause.text);
        return NULL;
    }
    return hypervisor;
}

static int driver_status(struct hypervisor *hypervisor, struct node_status *out,
                         struct err *err)
{
    struct libvirt_host *host = &hypervisor->host;
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
    const struct libvirt_host *host = &hypervisor->host;
    enum capability needed = hypervisor_call_capability(call->kind);
    if ((capabilities_of(host) & needed) == 0) {
        const char *why = abilities_refusal(host->kind, needed);
        return err_set(err, -ENOTSUP, "libvirt %s cannot do %s%s%s", host->uri,
                       hypervisor_call_word(call->kind), why[0] != '\0' ? ": " : "", why);
    }
    return lanes_start(hypervisor->host.lanes, call, err);
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

const struct hypervisor_driver hypervisor_driver_entry = {
    .abi = HYPERVISOR_DRIVER_ABI,
    .size = sizeof(struct hypervisor_driver),
    .name = "libvirt",
    .open = driver_open,
    .close = driver_close,
    .status = driver_status,
    .start = driver_start,
    .fd = driver_fd,
    .deadline_ms = driver_deadline_ms,
    .complete = driver_complete,
};
