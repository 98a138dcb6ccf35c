// SPDX-License-Identifier: Apache-2.0
/* From a plain struct to the generated message. */
#include <errno.h>
#include <string.h>

#include "proto/syntax.h"
#include "proto/walk.h"

static bool is_zero(const unsigned char *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static int no_memory(struct walk *walk)
{
    return walk_mistake(walk, -ENOMEM, "too large to encode");
}

/* The string itself, or a repaired copy of prose that decoding would refuse. */
static int build_string(struct walk *walk, const struct field_binding *field, char *text,
                        char **out)
{
    size_t length = strnlen(text, field->size);
    if (length == field->size) {
        return walk_mistake(walk, -EINVAL, "longer than %u bytes", field->size - 1);
    }
    *out = text;
    if (!field->prose || syntax_is_text(text, length, field->lines)) {
        return 0;
    }
    char *copy = (char *)arena_alloc(walk->arena, field->size);
    if (copy == NULL) {
        return no_memory(walk);
    }
    syntax_repair(copy, field->size, text, field->lines);
    *out = copy;
    return 0;
}

static int read_count(struct walk *walk, const struct walk_frame *frame, uint32_t *out)
{
    memcpy(out, walk_plain_other(frame), sizeof *out);
    uint32_t max = walk_field(frame)->count_max;
    if (*out > max) {
        return walk_mistake(walk, -EINVAL, "%u elements are more than %u", *out, max);
    }
    return 0;
}

/* An array of pointers for a repeated field, stored in the message together with its count. */
static int build_array(struct walk *walk, const struct walk_frame *frame, void ***out,
                       uint32_t *count_out)
{
    int rc = read_count(walk, frame, count_out);
    if (rc != 0 || *count_out == 0) {
        return rc;
    }
    size_t count = *count_out;
    *out = (void **)arena_alloc(walk->arena, count * sizeof(void *));
    if (*out == NULL) {
        return no_memory(walk);
    }
    memcpy(walk_member(frame), out, sizeof *out);
    memcpy(walk_quantifier(frame), &count, sizeof count);
    return 0;
}

static int build_strings(struct walk *walk, const struct walk_frame *frame)
{
    void **strings = NULL;
    uint32_t count = 0;
    int rc = build_array(walk, frame, &strings, &count);
    const struct field_binding *field = walk_field(frame);
    char *text = (char *)walk_plain(frame);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        char *string = NULL;
        rc = build_string(walk, field, text + (size_t)i * field->size, &string);
        strings[i] = string;
    }
    return rc;
}

static int build_leaf(struct walk *walk, const struct walk_frame *frame)
{
    const struct field_binding *field = walk_field(frame);
    void *member = walk_member(frame);
    void *plain = walk_plain(frame);
    switch (field->kind) {
    case FIELD_STRING: {
        char *text = NULL;
        int rc = build_string(walk, field, (char *)plain, &text);
        memcpy(member, &text, sizeof text);
        return rc;
    }
    case FIELD_STRINGS: return build_strings(walk, frame);
    case FIELD_BYTES: {
        bool none = is_zero(plain, field->size);
        ProtobufCBinaryData data;
        data.len = none ? 0 : field->size;
        data.data = plain;
        memcpy(member, &data, sizeof data);
        return 0;
    }
    case FIELD_U32: {
        uint32_t value = 0;
        memcpy(&value, plain, sizeof value);
        value = value == 0 ? (uint32_t)field->when_zero : value;
        memcpy(member, &value, sizeof value);
        return 0;
    }
    case FIELD_ENUM: memcpy(member, plain, sizeof(uint32_t)); return 0;
    case FIELD_U64:
    case FIELD_I64:
    case FIELD_DOUBLE: memcpy(member, plain, sizeof(uint64_t)); return 0;
    case FIELD_BOOL: {
        bool value = false;
        memcpy(&value, plain, sizeof value);
        protobuf_c_boolean truth = value;
        memcpy(member, &truth, sizeof truth);
        return 0;
    }
    case FIELD_MESSAGE:
    case FIELD_OPTIONAL:
    case FIELD_MESSAGES:
    case FIELD_MEMBER:
    case FIELD_ITEMS: break;
    }
    return 0;
}

static ProtobufCMessage *new_message(struct arena *arena, const struct message_binding *binding)
{
    ProtobufCMessage *message =
        (ProtobufCMessage *)arena_alloc(arena, binding->descriptor->sizeof_message);
    if (message != NULL) {
        binding->descriptor->message_init(message);
    }
    return message;
}

/* Is the one message of this field there? */
static bool is_present(const struct walk_frame *frame)
{
    const struct field_binding *field = walk_field(frame);
    if (field->kind == FIELD_OPTIONAL) {
        bool has = false;
        memcpy(&has, walk_plain_other(frame), sizeof has);
        return has;
    }
    return field->required || !is_zero(walk_plain(frame), field->message->plain_size);
}

static int enter_many(struct walk *walk, struct walk_frame *frame)
{
    void **messages = NULL;
    int rc = build_array(walk, frame, &messages, &frame->count);
    for (uint32_t i = 0; rc == 0 && i < frame->count; i++) {
        messages[i] = new_message(walk->arena, walk_field(frame)->message);
        if (messages[i] == NULL) {
            rc = no_memory(walk);
        }
    }
    return rc;
}

/* Moves on to the row of the union's discriminator; false when it has a value without one. */
static bool find_member(struct walk_frame *frame)
{
    int value = 0;
    memcpy(&value, walk_plain_other(frame), sizeof value);
    for (uint32_t i = frame->field; i < frame->binding->fields_count; i++) {
        if (frame->binding->fields[i].value == value) {
            frame->field = i;
            return true;
        }
    }
    return false;
}

static int build_enter(struct walk *walk, struct walk_frame *frame)
{
    if (walk_field(frame)->kind == FIELD_MESSAGES) {
        return enter_many(walk, frame);
    }
    bool member = walk_field(frame)->kind == FIELD_MEMBER;
    if (member ? !find_member(frame) : !is_present(frame)) {
        return 0;
    }
    const struct field_binding *field = walk_field(frame);
    ProtobufCMessage *message = new_message(walk->arena, field->message);
    if (message == NULL) {
        return no_memory(walk);
    }
    memcpy(walk_member(frame), &message, sizeof(void *));
    if (member) {
        uint32_t number = walk_descriptor(frame)->id;
        memcpy(walk_quantifier(frame), &number, sizeof number);
    }
    frame->count = 1;
    return 0;
}

int message_build(const struct message_binding *binding, const void *plain, struct arena *arena,
                  ProtobufCMessage **out, struct err *err)
{
    static const struct walk_visitor visitor = {.leaf = build_leaf, .enter = build_enter};
    struct walk walk; /* its frames are set as they are entered */
    walk.arena = arena;
    walk.err = err;
    *out = new_message(arena, binding);
    if (*out == NULL) {
        return err_set(err, -ENOMEM, "%s: too large to encode", binding->name);
    }
    /* The generated types have no const strings; nothing writes through them. */
    union {
        const void *constant;
        void *plain;
    } struct_of = {.constant = plain};
    return walk_run(&walk, &visitor, binding, *out, struct_of.plain);
}
