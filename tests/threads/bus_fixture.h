// SPDX-License-Identifier: Apache-2.0
/*
 * For the programs that test the bus: keys, a guarded server, clients, and waiting with a
 * limit. A requirement that does not hold ends the program with its place.
 */
#ifndef TESTS_THREADS_BUS_FIXTURE_H
#define TESTS_THREADS_BUS_FIXTURE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/bus.h"
#include "common/io/clock.h"
#include "common/io/guard.h"
#include "common/io/poll.h"
#include "common/io/secure_socket.h"

#define LIMIT_MS 10000

#define REQUIRE(condition)                                                                     \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            (void)fprintf(stderr, "%s:%d: %s: does not hold: %s\n", __FILE__, __LINE__,        \
                          __func__, #condition);                                               \
            _exit(1);                                                                          \
        }                                                                                      \
    } while (0)

#define RUN(test)                                                                              \
    do {                                                                                       \
        int64_t started_ms = clock_boot_ms();                                                  \
        test();                                                                                \
        (void)printf("ok %s (%d ms)\n", #test, (int)(clock_boot_ms() - started_ms));           \
        (void)fflush(stdout);                                                                  \
    } while (0)

static struct keyring *keyring;
static struct key_pair server_key;

static inline struct principal principal_make(const char *name, enum role role,
                                              const struct key_pair *pair)
{
    struct principal principal = {.role = role};
    (void)snprintf(principal.name, sizeof principal.name, "%s", name);
    memcpy(principal.public_text, pair->public_text, KEY_TEXT_SIZE);
    return principal;
}

static inline struct key_pair enrolled_key(const char *name, enum role role)
{
    struct key_pair pair;
    REQUIRE(key_pair_generate(&pair, NULL) == 0);
    const struct principal principal = principal_make(name, role, &pair);
    REQUIRE(keyring_add(keyring, &principal, NULL) == 0);
    return pair;
}

static inline void fixture_start(void)
{
    struct err err = {0};
    keyring = keyring_create();
    REQUIRE(keyring != NULL);
    REQUIRE(key_pair_generate(&server_key, NULL) == 0);
    if (guard_start(keyring, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        _exit(1);
    }
}

static inline void fixture_stop(void)
{
    guard_stop();
    keyring_destroy(keyring);
}

/* Everybody out: what an administrator's reload of an empty file does. */
static inline void empty_the_keyring(void)
{
    REQUIRE(keyring_load(keyring, "/dev/null", NULL) != 0); /* no regular file: refused */
    char path[] = "/tmp/arbiter-keyring-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    REQUIRE(keyring_load(keyring, path, NULL) == 0);
    REQUIRE(unlink(path) == 0);
    REQUIRE(close(fd) == 0);
}

static inline struct bus_socket *server_open(enum bus_kind kind, enum bus_domain domain,
                                             const char *endpoint, size_t frame_bytes_max)
{
    struct bus_socket *socket = NULL;
    struct err err = {0};
    const struct bus_options options = {.kind = kind,
                                        .bind = true,
                                        .endpoint = endpoint,
                                        .domain = domain,
                                        .own = &server_key,
                                        .frame_bytes_max = frame_bytes_max};
    if (bus_open(&socket, &options, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        _exit(1);
    }
    return socket;
}

static inline struct bus_socket *client_open_at(enum bus_kind kind, const char *endpoint,
                                                const struct key_pair *own)
{
    struct bus_socket *socket = NULL;
    const struct bus_options options = {.kind = kind,
                                        .endpoint = endpoint,
                                        .own = own,
                                        .server_public = server_key.public_text,
                                        .frame_bytes_max = BUS_CONTROL_FRAME_MAX};
    REQUIRE(bus_open(&socket, &options, NULL) == 0);
    return socket;
}

static inline struct bus_socket *
client_open(enum bus_kind kind, const struct bus_socket *server, const struct key_pair *own)
{
    char endpoint[256];
    REQUIRE(bus_endpoint(server, endpoint, sizeof endpoint) == 0);
    return client_open_at(kind, endpoint, own);
}

/* A peer of any ZeroMQ type, for sending what our own sockets never send. */
static inline zsock_t *raw_open(int type, const struct bus_socket *server,
                                const struct key_pair *own)
{
    char endpoint[256];
    REQUIRE(bus_endpoint(server, endpoint, sizeof endpoint) == 0);
    const struct secure_socket_options options = {
        .type = type, .own = own, .server_public = server_key.public_text};
    zsock_t *socket = secure_socket_new(&options, NULL);
    REQUIRE(socket != NULL);
    REQUIRE(secure_socket_connect(socket, endpoint, NULL) == 0);
    return socket;
}

/* The next message within a limit; 0 or -EAGAIN. */
static inline int receive_within(struct bus_socket *socket, struct bus_message *out,
                                 int64_t limit_ms)
{
    int64_t deadline_ms = clock_boot_ms() + limit_ms;
    int rc = bus_receive(socket, out);
    while (rc == -EAGAIN && clock_boot_ms() < deadline_ms) {
        struct poll_item item = {.socket = socket};
        (void)poll_wait(&item, 1, deadline_ms);
        rc = bus_receive(socket, out);
    }
    return rc;
}

static inline bool message_is(const struct bus_message *message, const char *text)
{
    return message->size == strlen(text) && memcmp(message->data, text, message->size) == 0;
}

static inline void send_text(struct bus_socket *socket, const struct bus_route *route,
                             const char *text)
{
    REQUIRE(bus_send(socket, route, text, strlen(text)) == 0);
}

/* Waits until the link of a client is in that state. */
static inline bool link_becomes(struct bus_socket *socket, enum bus_link link, int64_t limit_ms)
{
    int64_t deadline_ms = clock_boot_ms() + limit_ms;
    while (bus_link(socket) != link) {
        if (clock_boot_ms() >= deadline_ms) {
            return false;
        }
        zmq_pollitem_t item = {.socket = bus_watch_handle(socket), .events = ZMQ_POLLIN};
        (void)zmq_poll(&item, 1, 100); /* a refused link is tried again by bus_link() */
    }
    return true;
}

#endif
