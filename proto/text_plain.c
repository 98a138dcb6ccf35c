// SPDX-License-Identifier: Apache-2.0
#include "proto/text_plain.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define ANCHORS_MAX 256

struct level {
    json_t *value; /* list or mapping; owned by the level above, the first by the reader */
    json_t *key;   /* of a mapping, when its value comes next; owned */
    int anchor;    /* index of its own anchor, open until it ends; -1: none */
};

struct anchor {
    char *name;
    json_t *value; /* NULL while it is open: it cannot stand inside itself */
};

struct reader {
    yaml_parser_t parser;
    json_t *root;
    int depth;
    int anchors_count;
    struct level levels[TEXT_PLAIN_DEPTH_MAX];
    struct anchor anchors[ANCHORS_MAX];
};

static int mistake(const yaml_event_t *event, struct err *err, const char *text)
{
    return err_set(err, -EINVAL, "line %zu, column %zu: %s", event->start_mark.line + 1,
                   event->start_mark.column + 1, text);
}

/* ---- scalars ---- */

/* As JSON writes numbers: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)? */
static bool is_number(const char *text, bool *whole)
{
    const char *at = text + (*text == '-' ? 1 : 0);
    size_t digits = strspn(at, "0123456789");
    bool ok = digits > 0 && (digits == 1 || *at != '0');
    at += digits;
    *whole = *at == '\0';
    if (*at == '.') {
        digits = strspn(at + 1, "0123456789");
        ok = ok && digits > 0;
        at += 1 + digits;
    }
    if (*at == 'e' || *at == 'E') {
        at += at[1] == '-' || at[1] == '+' ? 2 : 1;
        digits = strspn(at, "0123456789");
        ok = ok && digits > 0;
        at += digits;
    }
    return ok && *at == '\0';
}

static json_t *number(const char *text, bool whole)
{
    errno = 0;
    const long long integer = whole ? strtoll(text, NULL, 10) : 0;
    if (whole && errno == 0) {
        return json_integer(integer);
    }
    return json_real(strtod(text, NULL)); /* NULL when it is out of range */
}

static int read_scalar(const yaml_event_t *event, json_t **out, struct err *err)
{
    const char *text = (const char *)event->data.scalar.value;
    const size_t length = event->data.scalar.length;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool whole = false;
    if (event->data.scalar.tag != NULL) {
        return mistake(event, err, "tags are not read");
    }
    if (plain && (length == 0 || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)) {
        *out = json_null();
    } else if (plain && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)) {
        *out = json_boolean(text[0] == 't');
    } else if (plain && strlen(text) == length && is_number(text, &whole)) {
        *out = number(text, whole);
        return *out == NULL ? mistake(event, err, "the number is out of range") : 0;
    } else {
        *out = json_stringn(text, length);
    }
    return *out == NULL ? -ENOMEM : 0;
}

/* ---- anchors ---- */

static int add_anchor(struct reader *reader, const yaml_event_t *event, const yaml_char_t *name,
                      int *index, struct err *err)
{
    *index = -1;
    if (name == NULL) {
        return 0;
    }
    if (reader->anchors_count == ANCHORS_MAX) {
        return mistake(event, err, "more than 256 anchors");
    }
    struct anchor *anchor = &reader->anchors[reader->anchors_count];
    anchor->name = strdup((const char *)name);
    if (anchor->name == NULL) {
        return -ENOMEM;
    }
    *index = reader->anchors_count++;
    return 0;
}

/* The newest of that name. */
static int find_alias(struct reader *reader, const yaml_event_t *event, json_t **out,
                      struct err *err)
{
    for (int i = reader->anchors_count - 1; i >= 0; i--) {
        if (strcmp(reader->anchors[i].name, (const char *)event->data.alias.anchor) == 0) {
            *out = json_incref(reader->anchors[i].value);
            return *out == NULL ? mistake(event, err, "the alias stands inside its anchor") : 0;
        }
    }
    return mistake(event, err, "the alias has no anchor before it");
}

/* ---- the tree ---- */

/* Puts a value where it belongs; takes it. */
static int put(struct reader *reader, const yaml_event_t *event, json_t *value, struct err *err)
{
    if (reader->depth == 0) {
        reader->root = value;
        return 0;
    }
    struct level *level = &reader->levels[reader->depth - 1];
    if (json_is_array(level->value)) {
        return json_array_append_new(level->value, value) == 0 ? 0 : -ENOMEM;
    }
    if (level->key != NULL) {
        const int rc = json_object_set_new(level->value, json_string_value(level->key), value);
        json_decref(level->key);
        level->key = NULL;
        return rc == 0 ? 0 : -ENOMEM;
    }
    const bool scalar = event->type == YAML_SCALAR_EVENT;
    json_t *key = scalar ? json_string((const char *)event->data.scalar.value) : NULL;
    json_decref(value);
    if (!scalar || key == NULL) {
        json_decref(key);
        return scalar ? mistake(event, err, "the key is not UTF-8 text")
                      : mistake(event, err, "expected a key");
    }
    if (json_object_get(level->value, json_string_value(key)) != NULL) {
        json_decref(key);
        return mistake(event, err, "the key is there twice");
    }
    level->key = key;
    return 0;
}

static int open_level(struct reader *reader, const yaml_event_t *event, struct err *err)
{
    const bool list = event->type == YAML_SEQUENCE_START_EVENT;
    const yaml_char_t *tag =
        list ? event->data.sequence_start.tag : event->data.mapping_start.tag;
    const yaml_char_t *name =
        list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;
    int anchor = -1;
    if (tag != NULL || reader->depth == TEXT_PLAIN_DEPTH_MAX) {
        return mistake(event, err, tag != NULL ? "tags are not read" : "nested too deep");
    }
    int rc = add_anchor(reader, event, name, &anchor, err);
    json_t *value = rc != 0 ? NULL : list ? json_array() : json_object();
    if (value == NULL) {
        return rc != 0 ? rc : -ENOMEM;
    }
    rc = put(reader, event, value, err);
    if (rc == 0) {
        reader->levels[reader->depth++] = (struct level){.value = value, .anchor = anchor};
    }
    return rc;
}

static void close_level(struct reader *reader)
{
    const struct level *level = &reader->levels[--reader->depth];
    if (level->anchor >= 0) {
        reader->anchors[level->anchor].value = json_incref(level->value);
    }
}

static int take_scalar(struct reader *reader, const yaml_event_t *event, struct err *err)
{
    json_t *value = NULL;
    int anchor = -1;
    int rc = read_scalar(event, &value, err);
    rc = rc != 0 ? rc : add_anchor(reader, event, event->data.scalar.anchor, &anchor, err);
    if (rc != 0) {
        json_decref(value);
        return rc;
    }
    if (anchor >= 0) {
        reader->anchors[anchor].value = json_incref(value);
    }
    return put(reader, event, value, err);
}

static int take_event(struct reader *reader, const yaml_event_t *event, struct err *err)
{
    json_t *shared = NULL;
    int rc = 0;
    // NOLINTNEXTLINE(clang-diagnostic-switch-enum): the others say nothing about values
    switch ((int)event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return reader->root == NULL ? 0 : mistake(event, err, "a second document");
    case YAML_ALIAS_EVENT:
        rc = find_alias(reader, event, &shared, err);
        return rc != 0 ? rc : put(reader, event, shared, err);
    case YAML_SCALAR_EVENT: return take_scalar(reader, event, err);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT: return open_level(reader, event, err);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: close_level(reader); return 0;
    default: return 0;
    }
}

static int syntax_mistake(const yaml_parser_t *parser, struct err *err)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return err_set(err, -ENOMEM, "no memory");
    }
    if (parser->error == YAML_READER_ERROR) {
        return err_set(err, -EINVAL, "byte %zu: %s", parser->problem_offset, parser->problem);
    }
    return err_set(err, -EINVAL, "line %zu, column %zu: %s%s%s", parser->problem_mark.line + 1,
                   parser->problem_mark.column + 1,
                   parser->context == NULL ? "" : parser->context,
                   parser->context == NULL ? "" : ": ", parser->problem);
}

static int read_events(struct reader *reader, struct err *err)
{
    for (bool more = true; more;) {
        yaml_event_t event;
        if (yaml_parser_parse(&reader->parser, &event) == 0) {
            return syntax_mistake(&reader->parser, err);
        }
        const int rc = take_event(reader, &event, err);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (rc != 0) {
            return rc == -ENOMEM ? err_set(err, rc, "no memory") : rc;
        }
    }
    return reader->root != NULL ? 0 : err_set(err, -EINVAL, "there is nothing in it");
}

static int read_yaml(const char *text, size_t size, json_t **out, struct err *err)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL || yaml_parser_initialize(&reader->parser) == 0) {
        free(reader);
        return err_set(err, -ENOMEM, "no memory");
    }
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text, size);
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    const int rc = read_events(reader, err);
    for (int i = 0; i < reader->depth; i++) {
        json_decref(reader->levels[i].key);
    }
    for (int i = 0; i < reader->anchors_count; i++) {
        free(reader->anchors[i].name);
        json_decref(reader->anchors[i].value);
    }
    if (rc == 0) {
        *out = reader->root;
    } else {
        json_decref(reader->root);
    }
    yaml_parser_delete(&reader->parser);
    free(reader);
    return rc;
}

/* Brackets in quotes count too: no file has so many open. Both parsers slow down with depth. */
static bool is_nested_too_deep(const char *text, size_t size)
{
    int depth = 0;
    for (size_t i = 0; i < size && depth <= TEXT_PLAIN_DEPTH_MAX; i++) {
        if (text[i] == '[' || text[i] == '{') {
            depth++;
        } else if ((text[i] == ']' || text[i] == '}') && depth > 0) {
            depth--;
        }
    }
    return depth > TEXT_PLAIN_DEPTH_MAX;
}

int text_plain_read(const char *text, size_t size, json_t **out, struct err *err)
{
    const size_t blank = strspn(text, " \t\r\n");
    if (is_nested_too_deep(text, size)) {
        return err_set(err, -EINVAL, "brackets are nested more than %d deep",
                       TEXT_PLAIN_DEPTH_MAX);
    }
    /* JSON is YAML too, but jansson reads it ten times as fast. */
    json_error_t at = {0};
    const bool is_json = blank < size && text[blank] == '{';
    if (is_json) {
        *out = json_loadb(text, size, JSON_REJECT_DUPLICATES, &at);
        if (*out != NULL) {
            return 0;
        }
    }
    const int rc = read_yaml(text, size, out, err);
    if (rc == -EINVAL && is_json) {
        return err_set(err, rc, "line %d, column %d: %s", at.line, at.column, at.text);
    }
    return rc;
}
