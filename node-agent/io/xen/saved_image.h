// SPDX-License-Identifier: Apache-2.0
/*
 * Whether a file is a whole image of a guest: libxl's stream (version 2) and libxc's within it,
 * record by record to both ends. Formats: Xen's docs/specs/libxl-migration-stream and
 * libxc-migration-stream. Only the headers of records are read.
 */
#ifndef NODE_AGENT_IO_XEN_SAVED_IMAGE_H
#define NODE_AGENT_IO_XEN_SAVED_IMAGE_H

#include <stdint.h>

#include "common/err.h"

/*
 * 0 with the memory whose pages are in it, and fd at its start; -EBADMSG with what is wrong and
 * where; -EIO and others of reading.
 */
int saved_image_check(int fd, uint64_t *pages_kib, struct err *err);

#endif
