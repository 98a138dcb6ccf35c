// SPDX-License-Identifier: Apache-2.0
/*
 * Life of the cluster's state: created with all its memory, filled from the store, stepped
 * event by event. What a step does is in the files that the dispatch below names; here is also
 * the small bookkeeping that all of them share (VMs of a service, sums of a node, the dirty
 * queue).
 */
#include "orchestrator/core/cluster.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/core/state.h"

#define DEFAULT_SERVICES_MAX 20000
#define DEFAULT_VMS_MAX      65536
#define DEFAULT_NODES_MAX    2048
#define DEFAULT_OBJECTS_MAX  1024
#define DEFAULT_METRICS_MAX  65536
#define TABLE_MAX            (1u << 20)

#define DEFAULT_LEASE_MS          15000
#define DEFAULT_LEASE_MARGIN_MS   5000
#define DEFAULT_RENEW_MS          1000
#define DEFAULT_SNAPSHOT_MS       10000
#define DEFAULT_METRICS_MS        1000
#define DEFAULT_SUSPECT_AFTER_MS  3000
#define DEFAULT_CONTROL_PERIOD_MS 5000
#define LEASE_MS_MIN              100
#define LEASE_MS_MAX              120000
#define PERIOD_MS_MAX             86400000 /* of any other duration */

#define WAITING_RETRY_MS 1000

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value == 0 ? fallback : value;
}

static struct cluster_config with_defaults(const struct cluster_config *given)
{
    struct cluster_config config = *given;
    config.services_max = or_default(given->services_max, DEFAULT_SERVICES_MAX);
    config.vms_max = or_default(given->vms_max, DEFAULT_VMS_MAX);
    config.nodes_max = or_default(given->nodes_max, DEFAULT_NODES_MAX);
    config.objects_max = or_default(given->objects_max, DEFAULT_OBJECTS_MAX);
    config.metrics_max = or_default(given->metrics_max, DEFAULT_METRICS_MAX);
    config.lease_ms = or_default(given->lease_ms, DEFAULT_LEASE_MS);
    config.lease_margin_ms = or_default(given->lease_margin_ms, DEFAULT_LEASE_MARGIN_MS);
    config.renew_ms = or_default(given->renew_ms, DEFAULT_RENEW_MS);
    config.snapshot_ms = or_default(given->snapshot_ms, DEFAULT_SNAPSHOT_MS);
    config.metrics_ms = or_default(given->metrics_ms, DEFAULT_METRICS_MS);
    config.suspect_after_ms = or_default(given->suspect_after_ms, DEFAULT_SUSPECT_AFTER_MS);
    config.control_period_ms = or_default(given->control_period_ms, DEFAULT_CONTROL_PERIOD_MS);
    config.stale_after_ms = or_default(given->stale_after_ms, 3 * config.control_period_ms);
    if (config.mode == MODE_UNSPECIFIED) {
        config.mode = MODE_ADVISE;
    }
    return config;
}

static int check_config(const struct cluster_config *config, struct err *err)
{
    const struct {
        const char *name;
        uint32_t value;
        uint32_t min;
        uint32_t max;
    } ranges[] = {
        {"services_max", config->services_max, 1, TABLE_MAX},
        {"vms_max", config->vms_max, 1, TABLE_MAX},
        {"nodes_max", config->nodes_max, 1, TABLE_MAX},
        {"objects_max", config->objects_max, 1, TABLE_MAX},
        {"metrics_max", config->metrics_max, 1, TABLE_MAX},
        {"lease_ms", config->lease_ms, LEASE_MS_MIN, LEASE_MS_MAX},
        {"lease_margin_ms", config->lease_margin_ms, 1, PERIOD_MS_MAX},
        {"renew_ms", config->renew_ms, 1, config->lease_ms},
        {"snapshot_ms", config->snapshot_ms, 1, PERIOD_MS_MAX},
        {"metrics_ms", config->metrics_ms, 1, PERIOD_MS_MAX},
        {"suspect_after_ms", config->suspect_after_ms, 1, PERIOD_MS_MAX},
        {"control_period_ms", config->control_period_ms, 1, PERIOD_MS_MAX},
        {"stale_after_ms", config->stale_after_ms, 1, PERIOD_MS_MAX},
        {"mode", (uint32_t)config->mode, (uint32_t)MODE_ADVISE, (uint32_t)MODE_HOLD},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (ranges[i].value < ranges[i].min || ranges[i].value > ranges[i].max) {
            return err_set(err, -EINVAL, "%s: %u is not in the range %u to %u", ranges[i].name,
                           ranges[i].value, ranges[i].min, ranges[i].max);
        }
    }
    return 0;
}

static int create_tables(struct cluster *cluster)
{
    const struct cluster_config *config = &cluster->config;
    const struct {
        struct table *table;
        uint32_t capacity;
        size_t size;
        size_t name;
    } tables[] = {
        {&cluster->services, config->services_max, sizeof(struct service_record),
         offsetof(struct service_record, spec.service)},
        {&cluster->vms, config->vms_max, sizeof(struct vm_record),
         offsetof(struct vm_record, vm.vm)},
        {&cluster->nodes, config->nodes_max, sizeof(struct node_record),
         offsetof(struct node_record, spec.node)},
        {&cluster->images, config->objects_max, sizeof(struct image_record),
         offsetof(struct image_record, spec.image)},
        {&cluster->storages, config->objects_max, sizeof(struct storage_record),
         offsetof(struct storage_record, spec.storage)},
        {&cluster->networks, config->objects_max, sizeof(struct network_record),
         offsetof(struct network_record, spec.network)},
        {&cluster->agreements, config->objects_max, sizeof(struct agreement_record),
         offsetof(struct agreement_record, spec.agreement)},
        {&cluster->profiles, config->objects_max, sizeof(struct profile_record),
         offsetof(struct profile_record, spec.profile)},
        {&cluster->metrics, config->metrics_max, sizeof(struct metric_record),
         offsetof(struct metric_record, key)},
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        int rc =
            table_init(tables[i].table, tables[i].capacity, tables[i].size, tables[i].name);
        if (rc != 0) {
            return rc;
        }
    }
    cluster->dirty = calloc(config->vms_max, sizeof *cluster->dirty);
    return cluster->dirty == NULL ? -ENOMEM : 0;
}

struct cluster *cluster_create(const struct cluster_config *config, struct err *err)
{
    struct cluster_config filled = with_defaults(config);
    if (check_config(&filled, err) != 0) {
        return NULL;
    }
    struct cluster *cluster = calloc(1, sizeof *cluster);
    if (cluster == NULL) {
        (void)err_set(err, -ENOMEM, "cluster: no memory");
        return NULL;
    }
    cluster->config = filled;
    cluster->settings.version = 1;
    (void)snprintf(cluster->settings.settings, sizeof cluster->settings.settings, "cluster");
    cluster->settings.mode = filled.mode;
    cluster->settings.control_period_ms = filled.control_period_ms;
    if (create_tables(cluster) != 0 || plan_init(cluster) != 0 || control_init(cluster) != 0) {
        cluster_destroy(cluster);
        (void)err_set(err, -ENOMEM, "cluster: no memory for its tables");
        return NULL;
    }
    return cluster;
}

void cluster_destroy(struct cluster *cluster)
{
    if (cluster == NULL) {
        return;
    }
    control_finish(cluster);
    plan_finish(cluster);
    table_finish(&cluster->services);
    table_finish(&cluster->vms);
    table_finish(&cluster->nodes);
    table_finish(&cluster->images);
    table_finish(&cluster->storages);
    table_finish(&cluster->networks);
    table_finish(&cluster->agreements);
    table_finish(&cluster->profiles);
    table_finish(&cluster->metrics);
    free(cluster->dirty);
    free(cluster);
}

/* ---- the step ---- */

/* "mode act for 1 h": back to what it was before. */
static void expire_mode(struct cluster *cluster, struct effects *out)
{
    if (cluster->mode_until_ms == 0 || cluster->now_ms < cluster->mode_until_ms) {
        return;
    }
    cluster->mode_until_ms = 0;
    cluster->settings.mode = cluster->mode_before;
    cluster->settings_stored = true;
    emit_object(cluster, OBJECT_KIND_SETTINGS, cluster->settings.settings,
                &cluster->settings_meta, &cluster->settings, out);
    (void)emit_event(cluster, EVENT_KIND_MODE, REASON_NONE, NULL, NULL, NULL, out,
                     "mode is %s again: the time that was set for another one is over",
                     cluster_mode_word(cluster->settings.mode));
}

static void tick(struct cluster *cluster, struct effects *out)
{
    expire_mode(cluster, out);
    membership_tick(cluster, out);
    recovery_tick(cluster, out);
    reconcile_tick(cluster, out);
    entries_tick(cluster, out);
    control_tick(cluster, out);
    if (cluster->now_ms >= cluster->waiting_at_ms) {
        cluster->waiting_at_ms = cluster->now_ms + WAITING_RETRY_MS;
        plan_waiting(cluster, out);
    }
}

/* Nobody is called expired before one whole lease was observed from now on. */
static void observe_afresh(struct cluster *cluster)
{
    int64_t until = cluster->now_ms + (int64_t)cluster->config.lease_ms +
                    (int64_t)cluster->config.lease_margin_ms;
    if (until > cluster->judge_after_ms) {
        cluster->judge_after_ms = until;
    }
}

void cluster_step(struct cluster *cluster, const struct cluster_event *event,
                  struct effects *out)
{
    assert(cluster->started ==
           (event->type != CLUSTER_EVENT_LOAD && event->type != CLUSTER_EVENT_START));
    cluster->now_ms = event->now_ms;
    cluster->wall_ms = event->wall_ms;
    switch (event->type) {
    case CLUSTER_EVENT_LOAD: load_record(cluster, event->load); break;
    case CLUSTER_EVENT_START:
        load_finish(cluster, event, out);
        membership_start(cluster);
        membership_start(cluster);
        observe_afresh(cluster);
        break;
    case CLUSTER_EVENT_TICK: tick(cluster, out); break;
    case CLUSTER_EVENT_NODE: membership_step(cluster, event, out); break;
    case CLUSTER_EVENT_REQUEST: requests_step(cluster, event, out); break;
    case CLUSTER_EVENT_SOLVED: control_solved(cluster, event, out); break;
    case CLUSTER_EVENT_LATE: observe_afresh(cluster); break;
    case CLUSTER_EVENT_STOP:
        cluster->stopping = true;
        membership_stop(cluster, out);
        break;
    }
}

uint64_t cluster_next_operation(const struct cluster *cluster)
{
    return cluster->next_operation;
}

int64_t cluster_deadline_ms(const struct cluster *cluster)
{
    if (!cluster->started || cluster->stopping) {
        return INT64_MAX;
    }
    const int64_t candidates[] = {
        membership_deadline_ms(cluster),
        recovery_deadline_ms(cluster),
        reconcile_deadline_ms(cluster),
        control_deadline_ms(cluster),
        cluster->mode_until_ms == 0 ? INT64_MAX : cluster->mode_until_ms,
        cluster->vms_waiting == 0 ? INT64_MAX : cluster->waiting_at_ms,
    };
    int64_t deadline_ms = INT64_MAX;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        if (candidates[i] < deadline_ms) {
            deadline_ms = candidates[i];
        }
    }
    return deadline_ms;
}
