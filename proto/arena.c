// SPDX-License-Identifier: Apache-2.0
#include "proto/arena.h"

#include <stdint.h>
#include <string.h>

#define HEADER_SIZE sizeof(uint64_t)
#define SPARE_SIZE_MIN                                                                         \
    512 /* protobuf-c frees nothing while it reads, except its work lists                      \
         */
#define ROUND_UP(bytes) (((bytes) + 7u) & ~(size_t)7u)

void arena_init(struct arena *arena, void *data, size_t size)
{
    *arena = (struct arena){.data = data, .size = size};
}

static size_t block_size(const void *block)
{
    uint64_t size = 0;
    memcpy(&size, (const unsigned char *)block - HEADER_SIZE, sizeof size);
    return (size_t)size;
}

static void *take_spare(struct arena *arena, size_t size)
{
    for (size_t i = 0; i < ARENA_SPARES; i++) {
        void *block = arena->spares[i];
        if (block != NULL && block_size(block) == size) {
            arena->spares[i] = NULL;
            return block;
        }
    }
    return NULL;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size >= SPARE_SIZE_MIN) {
        void *spare = take_spare(arena, size);
        if (spare != NULL) {
            return spare;
        }
    }
    size_t left = arena->size - arena->used;
    if (size > left || ROUND_UP(size) + HEADER_SIZE > left) {
        arena->full = true;
        return NULL;
    }
    unsigned char *block = arena->data + arena->used + HEADER_SIZE;
    uint64_t stored = size;
    memcpy(block - HEADER_SIZE, &stored, sizeof stored);
    arena->used += HEADER_SIZE + ROUND_UP(size);
    return block;
}

size_t arena_block_size(const struct arena *arena, const void *block)
{
    uintptr_t at = (uintptr_t)block;
    uintptr_t start = (uintptr_t)arena->data;
    if (at < start + HEADER_SIZE || at >= start + arena->size) {
        return 0;
    }
    return block_size(block);
}

static void *allocate(void *context, size_t size)
{
    struct arena *arena = (struct arena *)context;
    return arena_alloc(arena, size);
}

static void release(void *context, void *block)
{
    struct arena *arena = (struct arena *)context;
    size_t size = block == NULL ? 0 : arena_block_size(arena, block);
    if (size < SPARE_SIZE_MIN) {
        return;
    }
    for (size_t i = 0; i < ARENA_SPARES; i++) {
        if (arena->spares[i] == NULL) {
            arena->spares[i] = block;
            return;
        }
    }
}

ProtobufCAllocator arena_allocator(struct arena *arena)
{
    return (ProtobufCAllocator){.alloc = allocate, .free = release, .allocator_data = arena};
}
