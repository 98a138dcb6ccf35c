// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/core/effect.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_RESERVE                                                                          \
    (4u << 20) /* effects_room() keeps this free for what one effect carries */

struct effects *effects_create(void)
{
    struct effects *effects = calloc(1, sizeof *effects);
    if (effects == NULL) {
        return NULL;
    }
    effects->arena = malloc(EFFECTS_ARENA_BYTES);
    effects->arena_size = EFFECTS_ARENA_BYTES;
    if (effects->arena == NULL) {
        free(effects);
        return NULL;
    }
    return effects;
}

void effects_destroy(struct effects *effects)
{
    if (effects != NULL) {
        free(effects->arena);
        free(effects);
    }
}

void effects_clear(struct effects *effects)
{
    effects->count = 0;
    effects->arena_used = 0;
}

_Bool effects_room(const struct effects *effects, uint32_t count)
{
    return EFFECTS_MAX - effects->count >= count &&
           effects->arena_size - effects->arena_used >= ARENA_RESERVE;
}

struct effect *effects_add(struct effects *effects, enum effect_type type)
{
    assert(effects->count < EFFECTS_MAX);
    struct effect *effect = &effects->items[effects->count++];
    memset(effect, 0, sizeof *effect);
    effect->type = type;
    return effect;
}

void *effects_alloc(struct effects *effects, size_t size)
{
    size_t aligned = (size + 15u) & ~(size_t)15u;
    assert(aligned <= effects->arena_size - effects->arena_used);
    void *memory = effects->arena + effects->arena_used;
    effects->arena_used += aligned;
    memset(memory, 0, size);
    return memory;
}
