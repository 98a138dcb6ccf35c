// SPDX-License-Identifier: Apache-2.0
/*
 * libxl's own lines of one operation, as one line that a person can read: without the places in
 * its source, without repetitions, the first ones first, since they name the cause. Pure.
 */
#ifndef NODE_AGENT_IO_XEN_LOG_LINES_H
#define NODE_AGENT_IO_XEN_LOG_LINES_H

#include <stddef.h>

#define LOG_LINES_SIZE 480

struct log_lines {
    char text[LOG_LINES_SIZE];
    size_t length;
};

void log_lines_clear(struct log_lines *lines);

/* Adds "line" after "; "; what does not fit any more is dropped. */
void log_lines_add(struct log_lines *lines, const char *line);

/* Behind "libxl_create.c:1274:initiate_domain_create: ", if line begins like that. */
const char *log_lines_message(const char *line);

#endif
