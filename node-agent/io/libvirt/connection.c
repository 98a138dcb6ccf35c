// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/libvirt/connection.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/clock.h"

#define BACKOFF_MS_MIN 250
#define BACKOFF_MS_MAX 10000

struct connection {
    pthread_mutex_t mutex;
    char *uri;
    virConnectPtr open; /* NULL: lost */
    int64_t retry_at_ms;
    int64_t backoff_ms;
    struct err cause; /* why it is lost */
};

/* libvirt prints its errors on standard error unless it is told where to put them. */
static void keep_quiet(void *context, virErrorPtr error)
{
    (void)context;
    (void)error;
}

struct connection *connection_create(const char *uri, struct err *err)
{
    if (virInitialize() != 0) {
        (void)libvirt_error(err, "libvirt");
        return NULL;
    }
    virSetErrorFunc(NULL, keep_quiet);
    struct connection *connection = calloc(1, sizeof(*connection));
    char *copy = strdup(uri);
    if (connection == NULL || copy == NULL) {
        free(connection);
        free(copy);
        (void)err_set(err, -ENOMEM, "no memory for a connection to libvirt");
        return NULL;
    }
    connection->uri = copy;
    connection->backoff_ms = BACKOFF_MS_MIN;
    (void)pthread_mutex_init(&connection->mutex, NULL);
    connection->open = virConnectOpen(uri);
    if (connection->open == NULL) {
        (void)libvirt_error(err, uri);
        connection_destroy(connection);
        return NULL;
    }
    return connection;
}

void connection_destroy(struct connection *connection)
{
    if (connection == NULL) {
        return;
    }
    if (connection->open != NULL) {
        (void)virConnectClose(connection->open);
    }
    (void)pthread_mutex_destroy(&connection->mutex);
    free(connection->uri);
    free(connection);
}

static void reopen(struct connection *connection)
{
    int64_t now_ms = clock_boot_ms();
    if (connection->open != NULL) {
        (void)virConnectClose(connection->open);
        connection->open = NULL;
        connection->retry_at_ms = now_ms;
    }
    if (now_ms < connection->retry_at_ms) {
        return;
    }
    connection->open = virConnectOpen(connection->uri);
    if (connection->open != NULL) {
        connection->backoff_ms = BACKOFF_MS_MIN;
        return;
    }
    (void)libvirt_error(&connection->cause, connection->uri);
    connection->retry_at_ms = clock_boot_ms() + connection->backoff_ms;
    int64_t twice_ms = connection->backoff_ms * 2;
    connection->backoff_ms = twice_ms < BACKOFF_MS_MAX ? twice_ms : BACKOFF_MS_MAX;
}

/* A reference to what is open now, or NULL. */
static virConnectPtr reference(struct connection *connection, struct err *err)
{
    virConnectPtr open = connection->open;
    if (open != NULL) {
        (void)virConnectRef(open);
    } else {
        (void)err_set(err, -ENOTCONN, "no connection to libvirt: %s", connection->cause.text);
    }
    return open;
}

virConnectPtr connection_get(struct connection *connection, struct err *err)
{
    (void)pthread_mutex_lock(&connection->mutex);
    if (connection->open == NULL) {
        reopen(connection);
    }
    virConnectPtr open = reference(connection, err);
    (void)pthread_mutex_unlock(&connection->mutex);
    /* A lost socket is only noticed in use. Not under the mutex: this waits for libvirtd. */
    unsigned long version = 0;
    if (open == NULL || virConnectGetLibVersion(open, &version) == 0 ||
        virConnectIsAlive(open) == 1) {
        return open;
    }
    (void)pthread_mutex_lock(&connection->mutex);
    if (connection->open == open) {
        reopen(connection);
    }
    (void)virConnectClose(open);
    open = reference(connection, err);
    (void)pthread_mutex_unlock(&connection->mutex);
    return open;
}

static int errno_of(int code)
{
    switch (code) {
    case VIR_ERR_NO_DOMAIN: return -ENOENT;
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_ARGUMENT_UNSUPPORTED: return -ENOTSUP;
    case VIR_ERR_OPERATION_TIMEOUT: return -ETIMEDOUT;
    case VIR_ERR_OPERATION_DENIED:
    case VIR_ERR_ACCESS_DENIED:
    case VIR_ERR_AUTH_FAILED: return -EACCES;
    case VIR_ERR_DOM_EXIST: return -EEXIST;
    case VIR_ERR_NO_MEMORY: return -ENOMEM;
    case VIR_ERR_RPC: return -ENOTCONN;
    default: return -EIO;
    }
}

int libvirt_error(struct err *err, const char *what)
{
    virErrorPtr last = virGetLastError();
    if (last == NULL || last->message == NULL) {
        return err_set(err, -EIO, "%s: libvirt failed without saying why", what);
    }
    return err_set(err, errno_of(last->code), "%s: %s", what, last->message);
}
