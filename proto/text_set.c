// SPDX-License-Identifier: Apache-2.0
/* Sets one field of an object by its path: "objective.response_time.p95", "vms.web.cpu.max". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text_parts.h"

/* Where a path has led so far. */
struct place {
    const struct message_binding *binding;
    unsigned char *plain;
    unsigned has_count;
    bool *has[MESSAGE_DEPTH_MAX]; /* set once the value is */
};

/* The next part of a path: up to '.', '[' or the end. Returns where it ends. */
static const char *next_part(const char *path, char *part, size_t size)
{
    path += *path == '.' || *path == '[' ? 1 : 0;
    size_t length = strcspn(path, ".[]");
    (void)snprintf(part, size, "%.*s", (int)length, path);
    path += length;
    return *path == ']' ? path + 1 : path;
}

static int refuse_word(const struct message_binding *binding, const char *word, struct err *err)
{
    struct closest_word closest;
    char suggestion[TEXT_WORD_SIZE + 20];
    closest_word_begin(&closest, word);
    for (uint32_t i = 0; i < binding->fields_count; i++) {
        char own[TEXT_WORD_SIZE];
        text_word(&binding->fields[i], own);
        closest_word_offer(&closest, own);
    }
    closest_word_print(&closest, suggestion, sizeof suggestion);
    return err_set(err, -EINVAL, "unknown field \"%s\"%s", word, suggestion);
}

/* An element by its index from 0, or by its name where elements have one. */
static int find_element(const struct place *place, const struct field_binding *field,
                        const char *part, struct err *err)
{
    uint32_t count = 0;
    memcpy(&count, place->plain + field->other_offset, sizeof count);
    const struct field_binding *name = &field->message->fields[0];
    for (uint32_t i = 0; i < count; i++) {
        const unsigned char *element = place->plain + field->offset + (size_t)i * field->size;
        char index[16];
        (void)snprintf(index, sizeof index, "%u", i);
        if (strcmp(part, index) == 0 ||
            (name->kind == FIELD_STRING &&
             strcmp(part, (const char *)element + name->offset) == 0)) {
            return (int)i;
        }
    }
    return err_set(err, -EINVAL, "%s has no \"%s\" (it has %u)", field->name, part, count);
}

static int enter(struct place *place, const struct field_binding *field, const char **path,
                 struct err *err)
{
    size_t offset = field->offset;
    if (field->kind == FIELD_MESSAGES) {
        char part[NAME_SIZE];
        *path = next_part(*path, part, sizeof part);
        int index = find_element(place, field, part, err);
        if (index < 0) {
            return index;
        }
        offset += (size_t)index * field->size;
    } else if (field->kind == FIELD_OPTIONAL) {
        place->has[place->has_count++] = (bool *)(void *)(place->plain + field->other_offset);
    }
    place->plain += offset;
    place->binding = field->message;
    return 0;
}

/* A list of texts, separated by commas. */
static int set_strings(const struct field_binding *field, unsigned char *plain,
                       const char *value, struct err *err)
{
    unsigned char *texts = calloc(field->count_max, field->size);
    if (texts == NULL) {
        return err_set(err, -ENOMEM, "no memory");
    }
    uint32_t count = 0;
    int rc = 0;
    while (rc == 0) {
        char text[TEXT_SIZE];
        size_t length = strcspn(value, ",");
        (void)snprintf(text, sizeof text, "%.*s", (int)length, value);
        struct field_binding element = *field;
        element.kind = FIELD_STRING;
        element.offset = count * field->size;
        rc = count == field->count_max
                 ? err_set(err, -EINVAL, "more than %u elements", field->count_max)
                 : text_value_set(&element, texts, text, err);
        count++;
        if (value[length] == '\0') {
            break;
        }
        value += length + 1;
    }
    if (rc == 0) {
        memcpy(plain + field->offset, texts, (size_t)field->count_max * field->size);
        memcpy(plain + field->other_offset, &count, sizeof count);
    }
    free(texts);
    return rc;
}

/* Both ends of a range; the first is taken back when the second is refused. */
static int set_range(const struct message_binding *range, unsigned char *plain,
                     const char *value, struct err *err)
{
    uint32_t before = 0;
    unsigned char *first = plain + range->fields[0].offset;
    memcpy(&before, first, sizeof before);
    int rc = text_value_set(&range->fields[0], plain, value, err);
    if (rc == 0) {
        rc = text_value_set(&range->fields[1], plain, value, err);
    }
    if (rc != 0) {
        memcpy(first, &before, sizeof before);
    }
    return rc;
}

static int set_last(const struct place *place, const struct field_binding *field,
                    const char *value, struct err *err)
{
    if (field->kind == FIELD_STRINGS) {
        return set_strings(field, place->plain, value, err);
    }
    bool is_range = (field->kind == FIELD_MESSAGE) && text_is_range(field->message);
    if (is_range) {
        return set_range(field->message, place->plain + field->offset, value, err);
    }
    if (field_is_message(field)) {
        return err_set(err, -EINVAL, "is not one value; name one of its fields");
    }
    return text_value_set(field, place->plain, value, err);
}

int text_set_field(struct object *object, const char *path, const char *value, struct err *err)
{
    struct place place = {.binding = text_kind_binding(object->kind),
                          .plain = (unsigned char *)&object->service};
    if (place.binding == NULL) {
        return err_set(err, -EINVAL, "an object of no kind has no fields");
    }
    const char *at = path;
    int rc = 0;
    for (;;) {
        char part[TEXT_WORD_SIZE];
        at = next_part(at, part, sizeof part);
        const struct field_binding *field = text_find_field(place.binding, part, strlen(part));
        if (field == NULL) {
            rc = refuse_word(place.binding, part, err);
            break;
        }
        bool more = *at != '\0';
        if (!more) {
            rc = set_last(&place, field, value, err);
            break;
        }
        rc = field_is_message(field) ? enter(&place, field, &at, err)
                                     : err_set(err, -EINVAL, "\"%s\" has no fields", part);
        if (rc != 0) {
            break;
        }
    }
    if (rc != 0) {
        (void)err_wrap(err, "%s", path);
        return rc;
    }
    for (unsigned i = 0; i < place.has_count; i++) {
        *place.has[i] = true;
    }
    return 0;
}
