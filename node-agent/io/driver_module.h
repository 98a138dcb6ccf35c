// SPDX-License-Identifier: Apache-2.0
/* Finds and opens the module of a hypervisor driver. There is no default driver. */
#ifndef NODE_AGENT_IO_DRIVER_MODULE_H
#define NODE_AGENT_IO_DRIVER_MODULE_H

#include "node-agent/io/hypervisor.h"

#define DRIVER_FOLDER_SIZE 512u

/* Where modules are: chosen, or when that is empty lib/arbiter beside the folder of this
 * program, else /usr/lib/arbiter. */
void driver_module_folder(const char *chosen, char out[DRIVER_FOLDER_SIZE]);

struct driver_module {
    void *handle;
    const struct hypervisor_driver *driver;
    struct hypervisor *hypervisor;
};

/*
 * choice: "model:cpus=2", "libvirt:lxc:///", "none". folder: as above. settings->uri is set
 * from choice. -EINVAL, -ENOENT, -ENOEXEC or what the driver's open said.
 */
int driver_module_open(struct driver_module *out, const char *choice, const char *folder,
                       const struct hypervisor_settings *settings, struct err *err);
void driver_module_close(struct driver_module *module);

#endif
