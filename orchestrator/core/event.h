// SPDX-License-Identifier: Apache-2.0
/*
 * Everything that can happen to the orchestrator. An event belongs to the caller before and
 * after the step; the core copies what it keeps. Both clocks are passed in: now_ms never jumps
 * (boot time) and drives every decision; wall_ms is only shown to people and stored.
 */
#ifndef ORCHESTRATOR_CORE_EVENT_H
#define ORCHESTRATOR_CORE_EVENT_H

#include "common/message/client_message.h"
#include "common/message/node_message.h"
#include "common/message/stored_record.h"
#include "schedulers/allocation.h"

enum cluster_event_type {
    CLUSTER_EVENT_LOAD = 1,    /* one record of the store; only before START */
    CLUSTER_EVENT_START = 2,   /* all records are loaded; the new epoch is durable */
    CLUSTER_EVENT_TICK = 3,    /* the deadline that cluster_deadline_ms() asked for, or later */
    CLUSTER_EVENT_NODE = 4,    /* a message of an agent, over either socket */
    CLUSTER_EVENT_REQUEST = 5, /* of a client */
    CLUSTER_EVENT_SOLVED = 6,  /* the worker's answer to EFFECT_SOLVE */
    CLUSTER_EVENT_LATE =
        7, /* the loop itself was stopped for late_ms: judge nobody by the past */
    CLUSTER_EVENT_STOP = 8, /* a clean stop: park every node */
};

struct cluster_event {
    enum cluster_event_type type;
    int64_t now_ms;
    int64_t wall_ms;
    union {
        const struct stored_record *load;
        struct {
            uint64_t epoch;
            uint64_t next_event;    /* first free id of the event log */
            uint64_t next_decision; /* first free id of the ledger */
            /* 0: the first of this epoch. A core that takes over from another one within the
             * epoch goes on behind it: its operations and uuids must be others. */
            uint64_t first_operation;
        } start;
        struct {
            const char *name; /* of the node, from the sender's key */
            const struct node_message *message;
        } node;
        struct {
            const char *principal; /* from the sender's key */
            enum role role;
            uint64_t token; /* comes back in EFFECT_REPLY */
            const struct request *request;
            uint64_t content_hash;               /* of the encoded request without header */
            const struct stored_reply *previous; /* stored under the same id; NULL: none */
        } request;
        struct {
            uint64_t revision; /* of the EFFECT_SOLVE that it answers */
            int code;          /* of allocation_solve() */
            const struct err *err;
            const struct allocation_answer *answer;
            uint32_t took_us;
            const struct escalation_judgement *judgements; /* one a candidate, or none */
            uint32_t judgements_count;
        } solved;
        uint32_t late_ms;
    };
};

#endif
