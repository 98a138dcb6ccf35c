// SPDX-License-Identifier: Apache-2.0
#include "proto/settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/closest_word.h"

#define DEPTH_MAX    4
#define SETTINGS_MAX 128

static void add_mistake(struct text_mistakes *mistakes, const yaml_mark_t *mark,
                        const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void add_mistake(struct text_mistakes *mistakes, const yaml_mark_t *mark,
                        const char *path, const char *format, ...)
{
    if (mistakes->count < TEXT_MISTAKES_MAX) {
        struct text_mistake *mistake = &mistakes->items[mistakes->count];
        mistake->line = (int)mark->line + 1;
        mistake->column = (int)mark->column + 1;
        (void)snprintf(mistake->path, sizeof mistake->path, "%s", path);
        va_list args;
        va_start(args, format);
        (void)vsnprintf(mistake->text, sizeof mistake->text, format, args);
        va_end(args);
    }
    mistakes->count++;
}

static int parse_count(const char *value, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (errno != 0 || *end != '\0' || value[0] < '0' ||
        value[0] > '9') { /* no sign, no space */
        return -EINVAL;
    }
    *out = number;
    return 0;
}

static int parse_word(const struct setting *setting, const char *value, uint64_t *out,
                      struct err *err)
{
    char list[TEXT_SIZE] = "";
    for (size_t i = 0; setting->words[i] != NULL; i++) {
        if (strcmp(setting->words[i], value) == 0) {
            *out = i;
            return 0;
        }
        size_t used = strlen(list);
        (void)snprintf(list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "",
                       setting->words[i]);
    }
    return err_set(err, -EINVAL, "\"%s\" is not one of: %s", value, list);
}

static int parse_number(const struct setting *setting, const char *value, uint64_t *out,
                        struct err *err)
{
    int64_t ms = 0;
    uint32_t pct = 0;
    int rc = 0;
    switch (setting->kind) {
    case SETTING_COUNT:
        return parse_count(value, out) == 0
                   ? 0
                   : err_set(err, -EINVAL, "expected a whole number, got \"%s\"", value);
    case SETTING_DURATION:
        rc = text_parse_duration_ms(value, &ms, err);
        *out = (uint64_t)ms;
        return rc;
    case SETTING_SIZE: return text_parse_size_kib(value, out, err);
    case SETTING_CPU:
        rc = text_parse_cpu_pct(value, &pct, err);
        *out = pct;
        return rc;
    case SETTING_SWITCH:
        *out = strcmp(value, "true") == 0;
        return *out == 1 || strcmp(value, "false") == 0
                   ? 0
                   : err_set(err, -EINVAL, "expected true or false, got \"%s\"", value);
    case SETTING_WORD: return parse_word(setting, value, out, err);
    case SETTING_TEXT: break;
    }
    return err_set(err, -EINVAL, "not a number");
}

static void store_number(const struct setting *setting, unsigned char *field, uint64_t number)
{
    uint32_t narrow = (uint32_t)number;
    bool on = number != 0;
    int word = (int)number;
    if (setting->kind == SETTING_SIZE) {
        memcpy(field, &number, sizeof number);
    } else if (setting->kind == SETTING_SWITCH) {
        memcpy(field, &on, sizeof on);
    } else if (setting->kind == SETTING_WORD) {
        memcpy(field, &word, sizeof word);
    } else {
        memcpy(field, &narrow, sizeof narrow);
    }
}

static int set_value(const struct setting *setting, void *target, const char *value,
                     struct err *err)
{
    unsigned char *field = (unsigned char *)target + setting->offset;
    if (setting->kind == SETTING_TEXT) {
        if (strlen(value) >= setting->size) {
            return err_set(err, -EINVAL, "longer than %zu characters", setting->size - 1);
        }
        (void)snprintf((char *)field, setting->size, "%s", value);
        return 0;
    }
    uint64_t number = 0;
    int rc = parse_number(setting, value, &number, err);
    if (rc != 0) {
        return rc;
    }
    uint64_t max = setting->max > 0 ? setting->max
                                    : (setting->kind == SETTING_SIZE ? UINT64_MAX : UINT32_MAX);
    if (number < setting->min || number > max) {
        return err_set(err, -ERANGE, "\"%s\" is out of range (%llu to %llu)", value,
                       (unsigned long long)setting->min, (unsigned long long)max);
    }
    store_number(setting, field, number);
    return 0;
}

static const struct setting *find(const struct setting *table, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].path, path) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

/* True when path is the beginning of a known one: "addresses" of "addresses.first". */
static bool is_group(const struct setting *table, size_t count, const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(table[i].path, path, length) == 0 && table[i].path[length] == '.') {
            return true;
        }
    }
    return false;
}

/* "" or "; did you mean ...?" */
static void suggest(const struct setting *table, size_t count, const char *path,
                    char out[TEXT_SIZE])
{
    struct closest_word closest;
    closest_word_begin(&closest, path);
    for (size_t i = 0; i < count; i++) {
        closest_word_offer(&closest, table[i].path);
    }
    closest_word_print(&closest, out, TEXT_SIZE);
}

struct reading {
    const struct setting *table;
    size_t count;
    void *target;
    struct text_mistakes *mistakes;
    char path[DEPTH_MAX][TEXT_SIZE]; /* of the mapping at each depth */
    int depth;                       /* of mappings entered */
    bool seen[SETTINGS_MAX];         /* by index in the table */
    bool have_key;
    char key[TEXT_SIZE]; /* full path of the pending key */
    yaml_mark_t key_mark;
};

static void take_key(struct reading *reading, const yaml_event_t *event)
{
    const char *outer = reading->path[reading->depth - 1];
    (void)snprintf(reading->key, sizeof reading->key, "%.120s%s%.120s", outer,
                   outer[0] != '\0' ? "." : "", (const char *)event->data.scalar.value);
    reading->key_mark = event->start_mark;
    reading->have_key = true;
}

static void unknown_key(struct reading *reading)
{
    char suggestion[TEXT_SIZE];
    suggest(reading->table, reading->count, reading->key, suggestion);
    add_mistake(reading->mistakes, &reading->key_mark, reading->key, "unknown setting%s",
                suggestion);
}

static void take_scalar(struct reading *reading, const yaml_event_t *event)
{
    if (!reading->have_key) {
        take_key(reading, event);
        return;
    }
    reading->have_key = false;
    const struct setting *setting = find(reading->table, reading->count, reading->key);
    if (setting == NULL) {
        unknown_key(reading);
        return;
    }
    size_t index = (size_t)(setting - reading->table);
    if (index < SETTINGS_MAX && reading->seen[index]) {
        add_mistake(reading->mistakes, &reading->key_mark, reading->key,
                    "is set twice in this file");
        return;
    }
    if (index < SETTINGS_MAX) {
        reading->seen[index] = true;
    }
    struct err err = {0};
    if (set_value(setting, reading->target, (const char *)event->data.scalar.value, &err) !=
        0) {
        add_mistake(reading->mistakes, &event->start_mark, reading->key, "%s", err.text);
    }
}

/* False: the rest cannot be understood. */
static bool take_event(struct reading *reading, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_MAPPING_START_EVENT:
        if (reading->depth == DEPTH_MAX) {
            add_mistake(reading->mistakes, &event->start_mark, reading->key, "nested too deep");
            return false;
        }
        if (reading->depth > 0 && !is_group(reading->table, reading->count, reading->key)) {
            unknown_key(reading);
            return false;
        }
        (void)snprintf(reading->path[reading->depth], TEXT_SIZE, "%s",
                       reading->depth > 0 ? reading->key : "");
        reading->depth++;
        reading->have_key = false;
        return true;
    case YAML_MAPPING_END_EVENT: reading->depth--; return true;
    case YAML_SCALAR_EVENT:
        if (reading->depth == 0) {
            if (event->data.scalar.length == 0) {
                return true; /* an empty file */
            }
            add_mistake(reading->mistakes, &event->start_mark, "", "expected a mapping");
            return false;
        }
        take_scalar(reading, event);
        return true;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_ALIAS_EVENT:
        add_mistake(reading->mistakes, &event->start_mark, reading->key,
                    "expected one value, not a list or an alias");
        return false;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_SEQUENCE_END_EVENT: return true;
    }
    return true;
}

int settings_read(const char *text, size_t size, const struct setting *table, size_t count,
                  void *target, struct text_mistakes *mistakes)
{
    struct reading reading = {
        .table = table, .count = count, .target = target, .mistakes = mistakes};
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) {
        return -ENOMEM;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    bool more = true;
    while (more) {
        yaml_event_t event;
        if (yaml_parser_parse(&parser, &event) == 0) {
            add_mistake(mistakes, &parser.problem_mark, "", "%s",
                        parser.problem != NULL ? parser.problem : "not YAML");
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT && take_event(&reading, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return mistakes->count > 0 ? -EINVAL : 0;
}

int settings_set(const struct setting *table, size_t count, void *target, const char *path,
                 const char *value, struct err *err)
{
    const struct setting *setting = find(table, count, path);
    if (setting == NULL) {
        char suggestion[TEXT_SIZE];
        suggest(table, count, path, suggestion);
        return err_set(err, -ENOENT, "unknown setting \"%s\"%s", path, suggestion);
    }
    int rc = set_value(setting, target, value, err);
    return rc == 0 ? 0 : err_wrap(err, "%s", path);
}

/* A double-quoted scalar of YAML. */
static void quote(const char *text, char out[TEXT_SIZE])
{
    size_t used = 0;
    out[used++] = '"';
    for (; *text != '\0' && used + 6 < TEXT_SIZE; text++) { /* the longest escape and the end */
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f) {
            used += (size_t)snprintf(out + used, TEXT_SIZE - used, "\\x%02x", c);
            continue;
        }
        if (c == '"' || c == '\\') {
            out[used++] = '\\';
        }
        out[used++] = *text;
    }
    out[used++] = '"';
    out[used] = '\0';
}

static void format_value(const struct setting *setting, const unsigned char *field,
                         char out[TEXT_SIZE])
{
    char text[32];
    uint32_t narrow = 0;
    uint64_t wide = 0;
    bool on = false;
    int word = 0;
    switch (setting->kind) {
    case SETTING_TEXT: quote((const char *)field, out); return;
    case SETTING_COUNT:
        memcpy(&narrow, field, sizeof narrow);
        (void)snprintf(out, TEXT_SIZE, "%u", narrow);
        return;
    case SETTING_DURATION:
        memcpy(&narrow, field, sizeof narrow);
        text_format_duration(narrow, text);
        break;
    case SETTING_CPU:
        memcpy(&narrow, field, sizeof narrow);
        text_format_cpu(narrow, text);
        break;
    case SETTING_SIZE:
        memcpy(&wide, field, sizeof wide);
        text_format_size(wide, text);
        break;
    case SETTING_SWITCH:
        memcpy(&on, field, sizeof on);
        (void)snprintf(text, sizeof text, "%s", on ? "true" : "false");
        break;
    case SETTING_WORD:
        memcpy(&word, field, sizeof word);
        (void)snprintf(text, sizeof text, "%s", setting->words[word]);
        break;
    }
    (void)snprintf(out, TEXT_SIZE, "%s", text);
}

void settings_print(FILE *out, const struct setting *table, size_t count, const void *target)
{
    char group[TEXT_SIZE] = "";
    for (size_t i = 0; i < count; i++) {
        const char *dot = strchr(table[i].path, '.');
        size_t length = dot != NULL ? (size_t)(dot - table[i].path) : 0;
        if (dot != NULL &&
            (strlen(group) != length || strncmp(group, table[i].path, length) != 0)) {
            (void)snprintf(group, sizeof group, "%.*s", (int)length, table[i].path);
            (void)fprintf(out, "%s:\n", group);
        }
        char value[TEXT_SIZE];
        format_value(&table[i], (const unsigned char *)target + table[i].offset, value);
        (void)fprintf(out, "%s%s: %s  # %s\n", dot != NULL ? "  " : "",
                      dot != NULL ? dot + 1 : table[i].path, value, table[i].meaning);
    }
}
