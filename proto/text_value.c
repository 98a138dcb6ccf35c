// SPDX-License-Identifier: Apache-2.0
/* Values of fields as text, driven by the bindings: kind, unit, limits. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/syntax.h"
#include "proto/text_parts.h"

#define SHOWN_MAX 60 /* of a wrong value, in a message */

static void list_words(const struct field_binding *field, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "one of ");
    for (uint32_t i = 0; i < field->words->values_count && used < size; i++) {
        const struct enum_value *value = &field->words->values[i];
        if (value->value != 0) {
            bool last = i + 1 == field->words->values_count;
            used += (size_t)snprintf(out + used, size - used, "%s%s", value->word,
                                     last ? "" : ", ");
        }
    }
}

void text_value_expected(const struct field_binding *field, char *out, size_t size)
{
    const char *text = "";
    switch (field->kind) {
    case FIELD_ENUM: list_words(field, out, size); return;
    case FIELD_BOOL: text = "true or false"; break;
    case FIELD_DOUBLE: text = "a number such as 0.5"; break;
    case FIELD_STRING: text = field->syntax == SYNTAX_NAME ? "a name" : "a text"; break;
    case FIELD_STRINGS: text = "a list of texts"; break;
    case FIELD_MESSAGES: text = "a list"; break;
    case FIELD_MESSAGE:
    case FIELD_OPTIONAL:
    case FIELD_MEMBER:
        text = text_is_range(field->message) ? "a value, or a range {min, max}"
                                             : "fields with values";
        break;
    case FIELD_BYTES:
    case FIELD_ITEMS: text = "bytes"; break;
    case FIELD_U32:
    case FIELD_U64:
    case FIELD_I64:
        switch (field->unit) {
        case UNIT_NONE: text = "a whole number"; break;
        case UNIT_MS: text = "a time such as 200ms, 60s, 5m or 2h"; break;
        case UNIT_WALL_MS: text = "a time with zone such as 2026-11-24T18:00:00+01:00"; break;
        case UNIT_KIB: text = "a size such as 512MiB or 1GiB"; break;
        case UNIT_KIB_S: text = "a rate such as 10MiB/s"; break;
        case UNIT_PCT: text = "CPUs such as 0.5 or 50%"; break;
        case UNIT_PERMILLE: text = "a share such as 95% or 0.95"; break;
        }
        break;
    }
    (void)snprintf(out, size, "%s", text);
}

static void format_time(int64_t ms, char *out, size_t size)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts = {0};
    (void)gmtime_r(&seconds, &parts);
    char text[32] = "";
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (ms % 1000 != 0) {
        (void)snprintf(out, size, "%s.%03dZ", text, (int)(ms % 1000));
    } else {
        (void)snprintf(out, size, "%sZ", text);
    }
}

void text_value_number(const struct field_binding *field, uint64_t value, char *out,
                       size_t size)
{
    char text[32] = "";
    switch (field->unit) {
    case UNIT_NONE:
        if (field->kind == FIELD_I64) {
            (void)snprintf(out, size, "%" PRId64, (int64_t)value);
        } else {
            (void)snprintf(out, size, "%" PRIu64, value);
        }
        return;
    case UNIT_MS: text_format_duration((int64_t)value, text); break;
    case UNIT_WALL_MS: format_time((int64_t)value, out, size); return;
    case UNIT_KIB: text_format_size(value, text); break;
    case UNIT_KIB_S:
        text_format_size(value, text);
        (void)snprintf(out, size, "%s/s", text);
        return;
    case UNIT_PCT: text_format_cpu((uint32_t)value, text); break;
    case UNIT_PERMILLE:
        (void)snprintf(out, size, value % 10 == 0 ? "%" PRIu64 "%%" : "%" PRIu64 ".%u%%",
                       value / 10, (unsigned)(value % 10));
        return;
    }
    (void)snprintf(out, size, "%s", text);
}

static int refuse(const struct field_binding *field, const char *text, struct err *err)
{
    char expected[TEXT_SIZE];
    text_value_expected(field, expected, sizeof expected);
    return err_set(err, -EINVAL, "expected %s, got \"%.*s\"", expected, SHOWN_MAX, text);
}

static bool parse_whole(const char *text, uint64_t *out)
{
    size_t length = strspn(text, "0123456789");
    if (length == 0 || length > 20 || text[length] != '\0') {
        return false;
    }
    errno = 0;
    *out = strtoull(text, NULL, 10);
    return errno == 0;
}

static bool parse_rate(const char *text, uint64_t *out)
{
    char size[32];
    size_t length = strlen(text);
    if (length < 3 || length >= sizeof size || strcmp(text + length - 2, "/s") != 0) {
        return false;
    }
    memcpy(size, text, length - 2);
    size[length - 2] = '\0';
    return text_parse_size_kib(size, out, NULL) == 0;
}

static bool parse_number(const struct field_binding *field, const char *text, uint64_t *out)
{
    uint32_t narrow = 0;
    int64_t wide = 0;
    bool ok = false;
    switch (field->unit) {
    case UNIT_NONE: return parse_whole(text, out);
    case UNIT_KIB: return text_parse_size_kib(text, out, NULL) == 0;
    case UNIT_KIB_S: return parse_rate(text, out);
    case UNIT_MS:
        ok = text_parse_duration_ms(text, &wide, NULL) == 0;
        *out = (uint64_t)wide;
        return ok;
    case UNIT_WALL_MS:
        ok = text_parse_time_ms(text, &wide, NULL) == 0;
        *out = (uint64_t)wide;
        return ok;
    case UNIT_PCT:
        ok = text_parse_cpu_pct(text, &narrow, NULL) == 0;
        *out = narrow;
        return ok;
    case UNIT_PERMILLE:
        ok = text_parse_permille(text, &narrow, NULL) == 0;
        *out = narrow;
        return ok;
    }
    return false;
}

static int set_number(const struct field_binding *field, unsigned char *at, const char *text,
                      struct err *err)
{
    uint64_t value = 0;
    if (!parse_number(field, text, &value)) {
        return refuse(field, text, err);
    }
    uint64_t top = field->kind == FIELD_U32 ? UINT32_MAX : (uint64_t)INT64_MAX;
    uint64_t max = field->max != 0 && field->max < top ? field->max : top;
    if (value < field->min || value > max) {
        char low[64];
        char high[64];
        text_value_number(field, field->min, low, sizeof low);
        text_value_number(field, max, high, sizeof high);
        return err_set(err, -EINVAL, "%.*s is not in the range %s..%s", SHOWN_MAX, text, low,
                       high);
    }
    uint32_t narrow = (uint32_t)value;
    if (field->kind == FIELD_U32) {
        memcpy(at, &narrow, sizeof narrow);
    } else {
        memcpy(at, &value, sizeof value);
    }
    return 0;
}

/* Digits, one point, and an exponent as JSON has it; no hexadecimal, no infinity. */
static int set_double(const struct field_binding *field, unsigned char *at, const char *text,
                      struct err *err)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (text[0] == '\0' || text[strspn(text, "+-.eE0123456789")] != '\0' || *end != '\0' ||
        !isfinite(value)) {
        return refuse(field, text, err);
    }
    if (field->low < field->high && (value < field->low || value > field->high)) {
        return err_set(err, -EINVAL, "%.*s is not in the range %g..%g", SHOWN_MAX, text,
                       field->low, field->high);
    }
    memcpy(at, &value, sizeof value);
    return 0;
}

static int set_enum(const struct field_binding *field, unsigned char *at, const char *text,
                    struct err *err)
{
    struct closest_word closest;
    closest_word_begin(&closest, text);
    for (uint32_t i = 0; i < field->words->values_count; i++) {
        const struct enum_value *value = &field->words->values[i];
        if (value->value != 0 && strcmp(value->word, text) == 0) {
            memcpy(at, &value->value, sizeof value->value);
            return 0;
        }
        if (value->value != 0) {
            closest_word_offer(&closest, value->word);
        }
    }
    char expected[TEXT_SIZE];
    char suggestion[TEXT_WORD_SIZE + 20];
    list_words(field, expected, sizeof expected);
    closest_word_print(&closest, suggestion, sizeof suggestion);
    return err_set(err, -EINVAL, "\"%.*s\" is not %s%s", SHOWN_MAX, text, expected, suggestion);
}

static int set_string(const struct field_binding *field, unsigned char *at, const char *text,
                      struct err *err)
{
    size_t length = strlen(text);
    if (length == 0) {
        return refuse(field, text, err);
    }
    if (length >= field->size) {
        return err_set(err, -EINVAL, "longer than %u bytes", field->size - 1);
    }
    if (!syntax_is_text(text, length, field->lines)) {
        return err_set(err, -EINVAL, "expected UTF-8 without control characters");
    }
    const char *mistake = syntax_mistake(field->syntax, text);
    if (mistake != NULL) {
        return err_set(err, -EINVAL, "%s, got \"%.*s\"", mistake, SHOWN_MAX, text);
    }
    memset(at, 0, field->size);
    memcpy(at, text, length); /* NOLINT(bugprone-not-null-terminated-result): zeroed above */
    return 0;
}

static int set_bool(const struct field_binding *field, unsigned char *at, const char *text,
                    struct err *err)
{
    bool value = strcmp(text, "true") == 0;
    if (!value && strcmp(text, "false") != 0) {
        return refuse(field, text, err);
    }
    memcpy(at, &value, sizeof value);
    return 0;
}

int text_value_set(const struct field_binding *field, unsigned char *plain, const char *text,
                   struct err *err)
{
    unsigned char *at = plain + field->offset;
    switch (field->kind) {
    case FIELD_STRING: return set_string(field, at, text, err);
    case FIELD_U32:
    case FIELD_U64:
    case FIELD_I64: return set_number(field, at, text, err);
    case FIELD_DOUBLE: return set_double(field, at, text, err);
    case FIELD_BOOL: return set_bool(field, at, text, err);
    case FIELD_ENUM: return set_enum(field, at, text, err);
    case FIELD_STRINGS:
    case FIELD_BYTES:
    case FIELD_MESSAGE:
    case FIELD_OPTIONAL:
    case FIELD_MESSAGES:
    case FIELD_MEMBER:
    case FIELD_ITEMS: break;
    }
    return refuse(field, text, err);
}
