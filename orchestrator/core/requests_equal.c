// SPDX-License-Identifier: Apache-2.0
/* Whether two descriptions say the same, field by field: padding and what is behind a NUL do
 * not count. */
#include <string.h>

#include "orchestrator/core/requests.h"

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool curve_is_equal(const struct level_curve *a, const struct level_curve *b)
{
    return a->a == b->a && a->b == b->b && a->w == b->w;
}

static bool response_time_is_equal(const struct response_time *a, const struct response_time *b)
{
    return a->mean_ms == b->mean_ms && a->p50_ms == b->p50_ms && a->p95_ms == b->p95_ms &&
           a->window_ms == b->window_ms;
}

static bool objective_is_equal(const struct objective *a, const struct objective *b)
{
    return a->has_response_time == b->has_response_time &&
           (!a->has_response_time ||
            response_time_is_equal(&a->response_time, &b->response_time)) &&
           a->error_share_permille == b->error_share_permille &&
           a->deadline_wall_ms == b->deadline_wall_ms && a->within_ms == b->within_ms &&
           a->speed_permille == b->speed_permille && a->weight == b->weight &&
           a->has_curve == b->has_curve &&
           (!a->has_curve || curve_is_equal(&a->curve, &b->curve));
}

static bool disk_is_equal(const struct vm_group *a, const struct vm_group *b)
{
    return a->has_disk == b->has_disk &&
           (!a->has_disk ||
            (a->disk.kind == b->disk.kind && same(a->disk.storage, b->disk.storage) &&
             a->disk.size_kib == b->disk.size_kib));
}

bool group_is_same_machine(const struct vm_group *a, const struct vm_group *b)
{
    return same(a->image, b->image) && disk_is_equal(a, b) && same(a->network, b->network);
}

static bool group_is_equal(const struct vm_group *a, const struct vm_group *b)
{
    return same(a->name, b->name) && group_is_same_machine(a, b) &&
           a->count.min == b->count.min && a->count.max == b->count.max &&
           a->vcpus == b->vcpus && a->vcpus_min == b->vcpus_min &&
           a->cpu.min_pct == b->cpu.min_pct && a->cpu.max_pct == b->cpu.max_pct &&
           a->memory_kib == b->memory_kib && a->memory_min_kib == b->memory_min_kib &&
           a->port == b->port && a->disk.rate_kib_s == b->disk.rate_kib_s &&
           a->net_rate_kib_s == b->net_rate_kib_s && a->spread == b->spread;
}

static bool entry_is_equal(const struct service *a, const struct service *b)
{
    return a->has_entry == b->has_entry &&
           (!a->has_entry || (same(a->entry.listen, b->entry.listen) &&
                              same(a->entry.check_path, b->entry.check_path) &&
                              a->entry.check_every_ms == b->entry.check_every_ms));
}

static bool queue_is_equal(const struct service *a, const struct service *b)
{
    return a->has_queue == b->has_queue &&
           (!a->has_queue ||
            (a->queue.tasks == b->queue.tasks && a->queue.task_cpu_ms == b->queue.task_cpu_ms));
}

bool service_is_equal(const struct service *a, const struct service *b)
{
    if (!same(a->service, b->service) || a->kind != b->kind ||
        !same(a->scheduler, b->scheduler) || !same(a->profile, b->profile) ||
        a->isolation != b->isolation || a->when_done != b->when_done ||
        a->when_sacrificed != b->when_sacrificed || a->vms_count != b->vms_count ||
        !objective_is_equal(&a->objective, &b->objective) || !entry_is_equal(a, b) ||
        !queue_is_equal(a, b)) {
        return false;
    }
    for (uint32_t i = 0; i < a->vms_count; i++) {
        if (!group_is_equal(&a->vms[i], &b->vms[i])) {
            return false;
        }
    }
    return true;
}

static bool image_is_equal(const struct image *a, const struct image *b)
{
    return a->format == b->format && same(a->source, b->source) && same(a->sha256, b->sha256) &&
           same(a->kernel, b->kernel) && same(a->ramdisk, b->ramdisk) &&
           same(a->command_line, b->command_line) && same(a->init, b->init) &&
           a->guest_type == b->guest_type;
}

static bool storage_is_equal(const struct storage *a, const struct storage *b)
{
    if (!same(a->path, b->path) || a->nodes_count != b->nodes_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->nodes_count; i++) {
        if (!same(a->nodes[i], b->nodes[i])) {
            return false;
        }
    }
    return true;
}

static bool point_is_equal(const struct profile_point *a, const struct profile_point *b)
{
    return a->load == b->load && a->x == b->x && a->cap_pct == b->cap_pct &&
           a->vcpus == b->vcpus && a->memory_kib == b->memory_kib && a->io_kib_s == b->io_kib_s;
}

static bool profile_is_equal(const struct profile *a, const struct profile *b)
{
    if (!response_time_is_equal(&a->response_time, &b->response_time) ||
        !same(a->on_node, b->on_node) || !same(a->governor, b->governor) ||
        !same(a->tool, b->tool) || a->measured_wall_ms != b->measured_wall_ms ||
        a->samples != b->samples || a->points_count != b->points_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->points_count; i++) {
        if (!point_is_equal(&a->points[i], &b->points[i])) {
            return false;
        }
    }
    return true;
}

static bool agreement_is_equal(const struct agreement *a, const struct agreement *b)
{
    return a->weight == b->weight && a->cpu_pct == b->cpu_pct &&
           a->memory_kib == b->memory_kib && a->vms == b->vms;
}

static bool node_is_equal(const struct node *a, const struct node *b)
{
    return a->cordoned == b->cordoned && a->draining == b->draining &&
           a->cpu_pct == b->cpu_pct && a->memory_kib == b->memory_kib;
}

bool object_is_equal(enum object_kind kind, const void *a, const void *b)
{
    switch (kind) {
    case OBJECT_KIND_SERVICE: return service_is_equal(a, b);
    case OBJECT_KIND_IMAGE: return image_is_equal(a, b);
    case OBJECT_KIND_STORAGE: return storage_is_equal(a, b);
    case OBJECT_KIND_NETWORK:
        return same(((const struct network *)a)->bridge, ((const struct network *)b)->bridge) &&
               same(((const struct network *)a)->script, ((const struct network *)b)->script);
    case OBJECT_KIND_AGREEMENT: return agreement_is_equal(a, b);
    case OBJECT_KIND_NODE: return node_is_equal(a, b);
    case OBJECT_KIND_PROFILE: return profile_is_equal(a, b);
    case OBJECT_KIND_SETTINGS:
        return ((const struct settings *)a)->mode == ((const struct settings *)b)->mode &&
               ((const struct settings *)a)->control_period_ms ==
                   ((const struct settings *)b)->control_period_ms;
    case OBJECT_KIND_VM:
    case OBJECT_KIND_UNSPECIFIED: break;
    }
    return false;
}
