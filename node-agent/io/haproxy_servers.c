// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/haproxy_servers.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void server_table_start(struct server_table *table)
{
    table->column_name = -1;
    table->column_sessions = -1;
    table->column_state = -1;
    table->column_weight = -1;
    table->count = 0;
}

static void header_column(struct server_table *table, const char *title, int column)
{
    if (strcmp(title, "svname") == 0) {
        table->column_name = column;
    } else if (strcmp(title, "scur") == 0) {
        table->column_sessions = column;
    } else if (strcmp(title, "status") == 0) {
        table->column_state = column;
    } else if (strcmp(title, "uweight") == 0) {
        table->column_weight = column;
    }
}

static enum server_state state_from_word(const char *word)
{
    if (strncmp(word, "UP", 2) == 0 || strcmp(word, "no check") == 0) {
        return SERVER_STATE_UP;
    }
    if (strncmp(word, "DRAIN", 5) == 0) {
        return SERVER_STATE_DRAIN;
    }
    if (strncmp(word, "MAINT", 5) == 0) {
        return SERVER_STATE_MAINT;
    }
    return SERVER_STATE_DOWN;
}

static void row_column(struct server_row *row, const struct server_table *table,
                       const char *value, int column)
{
    if (column == table->column_name) {
        (void)snprintf(row->name, sizeof row->name, "%s", value);
    } else if (column == table->column_sessions) {
        row->sessions = (uint32_t)strtoul(value, NULL, 10);
    } else if (column == table->column_state) {
        row->state = state_from_word(value);
    } else if (column == table->column_weight) {
        row->weight = (uint32_t)strtoul(value, NULL, 10);
    }
}

void server_table_line(struct server_table *table, const char *line)
{
    const bool header = strncmp(line, "# pxname,", 9) == 0;
    if (!header && (table->column_name < 0 || strncmp(line, "servers,", 8) != 0 ||
                    table->count == SERVER_ROWS_MAX)) {
        return;
    }
    struct server_row row = {0};
    int column = 0;
    while (*line != '\0') {
        char value[SERVER_NAME_SIZE];
        const size_t size = strcspn(line, ",");
        (void)snprintf(value, sizeof value, "%.*s", (int)size, line);
        if (header) {
            header_column(table, value, column);
        } else {
            row_column(&row, table, value, column);
        }
        column++;
        line += size;
        line += *line == ',' ? 1 : 0;
    }
    if (!header && row.name[0] != '\0' && row.state != 0) {
        table->rows[table->count++] = row;
    }
}

uint32_t server_table_up(const struct server_table *table)
{
    uint32_t up = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        up += table->rows[i].state == SERVER_STATE_UP ? 1 : 0;
    }
    return up;
}

struct commands {
    char *text;
    size_t used;
    bool full;
};

static void command(struct commands *commands, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* All of it or nothing. */
static void command(struct commands *commands, const char *format, ...)
{
    char one[1024];
    va_list args;
    va_start(args, format);
    const int size = vsnprintf(one, sizeof one, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof one ||
        commands->used + (size_t)size + 2 > SERVER_COMMANDS_SIZE) {
        commands->full = true;
        return;
    }
    if (commands->used > 0) {
        commands->text[commands->used++] = ';';
    }
    memcpy(commands->text + commands->used, one, (size_t)size + 1);
    commands->used += (size_t)size;
}

/* True when it serves as wanted. */
static bool plan_wanted(const struct server_row *row, const struct entry_server *server,
                        struct commands *commands)
{
    bool done = true;
    if (row->weight != server->weight) {
        command(commands, "set server servers/%s weight %" PRIu32, row->name, server->weight);
        done = server->drain; /* of no effect then */
    }
    const bool drains = row->state == SERVER_STATE_DRAIN || row->state == SERVER_STATE_MAINT;
    if (server->drain && !drains) {
        command(commands, "set server servers/%s state drain", row->name);
        /* HAProxy shows a dead server as DOWN, draining or not: nothing to wait for. */
        return done && row->state == SERVER_STATE_DOWN;
    }
    if (!server->drain && drains) {
        command(commands, "set server servers/%s state ready", row->name);
        return false;
    }
    return done;
}

/* True when it gets nothing new any more. */
static bool plan_leaving(const struct server_row *row, struct commands *commands)
{
    if (row->state == SERVER_STATE_UP && row->sessions > 0) {
        command(commands, "set server servers/%s state drain", row->name);
        return false;
    }
    if (row->state == SERVER_STATE_DRAIN && row->sessions > 0) {
        return true;
    }
    if (row->state == SERVER_STATE_DOWN && row->sessions > 0) {
        command(commands, "shutdown sessions server servers/%s", row->name);
    }
    /* Refused while it has a session or an idle connection: ordered again the next time. */
    command(commands, "set server servers/%s state maint;del server servers/%s", row->name,
            row->name);
    return row->state != SERVER_STATE_UP;
}

/* Down until its first health check succeeds: a guest that still boots gets no request. */
static void plan_new(const struct entry_order *order, const struct entry_server *server,
                     struct commands *commands)
{
    char name[SERVER_NAME_SIZE];
    char address[SERVER_NAME_SIZE];
    char options[TEXT_SIZE];
    haproxy_server_name(server, name);
    haproxy_server_address(server, address);
    haproxy_server_options(order, options, sizeof options);
    command(commands,
            "add server servers/%s %s weight %" PRIu32 " %s;"
            "enable health servers/%s;set server servers/%s health down;"
            "set server servers/%s state %s",
            name, address, server->weight, options, name, name, name,
            server->drain ? "drain" : "ready");
}

static const struct server_row *find_row(const struct server_table *table,
                                         const struct entry_server *server)
{
    char name[SERVER_NAME_SIZE];
    haproxy_server_name(server, name);
    for (uint32_t i = 0; i < table->count; i++) {
        if (strcmp(table->rows[i].name, name) == 0) {
            return &table->rows[i];
        }
    }
    return NULL;
}

static bool is_wanted(const struct server_row *row, const struct entry_order *order)
{
    for (uint32_t i = 0; i < order->servers_count; i++) {
        char name[SERVER_NAME_SIZE];
        haproxy_server_name(&order->servers[i], name);
        if (strcmp(row->name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool server_plan(const struct server_table *table, const struct entry_order *order,
                 char text[SERVER_COMMANDS_SIZE])
{
    struct commands commands = {text, 0, false};
    text[0] = '\0';
    bool done = true;
    for (uint32_t i = 0; i < table->count; i++) { /* who leaves, leaves first */
        if (!is_wanted(&table->rows[i], order)) {
            done = plan_leaving(&table->rows[i], &commands) && done;
        }
    }
    for (uint32_t i = 0; i < order->servers_count; i++) {
        const struct entry_server *server = &order->servers[i];
        const struct server_row *row = find_row(table, server);
        if (row == NULL) {
            plan_new(order, server, &commands);
            done = false;
        } else {
            done = plan_wanted(row, server, &commands) && done;
        }
    }
    return done && !commands.full;
}
