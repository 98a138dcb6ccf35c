// SPDX-License-Identifier: Apache-2.0
/* Memory of one solution: taken piece by piece, given back all at once. */
#ifndef SCHEDULERS_OPTIMIZER_ARENA_H
#define SCHEDULERS_OPTIMIZER_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;
    bool failed; /* once memory was short, everything after is NULL */
};

/* count elements, all zero; never NULL for 0; NULL when memory is short. */
void *arena_take(struct arena *arena, size_t count, size_t size);
/* The same, with anything in it. */
void *arena_take_raw(struct arena *arena, size_t count, size_t size);
void arena_finish(struct arena *arena);

#endif
