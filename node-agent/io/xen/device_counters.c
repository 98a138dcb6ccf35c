// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/device_counters.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DISK_XVDA    51712 /* its number among Xen's virtual devices */
#define SECTOR_BYTES 512

/* One number of sysfs. UINT64_MAX: unknown. */
static uint64_t read_counter(const char *path)
{
    char text[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return UINT64_MAX;
    }
    ssize_t size = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (size <= 0) {
        return UINT64_MAX;
    }
    text[size] = '\0';
    char *end = NULL;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    return errno == 0 && end != text ? value : UINT64_MAX;
}

static uint64_t net(uint32_t domid, const char *name)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/sys/class/net/vif%" PRIu32 ".0/statistics/%s", domid,
                   name);
    return read_counter(path);
}

static uint64_t disk(uint32_t domid, const char *name)
{
    char path[96];
    (void)snprintf(path, sizeof path,
                   "/sys/bus/xen-backend/devices/vbd-%" PRIu32 "-%d/statistics/%s", domid,
                   DISK_XVDA, name);
    uint64_t sectors = read_counter(path);
    return sectors == UINT64_MAX ? UINT64_MAX : sectors * SECTOR_BYTES;
}

void device_counters_read(uint32_t domid, struct domain_reading *out)
{
    out->net_rx_bytes = net(domid, "tx_bytes"); /* what dom0 sends is what the guest receives */
    out->net_tx_bytes = net(domid, "rx_bytes");
    out->disk_read_bytes = disk(domid, "rd_sect");
    out->disk_write_bytes = disk(domid, "wr_sect");
}
