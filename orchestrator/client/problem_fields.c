// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/client/problem_fields.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/closest_word.h"
#include "common/limits.h"
#include "proto/syntax.h"

#define PLACES_MAX 8 /* deeper than any path of the form */

static void print_path(const struct problem_place *place, char out[PROBLEM_PATH_SIZE])
{
    const struct problem_place *chain[PLACES_MAX];
    int count = 0;
    for (; place != NULL && count < PLACES_MAX; place = place->above) {
        chain[count++] = place;
    }
    size_t used = 0;
    out[0] = '\0';
    while (count > 0 && used < PROBLEM_PATH_SIZE) {
        const struct problem_place *at = chain[--count];
        const int length =
            at->key == NULL ? snprintf(out + used, PROBLEM_PATH_SIZE - used, "[%zu]", at->index)
                            : snprintf(out + used, PROBLEM_PATH_SIZE - used, "%s%.60s",
                                       used > 0 ? "." : "", at->key);
        used += (size_t)length;
    }
}

void problem_mistake(struct problem_mistakes *mistakes, const struct problem_place *place,
                     const char *format, ...)
{
    if (mistakes->count++ >= PROBLEM_MISTAKES_MAX) {
        return;
    }
    struct problem_mistake *mistake = &mistakes->items[mistakes->count - 1];
    char text[sizeof mistake->text];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    print_path(place, mistake->path);
    /* A word of the file may be cut in the middle of a character. */
    syntax_repair(mistake->text, sizeof mistake->text, text, false);
}

/* ---- numbers ---- */

static void print_range(const struct problem_field *field, char *out, size_t size)
{
    const char *what = field->kind == PROBLEM_WHOLE ? "a whole number" : "a number";
    if (field->least == field->most) {
        (void)snprintf(out, size, "%.10g", field->least);
        return;
    }
    (void)snprintf(out, size, "%s %s %.10g %s %.10g", what, field->above ? "above" : "from",
                   field->least, field->above ? "and at most" : "to", field->most);
}

static const char *type_word(const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_ARRAY: return "a list";
    case JSON_OBJECT: return "fields";
    case JSON_TRUE: return "true";
    case JSON_FALSE: return "false";
    case JSON_NULL:
    case JSON_STRING:
    case JSON_INTEGER:
    case JSON_REAL: break;
    }
    return "nothing";
}

/* What stands there, short, for a mistake. */
static void print_given(const json_t *json, char *out, size_t size)
{
    if (json_is_string(json)) {
        (void)snprintf(out, size, "\"%.60s\"", json_string_value(json));
    } else if (json_is_number(json)) {
        (void)snprintf(out, size, "%.10g", json_number_value(json));
    } else {
        (void)snprintf(out, size, "%s", type_word(json));
    }
}

bool problem_number_read(const json_t *json, const struct problem_place *place,
                         const struct problem_field *field, double *out,
                         struct problem_mistakes *mistakes)
{
    const double number = json_is_number(json) ? json_number_value(json) : (double)NAN;
    const bool high_enough = field->above ? number > field->least : number >= field->least;
    const bool whole = field->kind != PROBLEM_WHOLE || trunc(number) == number;
    if (isfinite(number) && high_enough && number <= field->most && whole) {
        *out = number;
        return true;
    }
    char range[TEXT_SIZE];
    char given[TEXT_SIZE];
    print_range(field, range, sizeof range);
    print_given(json, given, sizeof given);
    problem_mistake(mistakes, place, "expected %.100s, got %.100s", range, given);
    return false;
}

/* ---- fields ---- */

static bool is_right_text(const json_t *json, const char **out)
{
    if (!json_is_string(json)) {
        return false;
    }
    const size_t length = json_string_length(json);
    *out = json_string_value(json);
    return length > 0 && length < NAME_SIZE && syntax_is_text(*out, length, false);
}

static void read_field(json_t *json, const struct problem_place *place,
                       const struct problem_field *field, struct problem_value *value,
                       struct problem_mistakes *mistakes)
{
    const char *expected = NULL;
    switch (field->kind) {
    case PROBLEM_NUMBER:
    case PROBLEM_WHOLE:
        value->given = problem_number_read(json, place, field, &value->number, mistakes);
        value->wrong = !value->given;
        return;
    case PROBLEM_TEXT:
        expected = is_right_text(json, &value->text) ? NULL : "1 to 63 characters of text";
        break;
    case PROBLEM_LIST: expected = json_is_array(json) ? NULL : "a list"; break;
    case PROBLEM_MAPPING: expected = json_is_object(json) ? NULL : "fields"; break;
    }
    value->given = expected == NULL;
    value->wrong = !value->given;
    value->json = value->given ? json : NULL;
    if (value->wrong) {
        char given[TEXT_SIZE];
        print_given(json, given, sizeof given);
        problem_mistake(mistakes, place, "expected %s, got %.100s", expected, given);
    }
}

static void tell_unknown(const struct problem_place *place, const struct problem_field *fields,
                         size_t fields_count, struct problem_mistakes *mistakes)
{
    struct closest_word closest;
    char suggestion[CLOSEST_WORD_SIZE + 32];
    closest_word_begin(&closest, place->key);
    for (size_t i = 0; i < fields_count; i++) {
        closest_word_offer(&closest, fields[i].key);
    }
    closest_word_print(&closest, suggestion, sizeof suggestion);
    problem_mistake(mistakes, place, "there is no such field%s", suggestion);
}

bool problem_fields_read(json_t *mapping, const struct problem_place *place,
                         const struct problem_field *fields, size_t fields_count,
                         struct problem_value *values, struct problem_mistakes *mistakes)
{
    const char *key = NULL;
    json_t *json = NULL;
    for (size_t i = 0; i < fields_count; i++) {
        values[i] = (struct problem_value){.number = fields[i].missing};
    }
    if (!json_is_object(mapping)) {
        char given[TEXT_SIZE];
        print_given(mapping, given, sizeof given);
        problem_mistake(mistakes, place, "expected fields with values, got %.100s", given);
        return false;
    }
    json_object_foreach(mapping, key, json)
    {
        const struct problem_place own = {.above = place, .key = key};
        size_t i = 0;
        while (i < fields_count && strcmp(fields[i].key, key) != 0) {
            i++;
        }
        if (i == fields_count) {
            tell_unknown(&own, fields, fields_count, mistakes);
        } else {
            read_field(json, &own, &fields[i], &values[i], mistakes);
        }
    }
    for (size_t i = 0; i < fields_count; i++) {
        if (fields[i].required && !values[i].given && !values[i].wrong) {
            const struct problem_place own = {.above = place, .key = fields[i].key};
            problem_mistake(mistakes, &own, "is missing");
        }
    }
    return true;
}
