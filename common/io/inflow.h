// SPDX-License-Identifier: Apache-2.0
/*
 * Inside common/io: cuts off a peer whose messages never end. libzmq limits frames, not
 * messages: it keeps every frame of a message until the last has come, and nobody else sees or
 * bounds them. So what the kernel received on a connection is compared with what reached
 * bus_receive(); a connection with too much in between is shut down, which makes libzmq free it
 * all. TCP only: the kernel does not count the bytes of Unix sockets.
 */
#ifndef COMMON_IO_INFLOW_H
#define COMMON_IO_INFLOW_H

#include <stddef.h>
#include <zmq.h>

/* Bytes of one connection that may be under way to bus_receive(). */
#define INFLOW_BYTES_MAX (32u << 20)
#define INFLOW_SWEEP_MS  250

/* Connections to this endpoint are looked after; other sockets of the process are left alone.
 */
void inflow_add_endpoint(const char *endpoint);

/* A frame came out of a bound socket. Any thread. */
void inflow_delivered(zmq_msg_t *frame);

/* Of the sweeping thread; starts zeroed. */
struct inflow {
    unsigned sweeps;
    int end; /* descriptors below this are looked at */
};

/* Looks at all connections; returns how many were cut off. One thread, every INFLOW_SWEEP_MS.
 */
int inflow_sweep(struct inflow *inflow);

#endif
