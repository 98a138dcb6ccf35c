// SPDX-License-Identifier: Apache-2.0
/*
 * Messages on their way through a network in virtual time that keeps their order like TCP, but
 * may lose, hold, delay and repeat them.
 */
#ifndef TESTS_ORCHESTRATOR_CORE_TIMELINE_WIRE_H
#define TESTS_ORCHESTRATOR_CORE_TIMELINE_WIRE_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/core/state.h"

#define UNUSED     __attribute__((unused))
#define LATENCY_MS 10

struct letter {
    struct letter *next;
    int64_t at_ms;
    struct node_message *message;
};

struct wire {
    struct letter *first;
    struct letter **last;
    int64_t newest_at_ms; /* nothing overtakes */
    bool holds;           /* delivers nothing until it heals, then all */
    bool drops;
    uint32_t loss_permille;
    uint32_t repeat_permille;
    uint32_t delay_ms; /* at most this much more than LATENCY_MS */
};

static UNUSED size_t letter_size(const struct node_message *message)
{
    size_t start = offsetof(struct node_message, hello);
    switch (message->type) {
    case NODE_MESSAGE_HELLO: return start + sizeof(struct hello);
    case NODE_MESSAGE_RENEW: return start + sizeof(struct renew);
    case NODE_MESSAGE_RESULT: return start + sizeof(struct result);
    case NODE_MESSAGE_HEARTBEAT: return start + sizeof(struct heartbeat);
    case NODE_MESSAGE_WELCOME: return start + sizeof(struct welcome);
    case NODE_MESSAGE_GRANT: return start + sizeof(struct grant);
    case NODE_MESSAGE_VM_ORDER: return start + sizeof(struct vm_order);
    case NODE_MESSAGE_ENTRY_ORDER: return start + sizeof(struct entry_order);
    case NODE_MESSAGE_PARK: return start + sizeof(struct park);
    case NODE_MESSAGE_SNAPSHOT:
    case NODE_MESSAGE_METRICS:
    case NODE_MESSAGE_LEAVE:
    case NODE_MESSAGE_UNSPECIFIED: break;
    }
    return sizeof(struct node_message);
}

static UNUSED void wire_init(struct wire *wire)
{
    memset(wire, 0, sizeof *wire);
    wire->last = &wire->first;
}

static UNUSED void wire_cut(struct wire *wire)
{
    while (wire->first != NULL) {
        struct letter *letter = wire->first;
        wire->first = letter->next;
        free(letter->message);
        free(letter);
    }
    wire->last = &wire->first;
}

static UNUSED void wire_append(struct wire *wire, const struct node_message *message,
                               int64_t at_ms)
{
    struct letter *letter = calloc(1, sizeof *letter);
    letter->message = malloc(letter_size(message));
    memcpy(letter->message, message, letter_size(message));
    letter->at_ms = at_ms > wire->newest_at_ms ? at_ms : wire->newest_at_ms;
    wire->newest_at_ms = letter->at_ms;
    *wire->last = letter;
    wire->last = &letter->next;
}

static UNUSED void wire_send(struct wire *wire, const struct node_message *message,
                             int64_t now_ms, struct rng *rng)
{
    if (wire->drops || rng_below(rng, 1000) < wire->loss_permille) {
        return;
    }
    int64_t delay_ms = wire->delay_ms == 0 ? 0 : (int64_t)rng_below(rng, wire->delay_ms + 1);
    wire_append(wire, message, now_ms + LATENCY_MS + delay_ms);
    if (rng_below(rng, 1000) < wire->repeat_permille) {
        wire_append(wire, message, now_ms + LATENCY_MS + delay_ms);
    }
}

/* The next letter that is due, which the caller frees with its message; NULL: none. */
static UNUSED struct letter *wire_take(struct wire *wire, int64_t now_ms)
{
    struct letter *letter = wire->first;
    if (letter == NULL || wire->holds || letter->at_ms > now_ms) {
        return NULL;
    }
    wire->first = letter->next;
    if (wire->first == NULL) {
        wire->last = &wire->first;
    }
    return letter;
}

#endif
