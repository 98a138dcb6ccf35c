// SPDX-License-Identifier: Apache-2.0
/*
 * The two lanes of a driver that calls a library which may block (libvirt, libxl): queues with
 * threads of their own, so that a long call (create, shutdown, suspend) never delays a short
 * one (cap, memory, list), and so that a hypervisor that hangs never stops the agent. A call
 * whose deadline has passed completes with -ETIMEDOUT at once, even while its thread still
 * waits; what that thread brings later is dropped, and until then the lane of that VM stays
 * taken.
 */
#ifndef NODE_AGENT_IO_DRIVER_LANES_H
#define NODE_AGENT_IO_DRIVER_LANES_H

#include <stdint.h>

#include "common/err.h"
#include "node-agent/core/hypervisor_call.h"

enum lane_kind { LANE_SHORT = 0, LANE_LONG = 1, LANE_COUNT };

#define LANE_THREADS  HYPERVISOR_LONG_CALLS_MAX
#define LANE_JOBS_MAX (2 * VMS_PER_NODE_MAX + 16) /* in both lanes, abandoned ones included */

struct lanes;

/*
 * Does one call in a thread of its lane. out->id and out->kind are filled; it fills the rest. A
 * list that it allocates is released by the lanes.
 */
typedef void (*lane_work)(void *context, enum lane_kind lane,
                          const struct hypervisor_call *call,
                          struct hypervisor_completion *out);

/* NULL with err when threads or descriptors are short. context must outlive the threads. */
struct lanes *lanes_create(lane_work work, void *context, struct err *err);

/*
 * Stops the threads. 0: all have ended and everything is released. -EBUSY: a thread still waits
 * for its library after wait_ms; lanes and context must then stay allocated until the process
 * ends.
 */
int lanes_destroy(struct lanes *lanes, int64_t wait_ms);

/* -EINVAL: no VM's name and uuid; -EBUSY: this VM's lane is taken; -ENOSPC: LANE_JOBS_MAX. */
int lanes_start(struct lanes *lanes, const struct hypervisor_call *call, struct err *err);

int lanes_fd(const struct lanes *lanes);

/* The earliest deadline of a call that nobody has answered yet, boot-time ms; INT64_MAX: none.
 */
int64_t lanes_deadline_ms(struct lanes *lanes);

/* See hypervisor_driver.complete. */
int lanes_complete(struct lanes *lanes, int64_t now_ms, struct hypervisor_completion *out);

#endif
