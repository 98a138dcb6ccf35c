// SPDX-License-Identifier: Apache-2.0
/*
 * The fast loop. Every service has a control time once per period: it is measured, its
 * scheduler proposes, and the proposals of all go into one SOLVE for the whole cluster, one at
 * a time. Services whose times are close together share a SOLVE. What changed while the worker
 * solved makes its answer stale: it is dropped and the problem solved anew. In mode advise an
 * answer is only written down; in hold nothing is solved.
 */
#include "orchestrator/core/control.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "schedulers/scheduler.h"

#define ROUND_MS         1000 /* new services are noticed after at most this */
#define MEASURE_MS       1000 /* between controls, for displays and events */
#define TOGETHER         20   /* a part of the period: services due within it share a SOLVE */
#define EFFECTS_PER_STEP 4096 /* caps and orders of one answer */

int control_init(struct cluster *cluster)
{
    struct control *control = calloc(1, sizeof *control);
    cluster->control = control;
    if (control == NULL) {
        return -ENOMEM;
    }
    const size_t services = cluster->services.capacity;
    const size_t nodes = cluster->nodes.capacity;
    const size_t vms = cluster->vms.capacity;
    control->services = calloc(services, sizeof *control->services);
    control->nodes = calloc(nodes, sizeof *control->nodes);
    control->node_index = calloc(nodes, sizeof *control->node_index);
    control->node_least = calloc(nodes, sizeof *control->node_least);
    control->problem_services = calloc(services, sizeof *control->problem_services);
    control->service_slots = calloc(services, sizeof *control->service_slots);
    control->service_revisions = calloc(services, sizeof *control->service_revisions);
    control->cap_before = calloc(services, sizeof *control->cap_before);
    control->vms = calloc(vms, sizeof *control->vms);
    control->vm_marks = calloc(vms, sizeof *control->vm_marks);
    control->node_slack = calloc(nodes, sizeof *control->node_slack);
    control->slack = calloc(nodes, sizeof *control->slack);
    control->loss.counted = calloc(nodes, sizeof *control->loss.counted);
    const bool complete =
        control->node_slack != NULL && control->slack != NULL && control->services != NULL &&
        control->nodes != NULL && control->node_index != NULL && control->node_least != NULL &&
        control->problem_services != NULL && control->service_slots != NULL &&
        control->service_revisions != NULL && control->cap_before != NULL &&
        control->vms != NULL && control->vm_marks != NULL && control->loss.counted != NULL;
    if (!complete) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < nodes; i++) {
        control->node_slack[i] = (double)NAN; /* no answer yet */
    }
    return 0;
}

void control_finish(struct cluster *cluster)
{
    struct control *control = cluster->control;
    if (control == NULL) {
        return;
    }
    free(control->services);
    free(control->nodes);
    free(control->node_index);
    free(control->loss.counted);
    free(control->node_least);
    free(control->problem_services);
    free(control->service_slots);
    free(control->service_revisions);
    free(control->cap_before);
    free(control->vms);
    free(control->vm_marks);
    free(control->node_slack);
    free(control->slack);
    free(control);
    cluster->control = NULL;
}

/* ---- proposals ---- */

static void propose(struct cluster *cluster, struct service_record *service,
                    const struct service_view *view, struct effects *out)
{
    struct profile_use use;
    const struct scheduler *scheduler = scheduler_find(service->spec.scheduler);
    if (scheduler == NULL) {
        scheduler = scheduler_default(service->spec.kind);
    }
    struct control_service *state = control_service_of(cluster, service);
    scheduler->propose(&service->scheduler, view, control_profile(cluster, service, &use),
                       &state->proposal);
    control_note_point(cluster, service, view);
    control_tell_outdated(cluster, service, out);
    state->proposed = true;
    cluster->control->wanted = true;
    if (service->spec.kind == SERVICE_KIND_QUEUE) {
        measure_rate_from_here(cluster, service);
    }
}

/* First a whole period after it was seen to run, for a queue counted from its start. */
static int64_t first_control_ms(const struct cluster *cluster,
                                const struct service_record *service, int64_t period_ms)
{
    int64_t started_ms = 0;
    int64_t deadline_ms = 0;
    if (service->spec.kind != SERVICE_KIND_QUEUE ||
        !measure_deadline(cluster, service, &started_ms, &deadline_ms)) {
        return cluster->now_ms + period_ms;
    }
    const int64_t passed = cluster->now_ms - started_ms;
    return started_ms + (passed / period_ms + 1) * period_ms;
}

static void stop_when_done(struct cluster *cluster, struct service_record *service,
                           struct effects *out)
{
    if (service->spec.kind != SERVICE_KIND_QUEUE || isnan(service->tasks_done) ||
        service->spec.queue.tasks == 0 || service->deleting ||
        service->spec.when_done != WHEN_DONE_STOP ||
        service->tasks_done < (double)service->spec.queue.tasks) {
        return;
    }
    bool told = false;
    struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (vm->vm.desired != RUN_STATE_RUNNING || !effects_room(out, 8)) {
            continue;
        }
        if (!told) {
            told = true;
            /* From now on it is done, whatever its guests' counters say after a restart. */
            service->progress.tasks_done_before = service->spec.queue.tasks;
            emit_progress(cluster, service, out);
            (void)emit_event(cluster, EVENT_KIND_ACTION, REASON_NONE, service, NULL, NULL, out,
                             "service %s has done its %llu tasks: its VMs are stopped",
                             service->spec.service,
                             (unsigned long long)service->spec.queue.tasks);
        }
        vm->tasks_done = 0.0;
        vm->vm.desired = RUN_STATE_STOPPED;
        emit_vm(cluster, vm, out);
        cluster_mark_dirty(cluster, vm);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Measures and, when its time has come, proposes. Returns when it wants to be visited again. */
static int64_t visit(struct cluster *cluster, struct service_record *service,
                     struct effects *out)
{
    const int64_t period_ms = control_period_ms(cluster);
    struct control_service *state = control_service_of(cluster, service);
    const int64_t slack_ms =
        service->spec.kind == SERVICE_KIND_QUEUE ? 0 : period_ms / TOGETHER;
    const bool due =
        service->next_control_ms != 0 && cluster->now_ms >= service->next_control_ms - slack_ms;
    if (!due && cluster->now_ms < state->next_measure_ms) {
        return earlier(state->next_measure_ms, service->next_control_ms);
    }
    metrics_measure(cluster, service, out);
    stop_when_done(cluster, service, out);
    state->next_measure_ms = cluster->now_ms + MEASURE_MS;
    struct service_view view;
    if (!control_view(cluster, service, &view)) {
        service->next_control_ms = 0;
        state->short_since_ms = 0; /* what was seen of it before it was away says nothing */
        state->spare_since_ms = 0;
        state->starved_since_ms = 0;
        memset(state->vcpus_spare_since_ms, 0, sizeof state->vcpus_spare_since_ms);
        return state->next_measure_ms;
    }
    if (service->next_control_ms == 0) {
        service->next_control_ms = first_control_ms(cluster, service, period_ms);
    } else if (due) {
        propose(cluster, service, &view, out);
        /* Keeps its phase; periods that were missed are not made up for. */
        const int64_t late = cluster->now_ms - service->next_control_ms;
        service->next_control_ms += (late > 0 ? late / period_ms + 1 : 1) * period_ms;
    }
    return earlier(state->next_measure_ms, service->next_control_ms);
}

void control_tick(struct cluster *cluster, struct effects *out)
{
    struct control *control = cluster->control;
    control_outcomes(cluster, out);
    if (cluster->now_ms < control->next_due_ms) {
        return;
    }
    int64_t next_ms = cluster->now_ms + ROUND_MS;
    struct service_record *service = NULL;
    for (uint32_t i = 0; (service = table_next(&cluster->services, &i)) != NULL;) {
        next_ms = earlier(next_ms, visit(cluster, service, out));
    }
    if (cluster->solve_revision != 0 && cluster->now_ms >= control->solve_until_ms) {
        cluster->solve_revision = 0; /* no answer came */
        control_loss_close(cluster);
    }
    control_take_back(cluster, out);
    if (control->wanted && cluster->solve_revision == 0 && cluster_mode(cluster) != MODE_HOLD &&
        effects_room(out, 8)) {
        control_problem(cluster, out);
    }
    control->next_due_ms = next_ms > cluster->now_ms ? next_ms : cluster->now_ms + 1;
}

int64_t control_deadline_ms(const struct cluster *cluster)
{
    return earlier(cluster->control->next_due_ms, control_outcomes_deadline_ms(cluster));
}

/* ---- answers ---- */

/* Nothing that the answer is about changed since it was asked for. */
static bool is_fresh(const struct cluster *cluster)
{
    const struct control *control = cluster->control;
    for (uint32_t v = 0; v < control->problem.vms_count; v++) {
        const struct vm_record *vm = table_at(&cluster->vms, control->vm_marks[v].slot);
        if (vm == NULL || vm->meta.revision != control->vm_marks[v].revision) {
            return false;
        }
    }
    for (uint32_t i = 0; i < control->problem.services_count; i++) {
        const struct service_record *service =
            table_at(&cluster->services, control->service_slots[i]);
        if (service == NULL || service->meta.revision != control->service_revisions[i] ||
            strcmp(service->spec.service, control->problem_services[i].name) != 0) {
            return false;
        }
    }
    return true;
}

/* Decreases before increases, so that a node is never asked for more than it has. */
static void set_caps(struct cluster *cluster, const struct allocation_answer *answer,
                     bool increases, uint64_t decision, struct effects *out)
{
    const struct control *control = cluster->control;
    for (uint32_t v = 0; v < control->problem.vms_count; v++) {
        const uint32_t before = control->vms[v].previous_cap_pct;
        const uint32_t after = answer->caps_pct[v];
        if (after == before || (after > before) != increases) {
            continue;
        }
        if (!effects_room(out, 2)) {
            return; /* the next period finds the rest */
        }
        struct vm_record *vm = table_at(&cluster->vms, control->vm_marks[v].slot);
        vm->vm.cap_pct = after;
        vm->decision = decision;
        emit_vm(cluster, vm, out);
        cluster_mark_dirty(cluster, vm);
    }
}

/* For people who compare it with what comes out. */
static void keep_predictions(struct cluster *cluster, const struct allocation_answer *answer)
{
    const struct control *control = cluster->control;
    for (uint32_t i = 0; i < control->problem.services_count; i++) {
        struct service_record *service =
            table_at(&cluster->services, control->service_slots[i]);
        service->level_predicted = answer->services[i].level;
        struct control_service *state = control_service_of(cluster, service);
        state->sacrificed = answer->services[i].sacrificed;
        state->kept = answer->services[i].missing_pct == 0;
    }
}

void control_solved(struct cluster *cluster, const struct cluster_event *event,
                    struct effects *out)
{
    struct control *control = cluster->control;
    if (event->solved.revision != cluster->solve_revision) {
        return; /* given up */
    }
    cluster->solve_revision = 0;
    if (control->wanted) {
        control->next_due_ms = cluster->now_ms; /* proposals came in while this was solved */
    }
    if (event->solved.code != 0) {
        control_loss_close(cluster);
        if (effects_room(out, 8)) {
            (void)emit_event(cluster, EVENT_KIND_ALARM, REASON_NO_CPU, NULL, NULL, NULL, out,
                             "caps are not decided: %s",
                             event->solved.err == NULL ? "" : event->solved.err->text);
        }
        return;
    }
    const enum mode mode = cluster_mode(cluster);
    if (mode == MODE_HOLD || cluster->stopping) {
        return;
    }
    if (!is_fresh(cluster) || !effects_room(out, EFFECTS_PER_STEP)) {
        control->wanted = true;
        control->next_due_ms = cluster->now_ms;
        return;
    }
    keep_predictions(cluster, event->solved.answer);
    control_note_answer(cluster, event->solved.answer);
    const struct decision *decision = control_decide(cluster, event, out);
    if (decision != NULL && mode == MODE_ACT) {
        set_caps(cluster, event->solved.answer, false, decision->id, out);
        set_caps(cluster, event->solved.answer, true, decision->id, out);
    }
    control_escalate(cluster, event, out);
}
