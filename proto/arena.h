// SPDX-License-Identifier: Apache-2.0
/*
 * Memory with a budget: blocks are cut from one piece that the caller gives, and the first one
 * that does not fit fails. protobuf-c has no limit of its own (a message of 34 KiB can ask
 * for 3.5 MiB), so it gets its memory here. Each block remembers its size: that shows a NUL
 * inside a string, which protobuf-c hides.
 */
#ifndef PROTO_ARENA_H
#define PROTO_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#define ARENA_SPARES 4

struct arena {
    unsigned char *data;
    size_t size;
    size_t used;
    bool full;                  /* a block was refused */
    void *spares[ARENA_SPARES]; /* freed blocks, given out again for the same size */
};

void arena_init(struct arena *arena, void *data, size_t size);

/* Aligned to 8 bytes, not cleared. NULL, and full is set, when the budget is spent. */
void *arena_alloc(struct arena *arena, size_t size);

/* What arena_alloc() was asked for; 0 for a pointer that is not of this arena. */
size_t arena_block_size(const struct arena *arena, const void *block);

ProtobufCAllocator arena_allocator(struct arena *arena);

#endif
