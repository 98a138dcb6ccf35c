// SPDX-License-Identifier: Apache-2.0
/* PUT and DELETE of what is no service: images, storages, networks, agreements, profiles,
 * nodes, settings. Except for profiles only the administrator writes them. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/requests.h"

/* ---- records that are nothing but a spec and its meta ---- */

struct plain {
    struct table *table;
    size_t spec_size; /* the spec is the first member of each record */
    size_t meta_offset;
};

static bool plain_of(struct cluster *cluster, enum object_kind kind, struct plain *out)
{
    switch (kind) {
    case OBJECT_KIND_IMAGE:
        *out = (struct plain){&cluster->images, sizeof(struct image),
                              offsetof(struct image_record, meta)};
        return true;
    case OBJECT_KIND_STORAGE:
        *out = (struct plain){&cluster->storages, sizeof(struct storage),
                              offsetof(struct storage_record, meta)};
        return true;
    case OBJECT_KIND_NETWORK:
        *out = (struct plain){&cluster->networks, sizeof(struct network),
                              offsetof(struct network_record, meta)};
        return true;
    case OBJECT_KIND_AGREEMENT:
        *out = (struct plain){&cluster->agreements, sizeof(struct agreement),
                              offsetof(struct agreement_record, meta)};
        return true;
    case OBJECT_KIND_PROFILE:
        *out = (struct plain){&cluster->profiles, sizeof(struct profile),
                              offsetof(struct profile_record, meta)};
        return true;
    case OBJECT_KIND_SERVICE:
    case OBJECT_KIND_VM:
    case OBJECT_KIND_NODE:
    case OBJECT_KIND_SETTINGS:
    case OBJECT_KIND_UNSPECIFIED: break;
    }
    return false;
}

static struct record_meta *meta_of(const struct plain *plain, void *record)
{
    return (struct record_meta *)((unsigned char *)record + plain->meta_offset);
}

/* ---- who uses it ---- */

static bool group_uses(const struct vm_group *group, enum object_kind kind, const char *name)
{
    const char *names = kind == OBJECT_KIND_IMAGE     ? group->image
                        : kind == OBJECT_KIND_STORAGE ? group->disk.storage
                                                      : group->network;
    return strcmp(names, name) == 0;
}

/* Adds a fact per service that names it; returns how many do. */
static uint32_t list_users(struct request_context *context, enum object_kind kind,
                           const char *name)
{
    uint32_t users = 0;
    const struct service_record *service = NULL;
    for (uint32_t i = 0; (service = table_next(&context->cluster->services, &i)) != NULL;) {
        bool uses = kind == OBJECT_KIND_AGREEMENT && strcmp(service->meta.owner, name) == 0;
        uses =
            uses || (kind == OBJECT_KIND_PROFILE && strcmp(service->spec.profile, name) == 0);
        const bool is_of_group = kind != OBJECT_KIND_AGREEMENT && kind != OBJECT_KIND_PROFILE;
        for (uint32_t k = 0; is_of_group && k < service->spec.vms_count; k++) {
            uses = uses || group_uses(&service->spec.vms[k], kind, name);
        }
        if (uses) {
            users++;
            reply_fact(context, "service %s", service->spec.service);
        }
    }
    return users;
}

static bool is_unused(struct request_context *context, const char *name, const char *what)
{
    uint32_t users = list_users(context, context->kind, name);
    if (users == 0) {
        return true;
    }
    reply_refuse(context, REPLY_CONFLICT, REASON_IN_USE, "%s %s %s: %u services use it",
                 object_kind_word(context->kind), name, what, users);
    return false;
}

/* ---- PUT ---- */

/* VMs on a node that would no longer have the storage. */
static bool keeps_nodes(struct request_context *context, const struct storage *before,
                        const struct storage *after)
{
    for (uint32_t i = 0; i < before->nodes_count; i++) {
        bool kept = false;
        for (uint32_t k = 0; k < after->nodes_count; k++) {
            kept = kept || strcmp(before->nodes[i], after->nodes[k]) == 0;
        }
        if (!kept) {
            return false;
        }
    }
    return strcmp(before->path, after->path) == 0 ||
           is_unused(context, before->storage, "cannot change its path");
}

/* A change that VMs which exist would not survive. */
static bool may_change(struct request_context *context, const void *before, const void *after)
{
    switch (context->kind) {
    case OBJECT_KIND_IMAGE: {
        const struct image *image = before;
        return is_unused(context, image->image, "cannot change");
    }
    case OBJECT_KIND_NETWORK: {
        const struct network *network = before;
        return is_unused(context, network->network, "cannot change");
    }
    case OBJECT_KIND_STORAGE: {
        const struct storage *storage = before;
        return keeps_nodes(context, before, after) ||
               is_unused(context, storage->storage, "cannot lose a node");
    }
    case OBJECT_KIND_AGREEMENT:
    case OBJECT_KIND_NODE:
    case OBJECT_KIND_SETTINGS:
    case OBJECT_KIND_PROFILE:
    case OBJECT_KIND_SERVICE:
    case OBJECT_KIND_VM:
    case OBJECT_KIND_UNSPECIFIED: break;
    }
    return true;
}

/* The sums of an agreement that is new: what its provider already has. Rare, so a round over
 * all. */
static void count_agreement(struct cluster *cluster, const struct agreement_record *agreement)
{
    const struct service_record *service = NULL;
    for (uint32_t i = 0; (service = table_next(&cluster->services, &i)) != NULL;) {
        if (strcmp(service->meta.owner, agreement->spec.agreement) == 0) {
            cluster_count_service(cluster, service->meta.owner, NULL, &service->spec);
        }
    }
}

static void put_plain(struct request_context *context, const struct plain *plain,
                      const char *name, const void *body)
{
    struct cluster *cluster = context->cluster;
    void *record = table_find(plain->table, name);
    bool is_new = record == NULL;
    if (!is_new) {
        if (!reply_is_at_revision(context, name, meta_of(plain, record))) {
            return;
        }
        if (object_is_equal(context->kind, record, body)) {
            reply_text(context, "%s %s: unchanged", object_kind_word(context->kind), name);
            return;
        }
        if (!may_change(context, record, body)) {
            return;
        }
    } else {
        record = table_add(plain->table, name);
        if (record == NULL) {
            reply_refuse(context, REPLY_FAILED, REASON_LIMIT,
                         "%s %s: this orchestrator is full: %u of %u are used",
                         object_kind_word(context->kind), name, plain->table->count,
                         plain->table->capacity);
            return;
        }
        (void)snprintf(meta_of(plain, record)->owner, NAME_SIZE, "%s", context->principal);
    }
    memcpy(record, body, plain->spec_size);
    if (is_new && context->kind == OBJECT_KIND_AGREEMENT) {
        count_agreement(cluster, record);
    }
    if (context->kind == OBJECT_KIND_PROFILE) {
        cluster_index_profile(record);
    }
    const char *kept_name = (const char *)record + plain->table->name_offset;
    emit_object(cluster, context->kind, kept_name, meta_of(plain, record), record,
                context->out);
    (void)request_event(context, NULL, NULL, NULL, "%s %s %s", is_new ? "creates" : "changes",
                        object_kind_word(context->kind), name);
    reply_text(context, "%s %s: %s", object_kind_word(context->kind), name,
               is_new ? "created" : "changed");
    cluster->waiting_at_ms = cluster->now_ms; /* it may be what a VM waits for */
}

/* ---- nodes ---- */

static bool has_capacity(struct request_context *context, const struct node_record *present,
                         const struct node *spec)
{
    char needed[CPU_TEXT_SIZE];
    char given[CPU_TEXT_SIZE];
    if (present == NULL || present->vms == 0) {
        return true;
    }
    if (spec->cpu_pct != 0 && spec->cpu_pct < present->cpu_pct_reserved) {
        reply_fact(context, "cpu: its vms have minimum caps of %s CPU, %s would be left",
                   cpu_text(present->cpu_pct_reserved, needed), cpu_text(spec->cpu_pct, given));
    }
    if (spec->memory_kib != 0 && spec->memory_kib < present->memory_kib_granted) {
        reply_fact(context, "memory: its vms have %llu MiB, %llu would be left",
                   (unsigned long long)present->memory_kib_granted / 1024,
                   (unsigned long long)spec->memory_kib / 1024);
    }
    if (context->reply->facts_count == 0) {
        return true;
    }
    reply_refuse(context, REPLY_INFEASIBLE, REASON_IN_USE,
                 "node %s: its vms need more than this capacity", spec->node);
    reply_hint(context, "arbiter drain %s", spec->node);
    return false;
}

static void put_node(struct request_context *context, const struct node *spec)
{
    struct cluster *cluster = context->cluster;
    struct node_record *node = table_find(&cluster->nodes, spec->node);
    if (node != NULL && !reply_is_at_revision(context, spec->node, &node->meta)) {
        return;
    }
    if (node != NULL && node->stored && object_is_equal(OBJECT_KIND_NODE, &node->spec, spec)) {
        reply_text(context, "node %s: unchanged", spec->node);
        return;
    }
    if (!has_capacity(context, node, spec)) {
        return;
    }
    if (node == NULL && (node = table_add(&cluster->nodes, spec->node)) == NULL) {
        reply_refuse(context, REPLY_FAILED, REASON_LIMIT,
                     "node %s: this orchestrator is full: %u of %u nodes are used", spec->node,
                     cluster->nodes.count, cluster->nodes.capacity);
        return;
    }
    if (node->state == NODE_STATE_UNSPECIFIED) {
        node->state = NODE_STATE_UNSEEN;
    }
    bool starts_draining = spec->draining && !node->spec.draining;
    if (node->meta.owner[0] == '\0') {
        (void)snprintf(node->meta.owner, NAME_SIZE, "%s", context->principal);
    }
    node->spec = *spec;
    emit_node(cluster, node, context->out);
    (void)request_event(context, NULL, NULL, spec->node, "writes node %s", spec->node);
    if (starts_draining) {
        recovery_drain(cluster, node, context->out);
    }
    reply_text(context, "node %s: written", spec->node);
    cluster->waiting_at_ms = cluster->now_ms;
}

/* ---- settings ---- */

static void put_settings(struct request_context *context, const struct settings *given)
{
    struct cluster *cluster = context->cluster;
    struct settings spec = *given;
    if (strcmp(spec.settings, cluster->settings.settings) != 0) {
        reply_refuse(context, REPLY_INVALID, REASON_INVALID,
                     "settings %s: there is only one object of this kind, called %s",
                     spec.settings, cluster->settings.settings);
        return;
    }
    if (spec.mode == MODE_UNSPECIFIED) {
        spec.mode = cluster->settings.mode;
    }
    if (spec.control_period_ms == 0) {
        spec.control_period_ms = cluster->config.control_period_ms;
    }
    if (!reply_is_at_revision(context, spec.settings, &cluster->settings_meta)) {
        return;
    }
    if (cluster->settings_stored && cluster->mode_until_ms == 0 &&
        object_is_equal(OBJECT_KIND_SETTINGS, &cluster->settings, &spec)) {
        reply_text(context, "settings: unchanged");
        return;
    }
    bool moves_mode = spec.mode != cluster->settings.mode;
    cluster->settings = spec;
    cluster->settings_stored = true;
    cluster->mode_until_ms = 0;
    if (cluster->settings_meta.owner[0] == '\0') {
        (void)snprintf(cluster->settings_meta.owner, NAME_SIZE, "%s", context->principal);
    }
    emit_object(cluster, OBJECT_KIND_SETTINGS, cluster->settings.settings,
                &cluster->settings_meta, &cluster->settings, context->out);
    struct event_record *event = request_event(
        context, NULL, NULL, NULL, "writes the settings: mode %s, control period %u ms",
        cluster_mode_word(spec.mode), spec.control_period_ms);
    event->kind = moves_mode ? EVENT_KIND_MODE : event->kind;
    reply_text(context, "settings: changed");
}

void request_put_object(struct request_context *context)
{
    const struct object *object = &context->request->object;
    const char *name = object_name(object);
    const char *asked = context->request->name;
    if (name[0] == '\0' || (asked[0] != '\0' && strcmp(asked, name) != 0)) {
        reply_refuse(context, REPLY_INVALID, REASON_INVALID,
                     "request: it names %s, its object %s", asked, name);
        return;
    }
    struct plain plain;
    if (context->kind == OBJECT_KIND_NODE) {
        put_node(context, &object->node);
    } else if (context->kind == OBJECT_KIND_SETTINGS) {
        put_settings(context, &object->settings);
    } else if (context->kind == OBJECT_KIND_PROFILE && !request_may_put_profile(context)) {
        return;
    } else if (plain_of(context->cluster, context->kind, &plain)) {
        put_plain(context, &plain, name, &object->service); /* all members start at one place */
    }
}

/* ---- DELETE ---- */

static void delete_node(struct request_context *context)
{
    struct cluster *cluster = context->cluster;
    const char *name = context->request->name;
    struct node_record *node = request_node(context, name);
    if (node == NULL || !reply_is_at_revision(context, name, &node->meta)) {
        return;
    }
    if (node->vms > 0) {
        reply_refuse(context, REPLY_CONFLICT, REASON_IN_USE,
                     "node %s cannot be deleted: %u vms are on it", name, node->vms);
        reply_hint(context, "arbiter drain %s", name);
        return;
    }
    emit_delete(cluster, OBJECT_KIND_NODE, name, context->out);
    /* Its life is stored apart; one that says nothing is not loaded again. */
    struct node_epoch *ended = effects_alloc(context->out, sizeof *ended);
    (void)snprintf(ended->node, sizeof ended->node, "%s", name);
    effects_add(context->out, EFFECT_PUT_NODE_EPOCH)->node_epoch = ended;
    (void)request_event(context, NULL, NULL, name, "deletes node %s", name);
    table_remove(&cluster->nodes, node);
    reply_text(context, "node %s: deleted", name);
}

void request_delete_object(struct request_context *context)
{
    if (context->kind == OBJECT_KIND_NODE) {
        delete_node(context);
        return;
    }
    const char *name = context->request->name;
    struct plain plain;
    void *record = plain_of(context->cluster, context->kind, &plain)
                       ? table_find(plain.table, name)
                       : NULL;
    if (record == NULL ||
        !authorize_owner(context->access, context->principal, meta_of(&plain, record)->owner)) {
        reply_not_found(context, context->kind, name);
        return;
    }
    if (!reply_is_at_revision(context, name, meta_of(&plain, record)) ||
        !is_unused(context, name, "cannot be deleted")) {
        return;
    }
    emit_delete(context->cluster, context->kind, name, context->out);
    (void)request_event(context, NULL, NULL, NULL, "deletes %s %s",
                        object_kind_word(context->kind), name);
    table_remove(plain.table, record);
    reply_text(context, "%s %s: deleted", object_kind_word(context->kind), name);
}
