// SPDX-License-Identifier: Apache-2.0
/*
 * Who is there: what agents say about themselves, their leases, and the states of nodes.
 *
 *             speaks             silent
 *   UNSEEN ------------> UP <-------------> SUSPECT
 *                       ^ |      speaks        |
 *   PARKED --- speaks --+ +-- lease ran out ---+--> EXPIRED --- speaks ---> UP
 *
 *   any but UP --- confirmed by a person ---> DEAD --- speaks ---> UP
 *   UP, SUSPECT --- clean stop of the orchestrator, or of the agent ---> PARKED
 *
 * EXPIRED is reached by arithmetic over acknowledged leases only, never by silence.
 *
 * Why a lease proves something: an agent counts its lease from the instant at which it asked,
 * this side from the instant at which it heard the question plus a margin for clocks that drift
 * apart. So lease_expires_ms here is never earlier than the instant at which the node ends its
 * protected VMs. That holds only for a node that said that it got a grant of this epoch; others
 * are never judged.
 *
 * Why a returning node gets no lease at once: the order to start a VM may have been on the way
 * when the connection broke. It arrives when that heals, the agent keeps it until it has a
 * lease, and by then the VM may run elsewhere. So first a grant of no use goes out. When the
 * node answers it, everything older has arrived (the connection keeps its order), the snapshot
 * after that shows what is pending, and the orders that end it go out before the first lease.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/state.h"

#define DRIFT_DIVISOR  100 /* clocks may drift apart by 1 % */
#define DRIFT_FIXED_MS 1000
#define PROBE_LEASE_MS 1 /* over before it arrives */

int64_t membership_full_lease_ms(const struct cluster *cluster)
{
    return (int64_t)cluster->config.lease_ms + cluster->config.lease_ms / DRIFT_DIVISOR +
           DRIFT_FIXED_MS;
}

/* ---- states ---- */

#define BIT(state) (1u << (state))

bool membership_move(struct cluster *cluster, struct node_record *node, enum node_state to)
{
    static const unsigned allowed[] = {
        [NODE_STATE_UNSPECIFIED] = BIT(NODE_STATE_UNSEEN) | BIT(NODE_STATE_UP) |
                                   BIT(NODE_STATE_DEAD) | BIT(NODE_STATE_PARKED),
        [NODE_STATE_UNSEEN] =
            BIT(NODE_STATE_UP) | BIT(NODE_STATE_DEAD) | BIT(NODE_STATE_PARKED),
        [NODE_STATE_UP] =
            BIT(NODE_STATE_SUSPECT) | BIT(NODE_STATE_EXPIRED) | BIT(NODE_STATE_PARKED),
        [NODE_STATE_SUSPECT] = BIT(NODE_STATE_UP) | BIT(NODE_STATE_EXPIRED) |
                               BIT(NODE_STATE_DEAD) | BIT(NODE_STATE_PARKED),
        [NODE_STATE_EXPIRED] = BIT(NODE_STATE_UP) | BIT(NODE_STATE_DEAD),
        [NODE_STATE_DEAD] = BIT(NODE_STATE_UP),
        [NODE_STATE_PARKED] = BIT(NODE_STATE_UP) | BIT(NODE_STATE_DEAD),
    };
    if (node->state == to) {
        return false;
    }
    assert((unsigned)node->state < sizeof allowed / sizeof *allowed);
    assert((allowed[node->state] & BIT(to)) != 0);
    if (to == NODE_STATE_EXPIRED) {
        assert(node->lease_acknowledged);
        assert(cluster->now_ms > node->lease_expires_ms);
    }
    node->state = to;
    return true;
}

/* A node that spoke is up, whatever it was before. */
static void speak(struct cluster *cluster, struct node_record *node, struct effects *out)
{
    enum node_state before = node->state;
    node->heard_at_ms = cluster->now_ms;
    node->seen = true;
    if (before == NODE_STATE_EXPIRED || before == NODE_STATE_DEAD) {
        node->returning = true;
        node->probe_needed = true;
        node->returned_at_ms = cluster->now_ms;
        node->probe_sequence = 0;
        node->lease_acknowledged = false;
    }
    if (!membership_move(cluster, node, NODE_STATE_UP)) {
        return;
    }
    node->alarm = REASON_NONE;
    if (node->life.confirmed_dead || node->life.parked) {
        node->life.confirmed_dead = false;
        node->life.parked = false;
        emit_node_epoch(cluster, node, out);
    }
    if (before == NODE_STATE_SUSPECT) {
        (void)emit_event(cluster, EVENT_KIND_NODE_BACK, REASON_NONE, NULL, NULL,
                         node->spec.node, out, "node %s speaks again", node->spec.node);
        return;
    }
    if (before == NODE_STATE_EXPIRED || before == NODE_STATE_DEAD) {
        (void)emit_event(cluster, EVENT_KIND_NODE_BACK, REASON_NONE, NULL, NULL,
                         node->spec.node, out, "node %s is back", node->spec.node);
    }
    recovery_node_back(cluster, node, out);
}

/* ---- identity ---- */

/*
 * Messages carry the agent's incarnation. Only a hello, or the first words in this epoch, bring
 * a new one; the one before it is over for good, so its late messages cannot undo what the new
 * one said.
 */
static bool accept_incarnation(struct node_record *node, const char *incarnation, bool is_hello)
{
    if (strcmp(node->incarnation, incarnation) == 0 && node->seen) {
        return true;
    }
    if (node->seen && (!is_hello || strcmp(node->previous_incarnation, incarnation) == 0)) {
        return false;
    }
    memcpy(node->previous_incarnation, node->incarnation, sizeof node->previous_incarnation);
    (void)snprintf(node->incarnation, sizeof node->incarnation, "%s", incarnation);
    node->renew_sequence = 0;
    node->snapshot_number = 0;
    node->snapshot_known = false;
    node->lease_acknowledged = false; /* lease_expires_ms stays: the old one may still run */
    node->telemetry_sequence = 0;
    node->probe_sequence = 0;
    node->returning = true;
    return true;
}

static struct node_record *find_or_add(struct cluster *cluster, const char *name,
                                       struct effects *out)
{
    struct node_record *node = table_find(&cluster->nodes, name);
    if (node != NULL) {
        return node;
    }
    node = table_add(&cluster->nodes, name);
    if (node == NULL) {
        if (!cluster->nodes_full_told && out != NULL) {
            cluster->nodes_full_told = true;
            (void)emit_event(cluster, EVENT_KIND_ALARM, REASON_LIMIT, NULL, NULL, name, out,
                             "node %s is ignored: %u nodes is the limit; raise nodes_max", name,
                             cluster->nodes.capacity);
        }
        return NULL;
    }
    node->spec.version = 1;
    node->state = NODE_STATE_UNSEEN;
    node->alarm = REASON_NONE;
    return node;
}

/* What the store knew belongs to earlier epochs: what they ordered is not known here. */
void membership_start(struct cluster *cluster)
{
    if (cluster->inherited_marked) {
        return;
    }
    cluster->inherited_marked = true;
    struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&cluster->vms, &i)) != NULL;) {
        vm->inherited_generation = vm->vm.generation;
        if (vm->vm.node[0] != '\0' && table_find(&cluster->nodes, vm->vm.node) == NULL) {
            (void)find_or_add(cluster, vm->vm.node, NULL);
            cluster_count_vm(cluster, vm);
        }
    }
    struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        if (node->life.confirmed_dead) {
            (void)membership_move(cluster, node, NODE_STATE_DEAD);
        } else if (node->life.parked) {
            (void)membership_move(cluster, node, NODE_STATE_PARKED);
        }
    }
}

/* ---- model nodes and real ones never mix ---- */

static enum node_kind kind_of(const struct node_status *status)
{
    if ((status->capabilities & CAPABILITY_MODEL) != 0) {
        return NODE_KIND_MODEL;
    }
    return (status->capabilities & CAPABILITY_CREATE) != 0 ? NODE_KIND_REAL : NODE_KIND_NONE;
}

static bool has_hypervisor(enum node_kind kind)
{
    return kind == NODE_KIND_REAL || kind == NODE_KIND_MODEL;
}

/* The kind of the nodes that hold VMs, else that of the first node that spoke. */
static enum node_kind kind_of_cluster(const struct cluster *cluster)
{
    const struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        if (has_hypervisor(node->kind) && node->vms > 0) {
            return node->kind;
        }
    }
    return cluster->first_kind;
}

static void judge_mixing(struct cluster *cluster, struct effects *out)
{
    enum node_kind wanted = kind_of_cluster(cluster);
    struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        bool mixed = has_hypervisor(node->kind) && node->kind != wanted;
        if (mixed && !node->mixed) {
            (void)emit_event(
                cluster, EVENT_KIND_ALARM, REASON_NODE_MIXED, NULL, NULL, node->spec.node, out,
                "node %s (%s) gets no VMs: the other nodes are %s; model nodes and "
                "real ones never share a cluster",
                node->spec.node, node->status.driver,
                wanted == NODE_KIND_MODEL ? "model nodes" : "real");
        }
        node->mixed = mixed;
        if (mixed) {
            node->status.capabilities = 0;
        }
    }
}

static void take_status(struct cluster *cluster, struct node_record *node,
                        const struct node_status *status, struct effects *out)
{
    enum node_kind before = node->kind;
    node->status = *status;
    node->kind = kind_of(status);
    if (cluster->first_kind == NODE_KIND_UNKNOWN && has_hypervisor(node->kind)) {
        cluster->first_kind = node->kind;
    }
    if (before != node->kind) {
        judge_mixing(cluster, out);
    } else if (node->mixed) {
        node->status.capabilities = 0;
    }
}

/* ---- messages of agents ---- */

static void send_welcome(struct cluster *cluster, const struct node_record *node,
                         struct effects *out)
{
    struct node_message *message =
        emit_message(cluster, node->spec.node, NODE_MESSAGE_WELCOME, out);
    memcpy(message->welcome.node, node->spec.node, sizeof message->welcome.node);
    message->welcome.lease_ms = cluster->config.lease_ms;
    message->welcome.renew_ms = cluster->config.renew_ms;
    message->welcome.snapshot_ms = cluster->config.snapshot_ms;
    message->welcome.metrics_ms = cluster->config.metrics_ms;
}

/* An agent that served a later epoch obeys another orchestrator, or our store is an old copy.
 */
static bool is_of_later_epoch(struct cluster *cluster, struct node_record *node,
                              uint64_t epoch_seen, struct effects *out)
{
    if (epoch_seen <= cluster->epoch) {
        return false;
    }
    if (node->alarm != REASON_STALE_EPOCH) {
        node->alarm = REASON_STALE_EPOCH;
        (void)emit_event(
            cluster, EVENT_KIND_ALARM, REASON_STALE_EPOCH, NULL, NULL, node->spec.node, out,
            "node %s already served epoch %llu, ours is %llu: another orchestrator "
            "runs, or this store is an old copy; stop this one",
            node->spec.node, (unsigned long long)epoch_seen,
            (unsigned long long)cluster->epoch);
    }
    return true;
}

static void hear_hello(struct cluster *cluster, struct node_record *node,
                       const struct hello *hello, struct effects *out)
{
    if (is_of_later_epoch(cluster, node, hello->epoch_seen, out) ||
        !accept_incarnation(node, hello->incarnation, true)) {
        return;
    }
    speak(cluster, node, out);
    take_status(cluster, node, &hello->status, out);
    send_welcome(cluster, node, out);
}

/* Orders that were sent before a grant which the agent has are no longer on the way: the
 * control connection keeps its order. */
static void take_acknowledgement(struct cluster *cluster, struct node_record *node,
                                 const struct renew *renew, struct effects *out)
{
    if (renew->granted_epoch != cluster->epoch || renew->granted_sequence == 0) {
        return;
    }
    node->lease_acknowledged = true;
    if (node->life.acknowledged_epoch != cluster->epoch) {
        node->life.acknowledged_epoch = cluster->epoch;
        emit_node_epoch(cluster, node, out);
    }
    if (node->probe_sequence != 0 && renew->granted_sequence >= node->probe_sequence) {
        node->answered_at_ms = node->probe_at_ms;
        node->probe_sequence = 0;
        if (node->returning) {
            send_welcome(cluster, node, out); /* which it answers by a snapshot */
        }
    }
}

static void hear_renew(struct cluster *cluster, struct node_record *node,
                       const struct node_message *message, struct effects *out)
{
    const struct renew *renew = &message->renew;
    if (is_of_later_epoch(cluster, node, renew->granted_epoch, out) ||
        !accept_incarnation(node, renew->incarnation, false) ||
        renew->sequence <= node->renew_sequence) {
        return;
    }
    node->renew_sequence = renew->sequence;
    speak(cluster, node, out);
    if (message->header.epoch != cluster->epoch) {
        send_welcome(cluster, node, out); /* it does not know yet that a new epoch began */
    }
    node->protected_vms = renew->protected_vms;
    take_acknowledgement(cluster, node, renew, out);
    if (!node->snapshot_known) {
        return;
    }
    int64_t expires_ms = cluster->now_ms + membership_full_lease_ms(cluster);
    if (expires_ms > node->lease_expires_ms) {
        node->lease_expires_ms = expires_ms;
    }
    struct node_message *answer =
        emit_message(cluster, node->spec.node, NODE_MESSAGE_GRANT, out);
    answer->grant.sequence = renew->sequence;
    answer->grant.sent_at_ms = renew->sent_at_ms;
    answer->grant.lease_ms = node->returning ? PROBE_LEASE_MS : cluster->config.lease_ms;
    if (node->probe_sequence == 0) {
        node->probe_sequence = renew->sequence;
        node->probe_at_ms = cluster->now_ms;
    }
}

static void hear_snapshot(struct cluster *cluster, struct node_record *node,
                          const struct node_message *message, struct effects *out)
{
    const struct snapshot *snapshot = &message->snapshot;
    if (message->header.epoch != cluster->epoch) {
        return; /* from before it heard of this epoch: orders of the last one may come after it
                 */
    }
    if (!accept_incarnation(node, snapshot->incarnation, false) ||
        (node->snapshot_known && snapshot->number <= node->snapshot_number)) {
        return;
    }
    speak(cluster, node, out);
    take_status(cluster, node, &snapshot->status, out);
    node->snapshot_number = snapshot->number;
    node->snapshot_known = true;
    reconcile_snapshot(cluster, node, snapshot, out);
    entries_snapshot(cluster, node, snapshot, out);
    if (!node->probe_needed || node->answered_at_ms >= node->returned_at_ms) {
        node->returning = false;
        node->probe_needed = false;
    }
}

/*
 * Counts what was lost on the telemetry socket. False for an old message. A heartbeat names its
 * incarnation, so it may also start the count anew when that stands too high.
 */
static bool take_sequence(struct node_record *node, uint64_t sequence, bool names_incarnation)
{
    if (sequence == 0) {
        return true; /* not numbered */
    }
    if (node->telemetry_sequence != 0 && sequence <= node->telemetry_sequence) {
        if (names_incarnation) {
            node->telemetry_sequence = sequence;
        }
        return false;
    }
    if (node->telemetry_sequence != 0) {
        node->telemetry_lost += sequence - node->telemetry_sequence - 1;
    }
    node->telemetry_sequence = sequence;
    return true;
}

/* A heartbeat tells that an agent is alive; only the control connection can bring a lost one
 * back. */
static void hear_heartbeat(struct cluster *cluster, struct node_record *node,
                           const struct node_message *message, struct effects *out)
{
    if (!node->seen || strcmp(node->incarnation, message->heartbeat.incarnation) != 0 ||
        !take_sequence(node, message->header.sequence, true)) {
        return;
    }
    node->heartbeat_at_ms = cluster->now_ms;
    node->lateness_ms = message->heartbeat.lateness_ms;
    if (node->state == NODE_STATE_UP || node->state == NODE_STATE_SUSPECT) {
        speak(cluster, node, out);
    }
}

/* An agent stops on purpose and its VMs go on: its lease proves nothing from now on, and what
 * this process says later counts no more. A repeated LEAVE is answered again. */
static void hear_leave(struct cluster *cluster, struct node_record *node,
                       const struct leave *leave, struct effects *out)
{
    bool again = node->state == NODE_STATE_PARKED &&
                 strcmp(node->previous_incarnation, leave->incarnation) == 0;
    if (!again && !accept_incarnation(node, leave->incarnation, false)) {
        return;
    }
    if (!again) {
        node->heard_at_ms = cluster->now_ms;
        node->seen = true;
        if (node->state == NODE_STATE_EXPIRED || node->state == NODE_STATE_DEAD ||
            node->probe_needed) {
            return; /* its VMs may be elsewhere by now: its fence must do its work */
        }
        (void)membership_move(cluster, node, NODE_STATE_PARKED);
        node->lease_acknowledged = false;
        node->life.parked = true;
        emit_node_epoch(cluster, node, out);
        memcpy(node->previous_incarnation, node->incarnation,
               sizeof node->previous_incarnation);
        memset(node->incarnation, 0, sizeof node->incarnation);
    }
    struct node_message *answer =
        emit_message(cluster, node->spec.node, NODE_MESSAGE_PARK, out);
    (void)snprintf(answer->park.why, sizeof answer->park.why, "the agent stops");
}

void membership_step(struct cluster *cluster, const struct cluster_event *event,
                     struct effects *out)
{
    const struct node_message *message = event->node.message;
    if (cluster->stopping) {
        return;
    }
    membership_start(cluster);
    bool makes_node = message->type == NODE_MESSAGE_HELLO ||
                      message->type == NODE_MESSAGE_RENEW ||
                      message->type == NODE_MESSAGE_SNAPSHOT;
    struct node_record *node = makes_node ? find_or_add(cluster, event->node.name, out)
                                          : table_find(&cluster->nodes, event->node.name);
    if (node == NULL) {
        return;
    }
    switch (message->type) {
    case NODE_MESSAGE_HELLO: hear_hello(cluster, node, &message->hello, out); break;
    case NODE_MESSAGE_RENEW: hear_renew(cluster, node, message, out); break;
    case NODE_MESSAGE_SNAPSHOT: hear_snapshot(cluster, node, message, out); break;
    case NODE_MESSAGE_RESULT:
        if (node->state == NODE_STATE_UP || node->state == NODE_STATE_SUSPECT) {
            node->heard_at_ms = cluster->now_ms;
            reconcile_result(cluster, node, &message->result, out);
        }
        break;
    case NODE_MESSAGE_HEARTBEAT: hear_heartbeat(cluster, node, message, out); break;
    case NODE_MESSAGE_METRICS:
        if (node->seen && take_sequence(node, message->header.sequence, false)) {
            metrics_store(cluster, node, &message->metrics);
        }
        break;
    case NODE_MESSAGE_LEAVE: hear_leave(cluster, node, &message->leave, out); break;
    case NODE_MESSAGE_UNSPECIFIED: /* and what only an orchestrator sends */
    case NODE_MESSAGE_WELCOME:
    case NODE_MESSAGE_GRANT:
    case NODE_MESSAGE_VM_ORDER:
    case NODE_MESSAGE_ENTRY_ORDER:
    case NODE_MESSAGE_PARK: break;
    }
}

void membership_stop(struct cluster *cluster, struct effects *out)
{
    struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        if (node->state != NODE_STATE_UP && node->state != NODE_STATE_SUSPECT) {
            continue;
        }
        struct node_message *message =
            emit_message(cluster, node->spec.node, NODE_MESSAGE_PARK, out);
        (void)snprintf(message->park.why, sizeof message->park.why, "orchestrator stops");
        (void)membership_move(cluster, node, NODE_STATE_PARKED);
        node->life.parked = true;
        emit_node_epoch(cluster, node, out);
    }
}
