// SPDX-License-Identifier: Apache-2.0
/*
 * The settings file of a daemon and its drop-ins, with what people are told about them: each
 * mistake as FILE:LINE:COLUMN: NAME: TEXT, everything else as PROGRAM: error: TEXT.
 */
#ifndef PROTO_SETTINGS_FILE_H
#define PROTO_SETTINGS_FILE_H

#include <stdbool.h>

#include "proto/settings.h"

struct settings_file {
    const char *program;
    const struct setting *table;
    size_t table_count;
    void *target; /* the struct that the table is about */
    size_t bytes_max;
    /* file_read() of common/io, which stands above this folder. */
    int (*read)(const char *path, size_t bytes_max, char **text, size_t *size, struct err *err);
};

/*
 * Fills the fields that the file names. A file that is not required may be missing. 0, or
 * -EINVAL when all mistakes were told on stderr; fields before the mistakes may be filled then.
 */
int settings_file_read(const struct settings_file *file, const char *path, bool required);

/*
 * The same for PATH.d/NAME.yaml, in the order of their names: the last one that names a field
 * counts. Every file is read, also behind one with mistakes. No folder: no drop-ins.
 */
int settings_file_read_drop_ins(const struct settings_file *file, const char *path);

#endif
