// SPDX-License-Identifier: Apache-2.0
/*
 * State as items for clients, page by page. A cursor is the place where the next page begins: a
 * section of the answer (STATUS has three) and a slot in a table. Objects that come or go
 * between two pages may be missed; what stays is seen exactly once.
 */
#include "orchestrator/core/views.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/service_level.h"
#include "orchestrator/core/control.h"
#include "orchestrator/core/state.h"

/* ---- pages ---- */

struct page {
    const struct cluster *cluster;
    const struct request *request;
    const char *owner; /* NULL: everybody's */
    int64_t now_ms;
    take_item take;
    void *context;
    uint32_t left; /* items that still may be given */
};

static void give(struct page *page, const struct item *item)
{
    page->take(page->context, item);
    page->left--;
}

static bool matches(const char *filter, const char *name)
{
    return filter[0] == '\0' || strcmp(filter, name) == 0;
}

static bool may_see(const struct page *page, const char *owner)
{
    return page->owner == NULL || (page->owner[0] != '\0' && strcmp(page->owner, owner) == 0);
}

/* ---- objects ---- */

static void fill_object(struct object *object, enum object_kind kind,
                        const struct record_meta *meta)
{
    memset(object, 0, sizeof *object);
    object->kind = kind;
    memcpy(object->owner, meta->owner, sizeof object->owner);
    object->revision = meta->revision;
    object->changed_wall_ms = meta->changed_wall_ms;
}

static bool is_on_node(const struct page *page, const struct service_record *service)
{
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(page->cluster, service, &at)) != NULL;) {
        if (matches(page->request->node, vm->vm.node)) {
            return true;
        }
    }
    return page->request->node[0] == '\0';
}

static void give_service(struct page *page, const struct service_record *service)
{
    struct item item;
    item.kind = ITEM_KIND_OBJECT;
    fill_object(&item.object, OBJECT_KIND_SERVICE, &service->meta);
    item.object.service = service->spec;
    give(page, &item);
}

/* Two items: the VM as it is wanted, then as it is. */
static void give_vm(struct page *page, const struct vm_record *vm)
{
    struct item item;
    item.kind = ITEM_KIND_OBJECT;
    fill_object(&item.object, OBJECT_KIND_VM, &vm->meta);
    item.object.vm = vm->vm;
    give(page, &item);
    item.kind = ITEM_KIND_VM_STATUS;
    views_vm_status(vm, &item.vm_status);
    give(page, &item);
}

static void give_node(struct page *page, const struct node_record *node)
{
    struct item item;
    item.kind = ITEM_KIND_OBJECT;
    fill_object(&item.object, OBJECT_KIND_NODE, &node->meta);
    item.object.node = node->spec;
    give(page, &item);
}

static uint64_t list_services(struct page *page, uint64_t from)
{
    const struct table *table = &page->cluster->services;
    const struct service_record *service = NULL;
    for (uint32_t i = (uint32_t)from; (service = table_next(table, &i)) != NULL;) {
        const struct request *request = page->request;
        if (!may_see(page, service->meta.owner) ||
            !matches(request->name, service->spec.service) ||
            !matches(request->service, service->spec.service) || !is_on_node(page, service)) {
            continue;
        }
        if (page->left == 0) {
            return table_slot(table, service);
        }
        give_service(page, service);
    }
    return 0;
}

static uint64_t list_vms(struct page *page, uint64_t from)
{
    const struct table *table = &page->cluster->vms;
    const struct vm_record *vm = NULL;
    for (uint32_t i = (uint32_t)from; (vm = table_next(table, &i)) != NULL;) {
        const struct request *request = page->request;
        if (!may_see(page, vm->meta.owner) || !matches(request->name, vm->vm.vm) ||
            !matches(request->service, vm->vm.service) ||
            !matches(request->node, vm->vm.node)) {
            continue;
        }
        if (page->left < 2) {
            return table_slot(table, vm);
        }
        give_vm(page, vm);
    }
    return 0;
}

static uint64_t list_nodes(struct page *page, uint64_t from)
{
    const struct table *table = &page->cluster->nodes;
    const struct node_record *node = NULL;
    for (uint32_t i = (uint32_t)from; (node = table_next(table, &i)) != NULL;) {
        if (page->owner != NULL || !matches(page->request->name, node->spec.node) ||
            !matches(page->request->node, node->spec.node)) {
            continue;
        }
        if (page->left == 0) {
            return table_slot(table, node);
        }
        give_node(page, node);
    }
    return 0;
}

/* A provider learns what it may name in its file, not where it comes from. Fields that the wire
 * contract requires say so. */
#define HIDDEN "hidden"

static void give_image(struct page *page, const struct image_record *image)
{
    struct item item;
    item.kind = ITEM_KIND_OBJECT;
    fill_object(&item.object, OBJECT_KIND_IMAGE, &image->meta);
    item.object.image = image->spec;
    if (page->owner != NULL) {
        item.object.image =
            (struct image){.version = image->spec.version, .format = image->spec.format};
        memcpy(item.object.image.image, image->spec.image, NAME_SIZE);
        item.object.owner[0] = '\0';
    }
    give(page, &item);
}

static void give_storage(struct page *page, const struct storage_record *storage)
{
    struct item item;
    item.kind = ITEM_KIND_OBJECT;
    fill_object(&item.object, OBJECT_KIND_STORAGE, &storage->meta);
    item.object.storage = storage->spec;
    if (page->owner != NULL) {
        item.object.storage = (struct storage){.version = storage->spec.version,
                                               .path = "/" HIDDEN,
                                               .nodes_count = 1,
                                               .nodes = {HIDDEN}};
        memcpy(item.object.storage.storage, storage->spec.storage, NAME_SIZE);
        item.object.owner[0] = '\0';
    }
    give(page, &item);
}

static void give_network(struct page *page, const struct network_record *network)
{
    struct item item;
    item.kind = ITEM_KIND_OBJECT;
    fill_object(&item.object, OBJECT_KIND_NETWORK, &network->meta);
    item.object.network = network->spec;
    if (page->owner != NULL) {
        item.object.network =
            (struct network){.version = network->spec.version, .bridge = HIDDEN};
        memcpy(item.object.network.network, network->spec.network, NAME_SIZE);
        item.object.owner[0] = '\0';
    }
    give(page, &item);
}

static void give_agreement(struct page *page, const struct agreement_record *agreement)
{
    struct item item;
    item.kind = ITEM_KIND_OBJECT;
    fill_object(&item.object, OBJECT_KIND_AGREEMENT, &agreement->meta);
    item.object.agreement = agreement->spec;
    give(page, &item);
}

/* What was measured of one service while it ran. */
static uint64_t list_learnt(struct page *page)
{
    struct item item;
    const struct service_record *service =
        table_find(&page->cluster->services, page->request->service);
    if (service == NULL || !may_see(page, service->meta.owner) ||
        !matches(page->request->name, service->spec.service)) {
        return 0;
    }
    item.kind = ITEM_KIND_OBJECT;
    fill_object(&item.object, OBJECT_KIND_PROFILE, &service->meta);
    if (control_learnt_profile(page->cluster, service, &item.object.profile)) {
        item.object.changed_wall_ms = item.object.profile.measured_wall_ms;
        give(page, &item);
    }
    return 0;
}

static uint64_t list_profiles(struct page *page, uint64_t from)
{
    if (page->request->service[0] != '\0') {
        return list_learnt(page);
    }
    const struct table *table = &page->cluster->profiles;
    const struct profile_record *profile = NULL;
    for (uint32_t i = (uint32_t)from; (profile = table_next(table, &i)) != NULL;) {
        if (!may_see(page, profile->meta.owner) ||
            !matches(page->request->name, profile->spec.profile)) {
            continue;
        }
        if (page->left == 0) {
            return table_slot(table, profile);
        }
        struct item item;
        item.kind = ITEM_KIND_OBJECT;
        fill_object(&item.object, OBJECT_KIND_PROFILE, &profile->meta);
        item.object.profile = profile->spec;
        give(page, &item);
    }
    return 0;
}

static const struct table *plain_table(const struct cluster *cluster, enum object_kind kind)
{
    return kind == OBJECT_KIND_IMAGE     ? &cluster->images
           : kind == OBJECT_KIND_STORAGE ? &cluster->storages
           : kind == OBJECT_KIND_NETWORK ? &cluster->networks
                                         : &cluster->agreements;
}

/* Images, storages, networks and agreements. */
static uint64_t list_plain(struct page *page, uint64_t from)
{
    enum object_kind kind = page->request->kind;
    const struct table *table = plain_table(page->cluster, kind);
    const void *record = NULL;
    for (uint32_t i = (uint32_t)from; (record = table_next(table, &i)) != NULL;) {
        const char *name = (const char *)record + table->name_offset;
        bool hidden = kind == OBJECT_KIND_AGREEMENT && !may_see(page, name);
        if (hidden || !matches(page->request->name, name)) {
            continue;
        }
        if (page->left == 0) {
            return table_slot(table, record);
        }
        if (kind == OBJECT_KIND_IMAGE) {
            give_image(page, record);
        } else if (kind == OBJECT_KIND_STORAGE) {
            give_storage(page, record);
        } else if (kind == OBJECT_KIND_NETWORK) {
            give_network(page, record);
        } else {
            give_agreement(page, record);
        }
    }
    return 0;
}

static void give_settings(struct page *page)
{
    struct item item;
    item.kind = ITEM_KIND_OBJECT;
    fill_object(&item.object, OBJECT_KIND_SETTINGS, &page->cluster->settings_meta);
    item.object.settings = page->cluster->settings;
    if (page->owner == NULL && matches(page->request->name, item.object.settings.settings)) {
        give(page, &item);
    }
}

static uint64_t list_objects(struct page *page, uint64_t from)
{
    switch (page->request->kind) {
    case OBJECT_KIND_SERVICE: return list_services(page, from);
    case OBJECT_KIND_VM: return list_vms(page, from);
    case OBJECT_KIND_NODE: return list_nodes(page, from);
    case OBJECT_KIND_IMAGE:
    case OBJECT_KIND_STORAGE:
    case OBJECT_KIND_NETWORK:
    case OBJECT_KIND_AGREEMENT: return list_plain(page, from);
    case OBJECT_KIND_PROFILE: return list_profiles(page, from);
    case OBJECT_KIND_SETTINGS: give_settings(page); return 0;
    case OBJECT_KIND_UNSPECIFIED: break;
    }
    return 0;
}

/* ---- status ---- */

/* The summary, then services, then nodes. A filter on one kind of thing leaves the other out.
 */
enum section { SECTION_SUMMARY = 0, SECTION_SERVICES = 1, SECTION_NODES = 2 };

static uint64_t status_services(struct page *page, uint32_t from)
{
    const struct request *request = page->request;
    const struct table *table = &page->cluster->services;
    const struct service_record *service = NULL;
    bool left_out = request->node[0] != '\0' && request->service[0] == '\0';
    for (uint32_t i = from; !left_out && (service = table_next(table, &i)) != NULL;) {
        if (!may_see(page, service->meta.owner) ||
            !matches(request->service, service->spec.service) ||
            !matches(request->name, service->spec.service)) {
            continue;
        }
        if (page->left == 0) {
            return ((uint64_t)SECTION_SERVICES << 32) | table_slot(table, service);
        }
        struct item item;
        item.kind = ITEM_KIND_SERVICE_STATUS;
        views_service_status(page->cluster, service, page->now_ms, &item.service_status);
        give(page, &item);
    }
    return 0;
}

static uint64_t status_nodes(struct page *page, uint32_t from)
{
    const struct request *request = page->request;
    const struct table *table = &page->cluster->nodes;
    const struct node_record *node = NULL;
    bool left_out = page->owner != NULL || request->name[0] != '\0' ||
                    (request->service[0] != '\0' && request->node[0] == '\0');
    for (uint32_t i = from; !left_out && (node = table_next(table, &i)) != NULL;) {
        if (!matches(request->node, node->spec.node)) {
            continue;
        }
        if (page->left == 0) {
            return ((uint64_t)SECTION_NODES << 32) | table_slot(table, node);
        }
        struct item item;
        item.kind = ITEM_KIND_NODE_VIEW;
        views_node(node, page->now_ms, &item.node_view);
        give(page, &item);
    }
    return 0;
}

static uint64_t list_status(struct page *page, uint64_t cursor)
{
    uint64_t section = cursor >> 32;
    uint32_t from = (uint32_t)(cursor & UINT32_MAX);
    if (section == SECTION_SUMMARY) {
        struct item item;
        item.kind = ITEM_KIND_CLUSTER_STATUS;
        views_cluster_status(page->cluster, page->owner, &item.cluster_status);
        give(page, &item);
        section = SECTION_SERVICES;
        from = 0;
    }
    if (section == SECTION_SERVICES) {
        uint64_t next = status_services(page, from);
        if (next != 0) {
            return next;
        }
        from = 0;
    }
    return status_nodes(page, from);
}

/* ---- metrics ---- */

/* Whose it is: a provider sees what was measured of its VMs and at its entry points. */
static bool is_wanted_metric(const struct page *page, const struct metric_record *record)
{
    const struct request *request = page->request;
    const char *owner = "";
    const char *service_name = "";
    if (record->subject == METRIC_SUBJECT_VM) {
        const struct vm_record *vm = table_find(&page->cluster->vms, record->name);
        owner = vm == NULL ? "" : vm->meta.owner;
        service_name = vm == NULL ? "" : vm->vm.service;
    } else if (record->subject == METRIC_SUBJECT_ENTRY) {
        const struct service_record *service =
            table_find(&page->cluster->services, record->name);
        owner = service == NULL ? "" : service->meta.owner;
        service_name = record->name;
    }
    return may_see(page, owner) && matches(request->name, record->name) &&
           matches(request->node, record->node) && matches(request->service, service_name);
}

static void give_metric(struct page *page, const struct metric_record *record, uint32_t kind)
{
    struct item item;
    item.kind = ITEM_KIND_METRIC;
    struct metric_value *value = &item.metric;
    memset(value, 0, sizeof *value);
    memcpy(value->node, record->node, sizeof value->node);
    memcpy(value->metric.name, record->name, sizeof value->metric.name);
    value->metric.subject = record->subject;
    value->metric.kind = (enum metric_kind)kind;
    value->metric.value = record->value[kind];
    value->metric.age_ms = views_age_ms(page->now_ms, record->at_ms[kind]);
    give(page, &item);
}

static uint64_t list_metrics(struct page *page, uint64_t cursor)
{
    const struct table *table = &page->cluster->metrics;
    const struct metric_record *record = NULL;
    uint32_t first = (uint32_t)(cursor & UINT32_MAX); /* kind in the first record */
    for (uint32_t i = (uint32_t)(cursor >> 32); (record = table_next(table, &i)) != NULL;) {
        bool wanted = is_wanted_metric(page, record);
        for (uint32_t kind = first; wanted && kind < METRIC_KIND_COUNT; kind++) {
            if ((record->known & (1u << kind)) == 0) {
                continue;
            }
            if (page->left == 0) {
                return ((uint64_t)table_slot(table, record) << 32) | kind;
            }
            give_metric(page, record, kind);
        }
        first = 0;
    }
    return 0;
}

/* ---- front ---- */

uint64_t cluster_items(const struct cluster *cluster, const struct request *request,
                       const char *owner, int64_t now_ms, take_item take, void *context)
{
    struct page page = {
        .cluster = cluster,
        .request = request,
        .owner = owner,
        .now_ms = now_ms,
        .take = take,
        .context = context,
        .left = request->limit == 0 || request->limit > REPLY_ITEMS_MAX ? REPLY_ITEMS_MAX
                                                                        : request->limit,
    };
    switch (request->method) {
    case METHOD_GET:
        if (request->kind == OBJECT_KIND_VM && page.left < 2) {
            page.left = 2; /* a VM and its status are never parted */
        }
        return list_objects(&page, request->after);
    case METHOD_STATUS: return list_status(&page, request->after);
    case METHOD_METRICS: return list_metrics(&page, request->after);
    case METHOD_UNSPECIFIED:
    case METHOD_EVENTS:
    case METHOD_DECISIONS:
    case METHOD_PLAN:
    case METHOD_PUT:
    case METHOD_DELETE:
    case METHOD_SET_VM:
    case METHOD_SET_STATE:
    case METHOD_REBOOT:
    case METHOD_MOVE:
    case METHOD_CORDON:
    case METHOD_UNCORDON:
    case METHOD_DRAIN:
    case METHOD_CONFIRM_DEAD:
    case METHOD_MODE: break;
    }
    return 0;
}

void cluster_summary(const struct cluster *cluster, struct cluster_status *out)
{
    views_cluster_status(cluster, NULL, out);
}
