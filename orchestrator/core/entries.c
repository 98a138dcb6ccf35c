// SPDX-License-Identifier: Apache-2.0
/*
 * Entry points: which gateway runs the one of a service, which servers are behind it, and how
 * much each gets. An order is the whole entry point and goes out only when its content changed;
 * it is sent again until the gateway's snapshot calls it done.
 *
 * A VM leaves as soon as it is not shown running on a node that is not lost; it comes when it
 * is shown running with an address. After a restart of the orchestrator nothing is ordered
 * before the nodes have said what runs, because an entry point without servers would cut off
 * users that are served well.
 */
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/state.h"

#define ROUND_MS          1000
#define RESEND_MS         3000
#define WEIGHT_MAX        256u
#define ROOM_PER_ENTRY    4
#define DEFAULT_PORT      80
#define DEFAULT_WINDOW_MS 30000

static bool has_entry(const struct service_record *service)
{
    return service->spec.has_entry && !service->deleting;
}

/* ---- the gateway ---- */

static bool is_gateway(const struct node_record *node)
{
    return (node->status.capabilities & CAPABILITY_GATEWAY) != 0 && !node->mixed;
}

static bool is_lost(const struct node_record *node)
{
    return node->state == NODE_STATE_EXPIRED || node->state == NODE_STATE_DEAD;
}

/* The one with the fewest entry points, ties by name; NULL when none is up. */
static struct node_record *choose_gateway(const struct cluster *cluster)
{
    struct node_record *best = NULL;
    struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        if (node->state != NODE_STATE_UP || !node->snapshot_known || !is_gateway(node) ||
            node->spec.draining) {
            continue;
        }
        if (best == NULL || node->entries < best->entries ||
            (node->entries == best->entries && strcmp(node->spec.node, best->spec.node) < 0)) {
            best = node;
        }
    }
    return best;
}

static void tell_gateway(struct cluster *cluster, const struct service_record *service,
                         const char *before, struct effects *out)
{
    if (before[0] == '\0') {
        (void)emit_event(cluster, EVENT_KIND_ACTION, REASON_NONE, service, NULL,
                         service->gateway, out, "entry point %s of service %s is run by %s",
                         service->spec.entry.listen, service->spec.service, service->gateway);
    } else {
        (void)emit_event(
            cluster, EVENT_KIND_ACTION, REASON_NODE_DOWN, service, NULL, service->gateway, out,
            "entry point %s of service %s moves from lost gateway %s to %s",
            service->spec.entry.listen, service->spec.service, before, service->gateway);
    }
}

/* Models spread their load by the VMs' shares: there, having no gateway is no problem. */
static bool needs_none(const struct cluster *cluster)
{
    return cluster->first_kind == NODE_KIND_MODEL;
}

/* The gateway that orders go to now; NULL: none may be sent. */
static struct node_record *gateway_of(struct cluster *cluster, struct service_record *service,
                                      struct effects *out)
{
    struct node_record *node =
        service->gateway[0] == '\0' ? NULL : table_find(&cluster->nodes, service->gateway);
    if (node != NULL && !is_lost(node)) {
        return node->state == NODE_STATE_UP && node->snapshot_known ? node : NULL;
    }
    if (!membership_settled(cluster)) {
        return NULL; /* the one that runs it may not have spoken yet */
    }
    node = choose_gateway(cluster);
    if (node == NULL) {
        (void)snprintf(service->entry_problem, sizeof service->entry_problem, "%s",
                       needs_none(cluster) ? "" : "no node with the role gateway is up");
        return NULL;
    }
    char before[NAME_SIZE];
    memcpy(before, service->gateway, sizeof before);
    memcpy(service->gateway, node->spec.node, sizeof service->gateway);
    node->entries++;
    service->entry_hash = 0;
    service->entry_problem[0] = '\0';
    tell_gateway(cluster, service, before, out);
    return node;
}

/* ---- the content ---- */

/* "10.0.0.11/24" -> "10.0.0.11". */
static void copy_host(char out[ADDRESS_SIZE], const char *address)
{
    size_t length = strcspn(address, "/");
    length = length < ADDRESS_SIZE ? length : ADDRESS_SIZE - 1;
    memcpy(out, address, length);
    out[length] = '\0';
}

static void add_server(const struct cluster *cluster, const struct vm_record *vm,
                       struct entry_order *order)
{
    bool leaves = reconcile_leaves(vm);
    bool runs = vm->status_known && vm->status.state == RUN_STATE_RUNNING;
    bool serves = reconcile_is_serving(cluster, vm);
    if (!runs || (!serves && !leaves) || vm->status.address[0] == '\0' ||
        order->servers_count == ENTRY_SERVERS_MAX) {
        return;
    }
    const struct vm_group *group = cluster_group_of(cluster, vm);
    struct entry_server *server = &order->servers[order->servers_count++];
    memcpy(server->vm, vm->vm.vm, sizeof server->vm);
    copy_host(server->address, vm->status.address);
    server->port = group == NULL || group->port == 0 ? DEFAULT_PORT : group->port;
    server->weight = vm->vm.cap_pct; /* scaled when all are known */
    server->drain = leaves;
}

/* The largest cap weighs most; the others in proportion. */
static void scale_weights(struct entry_order *order)
{
    uint32_t largest = 1;
    for (uint32_t i = 0; i < order->servers_count; i++) {
        largest = order->servers[i].weight > largest ? order->servers[i].weight : largest;
    }
    for (uint32_t i = 0; i < order->servers_count; i++) {
        uint64_t weight = ((uint64_t)order->servers[i].weight * WEIGHT_MAX) / largest;
        order->servers[i].weight = weight == 0 ? 1 : (uint32_t)weight;
    }
}

static void fill(const struct cluster *cluster, const struct service_record *service,
                 struct entry_order *order)
{
    memset(order, 0, sizeof *order);
    memcpy(order->service, service->spec.service, sizeof order->service);
    order->entry = service->spec.entry;
    uint32_t window_ms = service->spec.objective.response_time.window_ms;
    order->window_ms = window_ms == 0 ? DEFAULT_WINDOW_MS : window_ms;
    uint32_t slot = 0;
    const struct vm_record *vm = NULL;
    while ((vm = cluster_next_vm_of(cluster, service, &slot)) != NULL) {
        add_server(cluster, vm, order);
    }
    scale_weights(order);
}

static uint64_t hash_of(const struct entry_order *order)
{
    uint64_t hash = orders_mix_text(ORDERS_HASH_START, order->entry.listen);
    hash = orders_mix_text(hash, order->entry.check_path);
    hash = orders_mix(hash, order->entry.check_every_ms);
    hash = orders_mix(hash, order->window_ms);
    for (uint32_t i = 0; i < order->servers_count; i++) {
        const struct entry_server *server = &order->servers[i];
        hash = orders_mix_text(hash, server->vm);
        hash = orders_mix_text(hash, server->address);
        hash = orders_mix(hash, server->port);
        hash = orders_mix(hash, ((uint64_t)server->weight << 1) | (server->drain ? 1u : 0u));
    }
    return hash == 0 ? 1 : hash;
}

/* Some of its VMs may run on nodes that did not speak yet in this epoch. */
static bool is_unclear(const struct cluster *cluster, const struct service_record *service)
{
    uint32_t slot = 0;
    const struct vm_record *vm = NULL;
    while ((vm = cluster_next_vm_of(cluster, service, &slot)) != NULL) {
        if (reconcile_is_serving(cluster, vm) && !vm->status_known) {
            return true;
        }
    }
    return false;
}

/* ---- orders ---- */

static void send(struct cluster *cluster, struct service_record *service,
                 const struct entry_order *order, const char *gateway, struct effects *out)
{
    struct node_message *message =
        emit_message(cluster, gateway, NODE_MESSAGE_ENTRY_ORDER, out);
    message->entry_order = *order;
    message->entry_order.operation = service->entry_operation;
    service->entry_sent_at_ms = cluster->now_ms;
}

void entries_service(struct cluster *cluster, struct service_record *service,
                     struct effects *out)
{
    if (!has_entry(service)) {
        if (service->gateway[0] != '\0') {
            entries_remove(cluster, service, out);
        }
        return;
    }
    if (!effects_room(out, ROOM_PER_ENTRY)) {
        return; /* the round comes by again */
    }
    const struct node_record *gateway = gateway_of(cluster, service, out);
    if (gateway == NULL || is_unclear(cluster, service)) {
        service->entry_hash = 0; /* the round tries again */
        return;
    }
    struct entry_order *order = effects_alloc(out, sizeof *order);
    fill(cluster, service, order);
    uint64_t hash = hash_of(order);
    if (hash != service->entry_hash) {
        service->entry_hash = hash;
        service->entry_operation = cluster->next_operation++;
        send(cluster, service, order, gateway->spec.node, out);
    } else if (service->entry_done < service->entry_operation &&
               cluster->now_ms >= service->entry_sent_at_ms + RESEND_MS) {
        send(cluster, service, order, gateway->spec.node, out);
    }
}

static void send_remove(struct cluster *cluster, const char *service, const char *gateway,
                        struct effects *out)
{
    struct node_message *message =
        emit_message(cluster, gateway, NODE_MESSAGE_ENTRY_ORDER, out);
    message->entry_order.operation = cluster->next_operation++;
    message->entry_order.remove = true;
    (void)snprintf(message->entry_order.service, sizeof message->entry_order.service, "%s",
                   service);
}

/* A gateway that is away now is told when its snapshot shows that it still runs it. */
void entries_remove(struct cluster *cluster, struct service_record *service,
                    struct effects *out)
{
    const struct node_record *node =
        service->gateway[0] == '\0' ? NULL : table_find(&cluster->nodes, service->gateway);
    if (node != NULL && node->state == NODE_STATE_UP) {
        send_remove(cluster, service->spec.service, node->spec.node, out);
    }
    service->gateway[0] = '\0';
    service->entry_hash = 0;
    service->entry_operation = 0;
    service->entry_done = 0;
    service->entry_problem[0] = '\0';
}

/* ---- what gateways show ---- */

static void take_status(struct cluster *cluster, struct service_record *service,
                        const struct entry_status *status, struct effects *out)
{
    bool is_news = status->problem_text[0] != '\0' &&
                   strcmp(service->entry_problem, status->problem_text) != 0;
    service->entry_done = status->operation_done;
    memcpy(service->entry_problem, status->problem_text, sizeof service->entry_problem);
    service->entry_problem[sizeof service->entry_problem - 1] = '\0';
    if (is_news) {
        (void)emit_event(cluster, EVENT_KIND_ALARM, REASON_DRIVER, service, NULL,
                         service->gateway, out, "entry point of service %s on %s: %.150s",
                         service->spec.service, service->gateway, service->entry_problem);
    }
}

static bool lists(const struct snapshot *snapshot, const char *service)
{
    for (uint32_t i = 0; i < snapshot->entries_count; i++) {
        if (strcmp(snapshot->entries[i].service, service) == 0) {
            return true;
        }
    }
    return false;
}

/* A gateway that lost what it ran (another host under the same name, say) is told again. */
static void take_missing(struct cluster *cluster, const struct node_record *node,
                         const struct snapshot *snapshot)
{
    struct service_record *service = NULL;
    for (uint32_t i = 0; (service = table_next(&cluster->services, &i)) != NULL;) {
        if (service->entry_done != 0 && strcmp(service->gateway, node->spec.node) == 0 &&
            !lists(snapshot, service->spec.service)) {
            service->entry_done = 0;
        }
    }
}

void entries_snapshot(struct cluster *cluster, struct node_record *node,
                      const struct snapshot *snapshot, struct effects *out)
{
    if (!is_gateway(node)) {
        return;
    }
    for (uint32_t i = 0; i < snapshot->entries_count; i++) {
        const struct entry_status *status = &snapshot->entries[i];
        struct service_record *service = table_find(&cluster->services, status->service);
        if (!effects_room(out, ROOM_PER_ENTRY)) {
            return;
        }
        if (service == NULL && cluster->services.count == 0) {
            continue; /* a store that knows no service at all takes nothing away from users */
        }
        if (service == NULL || !has_entry(service)) {
            send_remove(cluster, status->service, node->spec.node, out);
            continue;
        }
        if (service->gateway[0] == '\0') {
            memcpy(service->gateway, node->spec.node, sizeof service->gateway);
        }
        if (strcmp(service->gateway, node->spec.node) == 0) {
            take_status(cluster, service, status, out);
        } else {
            send_remove(cluster, status->service, node->spec.node, out);
        }
    }
    take_missing(cluster, node, snapshot);
}

/* ---- rounds ---- */

static void count_entries(struct cluster *cluster)
{
    struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        node->entries = 0;
    }
    const struct service_record *service = NULL;
    for (uint32_t i = 0; (service = table_next(&cluster->services, &i)) != NULL;) {
        node =
            service->gateway[0] == '\0' ? NULL : table_find(&cluster->nodes, service->gateway);
        if (node != NULL) {
            node->entries++;
        }
    }
}

void entries_tick(struct cluster *cluster, struct effects *out)
{
    if (cluster->services.count == 0 || cluster->now_ms < cluster->entries_at_ms) {
        return;
    }
    cluster->entries_at_ms = cluster->now_ms + ROUND_MS;
    count_entries(cluster);
    struct service_record *service = NULL;
    for (uint32_t i = 0; (service = table_next(&cluster->services, &i)) != NULL;) {
        const struct node_record *gateway =
            service->gateway[0] == '\0' ? NULL : table_find(&cluster->nodes, service->gateway);
        bool has_gateway = gateway != NULL && !is_lost(gateway);
        if (has_entry(service) && (!has_gateway || service->entry_hash == 0 ||
                                   service->entry_done < service->entry_operation)) {
            entries_service(cluster, service, out);
        }
    }
}
