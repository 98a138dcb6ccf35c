// SPDX-License-Identifier: Apache-2.0
/*
 * Visits every field of a message and of the messages inside it, depth first, in the order of
 * the bindings, without recursion. The three users are below: make a generated message from a
 * plain struct, check a generated message, fill a plain struct from a checked one.
 */
#ifndef PROTO_WALK_H
#define PROTO_WALK_H

#include "common/err.h"
#include "proto/arena.h"
#include "proto/bindings.h"

struct walk_frame {
    const struct message_binding *binding;
    ProtobufCMessage *message;
    unsigned char *plain; /* NULL when only the message is visited */
    uint32_t field;       /* index of the row that is being visited */
    uint32_t index;       /* of the next element of that field */
    uint32_t count;       /* elements of that field; known once the field is entered */
    bool entered;
};

struct walk {
    struct walk_frame frames[MESSAGE_DEPTH_MAX];
    uint32_t depth;
    struct arena *arena; /* of the generated message; NULL: its strings were not unpacked */
    struct err *err;
};

/* Each returns 0 or a negative errno. */
struct walk_visitor {
    int (*leaf)(struct walk *walk, const struct walk_frame *frame);
    /* Begins a field of messages: stores how many there are in frame->count. At the first
     * member of a union it moves frame->field to the one that is there. */
    int (*enter)(struct walk *walk, struct walk_frame *frame);
};

int walk_run(struct walk *walk, const struct walk_visitor *visitor,
             const struct message_binding *binding, ProtobufCMessage *message, void *plain);

static inline const struct field_binding *walk_field(const struct walk_frame *frame)
{
    return &frame->binding->fields[frame->field];
}

static inline const ProtobufCFieldDescriptor *walk_descriptor(const struct walk_frame *frame)
{
    return &frame->binding->descriptor->fields[frame->field];
}

/* Where the generated message has the field. */
static inline void *walk_member(const struct walk_frame *frame)
{
    return (unsigned char *)frame->message + walk_descriptor(frame)->offset;
}

/* Where it has the field's count or oneof case. */
static inline void *walk_quantifier(const struct walk_frame *frame)
{
    return (unsigned char *)frame->message + walk_descriptor(frame)->quantifier_offset;
}

/* Where the plain struct has the field. */
static inline void *walk_plain(const struct walk_frame *frame)
{
    return frame->plain + walk_field(frame)->offset;
}

/* Where it has the field's has_ field, count or discriminator. */
static inline void *walk_plain_other(const struct walk_frame *frame)
{
    return frame->plain + walk_field(frame)->other_offset;
}

/* Moves on to the member of the union that the message holds; false: to none that we know. */
bool walk_find_member(struct walk_frame *frame);

/* Stores "snapshot.vms[3].uuid: text" and returns code. */
int walk_mistake(const struct walk *walk, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The generated message of a plain struct, in memory of the arena, with strings that point into
 * the struct. 0, -ENOMEM, -EINVAL. */
int message_build(const struct message_binding *binding, const void *plain, struct arena *arena,
                  ProtobufCMessage **out, struct err *err);

/* 0, -EBADMSG, -EPROTONOSUPPORT when min_version is above ours. arena: that it was unpacked
 * with, or NULL for a message that was built. */
int message_check(const struct message_binding *binding, ProtobufCMessage *message,
                  struct arena *arena, struct err *err);

/* Only for a message that passed message_check(). */
void message_fill(const struct message_binding *binding, ProtobufCMessage *message,
                  void *plain);

#endif
