// SPDX-License-Identifier: Apache-2.0
/*
 * The slow loop, second half: of the steps that the worker judged the best one is written down
 * and, in mode act, carried out. One step at a time; the next one is thought of when this one
 * has shown.
 */
#include <math.h>
#include <stdio.h>

#include "orchestrator/core/control.h"
#include "orchestrator/core/plan_scratch.h"
#include "orchestrator/core/recovery.h"

/* A step shares a service's load anew: two effects for each of its VMs, and a few. */
#define ESCALATION_EFFECTS (2 * PLAN_VMS_MAX + 64)

/* A later kind of step only when no earlier one is worthwhile. */
static uint32_t choose(const struct control *control,
                       const struct escalation_judgement *judgements, uint32_t count)
{
    static const enum escalation_kind order[] = {ESCALATION_ADD_VM, ESCALATION_MOVE_VM,
                                                 ESCALATION_REMOVE_VM};
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

static void describe(const struct cluster *cluster, uint32_t index, char out[TEXT_SIZE / 2])
{
    const struct control *control = cluster->control;
    const struct escalation_candidate *candidate = &control->candidates[index];
    const struct service_record *service =
        table_at(&cluster->services, control->service_slots[candidate->service]);
    const struct vm_record *vm =
        candidate->kind == ESCALATION_ADD_VM
            ? NULL
            : table_at(&cluster->vms, control->vm_marks[candidate->vm].slot);
    const char *to = control->nodes[candidate->node].name;
    switch (candidate->kind) {
    case ESCALATION_ADD_VM:
        (void)snprintf(out, TEXT_SIZE / 2, "one vm more for %s on %s", service->spec.service,
                       to);
        break;
    case ESCALATION_MOVE_VM:
        (void)snprintf(out, TEXT_SIZE / 2, "move %s from %s to %s", vm->vm.vm, vm->vm.node, to);
        break;
    case ESCALATION_REMOVE_VM:
        (void)snprintf(out, TEXT_SIZE / 2, "one vm less for %s: %s on %s goes",
                       service->spec.service, vm->vm.vm, vm->vm.node);
        break;
    }
}

static enum reason reason_of(const struct escalation_candidate *candidate)
{
    return candidate->kind == ESCALATION_REMOVE_VM ? REASON_LEVEL_SPARE : REASON_LEVEL_LOW;
}

static void write_down(struct cluster *cluster, uint32_t index, const char *what,
                       const struct cluster_event *event, struct effects *out)
{
    const struct escalation_judgement *judgement = &event->solved.judgements[index];
    const struct escalation_candidate *candidate = &cluster->control->candidates[index];
    struct service_record *service =
        table_at(&cluster->services, cluster->control->service_slots[candidate->service]);
    struct decision *decision = emit_new_decision(cluster, out);
    const bool acts = decision->mode == MODE_ACT;
    (void)snprintf(decision->service, sizeof decision->service, "%s", service->spec.service);
    control_name_scheduler(service, decision);
    decision->took_us = event->solved.took_us;
    decision->reason = reason_of(candidate);
    decision->outcome = acts ? DECISION_OUTCOME_ORDERED : DECISION_OUTCOME_ADVISED;
    decision->levels_count = 1;
    decision->levels[0] = (struct level_change){.measured = service->measured,
                                                .measured_value = service->measured_value,
                                                .target_value = (double)NAN,
                                                .load = service->load,
                                                .level_before = service->level,
                                                .level_predicted = judgement->level,
                                                .level_after = (double)NAN,
                                                .reason = decision->reason};
    (void)snprintf(decision->levels[0].service, NAME_SIZE, "%s", service->spec.service);
    if (candidate->kind == ESCALATION_REMOVE_VM) {
        (void)snprintf(decision->text, sizeof decision->text,
                       "%s: not needed for five minutes; costs %.3f nats", what,
                       judgement->gain < 0.0 ? -judgement->gain : 0.0);
    } else {
        (void)snprintf(decision->text, sizeof decision->text,
                       "%s: caps alone do not do; gains %.2f nats for %.2f, %g of weight reach "
                       "their floor",
                       what, judgement->gain, candidate->cost, judgement->kept_gain);
    }
    emit_decision(cluster, decision, out);
    service->last_decision = decision->id;
    emit_event(cluster, EVENT_KIND_DECISION, decision->reason, service, NULL, NULL, out, "%s%s",
               acts ? "" : "advice: ", decision->text)
        ->decision = decision->id;
}

/* False: it could not be done, and nothing was changed. */
static bool carry_out(struct cluster *cluster, uint32_t index, struct effects *out)
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
        return node != NULL &&
               control_may_add(cluster, service, control->candidate_group[index], node) &&
               plan_add_vm(cluster, service, control->candidate_group[index], node, out) !=
                   NULL;
    case ESCALATION_MOVE_VM:
        return node != NULL && recovery_move_because(cluster, vm, node, reason_of(candidate),
                                                     &why, out) == REPLY_DONE;
    case ESCALATION_REMOVE_VM:
        plan_remove(cluster, vm, out);
        plan_apply(cluster, service, out);
        return true;
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
    char what[TEXT_SIZE / 2]; /* before anything is changed */
    describe(cluster, best, what);
    const bool acts = cluster_mode(cluster) == MODE_ACT;
    const uint64_t hash = orders_mix_text(ORDERS_HASH_START, what);
    if (acts ? !carry_out(cluster, best, out) : hash == control->escalation_advice) {
        return; /* it cannot be done, or the same advice was given last time */
    }
    control->escalation_advice = acts ? 0 : hash;
    write_down(cluster, best, what, event, out);
}
