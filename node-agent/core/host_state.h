// SPDX-License-Identifier: Apache-2.0
/*
 * Inside of the simulated host, shared by host_model.c (interface), host_call.c (calls),
 * host_time.c (CPU sharing, time) and host_reading.c (what a list shows). Nobody else includes
 * it.
 *
 * Everything that adds up over time is an integer: CPU in nanoseconds per millisecond, so that
 * one advance over 10 s and a thousand over 10 ms each end in the same state, bit by bit.
 */
#ifndef NODE_AGENT_CORE_HOST_STATE_H
#define NODE_AGENT_CORE_HOST_STATE_H

#include "common/rng.h"
#include "node-agent/core/host_model.h"

#define CPU_NS_PER_MS     1000000u /* one CPU, fully used */
#define CAP_NS_PER_MS     10000u   /* one percent of a CPU */
#define PATIENCE_MS       10000u   /* users give up a request that would wait longer */
#define MEMORY_KIB_PER_MS 262u     /* a balloon moves 256 MiB/s */
#define VCPU_ONLINE_MS    200u     /* a guest needs that long to follow a new count of VCPUs */
#define SAVE_KIB_PER_MS   1049u    /* a suspend writes and a restore reads 1 GiB/s */
#define HOST_LOADS_MAX    256u
#define HOST_CALLS_MAX    (2u * VMS_PER_NODE_MAX + 4u)
#define SPEED_ONE         1000000 /* speed factor 1, in parts per million */

struct guest {
    bool used;
    bool creating; /* its CREATE or RESTORE is under way: holds memory, is not listed */
    enum run_state state;
    struct vm_order order;
    uint32_t cap_pct;
    uint32_t weight;
    uint32_t vcpus;        /* online */
    uint32_t vcpus_wanted; /* reached at vcpus_due_ms */
    int64_t vcpus_due_ms;
    uint64_t memory_from_kib; /* actual at memory_since_ms, moving to the target */
    uint64_t memory_target_kib;
    int64_t memory_since_ms;
    uint64_t net_rate_kib_s;
    uint64_t disk_rate_kib_s;
    uint32_t load_share_permille;
    bool booting;
    bool never_ran; /* made paused: the first resume boots it */
    int64_t booted_at_ms;
    uint64_t cpu_time_ns;
    uint64_t rate_ns;    /* CPU granted now */
    uint64_t arrival_ns; /* CPU time that arrives as requests, per ms */
    uint64_t backlog_ns; /* CPU time of requests that wait beyond the steady state */
    uint64_t work_ns;    /* of a queue guest: CPU time times speed */
    uint64_t work_rate_ns;
    uint32_t speed_ppm;
    int64_t speed_next_ms;
    struct rng rng;
};

struct host_call {
    bool used;
    bool finished;
    int64_t due_ms;
    int code;
    enum reason reason;
    uint64_t value;
    struct hypervisor_call call;
};

/* Order of calls: by due time, then id. */
struct host_queue_item {
    int64_t due_ms;
    uint64_t id;
    uint32_t slot;
};

struct service_load {
    char service[NAME_SIZE];
    double requests_per_s;
};

struct host_model {
    struct host_model_config config;
    bool off;
    bool stale; /* something changed: share the CPU anew */
    int64_t time_ms;
    int64_t next_ms; /* next change inside a guest; valid when not stale */
    uint32_t high;   /* guest slots at or above were never used */
    uint32_t loads_count;
    uint32_t waiting_count;
    uint32_t finished_first; /* ring of slots of calls that are to be handed out */
    uint32_t finished_count;
    struct host_queue_item waiting[HOST_CALLS_MAX];
    uint32_t finished[HOST_CALLS_MAX];
    struct service_load loads[HOST_LOADS_MAX];
    struct guest guests[VMS_PER_NODE_MAX];
    struct domain_list list;
    struct host_call calls[HOST_CALLS_MAX];
};

/* host_call.c. A begun CREATE or RESTORE holds its memory from then on. */
struct guest *host_find_guest(struct host_model *host, const char *uuid);
int host_begin_create(struct host_model *host, const struct vm_order *order, struct err *err);
int host_begin_on_guest(struct host_model *host, const struct hypervisor_call *call,
                        struct err *err);
int64_t host_call_ms(const struct host_model *host, const struct hypervisor_call *call);
/* A waiting call whose time has come is carried out. */
void host_call_fire(struct host_model *host, struct host_call *entry);

/* host_time.c */
void host_advance(struct host_model *host, int64_t now_ms);
uint64_t guest_limit_ns(const struct guest *guest);
uint64_t guest_memory_kib(const struct guest *guest, int64_t now_ms);
/* What a guest would get if it wanted all that it may have. */
uint64_t host_potential_ns(const struct host_model *host, const struct guest *guest);

/* host_reading.c */
void host_read(const struct host_model *host, struct domain_list *out);

#endif
