// SPDX-License-Identifier: Apache-2.0
/* What strings may look like: UTF-8, names, UUIDs, checksums, paths. */
#ifndef PROTO_SYNTAX_H
#define PROTO_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/bindings.h"

/* Length of the valid UTF-8 sequence at text (1..4), 0 when there is none within size bytes. */
size_t syntax_utf8_length(const char *text, size_t size);

/* Valid UTF-8 without control characters; lines: line feed and tab are allowed. */
bool syntax_is_text(const char *text, size_t size, bool lines);

/* NULL when text has the syntax, otherwise what was expected. */
const char *syntax_mistake(enum field_syntax syntax, const char *text);

/* Replaces each byte that text must not hold by '?', after cutting it to fit size with its NUL.
 */
void syntax_repair(char *out, size_t size, const char *text, bool lines);

#endif
