// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/driver/guest_kernel.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *out, size_t size, const char *format, ...)
{
    size_t length = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(out + length, size - length, format, arguments);
    va_end(arguments);
}

/* "ip=ADDRESS::GATEWAY:NETMASK:NAME:eth0:off", which Debian's initial ramdisk and others obey;
 * an image that has an ip= of its own keeps it. */
static void add_kernel_address(const struct vm_order *order, const char *address,
                               const char *gateway, char out[GUEST_COMMAND_LINE_SIZE])
{
    const char *slash = strchr(address, '/');
    const char *own = strstr(order->command_line, "ip=");
    char *end = NULL;
    unsigned long prefix = slash != NULL ? strtoul(slash + 1, &end, 10) : 0;
    bool fine = slash != NULL && *end == '\0' && prefix >= 1 && prefix <= 32;
    if (!fine || (own != NULL && (own == order->command_line || own[-1] == ' '))) {
        return;
    }
    uint32_t mask = UINT32_MAX << (32 - prefix);
    append(out, GUEST_COMMAND_LINE_SIZE,
           " ip=%.*s::%s:%" PRIu32 ".%" PRIu32 ".%" PRIu32 ".%" PRIu32 ":%s:eth0:off",
           (int)(slash - address), address, gateway, mask >> 24, mask >> 16 & 0xff,
           mask >> 8 & 0xff, mask & 0xff, order->vm);
}

void guest_command_line(const struct vm_order *order, const char *address, const char *gateway,
                        char out[GUEST_COMMAND_LINE_SIZE])
{
    const size_t size = GUEST_COMMAND_LINE_SIZE;
    out[0] = '\0';
    append(out, size, "%s%sarbiter.vm=%s", order->command_line,
           order->command_line[0] != '\0' ? " " : "", order->vm);
    if (address[0] != '\0') {
        append(out, size, " arbiter.address=%s", address);
        add_kernel_address(order, address, gateway, out);
    }
    if (gateway[0] != '\0') {
        append(out, size, " arbiter.gateway=%s", gateway);
    }
    append(out, size, " arbiter.port=%" PRIu32, order->port);
}
