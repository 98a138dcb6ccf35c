// SPDX-License-Identifier: Apache-2.0
/*
 * The step between caps and more VMs: where the file gives a range of VCPUs, a group whose caps
 * cannot rise any further gets more of them, and gives them back when its caps have not needed
 * them for five minutes. A VM's cap stays within what its VCPUs that are online can use
 * (control_range_of()), so a cap never rises before its VCPUs, nor do VCPUs go before their
 * cap.
 */
#include "orchestrator/core/control.h"

#define SPARE_MS    300000 /* as for VMs */
#define ROOM_PCT    80     /* of what fewer VCPUs can use is the most that caps may need then */
#define MORE_COST   0.01   /* nats per weight: shorter turns of a cap for each VCPU */
#define FEWER_LOSS  0.02   /* nats per weight, as for VMs */
#define STEP_FACTOR 2      /* times as many at once */

static bool has_range(const struct vm_group *group)
{
    return group->vcpus_min > 0 && group->vcpus_min < group->vcpus;
}

/* VMs of one group in the problem; they stand together. */
struct members {
    uint32_t first; /* index in the problem */
    uint32_t count;
    uint32_t vcpus; /* the most that one of them has */
    uint32_t limit; /* the most that all of them may have */
};

static bool is_ready(const struct cluster *cluster, const struct vm_record *vm)
{
    const struct node_record *node = table_find(&cluster->nodes, vm->vm.node);
    return node != NULL && node->state == NODE_STATE_UP && reconcile_is_serving(cluster, vm) &&
           (node->status.capabilities & CAPABILITY_VCPUS) != 0;
}

/* False: the manager may not choose, or not all of them can be changed now. */
static bool find_members(const struct cluster *cluster, uint32_t index, uint32_t group,
                         struct members *out)
{
    const struct control *control = cluster->control;
    const struct allocation_service *service = &control->problem_services[index];
    const struct service_record *record =
        table_at(&cluster->services, control->service_slots[index]);
    const struct vm_group *of = &record->spec.vms[group];
    *out = (struct members){.limit = of->vcpus};
    if (!has_range(of) || record->spec.kind == SERVICE_KIND_CLUSTER) {
        return false;
    }
    for (uint32_t k = 0; k < service->vms_count; k++) {
        const uint32_t v = service->first_vm + k;
        const struct vm_record *vm = table_at(&cluster->vms, control->vm_marks[v].slot);
        if (cluster_group_of(cluster, vm) != of) {
            continue;
        }
        if (!is_ready(cluster, vm)) {
            return false;
        }
        const struct node_record *node = table_find(&cluster->nodes, vm->vm.node);
        const uint32_t most = node->status.vcpus_max;
        out->first = out->count == 0 ? v : out->first;
        out->count++;
        out->vcpus = vm->vm.vcpus > out->vcpus ? vm->vm.vcpus : out->vcpus;
        out->limit = most != 0 && most < out->limit ? most : out->limit;
    }
    return out->count > 0;
}

static void propose(struct cluster *cluster, enum escalation_kind kind, uint32_t index,
                    uint32_t group, const struct members *members, uint32_t vcpus)
{
    const struct service_record *service =
        table_at(&cluster->services, cluster->control->service_slots[index]);
    const struct vm_group *of = &service->spec.vms[group];
    struct escalation_candidate *candidate = control_add_candidate(cluster, kind, index);
    if (candidate == NULL) {
        return;
    }
    const double weight = cluster->control->problem_services[index].weight;
    candidate->vm = members->first;
    candidate->vms_count = members->count;
    candidate->vcpus = vcpus;
    candidate->max_cap_pct = vcpus * 100 < of->cpu.max_pct ? vcpus * 100 : of->cpu.max_pct;
    candidate->cost = weight * (kind == ESCALATION_MORE_VCPUS ? MORE_COST : FEWER_LOSS);
}

void control_propose_more_vcpus(struct cluster *cluster, uint32_t index)
{
    const struct service_record *service =
        table_at(&cluster->services, cluster->control->service_slots[index]);
    for (uint32_t group = 0; group < service->spec.vms_count; group++) {
        struct members members;
        if (find_members(cluster, index, group, &members) && members.vcpus < members.limit) {
            const uint32_t wanted = STEP_FACTOR * members.vcpus;
            propose(cluster, ESCALATION_MORE_VCPUS, index, group, &members,
                    wanted < members.limit ? wanted : members.limit);
        }
    }
}

/* How many VCPUs would do for the caps that these VMs have. */
static uint32_t enough_now(const struct control *control, const struct members *members,
                           uint32_t least)
{
    uint32_t most_pct = 0;
    for (uint32_t k = 0; k < members->count; k++) {
        const uint32_t cap_pct = control->vms[members->first + k].previous_cap_pct;
        most_pct = cap_pct > most_pct ? cap_pct : most_pct;
    }
    const uint32_t enough = (most_pct + ROOM_PCT - 1) / ROOM_PCT;
    return enough > least ? enough : least;
}

void control_note_vcpus(struct cluster *cluster, uint32_t index)
{
    struct service_record *service =
        table_at(&cluster->services, cluster->control->service_slots[index]);
    struct control_service *state = control_service_of(cluster, service);
    for (uint32_t group = 0; group < service->spec.vms_count; group++) {
        struct members members;
        const bool spare = find_members(cluster, index, group, &members) &&
                           enough_now(cluster->control, &members,
                                      service->spec.vms[group].vcpus_min) < members.vcpus;
        int64_t *since_ms = &state->vcpus_spare_since_ms[group];
        *since_ms = !spare ? 0 : *since_ms != 0 ? *since_ms : cluster->now_ms;
    }
}

void control_propose_fewer_vcpus(struct cluster *cluster, uint32_t index)
{
    struct control *control = cluster->control;
    struct service_record *service =
        table_at(&cluster->services, control->service_slots[index]);
    const struct control_service *state = control_service_of(cluster, service);
    for (uint32_t group = 0; group < service->spec.vms_count; group++) {
        const int64_t since_ms = state->vcpus_spare_since_ms[group];
        struct members members;
        if (since_ms == 0 || cluster->now_ms - since_ms < SPARE_MS ||
            !find_members(cluster, index, group, &members)) {
            continue;
        }
        const uint32_t vcpus =
            enough_now(control, &members, service->spec.vms[group].vcpus_min);
        if (vcpus < members.vcpus) {
            propose(cluster, ESCALATION_FEWER_VCPUS, index, group, &members, vcpus);
        }
    }
}

void control_set_vcpus(struct cluster *cluster, const struct escalation_candidate *candidate,
                       uint64_t decision, struct effects *out)
{
    const struct control *control = cluster->control;
    for (uint32_t k = 0; k < candidate->vms_count; k++) {
        struct vm_record *vm =
            table_at(&cluster->vms, control->vm_marks[candidate->vm + k].slot);
        const bool fewer = candidate->kind == ESCALATION_FEWER_VCPUS;
        const uint32_t used = (vm->vm.cap_pct + 99) / 100; /* the cap may just have risen */
        if (vm->vm.vcpus == candidate->vcpus || (fewer && used > candidate->vcpus) ||
            (vm->vm.vcpus < candidate->vcpus) == fewer) {
            continue;
        }
        vm->vm.vcpus = candidate->vcpus;
        vm->decision = decision;
        emit_vm(cluster, vm, out);
        cluster_mark_dirty(cluster, vm);
    }
}
