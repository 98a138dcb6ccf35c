// SPDX-License-Identifier: Apache-2.0
/* The host dies no later than its lease ends, and never by mistake. */
#include <criterion/criterion.h>

#include "node-agent/core/watchdog_plan.h"

static struct watchdog_step plan(uint32_t slot, int64_t fires_at_ms, int64_t left_ms)
{
    struct watchdog_state state = {.slot = slot, .fires_at_ms = fires_at_ms};
    return watchdog_plan(&state, 100000, left_ms == 0 ? 0 : 100000 + left_ms);
}

Test(watchdog_plan, a_lease_of_15_s_arms_14_s_and_its_odd_part_is_dropped)
{
    cr_assert_eq(plan(0, 0, 15000).act, WATCHDOG_SET);
    cr_assert_eq(plan(0, 0, 15000).seconds, 14);
    cr_assert_eq(plan(0, 0, 14999).seconds, 13);
    cr_assert_eq(plan(1, 0, 2000).seconds, 1);
}

Test(watchdog_plan, never_fires_after_the_lease_and_never_sets_zero_seconds)
{
    for (int64_t left_ms = -5000; left_ms < 700000; left_ms += 37) {
        for (uint32_t slot = 0; slot < 3; slot++) {
            if (left_ms == 0) {
                continue;
            }
            struct watchdog_step step = plan(slot, 0, left_ms);
            if (step.act == WATCHDOG_SET) {
                cr_assert_geq(step.seconds, 1);
                cr_assert_leq((int64_t)step.seconds * 1000, left_ms);
            } else {
                cr_assert_eq(step.act, WATCHDOG_TOO_LATE, "left %d", (int)left_ms);
                cr_assert_lt(left_ms, 1000);
            }
        }
    }
}

Test(watchdog_plan, what_is_set_and_fires_in_time_stays_when_the_lease_is_nearly_over)
{
    cr_assert_eq(plan(1, 100400, 500).act, WATCHDOG_KEEP);
    cr_assert_eq(plan(1, 100600, 500).act, WATCHDOG_TOO_LATE, "it would fire after the lease");
    cr_assert_eq(plan(1, 102000, 1500).act, WATCHDOG_SET);
    cr_assert_eq(plan(1, 102000, 1500).seconds, 1);
    cr_assert_eq(plan(1, 0, 500).act, WATCHDOG_TOO_LATE, "nobody knows when it fires");
}

Test(watchdog_plan, only_a_slot_of_ours_is_released)
{
    cr_assert_eq(plan(0, 0, 0).act, WATCHDOG_KEEP);
    cr_assert_eq(plan(2, 0, 0).act, WATCHDOG_RELEASE);
}

Test(watchdog_plan, a_process_that_was_stopped_inside_the_call_sets_once_more)
{
    struct watchdog_state state = {0};
    struct watchdog_span span = {.before_ms = 1000, .after_ms = 1001, .until_ms = 16000};
    cr_assert_not(watchdog_was_set(&state, 2, 14, &span));
    cr_assert_eq(state.slot, 2);
    cr_assert_eq(state.fires_at_ms, 15001);
    span.after_ms = 9000;
    cr_assert(watchdog_was_set(&state, 2, 14, &span));
    cr_assert_not(watchdog_is_in_time(&state, 16000));
    struct watchdog_step again = watchdog_plan(&state, 9000, 16000);
    cr_assert_eq(again.act, WATCHDOG_SET);
    cr_assert_eq(again.seconds, 6);
}

Test(watchdog_plan, a_short_stall_in_the_last_second_counts_when_it_fires_after_the_lease)
{
    struct watchdog_state state = {0};
    struct watchdog_span span = {.before_ms = 1000, .after_ms = 1100, .until_ms = 2100};
    cr_assert_not(watchdog_was_set(&state, 1, 1, &span));
    cr_assert(watchdog_is_in_time(&state, 2100));
    span.until_ms = 2099;
    cr_assert(watchdog_was_set(&state, 1, 1, &span));
    cr_assert_eq(watchdog_plan(&state, 1100, 2099).act, WATCHDOG_TOO_LATE);
}
