// SPDX-License-Identifier: Apache-2.0
/*
 * Everything the orchestrator's core can ask for. Effects are performed in list order; the loop
 * encodes them at once and releases what leaves the process (sends, replies) only when
 * everything stored before it is durable. Pointers are borrowed from the core or from the
 * list's own arena and are valid until the next step.
 */
#ifndef ORCHESTRATOR_CORE_EFFECT_H
#define ORCHESTRATOR_CORE_EFFECT_H

#include <stddef.h>

#include "common/message/client_message.h"
#include "common/message/node_message.h"
#include "common/message/stored_record.h"
#include "schedulers/escalation.h"

enum effect_type {
    EFFECT_PUT_OBJECT = 1, /* insert or replace */
    EFFECT_DELETE_OBJECT = 2,
    EFFECT_PUT_DECISION = 3, /* insert or replace by id */
    EFFECT_PUT_EVENT = 4,    /* append; also published to watchers once durable */
    EFFECT_PUT_PROGRESS = 5,
    EFFECT_PUT_NODE_EPOCH = 6,
    EFFECT_PUT_REPLY = 7, /* remember the answer to a request id */
    EFFECT_SEND = 8,      /* a message to an agent */
    EFFECT_REPLY = 9,     /* to a client */
    EFFECT_SOLVE = 10,    /* start the worker */
};

/* An object without a copy of its body: body points to the struct of its kind. */
struct object_ref {
    enum object_kind kind;
    const char *name;
    const char *owner;
    uint64_t revision;
    int64_t changed_wall_ms;
    const void *body;
};

/* Where the items of a reply come from. */
enum items_source {
    ITEMS_NONE = 0,
    ITEMS_CORE = 1,      /* cluster_items() */
    ITEMS_EVENTS = 2,    /* the store's event log */
    ITEMS_DECISIONS = 3, /* the store's ledger */
    ITEMS_PLAN = 4,      /* effect.reply.placements */
};

struct effect {
    enum effect_type type;
    union {
        struct object_ref object;
        const struct decision *decision;
        const struct event_record *event;
        const struct service_progress *progress;
        const struct node_epoch *node_epoch;
        const struct stored_reply *stored_reply;
        struct {
            const char *node;
            struct node_message *message; /* the loop fills header.sequence */
        } send;
        struct {
            uint64_t token;
            struct reply *reply;
            enum items_source source;
            const struct request *request; /* filters; only during this step */
            const char *owner; /* only items that this provider may read; NULL: all */
            const struct placement *placements;
            uint32_t placements_count;
        } reply;
        struct {
            uint64_t revision;
            const struct allocation_problem *problem;
            const struct escalation_candidate *candidates; /* to be judged after the answer */
            uint32_t candidates_count;
        } solve;
    };
};

#define EFFECTS_MAX         8192
#define EFFECTS_ARENA_BYTES (32u << 20) /* virtual; resident only as far as it was used */

/* One list per loop, cleared before each step. */
struct effects {
    uint32_t count;
    size_t arena_used;
    size_t arena_size;
    unsigned char *arena;
    struct effect items[EFFECTS_MAX];
};

/* NULL when there is no memory. */
struct effects *effects_create(void);
void effects_destroy(struct effects *effects);
void effects_clear(struct effects *effects);

/* True while a step may still add this many effects: callers stop early and go on at the next
 * tick. */
_Bool effects_room(const struct effects *effects, uint32_t count);

/* Appends and returns a zeroed effect. There must be room (asserted). */
struct effect *effects_add(struct effects *effects, enum effect_type type);

/* Zeroed memory that lives until the next clear. There must be room (asserted). */
void *effects_alloc(struct effects *effects, size_t size);

#endif
