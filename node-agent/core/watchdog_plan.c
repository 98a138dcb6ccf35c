// SPDX-License-Identifier: Apache-2.0
#include "node-agent/core/watchdog_plan.h"

#define SECOND_MS 1000

struct watchdog_step watchdog_plan(const struct watchdog_state *state, int64_t now_ms,
                                   int64_t until_ms)
{
    if (until_ms == 0) {
        return (struct watchdog_step){state->slot != 0 ? WATCHDOG_RELEASE : WATCHDOG_KEEP, 0};
    }
    int64_t seconds = (until_ms - now_ms - WATCHDOG_MARGIN_MS) / SECOND_MS;
    if (seconds >= WATCHDOG_SECONDS_MIN) {
        seconds = seconds > WATCHDOG_SECONDS_MAX ? WATCHDOG_SECONDS_MAX : seconds;
        return (struct watchdog_step){WATCHDOG_SET, (uint32_t)seconds};
    }
    /* Nearly over: what is set already may be in time, and a timer has no shorter time. */
    if (watchdog_is_in_time(state, until_ms)) {
        return (struct watchdog_step){WATCHDOG_KEEP, 0};
    }
    bool fits = until_ms - now_ms >= (int64_t)WATCHDOG_SECONDS_MIN * SECOND_MS;
    return (struct watchdog_step){fits ? WATCHDOG_SET : WATCHDOG_TOO_LATE,
                                  fits ? WATCHDOG_SECONDS_MIN : 0};
}

bool watchdog_was_set(struct watchdog_state *state, uint32_t slot, uint32_t seconds,
                      const struct watchdog_span *span)
{
    state->slot = slot;
    state->fires_at_ms = span->after_ms + (int64_t)seconds * SECOND_MS;
    return span->after_ms - span->before_ms > WATCHDOG_STALL_MS ||
           !watchdog_is_in_time(state, span->until_ms);
}

bool watchdog_is_in_time(const struct watchdog_state *state, int64_t until_ms)
{
    return state->slot != 0 && state->fires_at_ms != 0 && state->fires_at_ms <= until_ms;
}
