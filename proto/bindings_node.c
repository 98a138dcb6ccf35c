// SPDX-License-Identifier: Apache-2.0
/* Bindings of node messages. Rows are in the order of the field numbers. */
#include "proto/bindings_rows.h"

static const struct field_binding node_status_fields[] = {
    {STRING(node_status, driver), .prose = true},
    {STRING(node_status, agent_version), .prose = true},
    {U32(node_status, capabilities)},
    {U32(node_status, cpu_pct), .unit = UNIT_PCT},
    {U32(node_status, cpu_pct_total), .unit = UNIT_PCT},
    {U64(node_status, memory_kib), .unit = UNIT_KIB},
    {U64(node_status, memory_kib_total), .unit = UNIT_KIB},
    {U32(node_status, vcpus_max)},
    {U32(node_status, foreign_vms)},
    {U32(node_status, image_formats)},
};
MESSAGE_BINDING(node_status);

static const struct field_binding metric_fields[] = {
    {ENUM(metric, subject, metric_subject), .required = true},
    {STRING(metric, name)},
    {ENUM(metric, kind, metric_kind), .required = true},
    {DOUBLE(metric, value), .unknown = true},
    {U32(metric, age_ms), .unit = UNIT_MS},
};
MESSAGE_BINDING(metric);

static const struct field_binding entry_server_fields[] = {
    {STRING(entry_server, vm), .syntax = SYNTAX_NAME, .required = true},
    {STRING(entry_server, address), .required = true},
    {U32(entry_server, port), .required = true, .min = 1, .max = 65535},
    {U32(entry_server, weight), .min = 1, .max = 256},
    {BOOL(entry_server, drain)},
};
MESSAGE_BINDING(entry_server);

static const struct field_binding entry_order_fields[] = {
    {U64(entry_order, operation)},
    {STRING(entry_order, service), .syntax = SYNTAX_NAME, .required = true},
    {BOOL(entry_order, remove)},
    {MESSAGE(entry_order, entry, entry)},
    {U32(entry_order, window_ms), .unit = UNIT_MS},
    {MESSAGES(entry_order, servers, entry_server)},
};
MESSAGE_BINDING(entry_order);

static const struct field_binding entry_status_fields[] = {
    {STRING(entry_status, service), .syntax = SYNTAX_NAME, .required = true},
    {U64(entry_status, operation_done)},
    {BOOL(entry_status, up)},
    {U32(entry_status, servers_up)},
    {STRING(entry_status, problem_text), .prose = true},
};
MESSAGE_BINDING(entry_status);

static const struct field_binding vm_order_fields[] = {
    {U64(vm_order, operation)},
    {STRING(vm_order, vm), .syntax = SYNTAX_NAME, .required = true},
    {STRING(vm_order, uuid), .syntax = SYNTAX_UUID, .required = true},
    {STRING(vm_order, service), .syntax = SYNTAX_NAME},
    {ENUM(vm_order, service_kind, service_kind)},
    {U64(vm_order, generation)},
    {ENUM(vm_order, isolation, isolation)},
    {ENUM(vm_order, desired, run_state), .required = true},
    {U64(vm_order, reboots)},
    {U32(vm_order, cap_pct), .unit = UNIT_PCT, .max = CPU_PCT_MAX},
    {U32(vm_order, weight), .max = 65535},
    {U32(vm_order, vcpus), .max = VCPUS_MAX},
    {U32(vm_order, vcpus_max), .max = VCPUS_MAX},
    {U64(vm_order, memory_kib), .unit = UNIT_KIB, .max = KIB_MAX},
    {U64(vm_order, memory_max_kib), .unit = UNIT_KIB, .max = KIB_MAX},
    {U64(vm_order, net_rate_kib_s), .unit = UNIT_KIB_S},
    {U64(vm_order, disk_rate_kib_s), .unit = UNIT_KIB_S},
    {U32(vm_order, load_share_permille), .unit = UNIT_PERMILLE, .max = 1000},
    {U32(vm_order, port), .max = 65535},
    {STRING(vm_order, bridge)},
    {ENUM(vm_order, disk_kind, disk_kind)},
    {STRING(vm_order, storage_path)},
    {U64(vm_order, disk_size_kib), .unit = UNIT_KIB},
    {ENUM(vm_order, image_format, image_format)},
    {STRING(vm_order, image), .syntax = SYNTAX_NAME},
    {STRING(vm_order, image_source)},
    {STRING(vm_order, image_sha256), .syntax = SYNTAX_SHA256},
    {STRING(vm_order, kernel)},
    {STRING(vm_order, ramdisk)},
    {STRING(vm_order, command_line)},
    {STRING(vm_order, init)},
    {MESSAGE(vm_order, queue, queue)},
    {STRING(vm_order, migrate_to), .syntax = SYNTAX_NAME},
    {ENUM(vm_order, guest_type, guest_type)},
    {STRING(vm_order, vif_script)},
    {STRING(vm_order, migrate_from), .syntax = SYNTAX_NAME},
    {STRING(vm_order, address)},
    {STRING(vm_order, peer)},
    {STRING(vm_order, peer_key)},
};
MESSAGE_BINDING(vm_order);

static const struct field_binding vm_status_fields[] = {
    {STRING(vm_status, vm), .required = true},
    {STRING(vm_status, uuid), .syntax = SYNTAX_UUID},
    {U64(vm_status, generation)},
    {ENUM(vm_status, state, run_state), .required = true},
    {U64(vm_status, operation_done)},
    {U64(vm_status, reboots_done)},
    {U32(vm_status, cap_pct_accepted), .unit = UNIT_PCT},
    {U32(vm_status, cap_pct), .unit = UNIT_PCT},
    {U32(vm_status, weight)},
    {U32(vm_status, vcpus_accepted)},
    {U32(vm_status, vcpus)},
    {U64(vm_status, memory_kib_accepted), .unit = UNIT_KIB},
    {U64(vm_status, memory_kib), .unit = UNIT_KIB},
    {U64(vm_status, net_rate_kib_s), .unit = UNIT_KIB_S},
    {U64(vm_status, disk_rate_kib_s), .unit = UNIT_KIB_S},
    {U64(vm_status, cpu_time_ms), .unit = UNIT_MS},
    {STRING(vm_status, address)},
    {BOOL(vm_status, busy)},
    {ENUM(vm_status, problem, reason)},
    {STRING(vm_status, problem_text), .prose = true},
    {STRING(vm_status, peer)},
    {STRING(vm_status, peer_key)},
};
MESSAGE_BINDING(vm_status);

static const struct field_binding hello_fields[] = {
    {STRING(hello, incarnation), .required = true},
    {MESSAGE(hello, status, node_status)},
    {U64(hello, epoch_seen)},
};
MESSAGE_BINDING(hello);

static const struct field_binding renew_fields[] = {
    {STRING(renew, incarnation), .required = true},
    {U64(renew, sequence)},
    {I64(renew, sent_at_ms)},
    {U64(renew, granted_epoch)},
    {U64(renew, granted_sequence)},
    {U32(renew, protected_vms)},
};
MESSAGE_BINDING(renew);

static const struct field_binding grant_fields[] = {
    {U64(grant, sequence)},
    {I64(grant, sent_at_ms)},
    {U32(grant, lease_ms), .unit = UNIT_MS, .required = true, .min = 1, .max = 3600000},
};
MESSAGE_BINDING(grant);

static const struct field_binding snapshot_fields[] = {
    {STRING(snapshot, incarnation), .required = true}, {U64(snapshot, number)},
    {MESSAGE(snapshot, status, node_status)},          {MESSAGES(snapshot, vms, vm_status)},
    {MESSAGES(snapshot, entries, entry_status)},
};
MESSAGE_BINDING(snapshot);

static const struct field_binding result_fields[] = {
    {U64(result, operation)},
    {STRING(result, vm), .syntax = SYNTAX_NAME},
    {U64(result, generation)},
    {ENUM(result, state, result_state), .required = true},
    {ENUM(result, reason, reason)},
    {U32(result, took_ms), .unit = UNIT_MS},
    {STRING(result, text), .prose = true, .lines = true},
};
MESSAGE_BINDING(result);

static const struct field_binding leave_fields[] = {
    {STRING(leave, incarnation), .required = true},
};
MESSAGE_BINDING(leave);

static const struct field_binding heartbeat_fields[] = {
    {STRING(heartbeat, incarnation), .required = true},
    {U32(heartbeat, vms_running)},
    {U32(heartbeat, lateness_ms), .unit = UNIT_MS},
};
MESSAGE_BINDING(heartbeat);

static const struct field_binding metrics_fields[] = {
    {MESSAGES(metrics, metrics, metric)},
};
MESSAGE_BINDING(metrics);

static const struct field_binding welcome_fields[] = {
    {STRING(welcome, node), .syntax = SYNTAX_NAME, .required = true},
    {U32(welcome, lease_ms), .unit = UNIT_MS, .required = true, .min = 1, .max = 3600000},
    {U32(welcome, renew_ms), .unit = UNIT_MS, .required = true, .min = 1, .max = 3600000},
    {U32(welcome, snapshot_ms), .unit = UNIT_MS, .required = true, .min = 1, .max = 3600000},
    {U32(welcome, metrics_ms), .unit = UNIT_MS, .required = true, .min = 1, .max = 3600000},
};
MESSAGE_BINDING(welcome);

static const struct field_binding park_fields[] = {
    {STRING(park, why), .prose = true},
};
MESSAGE_BINDING(park);

static const struct field_binding node_message_fields[] = {
    {MESSAGE(node_message, header, header), .required = true},
    {MEMBER(node_message, hello, hello, type, NODE_MESSAGE_HELLO), .required = true},
    {MEMBER(node_message, renew, renew, type, NODE_MESSAGE_RENEW), .required = true},
    {MEMBER(node_message, snapshot, snapshot, type, NODE_MESSAGE_SNAPSHOT), .required = true},
    {MEMBER(node_message, result, result, type, NODE_MESSAGE_RESULT), .required = true},
    {MEMBER(node_message, heartbeat, heartbeat, type, NODE_MESSAGE_HEARTBEAT),
     .required = true},
    {MEMBER(node_message, metrics, metrics, type, NODE_MESSAGE_METRICS), .required = true},
    {MEMBER(node_message, leave, leave, type, NODE_MESSAGE_LEAVE), .required = true},
    {MEMBER(node_message, welcome, welcome, type, NODE_MESSAGE_WELCOME), .required = true},
    {MEMBER(node_message, grant, grant, type, NODE_MESSAGE_GRANT), .required = true},
    {MEMBER(node_message, vm_order, vm_order, type, NODE_MESSAGE_VM_ORDER), .required = true},
    {MEMBER(node_message, entry_order, entry_order, type, NODE_MESSAGE_ENTRY_ORDER),
     .required = true},
    {MEMBER(node_message, park, park, type, NODE_MESSAGE_PARK), .required = true},
};
MESSAGE_BINDING(node_message);
