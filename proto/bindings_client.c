// SPDX-License-Identifier: Apache-2.0
/* Bindings of the client API and of events. Rows are in the order of the field numbers. */
#include "proto/bindings_rows.h"

static const struct field_binding cap_change_fields[] = {
    {STRING(cap_change, vm), .syntax = SYNTAX_NAME, .required = true},
    {STRING(cap_change, service), .syntax = SYNTAX_NAME},
    {STRING(cap_change, node), .syntax = SYNTAX_NAME},
    {U32(cap_change, from_pct), .unit = UNIT_PCT},
    {U32(cap_change, to_pct), .unit = UNIT_PCT},
    {ENUM(cap_change, reason, reason)},
};
MESSAGE_BINDING(cap_change);

static const struct field_binding level_change_fields[] = {
    {STRING(level_change, service), .syntax = SYNTAX_NAME, .required = true},
    {DOUBLE(level_change, measured), .unknown = true},
    {DOUBLE(level_change, measured_value), .unknown = true},
    {DOUBLE(level_change, target_value), .unknown = true},
    {DOUBLE(level_change, load), .unknown = true},
    {DOUBLE(level_change, level_before), .unknown = true},
    {DOUBLE(level_change, level_predicted), .unknown = true},
    {DOUBLE(level_change, level_after), .unknown = true},
    {ENUM(level_change, reason, reason)},
    {ENUM(level_change, basis, model_basis)},
};
MESSAGE_BINDING(level_change);

static const struct field_binding decision_fields[] = {
    {U64(decision, id), .required = true, .min = 1},
    {I64(decision, wall_ms)},
    {STRING(decision, service), .syntax = SYNTAX_NAME},
    {STRING(decision, scheduler), .syntax = SYNTAX_WORD},
    {STRING(decision, principal)},
    {ENUM(decision, reason, reason)},
    {ENUM(decision, outcome, decision_outcome)},
    {ENUM(decision, mode, mode)},
    {U32(decision, took_us)},
    {DOUBLE(decision, value), .unknown = true},
    {DOUBLE(decision, bound), .unknown = true},
    {STRING(decision, text), .prose = true},
    {MESSAGES(decision, caps, cap_change)},
    {MESSAGES(decision, levels, level_change)},
};
MESSAGE_BINDING(decision);

static const struct field_binding event_record_fields[] = {
    {U64(event_record, id), .required = true, .min = 1},
    {I64(event_record, wall_ms)},
    {ENUM(event_record, kind, event_kind), .required = true},
    {ENUM(event_record, reason, reason)},
    {STRING(event_record, service), .syntax = SYNTAX_NAME},
    {STRING(event_record, vm)},
    {STRING(event_record, node), .syntax = SYNTAX_NAME},
    {STRING(event_record, owner)},
    {U64(event_record, decision)},
    {U64(event_record, operation)},
    {STRING(event_record, text), .prose = true},
};
MESSAGE_BINDING(event_record);

static const struct field_binding event_message_fields[] = {
    {MESSAGE(event_message, header, header), .required = true},
    {MESSAGE(event_message, event, event_record), .required = true},
};
MESSAGE_BINDING(event_message);

static const struct field_binding set_vm_fields[] = {
    {U32(set_vm, cap_pct), .unit = UNIT_PCT, .min = 1, .max = CPU_PCT_MAX},
    {U32(set_vm, weight), .min = 1, .max = 65535},
    {U32(set_vm, vcpus), .min = 1, .max = VCPUS_MAX},
    {U64(set_vm, memory_kib), .unit = UNIT_KIB, .min = 1024, .max = KIB_MAX},
    {U64(set_vm, net_rate_kib_s), .unit = UNIT_KIB_S, .max = KIB_MAX},
    {U64(set_vm, disk_rate_kib_s), .unit = UNIT_KIB_S, .max = KIB_MAX},
    {BOOL(set_vm, release_cap)},
    {BOOL(set_vm, no_net_rate)},
    {BOOL(set_vm, no_disk_rate)},
};
MESSAGE_BINDING(set_vm);

static const struct field_binding request_fields[] = {
    {MESSAGE(request, header, header), .required = true},
    {BYTES(request, request_id)},
    {ENUM(request, method, method), .required = true},
    {ENUM(request, kind, object_kind)},
    {STRING(request, name), .syntax = SYNTAX_NAME},
    {STRING(request, service), .syntax = SYNTAX_NAME},
    {STRING(request, node), .syntax = SYNTAX_NAME},
    {U64(request, at_revision)},
    {U64(request, after)},
    {U32(request, limit), .max = REPLY_ITEMS_MAX},
    {I64(request, since_wall_ms), .unit = UNIT_WALL_MS},
    {U64(request, id)},
    {ENUM(request, run_state, run_state)},
    {ENUM(request, mode, mode)},
    {U32(request, for_ms), .unit = UNIT_MS},
    {OPTIONAL(request, set_vm, set_vm)},
    {OPTIONAL(request, object, object)},
};
MESSAGE_BINDING(request);

static const struct field_binding service_status_fields[] = {
    {STRING(service_status, service), .syntax = SYNTAX_NAME, .required = true},
    {STRING(service_status, owner)},
    {ENUM(service_status, kind, service_kind)},
    {U32(service_status, weight)},
    {BOOL(service_status, level_known)},
    {DOUBLE(service_status, level), .unknown = true},
    {DOUBLE(service_status, measured), .unknown = true},
    {DOUBLE(service_status, measured_value), .unknown = true},
    {DOUBLE(service_status, target_value), .unknown = true},
    {DOUBLE(service_status, load), .unknown = true},
    {U32(service_status, measurement_age_ms), .unit = UNIT_MS},
    {BOOL(service_status, met)},
    {U32(service_status, vms_wanted)},
    {U32(service_status, vms_running)},
    {U32(service_status, cap_pct), .unit = UNIT_PCT},
    {U32(service_status, cap_pct_max), .unit = UNIT_PCT},
    {U64(service_status, memory_kib), .unit = UNIT_KIB},
    {U64(service_status, last_decision)},
    {ENUM(service_status, problem, reason)},
    {STRING(service_status, problem_text), .prose = true},
    {STRING(service_status, profile), .syntax = SYNTAX_NAME},
    {ENUM(service_status, basis, model_basis)},
};
MESSAGE_BINDING(service_status);

static const struct field_binding node_view_fields[] = {
    {STRING(node_view, node), .syntax = SYNTAX_NAME, .required = true},
    {ENUM(node_view, state, node_state)},
    {BOOL(node_view, cordoned)},
    {BOOL(node_view, draining)},
    {MESSAGE(node_view, status, node_status)},
    {U32(node_view, cpu_pct_granted), .unit = UNIT_PCT},
    {U64(node_view, memory_kib_granted), .unit = UNIT_KIB},
    {U32(node_view, vms)},
    {U32(node_view, heartbeat_age_ms), .unit = UNIT_MS},
    {U64(node_view, metrics_lost)},
};
MESSAGE_BINDING(node_view);

static const struct field_binding cluster_status_fields[] = {
    {ENUM(cluster_status, mode, mode)},
    {U64(cluster_status, epoch)},
    {U64(cluster_status, revision)},
    {U32(cluster_status, services)},
    {U32(cluster_status, services_met)},
    {U32(cluster_status, services_unknown)},
    {U32(cluster_status, vms)},
    {U32(cluster_status, nodes)},
    {U32(cluster_status, nodes_up)},
    {DOUBLE(cluster_status, sigma), .unknown = true},
    {DOUBLE(cluster_status, mean_level), .unknown = true},
    {U64(cluster_status, decisions)},
    {U64(cluster_status, decisions_without_change)},
    {U64(cluster_status, newest_event)},
};
MESSAGE_BINDING(cluster_status);

static const struct field_binding metric_value_fields[] = {
    {STRING(metric_value, node), .syntax = SYNTAX_NAME},
    {MESSAGE(metric_value, metric, metric), .required = true},
};
MESSAGE_BINDING(metric_value);

static const struct field_binding placement_fields[] = {
    {STRING(placement, vm), .syntax = SYNTAX_NAME},
    {STRING(placement, node), .syntax = SYNTAX_NAME},
    {ENUM(placement, reason, reason)},
    {U64(placement, needed)},
    {U64(placement, available)},
    {U32(placement, cap_pct), .unit = UNIT_PCT},
    {U64(placement, memory_kib), .unit = UNIT_KIB},
    {BOOL(placement, remove)},
    {BOOL(placement, change)},
};
MESSAGE_BINDING(placement);

static const struct field_binding item_fields[] = {
    {MEMBER(item, object, object, kind, ITEM_KIND_OBJECT), .required = true},
    {MEMBER(item, vm_status, vm_status, kind, ITEM_KIND_VM_STATUS), .required = true},
    {MEMBER(item, service_status, service_status, kind, ITEM_KIND_SERVICE_STATUS),
     .required = true},
    {MEMBER(item, node_view, node_view, kind, ITEM_KIND_NODE_VIEW), .required = true},
    {MEMBER(item, cluster_status, cluster_status, kind, ITEM_KIND_CLUSTER_STATUS),
     .required = true},
    {MEMBER(item, event, event_record, kind, ITEM_KIND_EVENT), .required = true},
    {MEMBER(item, decision, decision, kind, ITEM_KIND_DECISION), .required = true},
    {MEMBER(item, metric, metric_value, kind, ITEM_KIND_METRIC), .required = true},
    {MEMBER(item, placement, placement, kind, ITEM_KIND_PLACEMENT), .required = true},
};
MESSAGE_BINDING(item);

static const struct field_binding reply_fields[] = {
    {MESSAGE(reply, header, header), .required = true},
    {BYTES(reply, request_id)},
    {ENUM(reply, code, reply_code)},
    {ENUM(reply, reason, reason)},
    {STRING(reply, text), .prose = true, .lines = true},
    {U64(reply, revision)},
    {U64(reply, next)},
    {U64(reply, operation)},
    {U32(reply, retry_after_ms), .unit = UNIT_MS},
    {STRINGS(reply, facts), .prose = true},
    {STRINGS(reply, hints), .prose = true},
    {ITEMS(reply, items)},
};
MESSAGE_BINDING(reply);
