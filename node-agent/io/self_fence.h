// SPDX-License-Identifier: Apache-2.0
/*
 * The fence of a model host: its guests live in this process, so the kernel is told to kill the
 * process when the lease has run out. A hung or stopped agent dies as well; nothing in the
 * process needs to run.
 */
#ifndef NODE_AGENT_IO_SELF_FENCE_H
#define NODE_AGENT_IO_SELF_FENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/err.h"

struct self_fence {
    bool made;
    timer_t timer;
};

/* The process dies at until_ms (boot time) unless armed again before; 0: disarmed. 0 or
 * negative errno. */
int self_fence_arm(struct self_fence *fence, int64_t until_ms, struct err *err);

#endif
