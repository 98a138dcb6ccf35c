// SPDX-License-Identifier: Apache-2.0
/*
 * The entry points of services on this host: one HAProxy per service, each in a folder and a
 * session of its own. A HAProxy is no child of this process and outlives it; who opens the
 * gateway again adopts what runs. The response times come from HAProxy's log, one line per
 * request.
 *
 * For a loop with one thread: nothing here waits. The loop polls gateway_fd() for reading,
 * calls gateway_run() when it is ready or the deadline has come, then takes out statuses and
 * metrics.
 */
#ifndef NODE_AGENT_IO_GATEWAY_H
#define NODE_AGENT_IO_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/message/node_message.h" /* struct metrics */
#include "common/model/entry_order.h"

#define GATEWAY_ENTRIES_MAX 64

struct gateway;

struct gateway_settings {
    const char *folder;  /* made when missing; one gateway at a time may have it open */
    const char *haproxy; /* path of the program; NULL: /usr/sbin/haproxy */
};

/* -EBUSY: another process has the folder open; -ENOENT: no HAProxy here. now_ms is boot time,
 * also below. */
int gateway_open(struct gateway **out, const struct gateway_settings *settings,
                 struct err *err);
/* Leaves every HAProxy running. NULL is fine. */
void gateway_close(struct gateway *gateway);

/*
 * Makes it so, beginning with the next gateway_run(). A newer order for a service replaces the
 * older one. What is wrong with an order comes back as its status; an error here means that
 * there is no place for the order: -EINVAL the name of the service, -ENOSPC too many entry
 * points.
 */
int gateway_apply(struct gateway *gateway, const struct entry_order *order, int64_t now_ms,
                  struct err *err);

/* Readable when gateway_run() has something to do. Never changes. */
int gateway_fd(const struct gateway *gateway);
/* When gateway_run() is wanted although nothing became readable; INT64_MAX: never. */
int64_t gateway_deadline_ms(const struct gateway *gateway);
void gateway_run(struct gateway *gateway, int64_t now_ms);

/* The next status that changed; operation_done rises when HAProxy shows the order. A removed
 * entry point is reported once more, not up. False: no more. */
bool gateway_next_status(struct gateway *gateway, struct entry_status *out);
/* The next metrics that are due, once a second per entry point. False: no more. */
bool gateway_next_metrics(struct gateway *gateway, int64_t now_ms, struct metrics *out);

#endif
