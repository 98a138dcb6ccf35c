// SPDX-License-Identifier: Apache-2.0
/*
 * Serves GET /metrics from a thread of its own (libmicrohttpd), which never touches the core: a
 * request asks the loop for a page, at most once a second, and waits; the loop hands one over;
 * the thread prints it and answers all that wait. A slow reader costs the loop nothing. Without
 * a request nothing is done at all.
 *
 * No names and no passwords: it is for loopback, where the Host of a request must be this
 * machine, so that no page in a browser can read it through a name that it made up.
 */
#ifndef ORCHESTRATOR_IO_METRICS_HTTP_H
#define ORCHESTRATOR_IO_METRICS_HTTP_H

#include <stdbool.h>

#include "common/err.h"
#include "orchestrator/io/metrics_text.h"

#define METRICS_CONNECTIONS_MAX 16

struct metrics_http;

/*
 * listen: "127.0.0.1:7780", "[::1]:7780", port 0: one that is free, or "off". -EINVAL: not of
 * this form; -EADDRINUSE and others: nothing is served. Signals must be blocked already.
 */
int metrics_http_start(struct metrics_http **out, const char *listen, struct err *err);
void metrics_http_stop(struct metrics_http *http); /* NULL is fine */

/* Is "listen" of the form above? 0 or -EINVAL. */
int metrics_http_check(const char *listen, struct err *err);

/* The port that it listens on; 0: off. */
unsigned metrics_http_port(const struct metrics_http *http);

/* Readable when a page is wanted. */
int metrics_http_fd(const struct metrics_http *http);
/* Is one wanted? Asked once, it is not wanted any more. */
bool metrics_http_wanted(struct metrics_http *http);
/* Takes the page; NULL: there is none, those who wait are told to try again. */
void metrics_http_give(struct metrics_http *http, struct metrics_page *page);

/* A page with memory for so many rows; NULL: no memory. */
struct metrics_page *metrics_page_create(const struct metrics_rows *rows);
void metrics_page_destroy(struct metrics_page *page);

#endif
