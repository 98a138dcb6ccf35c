// SPDX-License-Identifier: Apache-2.0
/*
 * The only writers of the effect list. Whatever is stored gets its revision here; a VM's sums
 * follow it, so that no caller can forget them. Events are whole sentences: readable without
 * their fields.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/state.h"

static void copy_name(char out[NAME_SIZE], const char *name)
{
    (void)snprintf(out, NAME_SIZE, "%s", name == NULL ? "" : name);
}

void emit_object(struct cluster *cluster, enum object_kind kind, const char *name,
                 struct record_meta *meta, const void *body, struct effects *out)
{
    meta->revision = ++cluster->revision;
    meta->changed_wall_ms = cluster->wall_ms;
    struct effect *effect = effects_add(out, EFFECT_PUT_OBJECT);
    effect->object = (struct object_ref){
        .kind = kind,
        .name = name,
        .owner = meta->owner,
        .revision = meta->revision,
        .changed_wall_ms = meta->changed_wall_ms,
        .body = body,
    };
}

void emit_service(struct cluster *cluster, struct service_record *service, struct effects *out)
{
    emit_object(cluster, OBJECT_KIND_SERVICE, service->spec.service, &service->meta,
                &service->spec, out);
}

void emit_vm(struct cluster *cluster, struct vm_record *vm, struct effects *out)
{
    cluster_count_vm(cluster, vm);
    emit_object(cluster, OBJECT_KIND_VM, vm->vm.vm, &vm->meta, &vm->vm, out);
}

void emit_node(struct cluster *cluster, struct node_record *node, struct effects *out)
{
    node->stored = true;
    emit_object(cluster, OBJECT_KIND_NODE, node->spec.node, &node->meta, &node->spec, out);
}

void emit_delete(struct cluster *cluster, enum object_kind kind, const char *name,
                 struct effects *out)
{
    char *copy = effects_alloc(out, NAME_SIZE); /* the record may be gone when this is read */
    copy_name(copy, name);
    struct effect *effect = effects_add(out, EFFECT_DELETE_OBJECT);
    effect->object = (struct object_ref){
        .kind = kind,
        .name = copy,
        .owner = "",
        .revision = ++cluster->revision,
        .changed_wall_ms = cluster->wall_ms,
    };
}

void emit_node_epoch(struct cluster *cluster, struct node_record *node, struct effects *out)
{
    (void)cluster;
    copy_name(node->life.node, node->spec.node);
    effects_add(out, EFFECT_PUT_NODE_EPOCH)->node_epoch = &node->life;
}

void emit_progress(struct cluster *cluster, struct service_record *service, struct effects *out)
{
    (void)cluster;
    copy_name(service->progress.service, service->spec.service);
    effects_add(out, EFFECT_PUT_PROGRESS)->progress = &service->progress;
}

/* NOLINTNEXTLINE(readability-function-size): what an event is about, and its text. */
struct event_record *emit_event(struct cluster *cluster, enum event_kind kind,
                                enum reason reason, const struct service_record *service,
                                const char *vm, const char *node, struct effects *out,
                                const char *format, ...)
{
    struct event_record *event = effects_alloc(out, sizeof *event);
    event->id = cluster->next_event++;
    event->wall_ms = cluster->wall_ms;
    event->kind = kind;
    event->reason = reason;
    copy_name(event->service, service == NULL ? NULL : service->spec.service);
    copy_name(event->owner, service == NULL ? NULL : service->meta.owner);
    copy_name(event->vm, vm);
    copy_name(event->node, node);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(event->text, sizeof event->text, format, arguments);
    va_end(arguments);
    effects_add(out, EFFECT_PUT_EVENT)->event = event;
    return event;
}

struct decision *emit_new_decision(struct cluster *cluster, struct effects *out)
{
    struct decision *decision = effects_alloc(out, sizeof *decision);
    decision->id = cluster->next_decision++;
    decision->wall_ms = cluster->wall_ms;
    decision->mode = cluster_mode(cluster);
    return decision;
}

void emit_decision(struct cluster *cluster, const struct decision *decision,
                   struct effects *out)
{
    (void)cluster;
    effects_add(out, EFFECT_PUT_DECISION)->decision = decision;
}

/* Most messages are small beside a snapshot, which the union also holds: take only what is
 * used. */
static size_t message_size(enum node_message_type type)
{
    const size_t start = offsetof(struct node_message, hello);
    switch (type) {
    case NODE_MESSAGE_WELCOME: return start + sizeof(struct welcome);
    case NODE_MESSAGE_GRANT: return start + sizeof(struct grant);
    case NODE_MESSAGE_VM_ORDER: return start + sizeof(struct vm_order);
    case NODE_MESSAGE_ENTRY_ORDER: return start + sizeof(struct entry_order);
    case NODE_MESSAGE_PARK: return start + sizeof(struct park);
    case NODE_MESSAGE_UNSPECIFIED:
    case NODE_MESSAGE_HELLO:
    case NODE_MESSAGE_RENEW:
    case NODE_MESSAGE_SNAPSHOT:
    case NODE_MESSAGE_RESULT:
    case NODE_MESSAGE_HEARTBEAT:
    case NODE_MESSAGE_METRICS:
    case NODE_MESSAGE_LEAVE: break;
    }
    return sizeof(struct node_message);
}

struct node_message *emit_message(struct cluster *cluster, const char *node,
                                  enum node_message_type type, struct effects *out)
{
    struct node_message *message = effects_alloc(out, message_size(type));
    message->header.version = PROTOCOL_VERSION;
    message->header.min_version = PROTOCOL_VERSION;
    message->header.epoch = cluster->epoch;
    message->type = type;
    char *copy = effects_alloc(out, NAME_SIZE);
    copy_name(copy, node);
    struct effect *effect = effects_add(out, EFFECT_SEND);
    effect->send.node = copy;
    effect->send.message = message;
    return message;
}
