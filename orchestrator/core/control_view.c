// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/control.h"

struct control_service *control_service_of(struct cluster *cluster,
                                           struct service_record *service)
{
    struct control_service *state =
        &cluster->control->services[table_slot(&cluster->services, service)];
    if (strcmp(state->service, service->spec.service) != 0) {
        memset(state, 0, sizeof *state);
        (void)snprintf(state->service, sizeof state->service, "%s", service->spec.service);
    }
    return state;
}

uint32_t control_period_ms(const struct cluster *cluster)
{
    const uint32_t period_ms = cluster->settings.control_period_ms;
    return period_ms > 0 ? period_ms : cluster->config.control_period_ms;
}

bool control_has_cap(const struct cluster *cluster, const struct vm_record *vm)
{
    return vm->vm.phase == VM_PHASE_ASSIGNED && vm->vm.desired == RUN_STATE_RUNNING &&
           vm->vm.cap_pct > 0 && table_find(&cluster->nodes, vm->vm.node) != NULL;
}

struct cap_range control_range_of(const struct cluster *cluster, const struct vm_record *vm)
{
    const struct vm_group *group = cluster_group_of(cluster, vm);
    const struct node_record *node = table_find(&cluster->nodes, vm->vm.node);
    const uint32_t cap = vm->vm.cap_pct;
    if (group == NULL || vm->vm.cap_pinned || node == NULL || node->state != NODE_STATE_UP ||
        (node->status.capabilities & CAPABILITY_CAP) == 0) {
        return (struct cap_range){.min_pct = cap, .max_pct = cap};
    }
    struct cap_range range = group->cpu;
    range.min_pct = range.min_pct > 0 ? range.min_pct : 1;
    /* A hypervisor refuses a cap above its VCPUs, and what is not online uses none of it. */
    uint32_t vcpus = vm->vm.vcpus;
    if (group->vcpus_min < group->vcpus && vm->status_known && vm->status.vcpus > 0 &&
        vm->status.vcpus < vcpus) {
        vcpus = vm->status.vcpus;
    }
    const uint32_t whole = vcpus * 100;
    range.max_pct = whole > 0 && whole < range.max_pct ? whole : range.max_pct;
    range.max_pct = range.max_pct > range.min_pct ? range.max_pct : range.min_pct;
    return range;
}

static bool sum_caps(const struct cluster *cluster, const struct service_record *service,
                     struct service_view *view)
{
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (!control_has_cap(cluster, vm)) {
            continue;
        }
        const struct cap_range range = control_range_of(cluster, vm);
        view->cap_pct += vm->vm.cap_pct;
        view->cap_min_pct += range.min_pct;
        view->cap_max_pct += range.max_pct;
        view->vms_running += reconcile_is_serving(cluster, vm);
    }
    return view->vms_running > 0;
}

bool control_view(const struct cluster *cluster, const struct service_record *service,
                  struct service_view *view)
{
    memset(view, 0, sizeof *view);
    (void)snprintf(view->service, sizeof view->service, "%s", service->spec.service);
    view->kind = service->spec.kind;
    view->objective = service->spec.objective;
    view->queue = service->spec.queue;
    view->now_ms = cluster->now_ms;
    view->period_ms = control_period_ms(cluster);
    view->measured = service->measured;
    view->load = service->load;
    view->cpu_used_pct = service->cpu_used_pct;
    view->tasks_done = service->tasks_done;
    view->measurement_age_ms = UINT32_MAX;
    if (!isnan(service->measured) || !isnan(service->load) || !isnan(service->tasks_done)) {
        const int64_t age_ms = cluster->now_ms - service->measured_at_ms;
        view->measurement_age_ms = age_ms > 0 ? (uint32_t)age_ms : 0;
    }
    if (!measure_deadline(cluster, service, &view->started_ms, &view->deadline_ms)) {
        view->deadline_ms = 0;
    }
    return sum_caps(cluster, service, view);
}
