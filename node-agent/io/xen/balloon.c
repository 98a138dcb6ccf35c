// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/balloon.h"

void balloon_start(struct balloon *balloon, int64_t still_ms)
{
    *balloon = (struct balloon){.still_ms = still_ms, .held_kib = UINT64_MAX};
}

/* A guest that holds less than its target is fine: it is what it holds that must fit. */
enum balloon_state balloon_look(struct balloon *balloon, uint64_t held_kib, uint64_t target_kib,
                                int64_t now_ms)
{
    if (held_kib <= target_kib + BALLOON_SLACK_KIB) {
        return BALLOON_THERE;
    }
    if (held_kib != balloon->held_kib) {
        balloon->held_kib = held_kib;
        balloon->moved_at_ms = now_ms;
    }
    return now_ms - balloon->moved_at_ms >= balloon->still_ms ? BALLOON_STUCK : BALLOON_MOVES;
}
