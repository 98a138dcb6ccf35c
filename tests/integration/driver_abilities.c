// SPDX-License-Identifier: Apache-2.0
/*
 * Prints what drivers declare, for the table in deploy/drivers.md: lines of "driver operation
 * yes" or "driver operation no REASON". libvirt's kinds from their table, the model from the
 * module itself; the driver xen needs a Xen host to be asked.
 */
#include <stdio.h>
#include <stdlib.h>

#include "node-agent/io/driver_module.h"
#include "node-agent/io/libvirt/abilities.c"

static const struct {
    const char *operation;
    enum capability capability;
} operations[] = {
    {"create", CAPABILITY_CREATE},
    {"shutdown", CAPABILITY_SHUTDOWN},
    {"reboot", CAPABILITY_REBOOT},
    {"pause", CAPABILITY_PAUSE},
    {"suspend", CAPABILITY_SUSPEND},
    {"vcpus", CAPABILITY_VCPUS},
    {"cap", CAPABILITY_CAP},
    {"weight", CAPABILITY_WEIGHT},
    {"memory", CAPABILITY_MEMORY},
    {"net_rate", CAPABILITY_NET_RATE},
    {"disk_rate", CAPABILITY_DISK_RATE},
    {"migrate", CAPABILITY_MIGRATE},
    {"migrate_live", CAPABILITY_MIGRATE_LIVE},
    {"self_fence", CAPABILITY_SELF_FENCE},
};

static void print(const char *driver, uint32_t able, enum libvirt_kind kind)
{
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        enum capability wanted = operations[i].capability;
        const char *why = kind == LIBVIRT_UNKNOWN ? "the model keeps its guests"
                                                  : abilities_refusal(kind, wanted);
        (void)printf("%s %s %s %s\n", driver, operations[i].operation,
                     (able & wanted) != 0 ? "yes" : "no", (able & wanted) != 0 ? "" : why);
    }
}

int main(int argc, char **argv)
{
    struct driver_module module;
    struct err err = {0};
    struct node_status status = {0};
    const struct hypervisor_settings settings = {
        .uri = "", .state_folder = "/tmp", .node = "n1", .seed = 1};
    if (argc != 2) {
        (void)fprintf(stderr, "usage: driver_abilities MODULES\n");
        return 2;
    }
    if (driver_module_open(&module, "model:cpus=2", argv[1], &settings, &err) != 0 ||
        module.driver->status(module.hypervisor, &status, &err) != 0) {
        (void)fprintf(stderr, "driver_abilities: %s\n", err.text);
        return EXIT_FAILURE;
    }
    print("model", status.capabilities, LIBVIRT_UNKNOWN);
    driver_module_close(&module);
    print("libvirt-xen", abilities_of(LIBVIRT_XEN, true), LIBVIRT_XEN);
    print("libvirt-lxc", abilities_of(LIBVIRT_LXC, true), LIBVIRT_LXC);
    print("libvirt-qemu", abilities_of(LIBVIRT_QEMU, true), LIBVIRT_QEMU);
    return EXIT_SUCCESS;
}
