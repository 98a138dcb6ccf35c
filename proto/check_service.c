// SPDX-License-Identifier: Apache-2.0
/* What the fields of a service must say together. Values that were not given (0) are not
 * judged: the defaults come later. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text_parts.h"

static void wrong(struct text_mistakes *mistakes, const char *path, const char *text)
{
    text_mistake_add(mistakes, 0, 0, path, "%s", text);
}

void response_time_check(const struct response_time *target, const char *path,
                         struct text_mistakes *mistakes)
{
    int given = (target->mean_ms > 0) + (target->p50_ms > 0) + (target->p95_ms > 0);
    if (given == 0) {
        wrong(mistakes, path, "needs one of mean, p50, p95");
    } else if (given > 1) {
        char field[TEXT_SIZE];
        (void)snprintf(field, sizeof field, "%s.%s", path, target->p95_ms > 0 ? "p95" : "p50");
        wrong(mistakes, field, "only one of mean, p50, p95 can be the target");
    }
}

static void check_web(const struct service *service, struct text_mistakes *mistakes)
{
    const struct objective *objective = &service->objective;
    if (!objective->has_response_time) {
        wrong(mistakes, "service.objective", "a web service needs response_time");
    }
    if (objective->deadline_wall_ms != 0) {
        wrong(mistakes, "service.objective.deadline", "only a queue has a deadline");
    }
    if (objective->within_ms != 0) {
        wrong(mistakes, "service.objective.within", "only a queue has a deadline");
    }
    if (objective->speed_permille != 0) {
        wrong(mistakes, "service.objective.speed", "only a cluster has a speed");
    }
    if (service->has_queue) {
        wrong(mistakes, "service.queue", "only a service of kind queue has a queue");
    }
}

static void check_queue(const struct service *service, struct text_mistakes *mistakes)
{
    const struct objective *objective = &service->objective;
    if (!service->has_queue) {
        wrong(mistakes, "service",
              "a service of kind queue needs queue with tasks and task_cpu");
    }
    if (objective->deadline_wall_ms == 0 && objective->within_ms == 0) {
        wrong(mistakes, "service.objective", "a queue needs deadline or within");
    }
    if (objective->deadline_wall_ms != 0 && objective->within_ms != 0) {
        wrong(mistakes, "service.objective.within",
              "only one of deadline and within can be given");
    }
    if (objective->speed_permille != 0) {
        wrong(mistakes, "service.objective.speed", "only a cluster has a speed");
    }
}

static void check_cluster(const struct service *service, struct text_mistakes *mistakes)
{
    const struct objective *objective = &service->objective;
    if (objective->speed_permille == 0) {
        wrong(mistakes, "service.objective", "a cluster needs speed");
    }
    if (objective->deadline_wall_ms != 0) {
        wrong(mistakes, "service.objective.deadline", "only a queue has a deadline");
    }
    if (objective->within_ms != 0) {
        wrong(mistakes, "service.objective.within", "only a queue has a deadline");
    }
    if (service->has_queue) {
        wrong(mistakes, "service.queue", "only a service of kind queue has a queue");
    }
}

static void check_not_web(const struct service *service, struct text_mistakes *mistakes)
{
    const struct objective *objective = &service->objective;
    if (objective->has_response_time) {
        wrong(mistakes, "service.objective.response_time",
              "only a web service has a response time");
    }
    if (objective->error_share_permille != 0) {
        wrong(mistakes, "service.objective.error_share",
              "only a web service has failed requests");
    }
    if (service->has_entry) {
        wrong(mistakes, "service.entry", "only a web service has an entry point");
    }
}

/* "10.0.8.10:80", "[fd00::1]:80". */
static bool is_listen_address(const char *text)
{
    char address[ADDRESS_SIZE];
    (void)snprintf(address, sizeof address, "%s", text);
    char *colon = strrchr(address, ':');
    if (colon == NULL) {
        return false;
    }
    *colon = '\0';
    const char *port = colon + 1;
    size_t digits = strspn(port, "0123456789");
    unsigned long number = digits > 0 && digits < 6 ? strtoul(port, NULL, 10) : 0;
    if (port[digits] != '\0' || number < 1 || number > 65535) {
        return false;
    }
    struct in6_addr parsed;
    size_t length = strlen(address);
    if (address[0] == '[' && address[length - 1] == ']') {
        address[length - 1] = '\0';
        return inet_pton(AF_INET6, address + 1, &parsed) == 1;
    }
    return inet_pton(AF_INET, address, &parsed) == 1;
}

static void check_entry(const struct service *service, struct text_mistakes *mistakes)
{
    if (!service->has_entry) {
        return;
    }
    const struct entry *entry = &service->entry;
    if (entry->listen[0] != '\0' && !is_listen_address(entry->listen)) {
        wrong(mistakes, "service.entry.listen",
              "expected an address and a port such as 10.0.8.10:80");
    }
    if (entry->check_path[0] != '\0' && entry->check_path[0] != '/') {
        wrong(mistakes, "service.entry.check_path", "expected a path that begins with \"/\"");
    }
    bool serves = false;
    for (uint32_t i = 0; i < service->vms_count; i++) {
        serves = serves || service->vms[i].port != 0;
    }
    if (!serves && service->vms_count > 0) {
        wrong(mistakes, "service.entry", "no group of vms has a port for the entry point");
    }
}

struct group_place {
    struct text_mistakes *mistakes;
    uint32_t index;
};

static void wrong_group(const struct group_place *place, const char *field, const char *text)
{
    char path[TEXT_SIZE];
    (void)snprintf(path, sizeof path, "service.vms[%u]%s", place->index, field);
    wrong(place->mistakes, path, text);
}

static void check_disk(const struct vm_disk *disk, const struct group_place *place)
{
    bool needs_storage = disk->kind == DISK_KIND_SHARED || disk->kind == DISK_KIND_LOCAL;
    if (needs_storage && disk->storage[0] == '\0') {
        wrong_group(place, ".disk", "a shared or local disk needs storage");
    }
    if (!needs_storage && disk->storage[0] != '\0') {
        wrong_group(place, ".disk.storage", "only a shared or local disk is on a storage");
    }
}

static void check_group(const struct service *service, const struct vm_group *group,
                        const struct group_place *place)
{
    if (group->count.max != 0 && group->count.min > group->count.max) {
        wrong_group(place, ".count", "min is above max");
    }
    if (group->cpu.max_pct != 0 && group->cpu.min_pct > group->cpu.max_pct) {
        wrong_group(place, ".cpu", "min is above max");
    }
    if (group->vcpus != 0 && group->cpu.max_pct > group->vcpus * 100) {
        wrong_group(place, ".cpu", "more than its vcpus can use");
    }
    if (group->vcpus != 0 && group->vcpus_min > group->vcpus) {
        wrong_group(place, ".vcpus_min", "is above vcpus");
    }
    if (service->kind == SERVICE_KIND_CLUSTER && group->vcpus_min != 0 &&
        group->vcpus_min != group->vcpus) {
        wrong_group(place, ".vcpus_min", "a cluster cannot change its size while it runs");
    }
    if (group->memory_kib != 0 && group->memory_min_kib > group->memory_kib) {
        wrong_group(place, ".memory_min", "is above memory");
    }
    bool fixed =
        group->count.min == 0 || group->count.max == 0 || group->count.min == group->count.max;
    if (service->kind == SERVICE_KIND_CLUSTER && !fixed) {
        wrong_group(place, ".count", "a cluster cannot change its size while it runs");
    }
    if (group->has_disk) {
        check_disk(&group->disk, place);
    }
    for (uint32_t i = 0; i < place->index; i++) {
        if (group->name[0] != '\0' && strcmp(service->vms[i].name, group->name) == 0) {
            wrong_group(place, ".name", "another group has this name");
        }
    }
    /* VMs are called SERVICE-GROUP-NUMBER; an unnamed group gets a name of three letters. */
    size_t group_length = group->name[0] != '\0' ? strlen(group->name) : strlen("vm1");
    if (strlen(service->service) + group_length + strlen("--64") >= NAME_SIZE) {
        wrong_group(place, group->name[0] != '\0' ? ".name" : "",
                    "SERVICE-GROUP-NUMBER would be longer than a name can be");
    }
}

void service_check(const struct service *service, struct text_mistakes *mistakes)
{
    switch (service->kind) {
    case SERVICE_KIND_UNSPECIFIED: break; /* was reported where it is missing */
    case SERVICE_KIND_WEB: check_web(service, mistakes); break;
    case SERVICE_KIND_QUEUE: check_queue(service, mistakes); break;
    case SERVICE_KIND_CLUSTER: check_cluster(service, mistakes); break;
    }
    if (service->kind == SERVICE_KIND_QUEUE || service->kind == SERVICE_KIND_CLUSTER) {
        check_not_web(service, mistakes);
    }
    if (service->profile[0] != '\0' && !service->objective.has_response_time) {
        wrong(mistakes, "service.profile", "only a service with a response_time has a profile");
    }
    if (service->objective.has_response_time) {
        response_time_check(&service->objective.response_time,
                            "service.objective.response_time", mistakes);
    }
    check_entry(service, mistakes);
    for (uint32_t i = 0; i < service->vms_count; i++) {
        struct group_place place = {.mistakes = mistakes, .index = i};
        check_group(service, &service->vms[i], &place);
    }
}
