// SPDX-License-Identifier: Apache-2.0
/* How the rows of the bindings_*.c files are written. Nobody else includes this. */
#ifndef PROTO_BINDINGS_ROWS_H
#define PROTO_BINDINGS_ROWS_H

#include "proto/bindings.h"
#include "proto/client.pb-c.h"
#include "proto/event.pb-c.h"
#include "proto/header.pb-c.h"
#include "proto/node.pb-c.h"
#include "proto/objects.pb-c.h"
#include "proto/scheduler.pb-c.h"
#include "proto/state.pb-c.h"

#define SIZE_OF(S, F)      sizeof(((struct S *)NULL)->F)
#define ELEMENT_SIZE(S, F) sizeof(((struct S *)NULL)->F[0])
#define ELEMENTS_OF(S, F)  (SIZE_OF(S, F) / ELEMENT_SIZE(S, F))
#define SLOT(S, F)         .name = #F, .offset = offsetof(struct S, F)

#define STRING(S, F)  SLOT(S, F), .kind = FIELD_STRING, .size = SIZE_OF(S, F)
#define BYTES(S, F)   SLOT(S, F), .kind = FIELD_BYTES, .size = SIZE_OF(S, F)
#define U32(S, F)     SLOT(S, F), .kind = FIELD_U32
#define U64(S, F)     SLOT(S, F), .kind = FIELD_U64
#define I64(S, F)     SLOT(S, F), .kind = FIELD_I64
#define DOUBLE(S, F)  SLOT(S, F), .kind = FIELD_DOUBLE
#define BOOL(S, F)    SLOT(S, F), .kind = FIELD_BOOL
#define ENUM(S, F, E) SLOT(S, F), .kind = FIELD_ENUM, .words = &E##_words
#define STRINGS(S, F)                                                                          \
    SLOT(S, F), .kind = FIELD_STRINGS, .size = ELEMENT_SIZE(S, F),                             \
                .other_offset = offsetof(struct S, F##_count), .count_max = ELEMENTS_OF(S, F)
#define MESSAGE(S, F, M) SLOT(S, F), .kind = FIELD_MESSAGE, .message = &M##_binding
#define OPTIONAL(S, F, M)                                                                      \
    SLOT(S, F), .kind = FIELD_OPTIONAL, .message = &M##_binding,                               \
                .other_offset = offsetof(struct S, has_##F)
#define MESSAGES(S, F, M)                                                                      \
    SLOT(S, F), .kind = FIELD_MESSAGES, .message = &M##_binding, .size = ELEMENT_SIZE(S, F),   \
                .other_offset = offsetof(struct S, F##_count), .count_max = ELEMENTS_OF(S, F)
#define MEMBER(S, F, M, D, V)                                                                  \
    SLOT(S, F), .kind = FIELD_MEMBER, .message = &M##_binding,                                 \
                .other_offset = offsetof(struct S, D), .value = (V)
#define ITEMS(S, F) .name = #F, .kind = FIELD_ITEMS, .message = &item_binding

#define MESSAGE_BINDING(M)                                                                     \
    const struct message_binding M##_binding = {                                               \
        .name = #M,                                                                            \
        .descriptor = &arbiter__##M##__descriptor,                                             \
        .fields = M##_fields,                                                                  \
        .fields_count = sizeof M##_fields / sizeof M##_fields[0],                              \
        .plain_size = sizeof(struct M),                                                        \
    }

#define VALUE(E, W)                                                                            \
    {                                                                                          \
#E, W, E                                                                               \
    }
#define ENUM_BINDING(E)                                                                        \
    const struct enum_binding E##_words = {                                                    \
        .name = #E,                                                                            \
        .descriptor = &arbiter__##E##__descriptor,                                             \
        .values = E##_values,                                                                  \
        .values_count = sizeof E##_values / sizeof E##_values[0],                              \
    }

#endif
