// SPDX-License-Identifier: Apache-2.0
/*
 * What the store keeps. Objects, decisions and events have tables of their own; the rest of the
 * core's durable state is a few small records by key.
 */
#ifndef COMMON_MESSAGE_STORED_RECORD_H
#define COMMON_MESSAGE_STORED_RECORD_H

#include "common/message/client_message.h"

enum stored_kind {
    STORED_KIND_UNSPECIFIED = 0,
    STORED_KIND_OBJECT = 1,
    STORED_KIND_DECISION = 2,
    STORED_KIND_EVENT = 3,
    STORED_KIND_PROGRESS = 4,
    STORED_KIND_NODE_EPOCH = 5,
    STORED_KIND_REPLY = 6,
};

/* Of a queue: what earlier generations of its VMs had done, and when it began. */
struct service_progress {
    char service[NAME_SIZE];
    int64_t started_wall_ms;
    uint64_t tasks_done_before; /* by generations that ended */
};

/* What is known about a node's life over restarts of the orchestrator. */
struct node_epoch {
    char node[NAME_SIZE];
    uint64_t acknowledged_epoch; /* newest epoch in which it acknowledged a lease */
    bool confirmed_dead;         /* by a person; cleared when it says hello */
    bool parked;
};

/* The answer to a request id, kept 24 h. */
struct stored_reply {
    char principal[NAME_SIZE];
    uint8_t request_id[REQUEST_ID_BYTES];
    uint64_t content_hash;
    int64_t wall_ms;
    struct reply reply;
};

struct stored_record {
    uint32_t version; /* of this layout: 1 */
    enum stored_kind kind;
    union {
        struct object object;
        struct decision decision;
        struct event_record event;
        struct service_progress progress;
        struct node_epoch node_epoch;
        struct stored_reply reply;
    };
};

#endif
