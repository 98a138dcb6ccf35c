// SPDX-License-Identifier: Apache-2.0
/*
 * An answer of the optimizer as a decision of the ledger: which caps move and why, what every
 * touched service had and is predicted to get, and who paid. Two periods later the levels that
 * came out are added and the decision is stored again.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/control.h"

#define HASH_START 1469598103934665603ull
#define HASH_PRIME 1099511628211ull

/* Of one service of the problem. */
struct moved {
    uint32_t service; /* index in the problem */
    int64_t step_pct; /* of all its caps */
    enum reason reason;
    bool touched;
};

static uint32_t sum_of(const struct allocation_service *service, const uint32_t *caps)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < service->vms_count; i++) {
        sum += caps[service->first_vm + i];
    }
    return sum;
}

static struct moved moved_of(const struct cluster *cluster,
                             const struct allocation_answer *answer, uint32_t index)
{
    const struct control *control = cluster->control;
    const struct allocation_service *service = &control->problem_services[index];
    struct moved moved = {.service = index};
    for (uint32_t i = 0; i < service->vms_count; i++) {
        const uint32_t v = service->first_vm + i;
        moved.touched =
            moved.touched || answer->caps_pct[v] != control->vms[v].previous_cap_pct;
    }
    moved.step_pct =
        (int64_t)sum_of(service, answer->caps_pct) - (int64_t)control->cap_before[index];
    const struct proposal *proposal = service->model;
    moved.reason = (enum reason)proposal->reason;
    if (moved.step_pct < 0 && answer->services[index].sacrificed) {
        moved.reason = REASON_SACRIFICED;
    } else if (moved.step_pct < 0 &&
               (proposal->want_pct == 0 || proposal->want_pct >= control->cap_before[index])) {
        moved.reason = REASON_PAID_FOR_OTHERS;
    } else if (moved.reason == REASON_NONE || moved.reason == REASON_UNSPECIFIED) {
        moved.reason = moved.step_pct < 0 ? REASON_LEVEL_SPARE : REASON_LEVEL_LOW;
    }
    return moved;
}

/* The service that the decision is about: the one that gained most, else the one that gave
 * most. */
static struct moved find_cause(const struct cluster *cluster,
                               const struct allocation_answer *answer)
{
    const struct control *control = cluster->control;
    struct moved cause = {0};
    for (uint32_t i = 0; i < control->problem.services_count; i++) {
        const struct moved moved = moved_of(cluster, answer, i);
        if (!moved.touched) {
            continue;
        }
        const bool gains = moved.step_pct > 0;
        const bool better = gains ? moved.step_pct > cause.step_pct
                                  : cause.step_pct <= 0 && moved.step_pct < cause.step_pct;
        if (!cause.touched || better) {
            cause = moved;
        }
    }
    return cause;
}

static void format_cpu(uint32_t pct, char out[16])
{
    const int digits = pct % 10 == 0 ? 1 : 2;
    (void)snprintf(out, 16, "%.*f", digits, pct / 100.0);
}

static double target_of(const struct cluster *cluster, const struct service_record *service)
{
    const struct objective *objective = &service->spec.objective;
    const struct response_time *time = &objective->response_time;
    int64_t started_ms = 0;
    int64_t deadline_ms = 0;
    switch (service->spec.kind) {
    case SERVICE_KIND_WEB:
        if (!objective->has_response_time) {
            return objective->error_share_permille / 1000.0;
        }
        return time->p95_ms > 0   ? time->p95_ms
               : time->p50_ms > 0 ? time->p50_ms
                                  : time->mean_ms;
    case SERVICE_KIND_QUEUE:
        return measure_deadline(cluster, service, &started_ms, &deadline_ms)
                   ? (double)(deadline_ms - started_ms)
                   : (double)NAN;
    case SERVICE_KIND_CLUSTER: return objective->speed_permille / 1000.0;
    case SERVICE_KIND_UNSPECIFIED: break;
    }
    return (double)NAN;
}

/* "p95 243 ms of 200 ms" */
static void format_measured(const struct cluster *cluster, const struct service_record *service,
                            enum reason reason, char out[96])
{
    const struct response_time *time = &service->spec.objective.response_time;
    const double value = service->measured_value;
    const double target = target_of(cluster, service);
    (void)snprintf(out, 96, "%s", reason_word(reason));
    if (isnan(value) || isnan(target)) {
        return;
    }
    switch (service->spec.kind) {
    case SERVICE_KIND_WEB:
        if (service->spec.objective.has_response_time) {
            (void)snprintf(out, 96, "%s %.0f ms of %.0f ms",
                           time->p95_ms > 0   ? "p95"
                           : time->p50_ms > 0 ? "p50"
                                              : "mean",
                           value, target);
        } else {
            (void)snprintf(out, 96, "errors %.1f %% of %.1f %%", value * 100, target * 100);
        }
        break;
    case SERVICE_KIND_QUEUE:
        (void)snprintf(out, 96, "predicted end after %.0f s of %.0f s", value / 1000,
                       target / 1000);
        break;
    case SERVICE_KIND_CLUSTER:
        (void)snprintf(out, 96, "speed %.2f of %.2f", value, target);
        break;
    case SERVICE_KIND_UNSPECIFIED: break;
    }
}

static struct service_record *record_of(const struct cluster *cluster, uint32_t index)
{
    return table_at(&cluster->services, cluster->control->service_slots[index]);
}

static void add_caps(const struct cluster *cluster, const struct allocation_answer *answer,
                     const struct moved *moved, struct decision *decision)
{
    const struct control *control = cluster->control;
    const struct allocation_service *service = &control->problem_services[moved->service];
    for (uint32_t i = 0; i < service->vms_count; i++) {
        const uint32_t v = service->first_vm + i;
        const struct vm_record *vm = table_at(&cluster->vms, control->vm_marks[v].slot);
        if (answer->caps_pct[v] == control->vms[v].previous_cap_pct ||
            decision->caps_count == DECISION_CHANGES_MAX) {
            continue;
        }
        struct cap_change *change = &decision->caps[decision->caps_count++];
        (void)snprintf(change->vm, sizeof change->vm, "%s", vm->vm.vm);
        (void)snprintf(change->service, sizeof change->service, "%s", service->name);
        (void)snprintf(change->node, sizeof change->node, "%s", vm->vm.node);
        change->from_pct = control->vms[v].previous_cap_pct;
        change->to_pct = answer->caps_pct[v];
        change->reason = moved->reason;
    }
}

static void add_level(const struct cluster *cluster, const struct allocation_answer *answer,
                      const struct moved *moved, struct decision *decision)
{
    const struct service_record *service = record_of(cluster, moved->service);
    if (decision->levels_count == DECISION_CHANGES_MAX) {
        return;
    }
    decision->levels[decision->levels_count++] = (struct level_change){
        .measured = service->measured,
        .measured_value = service->measured_value,
        .target_value = target_of(cluster, service),
        .load = service->load,
        .level_before = service->level,
        .level_predicted = answer->services[moved->service].level,
        .level_after = (double)NAN,
        .reason = moved->reason,
    };
    struct level_change *level = &decision->levels[decision->levels_count - 1];
    (void)snprintf(level->service, sizeof level->service, "%s", service->spec.service);
}

static void append(char text[TEXT_SIZE], const char *more)
{
    const size_t used = strlen(text);
    (void)snprintf(text + used, TEXT_SIZE - used, "%s", more);
}

/* "cap shop-web-1 1.0 -> 1.5 on xen1: p95 243 ms of 200 ms, paid by render" */
static void write_text(const struct cluster *cluster, const struct moved *cause,
                       uint32_t changes, struct decision *decision)
{
    char measured[96];
    format_measured(cluster, record_of(cluster, cause->service), cause->reason, measured);
    const struct cap_change *first = &decision->caps[0];
    char from[16];
    char to[16];
    format_cpu(first->from_pct, from);
    format_cpu(first->to_pct, to);
    (void)snprintf(decision->text, sizeof decision->text, "cap %s %s -> %s on %s", first->vm,
                   from, to, first->node);
    char part[128];
    if (changes > 1) {
        (void)snprintf(part, sizeof part, " and %u more", changes - 1);
        append(decision->text, part);
    }
    (void)snprintf(part, sizeof part, ": %s", measured);
    append(decision->text, part);
    const char *separator = ", paid by ";
    for (uint32_t i = 0; i < decision->levels_count; i++) {
        const struct level_change *level = &decision->levels[i];
        if (level->reason == REASON_PAID_FOR_OTHERS || level->reason == REASON_SACRIFICED) {
            (void)snprintf(part, sizeof part, "%s%s%s", separator, level->service,
                           level->reason == REASON_SACRIFICED ? " (sacrificed)" : "");
            append(decision->text, part);
            separator = ", ";
        }
    }
}

/* Of the caps alone: the same advice is not given twice in a row. */
static uint64_t hash_caps(const struct decision *decision)
{
    uint64_t hash = HASH_START;
    for (uint32_t i = 0; i < decision->caps_count; i++) {
        const struct cap_change *change = &decision->caps[i];
        for (const char *at = change->vm; *at != '\0'; at++) {
            hash = (hash ^ (unsigned char)*at) * HASH_PRIME;
        }
        hash = (hash ^ change->to_pct) * HASH_PRIME;
    }
    return hash;
}

static void fill(struct cluster *cluster, const struct allocation_answer *answer,
                 const struct moved *cause, struct decision *decision)
{
    const struct control *control = cluster->control;
    uint32_t changes = 0;
    for (uint32_t v = 0; v < control->problem.vms_count; v++) {
        changes += answer->caps_pct[v] != control->vms[v].previous_cap_pct;
    }
    add_caps(cluster, answer, cause, decision);
    add_level(cluster, answer, cause, decision);
    for (uint32_t i = 0; i < control->problem.services_count; i++) {
        const struct moved moved = moved_of(cluster, answer, i);
        if (moved.touched && i != cause->service) {
            add_caps(cluster, answer, &moved, decision);
            add_level(cluster, answer, &moved, decision);
        }
    }
    write_text(cluster, cause, changes, decision);
}

static void remember_outcome(struct cluster *cluster, const struct decision *decision)
{
    struct control *control = cluster->control;
    const uint32_t at = control->outcome_next;
    control->outcomes[at].decision = *decision;
    control->outcomes[at].at_ms = cluster->now_ms + 2 * (int64_t)control_period_ms(cluster);
    control->outcome_next = (at + 1) % CONTROL_OUTCOMES_MAX;
}

void control_name_scheduler(const struct service_record *service, struct decision *decision)
{
    const struct scheduler *scheduler = service->spec.scheduler[0] != '\0'
                                            ? scheduler_find(service->spec.scheduler)
                                            : scheduler_default(service->spec.kind);
    (void)snprintf(decision->scheduler, sizeof decision->scheduler, "%s",
                   scheduler == NULL ? service->spec.scheduler : scheduler->name);
}

const struct decision *control_decide(struct cluster *cluster,
                                      const struct cluster_event *event, struct effects *out)
{
    struct control *control = cluster->control;
    const struct allocation_answer *answer = event->solved.answer;
    const struct moved cause = find_cause(cluster, answer);
    if (!cause.touched) {
        cluster->decisions_without_change++;
        return NULL;
    }
    const uint64_t next_decision = cluster->next_decision;
    struct decision *decision = emit_new_decision(cluster, out);
    struct service_record *service = record_of(cluster, cause.service);
    (void)snprintf(decision->service, sizeof decision->service, "%s", service->spec.service);
    control_name_scheduler(service, decision);
    decision->reason = cause.reason;
    decision->took_us = event->solved.took_us;
    decision->value = answer->log_sigma;
    decision->bound = answer->upper_bound;
    decision->outcome =
        decision->mode == MODE_ACT ? DECISION_OUTCOME_ORDERED : DECISION_OUTCOME_ADVISED;
    fill(cluster, answer, &cause, decision);
    if (decision->mode == MODE_ACT) {
        control->advice_hash = 0;
        remember_outcome(cluster, decision);
    } else {
        const uint64_t hash = hash_caps(decision);
        if (hash == control->advice_hash) {
            cluster->next_decision = next_decision; /* the id was not used */
            cluster->decisions_without_change++;
            return NULL;
        }
        control->advice_hash = hash;
    }
    emit_decision(cluster, decision, out);
    for (uint32_t i = 0; i < decision->levels_count; i++) {
        struct service_record *touched =
            table_find(&cluster->services, decision->levels[i].service);
        touched->last_decision = decision->id;
        if (decision->mode == MODE_ACT) {
            touched->awaiting_outcome = decision->id;
            touched->outcome_at_ms = cluster->now_ms + 2 * (int64_t)control_period_ms(cluster);
        }
    }
    emit_event(cluster, EVENT_KIND_DECISION, decision->reason, service, NULL, NULL, out, "%s%s",
               decision->mode == MODE_ACT ? "" : "advice: ", decision->text)
        ->decision = decision->id;
    return decision;
}

/* Every cap is seen effective, or was changed again since. */
static bool is_applied(const struct cluster *cluster, const struct decision *decision)
{
    for (uint32_t i = 0; i < decision->caps_count; i++) {
        const struct cap_change *change = &decision->caps[i];
        const struct vm_record *vm = table_find(&cluster->vms, change->vm);
        if (vm != NULL && vm->vm.cap_pct == change->to_pct &&
            (!vm->status_known || vm->status.cap_pct != change->to_pct)) {
            return false;
        }
    }
    return true;
}

void control_outcomes(struct cluster *cluster, struct effects *out)
{
    struct control *control = cluster->control;
    for (uint32_t i = 0; i < CONTROL_OUTCOMES_MAX; i++) {
        if (control->outcomes[i].at_ms == 0 || control->outcomes[i].at_ms > cluster->now_ms ||
            !effects_room(out, 8)) {
            continue;
        }
        control->outcomes[i].at_ms = 0;
        struct decision *decision = &control->outcomes[i].decision;
        for (uint32_t k = 0; k < decision->levels_count; k++) {
            struct level_change *level = &decision->levels[k];
            struct service_record *service = table_find(&cluster->services, level->service);
            if (service == NULL) {
                continue;
            }
            level->level_after = service->level;
            if (service->awaiting_outcome == decision->id) {
                service->awaiting_outcome = 0;
            }
        }
        if (is_applied(cluster, decision)) {
            decision->outcome = DECISION_OUTCOME_APPLIED;
        }
        emit_decision(cluster, decision, out);
    }
}

int64_t control_outcomes_deadline_ms(const struct cluster *cluster)
{
    int64_t deadline_ms = INT64_MAX;
    for (uint32_t i = 0; i < CONTROL_OUTCOMES_MAX; i++) {
        const int64_t at_ms = cluster->control->outcomes[i].at_ms;
        deadline_ms = at_ms != 0 && at_ms < deadline_ms ? at_ms : deadline_ms;
    }
    return deadline_ms;
}
