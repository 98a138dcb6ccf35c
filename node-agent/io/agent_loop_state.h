// SPDX-License-Identifier: Apache-2.0
/* Inside of the agent's loop: agent_loop.c (waiting, events), agent_open.c (start),
 * agent_perform.c (effects). */
#ifndef NODE_AGENT_IO_AGENT_LOOP_STATE_H
#define NODE_AGENT_IO_AGENT_LOOP_STATE_H

#include <stdbool.h>

#include "common/io/bus.h"
#include "node-agent/core/agent.h"
#include "node-agent/io/agent_loop.h"
#include "node-agent/io/driver_module.h"
#include "node-agent/io/gateway.h"
#include "node-agent/io/image_fetch.h"
#include "node-agent/io/self_fence.h"
#include "proto/codec.h"

#define REFUSED_MAX 512u /* two calls for each VM in one step at most */

/* What the driver refused while effects were performed; told to the core afterwards. */
struct refused_call {
    uint64_t id;
    struct err err;
};

struct agent_loop {
    struct agent_settings settings;
    struct agent *agent;
    struct agent_effects *effects;
    struct driver_module module;
    struct gateway *gateway; /* NULL: this host is none */
    struct image_fetch *images;
    struct bus_socket *control;
    struct bus_socket *telemetry;
    struct self_fence fence;
    bool fence_failed; /* the newest arming did: no protected VM is started */
    struct bytes bytes;
    int state_lock; /* the state folder belongs to one agent */
    int signals;    /* signalfd */
    uint64_t control_sequence;
    uint64_t telemetry_sequence;
    int64_t status_at_ms;
    int64_t notify_at_ms;
    int64_t notify_every_ms;
    int64_t wanted_at_ms; /* when the loop meant to run again */
    char memory_path[2 * PATH_SIZE];
    char incarnation[NAME_SIZE];
    uint32_t refused_count;
    struct refused_call refused[REFUSED_MAX];
    struct hypervisor_completion completion;
    struct node_message message;
};

/* agent_perform.c: one step of the core and its effects. An error ends the agent. */
int agent_loop_step(struct agent_loop *loop, const struct agent_event *event, struct err *err);

/* agent_open.c */
int agent_loop_open(struct agent_loop *loop, struct err *err);
int agent_loop_start(struct agent_loop *loop, struct err *err);
void agent_loop_close(struct agent_loop *loop);
/* Reads the driver's capacity and hands it to the core. */
int agent_loop_status(struct agent_loop *loop, struct err *err);

#endif
