// SPDX-License-Identifier: Apache-2.0
/*
 * The block device by which a guest gets its disk: the disk itself when it is one (a volume),
 * else a loop device on its file. So no device model runs in dom0 for a guest of ours.
 */
#ifndef NODE_AGENT_IO_XEN_BLOCK_DEVICE_H
#define NODE_AGENT_IO_XEN_BLOCK_DEVICE_H

#include "common/err.h"

#define BLOCK_DEVICE_SIZE 512

/* Finds the device of this disk, or makes one. */
int block_device_attach(const char *disk, char out[BLOCK_DEVICE_SIZE], struct err *err);

/* Lets the loop device of this file go, if there is one, when nobody uses it any more. */
void block_device_detach(const char *disk);

#endif
