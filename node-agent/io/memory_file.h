// SPDX-License-Identifier: Apache-2.0
/*
 * What an agent remembers over a restart, in one file of its state folder: a line of text with
 * the newest epoch, then orders as they came over the wire, each behind its length, then lent
 * addresses, each behind an empty block. Replaced as a whole.
 */
#ifndef NODE_AGENT_IO_MEMORY_FILE_H
#define NODE_AGENT_IO_MEMORY_FILE_H

#include "common/err.h"
#include "node-agent/core/agent.h"

/* Durable when it returns 0. */
int memory_file_write(const char *path, const struct agent_memory *memory, struct err *err);

/* 0; -ENOENT: there is none; -EBADMSG: damaged, the text says what to do. */
int memory_file_read(const char *path, struct agent_memory *out, struct err *err);

#endif
