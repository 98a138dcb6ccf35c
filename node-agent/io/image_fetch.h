// SPDX-License-Identifier: Apache-2.0
/*
 * Fetches images into a cache on this node and verifies them, on a thread of its own: file://,
 * http:// and https://. A file is in the cache under its SHA-256, complete and verified, or not
 * at all.
 */
#ifndef NODE_AGENT_IO_IMAGE_FETCH_H
#define NODE_AGENT_IO_IMAGE_FETCH_H

#include <stdint.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/model/reason.h"

struct image_fetch;

struct image_result {
    char image[NAME_SIZE];
    int code; /* 0: verified, at path */
    enum reason reason;
    char path[PATH_SIZE];
    char text[TEXT_SIZE];
};

/* folder: made when missing. module_folder: where image_transfer.so is, loaded with the first
 * request, as the thread is begun then. NULL with err. */
struct image_fetch *image_fetch_create(const char *folder, const char *module_folder,
                                       uint64_t kib_max, struct err *err);
/* Stops a transfer that is under way; the cache stays. NULL is fine. */
void image_fetch_destroy(struct image_fetch *fetch);

/* Every request gets one result. -EAGAIN: too many wait. */
int image_fetch_request(struct image_fetch *fetch, const char *image, const char *source,
                        const char *sha256, struct err *err);
/* For a request that was not taken: whoever waits for its result gets this one. */
void image_fetch_refuse(struct image_fetch *fetch, const char *image, const struct err *why);
/* Readable when there is a result. */
int image_fetch_fd(const struct image_fetch *fetch);
/* 1 and *out filled, or 0. */
int image_fetch_result(struct image_fetch *fetch, struct image_result *out);

#endif
