// SPDX-License-Identifier: Apache-2.0
/*
 * The world of timeline.h as data: its nodes with the truth about their VMs, its store, and
 * what was told and sent in it.
 */
#ifndef TESTS_ORCHESTRATOR_CORE_TIMELINE_WORLD_H
#define TESTS_ORCHESTRATOR_CORE_TIMELINE_WORLD_H

#include <stdio.h>
#include <string.h>

#include "orchestrator/core/state.h"
#include "timeline_wire.h"

#define NODES_MAX    8
#define NODE_VMS_MAX 32
#define STEP_MS      10
#define TOLD_MAX     4096
#define SENT_MAX     4096

struct node_vm {
    bool used;
    struct vm_order order;   /* newest accepted */
    uint64_t done;           /* newest operation that is effective */
    int64_t effective_at_ms; /* of the order under way; 0: none */
    bool runs;               /* the truth */
    uint64_t runs_generation;
    enum isolation runs_isolation;
    enum run_state state;
    uint64_t fenced_operation; /* not started again for this or an older one */
    uint64_t memory;           /* what the guest holds: another number for each start anew */
    uint64_t memory_kib;       /* of the newest order that took effect */
    bool waits;                /* for its stream */
    bool handed_over;
};

struct test_node {
    char name[NAME_SIZE];
    struct wire up;
    struct wire down;
    bool powered;
    bool agent; /* its process lives */
    bool lists_absent;
    bool waits_for_lease; /* keeps a start order until a lease comes, instead of refusing it */
    bool ignores_orders;
    uint32_t lives;
    char incarnation[NAME_SIZE];
    uint32_t capabilities;
    double clock_rate; /* own milliseconds per real one */
    uint32_t boot_ms;
    struct node_vm vms[NODE_VMS_MAX];
    uint32_t entries_count;
    struct entry_status entries[ENTRY_SERVERS_MAX];
    struct entry_order entry_orders[ENTRY_SERVERS_MAX];
    /* agent's memory */
    uint64_t epoch_seen;
    bool welcome;
    uint64_t sequence; /* of renewals */
    uint64_t granted_epoch;
    uint64_t granted_sequence;
    uint64_t snapshot_number;
    uint64_t telemetry;
    double lease_until; /* own clock */
    bool parked;
    uint64_t parked_epoch;
    int64_t renew_at_ms;
    int64_t snapshot_at_ms;
    uint32_t fences;
    uint32_t streams_broken; /* that many break in their middle */
};

struct sent_record {
    int64_t at_ms;
    char node[NAME_SIZE];
    enum node_message_type type;
    struct vm_order vm_order;
    struct grant grant;
    uint64_t epoch;
};

struct world {
    struct cluster *cluster;
    struct cluster_config config;
    struct effects *effects;
    int64_t now_ms;
    bool stopped; /* the orchestrator's process does not run or is halted */
    uint64_t epoch;
    uint64_t next_event;
    uint64_t next_decision;
    struct rng rng;
    struct test_node nodes[NODES_MAX];
    uint32_t nodes_count;
    uint64_t memories;
    /* the store */
    uint32_t objects_count;
    struct object objects[256];
    uint32_t epochs_count;
    struct node_epoch epochs[NODES_MAX];
    /* what was told and sent */
    uint32_t told_count;
    struct event_record told[TOLD_MAX];
    uint32_t sent_count;
    struct sent_record sent[SENT_MAX];
};

static UNUSED double own_clock(const struct world *world, const struct test_node *node)
{
    return (double)world->now_ms * node->clock_rate;
}

static UNUSED struct test_node *node_named(struct world *world, const char *name)
{
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        if (strcmp(world->nodes[i].name, name) == 0) {
            return &world->nodes[i];
        }
    }
    return NULL;
}

static UNUSED struct test_node *world_add_node(struct world *world, const char *name)
{
    struct test_node *node = &world->nodes[world->nodes_count++];
    memset(node, 0, sizeof *node);
    (void)snprintf(node->name, sizeof node->name, "%s", name);
    wire_init(&node->up);
    wire_init(&node->down);
    node->powered = true;
    node->agent = true;
    node->clock_rate = 1.0;
    node->boot_ms = 200;
    node->lists_absent = true;
    node->capabilities = CAPABILITY_CREATE | CAPABILITY_SHUTDOWN | CAPABILITY_CAP |
                         CAPABILITY_MEMORY | CAPABILITY_SELF_FENCE | CAPABILITY_MODEL;
    node->lives = 1;
    (void)snprintf(node->incarnation, sizeof node->incarnation, "%s-1", name);
    node->renew_at_ms = world->now_ms;
    return node;
}

#endif
