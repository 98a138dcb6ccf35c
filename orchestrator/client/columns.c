// SPDX-License-Identifier: Apache-2.0
/* Services, nodes, VMs and the other objects. */
#include "orchestrator/client/columns.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/text.h"

void column_put_time(char out[CELL_SIZE], int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm local;
    if (wall_ms != 0 && localtime_r(&seconds, &local) != NULL) {
        (void)strftime(out, CELL_SIZE, "%Y-%m-%d %H:%M:%S", &local);
    } else {
        PUT("-");
    }
}

void column_put_age(char out[CELL_SIZE], uint32_t age_ms)
{
    if (age_ms == UINT32_MAX) {
        PUT("never");
    } else {
        PUT("%.1fs", age_ms / 1000.0);
    }
}

void column_put_cpu(char out[CELL_SIZE], uint32_t pct)
{
    char text[32];
    text_format_cpu(pct, text);
    PUT("%s", text);
}

void column_put_size(char out[CELL_SIZE], uint64_t kib)
{
    char text[32];
    text_format_size(kib, text);
    PUT("%s", text);
}

/* Unknown is said, never shown as zero. */
void column_put_measure(char out[CELL_SIZE], enum service_kind kind, double value)
{
    char text[32];
    if (isnan(value) || value < 0) {
        PUT("-");
    } else if (kind == SERVICE_KIND_WEB) {
        PUT("%.0f ms", value);
    } else if (kind == SERVICE_KIND_QUEUE) {
        text_format_duration((int64_t)(value / 1000.0) * 1000, text);
        PUT("%s", text);
    } else {
        PUT("%.0f %%", value * 100.0);
    }
}

void column_put_bar(char out[CELL_SIZE], double share, int width)
{
    size_t used = 0;
    for (int i = 0; i < width && used + 4 < CELL_SIZE; i++) {
        const char *cell = i == width / 2 ? "|" : share * width > i + 0.5 ? "█" : " ";
        size_t length = strlen(cell);
        memcpy(out + used, cell, length);
        used += length;
    }
    out[used] = '\0';
}

/* ---- services ---- */
static const char *service_kind_word(enum service_kind kind)
{
    switch (kind) {
    case SERVICE_KIND_WEB: return "web";
    case SERVICE_KIND_QUEUE: return "queue";
    case SERVICE_KIND_CLUSTER: return "cluster";
    case SERVICE_KIND_UNSPECIFIED: break;
    }
    return "-";
}

STRING_COLUMN(service_name, service_status.service)
STRING_COLUMN(service_owner, service_status.owner)
STRING_COLUMN(service_problem, service_status.problem_text)
COLUMN(service_kind)
{
    PUT("%s", service_kind_word(item->service_status.kind));
}
COLUMN(service_measured)
{
    column_put_measure(out, item->service_status.kind, item->service_status.measured_value);
}
COLUMN(service_target)
{
    column_put_measure(out, item->service_status.kind, item->service_status.target_value);
}
COLUMN(service_level_cell)
{
    const struct service_status *service = &item->service_status;
    if (!service->level_known) {
        PUT("-");
    } else {
        PUT("%.2f%s", service->level, service->met ? "" : "!");
    }
}
COLUMN(service_met)
{
    const struct service_status *service = &item->service_status;
    PUT("%s", !service->level_known ? "unknown" : service->met ? "met" : "missed");
}
COLUMN(service_load)
{
    double load = item->service_status.load;
    if (isnan(load)) {
        PUT("-");
    } else {
        PUT("%.1f", load);
    }
}
COLUMN(service_vms)
{
    PUT("%u/%u", item->service_status.vms_running, item->service_status.vms_wanted);
}
COLUMN(service_cores)
{
    char now[32];
    char most[32];
    text_format_cpu(item->service_status.cap_pct, now);
    text_format_cpu(item->service_status.cap_pct_max, most);
    PUT("%s/%s", now, most);
}
COLUMN(service_memory)
{
    column_put_size(out, item->service_status.memory_kib);
}
COLUMN(service_weight)
{
    PUT("%u", item->service_status.weight);
}
COLUMN(service_age)
{
    column_put_age(out, item->service_status.measurement_age_ms);
}
COLUMN(service_bar)
{
    const struct service_status *service = &item->service_status;
    column_put_bar(out, service->level_known ? service->level : 0, 12);
}
COLUMN(service_decision)
{
    if (item->service_status.last_decision != 0) {
        PUT("d-%llu", (unsigned long long)item->service_status.last_decision);
    } else {
        PUT("-");
    }
}

static const struct column service_columns[] = {
    {"SERVICE", COLUMN_ALWAYS, 0, false, service_name},
    {"KIND", COLUMN_ALWAYS, 5, false, service_kind},
    {"TARGET", COLUMN_ALWAYS, 2, false, service_target},
    {"MEASURED", COLUMN_ALWAYS, 0, false, service_measured},
    {"LEVEL", COLUMN_ALWAYS, 0, false, service_level_cell},
    {"0   1/2   1", COLUMN_BARS, 4, false, service_bar},
    {"STATE", COLUMN_ALWAYS, 0, false, service_met},
    {"LOAD", COLUMN_ALWAYS, 4, false, service_load},
    {"VMS", COLUMN_ALWAYS, 1, false, service_vms},
    {"CORES", COLUMN_ALWAYS, 0, false, service_cores},
    {"MEMORY", COLUMN_WIDE, 0, false, service_memory},
    {"WEIGHT", COLUMN_WIDE, 0, false, service_weight},
    {"OWNER", COLUMN_WIDE, 0, false, service_owner},
    {"AGE", COLUMN_WIDE, 0, false, service_age},
    {"DECISION", COLUMN_ALWAYS, 3, false, service_decision},
    {"PROBLEM", COLUMN_WIDE, 0, true, service_problem},
    {0}};

/* ---- nodes ---- */
static const char *node_state_word(enum node_state state)
{
    static const char *const words[] = {"-",       "unseen", "up",    "suspect",
                                        "expired", "dead",   "parked"};
    return words[(unsigned)state < 7u ? state : 0];
}
STRING_COLUMN(node_name, node_view.node)
STRING_COLUMN(node_driver, node_view.status.driver)
STRING_COLUMN(node_agent, node_view.status.agent_version)
COLUMN(node_state_cell)
{
    const struct node_view *node = &item->node_view;
    PUT("%s%s", node_state_word(node->state),
        node->draining   ? ",draining"
        : node->cordoned ? ",cordoned"
                         : "");
}
COLUMN(node_cpu)
{
    char granted[32];
    char all[32];
    text_format_cpu(item->node_view.cpu_pct_granted, granted);
    text_format_cpu(item->node_view.status.cpu_pct, all);
    PUT("%s/%s", granted, all);
}
COLUMN(node_memory)
{
    char granted[32];
    char all[32];
    text_format_size(item->node_view.memory_kib_granted, granted);
    text_format_size(item->node_view.status.memory_kib, all);
    PUT("%s/%s", granted, all);
}
COLUMN(node_vms)
{
    PUT("%u", item->node_view.vms);
}
COLUMN(node_age)
{
    column_put_age(out, item->node_view.heartbeat_age_ms);
}
COLUMN(node_lost)
{
    PUT("%llu", (unsigned long long)item->node_view.metrics_lost);
}
static const struct column node_columns[] = {
    {"NODE", COLUMN_ALWAYS, 0, false, node_name},
    {"STATE", COLUMN_ALWAYS, 0, false, node_state_cell},
    {"CORES", COLUMN_ALWAYS, 0, false, node_cpu},
    {"MEMORY", COLUMN_ALWAYS, 1, false, node_memory},
    {"VMS", COLUMN_ALWAYS, 1, false, node_vms},
    {"HEARD", COLUMN_ALWAYS, 2, false, node_age},
    {"DRIVER", COLUMN_ALWAYS, 3, false, node_driver},
    {"LOST", COLUMN_WIDE, 0, false, node_lost},
    {"AGENT", COLUMN_WIDE, 0, false, node_agent},
    {0}};

/* ---- VMs ---- */
STRING_COLUMN(vm_name, object.vm.vm)
STRING_COLUMN(vm_service, object.vm.service)
STRING_COLUMN(vm_uuid, object.vm.uuid)
COLUMN(vm_node)
{
    const struct vm *vm = &item->object.vm;
    PUT("%s%s%s", vm->node[0] != '\0' ? vm->node : "-", vm->move_to[0] != '\0' ? " > " : "",
        vm->move_to);
}
COLUMN(vm_state)
{
    static const char *const phases[] = {"-",          "waiting", "assigned",
                                         "recovering", "moving",  "removing"};
    const struct vm *vm = &item->object.vm;
    if (vm->phase == VM_PHASE_ASSIGNED) {
        PUT("%s", run_state_word(vm->desired));
    } else {
        PUT("%s", phases[(unsigned)vm->phase < 6u ? vm->phase : 0]);
    }
}
COLUMN(vm_reason)
{
    const struct vm *vm = &item->object.vm;
    PUT("%s", vm->phase == VM_PHASE_WAITING ? reason_word(vm->waiting_reason) : "");
}
COLUMN(vm_cap)
{
    char text[32];
    text_format_cpu(item->object.vm.cap_pct, text);
    PUT("%s%s", text, item->object.vm.cap_pinned ? " pinned" : "");
}
COLUMN(vm_vcpus)
{
    PUT("%u", item->object.vm.vcpus);
}
COLUMN(vm_memory)
{
    column_put_size(out, item->object.vm.memory_kib);
}
COLUMN(vm_generation)
{
    PUT("%llu", (unsigned long long)item->object.vm.generation);
}
/* As its node sees it; "-" where nothing was heard. */
COLUMN(vm_seen)
{
    if (status == NULL) {
        PUT("-");
    } else {
        PUT("%s%s", run_state_word(status->vm_status.state),
            status->vm_status.busy ? " (busy)" : "");
    }
}
COLUMN(vm_address)
{
    PUT("%s", status != NULL ? status->vm_status.address : "");
}
COLUMN(vm_problem)
{
    PUT("%s", status != NULL ? status->vm_status.problem_text : "");
}
static const struct column vm_columns[] = {{"VM", COLUMN_ALWAYS, 0, false, vm_name},
                                           {"SERVICE", COLUMN_ALWAYS, 5, false, vm_service},
                                           {"NODE", COLUMN_ALWAYS, 0, false, vm_node},
                                           {"WANTED", COLUMN_ALWAYS, 0, false, vm_state},
                                           {"CORES", COLUMN_ALWAYS, 0, false, vm_cap},
                                           {"VCPUS", COLUMN_ALWAYS, 4, false, vm_vcpus},
                                           {"MEMORY", COLUMN_ALWAYS, 3, false, vm_memory},
                                           {"WHY", COLUMN_ALWAYS, 2, false, vm_reason},
                                           {"GENERATION", COLUMN_WIDE, 0, false, vm_generation},
                                           {"UUID", COLUMN_WIDE, 0, false, vm_uuid},
                                           {"SEEN", COLUMN_ALWAYS, 1, false, vm_seen},
                                           {"ADDRESS", COLUMN_WIDE, 0, false, vm_address},
                                           {"PROBLEM", COLUMN_WIDE, 0, true, vm_problem},
                                           {0}};

STRING_COLUMN(status_vm, vm_status.vm)
STRING_COLUMN(status_address, vm_status.address)
STRING_COLUMN(status_problem, vm_status.problem_text)
COLUMN(status_state)
{
    PUT("%s%s", run_state_word(item->vm_status.state), item->vm_status.busy ? " (busy)" : "");
}
COLUMN(status_cap)
{
    if (item->vm_status.cap_pct == UINT32_MAX) {
        PUT("no cap");
    } else {
        column_put_cpu(out, item->vm_status.cap_pct);
    }
}
COLUMN(status_vcpus)
{
    if (item->vm_status.vcpus == item->vm_status.vcpus_accepted ||
        item->vm_status.vcpus_accepted == 0) {
        PUT("%u", item->vm_status.vcpus);
    } else {
        PUT("%u of %u accepted", item->vm_status.vcpus, item->vm_status.vcpus_accepted);
    }
}
COLUMN(status_memory)
{
    column_put_size(out, item->vm_status.memory_kib);
}
static const struct column vm_status_columns[] = {
    {"VM", COLUMN_ALWAYS, 0, false, status_vm},
    {"STATE", COLUMN_ALWAYS, 0, false, status_state},
    {"CORES", COLUMN_ALWAYS, 0, false, status_cap},
    {"VCPUS", COLUMN_ALWAYS, 1, false, status_vcpus},
    {"MEMORY", COLUMN_ALWAYS, 1, false, status_memory},
    {"ADDRESS", COLUMN_ALWAYS, 2, false, status_address},
    {"PROBLEM", COLUMN_ALWAYS, 3, true, status_problem},
    {0}};

/* ---- other objects ---- */
COLUMN(object_name_cell)
{
    PUT("%s", object_name(&item->object));
}
STRING_COLUMN(object_owner, object.owner)
COLUMN(object_revision)
{
    PUT("%llu", (unsigned long long)item->object.revision);
}
COLUMN(object_changed)
{
    column_put_time(out, item->object.changed_wall_ms);
}
STRING_COLUMN(image_source, object.image.source)
STRING_COLUMN(storage_path, object.storage.path)
STRING_COLUMN(network_bridge, object.network.bridge)
COLUMN(object_detail)
{
    switch (item->object.kind) {
    case OBJECT_KIND_IMAGE:
        if (item->object.image.format == IMAGE_FORMAT_MODEL) {
            PUT("model");
        } else {
            image_source(item, status, out);
        }
        break;
    case OBJECT_KIND_STORAGE: storage_path(item, status, out); break;
    case OBJECT_KIND_NETWORK: network_bridge(item, status, out); break;
    case OBJECT_KIND_AGREEMENT: PUT("weight %u", item->object.agreement.weight); break;
    case OBJECT_KIND_PROFILE: PUT("%u points", item->object.profile.points_count); break;
    case OBJECT_KIND_SERVICE: PUT("%s", service_kind_word(item->object.service.kind)); break;
    case OBJECT_KIND_NODE: PUT("%s", item->object.node.cordoned ? "cordoned" : ""); break;
    case OBJECT_KIND_VM:
    case OBJECT_KIND_SETTINGS:
    case OBJECT_KIND_UNSPECIFIED: break;
    }
}
static const struct column object_columns[] = {
    {"NAME", COLUMN_ALWAYS, 0, false, object_name_cell},
    {"WHAT", COLUMN_ALWAYS, 0, false, object_detail},
    {"OWNER", COLUMN_ALWAYS, 1, false, object_owner},
    {"CHANGED", COLUMN_ALWAYS, 2, false, object_changed},
    {"REVISION", COLUMN_WIDE, 0, false, object_revision},
    {0}};

const struct column *columns_of(enum item_kind kind, enum object_kind object)
{
    switch (kind) {
    case ITEM_KIND_OBJECT: return object == OBJECT_KIND_VM ? vm_columns : object_columns;
    case ITEM_KIND_VM_STATUS: return vm_status_columns;
    case ITEM_KIND_SERVICE_STATUS: return service_columns;
    case ITEM_KIND_NODE_VIEW: return node_columns;
    case ITEM_KIND_CLUSTER_STATUS:
    case ITEM_KIND_EVENT:
    case ITEM_KIND_DECISION:
    case ITEM_KIND_METRIC:
    case ITEM_KIND_PLACEMENT:
    case ITEM_KIND_UNSPECIFIED: break;
    }
    return columns_of_record(kind);
}
