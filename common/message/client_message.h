// SPDX-License-Identifier: Apache-2.0
/*
 * The client API: one request, one reply. A request that changes something carries a
 * request_id; the same id with the same content gets the same answer again, with other content
 * CONFLICT. A reply to a change is sent only once the change is durable.
 */
#ifndef COMMON_MESSAGE_CLIENT_MESSAGE_H
#define COMMON_MESSAGE_CLIENT_MESSAGE_H

#include "common/message/header.h"
#include "common/model/decision.h"
#include "common/model/entry_order.h"
#include "common/model/metric.h"
#include "common/model/node_status.h"
#include "common/model/object.h"

enum method {
    METHOD_UNSPECIFIED = 0,
    /* reading */
    METHOD_GET = 1,       /* objects of a kind, one or all */
    METHOD_STATUS = 2,    /* items: one cluster_status, then service_status, then node_view */
    METHOD_EVENTS = 3,    /* items: event_record, after an id */
    METHOD_DECISIONS = 4, /* items: decision, newest last; of a service, a node or by id */
    METHOD_METRICS = 5,   /* items: metric_value */
    METHOD_PLAN = 6,      /* what PUT would do; items: placement */
    /* changing */
    METHOD_PUT = 16,
    METHOD_DELETE = 17,
    METHOD_SET_VM = 18,    /* by hand: cap, weight, vcpus, memory, rates of one VM */
    METHOD_SET_STATE = 19, /* run state of a VM, or of all VMs of a service */
    METHOD_REBOOT = 20,
    METHOD_MOVE = 21,
    METHOD_CORDON = 22,
    METHOD_UNCORDON = 23,
    METHOD_DRAIN = 24,
    METHOD_CONFIRM_DEAD = 25,
    METHOD_MODE = 26,
};

enum role {
    ROLE_UNSPECIFIED = 0,
    ROLE_ADMINISTRATOR = 1,
    ROLE_PROVIDER = 2,
    ROLE_OBSERVER = 3,
    ROLE_AGENT = 4,
};
#define ROLE_COUNT 5

struct set_vm {
    uint32_t cap_pct; /* each 0: leave as it is */
    uint32_t weight;
    uint32_t vcpus;
    uint64_t memory_kib;
    uint64_t net_rate_kib_s;
    uint64_t disk_rate_kib_s;
    bool release_cap; /* give the cap back to the manager */
    bool no_net_rate; /* take the limit away */
    bool no_disk_rate;
};

struct request {
    struct header header;
    uint8_t request_id[REQUEST_ID_BYTES]; /* all zero: none (reading only) */
    enum method method;
    enum object_kind kind;
    char name[NAME_SIZE]; /* of the object; empty: all */
    /* Filters; each empty: no filter. With kind PROFILE service means: not the profiles that
     * are stored, but what was measured of this service while it ran, as a profile. */
    char service[NAME_SIZE];
    char node[NAME_SIZE];
    uint64_t at_revision; /* change only if the object (PUT: the cluster, for a plan) is still
                             at it; 0: any */
    uint64_t after; /* EVENTS, DECISIONS: ids above this; GET: cursor from the last reply */
    uint32_t limit; /* items, 1..REPLY_ITEMS_MAX; 0: REPLY_ITEMS_MAX */
    int64_t since_wall_ms;
    uint64_t id; /* of one decision */
    enum run_state run_state;
    enum mode mode;
    uint32_t for_ms; /* MODE, MOVE pin: how long; 0: for good */
    bool has_set_vm;
    struct set_vm set_vm;
    bool has_object;
    struct object object;
};

/* Exit codes of the client and codes of a reply are one list. */
enum reply_code {
    REPLY_DONE = 0,
    REPLY_FAILED = 1,
    REPLY_INVALID = 2,
    REPLY_NOT_FOUND = 3,
    REPLY_DENIED = 4,
    REPLY_UNREACHABLE = 5,
    REPLY_TIME_OUT = 6,
    REPLY_INFEASIBLE = 7,
    REPLY_CONFLICT = 8,
};

/* ---- what a reply may carry besides objects ---- */

struct service_status {
    char service[NAME_SIZE];
    char owner[NAME_SIZE];
    enum service_kind kind;
    uint32_t weight; /* agreement times own */
    bool level_known;
    double level;
    double measured;       /* x = measured / target */
    double measured_value; /* ms, s of predicted finish after the start, share */
    double target_value;
    double load;
    uint32_t measurement_age_ms;
    bool met; /* level at or over the floor */
    uint32_t vms_wanted;
    uint32_t vms_running;
    uint32_t cap_pct; /* in all */
    uint32_t cap_pct_max;
    uint64_t memory_kib;
    uint64_t last_decision;
    enum reason problem;
    char problem_text[TEXT_SIZE];
    char profile[NAME_SIZE]; /* that it names */
    enum model_basis basis;  /* of what is foreseen of it */
};

enum node_state {
    NODE_STATE_UNSPECIFIED = 0,
    NODE_STATE_UNSEEN = 1, /* not in this epoch */
    NODE_STATE_UP = 2,
    NODE_STATE_SUSPECT = 3, /* heartbeats missing: nothing is placed here */
    NODE_STATE_EXPIRED = 4, /* lease and margin ran out */
    NODE_STATE_DEAD = 5,    /* confirmed by a person, or fenced itself for sure */
    NODE_STATE_PARKED = 6,
};

struct node_view {
    char node[NAME_SIZE];
    enum node_state state;
    bool cordoned;
    bool draining;
    struct node_status status;
    uint32_t cpu_pct_granted;
    uint64_t memory_kib_granted;
    uint32_t vms;
    uint32_t heartbeat_age_ms;
    uint64_t metrics_lost; /* gaps in the sequence numbers of its messages */
};

struct cluster_status {
    enum mode mode;
    uint64_t epoch;
    uint64_t revision;
    uint32_t services;
    uint32_t services_met;
    uint32_t services_unknown;
    uint32_t vms;
    uint32_t nodes;
    uint32_t nodes_up;
    double sigma;      /* product of level^weight over the services whose level is known */
    double mean_level; /* weighted geometric mean of the same */
    uint64_t decisions;
    uint64_t decisions_without_change;
    uint64_t newest_event;
};

struct metric_value {
    char node[NAME_SIZE]; /* that measured it */
    struct metric metric;
};

/* One row of a plan: a VM and where it would go, or a node and what it is short of. */
struct placement {
    char vm[NAME_SIZE]; /* empty: a row about a node that cannot take it */
    char node[NAME_SIZE];
    enum reason reason; /* REASON_NONE: fits */
    uint64_t needed;    /* in the unit of the reason: percent of a CPU, KiB */
    uint64_t available;
    uint32_t cap_pct;
    uint64_t memory_kib;
    bool remove;
    bool change;
};

enum item_kind {
    ITEM_KIND_UNSPECIFIED = 0,
    ITEM_KIND_OBJECT = 1,
    ITEM_KIND_VM_STATUS = 2, /* follows the vm object that it belongs to */
    ITEM_KIND_SERVICE_STATUS = 3,
    ITEM_KIND_NODE_VIEW = 4,
    ITEM_KIND_CLUSTER_STATUS = 5,
    ITEM_KIND_EVENT = 6,
    ITEM_KIND_DECISION = 7,
    ITEM_KIND_METRIC = 8,
    ITEM_KIND_PLACEMENT = 9,
};

struct item {
    enum item_kind kind;
    union {
        struct object object;
        struct vm_status vm_status;
        struct service_status service_status;
        struct node_view node_view;
        struct cluster_status cluster_status;
        struct event_record event;
        struct decision decision;
        struct metric_value metric;
        struct placement placement;
    };
};

/* Without its items, which are encoded one by one behind it (same bytes as a repeated field).
 */
struct reply {
    struct header header;
    uint8_t request_id[REQUEST_ID_BYTES];
    enum reply_code code;
    enum reason reason;
    char text[TEXT_SIZE * 2]; /* WHAT: WHY; empty when done and nothing to say */
    uint64_t revision;        /* of the cluster after this request */
    uint64_t next;            /* cursor for more items; 0: that was all */
    uint64_t operation;       /* begun by this request; 0: none */
    uint32_t retry_after_ms;
    uint32_t facts_count;
    char facts[FACTS_MAX][TEXT_SIZE];
    uint32_t hints_count;
    char hints[FACTS_MAX][TEXT_SIZE];
};

#endif
