// SPDX-License-Identifier: Apache-2.0
/*
 * Between an agent and the orchestrator. Over DEALER/ROUTER: everything but heartbeat and
 * metrics, which an agent publishes and which may be lost. The sender is known from its key,
 * never from here.
 */
#ifndef COMMON_MESSAGE_NODE_MESSAGE_H
#define COMMON_MESSAGE_NODE_MESSAGE_H

#include "common/message/header.h"
#include "common/model/entry_order.h"
#include "common/model/metric.h"
#include "common/model/node_status.h"
#include "common/model/vm.h"

enum node_message_type {
    NODE_MESSAGE_UNSPECIFIED = 0,
    /* from agents */
    NODE_MESSAGE_HELLO = 1,
    NODE_MESSAGE_RENEW = 2,
    NODE_MESSAGE_SNAPSHOT = 3,
    NODE_MESSAGE_RESULT = 4,
    NODE_MESSAGE_HEARTBEAT = 5,
    NODE_MESSAGE_METRICS = 6,
    NODE_MESSAGE_LEAVE = 7,
    /* to agents */
    NODE_MESSAGE_WELCOME = 16,
    NODE_MESSAGE_GRANT = 17,
    NODE_MESSAGE_VM_ORDER = 18,
    NODE_MESSAGE_ENTRY_ORDER = 19,
    NODE_MESSAGE_PARK = 20,
};

/* First message of an agent, and again until a WELCOME of the present epoch came. */
struct hello {
    char incarnation[NAME_SIZE]; /* boot id and start counter */
    struct node_status status;
    uint64_t epoch_seen; /* newest epoch that this agent ever accepted */
};

/*
 * Asks for a lease. The agent counts its lease from the instant at which it sent this, the
 * orchestrator from the instant at which it received it plus a margin for clock drift.
 */
struct renew {
    char incarnation[NAME_SIZE];
    uint64_t sequence;
    int64_t sent_at_ms; /* sender's boot-time clock; comes back in the grant */
    uint64_t
        granted_epoch; /* epoch and sequence of the newest grant received: an acknowledgement */
    uint64_t granted_sequence;
    uint32_t protected_vms; /* running VMs with isolation fence */
};

struct grant {
    uint64_t sequence;
    int64_t sent_at_ms;
    uint32_t lease_ms;
};

/* The whole truth of a node; replaces what was known, never patches it. */
struct snapshot {
    char incarnation[NAME_SIZE];
    uint64_t number; /* rises; an older one that arrives late is dropped */
    struct node_status status;
    uint32_t vms_count;
    struct vm_status vms[VMS_PER_NODE_MAX];
    uint32_t entries_count;
    struct entry_status entries[ENTRY_SERVERS_MAX];
};

enum result_state {
    RESULT_STATE_UNSPECIFIED = 0,
    RESULT_STATE_REFUSED = 1,   /* not begun; reason says why */
    RESULT_STATE_ACCEPTED = 2,  /* begun */
    RESULT_STATE_EFFECTIVE = 3, /* read back */
    RESULT_STATE_FAILED = 4,
};

struct result {
    uint64_t operation;
    char vm[NAME_SIZE];
    uint64_t generation;
    enum result_state state;
    enum reason reason;
    uint32_t took_ms;
    char text[TEXT_SIZE * 2]; /* with the hypervisor's own lines */
};

/*
 * The agent is stopped on purpose and its VMs go on: answered by PARK. From then on its lease
 * proves nothing, so that its VMs are started nowhere else before it spoke again.
 */
struct leave {
    char incarnation[NAME_SIZE];
};

struct heartbeat {
    char incarnation[NAME_SIZE];
    uint32_t vms_running;
    uint32_t lateness_ms; /* of the agent's own loop: a slow observer judges nobody */
};

struct metrics {
    uint32_t metrics_count;
    struct metric metrics[METRICS_PER_MESSAGE_MAX];
};

struct welcome {
    char node[NAME_SIZE]; /* the name that belongs to the agent's key */
    uint32_t lease_ms;
    uint32_t renew_ms;
    uint32_t snapshot_ms;
    uint32_t metrics_ms;
};

/* The orchestrator goes away on purpose, or answers LEAVE: disarm fences; this node's VMs are
 * started nowhere else before it has spoken again. */
struct park {
    char why[NAME_SIZE];
};

struct node_message {
    struct header header;
    enum node_message_type type;
    union {
        struct hello hello;
        struct renew renew;
        struct snapshot snapshot;
        struct result result;
        struct heartbeat heartbeat;
        struct metrics metrics;
        struct leave leave;
        struct welcome welcome;
        struct grant grant;
        struct vm_order vm_order;
        struct entry_order entry_order;
        struct park park;
    };
};

#endif
