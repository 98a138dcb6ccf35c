// SPDX-License-Identifier: Apache-2.0
/*
 * The slow loop. Caps are moved at once; when the best caps leave a service short for a while,
 * the steps that take longer are tried, one at a time: first more VCPUs, then memory
 * (control_memory.c), then a VM more (where the service's file gives a range), then a move of
 * one of its VMs, or of a lighter neighbour, to the node that has most to spare, and last a
 * pause (control_pause.c). A service that could do with one VM less for five minutes gives one
 * back. The worker judges each step by the allocation that would follow
 * (schedulers/escalation.h).
 *
 * No step is taken while another is under way, and none that would lose a disk against what the
 * service's file says.
 */
#include <math.h>
#include <string.h>

#include "common/service_level.h"
#include "orchestrator/core/control.h"
#include "orchestrator/core/plan_scratch.h"
#include "orchestrator/core/recovery.h"
#include "schedulers/model.h"

#define ROUND_PERIODS    4      /* control periods between two steps ... */
#define ROUND_MS_MIN     30000  /* ... and at least */
#define SHORT_MS         10000  /* short for so long before anything slower than caps */
#define SHORT_PERIODS    4      /* without being short end that */
#define SPARE_MS         300000 /* as autoscalers do: up at once, down after five minutes */
#define SPARE_LEVEL      0.8    /* what one VM less must still give */
#define HORIZON_MS       600000 /* over which a step must pay */
#define MOVE_RESTART_MS  30000  /* a VM that is restarted on the other node serves nothing */
#define MOVE_LIVE_MS     2000
#define MOVE_SAFETY      1.5
#define ADD_COST         0.05 /* nats per weight: memory and a start */
#define MOVE_COST        0.02 /* nats per weight, at least: as the dead band of caps */
#define REMOVE_LOSS      0.02 /* nats per weight */
#define SERVICES_A_ROUND 2

/* ---- who is short ---- */

static double capacity_of(const struct control *control,
                          const struct allocation_service *service, uint32_t vms)
{
    double capacity = 0.0;
    for (uint32_t k = 0; k < vms; k++) {
        const struct allocation_vm *vm = &control->vms[service->first_vm + k];
        capacity += vm->max_cap_pct * control->nodes[vm->node].speed;
    }
    return capacity;
}

static bool has_vm_to_spare(const struct control *control,
                            const struct allocation_service *service)
{
    if (service->vms_count < 2 || service->coupling == COUPLING_GANG) {
        return false;
    }
    const double need =
        model_need(service->model, service_level_inverse(&service->curve, SPARE_LEVEL));
    return isfinite(need) && need <= capacity_of(control, service, service->vms_count - 1);
}

static int64_t since(bool holds, int64_t since_ms, int64_t now_ms)
{
    return !holds ? 0 : since_ms != 0 ? since_ms : now_ms;
}

/* Services that take turns in being sacrificed are short all the time. */
static void note_short(const struct cluster *cluster, struct control_service *state,
                       bool is_short)
{
    if (is_short) {
        state->short_at_ms = cluster->now_ms;
    }
    const int64_t memory_ms = SHORT_PERIODS * (int64_t)control_period_ms(cluster);
    const bool holds =
        state->short_at_ms != 0 && cluster->now_ms - state->short_at_ms < memory_ms;
    state->short_since_ms = since(holds, state->short_since_ms, cluster->now_ms);
}

void control_note_answer(struct cluster *cluster, const struct allocation_answer *answer)
{
    struct control *control = cluster->control;
    for (uint32_t i = 0; i < control->problem.services_count; i++) {
        struct service_record *service =
            table_at(&cluster->services, control->service_slots[i]);
        struct control_service *state = control_service_of(cluster, service);
        const struct allocation_service_answer *is = &answer->services[i];
        const bool is_short = is->sacrificed || is->level < SERVICE_LEVEL_FLOOR;
        note_short(cluster, state, is_short);
        state->spare_since_ms = since(has_vm_to_spare(control, &control->problem_services[i]),
                                      state->spare_since_ms, cluster->now_ms);
        control_note_vcpus(cluster, i);
        control_note_memory(cluster, i);
    }
    control_note_room(cluster, answer);
}

/* ---- where to ---- */

/* What a VM of this group needs, with the nodes in the plan's memory; vm (may be NULL) is the
 * one that is to move. */
static struct placement_need need_of(const struct cluster *cluster,
                                     const struct service_record *service, uint32_t group,
                                     const struct vm_record *vm)
{
    const struct vm_group *of = &service->spec.vms[group];
    plan_gather(cluster);
    plan_settle(cluster->plan);
    plan_close(cluster, &service->spec, group, vm);
    return (struct placement_need){
        .cpu_pct = vm != NULL ? cluster_min_cap_of(cluster, vm) : of->cpu.min_pct,
        .memory_kib = vm != NULL ? vm->vm.memory_kib : service_least_memory_kib(of),
        .spread_group = of->spread ? group + 1 : 0,
        .closed = cluster->plan->closed + (size_t)group * cluster->plan->count,
    };
}

static bool takes(const struct cluster *cluster, const struct placement_need *need,
                  uint32_t index)
{
    const struct plan *plan = cluster->plan;
    uint64_t needed = 0;
    uint64_t available = 0;
    return placement_why_not(&plan->nodes[index], index, need, plan->occupied, &needed,
                             &available) == REASON_NONE;
}

/* The node with most to spare that may take a VM of this group; present (may be NULL) is where
 * it is now. NULL: none. */
static struct node_record *roomiest(const struct cluster *cluster,
                                    const struct service_record *service, uint32_t group,
                                    const struct vm_record *present)
{
    const struct placement_need need = need_of(cluster, service, group, present);
    struct node_record *best = NULL;
    for (uint32_t i = 0; i < cluster->plan->count; i++) {
        struct node_record *node = plan_node_at(cluster, i);
        if (!takes(cluster, &need, i) ||
            (present != NULL && strcmp(present->vm.node, node->spec.node) == 0)) {
            continue;
        }
        if (control_room_of(cluster, node) > need.cpu_pct &&
            (best == NULL || control_room_of(cluster, node) > control_room_of(cluster, best))) {
            best = node;
        }
    }
    return best;
}

bool control_may_add(const struct cluster *cluster, const struct service_record *service,
                     uint32_t group, const struct node_record *node)
{
    const struct placement_need need = need_of(cluster, service, group, NULL);
    return takes(cluster, &need,
                 cluster->plan->index_of_slot[table_slot(&cluster->nodes, node)]);
}

/* ---- candidates ---- */

struct escalation_candidate *control_add_candidate(struct cluster *cluster,
                                                   enum escalation_kind kind, uint32_t service)
{
    struct control *control = cluster->control;
    if (control->candidates_count == ESCALATION_CANDIDATES_MAX) {
        return NULL;
    }
    struct escalation_candidate *candidate = &control->candidates[control->candidates_count++];
    *candidate = (struct escalation_candidate){.kind = kind, .service = service};
    return candidate;
}

static uint32_t vms_of_group(const struct cluster *cluster,
                             const struct service_record *service, const char *group)
{
    uint32_t count = 0;
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        count += vm->vm.phase != VM_PHASE_REMOVING && strcmp(vm->vm.group, group) == 0;
    }
    return count;
}

static void propose_add(struct cluster *cluster, uint32_t index)
{
    struct control *control = cluster->control;
    const struct service_record *service =
        table_at(&cluster->services, control->service_slots[index]);
    if (service->spec.kind == SERVICE_KIND_CLUSTER) {
        return; /* its ranks are counted by the program that runs in it */
    }
    for (uint32_t group = 0; group < service->spec.vms_count; group++) {
        const struct vm_group *of = &service->spec.vms[group];
        if (vms_of_group(cluster, service, of->name) >= of->count.max) {
            continue;
        }
        const struct node_record *node = roomiest(cluster, service, group, NULL);
        struct escalation_candidate *candidate =
            node == NULL ? NULL : control_add_candidate(cluster, ESCALATION_ADD_VM, index);
        if (candidate == NULL) {
            continue;
        }
        const uint32_t whole = of->vcpus * 100;
        candidate->node = control_node_for(cluster, node->spec.node);
        candidate->min_cap_pct = of->cpu.min_pct > 0 ? of->cpu.min_pct : 1;
        candidate->max_cap_pct = whole > 0 && whole < of->cpu.max_pct ? whole : of->cpu.max_pct;
        candidate->memory_kib = service_least_memory_kib(of);
        candidate->cost = ADD_COST * control->problem_services[index].weight;
        control->candidate_group[control->candidates_count - 1] = group;
    }
}

/* A VM whose disk is a copy (what a file that names none gets) starts from its image on the
 * other node: its file accepts that by isolation fence, never by isolation run. What a person
 * put somewhere stays there for the time that was asked for. The program of a virtual cluster
 * does not outlive one of its ranks. */
static bool is_movable(const struct cluster *cluster, const struct vm_record *vm)
{
    const struct vm_disk *disk = recovery_disk_of(cluster, vm);
    const struct service *spec = &cluster_service_of(cluster, vm)->spec;
    const enum disk_kind kind = disk == NULL ? DISK_KIND_UNSPECIFIED : disk->kind;
    const bool may_lose = kind == DISK_KIND_COPY || kind == DISK_KIND_UNSPECIFIED;
    return (kind == DISK_KIND_SHARED || (may_lose && spec->isolation == ISOLATION_FENCE)) &&
           spec->kind != SERVICE_KIND_CLUSTER && vm->vm.phase == VM_PHASE_ASSIGNED &&
           !vm->vm.cap_pinned && vm->vm.pinned_until_wall_ms <= cluster->wall_ms &&
           reconcile_is_serving(cluster, vm);
}

static double cost_of_move(const struct cluster *cluster, uint32_t service,
                           const struct vm_record *vm, const struct node_record *to)
{
    const struct node_record *from = table_find(&cluster->nodes, vm->vm.node);
    const struct service_record *record =
        table_at(&cluster->services, cluster->control->service_slots[service]);
    const bool live = from != NULL && live_can_begin(cluster, vm, from, to);
    const double weight = cluster->control->problem_services[service].weight;
    const double cost =
        MOVE_SAFETY * escalation_cost(weight, record->level,
                                      live ? MOVE_LIVE_MS : MOVE_RESTART_MS, HORIZON_MS);
    return fmax(cost, MOVE_COST * weight);
}

static void propose_move(struct cluster *cluster, uint32_t index, uint32_t v)
{
    struct control *control = cluster->control;
    const struct vm_record *vm = table_at(&cluster->vms, control->vm_marks[v].slot);
    const struct service_record *service = cluster_service_of(cluster, vm);
    const struct vm_group *group = cluster_group_of(cluster, vm);
    if (group == NULL || !is_movable(cluster, vm)) {
        return;
    }
    const struct node_record *node =
        roomiest(cluster, service, (uint32_t)(group - service->spec.vms), vm);
    const struct node_record *from = table_find(&cluster->nodes, vm->vm.node);
    if (node == NULL || from == NULL ||
        control_room_of(cluster, node) <= control_room_of(cluster, from)) {
        return;
    }
    struct escalation_candidate *candidate =
        control_add_candidate(cluster, ESCALATION_MOVE_VM, index);
    if (candidate != NULL) {
        candidate->vm = v;
        candidate->node = control_node_for(cluster, node->spec.node);
        candidate->cost = cost_of_move(cluster, index, vm, node);
    }
}

/* The VM of a service on its tightest node, and of the lightest other service there. */
static void propose_moves(struct cluster *cluster, uint32_t index)
{
    struct control *control = cluster->control;
    const struct allocation_service *service = &control->problem_services[index];
    uint32_t tight = service->first_vm;
    for (uint32_t k = 1; k < service->vms_count; k++) {
        const uint32_t v = service->first_vm + k;
        const struct vm_record *a = table_at(&cluster->vms, control->vm_marks[v].slot);
        const struct vm_record *b = table_at(&cluster->vms, control->vm_marks[tight].slot);
        const struct node_record *node_a = table_find(&cluster->nodes, a->vm.node);
        const struct node_record *node_b = table_find(&cluster->nodes, b->vm.node);
        if (control_room_of(cluster, node_a) < control_room_of(cluster, node_b)) {
            tight = v;
        }
    }
    propose_move(cluster, index, tight);
    uint32_t lightest = UINT32_MAX;
    for (uint32_t i = 0; i < control->problem.services_count; i++) {
        const struct allocation_service *other = &control->problem_services[i];
        const bool lighter = lightest == UINT32_MAX ||
                             other->weight < control->problem_services[lightest].weight;
        for (uint32_t k = 0; i != index && lighter && k < other->vms_count; k++) {
            if (control->vms[other->first_vm + k].node == control->vms[tight].node) {
                lightest = i;
            }
        }
    }
    if (lightest == UINT32_MAX) {
        return;
    }
    const struct allocation_service *other = &control->problem_services[lightest];
    for (uint32_t k = 0; k < other->vms_count; k++) {
        if (control->vms[other->first_vm + k].node == control->vms[tight].node) {
            propose_move(cluster, lightest, other->first_vm + k);
            return;
        }
    }
}

/* Its VM with the highest number, as a file that asks for fewer would do. */
static void propose_remove(struct cluster *cluster, uint32_t index)
{
    struct control *control = cluster->control;
    const struct allocation_service *service = &control->problem_services[index];
    const uint32_t v = service->first_vm + service->vms_count - 1;
    const struct vm_record *vm = table_at(&cluster->vms, control->vm_marks[v].slot);
    const struct vm_group *group = cluster_group_of(cluster, vm);
    const enum disk_kind kind =
        group != NULL && group->has_disk ? group->disk.kind : DISK_KIND_COPY;
    if (group == NULL || kind == DISK_KIND_SHARED || kind == DISK_KIND_LOCAL ||
        vms_of_group(cluster, cluster_service_of(cluster, vm), group->name) <=
            group->count.min) {
        return;
    }
    struct escalation_candidate *candidate =
        control_add_candidate(cluster, ESCALATION_REMOVE_VM, index);
    if (candidate != NULL) {
        candidate->vm = v;
        candidate->cost = REMOVE_LOSS * service->weight;
    }
}

/* Some VM is on its way: what comes of that has to be seen first. One on a node that is not
 * there, or that does not come up whatever is done, is waited for by nobody. */
static bool is_under_way(const struct cluster *cluster)
{
    const struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&cluster->vms, &i)) != NULL;) {
        const struct node_record *node = table_find(&cluster->nodes, vm->vm.node);
        if (node != NULL && node->state == NODE_STATE_UP &&
            (recovery_is_on_its_way(vm) || vm->vm.phase == VM_PHASE_REMOVING)) {
            return true;
        }
    }
    return false;
}

/* The weightiest service that waits longest, after those that were visited; UINT32_MAX: none.
 */
static uint32_t next_short(struct cluster *cluster, const uint32_t *visited, uint32_t count)
{
    const struct control *control = cluster->control;
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < control->problem.services_count; i++) {
        bool seen = false;
        for (uint32_t k = 0; k < count; k++) {
            seen = seen || visited[k] == i;
        }
        const struct control_service *state = control_service_of(
            cluster, table_at(&cluster->services, control->service_slots[i]));
        if (seen || state->short_since_ms == 0 ||
            cluster->now_ms - state->short_since_ms < SHORT_MS) {
            continue;
        }
        if (best == UINT32_MAX ||
            control->problem_services[i].weight > control->problem_services[best].weight) {
            best = i;
        }
    }
    return best;
}

static void propose_removals(struct cluster *cluster)
{
    const struct control *control = cluster->control;
    for (uint32_t i = 0; i < control->problem.services_count; i++) {
        const struct control_service *state = control_service_of(
            cluster, table_at(&cluster->services, control->service_slots[i]));
        if (state->spare_since_ms != 0 && cluster->now_ms - state->spare_since_ms >= SPARE_MS) {
            propose_remove(cluster, i);
        }
        control_propose_fewer_vcpus(cluster, i);
    }
}

void control_candidates(struct cluster *cluster)
{
    struct control *control = cluster->control;
    control->candidates_count = 0;
    if (cluster->now_ms < control->next_escalation_ms || is_under_way(cluster)) {
        return;
    }
    uint32_t visited[SERVICES_A_ROUND];
    for (uint32_t count = 0; count < SERVICES_A_ROUND; count++) {
        const uint32_t index = next_short(cluster, visited, count);
        if (index == UINT32_MAX) {
            break;
        }
        visited[count] = index;
        control_propose_more_vcpus(cluster, index);
        propose_add(cluster, index);
        propose_moves(cluster, index);
        control_propose_pauses(cluster, index);
    }
    control_propose_memory(cluster);
    propose_removals(cluster);
    if (control->candidates_count > 0) { /* judged or not: caps must not wait for this again */
        const int64_t periods_ms = ROUND_PERIODS * (int64_t)control_period_ms(cluster);
        control->next_escalation_ms =
            cluster->now_ms + (periods_ms > ROUND_MS_MIN ? periods_ms : ROUND_MS_MIN);
    }
}
