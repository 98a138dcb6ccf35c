// SPDX-License-Identifier: Apache-2.0
/* Whether a guest's balloon has come down to its target, still moves, or has stopped. Pure. */
#ifndef NODE_AGENT_IO_XEN_BALLOON_H
#define NODE_AGENT_IO_XEN_BALLOON_H

#include <stdint.h>

/* Xen's own slack: pages of a guest that are not in its target. */
#define BALLOON_SLACK_KIB 1024

enum balloon_state { BALLOON_THERE = 0, BALLOON_MOVES = 1, BALLOON_STUCK = 2 };

struct balloon {
    int64_t still_ms; /* a balloon that has not moved for so long is stuck */
    int64_t moved_at_ms;
    uint64_t held_kib; /* at moved_at_ms; UINT64_MAX: not looked yet */
};

void balloon_start(struct balloon *balloon, int64_t still_ms);
enum balloon_state balloon_look(struct balloon *balloon, uint64_t held_kib, uint64_t target_kib,
                                int64_t now_ms);

#endif
