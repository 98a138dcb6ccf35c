// SPDX-License-Identifier: Apache-2.0
/*
 * The newest value of each metric. One record per node and subject, found by its key; a value
 * costs one look-up. When the table is full, a slice of it is searched for records that nobody
 * refreshed for ten minutes; if there are none, the new subject is not recorded and stays
 * unknown.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/state.h"

#define FORGET_AFTER_MS 600000
#define FORGET_SLICE    256

/* "NODE/LETTER/NAME". By hand, since it is made for every value of every message. */
static void make_key(char key[METRIC_KEY_SIZE], const char *node, enum metric_subject subject,
                     const char *name)
{
    static const char letters[] = "?nve";
    char *end = memccpy(key, node, '\0', NAME_SIZE);
    end = end != NULL ? end - 1 : key + NAME_SIZE - 1;
    *end++ = '/';
    *end++ = letters[(unsigned)subject & 3u];
    *end++ = '/';
    char *last = memccpy(end, name, '\0', NAME_SIZE);
    if (last == NULL) {
        end[NAME_SIZE - 1] = '\0';
    }
}

static int64_t newest_ms(const struct metric_record *record)
{
    int64_t newest = INT64_MIN;
    for (int kind = 0; kind < METRIC_KIND_COUNT; kind++) {
        if ((record->known & (1u << kind)) != 0 && record->at_ms[kind] > newest) {
            newest = record->at_ms[kind];
        }
    }
    return newest;
}

/* Forgets old records in the slice that the newest arrival points to. */
static void forget_old(struct cluster *cluster, const char *key)
{
    uint32_t slot = 0;
    for (const char *at = key; *at != '\0'; at++) {
        slot = slot * 31u + (unsigned char)*at;
    }
    for (uint32_t i = 0; i < FORGET_SLICE && i < cluster->metrics.capacity; i++) {
        struct metric_record *record =
            table_at(&cluster->metrics, (slot + i) % cluster->metrics.high);
        if (record == NULL || cluster->now_ms - newest_ms(record) < FORGET_AFTER_MS) {
            continue;
        }
        struct vm_record *vm = table_find(&cluster->vms, record->name);
        if (vm != NULL && vm->metrics_slot == table_slot(&cluster->metrics, record)) {
            vm->metrics_slot = TABLE_NONE;
        }
        table_remove(&cluster->metrics, record);
    }
}

static struct metric_record *record_for(struct cluster *cluster, const char *node,
                                        const struct metric *metric)
{
    char key[METRIC_KEY_SIZE];
    make_key(key, node, metric->subject, metric->name);
    struct metric_record *record = table_find(&cluster->metrics, key);
    if (record != NULL) {
        return record;
    }
    if (cluster->metrics.count >= cluster->metrics.capacity) {
        forget_old(cluster, key);
    }
    record = table_add(&cluster->metrics, key);
    if (record != NULL) {
        (void)snprintf(record->node, sizeof record->node, "%s", node);
        (void)snprintf(record->name, sizeof record->name, "%s", metric->name);
        record->subject = metric->subject;
    }
    return record;
}

/* What a VM's own record keeps, so that reading it needs no look-up. */
static void remember_vm(struct cluster *cluster, const struct node_record *node,
                        const struct metric_record *record, const struct metric *metric)
{
    struct vm_record *vm = table_find(&cluster->vms, metric->name);
    if (vm == NULL || strcmp(vm->vm.node, node->spec.node) != 0) {
        return; /* of an earlier place of this VM */
    }
    vm->metrics_slot = table_slot(&cluster->metrics, record);
    if (metric->kind == METRIC_TASKS_DONE && vm->status_known &&
        vm->status.generation == vm->vm.generation) {
        vm->tasks_done = metric->value;
    }
}

void metrics_store(struct cluster *cluster, struct node_record *node,
                   const struct metrics *metrics)
{
    for (uint32_t i = 0; i < metrics->metrics_count; i++) {
        const struct metric *metric = &metrics->metrics[i];
        unsigned kind = (unsigned)metric->kind;
        if (kind == 0 || kind >= METRIC_KIND_COUNT || !isfinite(metric->value)) {
            continue;
        }
        struct metric_record *record = record_for(cluster, node->spec.node, metric);
        if (record == NULL) {
            continue;
        }
        record->known |= 1u << kind;
        record->value[kind] = metric->value;
        record->at_ms[kind] = cluster->now_ms - metric->age_ms;
        if (metric->subject == METRIC_SUBJECT_VM) {
            remember_vm(cluster, node, record, metric);
        }
    }
}

double metrics_value(const struct cluster *cluster, const char *node,
                     enum metric_subject subject, const char *name, enum metric_kind kind,
                     uint32_t *age_ms)
{
    char key[METRIC_KEY_SIZE];
    make_key(key, node, subject, name);
    const struct metric_record *record = table_find(&cluster->metrics, key);
    *age_ms = UINT32_MAX;
    if (record == NULL || (record->known & (1u << kind)) == 0) {
        return (double)NAN;
    }
    const int64_t age = cluster->now_ms - record->at_ms[kind];
    if (age > cluster->config.stale_after_ms) {
        return (double)NAN;
    }
    *age_ms = age > 0 ? (uint32_t)age : 0;
    return record->value[kind];
}
