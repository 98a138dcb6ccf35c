// SPDX-License-Identifier: Apache-2.0
/*
 * The language of xl.cfg files, as "arbiter import-xl" reads it: KEY = VALUE or KEY += VALUE,
 * one a line or separated by ";", values being strings, numbers and lists of values, comments
 * from "#" on. Pure: bytes in, a tree in memory of the caller out. Every mistake is reported,
 * with its line.
 *
 * The grammar is that of libxlutil, which is not linked: it would bring all of libxl into the
 * client.
 */
#ifndef ORCHESTRATOR_CLIENT_XL_CONFIG_H
#define ORCHESTRATOR_CLIENT_XL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"

#define XL_BYTES_MAX    (256u << 10) /* of a file */
#define XL_SETTINGS_MAX 256
#define XL_VALUES_MAX   2048
#define XL_TEXT_MAX     (64u << 10) /* of all strings together */
#define XL_DEPTH_MAX    8           /* of lists in lists */
#define XL_MESSAGES_MAX 128

/* ---- what is told about a file ---- */

enum xl_severity {
    XL_MISTAKE = 1, /* nothing is made of this file */
    XL_WARNING = 2, /* is not carried over, and what that means */
};

struct xl_message {
    enum xl_severity severity;
    int line; /* from 1; 0: of the whole file */
    char text[TEXT_SIZE * 2];
};

struct xl_messages {
    uint32_t count; /* of all; the first XL_MESSAGES_MAX are kept */
    uint32_t mistakes;
    struct xl_message items[XL_MESSAGES_MAX];
};

void xl_tell(struct xl_messages *messages, enum xl_severity severity, int line,
             const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- the tree ---- */

enum xl_value_kind { XL_STRING = 1, XL_LIST = 2 }; /* a number is the string of its digits */

#define XL_NONE UINT16_MAX

struct xl_value {
    enum xl_value_kind kind;
    int line;
    uint32_t text;  /* STRING: offset in xl_config.text, NUL-terminated */
    uint16_t first; /* LIST: index in values, XL_NONE: empty */
    uint16_t next;  /* of the list that it stands in */
};

struct xl_setting {
    uint32_t name; /* offset in text */
    int line;
    uint16_t value;
    bool used; /* somebody asked for it */
};

/* Large: on the heap. */
struct xl_config {
    uint32_t settings_count;
    uint32_t values_count;
    uint32_t text_size;
    struct xl_setting settings[XL_SETTINGS_MAX];
    struct xl_value values[XL_VALUES_MAX];
    char text[XL_TEXT_MAX];
};

/* 0, or -EINVAL with mistakes. */
int xl_config_parse(const char *text, size_t size, struct xl_config *out,
                    struct xl_messages *messages);

/* The setting of a name and marks it as used; NULL: not given. Names are unique: "+=" was
 * carried out and of two "=" the later counts, with a warning. */
struct xl_setting *xl_config_find(struct xl_config *config, const char *name);

const struct xl_value *xl_config_value(const struct xl_config *config,
                                       const struct xl_setting *setting);
/* Of a STRING. */
const char *xl_config_text(const struct xl_config *config, const struct xl_value *value);
/* The first member of a list and the one after a member; NULL at the end. */
const struct xl_value *xl_config_first(const struct xl_config *config,
                                       const struct xl_value *list);
const struct xl_value *xl_config_next(const struct xl_config *config,
                                      const struct xl_value *value);

#endif
