// SPDX-License-Identifier: Apache-2.0
/* Small files: read whole, written so that a crash leaves the old or the new content, never
 * half. */
#ifndef COMMON_IO_FILE_H
#define COMMON_IO_FILE_H

#include <stddef.h>

#include "common/err.h"

/*
 * Reads a regular file of at most bytes_max bytes. *text is NUL-terminated and owned by the
 * caller (free). -ENOENT, -EACCES, -EFBIG, ...
 */
int file_read(const char *path, size_t bytes_max, char **text, size_t *size, struct err *err);

/* Writes beside the file, syncs, renames over it, syncs the folder. mode: of the new file. */
int file_replace(const char *path, const void *data, size_t size, unsigned mode,
                 struct err *err);

/* The same, but -EEXIST when there is a file of that name already. */
int file_create(const char *path, const void *data, size_t size, unsigned mode,
                struct err *err);

/*
 * Locks the folder of a file against others that do the same, for reading, changing and
 * replacing the file. Returns a descriptor to close, or a negative errno.
 */
int file_lock_folder(const char *path, struct err *err);

#endif
