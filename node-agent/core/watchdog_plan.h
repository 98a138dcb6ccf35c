// SPDX-License-Identifier: Apache-2.0
/*
 * What to do with a hypervisor's watchdog timer so that the host dies no later than its lease
 * ends. Such a timer (Xen's SCHEDOP_watchdog) counts whole seconds from the call, and has
 * traps: 0 seconds disarms a slot that is in use, and fires at once where none is. Pure; the
 * calls are the driver's.
 */
#ifndef NODE_AGENT_CORE_WATCHDOG_PLAN_H
#define NODE_AGENT_CORE_WATCHDOG_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#define WATCHDOG_MARGIN_MS                                                                     \
    1000                       /* the timer fires at least so long before the lease ends ...   \
                                */
#define WATCHDOG_SECONDS_MIN 1 /* ... but for a lease that is nearly over */
#define WATCHDOG_SECONDS_MAX 600
#define WATCHDOG_STALL_MS    250 /* a call that took longer set its timer too late: again */

/* What is known of the timer. */
struct watchdog_state {
    uint32_t slot;       /* as the hypervisor counts, from 1; 0: none is ours */
    int64_t fires_at_ms; /* boot time, at the latest; 0: unknown, an earlier process set it */
};

enum watchdog_act {
    WATCHDOG_KEEP = 0,    /* nothing to do */
    WATCHDOG_SET = 1,     /* slot 0: take a free one */
    WATCHDOG_RELEASE = 2, /* the slot is given back, nothing fires */
    WATCHDOG_TOO_LATE = 3 /* no whole second is left, and nothing is set that fires in time */
};

struct watchdog_step {
    enum watchdog_act act;
    uint32_t seconds; /* SET: 1 or more */
};

/* until_ms: when the lease ends, boot time; 0: nothing is to fire. */
struct watchdog_step watchdog_plan(const struct watchdog_state *state, int64_t now_ms,
                                   int64_t until_ms);

/* The clock around the call of a SET, and what it was planned for. */
struct watchdog_span {
    int64_t before_ms, after_ms;
    int64_t until_ms;
};

/*
 * After a SET: fills in the slot and the latest instant at which it fires. True: the call was
 * held up, so that this may be after the lease or uses up the margin before it: plan once more.
 */
bool watchdog_was_set(struct watchdog_state *state, uint32_t slot, uint32_t seconds,
                      const struct watchdog_span *span);

/* What is set fires by until_ms at the latest. */
bool watchdog_is_in_time(const struct watchdog_state *state, int64_t until_ms);

#endif
