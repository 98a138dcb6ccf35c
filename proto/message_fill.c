// SPDX-License-Identifier: Apache-2.0
/* From a checked message to the plain struct. Nothing here can fail. */
#include <math.h>
#include <string.h>

#include "proto/walk.h"

static void fill_string(char *out, size_t size, const char *text)
{
    size_t length = strlen(text);
    memset(out + length, 0, size - length);
    memcpy(out, text, length); /* NOLINT(bugprone-not-null-terminated-result): the line above */
}

static void fill_strings(const struct walk_frame *frame)
{
    const struct field_binding *field = walk_field(frame);
    size_t count = 0;
    char **strings = NULL;
    memcpy(&count, walk_quantifier(frame), sizeof count);
    memcpy(&strings, walk_member(frame), sizeof strings);
    char *out = (char *)walk_plain(frame);
    memset(out, 0, (size_t)field->size * field->count_max);
    for (size_t i = 0; i < count; i++) {
        fill_string(out + i * field->size, field->size, strings[i]);
    }
    uint32_t plain_count = (uint32_t)count;
    memcpy(walk_plain_other(frame), &plain_count, sizeof plain_count);
}

static void fill_bytes(const struct walk_frame *frame)
{
    ProtobufCBinaryData data = {0};
    memcpy(&data, walk_member(frame), sizeof data);
    if (data.len == 0) {
        memset(walk_plain(frame), 0, walk_field(frame)->size);
    } else {
        memcpy(walk_plain(frame), data.data, data.len);
    }
}

static int fill_leaf(struct walk *walk, const struct walk_frame *frame)
{
    (void)walk;
    const void *member = walk_member(frame);
    void *plain = walk_plain(frame);
    switch (walk_field(frame)->kind) {
    case FIELD_STRING: {
        const char *text = NULL;
        memcpy(&text, member, sizeof text);
        fill_string((char *)plain, walk_field(frame)->size, text);
        break;
    }
    case FIELD_STRINGS: fill_strings(frame); break;
    case FIELD_BYTES: fill_bytes(frame); break;
    case FIELD_U32:
    case FIELD_ENUM: memcpy(plain, member, sizeof(uint32_t)); break;
    case FIELD_U64:
    case FIELD_I64: memcpy(plain, member, sizeof(uint64_t)); break;
    case FIELD_DOUBLE: {
        double value = 0.0;
        memcpy(&value, member, sizeof value);
        value = isnan(value) ? (double)NAN : value; /* one NAN, whatever its bits were */
        memcpy(plain, &value, sizeof value);
        break;
    }
    case FIELD_BOOL: {
        protobuf_c_boolean truth = 0;
        memcpy(&truth, member, sizeof truth);
        bool value = truth != 0;
        memcpy(plain, &value, sizeof value);
        break;
    }
    case FIELD_MESSAGE:
    case FIELD_OPTIONAL:
    case FIELD_MESSAGES:
    case FIELD_MEMBER:
    case FIELD_ITEMS: break;
    }
    return 0;
}

static void enter_many(struct walk_frame *frame)
{
    const struct field_binding *field = walk_field(frame);
    size_t count = 0;
    memcpy(&count, walk_quantifier(frame), sizeof count);
    unsigned char *elements = (unsigned char *)walk_plain(frame);
    memset(elements + count * field->size, 0, (field->count_max - count) * field->size);
    frame->count = (uint32_t)count;
    memcpy(walk_plain_other(frame), &frame->count, sizeof frame->count);
}

/* The other members of the union share the memory: nothing is written for them. */
static void enter_member(struct walk_frame *frame)
{
    (void)walk_find_member(frame); /* was checked */
    const struct field_binding *field = walk_field(frame);
    memcpy(walk_plain_other(frame), &field->value, sizeof field->value);
    frame->count = 1;
}

static int fill_enter(struct walk *walk, struct walk_frame *frame)
{
    (void)walk;
    const struct field_binding *field = walk_field(frame);
    if (field->kind == FIELD_MESSAGES) {
        enter_many(frame);
        return 0;
    }
    if (field->kind == FIELD_MEMBER) {
        enter_member(frame);
        return 0;
    }
    const ProtobufCMessage *message = NULL;
    memcpy(&message, walk_member(frame), sizeof(void *));
    frame->count = message != NULL ? 1 : 0;
    if (message == NULL) {
        memset(walk_plain(frame), 0, field->message->plain_size);
    }
    if (field->kind == FIELD_OPTIONAL) {
        bool has = message != NULL;
        memcpy(walk_plain_other(frame), &has, sizeof has);
    }
    return 0;
}

void message_fill(const struct message_binding *binding, ProtobufCMessage *message, void *plain)
{
    static const struct walk_visitor visitor = {.leaf = fill_leaf, .enter = fill_enter};
    struct walk walk; /* its frames are set as they are entered */
    walk.arena = NULL;
    walk.err = NULL;
    (void)walk_run(&walk, &visitor, binding, message, plain);
}
