// SPDX-License-Identifier: Apache-2.0
#include "common/model/service.h"

#include <stdio.h>

#define DEFAULT_WINDOW_MS      30000
#define DEFAULT_CHECK_EVERY_MS 2000
#define DEFAULT_MEMORY_KIB     131072

static void group_set_defaults(struct vm_group *group, uint32_t index)
{
    if (group->name[0] == '\0') {
        (void)snprintf(group->name, sizeof group->name, "vm%u", index + 1);
    }
    if (group->count.max == 0) {
        group->count.max = group->count.min > 0 ? group->count.min : 1;
    }
    if (group->count.min == 0) {
        group->count.min = group->count.max;
    }
    if (group->cpu.max_pct == 0) {
        group->cpu.max_pct = group->vcpus > 0 ? group->vcpus * 100 : 100;
    }
    if (group->cpu.min_pct == 0) {
        group->cpu.min_pct = group->cpu.max_pct;
    }
    if (group->vcpus == 0) {
        group->vcpus = (group->cpu.max_pct + 99) / 100;
    }
    if (group->vcpus_min == 0) {
        group->vcpus_min = group->vcpus;
    }
    if (group->memory_kib == 0) {
        group->memory_kib = DEFAULT_MEMORY_KIB;
    }
    if (group->memory_min_kib == 0) {
        group->memory_min_kib = group->memory_kib;
    }
    if (!group->has_disk) {
        group->has_disk = true;
        group->disk = (struct vm_disk){.kind = DISK_KIND_COPY};
    }
    if (group->disk.kind == DISK_KIND_UNSPECIFIED) {
        group->disk.kind = DISK_KIND_COPY;
    }
}

void service_set_defaults(struct service *service)
{
    if (service->version == 0) {
        service->version = 1;
    }
    if (service->isolation == ISOLATION_UNSPECIFIED) {
        service->isolation = ISOLATION_RUN;
    }
    if (service->when_done == WHEN_DONE_UNSPECIFIED) {
        service->when_done = WHEN_DONE_STOP;
    }
    if (service->when_sacrificed == WHEN_SACRIFICED_UNSPECIFIED) {
        service->when_sacrificed = WHEN_SACRIFICED_RUN;
    }
    if (service->objective.weight == 0) {
        service->objective.weight = 1;
    }
    if (service->objective.has_response_time &&
        service->objective.response_time.window_ms == 0) {
        service->objective.response_time.window_ms = DEFAULT_WINDOW_MS;
    }
    if (!service->objective.has_curve) {
        service->objective.has_curve = true;
        service->objective.curve = (struct level_curve){.a = 10.0, .b = 1.0, .w = 0.5};
    }
    if (service->has_entry && service->entry.check_every_ms == 0) {
        service->entry.check_every_ms = DEFAULT_CHECK_EVERY_MS;
    }
    for (uint32_t i = 0; i < service->vms_count; i++) {
        group_set_defaults(&service->vms[i], i);
    }
}

uint32_t response_time_target_ms(const struct response_time *time)
{
    return time->p95_ms > 0 ? time->p95_ms : time->p50_ms > 0 ? time->p50_ms : time->mean_ms;
}

uint64_t service_least_memory_kib(const struct vm_group *group)
{
    const bool is_range =
        group->memory_min_kib > 0 && group->memory_min_kib < group->memory_kib;
    return is_range ? group->memory_min_kib : group->memory_kib;
}
