// SPDX-License-Identifier: Apache-2.0
/*
 * An answer of the optimizer as a decision of the ledger: which caps move and why, what every
 * touched service had and is predicted to get, and who paid.
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
        return response_time_target_ms(time);
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

/* Where the decision starts this VM; NULL: it does not. */
static struct cap_change *start_of(struct decision *decision, const char *vm)
{
    for (uint32_t i = 0; i < decision->caps_count; i++) {
        if (decision->caps[i].from_pct == 0 && strcmp(decision->caps[i].vm, vm) == 0) {
            return &decision->caps[i];
        }
    }
    return NULL;
}

static void add_caps(const struct cluster *cluster, const struct allocation_answer *answer,
                     const struct moved *moved, struct decision *decision)
{
    const struct control *control = cluster->control;
    const struct allocation_service *service = &control->problem_services[moved->service];
    for (uint32_t i = 0; i < service->vms_count; i++) {
        const uint32_t v = service->first_vm + i;
        const struct vm_record *vm = table_at(&cluster->vms, control->vm_marks[v].slot);
        if (answer->caps_pct[v] == control->vms[v].previous_cap_pct) {
            continue;
        }
        struct cap_change *started = start_of(decision, vm->vm.vm);
        if (started != NULL) {
            started->to_pct = answer->caps_pct[v];
            continue;
        }
        if (decision->caps_count == DECISION_CHANGES_MAX) {
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

/* NULL: the decision does not touch it. */
static struct level_change *find_level(struct decision *decision, const char *service)
{
    for (uint32_t i = 0; i < decision->levels_count; i++) {
        if (strcmp(decision->levels[i].service, service) == 0) {
            return &decision->levels[i];
        }
    }
    return NULL;
}

/* Its place in the decision; NULL: there are too many. */
static struct level_change *level_for(struct decision *decision, const char *service)
{
    struct level_change *level = find_level(decision, service);
    if (level != NULL) {
        return level;
    }
    if (decision->levels_count == DECISION_CHANGES_MAX) {
        return NULL;
    }
    level = &decision->levels[decision->levels_count++];
    *level = (struct level_change){0};
    return level;
}

void control_put_level(const struct cluster *cluster, const struct service_record *service,
                       double predicted, enum reason reason, struct decision *decision)
{
    struct level_change *level = level_for(decision, service->spec.service);
    if (level == NULL) {
        return;
    }
    const bool is_new = level->service[0] == '\0';
    if (is_new) {
        *level = (struct level_change){
            .measured = service->measured,
            .measured_value = service->measured_value,
            .target_value = target_of(cluster, service),
            .load = service->load,
            .level_before = service->level,
            .level_after = (double)NAN,
            .reason = reason,
        };
        (void)snprintf(level->service, sizeof level->service, "%s", service->spec.service);
    }
    level->level_predicted = predicted;
    level->basis = control_basis(cluster, service);
}

static void add_level(const struct cluster *cluster, const struct allocation_answer *answer,
                      const struct moved *moved, struct decision *decision)
{
    control_put_level(cluster, record_of(cluster, moved->service),
                      answer->services[moved->service].level, moved->reason, decision);
}

static void append(char text[TEXT_SIZE], const char *more)
{
    const size_t used = strlen(text);
    (void)snprintf(text + used, TEXT_SIZE - used, "%s", more);
}

static void append_payers(struct decision *decision)
{
    char part[NAME_SIZE + 32];
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
    append_payers(decision);
}

/* Behind what is said of the starts: "; 4 other caps follow, paid by render" */
static void write_room_text(uint32_t others, struct decision *decision)
{
    char part[64];
    if (others > 0) {
        (void)snprintf(part, sizeof part, "; %u other cap%s", others,
                       others == 1 ? " follows" : "s follow");
        append(decision->text, part);
        append_payers(decision);
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

/* Caps that move, beside those of VMs that the decision starts. */
static uint32_t count_changes(const struct cluster *cluster,
                              const struct allocation_answer *answer, struct decision *decision)
{
    const struct control *control = cluster->control;
    uint32_t changes = 0;
    for (uint32_t v = 0; v < control->problem.vms_count; v++) {
        const struct vm_record *vm = table_at(&cluster->vms, control->vm_marks[v].slot);
        changes += answer->caps_pct[v] != control->vms[v].previous_cap_pct &&
                   start_of(decision, vm->vm.vm) == NULL;
    }
    return changes;
}

/* Caps and levels of all services that the answer touches or the decision has already, the
 * cause first. */
static void fill(struct cluster *cluster, const struct allocation_answer *answer,
                 const struct moved *cause, struct decision *decision)
{
    const struct control *control = cluster->control;
    if (cause->touched) {
        add_caps(cluster, answer, cause, decision);
        add_level(cluster, answer, cause, decision);
    }
    for (uint32_t i = 0; i < control->problem.services_count; i++) {
        const struct moved moved = moved_of(cluster, answer, i);
        if (cause->touched && i == cause->service) {
            continue;
        }
        if (moved.touched || find_level(decision, control->problem_services[i].name) != NULL) {
            add_caps(cluster, answer, &moved, decision);
            add_level(cluster, answer, &moved, decision);
        }
    }
}

void control_name_scheduler(const struct service_record *service, struct decision *decision)
{
    const struct scheduler *scheduler = service->spec.scheduler[0] != '\0'
                                            ? scheduler_find(service->spec.scheduler)
                                            : scheduler_default(service->spec.kind);
    (void)snprintf(decision->scheduler, sizeof decision->scheduler, "%s",
                   scheduler == NULL ? service->spec.scheduler : scheduler->name);
}

/* Stored, told, and known to the services that it touches. */
static void announce(struct cluster *cluster, const struct service_record *service,
                     const struct decision *decision, struct effects *out)
{
    emit_decision(cluster, decision, out);
    for (uint32_t i = 0; i < decision->levels_count; i++) {
        struct service_record *touched =
            table_find(&cluster->services, decision->levels[i].service);
        if (touched == NULL) {
            continue;
        }
        touched->last_decision = decision->id;
        if (decision->mode == MODE_ACT) {
            touched->awaiting_outcome = decision->id;
            touched->outcome_at_ms = cluster->now_ms + 2 * (int64_t)control_period_ms(cluster);
        }
    }
    emit_event(cluster, EVENT_KIND_DECISION, decision->reason, service, NULL, NULL, out, "%s%s",
               decision->mode == MODE_ACT ? "" : "advice: ", decision->text)
        ->decision = decision->id;
}

static void note_solution(const struct cluster_event *event, struct decision *decision)
{
    decision->took_us = event->solved.took_us;
    decision->value = event->solved.answer->log_sigma;
    decision->bound = event->solved.answer->upper_bound;
}

/* The caps that make room for VMs of a lost node join the decision that started these. */
static const struct decision *decide_room(struct cluster *cluster,
                                          const struct cluster_event *event,
                                          const struct moved *cause, struct decision *decision,
                                          struct effects *out)
{
    note_solution(event, decision);
    fill(cluster, event->solved.answer, cause, decision);
    const uint32_t changes = count_changes(cluster, event->solved.answer, decision);
    write_room_text(changes, decision);
    control_remember_outcome(cluster, decision);
    announce(cluster, NULL, decision, out);
    return decision;
}

const struct decision *control_decide(struct cluster *cluster,
                                      const struct cluster_event *event, struct effects *out)
{
    struct control *control = cluster->control;
    const struct allocation_answer *answer = event->solved.answer;
    const struct moved cause = find_cause(cluster, answer);
    struct decision *begun = control_loss_resume(cluster, event->solved.revision);
    if (begun != NULL) {
        return decide_room(cluster, event, &cause, begun, out);
    }
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
    note_solution(event, decision);
    decision->outcome =
        decision->mode == MODE_ACT ? DECISION_OUTCOME_ORDERED : DECISION_OUTCOME_ADVISED;
    fill(cluster, answer, &cause, decision);
    write_text(cluster, &cause, count_changes(cluster, answer, decision), decision);
    if (decision->mode == MODE_ACT) {
        control->advice_hash = 0;
        control_remember_outcome(cluster, decision);
    } else {
        const uint64_t hash = hash_caps(decision);
        if (hash == control->advice_hash) {
            cluster->next_decision = next_decision; /* the id was not used */
            cluster->decisions_without_change++;
            return NULL;
        }
        control->advice_hash = hash;
    }
    announce(cluster, service, decision, out);
    return decision;
}
