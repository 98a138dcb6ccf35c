// SPDX-License-Identifier: Apache-2.0
#include "common/io/secure_socket.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

/* In libzmq 4.3.4 as built by Debian, but only in the draft part of its header. Without it, a
 * server whose ZAP handler is gone admits everybody. */
#define OPTION_ZAP_ENFORCE_DOMAIN 93

#define HANDSHAKE_MS         2000
#define HEARTBEAT_MS         4000
#define HEARTBEAT_TIMEOUT_MS 4000
#define KEEPALIVE_IDLE_S     4
#define KEEPALIVE_INTERVAL_S 2
#define KEEPALIVE_COUNT      3
#define RECONNECT_MS         100
#define RECONNECT_MAX_MS     2000
#define BACKLOG              1024
#define SOCKETS_MAX          16384
#define HIGH_WATER           1000
#define IPC_MODE             0666 /* keys decide who may talk, as on TCP */
#define CURVE_FRAME_OVERHEAD 64   /* command name, nonce, authenticator */

static void configure(void)
{
    zsys_handler_set(NULL); /* signals belong to the daemon, not to czmq; before zsys_init() */
    /* Before the first socket. Without more of them the daemon still runs. */
    (void)zmq_ctx_set(zsys_init(), ZMQ_MAX_SOCKETS, SOCKETS_MAX);
}

void *secure_socket_context(void)
{
    // NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, configure);
    return zsys_init();
}

static int set_number(void *handle, int option, int value)
{
    return zmq_setsockopt(handle, option, &value, sizeof value);
}

static int set_text(void *handle, int option, const char *value)
{
    return zmq_setsockopt(handle, option, value, strlen(value));
}

/*
 * Each side asks for answers itself: the TTL that libzmq sends along is forgotten with the next
 * message, so it finds no peer that falls silent in the middle of its work, and costs a timer
 * for each connection (libzmq looks through all of them to end one). Who only listens to
 * publishers leaves the watch to the kernel: a lost publisher is noticed by what it no longer
 * says.
 */
static int set_liveness(void *handle, bool only_listens)
{
    if (!only_listens) {
        int r = set_number(handle, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS);
        return r != 0 ? r : set_number(handle, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS);
    }
    int r = set_number(handle, ZMQ_TCP_KEEPALIVE, 1);
    r = r != 0 ? r : set_number(handle, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S);
    r = r != 0 ? r : set_number(handle, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_INTERVAL_S);
    return r != 0 ? r : set_number(handle, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_COUNT);
}

static int set_limits(void *handle, const struct secure_socket_options *options)
{
    int64_t frame_bytes = -1;
    if (options->frame_bytes_max > 0) {
        frame_bytes = (int64_t)options->frame_bytes_max + CURVE_FRAME_OVERHEAD;
    }
    int send = options->send_high_water > 0 ? options->send_high_water : HIGH_WATER;
    int receive = options->receive_high_water > 0 ? options->receive_high_water : HIGH_WATER;
    const bool only_listens = options->type == ZMQ_SUB && options->server_public == NULL;
    int r = zmq_setsockopt(handle, ZMQ_MAXMSGSIZE, &frame_bytes, sizeof frame_bytes);
    r = r != 0 ? r : set_number(handle, ZMQ_SNDHWM, send);
    r = r != 0 ? r : set_number(handle, ZMQ_RCVHWM, receive);
    r = r != 0 ? r : set_number(handle, ZMQ_LINGER, SECURE_SOCKET_LINGER_MS);
    r = r != 0 ? r : set_number(handle, ZMQ_BACKLOG, BACKLOG);
    r = r != 0 ? r : set_number(handle, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    r = r != 0 ? r : set_liveness(handle, only_listens);
    r = r != 0 ? r : set_number(handle, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    r = r != 0 ? r : set_number(handle, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
    if (r == 0 && options->type == ZMQ_ROUTER) {
        /* A lost peer is an error, not silence; a second peer never takes a route over. */
        r = set_number(handle, ZMQ_ROUTER_MANDATORY, 1);
        r = r != 0 ? r : set_number(handle, ZMQ_ROUTER_HANDOVER, 0);
    }
    if (r == 0 && options->type == ZMQ_SUB) {
        r = zmq_setsockopt(handle, ZMQ_SUBSCRIBE, "", 0);
    }
    return r;
}

static int set_keys(void *handle, const struct secure_socket_options *options)
{
    int r = set_text(handle, ZMQ_CURVE_SECRETKEY, options->own->secret_text);
    r = r != 0 ? r : set_text(handle, ZMQ_CURVE_PUBLICKEY, options->own->public_text);
    if (r != 0) {
        return r;
    }
    if (options->server_public != NULL) {
        return set_text(handle, ZMQ_CURVE_SERVERKEY, options->server_public);
    }
    r = set_number(handle, ZMQ_CURVE_SERVER, 1);
    r = r != 0 ? r : set_text(handle, ZMQ_ZAP_DOMAIN, options->zap_domain);
    return r != 0 ? r : set_number(handle, OPTION_ZAP_ENFORCE_DOMAIN, 1);
}

zsock_t *secure_socket_new(const struct secure_socket_options *options, struct err *err)
{
    if (secure_socket_context() == NULL) {
        (void)err_set(err, -ENOMEM, "cannot start ZeroMQ");
        return NULL;
    }
    zsock_t *socket = zsock_new(options->type);
    if (socket == NULL) {
        (void)err_set(err, -EMFILE, "cannot make a ZeroMQ socket: %s", zmq_strerror(errno));
        return NULL;
    }
    void *handle = zsock_resolve(socket);
    if (set_limits(handle, options) != 0 || set_keys(handle, options) != 0) {
        (void)err_set(err, -EINVAL, "cannot set up a ZeroMQ socket: %s", zmq_strerror(errno));
        zsock_destroy(&socket);
        return NULL;
    }
    return socket;
}

/* An IPv6 address needs an option, which would turn IPv4 addresses into mapped ones. */
static void allow_ipv6(void *handle, const char *endpoint)
{
    if (strncmp(endpoint, "tcp://[", 7) == 0) {
        (void)set_number(handle, ZMQ_IPV6, 1); /* the bind or connect fails by itself then */
    }
}

int secure_socket_bind(zsock_t *socket, const char *endpoint, struct err *err)
{
    void *handle = zsock_resolve(socket);
    allow_ipv6(handle, endpoint);
    if (zmq_bind(handle, endpoint) != 0) {
        int code = errno;
        return err_set(err, code < ZMQ_HAUSNUMERO ? -code : -EINVAL, "cannot listen on %s: %s",
                       endpoint, zmq_strerror(code));
    }
    if (strncmp(endpoint, "ipc:///", 7) == 0 && chmod(endpoint + 6, IPC_MODE) != 0) {
        int code = errno;
        return err_set(err, -code, "cannot open %s to others: %s", endpoint,
                       strerrordesc_np(code));
    }
    return 0;
}

int secure_socket_connect(zsock_t *socket, const char *endpoint, struct err *err)
{
    void *handle = zsock_resolve(socket);
    allow_ipv6(handle, endpoint);
    if (zmq_connect(handle, endpoint) != 0) {
        int code = errno;
        return err_set(err, code < ZMQ_HAUSNUMERO ? -code : -EINVAL, "cannot connect to %s: %s",
                       endpoint, zmq_strerror(code));
    }
    return 0;
}

int secure_socket_endpoint(zsock_t *socket, char *out, size_t size)
{
    return zmq_getsockopt(zsock_resolve(socket), ZMQ_LAST_ENDPOINT, out, &size) == 0 ? 0
                                                                                     : -errno;
}

void *secure_socket_watch(zsock_t *socket, struct err *err)
{
    /* Monitors are named; a name is used once in the process. */
    static atomic_uint next; // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
    char name[64];
    (void)snprintf(name, sizeof name, "inproc://arbiter-watch-%u", atomic_fetch_add(&next, 1));
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                 ZMQ_EVENT_DISCONNECTED;
    void *watch = zmq_socket(secure_socket_context(), ZMQ_PAIR);
    if (watch == NULL || set_number(watch, ZMQ_LINGER, 0) != 0 ||
        zmq_socket_monitor(zsock_resolve(socket), name, events) != 0 ||
        zmq_connect(watch, name) != 0) {
        (void)err_set(err, -EMFILE, "cannot watch a ZeroMQ socket: %s", zmq_strerror(errno));
        if (watch != NULL) {
            (void)zmq_close(watch); /* cannot fail on a socket */
        }
        return NULL;
    }
    return watch;
}

int secure_socket_event(void *watch)
{
    /* First frame: event number (16 bits) and value (32 bits); second: the address. */
    unsigned char frame[8];
    int size = zmq_recv(watch, frame, sizeof frame, ZMQ_DONTWAIT);
    if (size < 0) {
        return 0;
    }
    uint16_t event = 0;
    memcpy(&event, frame, sizeof event);
    char address[256];
    (void)zmq_recv(watch, address, sizeof address, ZMQ_DONTWAIT); /* same message: is there */
    return event;
}
