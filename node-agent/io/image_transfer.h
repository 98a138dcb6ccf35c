// SPDX-License-Identifier: Apache-2.0
/*
 * Getting a file and its checksum, as a module of its own (image_transfer.so beside the
 * drivers): it brings in libcurl and libcrypto, 5 MiB that an agent without images to fetch
 * does not spend.
 */
#ifndef NODE_AGENT_IO_IMAGE_TRANSFER_H
#define NODE_AGENT_IO_IMAGE_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/limits.h"

#define IMAGE_TRANSFER_ABI   1
#define IMAGE_TRANSFER_ENTRY "image_transfer_entry"
#define IMAGE_TRANSFER_FILE  "image_transfer.so"

struct image_transfer {
    uint32_t abi;  /* IMAGE_TRANSFER_ABI */
    uint32_t size; /* sizeof(struct image_transfer) */

    /* From file://, http:// or https:// into a file at path, synced. stop() is asked about once
     * a second. 0 or negative errno; an incomplete file may be left. */
    int (*get)(const char *source, const char *path, uint64_t kib_max,
               bool (*stop)(void *context), void *context, struct err *err);
    /* SHA-256 of a whole file. */
    int (*sum)(const char *path, char out[SHA256_SIZE], struct err *err);
};

#endif
