// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's core: what one node should run, what it runs, and one step function. No clock, no
 * I/O. The daemon and the simulator run this same code; the simulator answers its hypervisor
 * calls from host_model.h.
 *
 * It brings each VM into the state of its newest order, one long and one short call at a time,
 * reads every change back, and reports accepted and effective apart. It refuses orders of an
 * older epoch or generation. It keeps the lease and, when that runs out, ends protected VMs
 * (isolation fence).
 */
#ifndef NODE_AGENT_CORE_AGENT_H
#define NODE_AGENT_CORE_AGENT_H

#include <stddef.h>

#include "common/err.h"
#include "common/message/node_message.h"
#include "node-agent/core/hypervisor_call.h"

struct agent;

struct agent_config {
    char node[NAME_SIZE];
    char incarnation[NAME_SIZE];
    uint32_t capabilities;            /* of the driver and the roles of this agent */
    char bridge[NAME_SIZE];           /* default bridge; empty: guests get no network */
    char address_first[ADDRESS_SIZE]; /* pool of IPv4 addresses for guests; empty: none */
    char address_last[ADDRESS_SIZE];
    uint32_t address_prefix; /* length, e.g. 24 */
    char address_gateway[ADDRESS_SIZE];
    uint32_t sample_ms; /* how often the driver is asked for a list; default 1 s */
    bool list_at_start; /* always true but in tests */
    char migrate_address[ADDRESS_SIZE]; /* of this host, for other agents; empty: VMs do not
                                           go over running */
    bool fence_outlives; /* an armed fence goes on when this process ends: a hypervisor's */
};

/* What must survive a restart of the agent; kept in its state folder by the loop. */
struct agent_memory {
    uint64_t epoch_seen;
    bool parked; /* its lease ends nothing: until the next grant */
    uint32_t vms_count;
    struct vm_order orders[VMS_PER_NODE_MAX];       /* newest of each VM here, to adopt by */
    char addresses[VMS_PER_NODE_MAX][ADDRESS_SIZE]; /* of orders[i] */
    uint32_t entries_count;
    struct entry_order entries[ENTRY_SERVERS_MAX];
    uint32_t lent_count;
    char lent[VMS_PER_NODE_MAX]
             [ADDRESS_SIZE]; /* of our pool, that VMs took along; oldest first */
};

enum agent_event_type {
    AGENT_EVENT_START = 1,
    AGENT_EVENT_TICK = 2,
    AGENT_EVENT_MESSAGE = 3,   /* of the orchestrator */
    AGENT_EVENT_COMPLETED = 4, /* a hypervisor call ended */
    AGENT_EVENT_REFUSED = 5,   /* a hypervisor call could not be begun */
    AGENT_EVENT_IMAGE = 6,     /* a fetch ended */
    AGENT_EVENT_ENTRY = 7,     /* the gateway reports one entry point */
    AGENT_EVENT_METRICS = 8,   /* measured by the gateway */
    AGENT_EVENT_STATUS = 9,    /* the driver's capacity, read anew */
    AGENT_EVENT_LATE = 10,     /* the loop was stopped for late_ms */
    AGENT_EVENT_STOP = 11,     /* a clean stop: guests go on; see agent_has_stopped() */
};

struct agent_event {
    enum agent_event_type type;
    int64_t now_ms; /* boot time */
    union {
        const struct agent_memory *start; /* NULL: nothing is known */
        const struct node_message *message;
        const struct hypervisor_completion *completed;
        struct {
            uint64_t id;
            int code;
            const struct err *err;
        } refused;
        struct {
            char image[NAME_SIZE];
            int code; /* 0: verified, at path */
            enum reason reason;
            const char *path;
            const char *text;
        } image;
        const struct entry_status *entry;
        const struct metrics *metrics;
        const struct node_status *status;
        uint32_t late_ms;
    };
};

enum agent_effect_type {
    AGENT_EFFECT_SEND = 1,     /* over the control socket */
    AGENT_EFFECT_PUBLISH = 2,  /* over the telemetry socket; may be lost */
    AGENT_EFFECT_CALL = 3,     /* start a hypervisor call */
    AGENT_EFFECT_FETCH = 4,    /* fetch and verify an image */
    AGENT_EFFECT_REMEMBER = 5, /* store agent_memory durably, before later effects */
    AGENT_EFFECT_ENTRY = 6,    /* to the gateway: make it so */
    AGENT_EFFECT_ARM = 7, /* self_fence drivers: the host must die unless armed again; nothing
                             that follows may start a protected VM if it fails */
    AGENT_EFFECT_LOG = 8, /* one line for the log */
};

struct agent_effect {
    enum agent_effect_type type;
    union {
        struct node_message *message; /* the loop fills header.sequence */
        struct hypervisor_call *call;
        struct {
            char image[NAME_SIZE];
            char source[URL_SIZE];
            char sha256[SHA256_SIZE];
        } fetch;
        const struct agent_memory *memory; /* the core's, valid until the next step */
        const struct entry_order *entry;
        int64_t arm_until_ms; /* boot time; 0: disarm */
        struct {
            int level; /* of common/io/log.h: 0 error, 1 warn, 2 info, 3 debug */
            char text[TEXT_SIZE * 2];
        } log;
    };
};

#define AGENT_EFFECTS_MAX 1024
struct agent_effects {
    uint32_t count;
    size_t arena_used;
    size_t arena_size;
    unsigned char *arena;
    struct agent_effect items[AGENT_EFFECTS_MAX];
};
struct agent_effects *agent_effects_create(void);
void agent_effects_destroy(struct agent_effects *effects);
void agent_effects_clear(struct agent_effects *effects);

/* NULL with err on -ENOMEM or a config out of range. */
struct agent *agent_create(const struct agent_config *config, struct err *err);
void agent_destroy(struct agent *agent);

/* Effects are appended to out, which the caller has cleared; in list order. */
void agent_step(struct agent *agent, const struct agent_event *event,
                struct agent_effects *out);

/* After STOP: true once nothing is left to do. Until then an armed fence would end the host,
 * and the orchestrator is asked to let the lease go. */
bool agent_has_stopped(const struct agent *agent);

/* When the next TICK is wanted; INT64_MAX: never. */
int64_t agent_deadline_ms(const struct agent *agent);

/* For a status line: VMs running, lease left in ms (-1: none). */
void agent_summary(const struct agent *agent, int64_t now_ms, uint32_t *vms_running,
                   int64_t *lease_left_ms);

#endif
