// SPDX-License-Identifier: Apache-2.0
/*
 * A cluster in virtual time for tests: one orchestrator core, a store that keeps what it wants
 * stored, up to eight honest nodes (timeline_nodes.h), and a network between them
 * (timeline_wire.h). Ground truth is in the nodes: which VMs really run.
 */
#ifndef TESTS_ORCHESTRATOR_CORE_TIMELINE_H
#define TESTS_ORCHESTRATOR_CORE_TIMELINE_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timeline_nodes.h"

static UNUSED void store_object(struct world *world, const struct object_ref *ref)
{
    struct object object = {0};
    object.kind = ref->kind;
    (void)snprintf(object.owner, sizeof object.owner, "%s", ref->owner);
    object.revision = ref->revision;
    switch (ref->kind) {
    case OBJECT_KIND_VM: object.vm = *(const struct vm *)ref->body; break;
    case OBJECT_KIND_SERVICE: object.service = *(const struct service *)ref->body; break;
    case OBJECT_KIND_NODE: object.node = *(const struct node *)ref->body; break;
    case OBJECT_KIND_IMAGE: object.image = *(const struct image *)ref->body; break;
    case OBJECT_KIND_STORAGE: object.storage = *(const struct storage *)ref->body; break;
    case OBJECT_KIND_NETWORK:
    case OBJECT_KIND_AGREEMENT:
    case OBJECT_KIND_SETTINGS:
    case OBJECT_KIND_PROFILE:
    case OBJECT_KIND_UNSPECIFIED: return;
    }
    for (uint32_t i = 0; i < world->objects_count; i++) {
        if (world->objects[i].kind == object.kind &&
            strcmp(object_name(&world->objects[i]), object_name(&object)) == 0) {
            world->objects[i] = object;
            return;
        }
    }
    assert(world->objects_count < 256);
    world->objects[world->objects_count++] = object;
}

static UNUSED void store_delete(struct world *world, const struct object_ref *ref)
{
    for (uint32_t i = 0; i < world->objects_count; i++) {
        if (world->objects[i].kind == ref->kind &&
            strcmp(object_name(&world->objects[i]), ref->name) == 0) {
            world->objects[i] = world->objects[--world->objects_count];
            return;
        }
    }
}

static UNUSED void store_epoch(struct world *world, const struct node_epoch *epoch)
{
    for (uint32_t i = 0; i < world->epochs_count; i++) {
        if (strcmp(world->epochs[i].node, epoch->node) == 0) {
            world->epochs[i] = *epoch;
            return;
        }
    }
    assert(world->epochs_count < NODES_MAX);
    world->epochs[world->epochs_count++] = *epoch;
}

static UNUSED void record_sent(struct world *world, const char *node,
                               const struct node_message *message)
{
    if (world->sent_count == SENT_MAX) {
        world->sent_count = 0; /* only the newest matter to a test that runs this long */
    }
    struct sent_record *record = &world->sent[world->sent_count++];
    memset(record, 0, sizeof *record);
    record->at_ms = world->now_ms;
    (void)snprintf(record->node, sizeof record->node, "%s", node);
    record->type = message->type;
    record->epoch = message->header.epoch;
    if (message->type == NODE_MESSAGE_VM_ORDER) {
        record->vm_order = message->vm_order;
    } else if (message->type == NODE_MESSAGE_GRANT) {
        record->grant = message->grant;
    }
}

/* Everything is stored before anything leaves, as the loop does it. */
static UNUSED void world_perform(struct world *world)
{
    struct effects *effects = world->effects;
    for (uint32_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->items[i];
        if (effect->type == EFFECT_PUT_OBJECT) {
            store_object(world, &effect->object);
        } else if (effect->type == EFFECT_DELETE_OBJECT) {
            store_delete(world, &effect->object);
        } else if (effect->type == EFFECT_PUT_NODE_EPOCH) {
            store_epoch(world, effect->node_epoch);
        } else if (effect->type == EFFECT_PUT_EVENT) {
            world->next_event = effect->event->id + 1;
            world->told[world->told_count % TOLD_MAX] = *effect->event;
            world->told_count++;
            if (getenv("TIMELINE") != NULL) {
                (void)fprintf(stderr, "%8lld %s\n", (long long)world->now_ms,
                              effect->event->text);
            }
        }
    }
    for (uint32_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->items[i];
        if (effect->type == EFFECT_SEND) {
            record_sent(world, effect->send.node, effect->send.message);
            struct test_node *node = node_named(world, effect->send.node);
            if (node != NULL) {
                wire_send(&node->down, effect->send.message, world->now_ms, &world->rng);
            }
        }
    }
    effects_clear(effects);
}

static UNUSED void world_step(struct world *world, struct cluster_event *event)
{
    event->now_ms = world->now_ms;
    event->wall_ms = 1700000000000 + world->now_ms;
    effects_clear(world->effects);
    cluster_step(world->cluster, event, world->effects);
    world_perform(world);
}

/* A call into the core from outside of a step: what a request would do. */
static UNUSED void world_begin(struct world *world)
{
    effects_clear(world->effects);
    world->cluster->now_ms = world->now_ms;
}

static UNUSED void world_start(struct world *world)
{
    struct err err = {0};
    world->cluster = cluster_create(&world->config, &err);
    assert(world->cluster != NULL);
    static struct stored_record record; /* too large for a stack */
    for (uint32_t i = 0; i < world->objects_count; i++) {
        memset(&record, 0, sizeof record);
        record.version = 1;
        record.kind = STORED_KIND_OBJECT;
        record.object = world->objects[i];
        world_step(world, &(struct cluster_event){.type = CLUSTER_EVENT_LOAD, .load = &record});
    }
    for (uint32_t i = 0; i < world->epochs_count; i++) {
        memset(&record, 0, sizeof record);
        record.version = 1;
        record.kind = STORED_KIND_NODE_EPOCH;
        record.node_epoch = world->epochs[i];
        world_step(world, &(struct cluster_event){.type = CLUSTER_EVENT_LOAD, .load = &record});
    }
    world->epoch++;
    struct cluster_event start = {.type = CLUSTER_EVENT_START};
    start.start.epoch = world->epoch;
    start.start.next_event = world->next_event + 1;
    start.start.next_decision = world->next_decision + 1;
    world_step(world, &start);
    world->stopped = false;
}

/* The process ends; what is on the wire is lost with its connections. */
static UNUSED void world_crash(struct world *world)
{
    cluster_destroy(world->cluster);
    world->cluster = NULL;
    world->stopped = true;
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        wire_cut(&world->nodes[i].up);
        wire_cut(&world->nodes[i].down);
    }
}

static UNUSED void world_init(struct world *world, enum mode mode)
{
    memset(world, 0, sizeof *world);
    world->effects = effects_create();
    world->now_ms = 1000000;
    rng_init(&world->rng, 1);
    world->config.mode = mode;
    world->config.services_max = 64;
    world->config.vms_max = 256;
    world->config.nodes_max = 32;
    world->config.objects_max = 16;
    world->config.metrics_max = 1024;
}

static UNUSED struct world *world_new(enum mode mode)
{
    struct world *world = malloc(sizeof *world);
    world_init(world, mode);
    struct object image = {.kind = OBJECT_KIND_IMAGE};
    image.image.version = 1;
    (void)snprintf(image.image.image, NAME_SIZE, "worker");
    image.image.format = IMAGE_FORMAT_MODEL;
    world->objects[world->objects_count++] = image;
    return world;
}

static UNUSED void world_free(struct world *world)
{
    cluster_destroy(world->cluster);
    effects_destroy(world->effects);
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        wire_cut(&world->nodes[i].up);
        wire_cut(&world->nodes[i].down);
    }
    free(world);
}

/* A service with VMs that wait for a node, as the store would have it. */
static UNUSED struct service *world_add_service(struct world *world, const char *name,
                                                enum isolation isolation, uint32_t vms)
{
    struct object *object = &world->objects[world->objects_count++];
    memset(object, 0, sizeof *object);
    object->kind = OBJECT_KIND_SERVICE;
    struct service *service = &object->service;
    service->version = 1;
    (void)snprintf(service->service, sizeof service->service, "%s", name);
    service->kind = SERVICE_KIND_WEB;
    service->isolation = isolation;
    service->vms_count = 1;
    struct vm_group *group = &service->vms[0];
    (void)snprintf(group->name, sizeof group->name, "vm");
    (void)snprintf(group->image, sizeof group->image, "worker");
    group->count = (struct count_range){vms, vms};
    group->cpu = (struct cap_range){10, 100};
    group->memory_kib = 512u << 10;
    group->port = 8080;
    service_set_defaults(service);
    for (uint32_t i = 0; i < vms; i++) {
        struct object *item = &world->objects[world->objects_count++];
        memset(item, 0, sizeof *item);
        item->kind = OBJECT_KIND_VM;
        item->vm.version = 1;
        (void)snprintf(item->vm.vm, NAME_SIZE, "%.40s-vm-%u", name, i + 1);
        (void)snprintf(item->vm.service, NAME_SIZE, "%.60s", name);
        (void)snprintf(item->vm.group, NAME_SIZE, "vm");
        rng_uuid(&world->rng, item->vm.uuid);
        item->vm.number = i + 1;
        item->vm.phase = VM_PHASE_WAITING;
        item->vm.waiting_reason = REASON_NO_NODE;
        item->vm.desired = RUN_STATE_RUNNING;
        item->vm.cap_pct = 50;
        item->vm.weight = 256;
        item->vm.vcpus = 1;
        item->vm.memory_kib = 512u << 10;
    }
    return service;
}

static UNUSED void world_hear(struct world *world, struct test_node *node)
{
    struct letter *letter = NULL;
    while (!world->stopped && (letter = wire_take(&node->up, world->now_ms)) != NULL) {
        struct cluster_event event = {.type = CLUSTER_EVENT_NODE};
        event.node.name = node->name;
        event.node.message = letter->message;
        world_step(world, &event);
        free(letter->message);
        free(letter);
    }
}

/* How many instances of a VM run anywhere. */
static UNUSED uint32_t world_instances(const struct world *world, const char *uuid)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        for (uint32_t j = 0; j < NODE_VMS_MAX; j++) {
            const struct node_vm *vm = &world->nodes[i].vms[j];
            count += vm->runs && strcmp(vm->order.uuid, uuid) == 0 ? 1 : 0;
        }
    }
    return count;
}

/* The largest number of running instances of any VM. */
static UNUSED uint32_t world_worst(const struct world *world)
{
    uint32_t worst = 0;
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        for (uint32_t j = 0; j < NODE_VMS_MAX; j++) {
            const struct node_vm *vm = &world->nodes[i].vms[j];
            uint32_t count = vm->runs ? world_instances(world, vm->order.uuid) : 0;
            worst = count > worst ? count : worst;
        }
    }
    return worst;
}

static UNUSED void world_advance(struct world *world)
{
    world->now_ms += STEP_MS;
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        node_step(world, &world->nodes[i]);
        world_hear(world, &world->nodes[i]);
    }
    if (!world->stopped && world->now_ms >= cluster_deadline_ms(world->cluster)) {
        world_step(world, &(struct cluster_event){.type = CLUSTER_EVENT_TICK});
    }
}

static UNUSED void world_run(struct world *world, int64_t ms)
{
    for (int64_t until_ms = world->now_ms + ms; world->now_ms < until_ms;) {
        world_advance(world);
        assert(world_worst(world) <= 1);
    }
}

/* ---- looking ---- */

static UNUSED uint32_t told(const struct world *world, enum event_kind kind, enum reason reason,
                            const char *node)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->told_count && i < TOLD_MAX; i++) {
        const struct event_record *event = &world->told[i];
        count += event->kind == kind && event->reason == reason &&
                         (node == NULL || strcmp(event->node, node) == 0)
                     ? 1
                     : 0;
    }
    return count;
}

static UNUSED struct vm_record *vm_record_of(struct world *world, const char *vm)
{
    return table_find(&world->cluster->vms, vm);
}

static UNUSED struct node_record *node_record_of(struct world *world, const char *node)
{
    return table_find(&world->cluster->nodes, node);
}

static UNUSED struct test_node *host_of(struct world *world, const char *vm)
{
    struct vm_record *record = vm_record_of(world, vm);
    return record == NULL ? NULL : node_named(world, record->vm.node);
}

static UNUSED bool is_running(struct world *world, const char *vm)
{
    struct vm_record *record = vm_record_of(world, vm);
    return record != NULL && world_instances(world, record->vm.uuid) == 1;
}

static UNUSED uint32_t orders_sent(const struct world *world, const char *node, const char *vm,
                                   enum run_state desired, uint64_t generation)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->sent_count; i++) {
        const struct sent_record *sent = &world->sent[i];
        count += sent->type == NODE_MESSAGE_VM_ORDER &&
                         (node == NULL || strcmp(sent->node, node) == 0) &&
                         strcmp(sent->vm_order.vm, vm) == 0 &&
                         sent->vm_order.desired == desired &&
                         (generation == 0 || sent->vm_order.generation == generation)
                     ? 1
                     : 0;
    }
    return count;
}

#endif
