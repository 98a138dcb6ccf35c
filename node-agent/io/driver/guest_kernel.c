// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/driver/guest_kernel.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_SIZE 192

/* " ip=ADDRESS::GATEWAY:NETMASK:NAME:eth0:off", which Debian's initial ramdisk and others obey;
 * an image that has an ip= of its own keeps it. Empty: none. */
static void kernel_address(const struct vm_order *order, const char *address,
                           const char *gateway, char out[PART_SIZE])
{
    const char *slash = strchr(address, '/');
    const char *own = strstr(order->command_line, "ip=");
    char *end = NULL;
    unsigned long prefix = slash != NULL ? strtoul(slash + 1, &end, 10) : 0;
    bool fine = slash != NULL && *end == '\0' && prefix >= 1 && prefix <= 32;
    out[0] = '\0';
    if (!fine || (own != NULL && (own == order->command_line || own[-1] == ' '))) {
        return;
    }
    uint32_t mask = UINT32_MAX << (32 - prefix);
    (void)snprintf(out, PART_SIZE,
                   " ip=%.*s::%s:%" PRIu32 ".%" PRIu32 ".%" PRIu32 ".%" PRIu32 ":%s:eth0:off",
                   (int)(slash - address), address, gateway, mask >> 24, mask >> 16 & 0xff,
                   mask >> 8 & 0xff, mask & 0xff, order->vm);
}

void guest_command_line(const struct vm_order *order, const char *address, const char *gateway,
                        char out[GUEST_COMMAND_LINE_SIZE])
{
    const char *line = order->command_line;
    char ip[PART_SIZE];
    kernel_address(order, address, gateway, ip);
    (void)snprintf(
        out, GUEST_COMMAND_LINE_SIZE, "%s%sarbiter.vm=%s%s%s%s%s%s arbiter.port=%" PRIu32, line,
        line[0] != '\0' ? " " : "", order->vm, address[0] != '\0' ? " arbiter.address=" : "",
        address, ip, gateway[0] != '\0' ? " arbiter.gateway=" : "", gateway, order->port);
}
