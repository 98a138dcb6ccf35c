// SPDX-License-Identifier: Apache-2.0
/*
 * Desired against observed: what differs becomes an order, sent again until it shows. Nothing
 * depends on having seen a change: every VM is looked at again in a slow round, so a lost
 * message or a missed event only costs time.
 *
 * Orders go only to nodes that are up and have shown what they run. Within a round, what
 * shrinks is ordered before what grows, and memory grows only into room that is really free.
 */
#include <string.h>

#include "orchestrator/core/plan_scratch.h"

#define SWEEP_EVERY_MS   500
#define SWEEP_SLOTS      512
#define RESEND_MS        3000
#define RESEND_MS_MAX    30000
#define RESEND_DOUBLINGS 4
#define DRAIN_MS         2000 /* an entry point gets this long before a VM is taken away */
#define ROOM_OF_VISIT    8    /* effects that one visit may need */

static struct node_record *node_of(const struct cluster *cluster, const struct vm_record *vm)
{
    return vm->vm.node[0] == '\0' ? NULL : table_find(&cluster->nodes, vm->vm.node);
}

bool reconcile_never_ordered(const struct vm_record *vm)
{
    return vm->vm.generation > vm->inherited_generation &&
           vm->ordered_generation != vm->vm.generation;
}

bool reconcile_leaves(const struct vm_record *vm)
{
    return vm->vm.phase == VM_PHASE_REMOVING ||
           (vm->vm.phase == VM_PHASE_MOVING && !vm->vm.live);
}

void reconcile_forget(struct vm_record *vm)
{
    vm->live_failed = false;
    vm->operation = 0;
    vm->order_hash = 0;
    vm->sent_at_ms = 0;
    vm->attempts = 0;
    vm->retry_at_ms = 0;
    vm->recover_at_ms = 0;
    vm->status_known = false;
    memset(&vm->status, 0, sizeof vm->status);
    vm->problem = REASON_NONE;
    vm->problem_text[0] = '\0';
}

/* True while a node may still have to say for the first time in this epoch what it runs. */
static bool is_unheard(const struct cluster *cluster, const struct node_record *node)
{
    if (cluster->now_ms >= cluster->started_at_ms + (int64_t)cluster->config.lease_ms) {
        return false;
    }
    return node->state == NODE_STATE_UNSEEN || node->state == NODE_STATE_PARKED ||
           (node->state == NODE_STATE_UP && !node->snapshot_known);
}

bool reconcile_is_serving(const struct cluster *cluster, const struct vm_record *vm)
{
    const struct node_record *node = node_of(cluster, vm);
    bool stays =
        vm->vm.phase == VM_PHASE_ASSIGNED || (vm->vm.phase == VM_PHASE_MOVING && vm->vm.live);
    if (node == NULL || !stays || vm->vm.desired != RUN_STATE_RUNNING) {
        return false;
    }
    if (is_unheard(cluster, node)) {
        return !reconcile_never_ordered(vm); /* as it was before this epoch */
    }
    return vm->status_known && vm->status.state == RUN_STATE_RUNNING &&
           (node->state == NODE_STATE_UP || node->state == NODE_STATE_SUSPECT ||
            node->state == NODE_STATE_PARKED);
}

bool reconcile_is_shown(const struct vm_record *vm)
{
    if (vm->operation == 0 || !vm->status_known || vm->status.operation_done < vm->operation) {
        return false;
    }
    return vm->status.state == vm->ordered_desired ||
           (vm->ordered_desired == RUN_STATE_STOPPED && vm->status.state == RUN_STATE_ABSENT);
}

void reconcile_gone(struct cluster *cluster, struct vm_record *vm, struct effects *out)
{
    if (vm->vm.phase == VM_PHASE_MOVING) {
        recovery_moved_out(cluster, vm, out);
    } else {
        cluster_vm_gone(cluster, vm, out);
    }
}

/* ---- the survey: sums over VMs that single orders depend on ---- */

static struct vm_record *dirty_at(const struct cluster *cluster, uint32_t index)
{
    uint32_t slot = cluster->dirty[(cluster->dirty_head + index) % cluster->vms.capacity];
    return table_at(&cluster->vms, slot);
}

static void survey_vm(const struct cluster *cluster, struct service_record *service,
                      const struct vm_record *vm)
{
    bool serving = reconcile_is_serving(cluster, vm);
    uint64_t hash = service->serving_hash == 0 ? ORDERS_HASH_START : service->serving_hash;
    hash = orders_mix_text(hash, vm->vm.vm);
    hash = orders_mix(hash, ((uint64_t)vm->vm.cap_pct << 16) | ((uint64_t)vm->vm.phase << 8) |
                                (serving ? 1u : 0u));
    service->serving_hash = orders_mix_text(hash, vm->status_known ? vm->status.address : "");
    service->serving_cap_pct += serving ? vm->vm.cap_pct : 0;
}

/* Its VMs share the load by their caps, and its entry point follows them. */
static void serving_changed(struct cluster *cluster, struct service_record *service,
                            struct effects *out)
{
    uint32_t slot = 0;
    struct vm_record *vm = NULL;
    while (service->spec.kind == SERVICE_KIND_WEB &&
           (vm = cluster_next_vm_of(cluster, service, &slot)) != NULL) {
        cluster_mark_dirty(cluster, vm);
    }
    entries_service(cluster, service, out);
}

static void survey_service(struct cluster *cluster, struct service_record *service,
                           struct effects *out)
{
    service->survey_round = cluster->survey_round;
    service->serving_cap_pct = 0;
    service->serving_hash = 0;
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        survey_vm(cluster, service, vm);
    }
    if ((service->serving_hash != service->surveyed_hash ||
         service->serving_cap_pct != service->surveyed_cap_pct) &&
        effects_room(out, ROOM_OF_VISIT)) {
        service->surveyed_hash = service->serving_hash;
        service->surveyed_cap_pct = service->serving_cap_pct;
        serving_changed(cluster, service, out);
    }
}

/* Memory that VMs still hold beyond what they are to have. */
static void survey_memory(struct cluster *cluster)
{
    struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        node->memory_kib_leaving = 0;
    }
    const struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&cluster->vms, &i)) != NULL;) {
        if (!vm->status_known || vm->status.memory_kib <= vm->vm.memory_kib ||
            (vm->status.state != RUN_STATE_RUNNING && vm->status.state != RUN_STATE_PAUSED)) {
            continue;
        }
        node = node_of(cluster, vm);
        if (node != NULL) {
            node->memory_kib_leaving += vm->status.memory_kib - vm->vm.memory_kib;
        }
    }
}

static bool wants_memory(const struct vm_record *vm)
{
    return vm->status_known && vm->vm.memory_kib > vm->status.memory_kib;
}

/* The sums that the dirty VMs depend on; all of them when the slow round is due. */
static void survey(struct cluster *cluster, bool all, struct effects *out)
{
    cluster->survey_round++;
    struct service_record *service = NULL;
    for (uint32_t i = 0; all && (service = table_next(&cluster->services, &i)) != NULL;) {
        survey_service(cluster, service, out);
    }
    bool memory = all;
    uint32_t count = cluster->dirty_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct vm_record *vm = dirty_at(cluster, i);
        if (vm == NULL) {
            continue;
        }
        service = cluster_service_of(cluster, vm);
        if (service->survey_round != cluster->survey_round) {
            survey_service(cluster, service, out);
        }
        memory = memory || wants_memory(vm);
    }
    if (memory) {
        survey_memory(cluster);
    }
}

/* ---- one VM ---- */

/*
 * Memory that other VMs are to give back is not free before it is: until then a running VM
 * keeps what it has, and a new one waits. True when the order may go out.
 */
static bool fits_memory(const struct node_record *node, const struct vm_record *vm,
                        struct vm_order *order)
{
    bool is_there =
        vm->status_known && vm->status.memory_kib_accepted > 0 &&
        (vm->status.state == RUN_STATE_RUNNING || vm->status.state == RUN_STATE_PAUSED);
    bool grows = !is_there || order->memory_kib > vm->status.memory_kib_accepted;
    if (!grows || node->memory_kib_leaving == 0 || order->desired == RUN_STATE_ABSENT ||
        node->memory_kib_granted + node->memory_kib_leaving <= plan_node_memory_kib(node)) {
        return true;
    }
    if (is_there) {
        order->memory_kib = vm->status.memory_kib_accepted;
    }
    return is_there;
}

/* What the node may hold from now on; see state.h. */
void reconcile_note_isolation(struct vm_record *vm, enum isolation isolation)
{
    uint64_t generation = vm->vm.generation;
    vm->ordered_isolation = isolation;
    if (isolation != ISOLATION_FENCE) {
        vm->run_generation = generation;
        if (vm->fenced_generation == generation) {
            vm->fenced_generation = 0;
        }
    } else if (generation > vm->inherited_generation && vm->run_generation != generation) {
        vm->fenced_generation = generation;
    }
}

static void send(struct cluster *cluster, struct vm_record *vm, const struct vm_order *order,
                 struct effects *out)
{
    struct node_message *message =
        emit_message(cluster, vm->vm.node, NODE_MESSAGE_VM_ORDER, out);
    message->vm_order = *order;
    message->vm_order.operation = vm->operation;
    vm->sent_at_ms = cluster->now_ms;
    vm->attempts++;
    vm->ordered_generation = vm->vm.generation;
    vm->ordered_desired = order->desired;
    reconcile_note_isolation(vm, order->isolation);
}

static int64_t resend_at_ms(const struct vm_record *vm)
{
    uint32_t doublings = vm->attempts < RESEND_DOUBLINGS ? vm->attempts : RESEND_DOUBLINGS;
    int64_t wait_ms = (int64_t)RESEND_MS << (doublings > 0 ? doublings - 1 : 0);
    return vm->sent_at_ms + (wait_ms < RESEND_MS_MAX ? wait_ms : RESEND_MS_MAX);
}

void reconcile_order(struct cluster *cluster, struct vm_record *vm,
                     const struct vm_order *wanted, struct effects *out)
{
    uint64_t hash = orders_hash(wanted, vm->vm.node);
    if (hash != vm->order_hash) {
        vm->order_hash = hash;
        vm->operation = cluster->next_operation++;
        vm->attempts = 0;
        send(cluster, vm, wanted, out);
        return;
    }
    if (vm->operation == 0) { /* it failed */
        if (cluster->now_ms >= vm->retry_at_ms) {
            vm->operation = cluster->next_operation++;
            send(cluster, vm, wanted, out);
        }
        return;
    }
    bool is_busy = vm->status_known && vm->status.busy;
    if (!reconcile_is_shown(vm) && !is_busy && cluster->now_ms >= resend_at_ms(vm)) {
        send(cluster, vm, wanted, out);
    }
}

/* A VM that leaves is first taken out of its entry point, which finishes what it has. */
static bool is_draining(struct cluster *cluster, struct vm_record *vm)
{
    const struct service_record *service = cluster_service_of(cluster, vm);
    if (service->gateway[0] == '\0' || service->deleting || !vm->status_known ||
        vm->status.state != RUN_STATE_RUNNING || vm->ordered_desired == RUN_STATE_ABSENT) {
        return false;
    }
    if (vm->recover_at_ms == 0) {
        vm->recover_at_ms = cluster->now_ms + DRAIN_MS;
    }
    return cluster->now_ms < vm->recover_at_ms;
}

static void set_problem(struct vm_record *vm, enum reason reason, const char *what)
{
    vm->problem = reason;
    size_t length = strnlen(what, sizeof vm->problem_text - 1);
    memcpy(vm->problem_text, what, length);
    vm->problem_text[length] = '\0';
}

static void visit(struct cluster *cluster, struct vm_record *vm, struct effects *out)
{
    const struct node_record *node = node_of(cluster, vm);
    bool leaves = reconcile_leaves(vm);
    bool goes_over = vm->vm.phase == VM_PHASE_MOVING && vm->vm.live;
    if (vm->vm.phase == VM_PHASE_REMOVING &&
        (vm->vm.generation == 0 || vm->vm.node[0] == '\0' || reconcile_never_ordered(vm))) {
        cluster_vm_gone(cluster, vm, out); /* it never was anywhere */
        return;
    }
    if (node == NULL || node->state != NODE_STATE_UP || !node->snapshot_known || node->mixed ||
        (vm->vm.phase != VM_PHASE_ASSIGNED && !leaves && !goes_over)) {
        return;
    }
    if (goes_over) {
        live_visit(cluster, vm, out);
        return;
    }
    if (leaves && is_draining(cluster, vm)) {
        return;
    }
    if (!leaves) {
        vm->recover_at_ms = 0;
    }
    struct vm_order wanted;
    enum reason why = REASON_NONE;
    const char *what = NULL;
    if (!orders_fill(cluster, vm, &wanted, &why, &what)) {
        set_problem(vm, why, what);
        return;
    }
    if (!fits_memory(node, vm, &wanted)) {
        set_problem(vm, REASON_NO_MEMORY, "waits for memory that other VMs give back");
        return;
    }
    reconcile_order(cluster, vm, &wanted, out);
}

/* ---- rounds ---- */

static bool shrinks(const struct vm_record *vm)
{
    return vm->status_known &&
           (vm->vm.cap_pct < vm->status.cap_pct || vm->vm.memory_kib < vm->status.memory_kib);
}

static void visit_dirty(struct cluster *cluster, struct effects *out)
{
    uint32_t count = cluster->dirty_count;
    for (uint32_t i = 0; i < count && effects_room(out, ROOM_OF_VISIT); i++) {
        struct vm_record *vm = dirty_at(cluster, i);
        if (vm != NULL && shrinks(vm)) {
            visit(cluster, vm, out);
        }
    }
    for (uint32_t i = 0; i < count && effects_room(out, ROOM_OF_VISIT); i++) {
        struct vm_record *vm = dirty_at(cluster, 0);
        cluster->dirty_head = (cluster->dirty_head + 1) % cluster->vms.capacity;
        cluster->dirty_count--;
        if (vm != NULL && vm->dirty) {
            vm->dirty = false;
            visit(cluster, vm, out);
        }
    }
}

static void sweep(struct cluster *cluster, struct effects *out)
{
    uint32_t slots = cluster->vms.high < SWEEP_SLOTS ? cluster->vms.high : SWEEP_SLOTS;
    for (uint32_t i = 0; i < slots && effects_room(out, ROOM_OF_VISIT); i++) {
        if (cluster->sweep_slot >= cluster->vms.high) {
            cluster->sweep_slot = 0;
        }
        struct vm_record *vm = table_at(&cluster->vms, cluster->sweep_slot++);
        if (vm != NULL && !vm->dirty) {
            visit(cluster, vm, out);
        }
    }
}

void reconcile_tick(struct cluster *cluster, struct effects *out)
{
    bool sweep_due = cluster->vms.count > 0 && cluster->now_ms >= cluster->sweep_at_ms;
    if (cluster->dirty_count == 0 && !sweep_due) {
        return;
    }
    survey(cluster, sweep_due, out);
    visit_dirty(cluster, out);
    if (sweep_due) {
        cluster->sweep_at_ms = cluster->now_ms + SWEEP_EVERY_MS;
        sweep(cluster, out);
    }
}

int64_t reconcile_deadline_ms(const struct cluster *cluster)
{
    if (cluster->dirty_count > 0) {
        return cluster->now_ms;
    }
    return cluster->vms.count == 0 ? INT64_MAX : cluster->sweep_at_ms;
}
