// SPDX-License-Identifier: Apache-2.0
#include "common/io/guard.h"
#include "common/io/log.h"
#include "orchestrator/io/loop_state.h"

#define TELL_MS 1000

const char *refusals_word(enum refusal_kind kind)
{
    static const char *const words[REFUSAL_COUNT] = {
        [REFUSAL_AGENT_MESSAGE] = "agent-message",
        [REFUSAL_NODE_LIMIT] = "node-limit",
        [REFUSAL_REQUEST] = "request",
        [REFUSAL_STORE] = "store",
        [REFUSAL_CONNECTION] = "connection",
    };
    return words[kind];
}

void refusals_note(struct loop *loop, enum refusal_kind kind, const char *who, const char *why)
{
    struct refusal *refusal = &loop->refusals[kind];
    refusal->count++;
    if (refusal->told > 0 && loop->now_ms < refusal->told_at_ms + TELL_MS) {
        return;
    }
    log_line(LOG_LEVEL_WARN, "refused kind=%s new=%llu all=%llu from=%s: %s",
             refusals_word(kind), (unsigned long long)(refusal->count - refusal->told),
             (unsigned long long)refusal->count, who, why);
    refusal->told = refusal->count;
    refusal->told_at_ms = loop->now_ms;
}

static uint64_t refused_by(const struct bus_socket *socket)
{
    struct bus_counters counters;
    bus_counters(socket, &counters);
    return counters.refused_key + counters.refused_frames;
}

void refusals_of_bus(struct loop *loop)
{
    struct guard_counters guard;
    guard_counters(&guard);
    uint64_t refused = guard.refused + guard.cut_off + refused_by(loop->control) +
                       refused_by(loop->telemetry) + refused_by(loop->api) +
                       refused_by(loop->events);
    if (refused == loop->refused_connections) {
        return;
    }
    loop->refusals[REFUSAL_CONNECTION].count += refused - loop->refused_connections - 1;
    loop->refused_connections = refused;
    refusals_note(loop, REFUSAL_CONNECTION, "the bus",
                  "unknown or revoked key, wrong role for the socket, or a message of a wrong "
                  "form");
}
