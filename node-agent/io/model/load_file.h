// SPDX-License-Identifier: Apache-2.0
/*
 * The users of the simulated services: a file with one line each, "service requests_per_s", '#'
 * for comments. Read again when it changes, so that a script can let the load rise.
 */
#ifndef NODE_AGENT_IO_MODEL_LOAD_FILE_H
#define NODE_AGENT_IO_MODEL_LOAD_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/err.h"
#include "common/limits.h"
#include "node-agent/core/host_model.h"

#define LOAD_FILE_LINES_MAX 256
#define LOAD_FILE_EVERY_MS  200

struct load_line {
    char service[NAME_SIZE];
    double requests_per_s;
};

struct load_file {
    char path[PATH_SIZE]; /* empty: there is none */
    int64_t next_ms;
    struct timespec changed;
    off_t size;
    ino_t inode;
    uint32_t count;
    struct load_line lines[LOAD_FILE_LINES_MAX];
};

/* Reads the file if it changed and hands the loads to the host. A file that is missing or wrong
 * leaves the loads as they are: -EINVAL or another errno, with the line. */
int load_file_check(struct load_file *file, struct host_model *host, int64_t now_ms,
                    struct err *err);

#endif
