// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/guest_values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct guest_size guest_size_of(const struct vm_order *order)
{
    return (struct guest_size){
        .vcpus = order->vcpus,
        .vcpus_max = order->vcpus_max > order->vcpus ? order->vcpus_max : order->vcpus,
        .memory_kib = order->memory_kib,
        .memory_max_kib = order->memory_max_kib > order->memory_kib ? order->memory_max_kib
                                                                    : order->memory_kib,
    };
}

static uint8_t digit(char at)
{
    return (uint8_t)(at >= 'a' ? at - 'a' + 10 : at - '0');
}

void guest_mac(const char *uuid, uint8_t out[GUEST_MAC_BYTES])
{
    static const uint8_t xen[3] = {0x00, 0x16, 0x3e};
    size_t length = strlen(uuid);
    memcpy(out, xen, sizeof xen);
    for (size_t i = 0; i < 3; i++) {
        const char *pair = length >= 6 ? uuid + length - 6 + 2 * i : "00";
        out[3 + i] = (uint8_t)(digit(pair[0]) << 4 | digit(pair[1]));
    }
}

static void add(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(char *out, size_t size, const char *format, ...)
{
    size_t length = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(out + length, size - length, format, arguments);
    va_end(arguments);
}

int guest_values_check(const struct vm_order *order, struct err *err)
{
    char mistakes[ERR_TEXT_SIZE] = "";
    if (order->kernel[0] == '\0') {
        add(mistakes, sizeof mistakes, "; image %s names no kernel", order->image);
    }
    if (order->memory_kib == 0) {
        add(mistakes, sizeof mistakes, "; no memory");
    }
    if (order->vcpus == 0) {
        add(mistakes, sizeof mistakes, "; no VCPUs");
    }
    if (order->cap_pct == 0) {
        add(mistakes, sizeof mistakes, "; a cap of 0 would be no cap");
    }
    if (order->weight == 0 || order->weight > 65535) {
        add(mistakes, sizeof mistakes, "; weight %" PRIu32 " is not within 1 and 65535",
            order->weight);
    }
    return mistakes[0] == '\0' ? 0 : err_set(err, -EINVAL, "%s: %s", order->vm, mistakes + 2);
}
