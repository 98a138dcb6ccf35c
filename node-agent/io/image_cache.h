// SPDX-License-Identifier: Apache-2.0
/* The folder of verified images: names are SHA-256 sums; the least recently used go when it is
 * full. */
#ifndef NODE_AGENT_IO_IMAGE_CACHE_H
#define NODE_AGENT_IO_IMAGE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/limits.h"

#define IMAGE_CACHE_FILES_MAX 512

/* 64 lower-case hexadecimal digits: what may become a name here. */
bool image_cache_is_name(const char *sha256);
/* Removes what is unfinished, and the least recently used until the rest is below kib_max; keep
 * stays. Files that guests hold open live on until these end. */
void image_cache_trim(const char *folder, uint64_t kib_max, const char *keep);

#endif
