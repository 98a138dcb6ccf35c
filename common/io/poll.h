// SPDX-License-Identifier: Apache-2.0
/* Waits for sockets, descriptors and a deadline: the one place where a daemon sleeps. */
#ifndef COMMON_IO_POLL_H
#define COMMON_IO_POLL_H

#include "common/io/bus.h"

#define POLL_ITEMS_MAX 256

struct poll_item {
    struct bus_socket *socket; /* or NULL and */
    int fd;
    bool writable; /* wait for writing instead of reading */
    bool ready;    /* out */
};

/* Returns the number of ready items, 0 at the deadline, negative errno (-EINTR: a signal came).
 */
int poll_wait(struct poll_item *items, int count, int64_t deadline_ms);

#endif
