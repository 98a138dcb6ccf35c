// SPDX-License-Identifier: Apache-2.0
/*
 * The ledger: every change that the manager or a person made, why, what was predicted, what
 * came out, and who paid. Events are the single facts that people and scripts follow.
 */
#ifndef COMMON_MODEL_DECISION_H
#define COMMON_MODEL_DECISION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/model/object.h"
#include "common/model/reason.h"

enum decision_outcome {
    DECISION_OUTCOME_UNSPECIFIED = 0,
    DECISION_OUTCOME_ADVISED = 1, /* mode advise: not carried out */
    DECISION_OUTCOME_ORDERED = 2, /* orders are out */
    DECISION_OUTCOME_APPLIED = 3, /* every change was seen effective */
    DECISION_OUTCOME_FAILED = 4,
};

/* One cap moved. A negative step of a service that did not ask for it is a payment; a step from
 * 0 is the start of a VM whose node was lost. */
struct cap_change {
    char vm[NAME_SIZE];
    char service[NAME_SIZE];
    char node[NAME_SIZE];
    uint32_t from_pct;
    uint32_t to_pct;
    enum reason reason;
};

/* A service that the decision touches. x: measured / target; levels 0..1; NAN: unknown. */
struct level_change {
    char service[NAME_SIZE];
    double measured;       /* x */
    double measured_value; /* in its own unit: ms, s, share */
    double target_value;
    double load; /* requests/s, tasks left, ... */
    double level_before;
    double level_predicted;
    double level_after; /* filled in later */
    enum reason reason;
    enum model_basis basis; /* of the prediction */
};

struct decision {
    uint64_t id; /* shown as d-N */
    int64_t wall_ms;
    char service[NAME_SIZE]; /* that caused it; empty: a person or the cluster */
    char scheduler[NAME_SIZE];
    char principal[NAME_SIZE]; /* empty: the manager */
    enum reason reason;
    enum decision_outcome outcome;
    enum mode mode;
    uint32_t took_us;     /* to solve */
    double value;         /* sum of w log S that was predicted */
    double bound;         /* upper bound of it */
    char text[TEXT_SIZE]; /* one line: what and why */
    uint32_t caps_count;
    struct cap_change caps[DECISION_CHANGES_MAX];
    uint32_t levels_count;
    struct level_change levels[DECISION_CHANGES_MAX];
};

enum event_kind {
    EVENT_KIND_UNSPECIFIED = 0,
    EVENT_KIND_DECISION = 1,
    EVENT_KIND_ACTION = 2, /* an order was carried out or failed */
    EVENT_KIND_OBJECTIVE_MISSED = 3,
    EVENT_KIND_OBJECTIVE_MET = 4,
    EVENT_KIND_NODE_LOST = 5,
    EVENT_KIND_NODE_BACK = 6,
    EVENT_KIND_VM_LOST = 7,
    EVENT_KIND_VM_PLACED = 8,
    EVENT_KIND_VM_WAITING = 9,
    EVENT_KIND_CHANGED = 10, /* an object was written or deleted by a person */
    EVENT_KIND_MODE = 11,
    EVENT_KIND_ALARM = 12, /* someone must act; the text names the command */
    EVENT_KIND_MIGRATION = 13,
    EVENT_KIND_SCHEDULER_LATE = 14,
    EVENT_KIND_PROFILE_OUTDATED = 15, /* of a service: measure it again */
};
#define EVENT_KIND_COUNT 16

struct event_record {
    uint64_t id; /* rises without gaps */
    int64_t wall_ms;
    enum event_kind kind;
    enum reason reason;
    char service[NAME_SIZE]; /* each empty where it does not apply */
    char vm[NAME_SIZE];
    char node[NAME_SIZE];
    char owner[NAME_SIZE]; /* provider that may read it; empty: not for providers */
    uint64_t decision;
    uint64_t operation;
    char text[TEXT_SIZE];
};

const char *event_kind_word(enum event_kind kind);

#endif
