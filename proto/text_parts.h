// SPDX-License-Identifier: Apache-2.0
/*
 * What the text_*.c files share: the words of fields, values as text, mistakes. Only for proto/
 * and its tests.
 */
#ifndef PROTO_TEXT_PARTS_H
#define PROTO_TEXT_PARTS_H

#include <stdbool.h>

#include "common/closest_word.h"
#include "proto/bindings.h"
#include "proto/text.h"

#define TEXT_WORD_SIZE 64

/* ---- words (text_word.c) ---- */

/* The name of a field without its unit: memory_kib is "memory", cap_pct_max is "cap_max". */
void text_word(const struct field_binding *field, char out[TEXT_WORD_SIZE]);

/* The row that a word names; NULL when there is none. */
const struct field_binding *text_find_field(const struct message_binding *binding,
                                            const char *word, size_t length);

/* Kinds of objects that have a table: kind_binding(SERVICE) is service_binding; NULL out of
 * range. */
const struct message_binding *text_kind_binding(enum object_kind kind);
enum object_kind text_find_kind(const char *word, size_t length);

/* A message of just min and max, for which one value may stand. */
bool text_is_range(const struct message_binding *binding);

/* ---- values (text_value.c) ---- */

/* Stores text in a field of the plain struct. -EINVAL with what was expected. Not for messages.
 */
int text_value_set(const struct field_binding *field, unsigned char *plain, const char *text,
                   struct err *err);

/* A whole number as files write it: "1GiB", "0.5", "60s", "7". */
void text_value_number(const struct field_binding *field, uint64_t value, char *out,
                       size_t size);

/* "a size such as 512MiB", "true or false", "one of web, queue, cluster". */
void text_value_expected(const struct field_binding *field, char *out, size_t size);

/* ---- mistakes (text_mistake.c) ---- */

void text_mistake_add(struct text_mistakes *mistakes, int line, int column, const char *path,
                      const char *format, ...) __attribute__((format(printf, 5, 6)));
/* By line and column; equal ones stay in their order. */
void text_mistakes_sort(struct text_mistakes *mistakes);

/* ---- checks of what several fields say together (check_service.c, check_object.c) ---- */

void service_check(const struct service *service, struct text_mistakes *mistakes);
/* path: of the target in its object. */
void response_time_check(const struct response_time *target, const char *path,
                         struct text_mistakes *mistakes);

#endif
