// SPDX-License-Identifier: Apache-2.0
/*
 * The client API's front: who may, is it a repetition, which handler, then the reply. A request
 * that passed the gate and changes something has its reply stored under its id, whatever it
 * says, so that a repetition gets the same answer.
 */
#include "orchestrator/core/requests.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- the reply ---- */

void reply_text(struct request_context *context, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(context->reply->text, sizeof context->reply->text, format, arguments);
    va_end(arguments);
}

void reply_refuse(struct request_context *context, enum reply_code code, enum reason reason,
                  const char *format, ...)
{
    context->reply->code = code;
    context->reply->reason = reason;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(context->reply->text, sizeof context->reply->text, format, arguments);
    va_end(arguments);
}

void reply_fact(struct request_context *context, const char *format, ...)
{
    if (context->reply->facts_count == FACTS_MAX) {
        return;
    }
    char *line = context->reply->facts[context->reply->facts_count++];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, TEXT_SIZE, format, arguments);
    va_end(arguments);
}

void reply_hint(struct request_context *context, const char *format, ...)
{
    if (context->reply->hints_count == FACTS_MAX) {
        return;
    }
    char *line = context->reply->hints[context->reply->hints_count++];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, TEXT_SIZE, format, arguments);
    va_end(arguments);
}

void reply_not_found(struct request_context *context, enum object_kind kind, const char *name)
{
    reply_refuse(context, REPLY_NOT_FOUND, REASON_NOT_FOUND, "%s %s does not exist",
                 object_kind_word(kind), name);
    reply_hint(context, "arbiter get %s", object_kind_word(kind));
}

bool reply_is_at_revision(struct request_context *context, const char *name,
                          const struct record_meta *meta)
{
    uint64_t wanted = context->request->at_revision;
    if (wanted == 0 || wanted == meta->revision) {
        return true;
    }
    reply_refuse(context, REPLY_CONFLICT, REASON_CONFLICT,
                 "%s %s is not at revision %llu any more: it changed at revision %llu",
                 object_kind_word(context->kind), name, (unsigned long long)wanted,
                 (unsigned long long)meta->revision);
    reply_hint(context, "arbiter show %s %s", object_kind_word(context->kind), name);
    return false;
}

const char *cpu_text(uint64_t pct, char out[CPU_TEXT_SIZE])
{
    (void)snprintf(out, CPU_TEXT_SIZE, "%llu.%02llu", (unsigned long long)pct / 100,
                   (unsigned long long)pct % 100);
    return out;
}

struct service_record *request_service(struct request_context *context, const char *name)
{
    struct service_record *service = table_find(&context->cluster->services, name);
    if (service == NULL ||
        !authorize_owner(context->access, context->principal, service->meta.owner)) {
        reply_not_found(context, OBJECT_KIND_SERVICE, name);
        return NULL;
    }
    return service;
}

struct vm_record *request_vm(struct request_context *context, const char *name)
{
    struct vm_record *vm = table_find(&context->cluster->vms, name);
    if (vm == NULL || !authorize_owner(context->access, context->principal, vm->meta.owner)) {
        reply_not_found(context, OBJECT_KIND_VM, name);
        return NULL;
    }
    return vm;
}

struct node_record *request_node(struct request_context *context, const char *name)
{
    struct node_record *node = table_find(&context->cluster->nodes, name);
    if (node == NULL || context->access != ACCESS_ALL) {
        reply_not_found(context, OBJECT_KIND_NODE, name);
        return NULL;
    }
    return node;
}

struct event_record *request_event(struct request_context *context,
                                   const struct service_record *service, const char *vm,
                                   const char *node, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return emit_event(context->cluster, EVENT_KIND_CHANGED, REASON_PERSON, service, vm, node,
                      context->out, "%s %s", context->principal, text);
}

/* ---- reading ---- */

/* A name that was asked for must exist; otherwise the list would just be empty. */
static bool is_there(struct request_context *context)
{
    struct cluster *cluster = context->cluster;
    const char *name = context->request->name;
    bool found = false;
    switch (context->kind) {
    case OBJECT_KIND_SERVICE: return request_service(context, name) != NULL;
    case OBJECT_KIND_VM: return request_vm(context, name) != NULL;
    case OBJECT_KIND_NODE: return request_node(context, name) != NULL;
    case OBJECT_KIND_IMAGE: found = table_find(&cluster->images, name) != NULL; break;
    case OBJECT_KIND_STORAGE: found = table_find(&cluster->storages, name) != NULL; break;
    case OBJECT_KIND_NETWORK: found = table_find(&cluster->networks, name) != NULL; break;
    case OBJECT_KIND_AGREEMENT:
        found = table_find(&cluster->agreements, name) != NULL &&
                authorize_owner(context->access, context->principal, name);
        break;
    case OBJECT_KIND_PROFILE: found = request_profile(context, name) != NULL; break;
    case OBJECT_KIND_SETTINGS: found = strcmp(cluster->settings.settings, name) == 0; break;
    case OBJECT_KIND_UNSPECIFIED: break;
    }
    if (!found) {
        reply_not_found(context, context->kind, name);
    }
    return found;
}

static void request_get(struct request_context *context)
{
    if (context->request->name[0] == '\0' || is_there(context)) {
        context->source = ITEMS_CORE;
    }
}

/* ---- dispatch ---- */

static void dispatch(struct request_context *context)
{
    bool is_service = context->kind == OBJECT_KIND_SERVICE;
    switch (context->request->method) {
    case METHOD_GET: request_get(context); break;
    case METHOD_STATUS:
    case METHOD_METRICS: context->source = ITEMS_CORE; break;
    case METHOD_EVENTS: context->source = ITEMS_EVENTS; break;
    case METHOD_DECISIONS: context->source = ITEMS_DECISIONS; break;
    case METHOD_PLAN: request_plan_service(context); break;
    case METHOD_PUT: (is_service ? request_put_service : request_put_object)(context); break;
    case METHOD_DELETE:
        (is_service ? request_delete_service : request_delete_object)(context);
        break;
    case METHOD_SET_VM: request_set_vm(context); break;
    case METHOD_SET_STATE: request_set_state(context); break;
    case METHOD_REBOOT: request_reboot(context); break;
    case METHOD_MOVE: request_move(context); break;
    case METHOD_CORDON: request_cordon(context); break;
    case METHOD_UNCORDON: request_uncordon(context); break;
    case METHOD_DRAIN: request_drain(context); break;
    case METHOD_CONFIRM_DEAD: request_confirm_dead(context); break;
    case METHOD_MODE: request_mode(context); break;
    case METHOD_UNSPECIFIED: break; /* never authorized */
    }
}

/* The kind that a request is about: its own, that of its object, or the one of its method. */
static enum object_kind kind_of(const struct request *request)
{
    switch (request->method) {
    case METHOD_PUT:
    case METHOD_PLAN: return request->object.kind;
    case METHOD_SET_VM:
    case METHOD_MOVE: return OBJECT_KIND_VM;
    case METHOD_CORDON:
    case METHOD_UNCORDON:
    case METHOD_DRAIN:
    case METHOD_CONFIRM_DEAD: return OBJECT_KIND_NODE;
    case METHOD_MODE: return OBJECT_KIND_SETTINGS;
    case METHOD_STATUS:
    case METHOD_EVENTS:
    case METHOD_DECISIONS:
    case METHOD_METRICS: return OBJECT_KIND_UNSPECIFIED;
    case METHOD_REBOOT:
        return request->kind == OBJECT_KIND_UNSPECIFIED ? OBJECT_KIND_VM : request->kind;
    case METHOD_GET:
    case METHOD_DELETE:
    case METHOD_SET_STATE:
    case METHOD_UNSPECIFIED: break;
    }
    return request->kind;
}

static const char *role_word(enum role role)
{
    static const char *const words[] = {"stranger", "administrator", "provider", "observer",
                                        "agent"};
    return (unsigned)role < ROLE_COUNT ? words[role] : words[0];
}

static bool has_request_id(const struct request *request)
{
    for (size_t i = 0; i < sizeof request->request_id; i++) {
        if (request->request_id[i] != 0) {
            return true;
        }
    }
    return false;
}

/* Refusals that come before any handler; true: go on. */
static bool is_admitted(struct request_context *context)
{
    const struct request *request = context->request;
    if (context->access == ACCESS_NONE) {
        reply_refuse(context, REPLY_DENIED, REASON_DENIED,
                     "not allowed: %s is %s and may not do this", context->principal,
                     role_word(context->role));
        return false;
    }
    bool needs_object = request->method == METHOD_PUT || request->method == METHOD_PLAN;
    if (needs_object && !request->has_object) {
        reply_refuse(context, REPLY_INVALID, REASON_INVALID, "request: the object is missing");
        return false;
    }
    if (authorize_is_change(request->method) && !has_request_id(request)) {
        reply_refuse(context, REPLY_INVALID, REASON_INVALID,
                     "request: a change needs a request id, so that it can be repeated safely");
        return false;
    }
    return true;
}

/* True when the stored reply, or the refusal of an id used twice, was the answer. */
static bool is_repetition(struct request_context *context, const struct cluster_event *event)
{
    const struct stored_reply *previous = event->request.previous;
    if (previous == NULL || !authorize_is_change(context->request->method)) {
        return false;
    }
    if (previous->content_hash == event->request.content_hash) {
        *context->reply = previous->reply;
    } else {
        reply_refuse(context, REPLY_CONFLICT, REASON_CONFLICT,
                     "request: this id was already used for another request");
    }
    return true;
}

static void send_reply(struct request_context *context, uint64_t token)
{
    struct reply *reply = context->reply;
    reply->header.version = PROTOCOL_VERSION;
    reply->header.min_version = PROTOCOL_VERSION;
    reply->header.epoch = context->cluster->epoch;
    struct effect *effect = effects_add(context->out, EFFECT_REPLY);
    effect->reply.token = token;
    effect->reply.reply = reply;
    effect->reply.source = context->source;
    effect->reply.request = context->request;
    effect->reply.owner = context->access == ACCESS_ALL ? NULL : context->principal;
    effect->reply.placements = context->placements;
    effect->reply.placements_count = context->placements_count;
}

void requests_step(struct cluster *cluster, const struct cluster_event *event,
                   struct effects *out)
{
    const struct request *request = event->request.request;
    struct stored_reply *stored = effects_alloc(out, sizeof *stored);
    struct request_context context = {
        .cluster = cluster,
        .request = request,
        .principal = event->request.principal,
        .role = event->request.role,
        .kind = kind_of(request),
        .out = out,
        .reply = &stored->reply,
    };
    context.access = authorize(context.role, request->method, context.kind);
    context.reply->reason = REASON_NONE;
    memcpy(context.reply->request_id, request->request_id, sizeof context.reply->request_id);
    if (is_admitted(&context) && !is_repetition(&context, event)) {
        dispatch(&context);
        context.reply->revision = cluster->revision;
        if (authorize_is_change(request->method)) {
            (void)snprintf(stored->principal, sizeof stored->principal, "%s",
                           context.principal);
            memcpy(stored->request_id, request->request_id, sizeof stored->request_id);
            stored->content_hash = event->request.content_hash;
            stored->wall_ms = cluster->wall_ms;
            effects_add(out, EFFECT_PUT_REPLY)->stored_reply = stored;
        }
    }
    send_reply(&context, event->request.token);
}
