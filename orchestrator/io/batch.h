// SPDX-License-Identifier: Apache-2.0
/*
 * Writes that are committed together, and the messages that wait for them ("acknowledged means
 * durable"). Everything is encoded when it is added, so a batch needs nothing of the core.
 */
#ifndef ORCHESTRATOR_IO_BATCH_H
#define ORCHESTRATOR_IO_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/io/bus.h"
#include "orchestrator/core/effect.h"
#include "proto/codec.h"

enum write_kind {
    WRITE_PUT_OBJECT = 1,
    WRITE_DELETE_OBJECT = 2,
    WRITE_PUT_DECISION = 3,
    WRITE_PUT_EVENT = 4,
    WRITE_PUT_SMALL = 5, /* progress, node epoch */
    WRITE_PUT_REPLY = 6,
    WRITE_READ_EVENTS = 7, /* not a write: fills the message numbered in "message" */
    WRITE_READ_DECISIONS = 8,
};

#define WRITE_REFS_MAX (DECISION_CHANGES_MAX + 1)

struct write {
    enum write_kind kind;
    enum object_kind object_kind;
    enum stored_kind stored_kind;
    char name[NAME_SIZE]; /* of the object, the service, the node, or the principal */
    char owner[NAME_SIZE];
    uint64_t id;
    int64_t wall_ms;
    uint64_t hash;
    uint8_t request_id[REQUEST_ID_BYTES];
    size_t body; /* offset in batch->bodies */
    size_t body_size;
    uint32_t refs; /* PUT_DECISION: first of its names in batch->refs ... */
    uint32_t refs_count;
    uint32_t message;        /* READ_*: index of the reply that the items go to */
    struct request *request; /* READ_*: owned copy of the filters */
};

enum message_target {
    TARGET_NONE = 0, /* not sent any more */
    TARGET_ROUTE_CONTROL = 1,
    TARGET_ROUTE_API = 2,
    TARGET_EVENTS = 3,
};

struct held_message {
    enum message_target target;
    struct bus_route route;
    char node[NAME_SIZE];
    size_t body; /* offset in batch->bodies; own is used instead when it has data */
    size_t body_size;
    struct bytes own;    /* replies whose items are read by the store */
    struct reply *reply; /* head of such a reply, for its cursor; owned */
    bool is_change;      /* the answer to a request that changes something */
    uint32_t lease_ms;   /* of a grant, else 0 */
    uint8_t request_id[REQUEST_ID_BYTES];
};

/* A change by its hashes: of principal and request id, and of its content. */
struct batch_request {
    uint64_t key;
    uint64_t content;
};

struct batch {
    int code;               /* of the commit: 0, -ENOSPC, -EIO */
    uint32_t answers_count; /* messages to clients */
    uint32_t writes_count;  /* including reads */
    uint32_t changes_count; /* without reads */
    uint32_t writes_capacity;
    struct write *writes;
    uint32_t messages_count;
    uint32_t messages_capacity;
    struct held_message *messages;
    uint32_t refs_count;
    uint32_t refs_capacity;
    char (*refs)[NAME_SIZE];
    uint32_t requests_count;
    uint32_t requests_capacity;
    struct batch_request *requests; /* answered in this batch */
    struct bytes bodies;
    struct bytes encoded;         /* scratch: one record */
    struct stored_record *record; /* scratch: large, so allocated once */
};

struct batch *batch_create(void);
void batch_destroy(struct batch *batch);
void batch_clear(struct batch *batch);

/* Adds a write of one effect (PUT_*, DELETE_OBJECT). 0 or -ENOMEM, -EINVAL with err. */
int batch_add_write(struct batch *batch, const struct effect *effect, struct err *err);

/* Adds a message that waits; data is copied. NULL on -ENOMEM. */
struct held_message *batch_add_message(struct batch *batch, enum message_target target,
                                       const void *data, size_t size);

/* Adds a reply whose items come from the store. */
int batch_add_read(struct batch *batch, enum write_kind kind, const struct effect *effect,
                   struct bus_route route);

/* What is to be sent of a held message. */
void batch_message_data(const struct batch *batch, const struct held_message *message,
                        const void **data, size_t *size);

/*
 * The request that this batch answers under a request id (or, once in 2^64, one that looks like
 * it); NULL: none. Valid until something is added.
 */
const struct batch_request *batch_find_request(const struct batch *batch, const char *principal,
                                               const uint8_t request_id[REQUEST_ID_BYTES]);

#endif
