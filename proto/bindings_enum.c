// SPDX-License-Identifier: Apache-2.0
/* The values of every enumeration on the wire, and the words that files and people use. */
#include "proto/bindings_rows.h"

static const struct enum_value service_kind_values[] = {
    VALUE(SERVICE_KIND_UNSPECIFIED, "unspecified"),
    VALUE(SERVICE_KIND_WEB, "web"),
    VALUE(SERVICE_KIND_QUEUE, "queue"),
    VALUE(SERVICE_KIND_CLUSTER, "cluster"),
};
ENUM_BINDING(service_kind);

static const struct enum_value isolation_values[] = {
    VALUE(ISOLATION_UNSPECIFIED, "unspecified"),
    VALUE(ISOLATION_RUN, "run"),
    VALUE(ISOLATION_FENCE, "fence"),
};
ENUM_BINDING(isolation);

static const struct enum_value disk_kind_values[] = {
    VALUE(DISK_KIND_UNSPECIFIED, "unspecified"),
    VALUE(DISK_KIND_COPY, "copy"),
    VALUE(DISK_KIND_SHARED, "shared"),
    VALUE(DISK_KIND_LOCAL, "local"),
};
ENUM_BINDING(disk_kind);

static const struct enum_value when_done_values[] = {
    VALUE(WHEN_DONE_UNSPECIFIED, "unspecified"),
    VALUE(WHEN_DONE_STOP, "stop"),
    VALUE(WHEN_DONE_KEEP, "keep"),
};
ENUM_BINDING(when_done);

static const struct enum_value when_sacrificed_values[] = {
    VALUE(WHEN_SACRIFICED_UNSPECIFIED, "unspecified"),
    VALUE(WHEN_SACRIFICED_RUN, "run"),
    VALUE(WHEN_SACRIFICED_PAUSE, "pause"),
    VALUE(WHEN_SACRIFICED_SUSPEND, "suspend"),
};
ENUM_BINDING(when_sacrificed);

static const struct enum_value run_state_values[] = {
    VALUE(RUN_STATE_UNSPECIFIED, "unspecified"), VALUE(RUN_STATE_RUNNING, "running"),
    VALUE(RUN_STATE_PAUSED, "paused"),           VALUE(RUN_STATE_SUSPENDED, "suspended"),
    VALUE(RUN_STATE_STOPPED, "stopped"),         VALUE(RUN_STATE_ABSENT, "absent"),
    VALUE(RUN_STATE_CRASHED, "crashed"),         VALUE(RUN_STATE_UNKNOWN, "unknown"),
};
ENUM_BINDING(run_state);

static const struct enum_value vm_phase_values[] = {
    VALUE(VM_PHASE_UNSPECIFIED, "unspecified"), VALUE(VM_PHASE_WAITING, "waiting"),
    VALUE(VM_PHASE_ASSIGNED, "assigned"),       VALUE(VM_PHASE_RECOVERING, "recovering"),
    VALUE(VM_PHASE_MOVING, "moving"),           VALUE(VM_PHASE_REMOVING, "removing"),
};
ENUM_BINDING(vm_phase);

static const struct enum_value object_kind_values[] = {
    VALUE(OBJECT_KIND_UNSPECIFIED, "unspecified"),
    VALUE(OBJECT_KIND_SERVICE, "service"),
    VALUE(OBJECT_KIND_VM, "vm"),
    VALUE(OBJECT_KIND_NODE, "node"),
    VALUE(OBJECT_KIND_IMAGE, "image"),
    VALUE(OBJECT_KIND_STORAGE, "storage"),
    VALUE(OBJECT_KIND_NETWORK, "network"),
    VALUE(OBJECT_KIND_AGREEMENT, "agreement"),
    VALUE(OBJECT_KIND_SETTINGS, "settings"),
    VALUE(OBJECT_KIND_PROFILE, "profile"),
};
ENUM_BINDING(object_kind);

static const struct enum_value image_format_values[] = {
    VALUE(IMAGE_FORMAT_UNSPECIFIED, "unspecified"),
    VALUE(IMAGE_FORMAT_RAW, "raw"),
    VALUE(IMAGE_FORMAT_TAR, "tar"),
    VALUE(IMAGE_FORMAT_MODEL, "model"),
    VALUE(IMAGE_FORMAT_KERNEL, "kernel"),
};
ENUM_BINDING(image_format);

static const struct enum_value guest_type_values[] = {
    VALUE(GUEST_TYPE_UNSPECIFIED, "unspecified"),
    VALUE(GUEST_TYPE_PV, "pv"),
    VALUE(GUEST_TYPE_PVH, "pvh"),
};
ENUM_BINDING(guest_type);

static const struct enum_value mode_values[] = {
    VALUE(MODE_UNSPECIFIED, "unspecified"),
    VALUE(MODE_ADVISE, "advise"),
    VALUE(MODE_ACT, "act"),
    VALUE(MODE_HOLD, "hold"),
};
ENUM_BINDING(mode);

static const struct enum_value reason_values[] = {
#define ROW(name, word) {#name, word, name},
    REASONS(ROW)
#undef ROW
};
ENUM_BINDING(reason);

static const struct enum_value metric_kind_values[] = {
#define ROW(name, word) {#name, word, name},
    METRICS(ROW)
#undef ROW
};
ENUM_BINDING(metric_kind);

static const struct enum_value metric_subject_values[] = {
    VALUE(METRIC_SUBJECT_UNSPECIFIED, "unspecified"),
    VALUE(METRIC_SUBJECT_NODE, "node"),
    VALUE(METRIC_SUBJECT_VM, "vm"),
    VALUE(METRIC_SUBJECT_ENTRY, "entry"),
};
ENUM_BINDING(metric_subject);

static const struct enum_value result_state_values[] = {
    VALUE(RESULT_STATE_UNSPECIFIED, "unspecified"), VALUE(RESULT_STATE_REFUSED, "refused"),
    VALUE(RESULT_STATE_ACCEPTED, "accepted"),       VALUE(RESULT_STATE_EFFECTIVE, "effective"),
    VALUE(RESULT_STATE_FAILED, "failed"),
};
ENUM_BINDING(result_state);

static const struct enum_value decision_outcome_values[] = {
    VALUE(DECISION_OUTCOME_UNSPECIFIED, "unspecified"),
    VALUE(DECISION_OUTCOME_ADVISED, "advised"),
    VALUE(DECISION_OUTCOME_ORDERED, "ordered"),
    VALUE(DECISION_OUTCOME_APPLIED, "applied"),
    VALUE(DECISION_OUTCOME_FAILED, "failed"),
};
ENUM_BINDING(decision_outcome);

static const struct enum_value event_kind_values[] = {
    VALUE(EVENT_KIND_UNSPECIFIED, "unspecified"),
    VALUE(EVENT_KIND_DECISION, "decision"),
    VALUE(EVENT_KIND_ACTION, "action"),
    VALUE(EVENT_KIND_OBJECTIVE_MISSED, "objective-missed"),
    VALUE(EVENT_KIND_OBJECTIVE_MET, "objective-met"),
    VALUE(EVENT_KIND_NODE_LOST, "node-lost"),
    VALUE(EVENT_KIND_NODE_BACK, "node-back"),
    VALUE(EVENT_KIND_VM_LOST, "vm-lost"),
    VALUE(EVENT_KIND_VM_PLACED, "vm-placed"),
    VALUE(EVENT_KIND_VM_WAITING, "vm-waiting"),
    VALUE(EVENT_KIND_CHANGED, "changed"),
    VALUE(EVENT_KIND_MODE, "mode"),
    VALUE(EVENT_KIND_ALARM, "alarm"),
    VALUE(EVENT_KIND_MIGRATION, "migration"),
    VALUE(EVENT_KIND_SCHEDULER_LATE, "scheduler-late"),
    VALUE(EVENT_KIND_PROFILE_OUTDATED, "profile-outdated"),
};
ENUM_BINDING(event_kind);

static const struct enum_value method_values[] = {
    VALUE(METHOD_UNSPECIFIED, "unspecified"),
    VALUE(METHOD_GET, "get"),
    VALUE(METHOD_STATUS, "status"),
    VALUE(METHOD_EVENTS, "events"),
    VALUE(METHOD_DECISIONS, "decisions"),
    VALUE(METHOD_METRICS, "metrics"),
    VALUE(METHOD_PLAN, "plan"),
    VALUE(METHOD_PUT, "put"),
    VALUE(METHOD_DELETE, "delete"),
    VALUE(METHOD_SET_VM, "set-vm"),
    VALUE(METHOD_SET_STATE, "set-state"),
    VALUE(METHOD_REBOOT, "reboot"),
    VALUE(METHOD_MOVE, "move"),
    VALUE(METHOD_CORDON, "cordon"),
    VALUE(METHOD_UNCORDON, "uncordon"),
    VALUE(METHOD_DRAIN, "drain"),
    VALUE(METHOD_CONFIRM_DEAD, "confirm-dead"),
    VALUE(METHOD_MODE, "mode"),
};
ENUM_BINDING(method);

static const struct enum_value reply_code_values[] = {
    VALUE(REPLY_DONE, "done"),         VALUE(REPLY_FAILED, "failed"),
    VALUE(REPLY_INVALID, "invalid"),   VALUE(REPLY_NOT_FOUND, "not-found"),
    VALUE(REPLY_DENIED, "denied"),     VALUE(REPLY_UNREACHABLE, "unreachable"),
    VALUE(REPLY_TIME_OUT, "time-out"), VALUE(REPLY_INFEASIBLE, "infeasible"),
    VALUE(REPLY_CONFLICT, "conflict"),
};
ENUM_BINDING(reply_code);

static const struct enum_value node_state_values[] = {
    VALUE(NODE_STATE_UNSPECIFIED, "unspecified"),
    VALUE(NODE_STATE_UNSEEN, "unseen"),
    VALUE(NODE_STATE_UP, "up"),
    VALUE(NODE_STATE_SUSPECT, "suspect"),
    VALUE(NODE_STATE_EXPIRED, "expired"),
    VALUE(NODE_STATE_DEAD, "dead"),
    VALUE(NODE_STATE_PARKED, "parked"),
};
ENUM_BINDING(node_state);

static const struct enum_value model_kind_values[] = {
    VALUE(MODEL_KIND_UNSPECIFIED, "unspecified"),
    VALUE(MODEL_KIND_RECIPROCAL, "reciprocal"),
    VALUE(MODEL_KIND_PS, "ps"),
    VALUE(MODEL_KIND_TABLE, "table"),
    VALUE(MODEL_KIND_FIXED, "fixed"),
};
ENUM_BINDING(model_kind);

static const struct enum_value model_basis_values[] = {
    VALUE(MODEL_BASIS_UNSPECIFIED, "unspecified"),
    VALUE(MODEL_BASIS_LEARNT, "learnt"),
    VALUE(MODEL_BASIS_PROFILE, "profile"),
    VALUE(MODEL_BASIS_EXTRAPOLATED, "extrapolated"),
};
ENUM_BINDING(model_basis);
