// SPDX-License-Identifier: Apache-2.0
/*
 * The content of one VM's order: names of the service's file resolved into what an agent needs,
 * so that it can bring the VM into the ordered state whatever it finds. A hash tells whether
 * that differs from what was ordered before.
 */
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/state.h"

#define HASH_PRIME        1099511628211u
#define SHARE_WHOLE       1000u
#define DEFAULT_VM_WEIGHT 256u

uint64_t orders_mix(uint64_t hash, uint64_t value)
{
    for (unsigned i = 0; i < sizeof value; i++) {
        hash = (hash ^ ((value >> (8 * i)) & 0xff)) * HASH_PRIME;
    }
    return hash;
}

uint64_t orders_mix_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * HASH_PRIME;
    }
    return (hash ^ 0xff) * HASH_PRIME; /* "ab","c" differs from "a","bc" */
}

uint64_t orders_hash(const struct vm_order *order, const char *node)
{
    const char *texts[] = {
        order->vm,           order->uuid,         order->service,
        order->bridge,       order->storage_path, order->image,
        order->image_source, order->image_sha256, order->kernel,
        order->ramdisk,      order->command_line, order->init,
        order->migrate_to,   order->migrate_from, order->address,
        order->peer,         order->peer_key,     node,
        order->vif_script,
    };
    const uint64_t values[] = {
        order->service_kind,
        order->generation,
        order->isolation,
        order->desired,
        order->reboots,
        order->cap_pct,
        order->weight,
        order->vcpus,
        order->vcpus_max,
        order->memory_kib,
        order->memory_max_kib,
        order->net_rate_kib_s,
        order->disk_rate_kib_s,
        order->load_share_permille,
        order->port,
        order->disk_kind,
        order->disk_size_kib,
        order->image_format,
        order->guest_type,
        order->queue.tasks,
        order->queue.task_cpu_ms,
    };
    uint64_t hash = ORDERS_HASH_START;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        hash = orders_mix_text(hash, texts[i]);
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        hash = orders_mix(hash, values[i]);
    }
    return hash == 0 ? 1 : hash;
}

/* What entry points do with weights, a model host does with shares of the load. */
static uint32_t load_share(const struct cluster *cluster, const struct vm_record *vm,
                           const struct service_record *service)
{
    if (service->spec.kind != SERVICE_KIND_WEB || service->serving_cap_pct == 0 ||
        !reconcile_is_serving(cluster, vm)) {
        return 0;
    }
    uint64_t total = service->serving_cap_pct;
    return (uint32_t)(((uint64_t)vm->vm.cap_pct * SHARE_WHOLE + total / 2) / total);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void copy_text(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text);
}

static bool fill_image(const struct cluster *cluster, const struct vm_group *group,
                       struct vm_order *order)
{
    const struct image_record *image = table_find(&cluster->images, group->image);
    if (image == NULL) {
        return false;
    }
    const struct image *spec = &image->spec;
    order->image_format = (uint32_t)spec->format;
    copy_text(order->image, sizeof order->image, spec->image);
    copy_text(order->image_source, sizeof order->image_source, spec->source);
    copy_text(order->image_sha256, sizeof order->image_sha256, spec->sha256);
    copy_text(order->kernel, sizeof order->kernel, spec->kernel);
    copy_text(order->ramdisk, sizeof order->ramdisk, spec->ramdisk);
    copy_text(order->command_line, sizeof order->command_line, spec->command_line);
    copy_text(order->init, sizeof order->init, spec->init);
    order->guest_type = spec->guest_type;
    return true;
}

static bool fill_disk(const struct cluster *cluster, const struct vm_disk *disk,
                      struct vm_order *order)
{
    order->disk_kind = disk->kind == DISK_KIND_UNSPECIFIED ? DISK_KIND_COPY : disk->kind;
    order->disk_size_kib = disk->size_kib;
    if (disk->storage[0] == '\0') {
        return true;
    }
    const struct storage_record *storage = table_find(&cluster->storages, disk->storage);
    if (storage == NULL) {
        return false;
    }
    copy_text(order->storage_path, sizeof order->storage_path, storage->spec.path);
    return true;
}

static bool fill_network(const struct cluster *cluster, const struct vm_group *group,
                         struct vm_order *order)
{
    if (group->network[0] == '\0') {
        return true;
    }
    const struct network_record *network = table_find(&cluster->networks, group->network);
    if (network == NULL) {
        return false;
    }
    copy_text(order->bridge, sizeof order->bridge, network->spec.bridge);
    copy_text(order->vif_script, sizeof order->vif_script, network->spec.script);
    return true;
}

static void fill_values(const struct cluster *cluster, const struct vm_record *vm,
                        const struct service_record *service, struct vm_order *order)
{
    order->cap_pct = vm->vm.cap_pct;
    order->weight = vm->vm.weight == 0 ? DEFAULT_VM_WEIGHT : vm->vm.weight;
    order->vcpus = vm->vm.vcpus;
    order->vcpus_max = vm->vm.vcpus;
    order->memory_kib = vm->vm.memory_kib;
    order->memory_max_kib = vm->vm.memory_kib;
    order->net_rate_kib_s = vm->vm.net_rate_kib_s;
    order->disk_rate_kib_s = vm->vm.disk_rate_kib_s;
    order->load_share_permille = load_share(cluster, vm, service);
    order->reboots = vm->vm.reboots;
    order->queue = service->spec.queue;
}

bool orders_fill(const struct cluster *cluster, const struct vm_record *vm,
                 struct vm_order *order, enum reason *why, const char **what)
{
    const struct service_record *service = cluster_service_of(cluster, vm);
    const struct vm_group *group = cluster_group_of(cluster, vm);
    bool leaves = reconcile_leaves(vm);
    memset(order, 0, sizeof *order);
    copy_text(order->vm, sizeof order->vm, vm->vm.vm);
    copy_text(order->uuid, sizeof order->uuid, vm->vm.uuid);
    copy_text(order->service, sizeof order->service, vm->vm.service);
    order->generation = vm->vm.generation;
    order->service_kind = service->spec.kind;
    order->isolation = service->spec.isolation;
    order->desired = leaves ? RUN_STATE_ABSENT : vm->vm.desired;
    fill_values(cluster, vm, service, order);
    *why = REASON_NONE;
    *what = "";
    if (group == NULL) {
        return leaves; /* the file has no such group any more: it can only be ended */
    }
    order->vcpus_max = (uint32_t)larger(group->vcpus, vm->vm.vcpus);
    order->memory_max_kib = larger(group->memory_kib, vm->vm.memory_kib);
    order->port = group->port;
    *what = group->image;
    *why = REASON_NO_IMAGE;
    bool complete = fill_image(cluster, group, order);
    if (complete) {
        *what = group->disk.storage;
        *why = REASON_NO_STORAGE;
        complete = fill_disk(cluster, &group->disk, order);
    }
    if (complete) {
        *what = group->network;
        *why = REASON_NO_NETWORK;
        complete = fill_network(cluster, group, order);
    }
    if (complete) {
        *why = REASON_NONE;
    }
    return complete || leaves;
}
