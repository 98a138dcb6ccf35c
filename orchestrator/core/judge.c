// SPDX-License-Identifier: Apache-2.0
/*
 * When a node is called silent, and when lost. Silence only keeps new VMs away; lost is a
 * matter of lease arithmetic alone (see membership.c), and nobody is judged by what happened
 * while this loop itself was stopped.
 */
#include "orchestrator/core/state.h"

#define ROUND_MS_MAX     250  /* nodes are judged this often ... */
#define ROUND_MS_DIVISOR 4    /* ... or this part of the renewal period */
#define LATE_MS          1000 /* a round that comes later than this judges nobody */
#define UNSEEN_EXTRA_MS  10000

static bool has_silence(const struct cluster *cluster, const struct node_record *node,
                        int64_t ms)
{
    return cluster->now_ms - node->heard_at_ms > ms;
}

static void alarm_about_vms(struct cluster *cluster, struct node_record *node,
                            enum reason reason, const char *what, struct effects *out)
{
    if (node->vms == 0 || node->alarm == reason) {
        return;
    }
    node->alarm = reason;
    (void)emit_event(
        cluster, EVENT_KIND_ALARM, reason, NULL, NULL, node->spec.node, out,
        "node %s %s: its %u VMs may still run there and are not started elsewhere. "
        "If it is really off: arbiter confirm-dead %s",
        node->spec.node, what, node->vms, node->spec.node);
}

static void judge_lease(struct cluster *cluster, struct node_record *node, struct effects *out)
{
    int64_t now_ms = cluster->now_ms;
    int64_t margin_ms = cluster->config.lease_margin_ms;
    if (now_ms < cluster->judge_after_ms) {
        return;
    }
    if (node->lease_acknowledged && now_ms > node->lease_expires_ms + margin_ms) {
        (void)membership_move(cluster, node, NODE_STATE_EXPIRED);
        (void)emit_event(cluster, EVENT_KIND_NODE_LOST, REASON_LEASE_EXPIRED, NULL, NULL,
                         node->spec.node, out,
                         "node %s is lost: silent for %lld s, its lease ran out",
                         node->spec.node, (long long)((now_ms - node->heard_at_ms) / 1000));
        recovery_node_expired(cluster, node, out);
    } else if (!node->lease_acknowledged &&
               has_silence(cluster, node, membership_full_lease_ms(cluster) + margin_ms)) {
        alarm_about_vms(cluster, node, REASON_NEEDS_CONFIRM,
                        "fell silent before it acknowledged a lease", out);
    }
}

static void judge(struct cluster *cluster, struct node_record *node, struct effects *out)
{
    switch (node->state) {
    case NODE_STATE_UP:
        if (has_silence(cluster, node, cluster->config.suspect_after_ms)) {
            (void)membership_move(cluster, node, NODE_STATE_SUSPECT);
            (void)emit_event(
                cluster, EVENT_KIND_ALARM, REASON_NODE_DOWN, NULL, NULL, node->spec.node, out,
                "node %s is silent for %lld s: nothing is placed there; look at its "
                "agent and its network",
                node->spec.node, (long long)((cluster->now_ms - node->heard_at_ms) / 1000));
        }
        judge_lease(cluster, node, out);
        break;
    case NODE_STATE_SUSPECT: judge_lease(cluster, node, out); break;
    case NODE_STATE_UNSEEN:
    case NODE_STATE_PARKED:
        if (node->seen) { /* its agent was stopped on purpose, in this epoch */
            if (has_silence(cluster, node,
                            membership_full_lease_ms(cluster) +
                                cluster->config.lease_margin_ms)) {
                alarm_about_vms(cluster, node, REASON_NEEDS_CONFIRM,
                                "has no agent since that was stopped", out);
            }
        } else if (cluster->now_ms > cluster->started_at_ms +
                                         membership_full_lease_ms(cluster) +
                                         cluster->config.lease_margin_ms + UNSEEN_EXTRA_MS) {
            alarm_about_vms(cluster, node, REASON_NOT_SEEN_THIS_EPOCH,
                            "did not speak since the orchestrator started", out);
        }
        break;
    case NODE_STATE_UNSPECIFIED:
    case NODE_STATE_EXPIRED:
    case NODE_STATE_DEAD: break;
    }
}

/* This loop was stopped: what it did not hear meanwhile says nothing about the nodes. */
static void forgive(struct cluster *cluster)
{
    int64_t until_ms =
        cluster->now_ms + membership_full_lease_ms(cluster) + cluster->config.lease_margin_ms;
    if (until_ms > cluster->judge_after_ms) {
        cluster->judge_after_ms = until_ms;
    }
    struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        node->heard_at_ms = cluster->now_ms;
    }
}

void membership_tick(struct cluster *cluster, struct effects *out)
{
    membership_start(cluster);
    int64_t now_ms = cluster->now_ms;
    if (cluster->nodes.count == 0 || now_ms < cluster->membership_at_ms) {
        return;
    }
    if (cluster->membership_at_ms != 0 && now_ms > cluster->membership_at_ms + LATE_MS) {
        forgive(cluster);
    }
    int64_t round_ms = cluster->config.renew_ms / ROUND_MS_DIVISOR;
    cluster->membership_at_ms = now_ms + (round_ms > ROUND_MS_MAX ? ROUND_MS_MAX
                                          : round_ms < 1          ? 1
                                                                  : round_ms);
    struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        if (!effects_room(out, VMS_PER_NODE_MAX * 8)) {
            cluster->membership_at_ms = now_ms; /* the rest in the next step */
            return;
        }
        judge(cluster, node, out);
    }
}

int64_t membership_deadline_ms(const struct cluster *cluster)
{
    if (!cluster->inherited_marked) {
        return cluster->now_ms;
    }
    return cluster->nodes.count == 0 ? INT64_MAX : cluster->membership_at_ms;
}

bool membership_settled(const struct cluster *cluster)
{
    if (cluster->now_ms >= cluster->started_at_ms + (int64_t)cluster->config.lease_ms) {
        return true;
    }
    const struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        if (node->state == NODE_STATE_UNSEEN || node->state == NODE_STATE_PARKED ||
            (node->state == NODE_STATE_UP && !node->snapshot_known)) {
            return false;
        }
    }
    return true;
}
