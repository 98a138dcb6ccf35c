// SPDX-License-Identifier: Apache-2.0
/*
 * Inside common/io: a ZeroMQ socket with every option that this project wants, set before bind
 * or connect (later they have no effect): CURVE, the ZAP domain that must be answered, frame
 * size limit, time limits of handshakes and of silent peers, bounded queues and linger.
 */
#ifndef COMMON_IO_SECURE_SOCKET_H
#define COMMON_IO_SECURE_SOCKET_H

#include <czmq.h>

#include "common/err.h"
#include "common/io/bus.h"

/* How long a closed socket may go on sending what it holds. */
#define SECURE_SOCKET_LINGER_MS 500

struct secure_socket_options {
    int type; /* ZMQ_ROUTER, ... */
    const struct key_pair *own;
    const char
        *server_public; /* of the side that binds; NULL: this side binds, in zap_domain */
    const char *zap_domain;
    size_t frame_bytes_max; /* 0: no limit of ours */
    int send_high_water;
    int receive_high_water;
};

/* The one context of the process (several break CURVE in libzmq 4.3.4). */
void *secure_socket_context(void);

/* Neither bound nor connected. NULL with err. zsock_destroy() ends it. */
zsock_t *secure_socket_new(const struct secure_socket_options *options, struct err *err);

int secure_socket_bind(zsock_t *socket, const char *endpoint, struct err *err);
int secure_socket_connect(zsock_t *socket, const char *endpoint, struct err *err);

/* "tcp://127.0.0.1:7701" after a bind to "tcp://127.0.0.1:*". 0 or negative errno. */
int secure_socket_endpoint(zsock_t *socket, char *out, size_t size);

/* The far end of a monitor for handshakes and disconnects. NULL with err; close with zmq_close.
 */
void *secure_socket_watch(zsock_t *socket, struct err *err);

/* The next event of a monitor (ZMQ_EVENT_...), 0 when there is none. Never blocks. */
int secure_socket_event(void *watch);

#endif
