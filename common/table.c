// SPDX-License-Identifier: Apache-2.0
#include "common/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t hash_name(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash ^ (hash >> 15);
}

static const char *name_at(const struct table *table, uint32_t slot)
{
    return (const char *)(table->records + (size_t)slot * table->record_size +
                          table->name_offset);
}

int table_init(struct table *table, uint32_t capacity, size_t record_size, size_t name_offset)
{
    memset(table, 0, sizeof *table);
    assert(capacity > 0 && capacity < UINT32_MAX / 4);
    uint32_t buckets = 8;
    while (buckets < capacity * 2) {
        buckets *= 2;
    }
    table->records = calloc(capacity, record_size);
    table->buckets = calloc(buckets, sizeof *table->buckets);
    table->next_free = calloc(capacity, sizeof *table->next_free);
    table->used = calloc(capacity, 1);
    if (table->records == NULL || table->buckets == NULL || table->next_free == NULL ||
        table->used == NULL) {
        table_finish(table);
        return -ENOMEM;
    }
    table->record_size = record_size;
    table->name_offset = name_offset;
    table->capacity = capacity;
    table->buckets_mask = buckets - 1;
    table->free_head = TABLE_NONE;
    return 0;
}

void table_finish(struct table *table)
{
    free(table->records);
    free(table->buckets);
    free(table->next_free);
    free(table->used);
    memset(table, 0, sizeof *table);
}

/* The bucket that holds the name, or the empty one where it would go. */
static uint32_t bucket_of(const struct table *table, const char *name, uint32_t hash)
{
    uint32_t bucket = hash & table->buckets_mask;
    while (table->buckets[bucket].slot != 0 &&
           (table->buckets[bucket].hash != hash ||
            strcmp(name_at(table, table->buckets[bucket].slot - 1), name) != 0)) {
        bucket = (bucket + 1) & table->buckets_mask;
    }
    return bucket;
}

void *table_find(const struct table *table, const char *name)
{
    uint32_t slot = table->buckets[bucket_of(table, name, hash_name(name))].slot;
    return slot == 0 ? NULL : table->records + (size_t)(slot - 1) * table->record_size;
}

void *table_add(struct table *table, const char *name)
{
    const uint32_t hash = hash_name(name);
    uint32_t bucket = bucket_of(table, name, hash);
    if (table->buckets[bucket].slot != 0 || table->count == table->capacity) {
        return NULL;
    }
    uint32_t slot = table->free_head;
    unsigned char *record = NULL;
    if (slot != TABLE_NONE) {
        table->free_head = table->next_free[slot];
        record = table->records + (size_t)slot * table->record_size;
        memset(record, 0, table->record_size);
    } else {
        slot = table->high++; /* never used: still zero, and its pages untouched */
        record = table->records + (size_t)slot * table->record_size;
    }
    size_t length = strlen(name);
    assert(length < table->record_size - table->name_offset);
    memcpy(record + table->name_offset, name, length + 1);
    table->used[slot] = 1;
    table->buckets[bucket] = (struct table_bucket){.slot = slot + 1, .hash = hash};
    table->count++;
    table->changes++;
    return record;
}

void table_remove(struct table *table, void *record)
{
    uint32_t slot = table_slot(table, record);
    assert(table->used[slot] != 0);
    const char *name = name_at(table, slot);
    uint32_t hole = bucket_of(table, name, hash_name(name));
    assert(table->buckets[hole].slot == slot + 1);
    table->buckets[hole].slot = 0;
    /* Linear probing: move back what would no longer be found behind the hole. */
    for (uint32_t at = (hole + 1) & table->buckets_mask; table->buckets[at].slot != 0;
         at = (at + 1) & table->buckets_mask) {
        uint32_t home = table->buckets[at].hash & table->buckets_mask;
        uint32_t distance_home = (at - home) & table->buckets_mask;
        uint32_t distance_hole = (at - hole) & table->buckets_mask;
        if (distance_home >= distance_hole) {
            table->buckets[hole] = table->buckets[at];
            table->buckets[at].slot = 0;
            hole = at;
        }
    }
    table->used[slot] = 0;
    table->next_free[slot] = table->free_head;
    table->free_head = slot;
    table->count--;
    table->changes++;
}

void *table_at(const struct table *table, uint32_t slot)
{
    if (slot >= table->high || table->used[slot] == 0) {
        return NULL;
    }
    return table->records + (size_t)slot * table->record_size;
}

uint32_t table_slot(const struct table *table, const void *record)
{
    size_t offset = (size_t)((const unsigned char *)record - table->records);
    assert(offset % table->record_size == 0);
    size_t slot = offset / table->record_size;
    assert(slot < table->high);
    return (uint32_t)slot;
}

void *table_next(const struct table *table, uint32_t *slot)
{
    while (*slot < table->high) {
        void *record = table_at(table, *slot);
        (*slot)++;
        if (record != NULL) {
            return record;
        }
    }
    return NULL;
}
