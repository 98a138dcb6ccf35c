// SPDX-License-Identifier: Apache-2.0
/*
 * Filling the state from the store at the start: records one by one in any order, then what
 * follows from all of them together (lists, sums, services that were being deleted).
 */
#include <math.h>
#include <string.h>

#include "orchestrator/core/state.h"

/* Operations of a later epoch are always above those of an earlier one, so that an agent's
 * "done up to" from before a restart is never taken for the answer to a new order. */
#define OPERATIONS_PER_EPOCH 1000000000000u

/* Records come in any order: a progress may be there before its service. */
static struct service_record *service_for_load(struct cluster *cluster, const char *name)
{
    struct service_record *service = table_find(&cluster->services, name);
    return service != NULL ? service : table_add(&cluster->services, name);
}

static struct node_record *node_for_load(struct cluster *cluster, const char *name)
{
    struct node_record *node = table_find(&cluster->nodes, name);
    if (node == NULL && (node = table_add(&cluster->nodes, name)) != NULL) {
        node->spec.version = 1;
        node->state = NODE_STATE_UNSEEN;
        memcpy(node->life.node, node->spec.node, sizeof node->life.node);
    }
    return node;
}

void cluster_index_profile(struct profile_record *profile)
{
    (void)profile_init(&profile->table, profile->spec.points, profile->spec.points_count, NULL);
}

/* A record of one of the kinds that are nothing but a spec and its meta; NULL when full. */
static struct record_meta *load_plain(struct cluster *cluster, const struct object *object)
{
    struct image_record *image = NULL;
    struct storage_record *storage = NULL;
    struct network_record *network = NULL;
    struct agreement_record *agreement = NULL;
    struct profile_record *profile = NULL;
    if (object->kind == OBJECT_KIND_IMAGE &&
        (image = table_add(&cluster->images, object->image.image)) != NULL) {
        image->spec = object->image;
        return &image->meta;
    }
    if (object->kind == OBJECT_KIND_STORAGE &&
        (storage = table_add(&cluster->storages, object->storage.storage)) != NULL) {
        storage->spec = object->storage;
        return &storage->meta;
    }
    if (object->kind == OBJECT_KIND_NETWORK &&
        (network = table_add(&cluster->networks, object->network.network)) != NULL) {
        network->spec = object->network;
        return &network->meta;
    }
    if (object->kind == OBJECT_KIND_AGREEMENT &&
        (agreement = table_add(&cluster->agreements, object->agreement.agreement)) != NULL) {
        agreement->spec = object->agreement;
        return &agreement->meta;
    }
    if (object->kind == OBJECT_KIND_PROFILE &&
        (profile = table_add(&cluster->profiles, object->profile.profile)) != NULL) {
        profile->spec = object->profile;
        cluster_index_profile(profile);
        return &profile->meta;
    }
    return NULL;
}

static struct record_meta *load_body(struct cluster *cluster, const struct object *object)
{
    struct service_record *service = NULL;
    struct vm_record *vm = NULL;
    struct node_record *node = NULL;
    switch (object->kind) {
    case OBJECT_KIND_SERVICE:
        if ((service = service_for_load(cluster, object->service.service)) == NULL) {
            return NULL;
        }
        service->spec = object->service;
        return &service->meta;
    case OBJECT_KIND_VM:
        if ((vm = table_add(&cluster->vms, object->vm.vm)) == NULL) {
            return NULL;
        }
        vm->vm = object->vm;
        return &vm->meta;
    case OBJECT_KIND_NODE:
        if ((node = node_for_load(cluster, object->node.node)) == NULL) {
            return NULL;
        }
        node->spec = object->node;
        node->stored = true;
        return &node->meta;
    case OBJECT_KIND_SETTINGS:
        cluster->settings = object->settings;
        cluster->settings_stored = true;
        return &cluster->settings_meta;
    case OBJECT_KIND_IMAGE:
    case OBJECT_KIND_STORAGE:
    case OBJECT_KIND_NETWORK:
    case OBJECT_KIND_PROFILE:
    case OBJECT_KIND_AGREEMENT: return load_plain(cluster, object);
    case OBJECT_KIND_UNSPECIFIED: break;
    }
    return NULL;
}

void load_record(struct cluster *cluster, const struct stored_record *record)
{
    if (record->kind == STORED_KIND_OBJECT) {
        const struct object *object = &record->object;
        struct record_meta *meta = load_body(cluster, object);
        if (meta == NULL) {
            cluster->load_refused++;
            return;
        }
        memcpy(meta->owner, object->owner, sizeof meta->owner);
        meta->revision = object->revision;
        meta->changed_wall_ms = object->changed_wall_ms;
        if (object->revision > cluster->revision) {
            cluster->revision = object->revision;
        }
    } else if (record->kind == STORED_KIND_PROGRESS) {
        struct service_record *service = service_for_load(cluster, record->progress.service);
        if (service != NULL) {
            service->progress = record->progress;
        }
    } else if (record->kind == STORED_KIND_NODE_EPOCH &&
               (record->node_epoch.acknowledged_epoch != 0 ||
                record->node_epoch.confirmed_dead || record->node_epoch.parked)) {
        struct node_record *node = node_for_load(cluster, record->node_epoch.node);
        if (node != NULL) {
            node->life = record->node_epoch;
        }
    }
}

/* Links the loaded VMs to their services. One whose service is not in the store cannot be kept.
 */
static void load_vms(struct cluster *cluster)
{
    struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&cluster->vms, &i)) != NULL;) {
        struct service_record *service = table_find(&cluster->services, vm->vm.service);
        if (service == NULL || service->spec.version == 0) {
            cluster->load_refused++;
            table_remove(&cluster->vms, vm);
            continue;
        }
        cluster_link_vm(cluster, service, vm);
        vm->problem = REASON_NONE;
        vm->tasks_done = (double)NAN;
        vm->metrics_slot = TABLE_NONE;
        cluster_mark_dirty(cluster, vm);
    }
}

/* A service all of whose VMs are being removed is itself on its way out; nothing else stores
 * that. */
static bool is_deleting(const struct cluster *cluster, const struct service_record *service)
{
    uint32_t slot = 0;
    const struct vm_record *vm = NULL;
    bool all = service->first_vm != 0;
    while ((vm = cluster_next_vm_of(cluster, service, &slot)) != NULL) {
        all = all && vm->vm.phase == VM_PHASE_REMOVING;
    }
    return all;
}

static void load_services(struct cluster *cluster)
{
    struct service_record *service = NULL;
    for (uint32_t i = 0; (service = table_next(&cluster->services, &i)) != NULL;) {
        if (service->spec.version == 0) { /* a progress without service */
            table_remove(&cluster->services, service);
            continue;
        }
        cluster_init_service(service);
        service->deleting = is_deleting(cluster, service);
        cluster_count_service(cluster, service->meta.owner, NULL, &service->spec);
    }
}

void load_finish(struct cluster *cluster, const struct cluster_event *event,
                 struct effects *out)
{
    cluster->started = true;
    cluster->started_at_ms = event->now_ms;
    cluster->waiting_at_ms = event->now_ms;
    cluster->epoch = event->start.epoch;
    cluster->next_event = event->start.next_event;
    cluster->next_decision = event->start.next_decision;
    cluster->next_operation = event->start.first_operation != 0
                                  ? event->start.first_operation
                                  : event->start.epoch * OPERATIONS_PER_EPOCH + 1;
    /* Another epoch, other uuids, also with the same seed; and so after each reload. */
    rng_init(&cluster->rng, cluster->config.seed ^ (event->start.epoch * 0x9e3779b97f4a7c15u) ^
                                (event->start.first_operation * 0xbf58476d1ce4e5b9u));
    load_vms(cluster);
    load_services(cluster);
    plan_recount(cluster);
    if (cluster->load_refused > 0) {
        (void)emit_event(cluster, EVENT_KIND_ALARM, REASON_LIMIT, NULL, NULL, NULL, out,
                         "%u stored records were left out: they do not fit the limits of the "
                         "configuration or belong to no service; raise the limits and restart",
                         cluster->load_refused);
    }
}
