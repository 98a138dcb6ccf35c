// SPDX-License-Identifier: Apache-2.0
/*
 * The one impure loop of the agent: waits for the orchestrator, the driver, images, the gateway
 * and time, hands each to the core and performs what it answers, in order.
 */
#ifndef NODE_AGENT_IO_AGENT_LOOP_H
#define NODE_AGENT_IO_AGENT_LOOP_H

#include "common/err.h"
#include "node-agent/io/agent_settings.h"

struct agent_loop;

/* Opens the driver, the sockets and the state folder. NULL with err: the agent must not start.
 */
struct agent_loop *agent_loop_create(const struct agent_settings *settings, struct err *err);
void agent_loop_destroy(struct agent_loop *loop);

/* Until SIGTERM or SIGINT: 0. A negative errno when it cannot go on. */
int agent_loop_run(struct agent_loop *loop, struct err *err);

#endif
