// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/client/xl_objects.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/text.h"

#define P95_MS         500 /* to be changed to what was agreed */
#define SPEED_PERMILLE 900
#define CAP_MIN_PCT    10 /* of the range that the manager may use */
#define SCRIPTS        "/etc/xen/scripts/"
#define SCRIPT_DEFAULT "vif-bridge"

static struct object *add(struct xl_objects *out, enum object_kind kind)
{
    /* At most four for each file, and no more files than fit. */
    struct object *object = &out->objects[out->count++];
    memset(object, 0, sizeof *object);
    object->kind = kind;
    return object;
}

/* Bridges may have "_" and capitals, names of ours not. */
static void make_name(char out[NAME_SIZE], const char *from)
{
    if (xl_guest_name(out, from) == 0) {
        (void)snprintf(out, NAME_SIZE, "unnamed");
    }
}

/* A path as a URL: what has a meaning there is written as %XX. */
static bool make_url(char out[URL_SIZE], const char *path)
{
    int length = snprintf(out, URL_SIZE, "file://");
    for (; *path != '\0' && length < URL_SIZE - 3; path++) {
        unsigned char c = (unsigned char)*path;
        bool plain = c > 0x20 && c < 0x7f && strchr("%#?\"<>", c) == NULL;
        length +=
            snprintf(out + length, (size_t)(URL_SIZE - length), plain ? "%c" : "%%%02X", c);
    }
    return *path == '\0';
}

/* ---- image ---- */

static bool same_image(const struct image *left, const struct image *right)
{
    return left->format == right->format && left->guest_type == right->guest_type &&
           strcmp(left->source, right->source) == 0 &&
           strcmp(left->sha256, right->sha256) == 0 &&
           strcmp(left->kernel, right->kernel) == 0 &&
           strcmp(left->ramdisk, right->ramdisk) == 0 &&
           strcmp(left->command_line, right->command_line) == 0;
}

/* The name of its image, which is made unless an equal one is there. */
static const char *take_image(struct xl_source *source, struct xl_objects *out)
{
    const struct xl_guest *guest = &source->guest;
    struct image image = {.version = 1,
                          .format = guest->has_disk ? IMAGE_FORMAT_RAW : IMAGE_FORMAT_KERNEL,
                          .guest_type = guest->type};
    (void)snprintf(image.image, sizeof image.image, "%s", guest->name);
    (void)snprintf(image.kernel, sizeof image.kernel, "%s", guest->kernel);
    (void)snprintf(image.ramdisk, sizeof image.ramdisk, "%s", guest->ramdisk);
    (void)snprintf(image.command_line, sizeof image.command_line, "%s", guest->command_line);
    if (guest->has_disk) {
        (void)snprintf(image.sha256, sizeof image.sha256, "%s", source->sha256);
        if (!make_url(image.source, guest->disk.target)) {
            xl_tell(source->messages, XL_MISTAKE, guest->disk.line,
                    "disk: its path is too long");
        }
    }
    for (uint32_t i = 0; i < out->count; i++) {
        const struct object *object = &out->objects[i];
        if (object->kind == OBJECT_KIND_IMAGE && same_image(&object->image, &image)) {
            return object->image.image;
        }
    }
    struct object *object = add(out, OBJECT_KIND_IMAGE);
    object->image = image;
    return object->image.image;
}

/* ---- network ---- */

/* Empty: the node's default bridge. */
static const char *take_network(const struct xl_source *source, struct xl_objects *out)
{
    const struct xl_vif *vif = &source->guest.vif;
    struct network network = {.version = 1};
    if (!source->guest.has_vif || vif->bridge[0] == '\0') {
        return "";
    }
    bool own_script = vif->script[0] != '\0' && strcmp(vif->script, SCRIPT_DEFAULT) != 0 &&
                      strcmp(vif->script, SCRIPTS SCRIPT_DEFAULT) != 0;
    char wanted[NAME_SIZE * 2];
    const char *slash = strrchr(vif->script, '/');
    (void)snprintf(wanted, sizeof wanted, "%.50s%s%.50s", vif->bridge, own_script ? "-" : "",
                   own_script ? (slash != NULL ? slash + 1 : vif->script) : "");
    make_name(network.network, wanted);
    (void)snprintf(network.bridge, sizeof network.bridge, "%.*s", NAME_SIZE - 1, vif->bridge);
    if (own_script) {
        (void)snprintf(network.script, sizeof network.script, "%s%.200s",
                       vif->script[0] == '/' ? "" : SCRIPTS, vif->script);
    }
    for (uint32_t i = 0; i < out->count; i++) {
        const struct object *object = &out->objects[i];
        if (object->kind == OBJECT_KIND_NETWORK &&
            strcmp(object->network.network, network.network) == 0) {
            return object->network.network;
        }
    }
    struct object *object = add(out, OBJECT_KIND_NETWORK);
    object->network = network;
    return object->network.network;
}

/* ---- storage ---- */

/* The folder of the disk, on one node. Empty: a block device is in no folder. */
static const char *take_storage(const struct xl_source *source, const char *node,
                                struct xl_objects *out)
{
    const char *target = source->guest.disk.target;
    const char *slash = strrchr(target, '/');
    if (strncmp(target, "/dev/", 5) == 0 || slash == NULL || slash == target) {
        xl_tell(
            source->messages, XL_WARNING, source->guest.disk.line,
            "disk: %.150s is in no folder that could be a storage: VMs get copies, which are "
            "lost with their node",
            target);
        return "";
    }
    char path[PATH_SIZE];
    uint32_t number = 1;
    (void)snprintf(path, sizeof path, "%.*s", (int)(slash - target), target);
    for (uint32_t i = 0; i < out->count; i++) {
        const struct object *object = &out->objects[i];
        if (object->kind == OBJECT_KIND_STORAGE) {
            if (strcmp(object->storage.path, path) == 0) {
                return object->storage.storage;
            }
            number++;
        }
    }
    struct storage *storage = &add(out, OBJECT_KIND_STORAGE)->storage;
    *storage = (struct storage){.version = 1, .nodes_count = 1};
    (void)snprintf(storage->storage, sizeof storage->storage, "%.50s-disks%s%.*u", node,
                   number > 1 ? "-" : "", number > 1 ? 1 : 0, number > 1 ? number : 0);
    (void)snprintf(storage->path, sizeof storage->path, "%s", path);
    (void)snprintf(storage->nodes[0], sizeof storage->nodes[0], "%s", node);
    return storage->storage;
}

/* ---- service ---- */

static struct service *new_service(const char *name, enum service_kind kind,
                                   struct xl_objects *out)
{
    struct service *service = &add(out, OBJECT_KIND_SERVICE)->service;
    service->version = 1;
    service->kind = kind;
    (void)snprintf(service->service, sizeof service->service, "%s", name);
    if (kind == SERVICE_KIND_WEB) {
        service->objective.has_response_time = true;
        service->objective.response_time.p95_ms = P95_MS;
    } else {
        service->objective.speed_permille = SPEED_PERMILLE;
    }
    return service;
}

/* What a guest needs besides its service. */
struct needs {
    const char *image;
    const char *network;
    const char *storage;
};

static void add_group(struct xl_source *source, const char *name, const struct needs *needs,
                      struct service *service)
{
    const struct xl_guest *guest = &source->guest;
    if (service->vms_count == VM_GROUPS_MAX) {
        xl_tell(
            source->messages, XL_MISTAKE, 0,
            "a service has at most %d groups of VMs: import these files in several services",
            VM_GROUPS_MAX);
        return;
    }
    struct vm_group *group = &service->vms[service->vms_count++];
    uint32_t most = guest->cap_pct > 0 ? guest->cap_pct : guest->vcpus * 100;
    (void)snprintf(group->name, sizeof group->name, "%s", name);
    (void)snprintf(group->image, sizeof group->image, "%s", needs->image);
    (void)snprintf(group->network, sizeof group->network, "%s", needs->network);
    group->count = (struct count_range){.min = 1, .max = 1};
    group->vcpus = guest->vcpus;
    group->cpu =
        (struct cap_range){.min_pct = most < CAP_MIN_PCT ? most : CAP_MIN_PCT, .max_pct = most};
    group->memory_kib = guest->memory_kib;
    group->net_rate_kib_s = guest->vif.rate_kib_s;
    if (needs->storage[0] != '\0') {
        group->has_disk = true;
        group->disk.kind = DISK_KIND_LOCAL;
        (void)snprintf(group->disk.storage, sizeof group->disk.storage, "%s", needs->storage);
    }
}

/* The same that apply checks. */
static bool check(const struct object *object, struct xl_messages *messages)
{
    struct text_mistakes mistakes = {0};
    if (object_check(object, &mistakes) == 0) {
        return true;
    }
    for (size_t i = 0; i < mistakes.count && i < TEXT_MISTAKES_MAX; i++) {
        xl_tell(messages, XL_MISTAKE, 0, "%s: %s", mistakes.items[i].path,
                mistakes.items[i].text);
    }
    return false;
}

/* Two guests of one name would be one object. */
static bool is_twice(const struct xl_source *sources, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(sources[i].guest.name, sources[index].guest.name) == 0) {
            xl_tell(sources[index].messages, XL_MISTAKE, 0, "name: %s is also in %s",
                    sources[index].guest.name, sources[i].file);
            return true;
        }
    }
    return false;
}

int xl_objects_make(struct xl_source *sources, uint32_t count, const struct xl_wishes *wishes,
                    struct xl_objects *out)
{
    struct needs needs[XL_FILES_MAX];
    struct service *service = NULL;
    bool fine = true;
    out->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct xl_source *source = &sources[i];
        fine = !is_twice(sources, i) && fine;
        needs[i] = (struct needs){.image = take_image(source, out),
                                  .network = take_network(source, out),
                                  .storage = ""};
        if (wishes->node != NULL && source->guest.has_disk) {
            needs[i].storage = take_storage(source, wishes->node, out);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        struct xl_source *source = &sources[i];
        if (service == NULL || wishes->service == NULL) {
            service =
                new_service(wishes->service != NULL ? wishes->service : source->guest.name,
                            wishes->kind, out);
        }
        add_group(source, wishes->service != NULL ? source->guest.name : "vm", &needs[i],
                  service);
    }
    for (uint32_t i = 0; i < out->count; i++) {
        fine = check(&out->objects[i], sources[0].messages) && fine;
    }
    for (uint32_t i = 0; i < count; i++) {
        fine = fine && sources[i].messages->mistakes == 0;
    }
    return fine ? 0 : -EINVAL;
}
