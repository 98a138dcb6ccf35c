// SPDX-License-Identifier: Apache-2.0
#include "schedulers/optimizer/arena.h"

#include <stdint.h>
#include <stdlib.h>

#define ALIGNMENT 16u

struct arena_block {
    struct arena_block *next;
    size_t unused; /* so that what follows is aligned */
};

void *arena_take(struct arena *arena, size_t count, size_t size)
{
    if (arena->failed || count > (SIZE_MAX / 2 - ALIGNMENT) / (size > 0 ? size : 1)) {
        arena->failed = true;
        return NULL;
    }
    struct arena_block *block = calloc(1, sizeof *block + count * size + ALIGNMENT);
    if (block == NULL) {
        arena->failed = true;
        return NULL;
    }
    block->next = arena->blocks;
    arena->blocks = block;
    return block + 1;
}

void arena_finish(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    arena->failed = false;
}
