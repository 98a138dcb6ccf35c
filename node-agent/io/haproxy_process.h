// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the program haproxy for a moment: to check a configuration, or to start one in the
 * background. That one leaves this process by itself (option -D): it has a session of its own
 * and init for a parent, so nothing that happens here ends it, and no SIGCHLD of it ever
 * arrives.
 */
#ifndef NODE_AGENT_IO_HAPROXY_PROCESS_H
#define NODE_AGENT_IO_HAPROXY_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

#define HAPROXY_OUTPUT_NAME  "output.log"
#define HAPROXY_RUN_LIMIT_MS 15000

struct haproxy_run {
    int pidfd; /* -1: nothing runs */
    pid_t pid;
    int64_t deadline_ms;
};

/* Starts it in the folder, with the folder's output.log for its output, no other descriptor, no
 * signal blocked and a minimal environment. argv[0] is the path of the program. */
int haproxy_run_start(struct haproxy_run *run, int folder_fd, const char *const argv[],
                      int64_t now_ms, struct err *err);

/* 0: it ended with status 0; -EAGAIN: it runs; -ETIMEDOUT: it was killed; -EPROTO: it failed.
 */
int haproxy_run_poll(struct haproxy_run *run, int64_t now_ms);

/* Kills what still runs and forgets it. */
void haproxy_run_stop(struct haproxy_run *run);

/* The first alert in the folder's output.log, without HAProxy's prefix; empty when there is
 * none. */
void haproxy_run_complaint(int folder_fd, char *out, size_t size);

#endif
