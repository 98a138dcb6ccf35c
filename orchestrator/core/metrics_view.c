// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/core/metrics_view.h"

#include <math.h>
#include <string.h>

#include "orchestrator/core/control.h"
#include "orchestrator/core/views.h"

#define MS    1000.0
#define CORE  100.0 /* percent of one CPU */
#define BYTES 1024.0

static double metric_of(const struct cluster *cluster, const char *node,
                        enum metric_subject subject, const char *name, enum metric_kind kind)
{
    uint32_t age_ms = 0;
    return metrics_value(cluster, node, subject, name, kind, &age_ms);
}

static double age_s(int64_t now_ms, int64_t at_ms)
{
    uint32_t age_ms = views_age_ms(now_ms, at_ms);
    return age_ms == UINT32_MAX ? (double)NAN : age_ms / MS;
}

/* ---- services ---- */

static void view_web(const struct cluster *cluster, const struct service_record *service,
                     const struct service_status *status, struct metrics_service *out)
{
    const struct response_time *time = &service->spec.objective.response_time;
    out->statistic = time->p95_ms != 0 ? "p95" : time->p50_ms != 0 ? "p50" : "mean";
    if (service->spec.objective.has_response_time) {
        out->response_s = status->measured_value / MS;
        out->target_s = status->target_value / MS;
    }
    if (service->gateway[0] != '\0') {
        out->request_rate = metric_of(cluster, service->gateway, METRIC_SUBJECT_ENTRY,
                                      service->spec.service, METRIC_REQUEST_RATE);
    }
    if (isnan(out->request_rate)) {
        out->request_rate = status->load;
    }
}

static void view_service(const struct cluster *cluster, const struct service_record *service,
                         int64_t now_ms, struct metrics_service *out)
{
    const double unknown = (double)NAN;
    struct service_status status;
    views_service_status(cluster, service, now_ms, &status);
    *out = (struct metrics_service){
        .kind = service->spec.kind,
        .statistic = "",
        .level = service->level,
        .level_predicted = service->level_predicted,
        .met = service->met_known ? (service->met ? 1.0 : 0.0) : unknown,
        .missed_s = (double)service->missed_ms / MS,
        .age_s =
            status.measurement_age_ms == UINT32_MAX ? unknown : status.measurement_age_ms / MS,
        .response_s = unknown,
        .target_s = unknown,
        .request_rate = unknown,
        .tasks_done = unknown,
        .tasks_left = unknown,
        .slack_s = unknown,
        .speed = unknown,
        .cap_cores = status.cap_pct / CORE,
        .vms_wanted = status.vms_wanted,
        .vms_running = status.vms_running,
        .profile_outdated = isnan(control_profile_outdated(cluster, service)) ? 0.0 : 1.0,
    };
    memcpy(out->service, service->spec.service, sizeof out->service);
    switch (service->spec.kind) {
    case SERVICE_KIND_WEB: view_web(cluster, service, &status, out); break;
    case SERVICE_KIND_QUEUE:
        out->tasks_done = service->tasks_done;
        out->tasks_left = (double)service->spec.queue.tasks - service->tasks_done;
        out->slack_s = (status.target_value - status.measured_value) / MS;
        break;
    case SERVICE_KIND_CLUSTER: out->speed = status.measured_value; break;
    case SERVICE_KIND_UNSPECIFIED: break;
    }
}

/* ---- nodes ---- */

static void view_node(const struct cluster *cluster, const struct node_record *node,
                      int64_t now_ms, struct metrics_node *out)
{
    const char *name = node->spec.node;
    const double unknown = (double)NAN;
    const struct node_status *status = &node->status;
    *out = (struct metrics_node){
        .state = node->state,
        .cpu_cores = node->seen ? status->cpu_pct / CORE : unknown,
        .cpu_granted = node->cpu_pct_granted / CORE,
        .cpu_used =
            metric_of(cluster, name, METRIC_SUBJECT_NODE, name, METRIC_NODE_CPU_PCT) / CORE,
        .memory_bytes = node->seen ? (double)status->memory_kib * BYTES : unknown,
        .memory_granted_bytes = (double)node->memory_kib_granted * BYTES,
        .memory_free_bytes =
            metric_of(cluster, name, METRIC_SUBJECT_NODE, name, METRIC_NODE_MEMORY_FREE_KIB) *
            BYTES,
        .report_age_s = age_s(now_ms, node->heartbeat_at_ms),
        .lease_s =
            node->lease_acknowledged ? (double)(node->lease_expires_ms - now_ms) / MS : unknown,
        .vms = node->vms,
        .messages_lost = (double)node->telemetry_lost,
    };
    memcpy(out->node, name, sizeof out->node);
}

/* ---- VMs ---- */

static void view_vm(const struct cluster *cluster, const struct vm_record *vm,
                    struct metrics_vm *out)
{
    const bool running = vm->status_known && vm->status.state == RUN_STATE_RUNNING;
    *out = (struct metrics_vm){
        .running = vm->status_known ? (running ? 1.0 : 0.0) : (double)NAN,
        .cap = vm->vm.cap_pct / CORE,
        .cpu_used = (double)NAN,
        .memory_bytes = (double)vm->vm.memory_kib * BYTES,
    };
    memcpy(out->vm, vm->vm.vm, sizeof out->vm);
    memcpy(out->service, vm->vm.service, sizeof out->service);
    memcpy(out->node, vm->vm.node, sizeof out->node);
    if (running && vm->metrics_slot != TABLE_NONE) {
        out->cpu_used =
            metric_of(cluster, vm->vm.node, METRIC_SUBJECT_VM, vm->vm.vm, METRIC_CPU_PCT) /
            CORE;
    }
}

/* ---- all ---- */

void cluster_metrics_rows(const struct cluster *cluster, struct metrics_rows *out)
{
    out->services = cluster->services.count;
    out->nodes = cluster->nodes.count;
    out->vms = cluster->vms.count;
}

void cluster_metrics_view(const struct cluster *cluster, const struct metrics_rows *room,
                          int64_t now_ms, struct metrics_view *out)
{
    cluster_summary(cluster, &out->cluster);
    out->vms_waiting = cluster->vms_waiting;
    out->rows = (struct metrics_rows){0};
    const struct service_record *service = NULL;
    for (uint32_t i = 0; out->rows.services < room->services &&
                         (service = table_next(&cluster->services, &i)) != NULL;) {
        view_service(cluster, service, now_ms, &out->services[out->rows.services++]);
    }
    const struct node_record *node = NULL;
    for (uint32_t i = 0;
         out->rows.nodes < room->nodes && (node = table_next(&cluster->nodes, &i)) != NULL;) {
        view_node(cluster, node, now_ms, &out->nodes[out->rows.nodes++]);
    }
    const struct vm_record *vm = NULL;
    for (uint32_t i = 0;
         out->rows.vms < room->vms && (vm = table_next(&cluster->vms, &i)) != NULL;) {
        view_vm(cluster, vm, &out->vms[out->rows.vms++]);
    }
}
