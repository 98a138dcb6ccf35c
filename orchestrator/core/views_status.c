// SPDX-License-Identifier: Apache-2.0
/* One service, VM, node or the cluster as a client sees it. Unknown stays unknown: NAN or a
 * flag. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/service_level.h"
#include "orchestrator/core/control.h"
#include "orchestrator/core/views.h"

uint32_t views_age_ms(int64_t now_ms, int64_t at_ms)
{
    if (at_ms == 0) {
        return UINT32_MAX;
    }
    int64_t age_ms = now_ms - at_ms;
    if (age_ms < 0) {
        return 0;
    }
    return age_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)age_ms;
}

/* ---- VM ---- */

void views_vm_status(const struct vm_record *vm, struct vm_status *out)
{
    if (vm->status_known) {
        *out = vm->status;
        out->peer[0] = '\0'; /* for the agents alone */
        out->peer_key[0] = '\0';
    } else {
        memset(out, 0, sizeof *out);
        memcpy(out->vm, vm->vm.vm, sizeof out->vm);
        memcpy(out->uuid, vm->vm.uuid, sizeof out->uuid);
        out->generation = vm->vm.generation;
        out->state = RUN_STATE_UNKNOWN;
        out->problem = REASON_NONE;
    }
    bool has_own = out->problem != REASON_NONE && out->problem != REASON_UNSPECIFIED;
    if (!has_own) {
        out->problem = vm->problem == REASON_UNSPECIFIED ? REASON_NONE : vm->problem;
        memcpy(out->problem_text, vm->problem_text, sizeof out->problem_text);
    }
}

/* ---- service ---- */

/* In the unit of measured_value. */
static double target_of(const struct service_record *service)
{
    const struct objective *objective = &service->spec.objective;
    const struct response_time *time = &objective->response_time;
    switch (service->spec.kind) {
    case SERVICE_KIND_WEB:
        if (!objective->has_response_time) {
            return (double)NAN;
        }
        return time->p95_ms != 0   ? time->p95_ms
               : time->p50_ms != 0 ? time->p50_ms
                                   : time->mean_ms;
    case SERVICE_KIND_QUEUE:
        if (objective->within_ms != 0) {
            return objective->within_ms;
        }
        return objective->deadline_wall_ms == 0
                   ? (double)NAN
                   : (double)(objective->deadline_wall_ms - service->progress.started_wall_ms);
    case SERVICE_KIND_CLUSTER:
        return objective->speed_permille == 0 ? (double)NAN
                                              : objective->speed_permille / 1000.0;
    case SERVICE_KIND_UNSPECIFIED: break;
    }
    return (double)NAN;
}

/* The first thing that keeps the service from being whole. */
static void note_problem(struct service_status *out, enum reason reason, const char *what,
                         const char *text)
{
    if (out->problem != REASON_NONE || reason == REASON_NONE || reason == REASON_UNSPECIFIED) {
        return;
    }
    out->problem = reason;
    (void)snprintf(out->problem_text, sizeof out->problem_text, "%.*s: %s", NAME_SIZE, what,
                   text[0] == '\0' ? reason_word(reason) : text);
}

static void add_vm(struct service_status *out, const struct vm_record *vm)
{
    if (vm->vm.phase == VM_PHASE_REMOVING) {
        return;
    }
    struct vm_status status;
    views_vm_status(vm, &status);
    out->vms_wanted += vm->vm.desired == RUN_STATE_RUNNING ? 1u : 0u;
    out->vms_running += vm->status_known && status.state == RUN_STATE_RUNNING ? 1u : 0u;
    out->cap_pct += vm->vm.cap_pct;
    out->memory_kib += vm->vm.memory_kib;
    if (vm->vm.phase == VM_PHASE_WAITING) {
        note_problem(out, vm->vm.waiting_reason, vm->vm.vm, "waits for a node");
    }
    note_problem(out, status.problem, vm->vm.vm, status.problem_text);
}

void views_service_status(const struct cluster *cluster, const struct service_record *service,
                          int64_t now_ms, struct service_status *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->service, service->spec.service, sizeof out->service);
    memcpy(out->owner, service->meta.owner, sizeof out->owner);
    out->kind = service->spec.kind;
    out->weight = cluster_weight_of(cluster, service);
    out->level_known = !isnan(service->level);
    out->level = service->level;
    out->measured = service->measured;
    out->measured_value = service->measured_value;
    out->target_value = target_of(service);
    out->load = service->load;
    out->measurement_age_ms = views_age_ms(now_ms, service->measured_at_ms);
    out->met = service->met_known && service->met;
    out->last_decision = service->last_decision;
    out->problem = REASON_NONE;
    for (uint32_t i = 0; i < service->spec.vms_count; i++) {
        out->cap_pct_max += service->spec.vms[i].count.max * service->spec.vms[i].cpu.max_pct;
    }
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        add_vm(out, vm);
    }
    if (service->entry_problem[0] != '\0') {
        note_problem(out, REASON_NO_GATEWAY, "entry", service->entry_problem);
    }
    memcpy(out->profile, service->spec.profile, sizeof out->profile);
    out->basis = control_basis(cluster, service);
    const double deviation = control_profile_outdated(cluster, service);
    if (!isnan(deviation)) {
        char text[TEXT_SIZE];
        (void)snprintf(text, sizeof text,
                       "out of date: the service takes %.2f times the CPU that it says",
                       deviation);
        note_problem(out, REASON_PROFILE_OUTDATED, "profile", text);
    }
}

/* ---- node ---- */

void views_node(const struct node_record *node, int64_t now_ms, struct node_view *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->node, node->spec.node, sizeof out->node);
    out->state = node->state;
    out->cordoned = node->spec.cordoned;
    out->draining = node->spec.draining;
    out->status = node->status;
    out->cpu_pct_granted = node->cpu_pct_granted;
    out->memory_kib_granted = node->memory_kib_granted;
    out->vms = node->vms;
    out->heartbeat_age_ms = views_age_ms(now_ms, node->heartbeat_at_ms);
    out->metrics_lost = node->telemetry_lost;
}

/* ---- cluster ---- */

static void add_services(const struct cluster *cluster, const char *owner,
                         struct cluster_status *out)
{
    double log_sigma = 0;
    double weights = 0;
    const struct service_record *service = NULL;
    for (uint32_t i = 0; (service = table_next(&cluster->services, &i)) != NULL;) {
        if (owner != NULL && strcmp(service->meta.owner, owner) != 0) {
            continue;
        }
        out->services++;
        if (isnan(service->level)) {
            out->services_unknown++;
            continue;
        }
        out->services_met += service->met_known && service->met ? 1u : 0u;
        double weight = cluster_weight_of(cluster, service);
        log_sigma += service_level_sigma(&service->level, &weight, 1).log_sigma;
        weights += weight;
    }
    out->sigma = weights > 0 ? exp(log_sigma) : (double)NAN;
    out->mean_level = weights > 0 ? exp(log_sigma / weights) : (double)NAN;
}

void views_cluster_status(const struct cluster *cluster, const char *owner,
                          struct cluster_status *out)
{
    memset(out, 0, sizeof *out);
    out->mode = cluster_mode(cluster);
    out->epoch = cluster->epoch;
    out->revision = cluster->revision;
    add_services(cluster, owner, out);
    const struct service_record *service = NULL;
    if (owner == NULL) {
        out->vms = cluster->vms.count;
    } else {
        for (uint32_t i = 0; (service = table_next(&cluster->services, &i)) != NULL;) {
            bool own = strcmp(service->meta.owner, owner) == 0;
            for (uint32_t at = 0; own && cluster_next_vm_of(cluster, service, &at) != NULL;) {
                out->vms++;
            }
        }
    }
    const struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        out->nodes++;
        out->nodes_up += node->state == NODE_STATE_UP ? 1u : 0u;
    }
    out->decisions = cluster->next_decision > 0 ? cluster->next_decision - 1 : 0;
    out->decisions_without_change = cluster->decisions_without_change;
    out->newest_event = cluster->next_event > 0 ? cluster->next_event - 1 : 0;
}
