// SPDX-License-Identifier: Apache-2.0
/* Inside common/io: the text form of the keyring. */
#ifndef COMMON_IO_KEYRING_FILE_H
#define COMMON_IO_KEYRING_FILE_H

#include <stddef.h>

#include "common/err.h"
#include "common/io/keys.h"

#define KEYRING_PRINCIPALS_MAX 65536
#define KEYRING_BYTES_MAX      (8u << 20)

/*
 * Reads and checks all lines; *list is owned by the caller (free). Every mistake is in the text
 * of err, one line each as FILE:LINE: what, as far as they fit. -EINVAL for any.
 */
int keyring_file_read(const char *path, struct principal **list, size_t *count,
                      struct err *err);

/* Name, role and key, each by itself. 0 or -EINVAL. */
int principal_check(const struct principal *principal, struct err *err);

#endif
