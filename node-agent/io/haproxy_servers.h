// SPDX-License-Identifier: Apache-2.0
/*
 * The servers that a running HAProxy has, as its statistics show them, and the commands that
 * bring them to those of an order. Level-triggered: what a command did is seen in the next
 * statistics, and what is still missing is ordered again.
 */
#ifndef NODE_AGENT_IO_HAPROXY_SERVERS_H
#define NODE_AGENT_IO_HAPROXY_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/model/entry_order.h"
#include "node-agent/io/haproxy_config.h"

/* Those that leave are there for a while. */
#define SERVER_ROWS_MAX      (2 * ENTRY_SERVERS_MAX)
#define SERVER_COMMANDS_SIZE 8192 /* HAProxy takes less than 16 KiB at once */

enum server_state {
    SERVER_STATE_UP = 1,
    SERVER_STATE_DOWN = 2,
    SERVER_STATE_DRAIN = 3, /* healthy, gets nothing new */
    SERVER_STATE_MAINT = 4, /* gets nothing new, is not checked */
};

struct server_row {
    char name[SERVER_NAME_SIZE];
    enum server_state state;
    uint32_t sessions;
    uint32_t weight;
};

struct server_table {
    int column_name; /* of the columns in a line, from the header line; -1: not seen */
    int column_sessions;
    int column_state;
    int column_weight;
    uint32_t count;
    struct server_row rows[SERVER_ROWS_MAX];
};

void server_table_start(struct server_table *table);
/* Takes one line of "show stat servers 4 -1": the header or a server. Others are passed over.
 */
void server_table_line(struct server_table *table, const char *line);
/* How many get requests. */
uint32_t server_table_up(const struct server_table *table);

/*
 * Commands, separated by semicolons, that lead from the table to the order; empty: nothing to
 * do. As many as fit; the rest follows the next time. True when users are served as the order
 * says, even if servers that left are still to be cleared away.
 *
 * A server that is not in the order gets nothing new from here on. It is deleted when it has no
 * session left or when it is dead; the sessions of a dead one are ended.
 */
bool server_plan(const struct server_table *table, const struct entry_order *order,
                 char commands[SERVER_COMMANDS_SIZE]);

#endif
