// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/session.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>
#include <xentoollog.h>

#include "common/io/clock.h"
#include "node-agent/io/xen/fork_child.h"
#include "node-agent/io/xen/log_lines.h"

#define CHILDREN_MAX  16 /* libxl has a few at most: scripts, the save helper */
#define POLL_FDS_MAX  64
#define POLL_LIMIT_MS 1000 /* and then all is looked at again */
#define POLL_BLIND_MS 50   /* when not every descriptor could be watched */

struct session_private {
    xentoollog_logger logger; /* first: libxl gives this pointer back */
    struct log_lines lines;
    struct xen_session session;
    bool taken;
    bool broken; /* libxl reported a disaster */
    int children[CHILDREN_MAX];
    int children_count;
    bool children_unwatched;
    libxl_asyncop_how how;
};

struct sessions {
    pthread_mutex_t mutex;
    struct session_private *all[SESSIONS_MAX];
};

static void log_message(xentoollog_logger *logger, xentoollog_level level, int errnoval,
                        const char *context, const char *format, va_list arguments)
    __attribute__((format(printf, 5, 0)));

static void log_message(xentoollog_logger *logger, xentoollog_level level, int errnoval,
                        const char *context, const char *format, va_list arguments)
{
    (void)context;
    struct session_private *own = (struct session_private *)logger;
    if (level < XTL_WARN) {
        return;
    }
    char line[LOG_LINES_SIZE];
    int length = vsnprintf(line, sizeof line, format, arguments);
    if (errnoval > 0 && length >= 0 && (size_t)length < sizeof line - 1) {
        (void)snprintf(line + length, sizeof line - (size_t)length, ": %s",
                       strerrordesc_np(errnoval));
    }
    log_lines_add(&own->lines, line);
}

static void log_progress(xentoollog_logger *logger, const char *context, const char *doing,
                         int percent, unsigned long done, unsigned long total)
{
    (void)logger;
    (void)context;
    (void)doing;
    (void)percent;
    (void)done;
    (void)total;
}

static void log_destroy(xentoollog_logger *logger)
{
    (void)logger; /* is part of its session */
}

/* Without this function libxl would end the process. */
static void disaster(void *user, libxl_event_type type, const char *text, int errnoval)
{
    (void)type;
    struct session_private *own = user;
    own->broken = true;
    log_lines_add(&own->lines, text);
    log_lines_add(&own->lines, strerrordesc_np(errnoval));
}

static pid_t fork_child(void *user)
{
    struct session_private *own = user;
    pid_t pid = fork_child_with_free_locks();
    if (pid > 0) {
        int fd = own->children_count < CHILDREN_MAX ? pidfd_open(pid, 0) : -1;
        if (fd >= 0) {
            own->children[own->children_count++] = fd;
        } else {
            own->children_unwatched = true;
        }
    }
    return pid;
}

/* libxl keeps pointers to both. */
static const libxl_event_hooks event_hooks = {.disaster = disaster};
static const libxl_childproc_hooks child_hooks = {
    .chldowner = libxl_sigchld_owner_mainloop,
    .fork_replacement = fork_child,
};

static void session_close(struct session_private *own)
{
    if (own->session.ctx != NULL) {
        (void)libxl_ctx_free(own->session.ctx);
    }
    if (own->session.control != NULL) {
        (void)xc_interface_close(own->session.control);
    }
    if (own->session.store != NULL) {
        xs_close(own->session.store);
    }
    for (int i = 0; i < own->children_count; i++) {
        (void)close(own->children[i]);
    }
    free(own);
}

static struct session_private *session_open(struct err *err)
{
    struct session_private *own = calloc(1, sizeof(*own));
    if (own == NULL) {
        (void)err_set(err, -ENOMEM, "no memory for a connection to Xen");
        return NULL;
    }
    own->session.private = own;
    own->logger.vmessage = log_message;
    own->logger.progress = log_progress;
    own->logger.destroy = log_destroy;
    own->session.store = xs_open(0);
    if (own->session.store == NULL) {
        (void)err_set(err, -errno,
                      "xenstore does not answer (%s): is this a dom0, and does xenstored run?",
                      strerrordesc_np(errno));
        session_close(own);
        return NULL;
    }
    int r = libxl_ctx_alloc(&own->session.ctx, LIBXL_VERSION, 0, &own->logger);
    if (r != 0) {
        own->session.ctx = NULL;
        (void)session_error(r, "libxl", err);
        (void)err_set(err, err->code, "%.100s: %.300s", err->text, own->lines.text);
        session_close(own);
        return NULL;
    }
    own->session.control = xc_interface_open(&own->logger, &own->logger, 0);
    if (own->session.control == NULL) {
        (void)err_set(err, -errno, "Xen takes no calls from here: %s", strerrordesc_np(errno));
        session_close(own);
        return NULL;
    }
    libxl_childproc_setmode(own->session.ctx, &child_hooks, own);
    libxl_event_register_callbacks(own->session.ctx, &event_hooks, own);
    return own;
}

struct sessions *sessions_create(struct err *err)
{
    struct sessions *sessions = calloc(1, sizeof(*sessions));
    if (sessions == NULL) {
        (void)err_set(err, -ENOMEM, "no memory for connections to Xen");
        return NULL;
    }
    (void)pthread_mutex_init(&sessions->mutex, NULL);
    return sessions;
}

void sessions_destroy(struct sessions *sessions)
{
    if (sessions == NULL) {
        return;
    }
    for (int i = 0; i < SESSIONS_MAX; i++) {
        if (sessions->all[i] != NULL) {
            session_close(sessions->all[i]);
        }
    }
    (void)pthread_mutex_destroy(&sessions->mutex);
    free(sessions);
}

struct xen_session *sessions_take(struct sessions *sessions, struct err *err)
{
    struct session_private *own = NULL;
    int room = -1;
    (void)pthread_mutex_lock(&sessions->mutex);
    for (int i = 0; i < SESSIONS_MAX && own == NULL; i++) {
        if (sessions->all[i] == NULL) {
            room = room < 0 ? i : room;
        } else if (!sessions->all[i]->taken) {
            own = sessions->all[i];
        }
    }
    if (own == NULL && room < 0) {
        (void)err_set(err, -EMFILE, "%d calls to libxl are under way", SESSIONS_MAX);
    } else if (own == NULL) {
        own = session_open(err);
        sessions->all[room] = own;
    }
    if (own != NULL) {
        own->taken = true;
        log_lines_clear(&own->lines);
    }
    (void)pthread_mutex_unlock(&sessions->mutex);
    return own != NULL ? &own->session : NULL;
}

void sessions_give(struct sessions *sessions, struct xen_session *session)
{
    struct session_private *own = session->private;
    (void)pthread_mutex_lock(&sessions->mutex);
    own->taken = false;
    for (int i = 0; i < SESSIONS_MAX && own->broken; i++) {
        if (sessions->all[i] == own) {
            sessions->all[i] = NULL;
            session_close(own);
            break;
        }
    }
    (void)pthread_mutex_unlock(&sessions->mutex);
}

const char *session_log(const struct xen_session *session)
{
    return session->private->lines.text;
}

int session_error(int r, const char *what, struct err *err)
{
    int code = -EIO;
    switch (r) {
    case ERROR_NOMEM: code = -ENOMEM; break;
    case ERROR_INVAL: code = -EINVAL; break;
    case ERROR_NI:
    case ERROR_NOPARAVIRT: code = -ENOTSUP; break;
    case ERROR_TIMEDOUT:
    case ERROR_GUEST_TIMEDOUT:
    case ERROR_ABORTED: code = -ETIMEDOUT; break;
    case ERROR_DOMAIN_NOTFOUND:
    case ERROR_DOMAIN_DESTROYED: code = -ENOENT; break;
    default: break;
    }
    const char *name = libxl_error_to_string(r);
    return err_set(err, code, "%s: libxl says %s", what, name != NULL ? name : "failed");
}

const libxl_asyncop_how *session_how(struct xen_session *session)
{
    session->private->how.u.for_event++; /* callback is NULL: the end comes as an event */
    return &session->private->how;
}

static struct timeval wall_clock(void)
{
    int64_t now_ms = clock_wall_ms();
    return (struct timeval){.tv_sec = now_ms / 1000, .tv_usec = (now_ms % 1000) * 1000};
}

/* Tells libxl of children that ended; the descriptors fds are those of own->children. */
static void tell_ends(struct session_private *own, const struct pollfd *fds)
{
    int left = 0;
    bool ended = own->children_unwatched;
    for (int i = 0; i < own->children_count; i++) {
        if (fds[i].revents != 0) {
            ended = true;
            (void)close(own->children[i]);
        } else {
            own->children[left++] = own->children[i];
        }
    }
    own->children_count = left;
    if (ended) {
        libxl_childproc_sigchld_occurred(own->session.ctx);
    }
}

/* Lets libxl go on: waits for its descriptors, its timers and its children. */
static void go_on(struct session_private *own, int64_t left_ms)
{
    struct pollfd fds[POLL_FDS_MAX + CHILDREN_MAX];
    int count = POLL_FDS_MAX;
    int timeout_ms = left_ms < POLL_LIMIT_MS ? (int)left_ms : POLL_LIMIT_MS;
    libxl_ctx *ctx = own->session.ctx;
    if (libxl_osevent_beforepoll(ctx, &count, fds, &timeout_ms, wall_clock()) != 0) {
        count = 0;
        timeout_ms = POLL_BLIND_MS;
    }
    int children = own->children_count;
    for (int i = 0; i < children; i++) {
        fds[count + i] = (struct pollfd){.fd = own->children[i], .events = POLLIN};
    }
    if (own->children_unwatched && timeout_ms > POLL_BLIND_MS) {
        timeout_ms = POLL_BLIND_MS;
    }
    nfds_t watched = (nfds_t)count + (nfds_t)children;
    (void)poll(fds, watched, timeout_ms < 0 ? 0 : timeout_ms);
    /* Children that are made while libxl goes on come behind those that were polled. */
    struct pollfd ends[CHILDREN_MAX] = {0};
    memcpy(ends, fds + count, sizeof(ends[0]) * (size_t)children);
    libxl_osevent_afterpoll(ctx, count, fds, wall_clock());
    tell_ends(own, ends);
}

/* True when the operation has ended; *r is libxl's code. */
static bool has_ended(struct session_private *own, int *r)
{
    libxl_event *event = NULL;
    bool ended = false;
    while (!ended &&
           libxl_event_check(own->session.ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL) == 0) {
        if (event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE &&
            event->for_user == own->how.u.for_event) {
            ended = true;
            *r = event->u.operation_complete.rc;
        }
        libxl_event_free(own->session.ctx, event);
    }
    return ended;
}

int session_wait(struct xen_session *session, int started, int64_t deadline_ms,
                 const char *what, struct err *err)
{
    struct session_private *own = session->private;
    bool aborted = false;
    int r = started;
    while (started == 0 && !has_ended(own, &r)) {
        int64_t left_ms = deadline_ms - clock_boot_ms();
        if (left_ms <= 0 && !aborted) {
            aborted = true;
            (void)libxl_ao_abort(session->ctx, &own->how); /* it may have ended by now */
        }
        go_on(own, aborted ? POLL_LIMIT_MS : left_ms);
    }
    if (r == ERROR_ABORTED) {
        return err_set(err, -ETIMEDOUT, "%s: not done by the deadline", what);
    }
    return r == 0 ? 0 : session_error(r, what, err);
}

int session_read(struct xen_session *session, const char *path, char *out, size_t size)
{
    unsigned int length = 0;
    char *value = xs_read(session->store, XBT_NULL, path, &length);
    if (value == NULL) {
        return -ENOENT;
    }
    int rc = length < size ? 0 : -ENOENT;
    if (rc == 0) {
        memcpy(out, value, length);
        out[length] = '\0';
    }
    free(value);
    return rc;
}
