// SPDX-License-Identifier: Apache-2.0
/*
 * A front desk for tests of the client API: one cluster whose nodes said hello, and people who
 * send requests. No agents answer; time moves only when a test moves it. Keeps a store of what
 * the core wanted stored, so that a test can start a second core from it.
 */
#ifndef TESTS_ORCHESTRATOR_CORE_DESK_H
#define TESTS_ORCHESTRATOR_CORE_DESK_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/core/state.h"

#define DESK_UNUSED      __attribute__((unused))
#define DESK_RECORDS_MAX 1024
#define DESK_EVENTS_MAX  4096
#define GIB              (1024u * 1024u) /* in KiB */
#define DESK_ALL_CAPABILITIES                                                                  \
    (CAPABILITY_CREATE | CAPABILITY_SHUTDOWN | CAPABILITY_REBOOT | CAPABILITY_PAUSE |          \
     CAPABILITY_SUSPEND | CAPABILITY_VCPUS | CAPABILITY_CAP | CAPABILITY_WEIGHT |              \
     CAPABILITY_MEMORY | CAPABILITY_NET_RATE | CAPABILITY_DISK_RATE | CAPABILITY_SELF_FENCE |  \
     CAPABILITY_MODEL)

struct desk {
    struct cluster *cluster;
    struct cluster_config config;
    struct effects *effects;
    int64_t now_ms;
    uint64_t epoch;
    uint64_t first_operation; /* of the next start; 0: of its epoch */
    uint64_t next_id;
    uint64_t tokens;
    /* answer to the newest request */
    struct reply reply;
    enum items_source source;
    const char *reply_owner;
    uint32_t placements_count;
    struct placement placements[PLAN_ROWS_MAX];
    bool replied;
    bool reply_stored;
    struct stored_reply stored_reply;
    uint32_t puts; /* effects of the newest step */
    uint32_t deletes;
    uint32_t decisions;
    struct decision decision; /* newest */
    /* everything */
    uint32_t records_count;
    struct stored_record *records;
    uint32_t told_count;
    struct event_record told[DESK_EVENTS_MAX];
};

static DESK_UNUSED void desk_keep_object(struct desk *desk, const struct object_ref *ref,
                                         bool removed)
{
    uint32_t at = 0;
    while (at < desk->records_count &&
           !(desk->records[at].kind == STORED_KIND_OBJECT &&
             desk->records[at].object.kind == ref->kind &&
             strcmp(object_name(&desk->records[at].object), ref->name) == 0)) {
        at++;
    }
    if (removed) {
        if (at < desk->records_count) {
            desk->records[at] = desk->records[--desk->records_count];
        }
        return;
    }
    if (at == desk->records_count) {
        assert(desk->records_count < DESK_RECORDS_MAX);
        desk->records_count++;
    }
    static const size_t sizes[OBJECT_KIND_COUNT] = {
        [OBJECT_KIND_SERVICE] = sizeof(struct service),
        [OBJECT_KIND_VM] = sizeof(struct vm),
        [OBJECT_KIND_NODE] = sizeof(struct node),
        [OBJECT_KIND_IMAGE] = sizeof(struct image),
        [OBJECT_KIND_STORAGE] = sizeof(struct storage),
        [OBJECT_KIND_NETWORK] = sizeof(struct network),
        [OBJECT_KIND_AGREEMENT] = sizeof(struct agreement),
        [OBJECT_KIND_SETTINGS] = sizeof(struct settings),
        [OBJECT_KIND_PROFILE] = sizeof(struct profile),
    };
    struct stored_record *record = &desk->records[at];
    memset(record, 0, sizeof *record);
    record->version = 1;
    record->kind = STORED_KIND_OBJECT;
    record->object.kind = ref->kind;
    (void)snprintf(record->object.owner, NAME_SIZE, "%s", ref->owner);
    record->object.revision = ref->revision;
    record->object.changed_wall_ms = ref->changed_wall_ms;
    memcpy(&record->object.service, ref->body, sizes[ref->kind]);
}

static DESK_UNUSED void desk_keep_reply(struct desk *desk, const struct effect *effect)
{
    desk->replied = true;
    desk->reply = *effect->reply.reply;
    desk->source = effect->reply.source;
    desk->reply_owner = effect->reply.owner;
    desk->placements_count = effect->reply.placements_count;
    if (effect->reply.placements_count > 0) {
        memcpy(desk->placements, effect->reply.placements,
               effect->reply.placements_count * sizeof *desk->placements);
    }
}

static DESK_UNUSED void desk_perform(struct desk *desk)
{
    desk->replied = false;
    desk->reply_stored = false;
    desk->puts = 0;
    desk->deletes = 0;
    desk->decisions = 0;
    for (uint32_t i = 0; i < desk->effects->count; i++) {
        const struct effect *effect = &desk->effects->items[i];
        if (effect->type == EFFECT_PUT_OBJECT) {
            desk_keep_object(desk, &effect->object, false);
            desk->puts++;
        } else if (effect->type == EFFECT_DELETE_OBJECT) {
            desk_keep_object(desk, &effect->object, true);
            desk->deletes++;
        } else if (effect->type == EFFECT_PUT_EVENT) {
            desk->told[desk->told_count++ % DESK_EVENTS_MAX] = *effect->event;
        } else if (effect->type == EFFECT_PUT_DECISION) {
            desk->decision = *effect->decision;
            desk->decisions++;
        } else if (effect->type == EFFECT_PUT_REPLY) {
            desk->reply_stored = true;
            desk->stored_reply = *effect->stored_reply;
        } else if (effect->type == EFFECT_REPLY) {
            desk_keep_reply(desk, effect);
        }
    }
}

static DESK_UNUSED void desk_step(struct desk *desk, struct cluster_event *event)
{
    event->now_ms = desk->now_ms;
    event->wall_ms = 1700000000000 + desk->now_ms;
    effects_clear(desk->effects);
    cluster_step(desk->cluster, event, desk->effects);
    desk_perform(desk);
}

/* A new core from what is stored. */
static DESK_UNUSED void desk_start(struct desk *desk)
{
    struct err err = {0};
    desk->cluster = cluster_create(&desk->config, &err);
    assert(desk->cluster != NULL);
    for (uint32_t i = 0; i < desk->records_count; i++) {
        struct cluster_event load = {.type = CLUSTER_EVENT_LOAD, .load = &desk->records[i]};
        desk_step(desk, &load);
    }
    struct cluster_event start = {.type = CLUSTER_EVENT_START};
    start.start.epoch = ++desk->epoch;
    start.start.next_event = desk->told_count + 1;
    start.start.next_decision = 1;
    start.start.first_operation = desk->first_operation;
    desk_step(desk, &start);
}

static DESK_UNUSED void desk_restart(struct desk *desk)
{
    cluster_destroy(desk->cluster);
    desk_start(desk);
}

/* Nodes and images are added by the tests. */
static DESK_UNUSED struct desk *desk_new(void)
{
    struct desk *desk = calloc(1, sizeof *desk);
    desk->records = calloc(DESK_RECORDS_MAX, sizeof *desk->records);
    desk->effects = effects_create();
    desk->now_ms = 1000000;
    desk->config = (struct cluster_config){.services_max = 64,
                                           .vms_max = 512,
                                           .nodes_max = 32,
                                           .objects_max = 16,
                                           .metrics_max = 1024,
                                           .mode = MODE_ACT};
    desk_start(desk);
    return desk;
}

static DESK_UNUSED void desk_free(struct desk *desk)
{
    cluster_destroy(desk->cluster);
    effects_destroy(desk->effects);
    free(desk->records);
    free(desk);
}

/* ---- nodes ---- */

struct desk_node {
    const char *name;
    uint32_t cpu_pct;
    uint64_t memory_kib;
    uint32_t capabilities;
};

static DESK_UNUSED void desk_hear(struct desk *desk, const char *node,
                                  const struct node_message *message)
{
    struct cluster_event event = {.type = CLUSTER_EVENT_NODE};
    event.node.name = node;
    event.node.message = message;
    desk_step(desk, &event);
}

/* It says hello and shows that nothing runs there. */
static DESK_UNUSED void desk_add_node(struct desk *desk, const struct desk_node *node)
{
    struct node_message *message = calloc(1, sizeof *message);
    message->header.version = PROTOCOL_VERSION;
    message->header.epoch = desk->epoch;
    message->header.sequence = 1;
    message->type = NODE_MESSAGE_HELLO;
    struct node_status status = {.capabilities = node->capabilities,
                                 .cpu_pct = node->cpu_pct,
                                 .cpu_pct_total = node->cpu_pct,
                                 .memory_kib = node->memory_kib,
                                 .memory_kib_total = node->memory_kib,
                                 .vcpus_max = 16,
                                 .image_formats = 1u << IMAGE_FORMAT_MODEL};
    (void)snprintf(status.driver, NAME_SIZE, "model");
    (void)snprintf(message->hello.incarnation, NAME_SIZE, "%.50s-1", node->name);
    message->hello.status = status;
    desk_hear(desk, node->name, message);
    memset(message, 0, sizeof *message);
    message->header.version = PROTOCOL_VERSION;
    message->header.epoch = desk->epoch;
    message->header.sequence = 2;
    message->type = NODE_MESSAGE_SNAPSHOT;
    (void)snprintf(message->snapshot.incarnation, NAME_SIZE, "%.50s-1", node->name);
    message->snapshot.number = 1;
    message->snapshot.status = status;
    desk_hear(desk, node->name, message);
    free(message);
}

static DESK_UNUSED struct node_record *desk_node(struct desk *desk, const char *name)
{
    return table_find(&desk->cluster->nodes, name);
}

static DESK_UNUSED struct vm_record *desk_vm(struct desk *desk, const char *name)
{
    return table_find(&desk->cluster->vms, name);
}

static DESK_UNUSED struct service_record *desk_service(struct desk *desk, const char *name)
{
    return table_find(&desk->cluster->services, name);
}

/* ---- people ---- */

struct person {
    const char *name;
    enum role role;
};

static DESK_UNUSED const struct person ADMIN = {"root", ROLE_ADMINISTRATOR};
static DESK_UNUSED const struct person ALICE = {"alice", ROLE_PROVIDER};
static DESK_UNUSED const struct person BOB = {"bob", ROLE_PROVIDER};
static DESK_UNUSED const struct person EVE = {"eve", ROLE_OBSERVER};

static DESK_UNUSED void desk_send(struct desk *desk, const struct person *person,
                                  const struct request *request, uint64_t hash,
                                  const struct stored_reply *previous)
{
    struct cluster_event event = {.type = CLUSTER_EVENT_REQUEST};
    event.request.principal = person->name;
    event.request.role = person->role;
    event.request.token = ++desk->tokens;
    event.request.request = request;
    event.request.content_hash = hash;
    event.request.previous = previous;
    desk_step(desk, &event);
    assert(desk->replied);
}

/* A request with a fresh id; the code of the reply. */
static DESK_UNUSED enum reply_code desk_ask(struct desk *desk, const struct person *person,
                                            const struct request *given)
{
    struct request *request = malloc(sizeof *request);
    *request = *given;
    desk->next_id++;
    memcpy(request->request_id, &desk->next_id, sizeof desk->next_id);
    desk_send(desk, person, request, desk->next_id, NULL);
    free(request);
    return desk->reply.code;
}

static DESK_UNUSED enum reply_code desk_order(struct desk *desk, const struct person *person,
                                              enum method method, enum object_kind kind,
                                              const char *name)
{
    struct request request = {.method = method, .kind = kind};
    (void)snprintf(request.name, NAME_SIZE, "%s", name);
    return desk_ask(desk, person, &request);
}

static DESK_UNUSED enum reply_code desk_put(struct desk *desk, const struct person *person,
                                            const struct object *object)
{
    struct request request = {.method = METHOD_PUT, .has_object = true, .object = *object};
    return desk_ask(desk, person, &request);
}

static DESK_UNUSED enum reply_code
desk_put_service(struct desk *desk, const struct person *person, const struct service *service)
{
    struct object object = {.kind = OBJECT_KIND_SERVICE, .service = *service};
    return desk_put(desk, person, &object);
}

static DESK_UNUSED void desk_add_image(struct desk *desk, const char *name)
{
    struct object object = {.kind = OBJECT_KIND_IMAGE};
    object.image.version = 1;
    object.image.format = IMAGE_FORMAT_MODEL;
    (void)snprintf(object.image.image, NAME_SIZE, "%s", name);
    assert(desk_put(desk, &ADMIN, &object) == REPLY_DONE);
}

/* Web, one group "web" of count VMs with 1 GiB and 0.5 to 2 CPUs each. */
static DESK_UNUSED struct service desk_web(const char *name, uint32_t count)
{
    struct service service = {.version = 1, .kind = SERVICE_KIND_WEB, .vms_count = 1};
    (void)snprintf(service.service, NAME_SIZE, "%s", name);
    service.objective.has_response_time = true;
    service.objective.response_time.p95_ms = 200;
    struct vm_group *group = &service.vms[0];
    (void)snprintf(group->name, NAME_SIZE, "web");
    (void)snprintf(group->image, NAME_SIZE, "debian");
    group->count = (struct count_range){count, count};
    group->vcpus = 2;
    group->cpu = (struct cap_range){50, 200};
    group->memory_kib = GIB;
    group->port = 80;
    return service;
}

/* Image debian, nodes xen1 and xen2 with 4 CPUs and 8 GiB each. */
static DESK_UNUSED struct desk *desk_with_nodes(void)
{
    struct desk *desk = desk_new();
    desk_add_image(desk, "debian");
    desk_add_node(desk, &(struct desk_node){"xen1", 400, 8 * GIB, DESK_ALL_CAPABILITIES});
    desk_add_node(desk, &(struct desk_node){"xen2", 400, 8 * GIB, DESK_ALL_CAPABILITIES});
    return desk;
}

/* Alice's service shop with two VMs on these nodes. */
static DESK_UNUSED struct desk *desk_with_shop(void)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 2);
    assert(desk_put_service(desk, &ALICE, &web) == REPLY_DONE);
    return desk;
}

/* ---- looking ---- */

static DESK_UNUSED uint32_t desk_told(const struct desk *desk, enum event_kind kind,
                                      const char *part)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < desk->told_count && i < DESK_EVENTS_MAX; i++) {
        count += desk->told[i].kind == kind && strstr(desk->told[i].text, part) != NULL;
    }
    return count;
}

static DESK_UNUSED bool desk_has_fact(const struct desk *desk, const char *part)
{
    for (uint32_t i = 0; i < desk->reply.facts_count; i++) {
        if (strstr(desk->reply.facts[i], part) != NULL) {
            return true;
        }
    }
    return false;
}

static DESK_UNUSED bool desk_has_hint(const struct desk *desk, const char *part)
{
    for (uint32_t i = 0; i < desk->reply.hints_count; i++) {
        if (strstr(desk->reply.hints[i], part) != NULL) {
            return true;
        }
    }
    return false;
}

#endif
