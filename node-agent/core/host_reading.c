// SPDX-License-Identifier: Apache-2.0
/* What the simulated hypervisor and its guests show to somebody who looks. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "node-agent/core/host_state.h"

#define EXPONENTIAL_P50 0.6931471805599453 /* ln 2 */
#define EXPONENTIAL_P95 2.995732273553991  /* ln 20 */

/*
 * Mean response time in ms of processor sharing on c CPUs, where one request uses at most one
 * (Sakasegawa's form, which is M/G/1-PS for one CPU and less). load_cpus < c.
 */
static double steady_response_ms(double request_ms, double load_cpus, double c)
{
    double rho = load_cpus / c;
    double m = c > 1 ? c : 1;
    double alone = request_ms / (c < 1 ? c : 1);
    return alone * (1 + pow(rho, sqrt(2 * (m + 1)) - 1) / (m * (1 - rho)));
}

static void read_web(const struct host_model *host, const struct guest *guest,
                     struct domain_reading *out)
{
    double request_ms = host->config.request_cpu_ms;
    double arrival = (double)guest->arrival_ns;
    double potential = (double)host_potential_ns(host, guest);
    out->request_rate = arrival / (request_ms * 1000.0);
    out->error_share = 0;
    if (guest->arrival_ns == 0 && guest->backlog_ns == 0) {
        return; /* nobody asked: a response time is unknown, not zero */
    }
    if (potential <= 0) {
        out->error_share = 1;
        return;
    }
    double c = potential / CPU_NS_PER_MS;
    double wait_ms = (double)guest->backlog_ns / potential;
    double steady_ms = request_ms / (c < 1 ? c : 1);
    if (arrival < potential) {
        steady_ms = steady_response_ms(request_ms, arrival / CPU_NS_PER_MS, c);
    }
    double limit_ms = PATIENCE_MS;
    out->response_mean_ms = fmin(wait_ms + steady_ms, limit_ms);
    out->response_p50_ms = fmin(wait_ms + steady_ms * EXPONENTIAL_P50, limit_ms);
    out->response_p95_ms = fmin(wait_ms + steady_ms * EXPONENTIAL_P95, limit_ms);
    if (guest->arrival_ns > guest->rate_ns &&
        guest->backlog_ns >= guest->rate_ns * PATIENCE_MS) {
        out->error_share = (arrival - (double)guest->rate_ns) / arrival;
    }
}

static void read_work(const struct host_model *host, const struct guest *guest,
                      struct domain_reading *out)
{
    uint64_t task_ns = (uint64_t)guest->order.queue.task_cpu_ms * CPU_NS_PER_MS;
    switch (guest->order.service_kind) {
    case SERVICE_KIND_WEB:
        if (guest->state == RUN_STATE_RUNNING && !guest->booting) {
            read_web(host, guest, out);
        }
        return;
    case SERVICE_KIND_QUEUE:
        if (task_ns > 0) {
            uint64_t whole_tasks = guest->work_ns / task_ns;
            out->tasks_done = (double)whole_tasks;
        }
        return;
    case SERVICE_KIND_CLUSTER:
        if (guest->state == RUN_STATE_RUNNING && !guest->booting) {
            out->speed_ratio =
                (double)guest->rate_ns / ((double)guest->vcpus * (double)CPU_NS_PER_MS);
        }
        return;
    case SERVICE_KIND_UNSPECIFIED: return;
    }
}

static void read_guest(const struct host_model *host, const struct guest *guest,
                       struct domain_reading *out)
{
    bool lives = guest->state == RUN_STATE_RUNNING || guest->state == RUN_STATE_PAUSED;
    domain_reading_clear(out);
    (void)snprintf(out->uuid, sizeof out->uuid, "%s", guest->order.uuid);
    (void)snprintf(out->vm, sizeof out->vm, "%s", guest->order.vm);
    out->generation = guest->order.generation;
    out->ours = true;
    out->state = guest->state;
    out->cap_pct = guest->cap_pct;
    out->weight = guest->weight;
    out->vcpus = guest->vcpus;
    out->memory_kib = lives ? guest_memory_kib(guest, host->time_ms) : 0;
    out->memory_target_kib = guest->memory_target_kib;
    out->net_rate_kib_s = guest->net_rate_kib_s;
    out->disk_rate_kib_s = guest->disk_rate_kib_s;
    out->cpu_time_ns = guest->cpu_time_ns;
    read_work(host, guest, out);
}

void host_read(const struct host_model *host, struct domain_list *out)
{
    out->read_at_ms = host->time_ms;
    out->count = 0;
    for (uint32_t i = 0; i < host->high; i++) {
        if (host->guests[i].used && !host->guests[i].creating) {
            read_guest(host, &host->guests[i], &out->domains[out->count++]);
        }
    }
}
