// SPDX-License-Identifier: Apache-2.0
/*
 * Profiles at work: what a scheduler is given of its service's, and what is said when it is out
 * of date. An alarm is an event once; as long as the profile is not measured again, it also is
 * a problem of the service. After a restart of the orchestrator it is found anew.
 */
#include <math.h>
#include <string.h>

#include "orchestrator/core/control.h"

const struct profile_record *control_profile_record(const struct cluster *cluster,
                                                    const struct service_record *service)
{
    return service->spec.profile[0] == '\0'
               ? NULL
               : table_find(&cluster->profiles, service->spec.profile);
}

/* The least of each among the VMs that run. */
static struct profile_resources least_resources(const struct cluster *cluster,
                                                const struct service_record *service)
{
    struct profile_resources least = {.vcpus = UINT32_MAX, .memory_kib = UINT64_MAX};
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (!control_has_cap(cluster, vm)) {
            continue;
        }
        const uint64_t io = vm->vm.disk_rate_kib_s;
        least.vcpus = vm->vm.vcpus < least.vcpus ? vm->vm.vcpus : least.vcpus;
        least.memory_kib =
            vm->vm.memory_kib < least.memory_kib ? vm->vm.memory_kib : least.memory_kib;
        least.io_kib_s =
            io != 0 && (least.io_kib_s == 0 || io < least.io_kib_s) ? io : least.io_kib_s;
    }
    return least;
}

const struct profile_use *control_profile(const struct cluster *cluster,
                                          const struct service_record *service,
                                          struct profile_use *use)
{
    const struct profile_record *profile = control_profile_record(cluster, service);
    if (profile == NULL || profile->table.points_count == 0) {
        return NULL;
    }
    *use = (struct profile_use){
        .table = &profile->table,
        .revision = profile->meta.revision,
        .factor = profile_factor(&profile->spec, &service->spec.objective.response_time),
        .with = least_resources(cluster, service),
    };
    return isnan(use->factor) ? NULL : use;
}

/* NULL: nothing was decided about it yet. */
static const struct control_service *state_of(const struct cluster *cluster,
                                              const struct service_record *service)
{
    const struct control_service *state =
        &cluster->control->services[table_slot(&cluster->services, service)];
    return strcmp(state->service, service->spec.service) == 0 ? state : NULL;
}

enum model_basis control_basis(const struct cluster *cluster,
                               const struct service_record *service)
{
    const struct control_service *state = state_of(cluster, service);
    return state == NULL ? MODEL_BASIS_UNSPECIFIED : state->proposal.basis;
}

double control_profile_outdated(const struct cluster *cluster,
                                const struct service_record *service)
{
    const struct control_service *state = state_of(cluster, service);
    const struct profile_record *profile = control_profile_record(cluster, service);
    const bool outdated = profile != NULL && state != NULL && state->outdated_revision != 0 &&
                          state->outdated_revision == profile->meta.revision;
    return outdated ? state->deviation : (double)NAN;
}

void control_note_point(struct cluster *cluster, struct service_record *service,
                        const struct service_view *view)
{
    struct control_service *state = control_service_of(cluster, service);
    const uint32_t vms = view->vms_running;
    if (!state->proposal.learnt || vms == 0 || view->cap_pct < vms || !(view->load > 0.0) ||
        !(view->measured > 0.0)) {
        return;
    }
    const struct profile_resources with = least_resources(cluster, service);
    const struct profile_point seen = {.load = view->load / vms,
                                       .cap_pct = view->cap_pct / vms,
                                       .vcpus = with.vcpus,
                                       .x = view->measured,
                                       .memory_kib = with.memory_kib,
                                       .io_kib_s = with.io_kib_s};
    profile_points_add(&state->points, &seen, cluster->now_ms);
}

bool control_learnt_profile(const struct cluster *cluster, const struct service_record *service,
                            struct profile *out)
{
    const struct control_service *state = state_of(cluster, service);
    if (state == NULL || state->points.count == 0) {
        return false;
    }
    *out = (struct profile){.version = 1,
                            .response_time = service->spec.objective.response_time,
                            .tool = "arbiter",
                            .points_count = state->points.count};
    memcpy(out->profile, service->spec.service, sizeof out->profile);
    uint32_t first = 0;
    const struct vm_record *vm = cluster_next_vm_of(cluster, service, &first);
    if (vm != NULL) {
        memcpy(out->on_node, vm->vm.node, sizeof out->on_node);
    }
    int64_t newest_ms = 0;
    for (uint32_t i = 0; i < out->points_count; i++) {
        const struct profile_learnt *item = &state->points.items[i];
        out->points[i] = item->point;
        newest_ms = item->at_ms > newest_ms ? item->at_ms : newest_ms;
    }
    out->measured_wall_ms = cluster->wall_ms - (cluster->now_ms - newest_ms);
    return true;
}

void control_tell_outdated(struct cluster *cluster, struct service_record *service,
                           struct effects *out)
{
    struct control_service *state = control_service_of(cluster, service);
    if (state->proposal.outdated) {
        const struct profile_record *profile = control_profile_record(cluster, service);
        state->proposal.outdated = false;
        state->outdated_untold = true;
        state->deviation = state->proposal.deviation;
        state->outdated_revision = profile == NULL ? 0 : profile->meta.revision;
    }
    if (!state->outdated_untold || !effects_room(out, 8)) {
        return;
    }
    state->outdated_untold = false;
    if (state->outdated_revision != 0) {
        (void)emit_event(cluster, EVENT_KIND_PROFILE_OUTDATED, REASON_PROFILE_OUTDATED, service,
                         NULL, NULL, out,
                         "profile %s is out of date: service %s takes %.2f times the CPU that "
                         "it says; it is learnt from now on. Measure it again, then: arbiter "
                         "apply",
                         service->spec.profile, service->spec.service, state->deviation);
    } else {
        (void)emit_event(cluster, EVENT_KIND_PROFILE_OUTDATED, REASON_PROFILE_OUTDATED, service,
                         NULL, NULL, out,
                         "what was learnt of service %s does not hold any more: it takes %.2f "
                         "times the CPU that was foreseen; it is learnt anew",
                         service->spec.service, state->deviation);
    }
}
