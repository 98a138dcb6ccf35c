// SPDX-License-Identifier: Apache-2.0
/*
 * The scheduler protocol: the orchestrator asks a scheduler program for one service's proposal.
 * The plain data is that of schedulers/scheduler.h in a form without pointers.
 */
#ifndef COMMON_MESSAGE_SCHEDULER_MESSAGE_H
#define COMMON_MESSAGE_SCHEDULER_MESSAGE_H

#include "common/message/header.h"
#include "common/model/profile.h"
#include "common/model/service.h"

#define CURVE_POINTS_MAX 32

/* What a scheduler sees. Unknown measurements are NAN; an age of UINT32_MAX means never. */
struct service_view {
    char service[NAME_SIZE];
    enum service_kind kind;
    struct objective objective;
    struct queue queue;
    int64_t now_ms;
    uint32_t period_ms;
    double measured; /* x = measured / target */
    double load;     /* requests/s */
    uint32_t measurement_age_ms;
    double cpu_used_pct; /* of all its VMs */
    double tasks_done;
    int64_t started_ms;  /* same clock as now_ms */
    int64_t deadline_ms; /* same clock; 0: none */
    uint32_t vms_running;
    uint32_t cap_pct; /* granted now, in all */
    uint32_t cap_min_pct;
    uint32_t cap_max_pct;
};

enum model_kind {
    MODEL_KIND_UNSPECIFIED = 0,
    MODEL_KIND_RECIPROCAL = 1, /* x = demand_pct / r */
    MODEL_KIND_PS = 2,         /* x = a_pct / (r - b_pct), infinite at r <= b_pct */
    MODEL_KIND_TABLE = 3,      /* linear in 1/x between points, clamped outside */
    MODEL_KIND_FIXED = 4,      /* wants exactly want_pct */
};

struct curve_point {
    uint32_t cap_pct;
    double x;
};

/* What a scheduler wants: predicted x for each allocation. r is the sum of caps times speed. */
struct proposal {
    char service[NAME_SIZE];
    enum model_kind model;
    double demand_pct;
    double a_pct;
    double b_pct;
    uint32_t
        want_pct; /* the allocation that it asks for; 0: whatever the optimizer finds best */
    uint32_t vms_wanted; /* 0: as they are */
    uint32_t reason;     /* enum reason: why it asks */
    uint32_t points_count;
    struct curve_point points[CURVE_POINTS_MAX];
    enum model_basis basis;
    bool learnt;      /* the measurement of this view was a quiet one: it holds for its cap */
    bool outdated;    /* seen now, and told once: what it rested on does not hold any more */
    double deviation; /* if so: CPU that it takes over what was said, as a factor */
};

enum scheduler_message_type {
    SCHEDULER_MESSAGE_UNSPECIFIED = 0,
    SCHEDULER_MESSAGE_VIEW = 1,
    SCHEDULER_MESSAGE_PROPOSAL = 2,
};

struct scheduler_message {
    struct header header;
    enum scheduler_message_type type;
    union {
        struct service_view view;
        struct proposal proposal;
    };
};

#endif
