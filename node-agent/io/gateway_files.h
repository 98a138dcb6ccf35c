// SPDX-License-Identifier: Apache-2.0
/* Files, folders and addresses of entry points: the calls to the system that gateway_entry.c
 * needs. */
#ifndef NODE_AGENT_IO_GATEWAY_FILES_H
#define NODE_AGENT_IO_GATEWAY_FILES_H

#include <stddef.h>

#include "common/err.h"
#include "node-agent/io/haproxy_config.h"

#define GATEWAY_CONFIG_NAME     "haproxy.cfg"
#define GATEWAY_CONFIG_NEW_NAME "haproxy.cfg.new"

/* Makes the folder of a service when it is missing; HAProxy's workers may enter. Returns a
 * descriptor. */
int gateway_folder_open(int parent_fd, const char *service, const struct haproxy_host *host,
                        struct err *err);
/* Removes the files that an entry point makes, then the folder. What else is in there stays. */
void gateway_folder_remove(int parent_fd, int folder_fd, const char *service);

/* Not synced: after a crash of the host HAProxy is gone too and its file is made anew. */
int gateway_file_write(int folder_fd, const char *name, const char *text, size_t size,
                       struct err *err);
int gateway_file_rename(int folder_fd, const char *from, const char *to, struct err *err);

/* Can an address be listened at? The socket is closed again. */
int gateway_listen_try(const char *listen_text, struct err *err);

#endif
