// SPDX-License-Identifier: Apache-2.0
#include "common/io/poll.h"

#include <errno.h>
#include <limits.h>
#include <zmq.h>

#include "common/io/clock.h"

/* A watched socket is polled twice: for messages and for the state of its connection. */
#define HANDLES_MAX (POLL_ITEMS_MAX * 2)

static int fill(const struct poll_item *items, int count, zmq_pollitem_t *handles)
{
    int used = 0;
    for (int i = 0; i < count; i++) {
        short events = items[i].writable ? ZMQ_POLLOUT : ZMQ_POLLIN;
        void *socket = items[i].socket != NULL ? bus_handle(items[i].socket) : NULL;
        handles[used++] =
            (zmq_pollitem_t){.socket = socket, .fd = items[i].fd, .events = events};
        void *watch = items[i].socket != NULL ? bus_watch_handle(items[i].socket) : NULL;
        if (watch != NULL) {
            handles[used++] = (zmq_pollitem_t){.socket = watch, .events = ZMQ_POLLIN};
        }
    }
    return used;
}

static int collect(struct poll_item *items, int count, const zmq_pollitem_t *handles)
{
    int ready = 0;
    int used = 0;
    for (int i = 0; i < count; i++) {
        /* An error on a descriptor counts as ready: the next read or write reports it. */
        items[i].ready = handles[used++].revents != 0;
        if (items[i].socket != NULL && bus_watch_handle(items[i].socket) != NULL) {
            items[i].ready = items[i].ready || handles[used].revents != 0;
            used++;
        }
        ready += items[i].ready ? 1 : 0;
    }
    return ready;
}

int poll_wait(struct poll_item *items, int count, int64_t deadline_ms)
{
    if (count < 0 || count > POLL_ITEMS_MAX) {
        return -EINVAL;
    }
    zmq_pollitem_t handles[HANDLES_MAX];
    int used = fill(items, count, handles);
    for (;;) {
        int64_t left_ms = deadline_ms - clock_boot_ms();
        if (left_ms < 0) {
            left_ms = 0;
        } else if (left_ms > INT_MAX) {
            left_ms = INT_MAX;
        }
        int r = zmq_poll(handles, used, (long)left_ms);
        if (r < 0) {
            return -zmq_errno();
        }
        int ready = collect(items, count, handles);
        /* A poll may end early by a rounded millisecond. */
        if (ready > 0 || clock_boot_ms() >= deadline_ms) {
            return ready;
        }
    }
}
