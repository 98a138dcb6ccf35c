// SPDX-License-Identifier: Apache-2.0
/*
 * One conversation with a HAProxy over its master or admin socket: connect, one line of
 * commands, read until HAProxy closes. Never blocks; one conversation at a time per object.
 */
#ifndef NODE_AGENT_IO_HAPROXY_CLI_H
#define NODE_AGENT_IO_HAPROXY_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HAPROXY_CLI_LINE_SIZE 4096
#define HAPROXY_CLI_LIMIT_MS  2000

struct haproxy_cli {
    int fd; /* -1: no conversation */
    int64_t deadline_ms;
    size_t line_used;
    char line[HAPROXY_CLI_LINE_SIZE]; /* what is longer is cut */
};

/* The socket is a name in the folder, whose path may be longer than a socket's address can be.
 * -ENOENT or -ECONNREFUSED: nobody listens. */
int haproxy_cli_start(struct haproxy_cli *cli, int folder_fd, const char *socket_name,
                      const char *commands, int64_t now_ms);

/* Passes each whole line on. 0: HAProxy closed, the conversation is over; -EAGAIN: it goes on;
 * other errors end it too (-ETIMEDOUT). */
int haproxy_cli_run(struct haproxy_cli *cli, int64_t now_ms,
                    void (*take_line)(void *context, const char *line), void *context);

void haproxy_cli_stop(struct haproxy_cli *cli);

bool haproxy_cli_listens(int folder_fd, const char *socket_name);

#endif
