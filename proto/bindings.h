// SPDX-License-Identifier: Apache-2.0
/*
 * One table per message: which field of the wire is which field of the plain struct, and what
 * it may hold. Everything that must know the fields of a message walks these tables: encoding,
 * decoding, checking, YAML and JSON, explanations. Rows are in the order of the field numbers,
 * which is also the order of the generated descriptors, so that a row and its descriptor share
 * an index (a test proves it, and that no field is missing).
 *
 * Adding a field: one in the plain struct, one in the .proto file under the next free number,
 * one row.
 */
#ifndef PROTO_BINDINGS_H
#define PROTO_BINDINGS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/message/client_message.h"
#include "common/message/node_message.h"
#include "common/message/scheduler_message.h"
#include "common/message/stored_record.h"

#define CPU_PCT_MAX       102400u /* 1,024 CPUs */
#define VCPUS_MAX         1024u
#define KIB_MAX           (1ull << 40) /* 1 PiB */
#define TASKS_MAX         (1ull << 50) /* exact as a double */
#define MESSAGE_DEPTH_MAX 8            /* messages within messages */

enum field_kind {
    FIELD_STRING = 1,
    FIELD_STRINGS, /* repeated */
    FIELD_BYTES,   /* all or nothing: size bytes, or none for all zero */
    FIELD_U32,
    FIELD_U64,
    FIELD_I64,
    FIELD_DOUBLE,
    FIELD_BOOL,
    FIELD_ENUM,
    FIELD_MESSAGE,  /* not sent when all of it is zero */
    FIELD_OPTIONAL, /* message with a has_ field beside it */
    FIELD_MESSAGES, /* repeated */
    FIELD_MEMBER,   /* message in a union: the discriminator has this row's value */
    FIELD_ITEMS,    /* of a reply: encoded one by one behind it, never part of the struct */
};

/* Of a number, also the end of its name: memory_kib. Names the parser of the text form. */
enum field_unit {
    UNIT_NONE = 0,
    UNIT_MS,
    UNIT_WALL_MS,
    UNIT_KIB,
    UNIT_KIB_S,
    UNIT_PCT,
    UNIT_PERMILLE,
};

enum field_syntax {
    SYNTAX_ANY = 0, /* UTF-8 without control characters */
    SYNTAX_NAME,
    SYNTAX_UUID,
    SYNTAX_SHA256,
    SYNTAX_PATH, /* absolute */
    SYNTAX_WORD, /* of a scheduler: a-z, 0-9 and '_' */
};

struct enum_value {
    const char *name; /* of the C enumerator and of the .proto value */
    const char *word; /* in files and on the screen */
    int value;
};

struct enum_binding {
    const char *name;
    const ProtobufCEnumDescriptor *descriptor;
    const struct enum_value *values;
    uint32_t values_count;
};

struct message_binding;

/* An empty string and 0 mean "not given" and pass every limit, unless the field is required. */
struct field_binding {
    const char *name;
    const struct message_binding *message; /* of message kinds */
    const struct enum_binding *words;      /* of FIELD_ENUM */
    uint32_t offset;                       /* in the plain struct */
    uint32_t size; /* of a string with its NUL, or of bytes; of one element if repeated */
    uint32_t other_offset; /* of the has_ field, the count, or the discriminator */
    uint32_t count_max;    /* elements of a repeated field */
    int value;             /* of the discriminator */
    enum field_kind kind;
    enum field_unit unit;
    enum field_syntax syntax;
    bool required;
    bool unknown; /* a double that may be NAN, on the wire too: nobody knows it */
    bool prose;   /* text for people: repaired when encoded, not refused */
    bool lines;   /* may hold line feeds and tabs */
    uint64_t min; /* of a whole number; max 0: no limit */
    uint64_t max;
    uint64_t when_zero; /* sent instead of 0 */
    double low;         /* of a double; both 0: any finite number */
    double high;
    const char *about;    /* for explain */
    const char *fallback; /* the default, as people would write it */
};

struct message_binding {
    const char *name; /* of the struct */
    const ProtobufCMessageDescriptor *descriptor;
    const struct field_binding *fields;
    uint32_t fields_count;
    uint32_t plain_size;
};

/* What the live event socket carries. */
struct event_message {
    struct header header;
    struct event_record event;
};

/* clang-format cannot lay out calls without a separator: each run indents them further. */
// clang-format off
#define MESSAGE_BINDINGS(X)                                                                    \
    X(header) X(response_time) X(level_curve) X(objective) X(entry) X(count_range)             \
    X(cap_range) X(vm_disk) X(vm_group) X(queue) X(service) X(vm) X(node) X(image) X(storage)  \
    X(network) X(agreement) X(settings) X(profile_point) X(profile) X(object) X(node_status)   \
    X(metric) X(entry_server)                                                                  \
    X(entry_order) X(entry_status) X(vm_order) X(vm_status) X(hello) X(renew) X(grant)         \
    X(snapshot) X(result) X(heartbeat) X(metrics) X(leave) X(welcome) X(park) X(node_message)  \
    X(cap_change) X(level_change) X(decision) X(event_record) X(event_message) X(set_vm)       \
    X(request) X(service_status) X(node_view) X(cluster_status) X(metric_value) X(placement)   \
    X(item) X(reply) X(service_progress) X(node_epoch) X(stored_reply) X(stored_record)        \
    X(service_view) X(curve_point) X(proposal) X(scheduler_message)

#define ENUM_BINDINGS(X)                                                                       \
    X(service_kind) X(isolation) X(disk_kind) X(when_done) X(when_sacrificed)                  \
    X(run_state) X(vm_phase)                                                                   \
    X(object_kind) X(image_format) X(guest_type) X(mode) X(reason) X(metric_kind)              \
    X(metric_subject) X(result_state) X(decision_outcome) X(event_kind) X(method)              \
    X(reply_code) X(node_state) X(model_kind) X(model_basis)
// clang-format on

#define DECLARE_MESSAGE(name) extern const struct message_binding name##_binding;
MESSAGE_BINDINGS(DECLARE_MESSAGE)
#undef DECLARE_MESSAGE

#define DECLARE_ENUM(name) extern const struct enum_binding name##_words;
ENUM_BINDINGS(DECLARE_ENUM)
#undef DECLARE_ENUM

/* All of them, ended by NULL, for tests and for whoever visits every message. */
const struct message_binding *const *message_bindings_all(void);
const struct enum_binding *const *enum_bindings_all(void);

/* True for the kinds that hold other messages. */
static inline bool field_is_message(const struct field_binding *field)
{
    return field->kind == FIELD_MESSAGE || field->kind == FIELD_OPTIONAL ||
           field->kind == FIELD_MESSAGES || field->kind == FIELD_MEMBER;
}

#endif
