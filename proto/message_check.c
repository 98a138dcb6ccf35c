// SPDX-License-Identifier: Apache-2.0
/* What a message may hold: the gate of everything that comes from outside. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "proto/syntax.h"
#include "proto/walk.h"

#define HEADER_MIN_VERSION 1 /* row of the header's bindings */

static int check_string(struct walk *walk, const struct field_binding *field, const char *text)
{
    size_t length = strlen(text);
    size_t block = walk->arena == NULL ? 0 : arena_block_size(walk->arena, text);
    if (block != 0 && block != length + 1) {
        return walk_mistake(walk, -EBADMSG, "holds a NUL");
    }
    if (length >= field->size) {
        return walk_mistake(walk, -EBADMSG, "%zu bytes are more than %u", length,
                            field->size - 1);
    }
    if (length == 0) {
        return field->required ? walk_mistake(walk, -EBADMSG, "missing") : 0;
    }
    if (!syntax_is_text(text, length, field->lines)) {
        return walk_mistake(walk, -EBADMSG, "not UTF-8 without control characters");
    }
    const char *mistake = syntax_mistake(field->syntax, text);
    return mistake == NULL ? 0 : walk_mistake(walk, -EBADMSG, "%s", mistake);
}

static int check_strings(struct walk *walk, const struct walk_frame *frame)
{
    const struct field_binding *field = walk_field(frame);
    size_t count = 0;
    char **strings = NULL;
    memcpy(&count, walk_quantifier(frame), sizeof count);
    memcpy(&strings, walk_member(frame), sizeof strings);
    if (count > field->count_max) {
        return walk_mistake(walk, -EBADMSG, "%zu elements are more than %u", count,
                            field->count_max);
    }
    if (count == 0 && field->required) {
        return walk_mistake(walk, -EBADMSG, "missing");
    }
    for (size_t i = 0; i < count; i++) {
        int rc = check_string(walk, field, strings[i]);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int check_bytes(struct walk *walk, const struct walk_frame *frame)
{
    ProtobufCBinaryData data = {0};
    memcpy(&data, walk_member(frame), sizeof data);
    if (data.len != 0 && data.len != walk_field(frame)->size) {
        return walk_mistake(walk, -EBADMSG, "%zu bytes instead of %u", data.len,
                            walk_field(frame)->size);
    }
    return 0;
}

static int check_number(struct walk *walk, const struct field_binding *field, uint64_t value)
{
    if (value == 0) {
        return field->required ? walk_mistake(walk, -EBADMSG, "missing") : 0;
    }
    if (field == &header_binding.fields[HEADER_MIN_VERSION] && value > PROTOCOL_VERSION) {
        return walk_mistake(walk, -EPROTONOSUPPORT,
                            "needs protocol version %" PRIu64 ", this program has %d", value,
                            PROTOCOL_VERSION);
    }
    if (field->max != 0 && (value < field->min || value > field->max)) {
        return walk_mistake(walk, -EBADMSG,
                            "%" PRIu64 " is not in the range %" PRIu64 "..%" PRIu64, value,
                            field->min, field->max);
    }
    return 0;
}

static int check_double(struct walk *walk, const struct field_binding *field, double value)
{
    if (isnan(value) && field->unknown) {
        return 0;
    }
    if (!isfinite(value)) {
        return walk_mistake(walk, -EBADMSG, "not a finite number");
    }
    bool ranged = field->low < field->high;
    if (ranged && (value < field->low || value > field->high)) {
        return walk_mistake(walk, -EBADMSG, "%g is not in the range %g..%g", value, field->low,
                            field->high);
    }
    return 0;
}

static int check_enum(struct walk *walk, const struct field_binding *field, int value)
{
    if (value == 0 && field->required) {
        return walk_mistake(walk, -EBADMSG, "missing");
    }
    if (protobuf_c_enum_descriptor_get_value(field->words->descriptor, value) == NULL) {
        return walk_mistake(walk, -EBADMSG, "unknown value %d of %s", value,
                            field->words->name);
    }
    return 0;
}

static int check_leaf(struct walk *walk, const struct walk_frame *frame)
{
    const struct field_binding *field = walk_field(frame);
    const void *member = walk_member(frame);
    uint64_t wide = 0;
    uint32_t narrow = 0;
    switch (field->kind) {
    case FIELD_STRING: {
        const char *text = NULL;
        memcpy(&text, member, sizeof text);
        return check_string(walk, field, text);
    }
    case FIELD_STRINGS: return check_strings(walk, frame);
    case FIELD_BYTES: return check_bytes(walk, frame);
    case FIELD_U32: memcpy(&narrow, member, sizeof narrow); break;
    case FIELD_U64: memcpy(&wide, member, sizeof wide); break;
    case FIELD_DOUBLE: {
        double value = 0.0;
        memcpy(&value, member, sizeof value);
        return check_double(walk, field, value);
    }
    case FIELD_ENUM: {
        int value = 0;
        memcpy(&value, member, sizeof value);
        return check_enum(walk, field, value);
    }
    case FIELD_I64:
    case FIELD_BOOL:
    case FIELD_MESSAGE:
    case FIELD_OPTIONAL:
    case FIELD_MESSAGES:
    case FIELD_MEMBER:
    case FIELD_ITEMS: return 0;
    }
    return check_number(walk, field, wide != 0 ? wide : narrow);
}

/* Of a union the descriptor says which member there is; one of them is required. */
static int check_member(struct walk *walk, struct walk_frame *frame)
{
    if (!walk_find_member(frame)) {
        return walk_mistake(walk, -EBADMSG, "missing, or of a kind that this version lacks");
    }
    frame->count = 1;
    return 0;
}

static int check_enter(struct walk *walk, struct walk_frame *frame)
{
    const struct field_binding *field = walk_field(frame);
    if (field->kind == FIELD_MEMBER) {
        return check_member(walk, frame);
    }
    size_t count = 0;
    if (field->kind == FIELD_MESSAGES) {
        memcpy(&count, walk_quantifier(frame), sizeof count);
    } else {
        const ProtobufCMessage *message = NULL;
        memcpy(&message, walk_member(frame), sizeof(void *));
        count = message != NULL ? 1 : 0;
    }
    if (count == 0 && field->required) {
        return walk_mistake(walk, -EBADMSG, "missing");
    }
    if (field->kind == FIELD_MESSAGES && count > field->count_max) {
        return walk_mistake(walk, -EBADMSG, "%zu elements are more than %u", count,
                            field->count_max);
    }
    frame->count = (uint32_t)count;
    return 0;
}

int message_check(const struct message_binding *binding, ProtobufCMessage *message,
                  struct arena *arena, struct err *err)
{
    static const struct walk_visitor visitor = {.leaf = check_leaf, .enter = check_enter};
    struct walk walk; /* its frames are set as they are entered */
    walk.arena = arena;
    walk.err = err;
    return walk_run(&walk, &visitor, binding, message, NULL);
}
