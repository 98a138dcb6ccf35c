// SPDX-License-Identifier: Apache-2.0
/*
 * The slow loop, second half: of the steps that the worker judged the best one is written down
 * and, in mode act, carried out. One step at a time; the next one is thought of when this one
 * has shown.
 */
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/control.h"
#include "orchestrator/core/plan_scratch.h"
#include "orchestrator/core/recovery.h"

/* A step shares a service's load anew: two effects for each of its VMs, and a few. */
#define ESCALATION_EFFECTS (2 * PLAN_VMS_MAX + 64)

/* A later kind of step only when no earlier one is worthwhile. */
static uint32_t choose(const struct control *control,
                       const struct escalation_judgement *judgements, uint32_t count)
{
    static const enum escalation_kind order[] = {ESCALATION_MORE_VCPUS,  ESCALATION_MORE_MEMORY,
                                                 ESCALATION_FREE_MEMORY, ESCALATION_ADD_VM,
                                                 ESCALATION_MOVE_VM,     ESCALATION_REMOVE_VM,
                                                 ESCALATION_FEWER_VCPUS, ESCALATION_PAUSE};
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        struct escalation_judgement of_kind[ESCALATION_CANDIDATES_MAX];
        for (uint32_t i = 0; i < count; i++) {
            of_kind[i] = judgements[i];
            of_kind[i].worthwhile =
                judgements[i].worthwhile && control->candidates[i].kind == order[k];
        }
        const uint32_t best = escalation_best(of_kind, count);
        if (best != UINT32_MAX) {
            return best;
        }
    }
    return UINT32_MAX;
}

/* What is done, for the ledger. */
struct step {
    char what[TEXT_SIZE / 2];
    char vm[NAME_SIZE];      /* that moves or goes */
    char to[NAME_SIZE];      /* node that it moves to */
    struct vm_record *added; /* NULL: none, or only advice */
};

/* "vcpus 1 -> 2 of shop-web-1 and 1 more" */
static void describe_vcpus(const struct escalation_candidate *candidate,
                           const struct vm_record *first, char out[TEXT_SIZE / 2])
{
    char more[32] = "";
    if (candidate->vms_count > 1) {
        (void)snprintf(more, sizeof more, " and %u more", candidate->vms_count - 1);
    }
    (void)snprintf(out, TEXT_SIZE / 2, "vcpus %u -> %u of %s%s", first->vm.vcpus,
                   candidate->vcpus, first->vm.vm, more);
}

/* "memory 512 -> 640 MiB of shop-web-1 for blog" */
static void describe_memory(const struct control *control,
                            const struct escalation_candidate *candidate,
                            const struct vm_record *vm, char out[TEXT_SIZE / 2])
{
    const bool frees = candidate->kind == ESCALATION_FREE_MEMORY;
    (void)snprintf(out, TEXT_SIZE / 2, "memory %llu -> %llu MiB of %s%s%s",
                   (unsigned long long)vm->vm.memory_kib / 1024,
                   (unsigned long long)candidate->memory_kib / 1024, vm->vm.vm,
                   frees ? ", free first, for " : "",
                   frees ? control->problem_services[candidate->helped].name : "");
}

static void describe(const struct cluster *cluster, uint32_t index, struct step *step)
{
    const struct control *control = cluster->control;
    const struct escalation_candidate *candidate = &control->candidates[index];
    const char *service = control->problem_services[candidate->service].name;
    (void)snprintf(step->to, sizeof step->to, "%s", control->nodes[candidate->node].name);
    if (candidate->kind == ESCALATION_ADD_VM) {
        (void)snprintf(step->what, sizeof step->what, "one vm more for %s on %s", service,
                       step->to);
        return;
    }
    const struct vm_record *vm = table_at(&cluster->vms, control->vm_marks[candidate->vm].slot);
    (void)snprintf(step->vm, sizeof step->vm, "%s", vm->vm.vm);
    switch (candidate->kind) {
    case ESCALATION_MOVE_VM:
        (void)snprintf(step->what, sizeof step->what, "move %s from %s to %s", vm->vm.vm,
                       vm->vm.node, step->to);
        break;
    case ESCALATION_REMOVE_VM:
        (void)snprintf(step->what, sizeof step->what, "one vm less for %s: %s on %s goes",
                       service, vm->vm.vm, vm->vm.node);
        break;
    case ESCALATION_MORE_VCPUS:
    case ESCALATION_FEWER_VCPUS: describe_vcpus(candidate, vm, step->what); break;
    case ESCALATION_MORE_MEMORY:
    case ESCALATION_FREE_MEMORY: describe_memory(control, candidate, vm, step->what); break;
    case ESCALATION_PAUSE:
        (void)snprintf(step->what, sizeof step->what, "%s %s for %s",
                       control_pause_word(cluster_service_of(cluster, vm)), service,
                       control->problem_services[candidate->helped].name);
        break;
    case ESCALATION_ADD_VM: break;
    }
}

static bool takes_away(const struct escalation_candidate *candidate)
{
    return candidate->kind == ESCALATION_REMOVE_VM || candidate->kind == ESCALATION_FEWER_VCPUS;
}

/* Another service pays than the one that it is done for. */
static bool helps_another(const struct escalation_candidate *candidate)
{
    return candidate->kind == ESCALATION_PAUSE || candidate->kind == ESCALATION_FREE_MEMORY;
}

static bool is_memory(const struct escalation_candidate *candidate)
{
    return candidate->kind == ESCALATION_MORE_MEMORY ||
           candidate->kind == ESCALATION_FREE_MEMORY;
}

static enum reason reason_of(const struct escalation_candidate *candidate)
{
    return takes_away(candidate) ? REASON_LEVEL_SPARE : REASON_LEVEL_LOW;
}

static void remember(struct cluster *cluster, enum escalation_kind kind,
                     const struct decision *decision, const struct step *step)
{
    switch (kind) {
    case ESCALATION_ADD_VM: control_remember_outcome(cluster, decision); break;
    case ESCALATION_MOVE_VM:
        control_remember_step(cluster, decision, CONTROL_WAIT_MOVE, step->vm, step->to);
        break;
    case ESCALATION_REMOVE_VM:
        control_remember_step(cluster, decision, CONTROL_WAIT_GONE, step->vm, "");
        break;
    case ESCALATION_MORE_VCPUS:
    case ESCALATION_FEWER_VCPUS:
        control_remember_step(cluster, decision, CONTROL_WAIT_VCPUS, step->vm, "");
        break;
    case ESCALATION_MORE_MEMORY:
    case ESCALATION_FREE_MEMORY:
        control_remember_step(cluster, decision, CONTROL_WAIT_MEMORY, step->vm, "");
        break;
    case ESCALATION_PAUSE:
        control_remember_step(cluster, decision, CONTROL_WAIT_STATE, step->vm, "");
        break;
    }
}

/* A start is a step of its cap from 0. */
static void put_start(const struct vm_record *vm, struct decision *decision)
{
    struct cap_change *change = &decision->caps[decision->caps_count++];
    *change = (struct cap_change){.to_pct = vm->vm.cap_pct, .reason = decision->reason};
    memcpy(change->vm, vm->vm.vm, sizeof change->vm);
    memcpy(change->service, vm->vm.service, sizeof change->service);
    memcpy(change->node, vm->vm.node, sizeof change->node);
}

static void write_text(const struct escalation_candidate *candidate,
                       const struct escalation_judgement *judgement, const char *what,
                       struct decision *decision)
{
    if (takes_away(candidate)) {
        (void)snprintf(decision->text, sizeof decision->text,
                       "%s: not needed for five minutes; costs %.3f nats", what,
                       judgement->gain < 0.0 ? -judgement->gain : 0.0);
    } else if (is_memory(candidate)) {
        (void)snprintf(
            decision->text, sizeof decision->text,
            "%s: its CPU would do for %.2f times the target, %.2f are measured; gains "
            "up to %.2f nats for %.2f",
            what, candidate->x_then, candidate->x_now, judgement->gain, candidate->cost);
    } else if (candidate->kind == ESCALATION_PAUSE) {
        (void)snprintf(decision->text, sizeof decision->text,
                       "%s: beside its least CPU that floor does not fit; %g more of weight at "
                       "their floor, costs %.2f nats",
                       what, judgement->kept_gain,
                       judgement->gain < 0.0 ? -judgement->gain : 0.0);
    } else {
        (void)snprintf(decision->text, sizeof decision->text,
                       "%s: caps alone do not do; gains %.2f nats for %.2f, %g of weight reach "
                       "their floor",
                       what, judgement->gain, candidate->cost, judgement->kept_gain);
    }
}

static void write_down(struct cluster *cluster, uint32_t index, const struct step *step,
                       const struct cluster_event *event, struct effects *out)
{
    const struct escalation_judgement *judgement = &event->solved.judgements[index];
    const struct escalation_candidate *candidate = &cluster->control->candidates[index];
    const bool helps = helps_another(candidate);
    const uint32_t *slots = cluster->control->service_slots;
    struct service_record *payer = table_at(&cluster->services, slots[candidate->service]);
    struct service_record *service =
        helps ? table_at(&cluster->services, slots[candidate->helped]) : payer;
    struct decision *decision = emit_new_decision(cluster, out);
    const bool acts = decision->mode == MODE_ACT;
    (void)snprintf(decision->service, sizeof decision->service, "%s", service->spec.service);
    control_name_scheduler(service, decision);
    decision->took_us = event->solved.took_us;
    decision->reason = reason_of(candidate);
    decision->outcome = acts ? DECISION_OUTCOME_ORDERED : DECISION_OUTCOME_ADVISED;
    control_put_level(cluster, service, judgement->level, decision->reason, decision);
    if (helps) {
        const bool is_pause = candidate->kind == ESCALATION_PAUSE;
        control_put_level(cluster, payer, is_pause ? 0.0 : payer->level,
                          is_pause ? REASON_SACRIFICED : REASON_PAID_FOR_OTHERS, decision);
        payer->last_decision = decision->id;
    }
    write_text(candidate, judgement, step->what, decision);
    if (step->added != NULL) {
        put_start(step->added, decision);
    }
    struct vm_record *vm =
        step->added != NULL ? step->added : table_find(&cluster->vms, step->vm);
    if (acts && vm != NULL) { /* one that never ran is gone at once */
        vm->decision = decision->id;
    }
    if (acts) {
        remember(cluster, candidate->kind, decision, step);
        service->awaiting_outcome = decision->id;
    }
    emit_decision(cluster, decision, out);
    service->last_decision = decision->id;
    emit_event(cluster, EVENT_KIND_DECISION, decision->reason, service, NULL, NULL, out, "%s%s",
               acts ? "" : "advice: ", decision->text)
        ->decision = decision->id;
}

/* False: it could not be done, and nothing was changed. */
static bool carry_out(struct cluster *cluster, uint32_t index, struct step *step,
                      struct effects *out)
{
    struct control *control = cluster->control;
    const struct escalation_candidate *candidate = &control->candidates[index];
    struct service_record *service =
        table_at(&cluster->services, control->service_slots[candidate->service]);
    struct node_record *node =
        table_find(&cluster->nodes, control->nodes[candidate->node].name);
    struct vm_record *vm = candidate->kind == ESCALATION_ADD_VM
                               ? NULL
                               : table_at(&cluster->vms, control->vm_marks[candidate->vm].slot);
    enum reason why = REASON_NONE;
    switch (candidate->kind) {
    case ESCALATION_ADD_VM:
        if (node != NULL &&
            control_may_add(cluster, service, control->candidate_group[index], node)) {
            step->added =
                plan_add_vm(cluster, service, control->candidate_group[index], node, out);
        }
        return step->added != NULL;
    case ESCALATION_MOVE_VM:
        return node != NULL && recovery_move_because(cluster, vm, node, reason_of(candidate),
                                                     &why, out) == REPLY_DONE;
    case ESCALATION_REMOVE_VM:
        plan_remove(cluster, vm, out);
        plan_apply(cluster, service, out);
        return true;
    case ESCALATION_MORE_VCPUS:
    case ESCALATION_FEWER_VCPUS:
        control_set_vcpus(cluster, candidate, cluster->next_decision, out);
        return true;
    case ESCALATION_MORE_MEMORY:
    case ESCALATION_FREE_MEMORY:
        return control_set_memory(cluster, candidate, cluster->next_decision, out);
    case ESCALATION_PAUSE:
        return control_pause(cluster, candidate, cluster->next_decision, out);
    }
    return false;
}

void control_escalate(struct cluster *cluster, const struct cluster_event *event,
                      struct effects *out)
{
    struct control *control = cluster->control;
    const uint32_t count = event->solved.judgements_count;
    if (count == 0 || count != control->candidates_count ||
        !effects_room(out, ESCALATION_EFFECTS)) {
        return;
    }
    const uint32_t best = choose(control, event->solved.judgements, count);
    if (best == UINT32_MAX) {
        return;
    }
    struct step step = {.added = NULL}; /* described before anything is changed */
    describe(cluster, best, &step);
    const bool acts = cluster_mode(cluster) == MODE_ACT;
    const uint64_t hash = orders_mix_text(ORDERS_HASH_START, step.what);
    if (acts ? !carry_out(cluster, best, &step, out) : hash == control->escalation_advice) {
        return; /* it cannot be done, or the same advice was given last time */
    }
    control->escalation_advice = acts ? 0 : hash;
    write_down(cluster, best, &step, event, out);
}
