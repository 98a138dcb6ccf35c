// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/libvirt/abilities.h"

#include <stddef.h>
#include <string.h>

#define LIFE_CYCLE                                                                             \
    (CAPABILITY_CREATE | CAPABILITY_SHUTDOWN | CAPABILITY_REBOOT | CAPABILITY_PAUSE)
#define SHARES  (CAPABILITY_CAP | CAPABILITY_WEIGHT)
#define RATES   (CAPABILITY_NET_RATE | CAPABILITY_DISK_RATE)
#define MACHINE (LIFE_CYCLE | SHARES | CAPABILITY_MEMORY | CAPABILITY_SUSPEND | (uint32_t)RATES)

enum libvirt_kind abilities_kind(const char *type)
{
    static const struct {
        const char *type;
        enum libvirt_kind kind;
    } kinds[] = {{"LXC", LIBVIRT_LXC},
                 {"QEMU", LIBVIRT_QEMU},
                 {"Xen", LIBVIRT_XEN},
                 {"TEST", LIBVIRT_TEST}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].type, type) == 0) {
            return kinds[i].kind;
        }
    }
    return LIBVIRT_UNKNOWN;
}

uint32_t abilities_of(enum libvirt_kind kind, bool limits_disk)
{
    switch (kind) {
    case LIBVIRT_LXC:
        return LIFE_CYCLE | SHARES | CAPABILITY_MEMORY |
               (limits_disk ? (uint32_t)CAPABILITY_DISK_RATE : 0);
    case LIBVIRT_QEMU: return MACHINE;
    case LIBVIRT_KVM: return MACHINE | CAPABILITY_VCPUS;
    case LIBVIRT_XEN:
        return LIFE_CYCLE | CAPABILITY_MEMORY | CAPABILITY_VCPUS | CAPABILITY_SUSPEND;
    case LIBVIRT_TEST: return LIFE_CYCLE | CAPABILITY_SUSPEND;
    case LIBVIRT_UNKNOWN: break;
    }
    return 0;
}

/* What is a fact of libvirt's driver, not of ours. */
static const struct {
    enum libvirt_kind kind;
    uint32_t capabilities;
    const char *text;
} refusals[] = {
    {LIBVIRT_LXC, CAPABILITY_VCPUS, "a container sees all CPUs of the host"},
    {LIBVIRT_LXC, CAPABILITY_SUSPEND, "libvirt cannot save a container"},
    {LIBVIRT_LXC, CAPABILITY_NET_RATE, "libvirt sets no rate of a container that runs"},
    {LIBVIRT_LXC, CAPABILITY_DISK_RATE,
     "below the state folder is no block device whose rate the kernel can limit"},
    {LIBVIRT_QEMU, CAPABILITY_VCPUS,
     "without KVM, QEMU does not tell libvirt that a VCPU is gone, and it stays counted"},
    {LIBVIRT_XEN, SHARES,
     "libvirt sets them under Xen's old scheduler credit only; the driver xen does under both"},
    {LIBVIRT_XEN, RATES, "libvirt has no rates for Xen; the driver xen has"},
    {LIBVIRT_TEST, SHARES | RATES | CAPABILITY_MEMORY | CAPABILITY_VCPUS,
     "the test driver stores amounts, and nobody obeys them"},
};

const char *abilities_refusal(enum libvirt_kind kind, enum capability capability)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (refusals[i].kind == kind && (refusals[i].capabilities & capability) != 0) {
            return refusals[i].text;
        }
    }
    switch (capability) {
    case CAPABILITY_MIGRATE:
    case CAPABILITY_MIGRATE_LIVE:
        return "libvirt moves VMs between libvirtds that trust each other; agents do not";
    case CAPABILITY_SELF_FENCE: return "a guest of libvirt outlives its agent";
    case CAPABILITY_MODEL: return "its guests are real";
    case CAPABILITY_CREATE:
    case CAPABILITY_SHUTDOWN:
    case CAPABILITY_REBOOT:
    case CAPABILITY_PAUSE:
    case CAPABILITY_SUSPEND:
    case CAPABILITY_VCPUS:
    case CAPABILITY_CAP:
    case CAPABILITY_WEIGHT:
    case CAPABILITY_MEMORY:
    case CAPABILITY_NET_RATE:
    case CAPABILITY_DISK_RATE:
    case CAPABILITY_GATEWAY: break;
    }
    return "";
}
