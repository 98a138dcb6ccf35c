// SPDX-License-Identifier: Apache-2.0
/*
 * Turns an entry order into the configuration file of a HAProxy. The part that only a reload
 * can change (address, health check, limits) is the frame; the servers follow it. A hash of the
 * frame and the address are the running HAProxy's own description, so that who adopts it knows
 * what it runs.
 *
 * Nothing of an order reaches the file before haproxy_order_check() has admitted it: addresses
 * are parsed, names and paths have safe characters only.
 */
#ifndef NODE_AGENT_IO_HAPROXY_CONFIG_H
#define NODE_AGENT_IO_HAPROXY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/err.h"
#include "common/model/entry_order.h"

#define HAPROXY_CONFIG_SIZE 32768
#define FRAME_SIZE          17 /* 16 hexadecimal digits */
#define SERVER_NAME_SIZE    (NAME_SIZE + ADDRESS_SIZE + 8)

#define CHECK_EVERY_MS_DEFAULT 2000
#define CHECK_EVERY_MS_MIN     100
#define CHECK_EVERY_MS_MAX     600000
#define WINDOW_MS_DEFAULT      30000
#define WINDOW_MS_MIN          1000
#define WINDOW_MS_MAX          3600000
#define SERVER_WEIGHT_MAX      256

/* What the host gives to every HAProxy. */
struct haproxy_host {
    bool drop_privileges; /* workers run as user and group haproxy */
    uint32_t gid;         /* of that group */
    uint32_t connections_max;
    uint32_t threads;
};

bool entry_name_is_valid(const char *name);

/* Fills in the defaults of what the order leaves out. -EINVAL with all that is wrong named. */
int haproxy_order_check(struct entry_order *order, struct err *err);

/* "10.0.8.10:80" or "[fd00::1]:80", numbers only. */
int listen_parse(const char *text, struct sockaddr_storage *out, socklen_t *size);

/* VM, address and port: a VM that comes back elsewhere is another server. */
void haproxy_server_name(const struct entry_server *server, char out[SERVER_NAME_SIZE]);
/* "address:port", with brackets for IPv6. */
void haproxy_server_address(const struct entry_server *server, char out[SERVER_NAME_SIZE]);
/* Health check and limits, the same in the file and for servers added later. */
void haproxy_server_options(const struct entry_order *order, char *out, size_t size);

/* The order must have been checked. Returns the length of the text; frame names its frame. */
size_t haproxy_config_write(const struct entry_order *order, const struct haproxy_host *host,
                            char out[HAPROXY_CONFIG_SIZE], char frame[FRAME_SIZE]);
/* FNV-1a, to know whether a text changed. */
uint64_t haproxy_text_hash(const char *text);

#endif
