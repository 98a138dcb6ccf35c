// SPDX-License-Identifier: Apache-2.0
#include "proto/text_json.h"

#include <assert.h>
#include <math.h>
#include <string.h>

struct frame {
    const struct message_binding *binding;
    const unsigned char *plain;
    json_t *json; /* borrowed from the frame above */
    uint32_t field;
    uint32_t index; /* next element of that field */
    json_t *list;   /* of a repeated field, borrowed */
};

struct builder {
    enum text_json_zeros zeros;
    uint32_t depth;
    struct frame frames[MESSAGE_DEPTH_MAX];
};

static uint32_t read_count(const struct frame *frame, const struct field_binding *field)
{
    uint32_t count = 0;
    memcpy(&count, frame->plain + field->other_offset, sizeof count);
    return count < field->count_max ? count : field->count_max;
}

/* JSON numbers where the text form is a bare number, strings where it has a unit. */
static json_t *number_value(const struct field_binding *field, uint64_t value)
{
    if (field->unit == UNIT_NONE) {
        return json_integer((json_int_t)value);
    }
    bool none = field->kind == FIELD_U32 && value == UINT32_MAX;
    if (none || (field->unit == UNIT_WALL_MS && value == 0)) {
        return json_null(); /* never, or no cap */
    }
    if (field->unit == UNIT_PCT) {
        return json_real((double)value / 100.0);
    }
    char text[64];
    text_value_number(field, value, text, sizeof text);
    return json_string(text);
}

static json_t *number_field(const struct builder *builder, const struct field_binding *field,
                            const unsigned char *at)
{
    uint64_t value = 0;
    if (field->kind == FIELD_U32) {
        uint32_t narrow = 0;
        memcpy(&narrow, at, sizeof narrow);
        value = narrow;
    } else {
        memcpy(&value, at, sizeof value);
    }
    bool skipped = value == 0 && builder->zeros == TEXT_JSON_ONLY_GIVEN;
    return skipped ? NULL : number_value(field, value);
}

static json_t *enum_field(const struct builder *builder, const struct field_binding *field,
                          const unsigned char *at)
{
    int value = 0;
    memcpy(&value, at, sizeof value);
    if (value == 0 && builder->zeros == TEXT_JSON_ONLY_GIVEN) {
        return NULL;
    }
    for (uint32_t i = 0; i < field->words->values_count; i++) {
        if (field->words->values[i].value == value) {
            return json_string(field->words->values[i].word);
        }
    }
    return json_null();
}

static json_t *double_field(const unsigned char *at)
{
    double value = 0.0;
    memcpy(&value, at, sizeof value);
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *bool_field(const struct builder *builder, const unsigned char *at)
{
    bool value = false;
    memcpy(&value, at, sizeof value);
    return value || builder->zeros == TEXT_JSON_ALL ? json_boolean(value) : NULL;
}

static json_t *string_value(const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    return length == 0 ? NULL : json_stringn(text, length);
}

static json_t *strings_field(const struct frame *frame, const struct field_binding *field)
{
    uint32_t count = read_count(frame, field);
    const char *text = (const char *)frame->plain + field->offset;
    json_t *list = count == 0 ? NULL : json_array();
    for (uint32_t i = 0; i < count; i++) {
        (void)json_array_append_new(list,
                                    string_value(text + (size_t)i * field->size, field->size));
    }
    return list;
}

/* NULL: left out. */
static json_t *leaf(const struct builder *builder, const struct frame *frame,
                    const struct field_binding *field)
{
    const unsigned char *at = frame->plain + field->offset;
    switch (field->kind) {
    case FIELD_STRING: return string_value((const char *)at, field->size);
    case FIELD_STRINGS: return strings_field(frame, field);
    case FIELD_U32:
    case FIELD_U64:
    case FIELD_I64: return number_field(builder, field, at);
    case FIELD_ENUM: return enum_field(builder, field, at);
    case FIELD_DOUBLE: return double_field(at);
    case FIELD_BOOL: return bool_field(builder, at);
    case FIELD_BYTES:
    case FIELD_MESSAGE:
    case FIELD_OPTIONAL:
    case FIELD_MESSAGES:
    case FIELD_MEMBER:
    case FIELD_ITEMS: break;
    }
    return NULL;
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* How many messages the field holds. */
static uint32_t count_messages(const struct builder *builder, const struct frame *frame,
                               const struct field_binding *field)
{
    if (field->kind == FIELD_MESSAGES) {
        return read_count(frame, field);
    }
    if (field->kind == FIELD_OPTIONAL) {
        bool has = false;
        memcpy(&has, frame->plain + field->other_offset, sizeof has);
        return has ? 1 : 0;
    }
    if (field->kind == FIELD_MEMBER) {
        int value = 0;
        memcpy(&value, frame->plain + field->other_offset, sizeof value);
        return value == field->value ? 1 : 0;
    }
    bool zero = is_zero(frame->plain + field->offset, field->message->plain_size);
    return zero && builder->zeros == TEXT_JSON_ONLY_GIVEN ? 0 : 1;
}

/* A range of which both ends are the same is one value. */
static json_t *single_value(const struct builder *builder, const struct field_binding *field,
                            const unsigned char *plain)
{
    const struct message_binding *range = field->message;
    if (!text_is_range(range) ||
        memcmp(plain + range->fields[0].offset, plain + range->fields[1].offset,
               sizeof(uint32_t)) != 0) {
        return NULL;
    }
    return number_field(builder, &range->fields[0], plain + range->fields[0].offset);
}

static void next_field(struct frame *frame)
{
    frame->field++;
    frame->index = 0;
    frame->list = NULL;
}

/* The next message of a field becomes the top frame, or the field is done. */
static void step_message(struct builder *builder, struct frame *frame,
                         const struct field_binding *field)
{
    char word[TEXT_WORD_SIZE];
    text_word(field, word);
    if (frame->index == count_messages(builder, frame, field)) {
        bool is_empty_list = field->kind == FIELD_MESSAGES && frame->index == 0;
        if (is_empty_list && builder->zeros == TEXT_JSON_ALL) {
            (void)json_object_set_new(frame->json, word, json_array());
        }
        next_field(frame);
        return;
    }
    const unsigned char *plain =
        frame->plain + field->offset + (size_t)frame->index * field->size;
    json_t *single = single_value(builder, field, plain);
    if (single != NULL) {
        (void)json_object_set_new(frame->json, word, single);
        next_field(frame);
        return;
    }
    json_t *child = json_object();
    if (field->kind == FIELD_MESSAGES) {
        if (frame->list == NULL) {
            frame->list = json_array();
            (void)json_object_set_new(frame->json, word, frame->list);
        }
        (void)json_array_append_new(frame->list, child);
    } else {
        (void)json_object_set_new(frame->json, word, child);
    }
    frame->index++;
    assert(builder->depth < MESSAGE_DEPTH_MAX);
    builder->frames[builder->depth++] =
        (struct frame){.binding = field->message, .plain = plain, .json = child};
}

json_t *text_json(const struct message_binding *binding, const void *plain,
                  enum text_json_zeros zeros)
{
    json_t *top = json_object();
    struct builder builder = {.zeros = zeros, .depth = 1};
    builder.frames[0] =
        (struct frame){.binding = binding, .plain = (const unsigned char *)plain, .json = top};
    while (builder.depth > 0) {
        struct frame *frame = &builder.frames[builder.depth - 1];
        if (frame->field == frame->binding->fields_count) {
            builder.depth--;
            continue;
        }
        const struct field_binding *field = &frame->binding->fields[frame->field];
        if (field_is_message(field)) {
            step_message(&builder, frame, field);
            continue;
        }
        json_t *value = leaf(&builder, frame, field);
        if (value != NULL) {
            char word[TEXT_WORD_SIZE];
            text_word(field, word);
            (void)json_object_set_new(frame->json, word, value);
        }
        next_field(frame);
    }
    return top;
}
