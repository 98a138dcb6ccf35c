// SPDX-License-Identifier: Apache-2.0
/*
 * A session is one libxl context with what belongs to it: its log, its own connection to
 * xenstore, the children that libxl made. A thread takes one for a call and gives it back; so a
 * context is used by one thread at a time, and the lines that libxl logs meanwhile are those of
 * this call.
 *
 * Signals stay out of it. libxl wants to be told of its children's ends: they are seen by a
 * pidfd each (the hook that makes them opens it), in the same loop that waits for libxl's own
 * descriptors. So no handler for SIGCHLD is installed in a process that is not ours, and the
 * children of others are never reaped. The deadline of an operation is on the boot-time clock;
 * libxl's own time-outs are on the wall clock, which jumps.
 */
#ifndef NODE_AGENT_IO_XEN_SESSION_H
#define NODE_AGENT_IO_XEN_SESSION_H

#include <libxl.h>
#include <libxl_event.h>
#include <libxl_utils.h>
#include <stdint.h>
#include <xenctrl.h>
#include <xenstore.h>

#include "common/err.h"

#define SESSIONS_MAX 16 /* more than the lanes have threads */

struct sessions;

struct xen_session {
    libxl_ctx *ctx;
    xc_interface *control; /* for what is asked so often that libxl's way is too long */
    struct xs_handle *store;
    struct session_private *private;
};

struct sessions *sessions_create(struct err *err);
/* All sessions must have been given back. NULL is fine. */
void sessions_destroy(struct sessions *sessions);

/* An idle session, or a new one; its log is empty. NULL with err: libxl's own words. */
struct xen_session *sessions_take(struct sessions *sessions, struct err *err);
void sessions_give(struct sessions *sessions, struct xen_session *session);

/*
 * For libxl functions with an ao_how: session_wait(session, libxl_x(ctx, ..., session_how(
 * session)), deadline_ms, "x", err). Waits for the end and tells it: 0, or a negative errno
 * with "x: code of libxl" in err. At the deadline the operation is aborted and its end awaited,
 * as its arguments must live so long: -ETIMEDOUT. All arguments must outlive the wait.
 */
const libxl_asyncop_how *session_how(struct xen_session *session);
int session_wait(struct xen_session *session, int started, int64_t deadline_ms,
                 const char *what, struct err *err);

/* For the others: turns libxl's code into a negative errno with text. r is not 0. */
int session_error(int r, const char *what, struct err *err);

/* What libxl logged as warning or error since the session was taken, shortened, in one line. */
const char *session_log(const struct xen_session *session);

/* A value of xenstore, at most size - 1 bytes. -ENOENT: there is none. */
int session_read(struct xen_session *session, const char *path, char *out, size_t size);

#endif
