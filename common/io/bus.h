// SPDX-License-Identifier: Apache-2.0
/*
 * The only door to ZeroMQ. One struct bus_socket belongs to one thread. Every socket over TCP
 * or ipc is CURVE with the fail-closed guard of this process (guard.h): who sent a message is
 * known from the key of its connection, checked again for every message, so that a revoked key
 * is cut off at once.
 *
 * ROUTER and DEALER carry what must not be lost silently (with answers and retries above); PUB
 * and SUB what may be lost (heartbeats, metrics, live events).
 */
#ifndef COMMON_IO_BUS_H
#define COMMON_IO_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/io/keys.h"

enum bus_kind {
    BUS_ROUTER = 1, /* binds; knows its peers by key */
    BUS_DEALER = 2, /* connects */
    BUS_PUB = 3,
    BUS_SUB = 4,
};

/* What a bound socket is for: the guard admits a key only where its role may connect. */
enum bus_domain {
    BUS_DOMAIN_CONTROL = 1,   /* agents; 7701 */
    BUS_DOMAIN_TELEMETRY = 2, /* agents; 7702 */
    BUS_DOMAIN_API = 3,       /* administrator, provider, observer; 7703 */
    BUS_DOMAIN_EVENTS = 4,    /* administrator, observer; 7704 */
};

#define BUS_CONTROL_FRAME_MAX (1u << 20)
#define BUS_API_FRAME_MAX     (64u << 10)

struct bus_options {
    enum bus_kind kind;
    bool bind;
    const char *endpoint;       /* tcp://127.0.0.1:7701, ipc:///run/arbiter/control */
    enum bus_domain domain;     /* of a bound socket */
    const struct key_pair *own; /* always needed */
    const char *server_public;  /* Z85; of the side that binds, when connecting */
    size_t frame_bytes_max;     /* larger frames cut the peer off */
    int send_high_water;        /* messages; 0: 1,000 */
    int receive_high_water;     /* messages; 0: 1,000 */
};

struct bus_socket;

int bus_open(struct bus_socket **out, const struct bus_options *options, struct err *err);
void bus_close(
    struct bus_socket *socket); /* NULL is fine; waits at most 500 ms for what is unsent */

/* A connection of a ROUTER socket; a value to copy. Valid for one connection of the peer. */
#define BUS_ROUTE_BYTES 32
struct bus_route {
    unsigned char bytes[BUS_ROUTE_BYTES];
    unsigned char size;
    bool has_delimiter;              /* the peer is a REQ socket: an empty frame comes first */
    char public_text[KEY_TEXT_SIZE]; /* its key: nothing is sent to one that was revoked */
};

struct bus_message {
    const void *data; /* valid until the next receive on this socket */
    size_t size;
    struct bus_route route;         /* ROUTER only */
    const struct principal *sender; /* bound sockets: from the key; never NULL there; valid
                                       until the next receive */
};

/*
 * Never blocks. 0: *out is filled; -EAGAIN: nothing there. Messages of unknown or revoked keys,
 * with more frames than allowed or a role that the domain does not admit are dropped and
 * counted.
 */
int bus_receive(struct bus_socket *socket, struct bus_message *out);

/*
 * Never blocks. route: of a ROUTER, else NULL. -EAGAIN: the peer is too slow; -EHOSTUNREACH: it
 * is gone (only a ROUTER can tell).
 */
int bus_send(struct bus_socket *socket, const struct bus_route *route, const void *data,
             size_t size);

struct bus_counters {
    uint64_t received;
    uint64_t sent;
    uint64_t refused_key;    /* unknown, revoked, or the wrong role */
    uint64_t refused_frames; /* too many frames or an empty message */
    uint64_t send_again;
    uint64_t send_unreachable;
    uint64_t link_ups; /* times that a connecting socket was admitted */
};
void bus_counters(const struct bus_socket *socket, struct bus_counters *out);

/* Where a bound socket listens, with the port that was chosen for "tcp://127.0.0.1:*". */
int bus_endpoint(const struct bus_socket *socket, char *out, size_t size);

/*
 * How a connecting socket stands with its server. libzmq gives a refused connection up; the bus
 * tries it again every two seconds, since the key may be enrolled meanwhile.
 */
enum bus_link {
    BUS_LINK_CONNECTING = 0, /* nobody answered yet, or the connection broke */
    BUS_LINK_UP = 1,         /* both keys were accepted */
    BUS_LINK_REFUSED = 2,    /* the server does not admit our key here */
    BUS_LINK_BROKEN_OFF = 3, /* the server hung up during the handshake: not the key we expect,
                                or no Arbiter */
};
enum bus_link bus_link(struct bus_socket *socket);

/* The raw ZeroMQ sockets, for poll.h only. The second is NULL for a bound socket. */
void *bus_handle(const struct bus_socket *socket);
void *bus_watch_handle(const struct bus_socket *socket);

#endif
