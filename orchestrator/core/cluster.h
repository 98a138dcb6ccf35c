// SPDX-License-Identifier: Apache-2.0
/*
 * The orchestrator's core: the state of the cluster and one step function. No clock, no I/O, no
 * globals, no log; the same state and event give the same effects. The daemon and the simulator
 * run this same code.
 */
#ifndef ORCHESTRATOR_CORE_CLUSTER_H
#define ORCHESTRATOR_CORE_CLUSTER_H

#include "common/err.h"
#include "orchestrator/core/effect.h"
#include "orchestrator/core/event.h"

struct cluster;

struct cluster_config {
    uint32_t services_max; /* each limit: 0 takes the default in cluster.c */
    uint32_t vms_max;
    uint32_t nodes_max;
    uint32_t objects_max; /* of each other kind */
    uint32_t metrics_max;
    uint32_t lease_ms;          /* default 15 s, 10..120 s (the simulator may go lower) */
    uint32_t lease_margin_ms;   /* default 5 s */
    uint32_t renew_ms;          /* default 1 s */
    uint32_t snapshot_ms;       /* default 10 s; agents also send one at every change */
    uint32_t metrics_ms;        /* default 1 s */
    uint32_t suspect_after_ms;  /* heartbeats missing this long; default 3 s */
    uint32_t control_period_ms; /* default 5 s, when the settings object has none */
    uint32_t stale_after_ms; /* a measurement older than this is unknown; default 3 periods */
    enum mode mode;          /* of a cluster without settings object; default advise */
    uint64_t seed;           /* of uuids */
};

/* All memory is allocated here. NULL with err on -ENOMEM or a setting out of range. */
struct cluster *cluster_create(const struct cluster_config *config, struct err *err);
void cluster_destroy(struct cluster *cluster);

/* Effects are appended to out, which the caller has cleared. */
void cluster_step(struct cluster *cluster, const struct cluster_event *event,
                  struct effects *out);

/* When the next TICK is wanted, on the clock of event.now_ms; INT64_MAX: never. */
int64_t cluster_deadline_ms(const struct cluster *cluster);

/*
 * Reading: calls take() for each item that the request asks for and that owner (NULL:
 * everybody's) may see, at most request->limit items from the cursor request->after on. The
 * item is borrowed for the call. Returns the cursor for the rest, 0 when that was all.
 */
typedef void (*take_item)(void *context, const struct item *item);
uint64_t cluster_items(const struct cluster *cluster, const struct request *request,
                       const char *owner, int64_t now_ms, take_item take, void *context);

/* No operation was given this number or a higher one: where a core that replaces this one
 * begins. */
uint64_t cluster_next_operation(const struct cluster *cluster);

/* For one line in a status display: mode, nodes, services, mean level. */
void cluster_summary(const struct cluster *cluster, struct cluster_status *out);

#endif
