// SPDX-License-Identifier: Apache-2.0
/*
 * The datagram socket to which a HAProxy writes one line per request. HAProxy addresses each
 * line by the socket's name and never waits: without a reader lines are lost and requests are
 * not, and a reader that comes back gets the next line.
 */
#ifndef NODE_AGENT_IO_HAPROXY_LOG_H
#define NODE_AGENT_IO_HAPROXY_LOG_H

#include <stdint.h>

#include "common/err.h"
#include "node-agent/core/request_window.h"
#include "node-agent/io/haproxy_config.h"

/*
 * Linux keeps this many datagrams for a reader; its own default of 10 loses lines in any burst.
 * systemd raises it to the same value at boot. Best effort: false when it is lower and stays
 * so.
 */
#define HAPROXY_LOG_QUEUE 512
bool haproxy_log_raise_queue(void);

/* Takes the place of an older socket in the folder. Returns the descriptor. */
int haproxy_log_open(int folder_fd, const struct haproxy_host *host, struct err *err);

/* Takes what is there, at most a bounded number of lines. Returns how many. */
int haproxy_log_drain(int fd, struct request_window *window, int64_t now_ms);

#endif
