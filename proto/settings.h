// SPDX-License-Identifier: Apache-2.0
/*
 * The configuration files of the daemons: a YAML mapping whose nested keys are written with
 * dots in a table here ("addresses.first"). Same strictness as the files of services: unknown
 * keys, wrong units and values out of range are all reported at once, with line and column.
 */
#ifndef PROTO_SETTINGS_H
#define PROTO_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/text.h"

enum setting_kind {
    SETTING_TEXT = 1,     /* char[size] */
    SETTING_COUNT = 2,    /* uint32_t */
    SETTING_DURATION = 3, /* uint32_t, ms */
    SETTING_SIZE = 4,     /* uint64_t, KiB */
    SETTING_CPU = 5,      /* uint32_t, percent of one CPU */
    SETTING_SWITCH = 6,   /* bool */
    SETTING_WORD = 7,     /* int, index into words */
};

struct setting {
    const char *path;
    enum setting_kind kind;
    size_t offset;
    size_t size;  /* TEXT: of the buffer */
    uint64_t min; /* of numbers; max 0: no limit */
    uint64_t max;
    const char *const *words; /* WORD: ended by NULL; index 0 is written for the first */
    const char *meaning;
};

/* Fills the fields of target that the text names; the others stay. 0 or -EINVAL with mistakes.
 */
int settings_read(const char *text, size_t size, const struct setting *table, size_t count,
                  void *target, struct text_mistakes *mistakes);

/* One field by its path, e.g. from a command line. */
int settings_set(const struct setting *table, size_t count, void *target, const char *path,
                 const char *value, struct err *err);

/* Every effective value, as a file that settings_read() reads. */
void settings_print(FILE *out, const struct setting *table, size_t count, const void *target);

#endif
