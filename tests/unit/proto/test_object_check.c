// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "proto/text.h"

static struct text_mistakes mistakes;

/* One good object of each kind of service; a case changes one thing. */
static struct object good_service(enum service_kind kind)
{
    struct object object = {.kind = OBJECT_KIND_SERVICE};
    struct service *s = &object.service;
    s->version = 1;
    (void)snprintf(s->service, sizeof s->service, "shop");
    s->kind = kind;
    s->objective.has_response_time = kind == SERVICE_KIND_WEB;
    s->objective.response_time.p95_ms = kind == SERVICE_KIND_WEB ? 200 : 0;
    s->objective.within_ms = kind == SERVICE_KIND_QUEUE ? 3600000 : 0;
    s->objective.speed_permille = kind == SERVICE_KIND_CLUSTER ? 950 : 0;
    s->has_queue = kind == SERVICE_KIND_QUEUE;
    s->queue.tasks = s->has_queue ? 10 : 0;
    s->queue.task_cpu_ms = s->has_queue ? 10 : 0;
    s->vms_count = 1;
    (void)snprintf(s->vms[0].name, NAME_SIZE, "web");
    (void)snprintf(s->vms[0].image, NAME_SIZE, "debian");
    return object;
}

static void expect(const struct object *object, const char *path, const char *text)
{
    mistakes.count = 0;
    int rc = object_check(object, &mistakes);
    if (path == NULL) {
        cr_assert_eq(rc, 0, "%s: %s", mistakes.items[0].path, mistakes.items[0].text);
        return;
    }
    cr_assert_eq(rc, -EINVAL, "nothing about %s", path);
    cr_assert_eq(mistakes.count, 1, "%s: %s", mistakes.items[1].path, mistakes.items[1].text);
    cr_assert_str_eq(mistakes.items[0].path, path);
    cr_assert_not_null(strstr(mistakes.items[0].text, text), "%s", mistakes.items[0].text);
}

static void set_text(char *out, const char *text)
{
    (void)snprintf(out, NAME_SIZE, "%s", text);
}

Test(object_check, good_services_pass_before_and_after_their_defaults)
{
    for (int kind = SERVICE_KIND_WEB; kind <= SERVICE_KIND_CLUSTER; kind++) {
        struct object object = good_service((enum service_kind)kind);
        expect(&object, NULL, NULL);
        service_set_defaults(&object.service);
        expect(&object, NULL, NULL);
    }
}

Test(object_check, a_web_service_has_a_response_time_and_nothing_of_the_others)
{
    struct object object = good_service(SERVICE_KIND_WEB);
    object.service.objective.has_response_time = false;
    expect(&object, "service.objective", "needs response_time");
    object = good_service(SERVICE_KIND_WEB);
    object.service.objective.response_time.p95_ms = 0;
    expect(&object, "service.objective.response_time", "needs one of");
    object.service.objective.response_time.mean_ms = 10;
    expect(&object, NULL, NULL);
    object.service.objective.response_time.p50_ms = 10;
    expect(&object, "service.objective.response_time.p50", "only one of");
    object = good_service(SERVICE_KIND_WEB);
    object.service.objective.deadline_wall_ms = 1;
    expect(&object, "service.objective.deadline", "only a queue");
    object = good_service(SERVICE_KIND_WEB);
    object.service.objective.within_ms = 1;
    expect(&object, "service.objective.within", "only a queue");
    object = good_service(SERVICE_KIND_WEB);
    object.service.objective.speed_permille = 1;
    expect(&object, "service.objective.speed", "only a cluster");
    object = good_service(SERVICE_KIND_WEB);
    object.service.has_queue = true;
    expect(&object, "service.queue", "kind queue");
}

Test(object_check, a_queue_has_one_deadline)
{
    struct object object = good_service(SERVICE_KIND_QUEUE);
    object.service.objective.deadline_wall_ms = 1;
    expect(&object, "service.objective.within", "only one of");
    object.service.objective.within_ms = 0;
    expect(&object, NULL, NULL);
    object.service.objective.deadline_wall_ms = 0;
    expect(&object, "service.objective", "needs deadline or within");
    object = good_service(SERVICE_KIND_QUEUE);
    object.service.has_queue = false;
    expect(&object, "service", "needs queue");
    object = good_service(SERVICE_KIND_QUEUE);
    object.service.objective.speed_permille = 1;
    expect(&object, "service.objective.speed", "only a cluster");
    object = good_service(SERVICE_KIND_QUEUE);
    object.service.objective.has_response_time = true;
    object.service.objective.response_time.p50_ms = 1;
    expect(&object, "service.objective.response_time", "only a web service");
    object = good_service(SERVICE_KIND_QUEUE);
    object.service.objective.error_share_permille = 1;
    expect(&object, "service.objective.error_share", "only a web service");
}

Test(object_check, a_cluster_has_a_speed_and_a_fixed_size)
{
    struct object object = good_service(SERVICE_KIND_CLUSTER);
    object.service.objective.speed_permille = 0;
    expect(&object, "service.objective", "needs speed");
    object = good_service(SERVICE_KIND_CLUSTER);
    object.service.objective.deadline_wall_ms = 1;
    expect(&object, "service.objective.deadline", "only a queue");
    object = good_service(SERVICE_KIND_CLUSTER);
    object.service.objective.within_ms = 1;
    expect(&object, "service.objective.within", "only a queue");
    object = good_service(SERVICE_KIND_CLUSTER);
    object.service.has_queue = true;
    expect(&object, "service.queue", "kind queue");
    object = good_service(SERVICE_KIND_CLUSTER);
    object.service.vms[0].count = (struct count_range){.min = 2, .max = 4};
    expect(&object, "service.vms[0].count", "cannot change its size");
    object.service.vms[0].count.min = 4;
    expect(&object, NULL, NULL);
}

static void listen_at(const char *address, bool good)
{
    struct object object = good_service(SERVICE_KIND_WEB);
    object.service.has_entry = true;
    object.service.vms[0].port = 80;
    set_text(object.service.entry.listen, address);
    expect(&object, good ? NULL : "service.entry.listen", "expected an address and a port");
}

Test(object_check, an_entry_listens_at_an_address_and_a_port)
{
    listen_at("10.0.8.10:80", true);
    listen_at("0.0.0.0:65535", true);
    listen_at("[fd00::1]:443", true);
    static const char *const bad[] = {
        "10.0.8.10",     "10.0.8.10:", "10.0.8.10:0",   "10.0.8.10:65536",
        "10.0.8.10:80x", "shop:80",    ":80",           "[fd00::1]",
        "fd00::1:80",    "[]:80",      "10.0.8.256:80", "10.0.8.10:000080"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        listen_at(bad[i], false);
    }
}

Test(object_check, an_entry_leads_to_a_port)
{
    struct object object = good_service(SERVICE_KIND_WEB);
    object.service.has_entry = true;
    set_text(object.service.entry.listen, "10.0.8.10:80");
    expect(&object, "service.entry", "no group of vms has a port");
    object.service.vms[0].port = 80;
    set_text(object.service.entry.check_path, "healthz");
    expect(&object, "service.entry.check_path", "begins with");
    object = good_service(SERVICE_KIND_QUEUE);
    object.service.has_entry = true;
    object.service.vms[0].port = 80;
    set_text(object.service.entry.listen, "10.0.8.10:80");
    expect(&object, "service.entry", "only a web service");
}

Test(object_check, groups_fit_together)
{
    struct object object = good_service(SERVICE_KIND_WEB);
    struct vm_group *group = &object.service.vms[0];
    group->count = (struct count_range){.min = 3, .max = 2};
    expect(&object, "service.vms[0].count", "min is above max");
    group->count = (struct count_range){0};
    group->cpu = (struct cap_range){.min_pct = 60, .max_pct = 50};
    expect(&object, "service.vms[0].cpu", "min is above max");
    group->cpu = (struct cap_range){.min_pct = 60, .max_pct = 150};
    group->vcpus = 1;
    expect(&object, "service.vms[0].cpu", "more than its vcpus");
    group->vcpus = 2;
    expect(&object, NULL, NULL);
    group->vcpus_min = 3;
    expect(&object, "service.vms[0].vcpus_min", "is above vcpus");
    group->vcpus_min = 1;
    expect(&object, NULL, NULL);
    group->memory_kib = 262144;
    group->memory_min_kib = 262145;
    expect(&object, "service.vms[0].memory_min", "is above memory");
    group->memory_min_kib = 262144;
    expect(&object, NULL, NULL);
    object.service.vms[1] = *group;
    object.service.vms_count = 2;
    expect(&object, "service.vms[1].name", "another group");
    object.service.vms_count = 1;
    memset(object.service.service, 'a', 59);
    object.service.service[59] = '\0';
    expect(&object, "service.vms[0].name", "longer than a name");
    group->name[0] = '\0';
    expect(&object, "service.vms[0]", "longer than a name");
    object.service.service[56] = '\0';
    expect(&object, NULL, NULL);
}

Test(object_check, a_disk_is_on_a_storage_when_its_kind_needs_one)
{
    struct object object = good_service(SERVICE_KIND_WEB);
    struct vm_group *group = &object.service.vms[0];
    group->has_disk = true;
    expect(&object, NULL, NULL);
    group->disk.kind = DISK_KIND_LOCAL;
    expect(&object, "service.vms[0].disk", "needs storage");
    set_text(group->disk.storage, "nas");
    expect(&object, NULL, NULL);
    group->disk.kind = DISK_KIND_COPY;
    expect(&object, "service.vms[0].disk.storage", "only a shared or local disk");
}

Test(object_check, an_image_that_is_fetched_has_a_source_and_a_checksum)
{
    struct object object = {.kind = OBJECT_KIND_IMAGE};
    object.image.format = IMAGE_FORMAT_MODEL;
    expect(&object, NULL, NULL);
    object.image.format = IMAGE_FORMAT_TAR;
    set_text(object.image.source, "https://images/x.tar");
    expect(&object, "image", "needs sha256");
    memset(object.image.sha256, 'a', SHA256_SIZE - 1);
    expect(&object, NULL, NULL);
    object.image.source[0] = '\0';
    expect(&object, "image", "needs source");
    set_text(object.image.source, "ftp://images/x.tar");
    expect(&object, "image.source", "expected file:///PATH");
    set_text(object.image.source, "file://relative");
    expect(&object, "image.source", "expected file:///PATH");
}

Test(object_check, the_other_objects_make_sense)
{
    struct object object = {.kind = OBJECT_KIND_STORAGE};
    object.storage.nodes_count = 3;
    set_text(object.storage.nodes[0], "xen1");
    set_text(object.storage.nodes[1], "xen2");
    set_text(object.storage.nodes[2], "xen3");
    expect(&object, NULL, NULL);
    set_text(object.storage.nodes[2], "xen1");
    expect(&object, "storage.nodes[2]", "given twice");

    object = (struct object){.kind = OBJECT_KIND_NETWORK};
    set_text(object.network.bridge, "br0");
    expect(&object, NULL, NULL);
    static const char *const bad[] = {"a-bridge-of-16-c", "br/0", "br 0", "br:0", ".", ".."};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        set_text(object.network.bridge, bad[i]);
        expect(&object, "network.bridge", "name of a bridge");
    }

    object = (struct object){.kind = OBJECT_KIND_SETTINGS};
    set_text(object.settings.settings, "cluster");
    expect(&object, NULL, NULL);
    set_text(object.settings.settings, "mine");
    expect(&object, "settings.settings", "one such object");

    object = (struct object){.kind = OBJECT_KIND_UNSPECIFIED};
    expect(&object, "object", "of no kind");
    static const enum object_kind plain[] = {OBJECT_KIND_VM, OBJECT_KIND_NODE,
                                             OBJECT_KIND_AGREEMENT};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        object = (struct object){.kind = plain[i]};
        expect(&object, NULL, NULL);
    }
}
