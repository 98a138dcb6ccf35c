// SPDX-License-Identifier: Apache-2.0
#include "proto/walk.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The element that comes next of the field that the frame has entered. */
static struct walk_frame next_child(struct walk_frame *frame)
{
    const struct field_binding *field = walk_field(frame);
    struct walk_frame child = {.binding = field->message};
    uint32_t index = frame->index++;
    void *member = walk_member(frame);
    if (field->kind == FIELD_MESSAGES) {
        ProtobufCMessage **elements = NULL;
        memcpy(&elements, member, sizeof elements);
        child.message = elements[index];
    } else {
        memcpy(&child.message, member, sizeof(void *));
    }
    if (frame->plain != NULL) {
        child.plain = frame->plain + field->offset + (size_t)index * field->size;
    }
    return child;
}

bool walk_find_member(struct walk_frame *frame)
{
    uint32_t number = 0;
    memcpy(&number, walk_quantifier(frame), sizeof number);
    for (uint32_t i = frame->field; i < frame->binding->fields_count; i++) {
        if (frame->binding->descriptor->fields[i].id == number) {
            frame->field = i;
            return true;
        }
    }
    return false;
}

/* The members of a union are the last rows: behind the one that was there is nothing else. */
static void next_field(struct walk_frame *frame)
{
    bool was_member = walk_field(frame)->kind == FIELD_MEMBER;
    frame->field = was_member ? frame->binding->fields_count : frame->field + 1;
    frame->index = 0;
    frame->count = 0;
    frame->entered = false;
}

/* Every leaf up to the next field of messages, or to the end. Nearly all fields are leaves, and
 * every message that comes or goes passes here. */
static int visit_leaves(struct walk *walk, const struct walk_visitor *visitor,
                        struct walk_frame *frame)
{
    const struct field_binding *fields = frame->binding->fields;
    uint32_t count = frame->binding->fields_count;
    while (frame->field < count && !field_is_message(&fields[frame->field])) {
        int rc = fields[frame->field].kind == FIELD_ITEMS ? 0 : visitor->leaf(walk, frame);
        if (rc != 0) {
            return rc;
        }
        frame->field++;
    }
    return 0;
}

/* One step: leaves and the begin of a field of messages, one message down, or one up. */
static int step(struct walk *walk, const struct walk_visitor *visitor)
{
    struct walk_frame *frame = &walk->frames[walk->depth - 1];
    int rc = visit_leaves(walk, visitor, frame);
    if (rc != 0) {
        return rc;
    }
    if (frame->field == frame->binding->fields_count) {
        walk->depth--;
        return 0;
    }
    if (!frame->entered) {
        frame->entered = true;
        rc = visitor->enter(walk, frame);
        if (rc != 0) {
            return rc;
        }
    }
    if (frame->index == frame->count) {
        next_field(frame);
        return 0;
    }
    assert(walk->depth < MESSAGE_DEPTH_MAX);
    walk->frames[walk->depth++] = next_child(frame);
    return 0;
}

int walk_run(struct walk *walk, const struct walk_visitor *visitor,
             const struct message_binding *binding, ProtobufCMessage *message, void *plain)
{
    walk->frames[0] = (struct walk_frame){
        .binding = binding, .message = message, .plain = (unsigned char *)plain};
    walk->depth = 1;
    while (walk->depth > 0) {
        int rc = step(walk, visitor);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static void append(char *out, size_t size, const char *text)
{
    size_t used = strlen(out);
    (void)snprintf(out + used, size - used, "%s", text);
}

int walk_mistake(const struct walk *walk, int code, const char *format, ...)
{
    char path[TEXT_SIZE] = "";
    append(path, sizeof path, walk->frames[0].binding->name);
    for (uint32_t i = 0; i < walk->depth; i++) {
        const struct walk_frame *frame = &walk->frames[i];
        append(path, sizeof path, ".");
        append(path, sizeof path, walk_field(frame)->name);
        if (walk_field(frame)->kind == FIELD_MESSAGES && i + 1 < walk->depth) {
            char index[16];
            (void)snprintf(index, sizeof index, "[%u]", frame->index - 1);
            append(path, sizeof path, index);
        }
    }
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return err_set(walk->err, code, "%s: %s", path, text);
}
