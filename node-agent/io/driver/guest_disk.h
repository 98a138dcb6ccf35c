// SPDX-License-Identifier: Apache-2.0
/*
 * The disks of guests: for lxc a folder unpacked from a tar image, else a raw file copied from
 * one. A disk is made beside its final name and renamed when it is whole and on the medium, so
 * that a name that exists is a disk that can be used. Runs tar, cp and rm; each run ends by the
 * deadline.
 */
#ifndef NODE_AGENT_IO_DRIVER_GUEST_DISK_H
#define NODE_AGENT_IO_DRIVER_GUEST_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "node-agent/core/hypervisor_call.h"

#define DISK_PATH_SIZE 512

/* Where the disk of this VM is or will be: state_folder/disks/UUID, or on its storage. */
int guest_disk_path(const char *state_folder, const struct vm_order *order,
                    char out[DISK_PATH_SIZE], struct err *err);

/* Makes the disk from call->image_path unless it is there. *made: by this call. */
int guest_disk_prepare(const struct hypervisor_call *call, const char *path, bool *made,
                       struct err *err);

/* Removes it, whatever of it is there; under its old name at most a whole disk is ever seen. */
int guest_disk_discard(const char *path, int64_t deadline_ms, struct err *err);

#endif
