// SPDX-License-Identifier: Apache-2.0
/*
 * From metrics to what a service is judged by: its measured parameter x = measured / target,
 * its load, its use of CPU, and the level that follows. Missing or stale metrics make x
 * unknown, never zero.
 *
 *   web      the entry point's own statistic where a gateway reports one. Otherwise (guests of
 * the model) the VMs' statistics weighted by their request rates, also for percentiles: the
 *            percentile of a mixture lies between those of its parts. A share of failed
 * requests with a target of its own is a second parameter: levels multiply. queue    predicted
 * finish over the deadline, both counted from the start, at the speed since the last control.
 *   cluster  the agreed speed over that of the slowest rank.
 */
#include <math.h>
#include <string.h>

#include "common/service_level.h"
#include "orchestrator/core/control.h"

#define REPORT_MS_MAX  1000.0 /* agents report tasks at least this often */
#define RATE_WINDOW_MS 2000   /* a shorter piece says too little about a queue's speed */
#define SPEED_GAIN     0.2    /* of the newest piece */
#define MET_AGAIN      SERVICE_LEVEL_FLOOR
#define FAILED_MOST    0.5 /* error share from which a service without answers is far over */
#define MISSED_BELOW   (SERVICE_LEVEL_FLOOR - 0.05) /* noise around the floor is no news */

struct sample {
    double value;
    uint32_t age_ms;
};

static struct sample unknown(void)
{
    return (struct sample){.value = (double)NAN, .age_ms = UINT32_MAX};
}

static struct sample vm_sample(const struct cluster *cluster, const struct vm_record *vm,
                               enum metric_kind kind)
{
    struct sample sample = unknown();
    if (vm->metrics_slot == TABLE_NONE) {
        return sample;
    }
    sample.value =
        metrics_value(cluster, vm->vm.node, METRIC_SUBJECT_VM, vm->vm.vm, kind, &sample.age_ms);
    return sample;
}

static struct sample entry_sample(const struct cluster *cluster,
                                  const struct service_record *service, enum metric_kind kind)
{
    struct sample sample = unknown();
    if (service->gateway[0] != '\0') {
        sample.value = metrics_value(cluster, service->gateway, METRIC_SUBJECT_ENTRY,
                                     service->spec.service, kind, &sample.age_ms);
    }
    return sample;
}

static uint32_t older(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Mean of the serving VMs' values, weighted by their request rates. A VM without requests has
 * no response time and counts for nothing; one whose rate is unknown makes all unknown. */
static struct sample mixture(const struct cluster *cluster,
                             const struct service_record *service, enum metric_kind kind)
{
    double sum = 0.0;
    double rates = 0.0;
    uint32_t age_ms = 0;
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (!reconcile_is_serving(cluster, vm)) {
            continue;
        }
        const struct sample rate = vm_sample(cluster, vm, METRIC_REQUEST_RATE);
        if (isnan(rate.value)) {
            return unknown();
        }
        if (rate.value <= 0.0) {
            continue;
        }
        const struct sample part = vm_sample(cluster, vm, kind);
        if (isnan(part.value)) {
            return unknown();
        }
        sum += rate.value * part.value;
        rates += rate.value;
        age_ms = older(age_ms, older(rate.age_ms, part.age_ms));
    }
    return rates > 0.0 ? (struct sample){.value = sum / rates, .age_ms = age_ms} : unknown();
}

/* Sum over the serving VMs; unknown when one of them is. */
static struct sample total(const struct cluster *cluster, const struct service_record *service,
                           enum metric_kind kind)
{
    struct sample sum = {0};
    uint32_t count = 0;
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (!reconcile_is_serving(cluster, vm)) {
            continue;
        }
        const struct sample part = vm_sample(cluster, vm, kind);
        sum.value += part.value;
        sum.age_ms = older(sum.age_ms, part.age_ms);
        count++;
    }
    return count > 0 && !isnan(sum.value) ? sum : unknown();
}

static struct sample web_sample(const struct cluster *cluster,
                                const struct service_record *service, enum metric_kind kind)
{
    const struct sample entry = entry_sample(cluster, service, kind);
    if (!isnan(entry.value)) {
        return entry;
    }
    return kind == METRIC_REQUEST_RATE ? total(cluster, service, kind)
                                       : mixture(cluster, service, kind);
}

static void set_age(const struct cluster *cluster, struct service_record *service,
                    uint32_t age_ms)
{
    service->measured_at_ms = cluster->now_ms - age_ms;
}

static double level_of(const struct service_record *service, double x)
{
    return service_level(&service->spec.objective.curve, x);
}

/* Nothing was answered and most requests failed: as bad as can be, not unknown. */
static bool answers_nothing(const struct cluster *cluster, const struct service_record *service)
{
    return service->load > 0.0 &&
           web_sample(cluster, service, METRIC_ERROR_SHARE).value >= FAILED_MOST;
}

static void measure_web(const struct cluster *cluster, struct service_record *service)
{
    const struct objective *objective = &service->spec.objective;
    const struct response_time *target = &objective->response_time;
    const uint32_t target_ms = response_time_target_ms(target);
    const enum metric_kind kind = target->p95_ms > 0   ? METRIC_RESPONSE_P95_MS
                                  : target->p50_ms > 0 ? METRIC_RESPONSE_P50_MS
                                                       : METRIC_RESPONSE_MEAN_MS;
    const struct sample rate = web_sample(cluster, service, METRIC_REQUEST_RATE);
    service->load = rate.value;
    if (!isnan(rate.value)) {
        set_age(cluster, service, rate.age_ms);
    }
    double levels[2];
    size_t count = 0;
    if (objective->has_response_time && target_ms > 0) {
        const struct sample time = web_sample(cluster, service, kind);
        service->measured_value = time.value;
        service->measured = time.value / target_ms;
        if (isnan(time.value) && answers_nothing(cluster, service)) {
            service->measured = SERVICE_LEVEL_X_MAX;
        }
        levels[count++] = level_of(service, service->measured);
        if (!isnan(time.value)) {
            set_age(cluster, service, time.age_ms);
        }
    }
    if (objective->error_share_permille > 0) {
        const struct sample errors = web_sample(cluster, service, METRIC_ERROR_SHARE);
        const double x = errors.value / (objective->error_share_permille / 1000.0);
        if (count == 0) {
            service->measured_value = errors.value;
            service->measured = x;
        }
        levels[count++] = level_of(service, x);
    }
    service->level = service_level_combine(levels, count);
}

bool measure_deadline(const struct cluster *cluster, const struct service_record *service,
                      int64_t *started_ms, int64_t *deadline_ms)
{
    const struct objective *objective = &service->spec.objective;
    const int64_t started_wall_ms = service->progress.started_wall_ms;
    int64_t deadline_wall_ms = objective->deadline_wall_ms;
    if (deadline_wall_ms == 0 && objective->within_ms > 0 && started_wall_ms > 0) {
        deadline_wall_ms = started_wall_ms + objective->within_ms;
    }
    *started_ms = cluster->now_ms + (started_wall_ms - cluster->wall_ms);
    *deadline_ms = cluster->now_ms + (deadline_wall_ms - cluster->wall_ms);
    return started_wall_ms > 0 && deadline_wall_ms > started_wall_ms;
}

/* Tasks of all generations. A VM that runs but has not reported makes the sum unknown. */
static struct sample tasks_done(const struct cluster *cluster,
                                const struct service_record *service)
{
    double sum = (double)service->progress.tasks_done_before;
    double ages = 0.0;
    uint32_t count = 0;
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (!reconcile_is_serving(cluster, vm)) {
            sum += isnan(vm->tasks_done) ? 0.0 : vm->tasks_done;
            continue;
        }
        const struct sample part = vm_sample(cluster, vm, METRIC_TASKS_DONE);
        if (isnan(part.value) || isnan(vm->tasks_done)) {
            return unknown();
        }
        sum += vm->tasks_done;
        ages += part.age_ms;
        count++;
    }
    if (count == 0 && sum < (double)service->spec.queue.tasks) {
        return unknown(); /* nothing runs: there is no speed to predict from */
    }
    /* VMs report at different instants: the mean one belongs to the sum. */
    return (struct sample){.value = sum,
                           .age_ms = count > 0 ? (uint32_t)(ages / count + 0.5) : 0};
}

static double serving_cap_pct(const struct cluster *cluster,
                              const struct service_record *service)
{
    double cap_pct = 0.0;
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        cap_pct += reconcile_is_serving(cluster, vm) ? vm->vm.cap_pct : 0;
    }
    return cap_pct;
}

/* Tasks per ms and percent of a CPU: what the file promises, then what was seen. NAN: unknown.
 */
static double task_speed(const struct control_service *state,
                         const struct service_record *service)
{
    if (state->speed > 0.0) {
        return state->speed;
    }
    const uint32_t task_cpu_ms = service->spec.queue.task_cpu_ms;
    return task_cpu_ms > 0 ? 1.0 / (100.0 * task_cpu_ms) : (double)NAN;
}

void measure_rate_from_here(struct cluster *cluster, struct service_record *service)
{
    struct control_service *state = control_service_of(cluster, service);
    if (isnan(service->tasks_done)) {
        state->rate_ms = 0;
        return;
    }
    const double elapsed_ms = (double)(service->measured_at_ms - state->rate_ms);
    const double cap_pct = serving_cap_pct(cluster, service);
    if (state->rate_ms != 0 && elapsed_ms >= RATE_WINDOW_MS && cap_pct > 0.0) {
        const double seen = (service->tasks_done - state->rate_tasks) / elapsed_ms / cap_pct;
        const double before = task_speed(state, service);
        state->speed = isnan(before) ? seen : before + SPEED_GAIN * (seen - before);
    }
    state->rate_tasks = service->tasks_done;
    state->rate_ms = service->measured_at_ms;
}

/* Tasks per ms at the present caps. */
static double task_rate(struct cluster *cluster, struct service_record *service)
{
    return task_speed(control_service_of(cluster, service), service) *
           serving_cap_pct(cluster, service);
}

/* The last task was done when the surplus that is reported with it was not yet. */
static int64_t finished_ms(const struct service_record *service, double left, double rate)
{
    const double surplus_ms = rate > 0.0 ? -left / rate : 0.0;
    return service->measured_at_ms -
           (int64_t)(surplus_ms < REPORT_MS_MAX ? surplus_ms : REPORT_MS_MAX);
}

static void measure_queue(struct cluster *cluster, struct service_record *service)
{
    struct control_service *state = control_service_of(cluster, service);
    const struct sample done = tasks_done(cluster, service);
    service->tasks_done = done.value;
    if (isnan(done.value)) {
        return;
    }
    set_age(cluster, service, done.age_ms);
    const double left = (double)service->spec.queue.tasks - done.value;
    service->load = left > 0.0 ? left : 0.0;
    int64_t started_ms = 0;
    int64_t deadline_ms = 0;
    if (!measure_deadline(cluster, service, &started_ms, &deadline_ms)) {
        return;
    }
    if (left <= 0.0 && state->finished_ms == 0) {
        state->finished_ms = finished_ms(service, left, task_rate(cluster, service));
    }
    double finish_ms = (double)(state->finished_ms - started_ms);
    if (left > 0.0) {
        const double rate = task_rate(cluster, service);
        const double whole_ms = (double)(deadline_ms - started_ms);
        finish_ms = (double)(service->measured_at_ms - started_ms) + left / rate;
        if (!(finish_ms <
              SERVICE_LEVEL_X_MAX * whole_ms)) { /* no progress at all, or unknown */
            finish_ms = isnan(rate) ? (double)NAN : SERVICE_LEVEL_X_MAX * whole_ms;
        }
    }
    service->measured_value = finish_ms;
    service->measured = finish_ms / (double)(deadline_ms - started_ms);
    service->level = level_of(service, service->measured);
}

static void measure_cluster(const struct cluster *cluster, struct service_record *service)
{
    struct sample slowest = unknown();
    uint32_t age_ms = 0;
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        /* A rank that does not run stops all of them: unknown until it is back. */
        const struct sample ratio = reconcile_is_serving(cluster, vm)
                                        ? vm_sample(cluster, vm, METRIC_SPEED_RATIO)
                                        : unknown();
        if (isnan(ratio.value)) {
            return;
        }
        age_ms = older(age_ms, ratio.age_ms);
        if (isnan(slowest.value) || ratio.value < slowest.value) {
            slowest = ratio;
        }
    }
    if (isnan(slowest.value) || service->spec.objective.speed_permille == 0) {
        return;
    }
    set_age(cluster, service, age_ms);
    const double target = service->spec.objective.speed_permille / 1000.0;
    service->measured_value = slowest.value;
    const double x = slowest.value > 0.0 ? target / slowest.value : SERVICE_LEVEL_X_MAX;
    service->measured = x > SERVICE_LEVEL_X_MAX ? SERVICE_LEVEL_X_MAX : x;
    service->level = level_of(service, service->measured);
}

/* While the level is unknown the clock of what was missed stands still. */
static void count_missed(const struct cluster *cluster, struct service_record *service)
{
    const bool known = service->met_known && !isnan(service->level);
    if (known && !service->met && service->judged_at_ms != 0) {
        service->missed_ms += cluster->now_ms - service->judged_at_ms;
    }
    service->judged_at_ms = known ? cluster->now_ms : 0;
}

static void tell_change(struct cluster *cluster, struct service_record *service,
                        struct effects *out)
{
    if (isnan(service->level) || !effects_room(out, 8)) {
        return;
    }
    const bool met =
        service->level >= (service->met_known && service->met ? MISSED_BELOW : MET_AGAIN);
    if (service->met_known && met == service->met) {
        return;
    }
    const bool first = !service->met_known;
    service->met_known = true;
    service->met = met;
    if (first && met) {
        return;
    }
    (void)emit_event(cluster, met ? EVENT_KIND_OBJECTIVE_MET : EVENT_KIND_OBJECTIVE_MISSED,
                     met ? REASON_NONE : REASON_LEVEL_LOW, service, NULL, NULL, out,
                     "service %s %s its objective: level %.1f %%, measured at %.2f times the "
                     "target",
                     service->spec.service, met ? "meets" : "misses", service->level * 100.0,
                     service->measured);
}

void metrics_measure(struct cluster *cluster, struct service_record *service,
                     struct effects *out)
{
    service->measured = (double)NAN;
    service->measured_value = (double)NAN;
    service->load = (double)NAN;
    service->level = (double)NAN;
    service->tasks_done = (double)NAN;
    service->cpu_used_pct = total(cluster, service, METRIC_CPU_PCT).value;
    switch (service->spec.kind) {
    case SERVICE_KIND_WEB: measure_web(cluster, service); break;
    case SERVICE_KIND_QUEUE: measure_queue(cluster, service); break;
    case SERVICE_KIND_CLUSTER: measure_cluster(cluster, service); break;
    case SERVICE_KIND_UNSPECIFIED: break;
    }
    count_missed(cluster, service);
    tell_change(cluster, service, out);
}
