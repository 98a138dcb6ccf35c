// SPDX-License-Identifier: Apache-2.0
/*
 * A lost node as one decision of the ledger: which VMs start where, and the caps with which the
 * others make room for them. Starts do not wait for the worker: the decision is stored together
 * with the new places, the worker is asked in the same step, and its answer goes into the same
 * decision, which is then stored again.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/control.h"

static void begin(struct cluster *cluster, struct control_loss *loss, enum reason cause,
                  struct effects *out)
{
    loss->open = true;
    loss->node[0] = '\0';
    loss->nodes = 0;
    memset(loss->counted, 0, cluster->nodes.capacity * sizeof *loss->counted);
    loss->restarts = 0;
    loss->decision = *emit_new_decision(cluster, out);
    loss->decision.reason = cause;
    loss->decision.outcome = DECISION_OUTCOME_ORDERED;
}

void control_loss_restart(struct cluster *cluster, struct vm_record *vm,
                          const struct node_record *lost, enum reason cause,
                          struct effects *out)
{
    struct control_loss *loss = &cluster->control->loss;
    struct service_record *service = cluster_service_of(cluster, vm);
    if (!loss->open) {
        begin(cluster, loss, cause, out);
    }
    memcpy(loss->node, lost->spec.node, sizeof loss->node);
    bool *counted = &loss->counted[table_slot(&cluster->nodes, lost)];
    loss->nodes += *counted ? 0 : 1;
    *counted = true;
    loss->restarts++;
    loss->asked_for_by = 0; /* what is being solved does not know of this one */
    loss->grown = true;
    struct decision *decision = &loss->decision;
    vm->decision = decision->id;
    service->last_decision = decision->id;
    control_put_level(cluster, service, (double)NAN, cause, decision);
    if (decision->caps_count < DECISION_CHANGES_MAX) {
        struct cap_change *change = &decision->caps[decision->caps_count++];
        *change = (struct cap_change){.to_pct = vm->vm.cap_pct, .reason = cause};
        memcpy(change->vm, vm->vm.vm, sizeof change->vm);
        memcpy(change->service, vm->vm.service, sizeof change->service);
        memcpy(change->node, vm->vm.node, sizeof change->node);
    }
}

/* "node xen2 is lost: shop-web-2 starts on xen1 and 3 more elsewhere" */
static void write_text(struct control_loss *loss)
{
    struct decision *decision = &loss->decision;
    const struct cap_change *first = &decision->caps[0];
    char which[NAME_SIZE + 32];
    char more[32] = "";
    if (loss->nodes == 1) {
        (void)snprintf(which, sizeof which, "node %s is lost", loss->node);
    } else {
        (void)snprintf(which, sizeof which, "%u nodes are lost", loss->nodes);
    }
    if (loss->restarts > 1) {
        (void)snprintf(more, sizeof more, " and %u more elsewhere", loss->restarts - 1);
    }
    (void)snprintf(decision->text, sizeof decision->text, "%s: %s starts on %s%s", which,
                   first->vm, first->node, more);
}

void control_loss_decide(struct cluster *cluster, struct effects *out)
{
    struct control *control = cluster->control;
    struct control_loss *loss = &control->loss;
    if (!loss->grown) {
        return;
    }
    loss->grown = false;
    write_text(loss);
    emit_decision(cluster, &loss->decision, out);
    emit_event(cluster, EVENT_KIND_DECISION, loss->decision.reason, NULL, NULL, loss->node, out,
               "%s", loss->decision.text)
        ->decision = loss->decision.id;
    control->wanted = true;
    control->next_due_ms = cluster->now_ms;
    if (cluster_mode(cluster) != MODE_ACT) {
        control_loss_close(cluster); /* what a person confirmed; the caps are advice apart */
    }
}

struct decision *control_loss_resume(struct cluster *cluster, uint64_t revision)
{
    struct control_loss *loss = &cluster->control->loss;
    if (!loss->open || loss->asked_for_by == 0 || revision < loss->asked_for_by) {
        return NULL;
    }
    if (cluster_mode(cluster) != MODE_ACT) {
        control_loss_close(cluster);
        return NULL;
    }
    loss->open = false;
    return &loss->decision;
}

void control_loss_close(struct cluster *cluster)
{
    struct control_loss *loss = &cluster->control->loss;
    if (loss->open) {
        loss->open = false;
        control_remember_outcome(cluster, &loss->decision);
    }
}
