// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/libvirt/rates.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "node-agent/io/driver/rates_link.h"

#define PARAMETERS_MAX 16 /* the most that libvirt sends over its socket */
#define DISK_TARGET    "vda"

static const virTypedParameter *find(const virTypedParameter *values, int count,
                                     const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(values[i].field, name) == 0) {
            return &values[i];
        }
    }
    return NULL;
}

int rates_read_net(virDomainPtr domain, const char *uuid, uint64_t *kib_s, struct err *err)
{
    char interface[INTERFACE_NAME_SIZE];
    domain_interface_name(uuid, interface);
    virTypedParameter values[PARAMETERS_MAX];
    int count = PARAMETERS_MAX;
    if (virDomainGetInterfaceParameters(domain, interface, values, &count, 0) != 0) {
        return libvirt_error(err, "read the network rate");
    }
    const virTypedParameter *rate = find(values, count, VIR_DOMAIN_BANDWIDTH_OUT_AVERAGE);
    *kib_s = rate != NULL ? rate->value.ui : 0;
    virTypedParamsClear(values, count);
    if (*kib_s == 0 && rates_link_get(interface, kib_s, NULL) != 0) {
        *kib_s = 0; /* a libvirtd of another host has its interfaces there */
    }
    return 0;
}

static int set_both_directions(virDomainPtr domain, const char *interface, unsigned int kib_s,
                               struct err *err)
{
    virTypedParameterPtr values = NULL;
    int count = 0;
    int room = 0;
    int r =
        virTypedParamsAddUInt(&values, &count, &room, VIR_DOMAIN_BANDWIDTH_IN_AVERAGE, kib_s);
    r = r != 0 ? r
               : virTypedParamsAddUInt(&values, &count, &room, VIR_DOMAIN_BANDWIDTH_OUT_AVERAGE,
                                       kib_s);
    r = r != 0 ? r
               : virDomainSetInterfaceParameters(domain, interface, values, count,
                                                 VIR_DOMAIN_AFFECT_CURRENT);
    int rc = r == 0 ? 0 : libvirt_error(err, "set the network rate");
    virTypedParamsFree(values, count);
    return rc;
}

int rates_set_net(virDomainPtr domain, const struct hypervisor_call *call, uint64_t *value,
                  char note[TEXT_SIZE], struct err *err)
{
    uint64_t kib_s = call->order.net_rate_kib_s;
    if (kib_s > UINT_MAX) {
        return err_set(err, -ERANGE, "network rate %" PRIu64 " KiB/s is out of range", kib_s);
    }
    char interface[INTERFACE_NAME_SIZE];
    domain_interface_name(call->order.uuid, interface);
    /* Ours, if it is there, holds the place that libvirt needs. */
    uint64_t ours = 0;
    if (rates_link_get(interface, &ours, NULL) == 0 && ours != 0) {
        (void)rates_link_set(interface, 0, NULL);
    }
    struct err cause = {0};
    int rc = set_both_directions(domain, interface, (unsigned int)kib_s, &cause);
    if (rc != 0 && kib_s != 0 && rates_link_set(interface, kib_s, NULL) == 0) {
        (void)snprintf(note, TEXT_SIZE, "only what it receives is limited: %.200s", cause.text);
        rc = 0;
    }
    return rc != 0 ? err_set(err, rc, "%s", cause.text)
                   : rates_read_net(domain, call->order.uuid, value, err);
}

/* A limit of the kernel is on a whole device, so a partition's parent is named. */
int rates_find_device(const char *folder, char *out, size_t size)
{
    struct stat status;
    if (stat(folder, &status) != 0) {
        return -errno;
    }
    char path[PATH_MAX];
    char link[64];
    (void)snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(status.st_dev),
                   minor(status.st_dev));
    if (realpath(link, path) == NULL) {
        return -ENODEV;
    }
    char probe[PATH_MAX + 16];
    (void)snprintf(probe, sizeof(probe), "%s/partition", path);
    if (access(probe, F_OK) == 0) {
        *strrchr(path, '/') = '\0';
    }
    int r = snprintf(out, size, "/dev/%s", strrchr(path, '/') + 1);
    return r > 0 && (size_t)r < size && access(out, F_OK) == 0 ? 0 : -ENODEV;
}

/* "/dev/vda,1048576,/dev/vdb,..." */
static uint64_t rate_of_device(const char *list, const char *device)
{
    size_t length = strlen(device);
    const char *at = strstr(list, device);
    if (at == NULL || at[length] != ',') {
        return 0;
    }
    return strtoull(at + length + 1, NULL, 10) / 1024;
}

static int read_container(const struct libvirt_host *host, virDomainPtr domain, uint64_t *kib_s,
                          struct err *err)
{
    virTypedParameter values[PARAMETERS_MAX];
    int count = PARAMETERS_MAX;
    if (virDomainGetBlkioParameters(domain, values, &count, 0) != 0) {
        return libvirt_error(err, "read the disk rate");
    }
    const virTypedParameter *rate = find(values, count, VIR_DOMAIN_BLKIO_DEVICE_WRITE_BPS);
    *kib_s = rate != NULL && rate->type == VIR_TYPED_PARAM_STRING
                 ? rate_of_device(rate->value.s, host->disk_device)
                 : 0;
    virTypedParamsClear(values, count);
    return 0;
}

static int read_machine(virDomainPtr domain, uint64_t *kib_s, struct err *err)
{
    int count = 0;
    if (virDomainGetBlockIoTune(domain, DISK_TARGET, NULL, &count, 0) != 0) {
        return libvirt_error(err, "read the disk rate");
    }
    virTypedParameterPtr values = calloc((size_t)count + 1, sizeof(*values));
    if (values == NULL) {
        return err_set(err, -ENOMEM, "no memory for a disk rate");
    }
    int rc = 0;
    if (virDomainGetBlockIoTune(domain, DISK_TARGET, values, &count, 0) != 0) {
        rc = libvirt_error(err, "read the disk rate");
    } else {
        const virTypedParameter *rate =
            find(values, count, VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC);
        *kib_s = rate != NULL ? rate->value.ul / 1024 : 0;
    }
    virTypedParamsFree(values, count); /* the array too */
    return rc;                         // NOLINT(clang-analyzer-unix.Malloc)
}

int rates_read_disk(const struct libvirt_host *host, virDomainPtr domain, uint64_t *kib_s,
                    struct err *err)
{
    return host->kind == LIBVIRT_LXC ? read_container(host, domain, kib_s, err)
                                     : read_machine(domain, kib_s, err);
}

int rates_set_disk(const struct libvirt_host *host, virDomainPtr domain,
                   const struct hypervisor_call *call, uint64_t *value, struct err *err)
{
    static const char *const container[] = {VIR_DOMAIN_BLKIO_DEVICE_READ_BPS,
                                            VIR_DOMAIN_BLKIO_DEVICE_WRITE_BPS};
    static const char *const machine[] = {VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC,
                                          VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC};
    bool is_container = host->kind == LIBVIRT_LXC;
    uint64_t bytes_s = call->order.disk_rate_kib_s * 1024;
    char text[PATH_SIZE + 24];
    (void)snprintf(text, sizeof(text), "%s,%" PRIu64, host->disk_device, bytes_s);
    virTypedParameterPtr values = NULL;
    int count = 0;
    int room = 0;
    int r = 0;
    for (int i = 0; i < 2 && r == 0; i++) {
        r = is_container ? virTypedParamsAddString(&values, &count, &room, container[i], text)
                         : virTypedParamsAddULLong(&values, &count, &room, machine[i], bytes_s);
    }
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    if (r == 0) {
        r = is_container ? virDomainSetBlkioParameters(domain, values, count, flags)
                         : virDomainSetBlockIoTune(domain, DISK_TARGET, values, count, flags);
    }
    int rc = r == 0 ? 0 : libvirt_error(err, "set the disk rate");
    virTypedParamsFree(values, count);
    return rc != 0 ? rc : rates_read_disk(host, domain, value, err);
}
