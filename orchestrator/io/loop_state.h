// SPDX-License-Identifier: Apache-2.0
/* The inside of the loop, shared by the files named below only. */
#ifndef ORCHESTRATOR_IO_LOOP_STATE_H
#define ORCHESTRATOR_IO_LOOP_STATE_H

#include "common/io/bus.h"
#include "common/io/keys.h"
#include "common/table.h"
#include "orchestrator/io/batch.h"
#include "orchestrator/io/loop.h"
#include "orchestrator/io/metrics_http.h"
#include "orchestrator/io/solver.h"
#include "orchestrator/io/store.h"
#include "proto/text.h"

/* Answers that are committed together, and how much may wait while the store fails before the
 * core starts anew from what is stored. */
#define BATCH_ANSWERS_MAX 512
#define BATCH_BYTES_MAX   (16u << 20)

/* A node as the loop sees it: where its answers go, and its HELLO for a core that starts anew.
 */
struct peer {
    char node[NAME_SIZE];
    struct bus_route route;
    struct bytes hello;
    int64_t heard_at_ms; /* on the control socket */
    uint32_t lease_ms;   /* of the newest grant that it was sent; 0: none since its HELLO */
    uint64_t sent;       /* sequence numbers of what we send it */
};

/* What is dropped or answered without the core. */
enum refusal_kind {
    REFUSAL_AGENT_MESSAGE, /* undecodable, or on the wrong socket */
    REFUSAL_NODE_LIMIT,
    REFUSAL_REQUEST, /* undecodable, or wrong in itself */
    REFUSAL_STORE,   /* no space, or the store fails */
    REFUSAL_CONNECTION,
    REFUSAL_COUNT,
};
struct refusal {
    uint64_t count;
    uint64_t told;
    int64_t told_at_ms;
};

struct loop {
    struct loop_settings settings;
    struct key_pair own;
    struct keyring *keyring;
    int64_t keyring_changed; /* of the file, ns */
    struct bus_socket *control;
    struct bus_socket *telemetry;
    struct bus_socket *api;
    struct bus_socket *events;
    int signal_fd;
    bool stopping;

    const struct store_driver *store_driver;
    struct store *store;
    struct batch *open;       /* collects */
    struct batch *committing; /* the store's, or to be tried again; NULL: idle */
    struct batch *spare;
    int failing;         /* what the newest commit ended with, while it failed */
    bool retry;          /* committing failed and is tried again ... */
    int64_t retry_at_ms; /* ... then; also when failing: no change is accepted before */

    struct solver *solver;
    struct cluster *cluster;
    struct effects *effects;
    uint64_t epoch;
    uint64_t events_sent;
    struct table peers; /* struct peer */

    struct bus_route request_route; /* of the request in the present step */
    struct bytes scratch;           /* one encoded message, or the items of a reply */
    struct bytes head;              /* a whole reply */
    struct item *item;
    struct node_message *incoming; /* decoding targets; large, allocated once */
    struct request *request;
    struct stored_reply *previous;
    struct text_mistakes *mistakes;

    int64_t now_ms;  /* boot time of the present turn */
    int64_t wall_ms; /* the same by the calendar */
    int64_t housekeeping_at_ms;
    uint32_t agent_messages;     /* since the last housekeeping */
    bool agents_are_many;        /* so many that their messages are taken in batches ... */
    int64_t agents_rest_till_ms; /* ... the next one not before this */
    struct refusal refusals[REFUSAL_COUNT];
    uint64_t refused_connections; /* as last told */
    uint64_t unsent;
    struct metrics_http *metrics;
    struct metrics_counters counters;
    int64_t commit_began_us;
};

/* ---- refusals.c: counted always, told at most once a second per kind ---- */
void refusals_note(struct loop *loop, enum refusal_kind kind, const char *who, const char *why);
const char *refusals_word(enum refusal_kind kind);
/* What the bus and the guard refused since the last look. */
void refusals_of_bus(struct loop *loop);

/* ---- metrics_serve.c ---- */
int metrics_open(struct loop *loop, struct err *err);
void metrics_serve(struct loop *loop);

/* ---- loop.c ---- */
/* One step with this event (its clocks are filled in) and all its effects. */
int loop_step(struct loop *loop, struct cluster_event *event, struct err *err);

/* ---- receive.c: from sockets to events ---- */
int receive_control(struct loop *loop, struct err *err);
int receive_telemetry(struct loop *loop, struct err *err);
int receive_api(struct loop *loop, struct err *err);
/* No more answers fit into the open batch. */
bool receive_api_is_full(const struct loop *loop);

/* ---- perform.c: from effects to sockets and store ---- */
int perform_effects(struct loop *loop, struct err *err);
/* Sends what a durable batch held back. */
void perform_release(struct loop *loop, const struct batch *batch);
/* Answers every request of a batch that could not be stored; none is answered again later. */
void perform_refuse(struct loop *loop, struct batch *batch, int code);
/* A reply of the loop's own, not of the core. */
void perform_reply_now(struct loop *loop, const struct bus_route *route,
                       const struct reply *reply);

/* ---- restore.c: from the store to a core ---- */
int restore_start(struct loop *loop, struct err *err);
/* After a failed commit: a new core from what is durable, with the nodes that are connected. */
int restore_reload(struct loop *loop, struct err *err);

/* ---- peers.c ---- */
struct peer *peers_heard(struct loop *loop, const char *node, const struct bus_route *route);
struct peer *peers_find(struct loop *loop, const char *node);

#endif
