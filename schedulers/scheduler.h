// SPDX-License-Identifier: Apache-2.0
/*
 * The interface of a service scheduler: it sees one service and proposes a model from which the
 * optimizer predicts its level under any allocation. Pure: state lives in a fixed buffer that
 * the caller keeps and clears; the same state and view give the same proposal.
 *
 * Adding one: a file with a struct scheduler, and a line in the table of registry.c.
 */
#ifndef SCHEDULERS_SCHEDULER_H
#define SCHEDULERS_SCHEDULER_H

#include <stddef.h>

#include "common/message/scheduler_message.h"
#include "schedulers/profile.h"

#define SCHEDULER_STATE_BYTES 1024

struct scheduler_state {
    _Alignas(16) unsigned char bytes[SCHEDULER_STATE_BYTES]; /* all zero at the start */
};

struct scheduler {
    const char *name;
    const char *summary; /* one line for people */
    /*
     * Called once per control period of the service. Fills the whole proposal. profile is of
     * the service's application, borrowed for the call; NULL: it has none. Missing or stale
     * measurements (NAN, large age) must lead to "hold": want_pct = view->cap_pct,
     * REASON_STALE.
     */
    void (*propose)(struct scheduler_state *state, const struct service_view *view,
                    const struct profile_use *profile, struct proposal *out);
};

/* By name; NULL when there is none. */
const struct scheduler *scheduler_find(const char *name);

/* The one that a kind of service has when its file names none. */
const struct scheduler *scheduler_default(enum service_kind kind);

/* All, ended by NULL. */
const struct scheduler *const *scheduler_all(void);

#endif
