// SPDX-License-Identifier: Apache-2.0
#include "common/io/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/clock.h"
#include "common/io/domain.h"
#include "common/io/guard.h"
#include "common/io/inflow.h"
#include "common/io/keyring_view.h"
#include "common/io/secure_socket.h"

#define ENDPOINT_SIZE 256

/* A subscriber sends subscriptions and the frames of the handshake, nothing long. */
#define SUBSCRIPTION_BYTES_MAX 4096

/* Hang-ups during the handshake before the link counts as broken off: a server that restarts in
 * the middle of one looks the same, once. */
#define HANG_UPS_MAX 3
#define RETRY_MS     2000
#define REBIND_TRIES 20

/* What libzmq makes up for a peer that names itself nothing: a zero byte and four of a counter.
 */
#define GENERATED_ROUTE_BYTES 5

struct bus_socket {
    zsock_t *zsock;
    void *handle; /* of zsock */
    void *watch;  /* monitor of a connecting socket, or NULL */
    enum bus_kind kind;
    enum bus_domain domain;
    size_t frame_bytes_max;
    const struct keyring *keyring; /* of a bound socket, else NULL */
    struct keyring_view *view;     /* the newest one seen */
    char endpoint[ENDPOINT_SIZE];  /* as bound, or to connect to */
    zmq_msg_t body;                /* lives until the next receive */
    bool is_cut;                   /* of a publisher: does not listen for the moment */
    enum bus_link link;
    int hang_ups;
    int64_t retry_at_ms; /* of a refused link */
    struct bus_counters counters;
};

static int zmq_type(enum bus_kind kind)
{
    switch (kind) {
    case BUS_ROUTER: return ZMQ_ROUTER;
    case BUS_DEALER: return ZMQ_DEALER;
    case BUS_PUB: return ZMQ_PUB;
    case BUS_SUB: return ZMQ_SUB;
    }
    return -1;
}

static int check_options(const struct bus_options *options, struct err *err)
{
    if (zmq_type(options->kind) < 0 || options->endpoint == NULL || options->own == NULL) {
        return err_set(err, -EINVAL, "a bus socket needs a kind, an endpoint and a key");
    }
    if (options->bind && domain_word(options->domain)[0] == '\0') {
        return err_set(err, -EINVAL, "%s: a socket that listens needs a domain",
                       options->endpoint);
    }
    if (options->bind && guard_keyring() == NULL) {
        return err_set(err, -EPERM, "%s: nothing may listen before the guard runs",
                       options->endpoint);
    }
    if (options->bind ? options->kind == BUS_DEALER : options->kind == BUS_ROUTER) {
        return err_set(err, -EINVAL, "%s: a router listens, a dealer connects",
                       options->endpoint);
    }
    if (!options->bind && options->server_public == NULL) {
        return err_set(err, -EINVAL, "%s: the server's public key is missing",
                       options->endpoint);
    }
    return 0;
}

/* Binds or connects, and starts what belongs to it. */
static int attach(struct bus_socket *socket, const struct bus_options *options, struct err *err)
{
    if (!options->bind) {
        (void)snprintf(socket->endpoint, sizeof socket->endpoint, "%s", options->endpoint);
        socket->watch = secure_socket_watch(socket->zsock, err);
        if (socket->watch == NULL) {
            return -EMFILE;
        }
        return secure_socket_connect(socket->zsock, options->endpoint, err);
    }
    socket->keyring = guard_keyring();
    socket->view = keyring_view_take(socket->keyring);
    int rc = secure_socket_bind(socket->zsock, options->endpoint, err);
    if (rc == 0) {
        rc = secure_socket_endpoint(socket->zsock, socket->endpoint, sizeof socket->endpoint);
        inflow_add_endpoint(socket->endpoint);
    }
    return rc;
}

int bus_open(struct bus_socket **out, const struct bus_options *options, struct err *err)
{
    int rc = check_options(options, err);
    if (rc != 0) {
        return rc;
    }
    struct bus_socket *socket = calloc(1, sizeof *socket);
    if (socket == NULL) {
        return err_set(err, -ENOMEM, "%s: out of memory", options->endpoint);
    }
    (void)zmq_msg_init(&socket->body); /* cannot fail */
    socket->kind = options->kind;
    socket->domain = options->domain;
    socket->frame_bytes_max = options->frame_bytes_max;
    if (options->kind == BUS_PUB && options->bind) {
        socket->frame_bytes_max = SUBSCRIPTION_BYTES_MAX;
    }
    const struct secure_socket_options secure = {
        .type = zmq_type(options->kind),
        .own = options->own,
        .server_public = options->bind ? NULL : options->server_public,
        .zap_domain = domain_word(options->domain),
        .frame_bytes_max = socket->frame_bytes_max,
        .send_high_water = options->send_high_water,
        .receive_high_water = options->receive_high_water,
    };
    socket->zsock = secure_socket_new(&secure, err);
    if (socket->zsock == NULL) {
        bus_close(socket);
        return -EINVAL;
    }
    socket->handle = zsock_resolve(socket->zsock);
    rc = attach(socket, options, err);
    if (rc != 0) {
        bus_close(socket);
        return rc;
    }
    *out = socket;
    return 0;
}

void bus_close(struct bus_socket *socket)
{
    if (socket == NULL) {
        return;
    }
    if (socket->watch != NULL) {
        /* The monitor ends before its far end does. */
        (void)zmq_socket_monitor(socket->handle, NULL, 0);
        (void)zmq_close(socket->watch); /* cannot fail on a socket */
    }
    (void)zmq_msg_close(&socket->body); /* cannot fail on an initialised message */
    if (socket->zsock != NULL) {
        zsock_destroy(&socket->zsock);
    }
    keyring_view_drop(socket->view);
    free(socket);
}

/* The newest table of principals; true when it has changed. */
static bool refresh_view(struct bus_socket *socket)
{
    if (keyring_version(socket->keyring) == keyring_view_version(socket->view)) {
        return false;
    }
    struct keyring_view *old = socket->view;
    socket->view = keyring_view_take(socket->keyring);
    keyring_view_drop(old);
    return true;
}

/* NULL: no such key, or its role has no business on this socket. */
static const struct principal *admitted(const struct bus_socket *socket,
                                        const char *public_text)
{
    const struct principal *principal = keyring_view_find(socket->view, public_text);
    return principal != NULL && domain_admits(socket->domain, principal->role) ? principal
                                                                               : NULL;
}

/* Throws the rest of a message away; *more says whether there is any. */
static void drop_rest(struct bus_socket *socket, bool more)
{
    while (more && zmq_msg_recv(&socket->body, socket->handle, ZMQ_DONTWAIT) >= 0) {
        inflow_delivered(&socket->body);
        more = zmq_msg_more(&socket->body) != 0;
    }
}

/*
 * Reads the frames of one message into route and body. 0; -EAGAIN; -EBADMSG: not of our form,
 * and thrown away.
 */
static int receive_frames(struct bus_socket *socket, struct bus_route *route)
{
    zmq_msg_t *body = &socket->body;
    if (zmq_msg_recv(body, socket->handle, ZMQ_DONTWAIT) < 0) {
        return -errno;
    }
    bool is_good = true;
    if (socket->kind == BUS_ROUTER) {
        /* Ids that peers gave themselves are claims, and could be another's: refused. */
        const unsigned char *id = zmq_msg_data(body);
        is_good = zmq_msg_size(body) == GENERATED_ROUTE_BYTES && id[0] == 0;
        if (is_good) {
            memcpy(route->bytes, id, GENERATED_ROUTE_BYTES);
            route->size = GENERATED_ROUTE_BYTES;
        }
        /* The rest of a message is there as soon as its first frame is. */
        if (zmq_msg_more(body) == 0 || zmq_msg_recv(body, socket->handle, ZMQ_DONTWAIT) < 0) {
            return -EBADMSG;
        }
        route->has_delimiter = zmq_msg_size(body) == 0 && zmq_msg_more(body) != 0;
        if (route->has_delimiter && zmq_msg_recv(body, socket->handle, ZMQ_DONTWAIT) < 0) {
            return -EBADMSG;
        }
    }
    if (socket->keyring != NULL) {
        inflow_delivered(body);
    }
    bool more = zmq_msg_more(body) != 0;
    size_t size = zmq_msg_size(body);
    is_good = is_good && !more && size > 0 &&
              (socket->frame_bytes_max == 0 || size <= socket->frame_bytes_max);
    drop_rest(socket, more);
    return is_good ? 0 : -EBADMSG;
}

/* Who sent it, from the key of its connection. The routing id frame may come without this, the
 * body never does. */
static const struct principal *sender_of(struct bus_socket *socket, struct bus_route *route)
{
    const char *public_text = zmq_msg_gets(&socket->body, "User-Id");
    if (public_text == NULL) {
        return NULL;
    }
    const struct principal *sender = admitted(socket, public_text);
    if (sender != NULL) {
        memcpy(route->public_text, sender->public_text, KEY_TEXT_SIZE);
    }
    return sender;
}

static void note_event(struct bus_socket *socket, int event)
{
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        socket->link = BUS_LINK_UP;
        socket->hang_ups = 0;
        socket->counters.link_ups++;
    } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
        socket->link = BUS_LINK_REFUSED;
        socket->retry_at_ms = clock_boot_ms() + RETRY_MS;
    } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL ||
               event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) {
        socket->hang_ups++;
        if (socket->hang_ups >= HANG_UPS_MAX && socket->link != BUS_LINK_REFUSED) {
            socket->link = BUS_LINK_BROKEN_OFF;
        }
    } else if (event == ZMQ_EVENT_DISCONNECTED && socket->link == BUS_LINK_UP) {
        socket->link = BUS_LINK_CONNECTING;
    }
}

/* Of a connecting socket: notes what happened to its connection, revives a refused one. */
static void tend_link(struct bus_socket *socket)
{
    for (int event = secure_socket_event(socket->watch); event != 0;
         event = secure_socket_event(socket->watch)) {
        note_event(socket, event);
    }
    if (socket->link == BUS_LINK_REFUSED && clock_boot_ms() >= socket->retry_at_ms) {
        socket->retry_at_ms = clock_boot_ms() + RETRY_MS;
        /* libzmq ended the refused connection, but would not make a second one to the same
         * place. */
        (void)zmq_disconnect(socket->handle, socket->endpoint); /* next time, if not now */
        (void)zmq_connect(socket->handle, socket->endpoint);
    }
}

int bus_receive(struct bus_socket *socket, struct bus_message *out)
{
    if (socket->keyring != NULL) {
        (void)refresh_view(socket);
    } else {
        tend_link(socket);
    }
    for (;;) {
        struct bus_route route = {0};
        int rc = receive_frames(socket, &route);
        if (rc == -EBADMSG) {
            socket->counters.refused_frames++;
            continue;
        }
        if (rc != 0) {
            return rc;
        }
        const struct principal *sender = NULL;
        if (socket->keyring != NULL) {
            sender = sender_of(socket, &route);
            if (sender == NULL) {
                socket->counters.refused_key++;
                continue;
            }
        }
        socket->counters.received++;
        *out = (struct bus_message){
            .data = zmq_msg_data(&socket->body),
            .size = zmq_msg_size(&socket->body),
            .route = route,
            .sender = sender,
        };
        return 0;
    }
}

/*
 * A publisher reads nothing from its subscribers, so a revoked one would hear on. Listening
 * anew cuts all connections; who still has a valid key is back in a moment. The old listener
 * ends in a thread of libzmq, usually within a millisecond; if it takes longer, the next send
 * tries again.
 */
static void cut_subscribers(struct bus_socket *socket)
{
    if (!socket->is_cut) {
        socket->is_cut = zmq_unbind(socket->handle, socket->endpoint) == 0;
    }
    for (int i = 0; i < REBIND_TRIES && socket->is_cut; i++) {
        socket->is_cut = secure_socket_bind(socket->zsock, socket->endpoint, NULL) != 0;
        if (socket->is_cut) {
            (void)zmq_poll(NULL, 0, 1); /* a pause of a millisecond */
        }
    }
}

static int count_send(struct bus_socket *socket, int r)
{
    if (r >= 0) {
        socket->counters.sent++;
        return 0;
    }
    int code = errno;
    if (code == EAGAIN) {
        socket->counters.send_again++;
    } else if (code == EHOSTUNREACH) {
        socket->counters.send_unreachable++;
    }
    return -code;
}

static int send_routed(struct bus_socket *socket, const struct bus_route *route,
                       const void *data, size_t size)
{
    const int more = ZMQ_DONTWAIT | ZMQ_SNDMORE;
    (void)refresh_view(socket);
    if (admitted(socket, route->public_text) == NULL) {
        socket->counters.send_unreachable++;
        return -EHOSTUNREACH;
    }
    if (zmq_send(socket->handle, route->bytes, route->size, more) < 0) {
        return count_send(socket, -1);
    }
    /* The router has accepted the route: the other frames follow or are dropped with it. */
    if (route->has_delimiter && zmq_send(socket->handle, "", 0, more) < 0) {
        return count_send(socket, -1);
    }
    return count_send(socket, zmq_send(socket->handle, data, size, ZMQ_DONTWAIT));
}

int bus_send(struct bus_socket *socket, const struct bus_route *route, const void *data,
             size_t size)
{
    if (socket->kind == BUS_SUB || size == 0) {
        return -EINVAL;
    }
    if (socket->kind == BUS_ROUTER) {
        return route != NULL ? send_routed(socket, route, data, size) : -EINVAL;
    }
    if (socket->watch != NULL) {
        tend_link(socket);
    } else if (refresh_view(socket) || socket->is_cut) {
        cut_subscribers(socket);
    }
    return count_send(socket, zmq_send(socket->handle, data, size, ZMQ_DONTWAIT));
}

void bus_counters(const struct bus_socket *socket, struct bus_counters *out)
{
    *out = socket->counters;
}

int bus_endpoint(const struct bus_socket *socket, char *out, size_t size)
{
    size_t length = strlen(socket->endpoint);
    if (length >= size) {
        return -ENAMETOOLONG;
    }
    memcpy(out, socket->endpoint, length + 1);
    return 0;
}

enum bus_link bus_link(struct bus_socket *socket)
{
    if (socket->watch != NULL) {
        tend_link(socket);
    }
    return socket->link;
}

void *bus_handle(const struct bus_socket *socket)
{
    return socket->handle;
}

void *bus_watch_handle(const struct bus_socket *socket)
{
    return socket->watch;
}
