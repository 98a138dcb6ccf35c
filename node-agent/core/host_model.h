// SPDX-License-Identifier: Apache-2.0
/*
 * A simulated Xen host: CPU time sharing with caps and weights as credit2 has them, memory,
 * boot times, and guests that serve requests, work on tasks or step in a gang, from queueing
 * formulas. Used by the model driver and by the simulator. Pure: time is passed in, randomness
 * is a seed.
 *
 *   web guest:   M/G/1-PS per CPU share: R = d / (1 - rho), rho = lambda d / r; p50 and p95
 * from an exponential with that mean; beyond saturation the backlog grows and drains. queue
 * guest: work done = CPU time granted times the guest's speed, which is redrawn from N(1,
 * speed_sigma) every speed_every_ms. rank:        speed_ratio = CPU granted / VCPUs, of the
 * slowest resource.
 */
#ifndef NODE_AGENT_CORE_HOST_MODEL_H
#define NODE_AGENT_CORE_HOST_MODEL_H

#include "common/err.h"
#include "node-agent/core/hypervisor_call.h"

struct host_model;

struct host_model_config {
    uint32_t cpus;
    uint64_t memory_kib;
    uint32_t boot_ms;
    uint32_t shutdown_ms;
    uint32_t call_ms;        /* a short call takes this long */
    double request_cpu_ms;   /* CPU time of one web request, default 10 */
    double speed_sigma;      /* default 0 */
    uint32_t speed_every_ms; /* default 10 s */
    uint64_t seed;
};

struct host_model *host_model_create(const struct host_model_config *config, struct err *err);
void host_model_destroy(struct host_model *host);

/* Capacity and what the model can do. */
void host_model_status(const struct host_model *host, struct node_status *out);

/* As a driver's start(): 0, -ENOTSUP, -EBUSY, -EINVAL, -ENOSPC. */
int host_model_start(struct host_model *host, const struct hypervisor_call *call,
                     int64_t now_ms, struct err *err);
/* As a driver's complete(). */
int host_model_complete(struct host_model *host, int64_t now_ms,
                        struct hypervisor_completion *out);
int64_t host_model_deadline_ms(const struct host_model *host);

/* Requests per second that users send to a service in all; each guest gets its load share of
 * it. */
void host_model_set_load(struct host_model *host, const char *service, double requests_per_s,
                         int64_t now_ms);

/* From now on a web request takes another CPU time: its application changed. */
void host_model_set_request_cpu(struct host_model *host, double request_cpu_ms, int64_t now_ms);

/* The host loses power: every guest is gone, calls never complete. */
void host_model_power_off(struct host_model *host, int64_t now_ms);

/* Truth for checkers: is this VM running (not paused) now, and in which generation. */
bool host_model_runs(const struct host_model *host, const char *uuid, uint64_t *generation);

#endif
