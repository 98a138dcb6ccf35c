// SPDX-License-Identifier: Apache-2.0
// link: arbiter_agent_io
/*
 * What a HAProxy says, line by line: its log, from which the response times of the users come,
 * and its statistics, from which the commands to it follow. Numbers stay in their ranges,
 * commands are one line that fits.
 */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/core/request_window.h"
#include "node-agent/io/haproxy_servers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINE_SIZE 512 /* of a datagram, as haproxy_log.c takes it */
#define WINDOW_MS 60000

static struct request_window window;
static struct server_table table;
static char commands[SERVER_COMMANDS_SIZE];

static const struct entry_order order = {
    .operation = 1,
    .service = "shop",
    .entry = {.listen = "10.0.8.10:80"},
    .servers_count = 2,
    .servers = {{.vm = "web-1", .address = "10.0.0.1", .port = 80, .weight = 10},
                {.vm = "web-2", .address = "10.0.0.2", .port = 80, .weight = 10}}};

static void check_window(int64_t now_ms, uint64_t added)
{
    struct request_statistics out;
    request_window_read(&window, now_ms, &out);
    assert(out.requests <= added);
    assert(isnan(out.error_share) == (out.requests == 0));
    assert(out.requests == 0 || (out.error_share >= 0.0 && out.error_share <= 1.0));
    assert(isnan(out.mean_ms) == isnan(out.p95_ms));
    assert(isnan(out.mean_ms) || (out.mean_ms >= 0.0 && out.p50_ms <= out.p95_ms));
}

static void check_servers(void)
{
    assert(table.count <= SERVER_ROWS_MAX);
    assert(server_table_up(&table) <= table.count);
    (void)server_plan(&table, &order, commands);
    assert(strlen(commands) < sizeof commands);
    assert(strchr(commands, '\n') == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t now_ms = 1000000;
    uint64_t added = 0;
    request_window_start(&window, WINDOW_MS, now_ms);
    server_table_start(&table);
    for (size_t at = 0; at < size;) {
        char line[LINE_SIZE] = "";
        const uint8_t *end = memchr(data + at, '\n', size - at);
        const size_t whole = end == NULL ? size - at : (size_t)(end - data) - at;
        memcpy(line, data + at, whole < sizeof line ? whole : sizeof line - 1);
        at += whole + 1;
        struct request_sample sample;
        if (request_line_parse(line, &sample)) {
            request_window_add(&window, &sample, now_ms);
            added++;
        }
        server_table_line(&table, line);
        now_ms += (int64_t)whole * 37; /* some lines come much later */
    }
    check_window(now_ms, added);
    check_servers();
    return 0;
}
