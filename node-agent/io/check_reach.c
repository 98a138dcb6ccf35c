// SPDX-License-Identifier: Apache-2.0
/* Connects to the orchestrator as the agent would, and says how far that went. No message is
 * sent, so a running agent of this node is not disturbed. */
#include <string.h>

#include "common/io/bus.h"
#include "common/io/clock.h"
#include "common/io/guard.h"
#include "common/io/poll.h"
#include "node-agent/io/check.h"

#define LOOK_MS 20

static enum reach reach_of(enum bus_link link)
{
    switch (link) {
    case BUS_LINK_CONNECTING: return REACH_SILENT;
    case BUS_LINK_UP: return REACH_UP;
    case BUS_LINK_REFUSED: return REACH_REFUSED;
    case BUS_LINK_BROKEN_OFF: return REACH_STRANGER;
    }
    return REACH_SILENT;
}

/* Both at once: together they take no longer than the slower one. */
static void wait_for(struct bus_socket *const sockets[2], enum reach out[2], int limit_ms)
{
    int64_t deadline_ms = clock_boot_ms() + limit_ms;
    for (;;) {
        for (int i = 0; i < 2; i++) {
            out[i] = reach_of(bus_link(sockets[i]));
        }
        bool settled = out[0] != REACH_SILENT && out[1] != REACH_SILENT;
        if (settled || clock_boot_ms() >= deadline_ms) {
            return;
        }
        (void)poll_wait(NULL, 0, clock_boot_ms() + LOOK_MS);
    }
}

static int open_both(const struct agent_settings *settings, const struct key_pair *own,
                     const char *server, struct bus_socket *sockets[2], struct err *err)
{
    struct bus_options options = {.kind = BUS_DEALER,
                                  .endpoint = settings->control,
                                  .own = own,
                                  .server_public = server,
                                  .frame_bytes_max = BUS_CONTROL_FRAME_MAX};
    int rc = bus_open(&sockets[0], &options, err);
    if (rc == 0) {
        options.kind = BUS_PUB;
        options.endpoint = settings->telemetry;
        rc = bus_open(&sockets[1], &options, err);
    }
    return rc;
}

void check_facts_reach(struct host_facts *facts, const struct agent_settings *settings,
                       int limit_ms)
{
    struct key_pair own;
    struct err err = {0};
    char server[KEY_TEXT_SIZE];
    struct bus_socket *sockets[2] = {NULL, NULL};
    enum reach reached[2] = {REACH_UNTRIED, REACH_UNTRIED};
    (void)snprintf(facts->control, sizeof facts->control, "%s", settings->control);
    (void)snprintf(facts->telemetry, sizeof facts->telemetry, "%s", settings->telemetry);
    (void)snprintf(facts->server_key, sizeof facts->server_key, "%s", settings->server_key);
    int rc = key_pair_read(settings->key, &own, &err);
    rc = rc == 0 ? key_public_read(settings->server_key, server, &err) : rc;
    rc = rc == 0 ? open_both(settings, &own, server, sockets, &err) : rc;
    if (rc == 0) {
        (void)snprintf(facts->public_key, sizeof facts->public_key, "%s", own.public_text);
        wait_for(sockets, reached, limit_ms);
        facts->control_reach = reached[0];
        facts->telemetry_reach = reached[1];
    } else {
        (void)snprintf(facts->key_problem, sizeof facts->key_problem, "%s", err.text);
    }
    bus_close(sockets[0]);
    bus_close(sockets[1]);
    explicit_bzero(&own, sizeof own);
}
