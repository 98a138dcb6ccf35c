// SPDX-License-Identifier: Apache-2.0
/*
 * Any YAML or JSON text as a tree of jansson, for files whose form is not that of a message
 * (the problems of "arbiter optimize"). Strict: one document, no key twice, no tags; a plain
 * word of YAML is a number only when JSON would call it one.
 */
#ifndef PROTO_TEXT_PLAIN_H
#define PROTO_TEXT_PLAIN_H

#include <jansson.h>
#include <stddef.h>

#include "common/err.h"

#define TEXT_PLAIN_DEPTH_MAX 32 /* of lists and mappings in each other */

/*
 * The text ends with a NUL behind its size. *out is a new reference. 0; -EINVAL with "line 3,
 * column 7: what is wrong"; -ENOMEM. Aliases share their value, so a tree may be far larger
 * than its text: who walks it counts.
 */
int text_plain_read(const char *text, size_t size, json_t **out, struct err *err);

#endif
