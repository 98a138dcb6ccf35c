// SPDX-License-Identifier: Apache-2.0
/*
 * Time and CPU of the simulated host. Between two changes every rate is constant, so time jumps
 * from change to change; rates are integers, so it does not matter how often somebody looks.
 */
#include <string.h>

#include "node-agent/core/host_state.h"

uint64_t guest_limit_ns(const struct guest *guest)
{
    uint64_t by_cap = (uint64_t)guest->cap_pct * CAP_NS_PER_MS;
    uint64_t by_vcpus = (uint64_t)guest->vcpus * CPU_NS_PER_MS;
    return by_cap < by_vcpus ? by_cap : by_vcpus;
}

uint64_t guest_memory_kib(const struct guest *guest, int64_t now_ms)
{
    uint64_t moved = now_ms <= guest->memory_since_ms
                         ? 0
                         : (uint64_t)(now_ms - guest->memory_since_ms) * MEMORY_KIB_PER_MS;
    uint64_t from = guest->memory_from_kib;
    uint64_t to = guest->memory_target_kib;
    if (to >= from) {
        return to - from <= moved ? to : from + moved;
    }
    return from - to <= moved ? to : from - moved;
}

static bool works(const struct guest *guest)
{
    return guest->used && !guest->creating && guest->state == RUN_STATE_RUNNING &&
           !guest->booting;
}

static double load_of(const struct host_model *host, const char *service)
{
    for (uint32_t i = 0; i < host->loads_count; i++) {
        if (strcmp(host->loads[i].service, service) == 0) {
            return host->loads[i].requests_per_s;
        }
    }
    return 0;
}

static uint64_t demand_ns(const struct guest *guest)
{
    uint64_t limit = guest_limit_ns(guest);
    switch (guest->order.service_kind) {
    case SERVICE_KIND_WEB:
        return guest->backlog_ns > 0 || guest->arrival_ns > limit ? limit : guest->arrival_ns;
    case SERVICE_KIND_QUEUE:
    case SERVICE_KIND_CLUSTER: return limit;
    case SERVICE_KIND_UNSPECIFIED: break;
    }
    return 0;
}

/*
 * Water-filling by weight, as credit2 shares a pool: who wants less than its share gets what it
 * wants, and what is left is shared again by the others.
 */
static void fill(const struct host_model *host, const uint64_t *demand, uint64_t *granted)
{
    uint64_t left = (uint64_t)host->config.cpus * CPU_NS_PER_MS;
    uint64_t weights = 0;
    bool open[VMS_PER_NODE_MAX] = {false};
    for (uint32_t i = 0; i < host->high; i++) {
        granted[i] = 0;
        if (demand[i] > 0) {
            open[i] = true;
            weights += host->guests[i].weight;
        }
    }
    bool closed_one = true;
    while (closed_one && weights > 0) {
        closed_one = false;
        uint64_t round_left = left;
        uint64_t round_weights = weights;
        for (uint32_t i = 0; i < host->high; i++) {
            uint64_t weight = host->guests[i].weight;
            if (open[i] && demand[i] * round_weights <= round_left * weight) {
                granted[i] = demand[i];
                open[i] = false;
                left -= demand[i];
                weights -= weight;
                closed_one = true;
            }
        }
    }
    for (uint32_t i = 0; i < host->high; i++) {
        if (open[i] && weights > 0) {
            granted[i] = left * host->guests[i].weight / weights;
        }
    }
}

uint64_t host_potential_ns(const struct host_model *host, const struct guest *guest)
{
    uint64_t demand[VMS_PER_NODE_MAX] = {0};
    uint64_t granted[VMS_PER_NODE_MAX] = {0};
    uint32_t self = (uint32_t)(guest - host->guests);
    for (uint32_t i = 0; i < host->high; i++) {
        demand[i] = works(&host->guests[i]) ? demand_ns(&host->guests[i]) : 0;
    }
    demand[self] = guest_limit_ns(guest);
    fill(host, demand, granted);
    return granted[self];
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When the backlog is empty, or as long as users wait; INT64_MAX: never at these rates. */
static int64_t backlog_turns_ms(const struct guest *guest, int64_t now_ms)
{
    uint64_t rate = guest->rate_ns;
    uint64_t arrival = guest->arrival_ns;
    uint64_t most = rate * PATIENCE_MS;
    uint64_t wait = 0;
    if (rate > arrival && guest->backlog_ns > 0) {
        wait = (guest->backlog_ns + (rate - arrival) - 1) / (rate - arrival);
    } else if (rate < arrival && guest->backlog_ns < most) {
        wait = (most - guest->backlog_ns + (arrival - rate) - 1) / (arrival - rate);
    } else {
        return INT64_MAX;
    }
    return now_ms + (int64_t)wait;
}

static int64_t guest_next_ms(const struct guest *guest, int64_t now_ms)
{
    int64_t next = INT64_MAX;
    if (guest->booting) {
        next = guest->booted_at_ms;
    }
    if (guest->vcpus != guest->vcpus_wanted) {
        next = earlier(next, guest->vcpus_due_ms);
    }
    if (works(guest) && guest->order.service_kind == SERVICE_KIND_QUEUE) {
        next = earlier(next, guest->speed_next_ms);
    }
    if (works(guest) && guest->order.service_kind == SERVICE_KIND_WEB) {
        next = earlier(next, backlog_turns_ms(guest, now_ms));
    }
    return next;
}

static void share(struct host_model *host)
{
    uint64_t demand[VMS_PER_NODE_MAX] = {0};
    uint64_t granted[VMS_PER_NODE_MAX] = {0};
    for (uint32_t i = 0; i < host->high; i++) {
        struct guest *guest = &host->guests[i];
        guest->arrival_ns = 0;
        if (!works(guest)) {
            continue;
        }
        if (guest->order.service_kind == SERVICE_KIND_WEB) {
            double per_s =
                load_of(host, guest->order.service) * guest->load_share_permille / 1000.0;
            guest->arrival_ns = (uint64_t)(per_s * host->config.request_cpu_ms * 1000.0 + 0.5);
        }
        demand[i] = demand_ns(guest);
    }
    fill(host, demand, granted);
    host->next_ms = INT64_MAX;
    for (uint32_t i = 0; i < host->high; i++) {
        struct guest *guest = &host->guests[i];
        guest->rate_ns = granted[i];
        guest->work_rate_ns = granted[i] * guest->speed_ppm / SPEED_ONE;
        if (guest->arrival_ns > 0 && guest->backlog_ns > granted[i] * PATIENCE_MS) {
            guest->backlog_ns = granted[i] * PATIENCE_MS;
        }
        if (guest->used && !guest->creating && guest->state == RUN_STATE_RUNNING) {
            host->next_ms = earlier(host->next_ms, guest_next_ms(guest, host->time_ms));
        }
    }
    host->stale = false;
}

static void integrate(struct host_model *host, uint64_t step_ms)
{
    for (uint32_t i = 0; i < host->high; i++) {
        struct guest *guest = &host->guests[i];
        if (!works(guest)) {
            continue;
        }
        guest->cpu_time_ns += guest->rate_ns * step_ms;
        if (guest->order.service_kind == SERVICE_KIND_QUEUE) {
            guest->work_ns += guest->work_rate_ns * step_ms;
        } else if (guest->arrival_ns >= guest->rate_ns) {
            uint64_t most = guest->rate_ns * PATIENCE_MS;
            uint64_t more = guest->backlog_ns + (guest->arrival_ns - guest->rate_ns) * step_ms;
            guest->backlog_ns = more < most ? more : most;
        } else {
            uint64_t less = (guest->rate_ns - guest->arrival_ns) * step_ms;
            guest->backlog_ns = guest->backlog_ns > less ? guest->backlog_ns - less : 0;
        }
    }
}

static void draw_speed(const struct host_model *host, struct guest *guest)
{
    double factor = 1.0 + host->config.speed_sigma * rng_normal(&guest->rng);
    if (factor < 0.1) {
        factor = 0.1;
    }
    guest->speed_ppm = (uint32_t)(factor * SPEED_ONE + 0.5);
    guest->speed_next_ms += host->config.speed_every_ms;
}

static void fire_guests(struct host_model *host)
{
    for (uint32_t i = 0; i < host->high; i++) {
        struct guest *guest = &host->guests[i];
        if (!guest->used || guest->creating || guest->state != RUN_STATE_RUNNING) {
            continue;
        }
        if (guest->booting && guest->booted_at_ms <= host->time_ms) {
            guest->booting = false;
            if (host->config.speed_sigma > 0) {
                guest->speed_next_ms = host->time_ms;
            }
        }
        if (guest->vcpus != guest->vcpus_wanted && guest->vcpus_due_ms <= host->time_ms) {
            guest->vcpus = guest->vcpus_wanted;
        }
        while (!guest->booting && guest->speed_next_ms <= host->time_ms) {
            draw_speed(host, guest);
        }
    }
}

void host_advance(struct host_model *host, int64_t now_ms)
{
    while (host->time_ms <= now_ms && !host->off) {
        if (host->stale) {
            share(host);
        }
        int64_t next = host->next_ms;
        if (host->waiting_count > 0) {
            next = earlier(next, host->waiting[0].due_ms);
        }
        int64_t to = earlier(next, now_ms);
        if (to > host->time_ms) {
            integrate(host, (uint64_t)(to - host->time_ms));
            host->time_ms = to;
        }
        if (next > now_ms) {
            return;
        }
        fire_guests(host);
        while (host->waiting_count > 0 && host->waiting[0].due_ms <= host->time_ms) {
            uint32_t slot = host->waiting[0].slot;
            host->waiting_count--;
            memmove(host->waiting, host->waiting + 1,
                    host->waiting_count * sizeof *host->waiting);
            host_call_fire(host, &host->calls[slot]);
        }
        host->stale = true;
    }
}
