// SPDX-License-Identifier: Apache-2.0
/* The list of effects of one step, with one block of memory for what they carry. */
#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/core/agent_state.h"

/* 128 VMs with a long and a short call each, results, and a snapshot; reached: go on next step.
 */
#define ARENA_BYTES (4u << 20)
#define ARENA_RESERVE                                                                          \
    (sizeof(struct node_message) + EFFECTS_ROOM * sizeof(struct hypervisor_call))

struct agent_effects *agent_effects_create(void)
{
    struct agent_effects *effects = calloc(1, sizeof *effects);
    if (effects == NULL) {
        return NULL;
    }
    /* Messages are cut behind the member that they use; the slack lets whole ones be copied. */
    effects->arena = calloc(1, ARENA_BYTES + sizeof(struct node_message));
    effects->arena_size = ARENA_BYTES;
    if (effects->arena == NULL) {
        free(effects);
        return NULL;
    }
    return effects;
}

void agent_effects_destroy(struct agent_effects *effects)
{
    if (effects != NULL) {
        free(effects->arena);
        free(effects);
    }
}

void agent_effects_clear(struct agent_effects *effects)
{
    effects->count = 0;
    effects->arena_used = 0;
}

bool agent_effects_room(const struct agent_effects *out)
{
    return AGENT_EFFECTS_MAX - out->count > 2 * EFFECTS_ROOM &&
           out->arena_size - out->arena_used > 2 * ARENA_RESERVE;
}

struct agent_effect *agent_effect_add(struct agent_effects *out, enum agent_effect_type type)
{
    assert(out->count < AGENT_EFFECTS_MAX);
    struct agent_effect *effect = &out->items[out->count++];
    effect->type = type;
    return effect;
}

void *agent_effect_alloc(struct agent_effects *out, size_t size)
{
    size_t aligned = (size + 15u) & ~(size_t)15u;
    assert(aligned <= out->arena_size - out->arena_used);
    void *memory = out->arena + out->arena_used;
    out->arena_used += aligned;
    memset(memory, 0, size);
    return memory;
}

static size_t message_size(enum node_message_type type)
{
    size_t start = offsetof(struct node_message, hello);
    switch (type) {
    case NODE_MESSAGE_HELLO: return start + sizeof(struct hello);
    case NODE_MESSAGE_RENEW: return start + sizeof(struct renew);
    case NODE_MESSAGE_RESULT: return start + sizeof(struct result);
    case NODE_MESSAGE_HEARTBEAT: return start + sizeof(struct heartbeat);
    case NODE_MESSAGE_METRICS: return start + sizeof(struct metrics);
    case NODE_MESSAGE_LEAVE: return start + sizeof(struct leave);
    case NODE_MESSAGE_SNAPSHOT:
    case NODE_MESSAGE_UNSPECIFIED:
    case NODE_MESSAGE_WELCOME:
    case NODE_MESSAGE_GRANT:
    case NODE_MESSAGE_VM_ORDER:
    case NODE_MESSAGE_ENTRY_ORDER:
    case NODE_MESSAGE_PARK: break;
    }
    return sizeof(struct node_message);
}

struct node_message *agent_message_add(struct agent *agent, struct agent_effects *out,
                                       enum agent_effect_type type,
                                       enum node_message_type message)
{
    struct node_message *made = agent_effect_alloc(out, message_size(message));
    made->header.version = PROTOCOL_VERSION;
    made->header.min_version = PROTOCOL_VERSION;
    made->header.epoch = agent->epoch;
    made->type = message;
    agent_effect_add(out, type)->message = made;
    return made;
}

void agent_log(struct agent_effects *out, int level, const char *format, ...)
{
    struct agent_effect *effect = agent_effect_add(out, AGENT_EFFECT_LOG);
    effect->log.level = level;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(effect->log.text, sizeof effect->log.text, format, args);
    va_end(args);
}
