// SPDX-License-Identifier: Apache-2.0
/*
 * Objects as people write and read them: YAML and JSON in (one strict parser for both), YAML
 * and JSON out, explanations of fields and words for completion, all from the descriptors of
 * proto/ and the bindings. Unknown key, wrong unit, out of range, missing field: every mistake
 * of a file is reported at once, as FILE:LINE:COLUMN with a suggestion where a word is close.
 */
#ifndef PROTO_TEXT_H
#define PROTO_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include "common/err.h"
#include "common/message/client_message.h"

struct text_mistake {
    int line; /* from 1 */
    int column;
    char path[TEXT_SIZE]; /* service.vms[0].memory */
    char text[TEXT_SIZE]; /* "expected a size such as 512MiB, got \"lots\"" */
};

#define TEXT_MISTAKES_MAX 64
struct text_mistakes {
    size_t count; /* of all; only the first TEXT_MISTAKES_MAX are kept */
    struct text_mistake items[TEXT_MISTAKES_MAX];
};

/*
 * Calls take() for each object of the text (documents separated by "---"); nothing is taken
 * when any document has a mistake. 0, -EINVAL with mistakes, -ENOMEM.
 */
int text_read_objects(const char *text, size_t size,
                      void (*take)(void *context, const struct object *object), void *context,
                      struct text_mistakes *mistakes);

/*
 * Checks what the fields of an object say together (cpu.min above cpu.max, a queue without a
 * deadline), for files and for what arrived over a socket. Adds a mistake for each, without
 * line and column. 0 or -EINVAL.
 */
int object_check(const struct object *object, struct text_mistakes *mistakes);

/* Sets one field by the path that files use, e.g. "objective.response_time.p95" to "150ms". */
int text_set_field(struct object *object, const char *path, const char *value, struct err *err);

enum text_format { TEXT_YAML = 1, TEXT_JSON = 2, TEXT_JSON_LINE = 3 };

/* Only what was given or differs from zero; the form that text_read_objects() reads. */
int text_write_object(FILE *out, enum text_format format, const struct object *object);
/* Any item as data, with the field names of the files. YAML: one document; JSON: one value. */
int text_write_item(FILE *out, enum text_format format, const struct item *item);

/* Type, unit, default, range, example and meaning of a field ("service.objective"), its fields
 * below.
 * "" lists the kinds. -ENOENT with a suggestion. */
int text_explain(FILE *out, const char *path, struct err *err);

/* Completion: calls take() for every child of a path, as explain would list them. */
void text_children(const char *path, void (*take)(void *context, const char *word),
                   void *context);

/* Strict parsers, also for command lines. 0 or -EINVAL with what was expected. */
int text_parse_duration_ms(const char *text, int64_t *out,
                           struct err *err); /* 200ms 60s 5m 2h 1d */
int text_parse_size_kib(const char *text, uint64_t *out,
                        struct err *err); /* 512MiB 1GiB 4KiB */
int text_parse_cpu_pct(const char *text, uint32_t *out,
                       struct err *err); /* 0.5 (cores) or 50% */
int text_parse_permille(const char *text, uint32_t *out, struct err *err); /* 95% or 0.95 */
int text_parse_time_ms(const char *text, int64_t *out,
                       struct err *err); /* RFC 3339 with zone */

/* The inverse, short: "1GiB", "1.5", "60s". */
void text_format_duration(int64_t ms, char out[32]);
void text_format_size(uint64_t kib, char out[32]);
void text_format_cpu(uint32_t pct, char out[32]);

#endif
