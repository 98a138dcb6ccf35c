// SPDX-License-Identifier: Apache-2.0
#include "schedulers/optimizer/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT   16u
#define BLOCK_FIRST 8192u
#define BLOCK_MOST  1048576u

struct arena_block {
    struct arena_block *next;
    size_t size; /* of what follows */
    size_t used;
    size_t unused; /* so that what follows is aligned */
};

static struct arena_block *add_block(struct arena *arena, size_t least)
{
    size_t size = arena->blocks == NULL ? BLOCK_FIRST : 2 * arena->blocks->size;
    size = size < BLOCK_MOST ? size : BLOCK_MOST;
    size = size > least ? size : least;
    struct arena_block *block = malloc(sizeof *block + size);
    if (block == NULL) {
        return NULL;
    }
    *block = (struct arena_block){.next = arena->blocks, .size = size};
    arena->blocks = block;
    return block;
}

void *arena_take_raw(struct arena *arena, size_t count, size_t size)
{
    if (arena->failed || count > (SIZE_MAX / 2 - ALIGNMENT) / (size > 0 ? size : 1)) {
        arena->failed = true;
        return NULL;
    }
    const size_t wanted = (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->used < wanted) {
        block = add_block(arena, wanted);
    }
    if (block == NULL) {
        arena->failed = true;
        return NULL;
    }
    char *out = (char *)(block + 1) + block->used;
    block->used += wanted;
    return out;
}

void *arena_take(struct arena *arena, size_t count, size_t size)
{
    void *out = arena_take_raw(arena, count, size);
    return out == NULL ? NULL : memset(out, 0, count * size);
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
