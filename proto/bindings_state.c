// SPDX-License-Identifier: Apache-2.0
/* Bindings of the store and of the scheduler protocol. Rows are in the order of the field
 * numbers. */
#include "proto/bindings_rows.h"

static const struct field_binding service_progress_fields[] = {
    {STRING(service_progress, service), .syntax = SYNTAX_NAME, .required = true},
    {I64(service_progress, started_wall_ms), .unit = UNIT_WALL_MS},
    {U64(service_progress, tasks_done_before)},
};
MESSAGE_BINDING(service_progress);

static const struct field_binding node_epoch_fields[] = {
    {STRING(node_epoch, node), .syntax = SYNTAX_NAME, .required = true},
    {U64(node_epoch, acknowledged_epoch)},
    {BOOL(node_epoch, confirmed_dead)},
    {BOOL(node_epoch, parked)},
};
MESSAGE_BINDING(node_epoch);

static const struct field_binding stored_reply_fields[] = {
    {STRING(stored_reply, principal), .required = true},
    {BYTES(stored_reply, request_id)},
    {U64(stored_reply, content_hash)},
    {I64(stored_reply, wall_ms)},
    {MESSAGE(stored_reply, reply, reply), .required = true},
};
MESSAGE_BINDING(stored_reply);

static const struct field_binding stored_record_fields[] = {
    {U32(stored_record, version), .required = true, .min = 1, .max = 1, .when_zero = 1},
    {MEMBER(stored_record, object, object, kind, STORED_KIND_OBJECT), .required = true},
    {MEMBER(stored_record, decision, decision, kind, STORED_KIND_DECISION), .required = true},
    {MEMBER(stored_record, event, event_record, kind, STORED_KIND_EVENT), .required = true},
    {MEMBER(stored_record, progress, service_progress, kind, STORED_KIND_PROGRESS),
     .required = true},
    {MEMBER(stored_record, node_epoch, node_epoch, kind, STORED_KIND_NODE_EPOCH),
     .required = true},
    {MEMBER(stored_record, reply, stored_reply, kind, STORED_KIND_REPLY), .required = true},
};
MESSAGE_BINDING(stored_record);

static const struct field_binding service_view_fields[] = {
    {STRING(service_view, service), .syntax = SYNTAX_NAME, .required = true},
    {ENUM(service_view, kind, service_kind), .required = true},
    {MESSAGE(service_view, objective, objective)},
    {MESSAGE(service_view, queue, queue)},
    {I64(service_view, now_ms)},
    {U32(service_view, period_ms), .unit = UNIT_MS},
    {DOUBLE(service_view, measured), .unknown = true},
    {DOUBLE(service_view, load), .unknown = true},
    {U32(service_view, measurement_age_ms), .unit = UNIT_MS},
    {DOUBLE(service_view, cpu_used_pct), .unknown = true},
    {DOUBLE(service_view, tasks_done), .unknown = true},
    {I64(service_view, started_ms)},
    {I64(service_view, deadline_ms)},
    {U32(service_view, vms_running)},
    {U32(service_view, cap_pct), .unit = UNIT_PCT},
    {U32(service_view, cap_min_pct), .unit = UNIT_PCT},
    {U32(service_view, cap_max_pct), .unit = UNIT_PCT},
};
MESSAGE_BINDING(service_view);

static const struct field_binding curve_point_fields[] = {
    {U32(curve_point, cap_pct), .unit = UNIT_PCT},
    {DOUBLE(curve_point, x)},
};
MESSAGE_BINDING(curve_point);

static const struct field_binding proposal_fields[] = {
    {STRING(proposal, service), .syntax = SYNTAX_NAME, .required = true},
    {ENUM(proposal, model, model_kind), .required = true},
    {DOUBLE(proposal, demand_pct), .unknown = true},
    {DOUBLE(proposal, a_pct), .unknown = true},
    {DOUBLE(proposal, b_pct), .unknown = true},
    {U32(proposal, want_pct), .unit = UNIT_PCT},
    {U32(proposal, vms_wanted)},
    {ENUM(proposal, reason, reason)},
    {MESSAGES(proposal, points, curve_point)},
    {ENUM(proposal, basis, model_basis)},
    {BOOL(proposal, learnt)},
    {BOOL(proposal, outdated)},
    {DOUBLE(proposal, deviation)},
};
MESSAGE_BINDING(proposal);

static const struct field_binding scheduler_message_fields[] = {
    {MESSAGE(scheduler_message, header, header), .required = true},
    {MEMBER(scheduler_message, view, service_view, type, SCHEDULER_MESSAGE_VIEW),
     .required = true},
    {MEMBER(scheduler_message, proposal, proposal, type, SCHEDULER_MESSAGE_PROPOSAL),
     .required = true},
};
MESSAGE_BINDING(scheduler_message);
