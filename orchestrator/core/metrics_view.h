// SPDX-License-Identifier: Apache-2.0
/*
 * The cluster as numbers for a monitoring system: a copy that another thread may read and
 * print, one row for each node, service and VM. Unknown is NAN.
 */
#ifndef ORCHESTRATOR_CORE_METRICS_VIEW_H
#define ORCHESTRATOR_CORE_METRICS_VIEW_H

#include "common/message/client_message.h"
#include "orchestrator/core/cluster.h"

struct metrics_service {
    char service[NAME_SIZE];
    enum service_kind kind;
    const char *statistic; /* of a web service: "mean", "p50", "p95"; never NULL */
    double level;
    double level_predicted; /* with the caps of the newest answer */
    double met;             /* 1, 0 */
    double missed_s;        /* in all since the orchestrator started */
    double response_s;      /* of a web service */
    double target_s;        /* of its response time */
    double request_rate;    /* requests/s */
    double age_s;           /* of the measurement */
    double tasks_done;      /* of a queue */
    double tasks_left;
    double slack_s;   /* from the predicted finish to the deadline, negative: too late */
    double speed;     /* of a cluster: share of undisturbed */
    double cap_cores; /* of all its VMs */
    double vms_wanted;
    double vms_running;
    double profile_outdated; /* 1: its profile is; 0 */
};

struct metrics_node {
    char node[NAME_SIZE];
    enum node_state state;
    double cpu_cores;    /* offered */
    double cpu_granted;  /* cores */
    double cpu_used;     /* cores, by all guests */
    double memory_bytes; /* offered */
    double memory_granted_bytes;
    double memory_free_bytes;
    double report_age_s; /* of the newest heartbeat */
    double lease_s;      /* left, as the orchestrator counts it; negative: run out */
    double vms;
    double messages_lost;
};

struct metrics_vm {
    char vm[NAME_SIZE];
    char service[NAME_SIZE];
    char node[NAME_SIZE];
    double running;  /* 1, 0 */
    double cap;      /* 1 is one whole CPU */
    double cpu_used; /* the same */
    double memory_bytes;
};

/* How many rows there are at present. */
struct metrics_rows {
    uint32_t services;
    uint32_t nodes;
    uint32_t vms;
};

struct metrics_view {
    struct cluster_status cluster;
    uint32_t vms_waiting;
    struct metrics_rows rows;
    struct metrics_service *services; /* memory of the caller */
    struct metrics_node *nodes;
    struct metrics_vm *vms;
};

void cluster_metrics_rows(const struct cluster *cluster, struct metrics_rows *out);

/* room: for how many rows out has memory; what does not fit is left out. Sorted as the core's
 * tables are, which is the same for the same history. */
void cluster_metrics_view(const struct cluster *cluster, const struct metrics_rows *room,
                          int64_t now_ms, struct metrics_view *out);

#endif
