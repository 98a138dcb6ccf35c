// SPDX-License-Identifier: Apache-2.0
/*
 * Memory, the second and slower resource, where the file gives a range (memory, memory_min).
 * VMs start with the least of it.
 *
 * Who lacks memory cannot be seen from outside a guest: what a domain holds is known, what its
 * programs make of it is not. So it is inferred and then tried. A web service under its floor,
 * although the CPU of its requests would serve them in time (processor sharing, which is too
 * careful for several VCPUs), lacks something else: one of its VMs gets more memory. When that
 * does not show in what is measured, it was something else, and is not tried again for an hour.
 *
 * Memory is free when it is read back as free. Where the node has none, a VM that holds most
 * above its least gives some of it back, of a service that does plainly well; nothing is given
 * to anybody before that has arrived and its own measurement has shown that it does without. If
 * it does not, it gets it back at once, and is not asked again for an hour.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/service_level.h"
#include "orchestrator/core/control.h"
#include "orchestrator/core/plan_scratch.h"

#define STARVED_MS      20000   /* at least; and the window of the measurement */
#define STARVED_PERIODS 2       /* ... and so many periods more */
#define STARVED_X       0.7     /* what its CPU would give: plainly enough */
#define STARVED_USE     0.9     /* of its caps; above, CPU use is only a lower bound */
#define MEAN_TO_P95     3.0     /* ln 20: of response times that spread as exponential ones */
#define MEAN_TO_P50     0.69    /* ln 2 */
#define MORE_PART       4       /* a step up is this part of what the VM has ... */
#define LEAST_PART      20      /* ... and not worth it below this one */
#define LESS_PART       10      /* a step down */
#define GIVES_LEVEL     0.8     /* a service that gives some does at least so well */
#define BETTER          0.9     /* of x before: memory helped */
#define WORSE           1.25    /* of x before: the lack of it hurts */
#define AGAIN_MS        3600000 /* after a step that was wrong */
#define KEEP_MS         600000  /* what was given stays so long */
#define STEP_MS         900000  /* a step of which nothing was heard is forgotten */
#define MEMORY_COST     0.02    /* nats per weight */
#define SERVICES_MOST   2       /* that get candidates in a round */
#define MIB             1024u

bool control_memory_is_there(const struct vm_record *vm)
{
    const uint64_t wanted = vm->vm.memory_kib;
    const uint64_t is = vm->status.memory_kib;
    const uint64_t slack = wanted / 100 > MIB ? wanted / 100 : MIB;
    return vm->status_known && (is > wanted ? is - wanted : wanted - is) <= slack;
}

/* ---- who lacks it ---- */

/* x at the CPU that it has, were CPU all that its requests wait for; NAN: cannot be told. */
static double x_of_cpu(const struct service_record *service, uint32_t caps_pct, uint32_t vms)
{
    const struct response_time *target = &service->spec.objective.response_time;
    const double used_pct = service->cpu_used_pct;
    if (!(service->load > 0.0) || !(used_pct > 0.0) || caps_pct == 0 ||
        used_pct > STARVED_USE * caps_pct) {
        return (double)NAN;
    }
    const double cpu_ms = used_pct / 100.0 / service->load * 1000.0; /* of one request */
    const double speed = fmin(1.0, caps_pct / 100.0 / vms); /* a request uses one CPU at most */
    const double mean_ms = cpu_ms / speed / (1.0 - used_pct / caps_pct);
    const double spread = target->p95_ms > 0   ? MEAN_TO_P95
                          : target->p50_ms > 0 ? MEAN_TO_P50
                                               : 1.0;
    return spread * mean_ms / response_time_target_ms(target);
}

static bool is_settled(const struct cluster *cluster, const struct vm_record *vm)
{
    const struct node_record *node = table_find(&cluster->nodes, vm->vm.node);
    return node != NULL && node->state == NODE_STATE_UP && reconcile_is_serving(cluster, vm) &&
           control_memory_is_there(vm);
}

void control_note_memory(struct cluster *cluster, uint32_t index)
{
    const struct control *control = cluster->control;
    const struct allocation_service *problem = &control->problem_services[index];
    struct service_record *service =
        table_at(&cluster->services, control->service_slots[index]);
    struct control_service *state = control_service_of(cluster, service);
    bool starved = service->spec.kind == SERVICE_KIND_WEB &&
                   service->spec.objective.has_response_time && !isnan(service->level) &&
                   service->level < SERVICE_LEVEL_FLOOR;
    uint32_t caps_pct = 0;
    for (uint32_t k = 0; starved && k < problem->vms_count; k++) {
        const struct vm_record *vm =
            table_at(&cluster->vms, control->vm_marks[problem->first_vm + k].slot);
        starved = is_settled(cluster, vm) && vm->status.cap_pct > 0;
        /* What it had while this was measured: a new cap has not shown yet. */
        caps_pct += vm->status.cap_pct < vm->vm.cap_pct ? vm->status.cap_pct : vm->vm.cap_pct;
    }
    const double x = starved ? x_of_cpu(service, caps_pct, problem->vms_count) : (double)NAN;
    starved = !isnan(x) && x <= STARVED_X * problem->curve.b;
    state->starved_x = x;
    state->starved_since_ms = !starved                       ? 0
                              : state->starved_since_ms != 0 ? state->starved_since_ms
                                                             : cluster->now_ms;
}

static bool lacks_memory(const struct cluster *cluster, const struct service_record *service,
                         const struct control_service *state)
{
    const int64_t passed_ms = cluster->now_ms - state->starved_since_ms;
    return state->starved_since_ms != 0 && passed_ms >= STARVED_MS &&
           passed_ms >= service->spec.objective.response_time.window_ms +
                            STARVED_PERIODS * (int64_t)control_period_ms(cluster) &&
           cluster->now_ms >= state->no_more_until_ms && service->measured > 0.0;
}

/* ---- what there is ---- */

/* What a VM takes of its node: what it is to have, or still holds. */
static uint64_t taken_kib(const struct vm_record *vm)
{
    const bool holds_more = vm->status_known && vm->status.memory_kib > vm->counted.memory_kib;
    return holds_more ? vm->status.memory_kib : vm->counted.memory_kib;
}

static uint64_t free_on(const struct cluster *cluster, const struct node_record *node)
{
    const uint32_t slot = table_slot(&cluster->nodes, node) + 1;
    uint64_t taken = 0;
    const struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&cluster->vms, &i)) != NULL;) {
        if (vm->counted.node == slot || vm->counted.move_to == slot) {
            taken += taken_kib(vm);
        }
    }
    const uint64_t have = plan_node_memory_kib(node);
    return have > taken ? have - taken : 0;
}

static bool can_change(const struct cluster *cluster, const struct vm_record *vm)
{
    const struct node_record *node = table_find(&cluster->nodes, vm->vm.node);
    const struct vm_group *group = cluster_group_of(cluster, vm);
    return group != NULL && service_least_memory_kib(group) < group->memory_kib &&
           is_settled(cluster, vm) && (node->status.capabilities & CAPABILITY_MEMORY) != 0 &&
           vm->vm.phase == VM_PHASE_ASSIGNED && !vm->status.busy;
}

static uint64_t whole_mib(uint64_t kib)
{
    return kib / MIB * MIB;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- candidates ---- */

static const struct vm_record *vm_at(const struct cluster *cluster, uint32_t v)
{
    return table_at(&cluster->vms, cluster->control->vm_marks[v].slot);
}

/* Its VM with the least memory that may have more; UINT32_MAX: none. */
static uint32_t smallest_vm(const struct cluster *cluster, uint32_t index)
{
    const struct allocation_service *service = &cluster->control->problem_services[index];
    uint32_t best = UINT32_MAX;
    for (uint32_t k = 0; k < service->vms_count; k++) {
        const uint32_t v = service->first_vm + k;
        const struct vm_record *vm = vm_at(cluster, v);
        if (can_change(cluster, vm) &&
            vm->vm.memory_kib < cluster_group_of(cluster, vm)->memory_kib &&
            (best == UINT32_MAX || vm->vm.memory_kib < vm_at(cluster, best)->vm.memory_kib)) {
            best = v;
        }
    }
    return best;
}

/* A service that does plainly well, or that lacks something else than memory. */
static bool may_give(struct cluster *cluster, uint32_t index)
{
    struct service_record *service =
        table_at(&cluster->services, cluster->control->service_slots[index]);
    const struct control_service *state = control_service_of(cluster, service);
    const bool well = !isnan(service->level) && service->level >= GIVES_LEVEL;
    const bool useless = cluster->now_ms < state->no_more_until_ms;
    const bool kept =
        state->memory_grown_ms != 0 && cluster->now_ms - state->memory_grown_ms < KEEP_MS;
    return (well && !kept && cluster->now_ms >= state->no_less_until_ms) || useless;
}

/* VM of the node that holds most above its least; UINT32_MAX: none gives any. */
static uint32_t giver_on(struct cluster *cluster, uint32_t node, uint32_t taker,
                         uint32_t *service)
{
    const struct control *control = cluster->control;
    uint32_t best = UINT32_MAX;
    uint64_t most = 0;
    for (uint32_t i = 0; i < control->problem.services_count; i++) {
        const struct allocation_service *of = &control->problem_services[i];
        if (i == taker || !may_give(cluster, i)) {
            continue;
        }
        for (uint32_t v = of->first_vm; v < of->first_vm + of->vms_count; v++) {
            const struct vm_record *vm = vm_at(cluster, v);
            if (control->vms[v].node != node || !can_change(cluster, vm)) {
                continue;
            }
            const uint64_t least = service_least_memory_kib(cluster_group_of(cluster, vm));
            if (vm->vm.memory_kib > least && vm->vm.memory_kib - least > most) {
                most = vm->vm.memory_kib - least;
                best = v;
                *service = i;
            }
        }
    }
    return best;
}

static void propose(struct cluster *cluster, uint32_t index)
{
    struct control *control = cluster->control;
    struct service_record *service =
        table_at(&cluster->services, control->service_slots[index]);
    const uint32_t v = smallest_vm(cluster, index);
    if (v == UINT32_MAX) {
        return;
    }
    const struct vm_record *vm = vm_at(cluster, v);
    const struct node_record *node = table_find(&cluster->nodes, vm->vm.node);
    const uint64_t has = vm->vm.memory_kib;
    const uint64_t most = cluster_group_of(cluster, vm)->memory_kib - has;
    const uint64_t wanted = lesser(most, has / MORE_PART);
    const uint64_t step = lesser(wanted, whole_mib(free_on(cluster, node)));
    struct escalation_candidate to = {
        .kind = ESCALATION_MORE_MEMORY, .service = index, .vm = v, .memory_kib = has + step};
    if (step < lesser(most, has / LEAST_PART)) {
        uint32_t giver = UINT32_MAX;
        const uint32_t from = giver_on(cluster, control->vms[v].node, index, &giver);
        if (from == UINT32_MAX) {
            return;
        }
        const struct vm_record *gives = vm_at(cluster, from);
        const uint64_t holds = gives->vm.memory_kib;
        const uint64_t above =
            holds - service_least_memory_kib(cluster_group_of(cluster, gives));
        const uint64_t part = holds / LESS_PART > MIB ? whole_mib(holds / LESS_PART) : MIB;
        to = (struct escalation_candidate){.kind = ESCALATION_FREE_MEMORY,
                                           .service = giver,
                                           .helped = index,
                                           .vm = from,
                                           .memory_kib = holds - lesser(part, above)};
    }
    struct escalation_candidate *candidate =
        control_add_candidate(cluster, to.kind, to.service);
    if (candidate != NULL) {
        *candidate = to;
        candidate->x_now = service->measured;
        candidate->x_then = control_service_of(cluster, service)->starved_x;
        candidate->cost = MEMORY_COST * control->problem_services[index].weight;
    }
}

static bool is_among(const uint32_t *list, uint32_t count, uint32_t item)
{
    for (uint32_t i = 0; i < count; i++) {
        if (list[i] == item) {
            return true;
        }
    }
    return false;
}

void control_propose_memory(struct cluster *cluster)
{
    struct control *control = cluster->control;
    if (control->memory.decision != 0 && cluster->now_ms < control->memory.until_ms) {
        return; /* what comes of it has to be seen first */
    }
    uint32_t proposed[SERVICES_MOST];
    for (uint32_t count = 0; count < SERVICES_MOST; count++) { /* weightiest first */
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < control->problem.services_count; i++) {
            struct service_record *service =
                table_at(&cluster->services, control->service_slots[i]);
            const bool is_heavier =
                best == UINT32_MAX ||
                control->problem_services[i].weight > control->problem_services[best].weight;
            if (is_heavier && !is_among(proposed, count, i) &&
                lacks_memory(cluster, service, control_service_of(cluster, service))) {
                best = i;
            }
        }
        if (best == UINT32_MAX) {
            return;
        }
        proposed[count] = best;
        propose(cluster, best);
    }
}

/* ---- what is done, and what comes of it ---- */

bool control_set_memory(struct cluster *cluster, const struct escalation_candidate *candidate,
                        uint64_t decision, struct effects *out)
{
    struct control *control = cluster->control;
    struct vm_record *vm = table_at(&cluster->vms, control->vm_marks[candidate->vm].slot);
    struct service_record *service = cluster_service_of(cluster, vm);
    const uint64_t before = vm->vm.memory_kib;
    const bool grows = candidate->kind == ESCALATION_MORE_MEMORY;
    if (!can_change(cluster, vm) || (candidate->memory_kib > before) != grows) {
        return false;
    }
    const struct node_record *node = table_find(&cluster->nodes, vm->vm.node);
    if (grows && candidate->memory_kib - before > free_on(cluster, node)) {
        return false;
    }
    if (grows) {
        control_service_of(cluster, service)->memory_grown_ms = cluster->now_ms;
    }
    control->memory = (struct control_memory){.decision = decision,
                                              .until_ms = cluster->now_ms + STEP_MS,
                                              .before_kib = before,
                                              .x_before = service->measured};
    (void)snprintf(control->memory.vm, sizeof control->memory.vm, "%s", vm->vm.vm);
    vm->vm.memory_kib = candidate->memory_kib;
    vm->decision = decision;
    emit_vm(cluster, vm, out);
    cluster_mark_dirty(cluster, vm);
    return true;
}

static void set_back(struct cluster *cluster, struct vm_record *vm, uint64_t memory_kib,
                     const char *why, struct effects *out)
{
    const uint64_t from = vm->vm.memory_kib;
    vm->vm.memory_kib = memory_kib;
    emit_vm(cluster, vm, out);
    cluster_mark_dirty(cluster, vm);
    (void)emit_event(
        cluster, EVENT_KIND_ACTION, REASON_NOT_EFFECTIVE, cluster_service_of(cluster, vm),
        vm->vm.vm, vm->vm.node, out, "memory %llu -> %llu MiB of %s is taken back: %s",
        (unsigned long long)memory_kib / MIB, (unsigned long long)from / MIB, vm->vm.vm, why);
}

void control_memory_told(struct cluster *cluster, const struct decision *decision, bool came,
                         struct effects *out)
{
    const struct control_memory memory = cluster->control->memory;
    if (memory.decision == 0 || memory.decision != decision->id) {
        return;
    }
    cluster->control->memory.decision = 0;
    struct vm_record *vm = table_find(&cluster->vms, memory.vm);
    if (vm == NULL || vm->vm.phase != VM_PHASE_ASSIGNED ||
        vm->vm.memory_kib == memory.before_kib) {
        return;
    }
    struct service_record *service = cluster_service_of(cluster, vm);
    struct control_service *state = control_service_of(cluster, service);
    const bool grew = vm->vm.memory_kib > memory.before_kib;
    const bool known = !isnan(memory.x_before) && !isnan(service->measured);
    if (!came) {
        state->no_more_until_ms = grew ? cluster->now_ms + AGAIN_MS : state->no_more_until_ms;
        state->no_less_until_ms = grew ? state->no_less_until_ms : cluster->now_ms + AGAIN_MS;
        set_back(cluster, vm, memory.before_kib, "the guest did not do it", out);
    } else if (grew && known && service->measured > BETTER * memory.x_before) {
        state->no_more_until_ms = cluster->now_ms + AGAIN_MS;
    } else if (!grew && (!known || service->measured > WORSE * memory.x_before) &&
               !(service->level >= GIVES_LEVEL)) {
        state->no_less_until_ms = cluster->now_ms + AGAIN_MS;
        set_back(cluster, vm, memory.before_kib, "its service does not do without", out);
    }
}
