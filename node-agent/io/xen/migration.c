// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/migration.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "node-agent/io/driver/guest_disk.h"
#include "node-agent/io/xen/domain.h"
#include "node-agent/io/xen/life_cycle.h"
#include "node-agent/io/xen/making.h"
#include "node-agent/io/xen/migration_stream.h"
#include "node-agent/io/xen/records.h"
#include "node-agent/io/xen/saving.h"

#define ACCEPT_MS 60000 /* the order to send goes out as soon as it is known where we wait */
#define UNDO_MS   30000 /* after a failure, which may have been the deadline */

/* One end of libxl's stream is carried by a thread, while libxl works on the other. */
struct carrier {
    pthread_t thread;
    struct migration_stream *stream;
    int fd;    /* ours */
    int fd_xl; /* libxl's */
    int64_t deadline_ms;
    int code;
    struct err err;
};

static void *carry_out(void *argument)
{
    struct carrier *carrier = argument;
    carrier->code = migration_stream_send(carrier->stream, carrier->fd, carrier->deadline_ms,
                                          &carrier->err);
    (void)shutdown(carrier->fd, SHUT_RDWR); /* libxl must not wait for a peer that is gone */
    return NULL;
}

static void *carry_in(void *argument)
{
    struct carrier *carrier = argument;
    carrier->code = migration_stream_receive(carrier->stream, carrier->fd, carrier->deadline_ms,
                                             &carrier->err);
    (void)shutdown(carrier->fd, SHUT_RDWR);
    return NULL;
}

static int carrier_start(struct carrier *carrier, void *(*work)(void *), struct err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return err_set(err, -errno, "a pair of sockets: %s", strerrordesc_np(errno));
    }
    carrier->fd = pair[0];
    carrier->fd_xl = pair[1];
    int code = pthread_create(&carrier->thread, NULL, work, carrier);
    if (code != 0) {
        (void)close(pair[0]);
        (void)close(pair[1]);
        return err_set(err, -code, "a thread: %s", strerrordesc_np(code));
    }
    return 0;
}

/* libxl's side ended with rc. What broke first is told: the connection, if it was that. */
static int carrier_finish(struct carrier *carrier, int rc, struct err *err)
{
    if (rc != 0) {
        migration_stream_break(carrier->stream);
    }
    (void)close(carrier->fd_xl);
    (void)pthread_join(carrier->thread, NULL);
    (void)close(carrier->fd);
    if (carrier->code == 0) {
        return rc;
    }
    return rc == 0 ? err_set(err, carrier->code, "%s", carrier->err.text)
                   : err_set(err, rc, "%.150s; %.150s", err->text, carrier->err.text);
}

/* ---- the receiver ---- */

static int listen_for(struct xen_host *host, const struct hypervisor_call *call,
                      struct hypervisor_completion *out, struct err *err)
{
    struct migration_wait wait = {0};
    (void)snprintf(wait.uuid, sizeof wait.uuid, "%s", call->order.uuid);
    int rc = migration_stream_key(wait.key, err);
    wait.listener = rc == 0 ? migration_stream_listen(call->peer, out->peer, err) : -1;
    if (wait.listener < 0) {
        return rc != 0 ? rc : wait.listener;
    }
    struct migration_wait *place = NULL;
    (void)pthread_mutex_lock(&host->mutex);
    for (int i = 0; i < MIGRATION_WAITS_MAX; i++) {
        struct migration_wait *at = &host->waits[i];
        bool same = strcmp(at->uuid, wait.uuid) == 0;
        if (same) {
            (void)close(at->listener); /* of an earlier order that never came to wait */
        }
        place = same || (place == NULL && at->uuid[0] == '\0') ? at : place;
    }
    if (place != NULL) {
        *place = wait;
    }
    (void)pthread_mutex_unlock(&host->mutex);
    if (place == NULL) {
        (void)close(wait.listener);
        return err_set(err, -EBUSY, "%d VMs are waited for already", MIGRATION_WAITS_MAX);
    }
    (void)snprintf(out->peer_key, sizeof out->peer_key, "%s", wait.key);
    return 0;
}

static int take_wait(struct xen_host *host, const char *uuid, struct migration_wait *out)
{
    int rc = -ENOENT;
    (void)pthread_mutex_lock(&host->mutex);
    for (int i = 0; i < MIGRATION_WAITS_MAX && rc != 0; i++) {
        if (strcmp(host->waits[i].uuid, uuid) == 0) {
            *out = host->waits[i];
            host->waits[i] = (struct migration_wait){0};
            rc = 0;
        }
    }
    (void)pthread_mutex_unlock(&host->mutex);
    return rc;
}

/* Makes the guest from the stream and tells the sender; what fails leaves nothing. */
static int make_from(struct xen_host *host, struct xen_session *session,
                     const struct hypervisor_call *call, struct migration_stream *stream,
                     struct err *err)
{
    struct carrier carrier = {.stream = stream, .deadline_ms = call->deadline_ms};
    int rc = carrier_start(&carrier, carry_in, err);
    if (rc != 0) {
        return rc;
    }
    struct domain_mark before;
    bool was_known = records_read(host, call->order.uuid, &before) == 0;
    const struct making making = {.call = call,
                                  .stream = carrier.fd_xl,
                                  .address = call->address,
                                  .gateway = call->gateway};
    int made = making_domain(host, session, &making, err);
    rc = carrier_finish(&carrier, made, err);
    rc = rc == 0 ? migration_stream_confirm(stream, call->deadline_ms, err) : rc;
    if (rc != 0 && made == 0) {
        struct hypervisor_call undo = *call;
        undo.deadline_ms = clock_boot_ms() + UNDO_MS;
        /* The first failure is told. */
        if (life_cycle_destroy(host, session, &undo, NULL) == 0 && !was_known) {
            records_remove(host, call->order.uuid);
        }
    }
    return rc;
}

static int receive(struct xen_host *host, struct xen_session *session,
                   const struct hypervisor_call *call, struct err *err)
{
    struct migration_wait wait;
    if (take_wait(host, call->order.uuid, &wait) != 0) {
        return err_set(err, -ENOENT, "no port is open for it");
    }
    int64_t accept_ms = clock_boot_ms() + ACCEPT_MS;
    accept_ms = accept_ms < call->deadline_ms ? accept_ms : call->deadline_ms;
    struct migration_stream *stream =
        migration_stream_accept(wait.listener, wait.uuid, wait.key, accept_ms, err);
    (void)close(wait.listener);
    explicit_bzero(wait.key, sizeof wait.key);
    if (stream == NULL) {
        return err->code;
    }
    int rc = make_from(host, session, call, stream, err);
    migration_stream_close(stream);
    return rc;
}

/* ---- the sender ---- */

/* What the guest wrote is on the medium before another host reads it. */
static int flush_disk(const struct xen_host *host, const struct vm_order *order,
                      struct err *err)
{
    char disk[DISK_PATH_SIZE];
    int rc = making_disk_path(host, order, disk, err);
    if (rc != 0 || disk[0] == '\0') {
        return rc;
    }
    int fd = open(disk, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        rc = err_set(err, -errno, "%s: %s", disk, strerrordesc_np(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}

static int stream_out(struct xen_host *host, struct xen_session *session, uint32_t domid,
                      const struct hypervisor_call *call, struct migration_stream *stream,
                      struct err *err)
{
    struct carrier carrier = {.stream = stream, .deadline_ms = call->deadline_ms};
    int rc = carrier_start(&carrier, carry_out, err);
    if (rc != 0) {
        return rc;
    }
    int flags = call->order.guest_type == GUEST_TYPE_PV ? 0 : LIBXL_SUSPEND_LIVE;
    int started =
        libxl_domain_suspend(session->ctx, domid, carrier.fd_xl, flags, session_how(session));
    rc = session_wait(session, started, call->deadline_ms, "migrate", err);
    rc = rc == 0 ? flush_disk(host, &call->order, err) : rc;
    rc = carrier_finish(&carrier, rc, err);
    return rc == 0 ? migration_stream_await(stream, call->deadline_ms, err) : rc;
}

/* The receiver did not say that it has all of it, so its copy never runs: ours goes on. */
static void go_on(struct xen_host *host, struct xen_session *session,
                  const struct hypervisor_call *call)
{
    struct xen_domain domain;
    struct hypervisor_call late = *call;
    late.deadline_ms = clock_boot_ms() + UNDO_MS;
    if (domain_find(host, session, call->order.uuid, &domain, NULL) == 0) {
        (void)life_cycle_resume(session, &domain, &late, NULL);
    }
}

static int send_away(struct xen_host *host, struct xen_session *session,
                     const struct hypervisor_call *call, struct err *err)
{
    struct xen_domain domain;
    int rc = domain_find(host, session, call->order.uuid, &domain, err);
    rc = rc == 0 ? saving_wait_for_balloon(host, session, domain.domid, call->deadline_ms, err)
                 : rc;
    if (rc != 0) {
        return rc;
    }
    int64_t connect_ms = clock_boot_ms() + ACCEPT_MS;
    struct migration_stream *stream =
        migration_stream_connect(call->peer, call->order.uuid, call->peer_key, connect_ms, err);
    if (stream == NULL) {
        return err->code;
    }
    rc = stream_out(host, session, domain.domid, call, stream, err);
    migration_stream_close(stream);
    if (rc != 0) {
        go_on(host, session, call);
    }
    return rc;
}

/* ---- the part ---- */

static uint32_t capabilities(const struct xen_host *host)
{
    return host->settings.migrates ? CAPABILITY_MIGRATE | CAPABILITY_MIGRATE_LIVE : 0;
}

static bool takes(enum hypervisor_call_kind kind)
{
    return kind == HYPERVISOR_CALL_MIGRATE_LISTEN || kind == HYPERVISOR_CALL_MIGRATE_IN ||
           kind == HYPERVISOR_CALL_MIGRATE_OUT;
}

static int migrate(struct xen_host *host, struct xen_session *session,
                   const struct hypervisor_call *call, struct hypervisor_completion *out,
                   struct err *err)
{
    if (call->kind == HYPERVISOR_CALL_MIGRATE_LISTEN) {
        return listen_for(host, call, out, err);
    }
    return call->kind == HYPERVISOR_CALL_MIGRATE_IN ? receive(host, session, call, err)
                                                    : send_away(host, session, call, err);
}

const struct xen_part migration_part = {
    .name = "migration",
    .capabilities = capabilities,
    .takes = takes,
    .call = migrate,
};
