// SPDX-License-Identifier: Apache-2.0
/*
 * A table of records with names: fixed capacity, one allocation at the start, O(1) find, add
 * and remove, iteration in slot order (the same for the same history, so decisions stay
 * deterministic). Records are zeroed when added and never move; a slot is reused after removal.
 */
#ifndef COMMON_TABLE_H
#define COMMON_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* The hash stands beside the slot, so that other names cost no look at their records. */
struct table_bucket {
    uint32_t slot; /* + 1; 0: empty */
    uint32_t hash;
};

struct table {
    unsigned char *records;
    struct table_bucket *buckets; /* linear probing */
    uint32_t *next_free;
    unsigned char *used;
    size_t record_size;
    size_t name_offset; /* of the char name[] in a record */
    uint32_t capacity;
    uint32_t buckets_mask;
    uint32_t count;
    uint32_t high; /* slots at or above were never used */
    uint32_t free_head;
    uint64_t changes; /* records added and removed so far: who keeps an order looks here */
};

#define TABLE_NONE UINT32_MAX

/* Memory for capacity records. Untouched records cost no resident memory. 0 or -ENOMEM. */
int table_init(struct table *table, uint32_t capacity, size_t record_size, size_t name_offset);
void table_finish(struct table *table);

/* NULL when there is none. */
void *table_find(const struct table *table, const char *name);

/* A zeroed record with its name set; NULL when full or when the name is taken. */
void *table_add(struct table *table, const char *name);

/* The record must be of this table. */
void table_remove(struct table *table, void *record);

/* The record in a slot below table->high, NULL when the slot is free. */
void *table_at(const struct table *table, uint32_t slot);

/* The slot of a record. */
uint32_t table_slot(const struct table *table, const void *record);

/* Next record at or after *slot, which moves behind it; NULL at the end.
 * for (uint32_t i = 0; (r = table_next(t, &i)) != NULL;) */
void *table_next(const struct table *table, uint32_t *slot);

#endif
