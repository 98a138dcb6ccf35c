// SPDX-License-Identifier: Apache-2.0
/*
 * One simulated run: an orchestrator core, agent cores with a model host each, the network
 * between them (every message through the codec), a store that is durable at once, and virtual
 * time. The order of what happens is (time, sequence); randomness is the seed. Nothing here
 * reads a clock.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdio.h>

#include "common/rng.h"
#include "node-agent/core/agent.h"
#include "node-agent/core/host_model.h"
#include "orchestrator/core/cluster.h"
#include "proto/codec.h"
#include "scenario.h"

#define WORLD_WALL_MS      1700000000000ll /* wall clock at time 0 */
#define WORLD_RUNS_MAX     256             /* generations of guests whose work is counted */
#define WORLD_SERVICES_MAX 32

/* The host model's percentiles in parts of the mean: an exponential. */
#define TRUTH_P50 0.6931471805599453 /* ln 2 */
#define TRUTH_P95 2.995732273553991  /* ln 20 */

enum item_type {
    ITEM_TO_ORCHESTRATOR = 1, /* bytes from a node */
    ITEM_TO_AGENT = 2,
    ITEM_SOLVED = 3,
    ITEM_APPLY = 4, /* index of an object */
    ITEM_LOAD = 5,
    ITEM_FAULT = 6,
    ITEM_REFUSED = 7,      /* a call that the host did not take */
    ITEM_PROBE = 8,        /* look at all hosts: the end of a job is near */
    ITEM_SAMPLE = 9,       /* look at all hosts, from time to time */
    ITEM_USERS = 10,       /* the patterns of users go on */
    ITEM_REQUEST_CPU = 11, /* requests take another CPU time */
};

struct item_solved {
    uint64_t revision;
    int code;
    struct err err;
    struct allocation_answer answer;
    struct escalation_judgement judgements[ESCALATION_CANDIDATES_MAX];
    uint32_t judgements_count;
};

/* Something that will happen. Owns what it points to. */
struct world_item {
    int64_t at_ms;
    uint64_t sequence;
    enum item_type type;
    uint32_t index; /* of a node, an object, a load or a fault */
    uint32_t life;  /* of the node's agent: what was meant for an earlier one is lost */
    uint64_t call;  /* REFUSED */
    int code;
    struct bytes bytes;
    struct item_solved *solved;
};

struct world_agent {
    char name[NAME_SIZE];
    struct agent *agent; /* NULL: it does not run */
    struct host_model *host;
    bool powered;
    bool cut;
    uint32_t life;
    int64_t clock_ms;      /* its boot clock minus ours */
    uint64_t sequence;     /* sent over the control socket */
    uint64_t published;    /* over the telemetry socket */
    int64_t arrival_up_ms; /* nothing overtakes on a control socket */
    int64_t arrival_down_ms;
    struct agent_memory *memory; /* what it remembered; NULL: nothing yet */
};

/* Work of one generation of a guest, the truth. */
struct guest_run {
    char uuid[UUID_SIZE];
    uint64_t generation;
    char vm[NAME_SIZE];
    double tasks;
    double cpu_s;
    /* as seen by the newest look at all hosts */
    uint64_t look;
    double response_ms; /* mean; NAN: nobody asked, or it does not serve */
    double request_rate;
    double speed_ratio;
    uint32_t cap_pct;
    double cpu_rate_pct; /* used since the look before */
    double cpu_s_before;
    int64_t looked_ms;
    /* what the manager is told instead of the truth */
    double noise; /* factor of response times, until noise_until_ms */
    int64_t noise_until_ms;
};

/* One stored record, by its key. */
struct kept_record {
    char key[NAME_SIZE * 2];
    struct bytes bytes;
};

/* What came out for one service. */
struct world_service {
    char name[NAME_SIZE];
    enum service_kind kind;
    uint64_t tasks;
    uint32_t within_ms;
    int64_t applied_ms;
    int64_t finished_ms; /* of a queue; in a thousandth of a ms below; 0: not yet */
    double finish_exact_ms;
    double cpu_s; /* at its end, or at the end of the run */
    double tasks_seen;
    double tasks_before; /* at the probe before */
    int64_t seen_ms;
    struct objective objective;
    double requests_per_s; /* of its users, now */
    double mean_per_s;     /* of its pattern; 0: it has none */
    double cpu_error;      /* factor of the CPU time that the manager reads */
    uint32_t cap_pct;      /* of all VMs, and what they used, at the newest look */
    double used_pct;
    double level; /* at the newest look; NAN: unknown */
    double level_sum;
    double log_sum;
    uint32_t looks;
    uint32_t under; /* looks with a level under the floor */
    bool missed;    /* at present */
    int64_t missed_since_ms;
    int64_t missed_ms; /* in all */
};

struct world {
    const struct scenario *scenario;
    struct rng rng;
    int64_t now_ms;
    int64_t end_ms;
    uint64_t sequence;
    /* queue: a heap */
    struct world_item *items;
    uint32_t items_count;
    uint32_t items_capacity;
    /* orchestrator */
    struct cluster *cluster;
    struct allocation_memory *memory; /* of the worker, as long as the process lives */
    struct effects *effects;
    uint64_t epoch;
    uint64_t next_event;
    uint64_t next_decision;
    uint32_t requests;
    struct kept_record *records;
    uint32_t records_count;
    uint32_t records_capacity;
    /* agents */
    struct agent_effects *agent_effects;
    struct world_agent agents[SCENARIO_NODES_MAX];
    /* truth */
    uint32_t runs_count;
    struct guest_run runs[WORLD_RUNS_MAX];
    uint32_t services_count;
    struct world_service services[WORLD_SERVICES_MAX];
    bool probing;
    uint64_t look;        /* number of the newest look at all hosts */
    uint64_t probe;       /* id of its last call */
    struct rng truth_rng; /* of users and noise, so that these do not shift the rest */
    struct user_state users[SCENARIO_USERS_MAX];
    uint32_t migrations;
    uint32_t solves;
    double solve_s; /* CPU time of all solves: measured, and no part of what is decided */
    FILE *series;   /* NULL: none */
    uint32_t decisions;
    uint32_t changes; /* caps */
    uint64_t messages;
    uint64_t hash; /* of every byte on the network, in order */
    FILE *trace;   /* NULL: none */
    bool failed;
    struct err err;
    struct node_message message; /* decoding */
};

/* One run. The trace says what happened; the series, as CSV, each service's level, CPU and load
 * over time. Either may be NULL. NULL with err. */
struct world *world_run(const struct scenario *scenario, uint64_t seed, FILE *trace,
                        FILE *series, struct err *err);
void world_destroy(struct world *world);

/* ---- inside ---- */
void world_add(struct world *world, struct world_item item);
/* Line of the trace: "12.345 ACTOR TEXT". */
void world_trace(struct world *world, const char *actor, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void world_fail(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Encodes a message and puts it on the way. */
void world_send(struct world *world, uint32_t node, const struct node_message *message, bool up,
                bool telemetry);

/* orchestrator.c */
void orchestrator_start(struct world *world);
void orchestrator_step(struct world *world, struct cluster_event *event);
void orchestrator_message(struct world *world, const struct world_item *item);
void orchestrator_apply(struct world *world, const struct object *object);
void orchestrator_restart(struct world *world);

/* agents.c */
void agents_create(struct world *world);
void agents_start(struct world *world, uint32_t node);
void agents_fault(struct world *world, const struct fault_step *fault);
void agents_step(struct world *world, uint32_t node, struct agent_event *event);
void agents_message(struct world *world, const struct world_item *item);
/* Completions and ticks that are due; false: nothing was. */
bool agents_due(struct world *world, uint32_t node);
int64_t agents_deadline_ms(const struct world *world, uint32_t node);
/* Looks at every host in the same instant; the last answer closes the look. */
void agents_look(struct world *world);

/* truth.c */
void truth_reading(struct world *world, const struct domain_list *list, bool probe);
void truth_probed(struct world *world);
struct world_service *truth_service(struct world *world, const char *name);
/* truth_levels.c */
void truth_look(struct guest_run *run, const struct domain_reading *domain, uint64_t look,
                int64_t now_ms);
void truth_levels(struct world *world);
/* Guests with less memory than their working set wait for their disk, whatever CPU they have.
 */
void truth_memory(struct world *world, struct domain_list *list);
/* What the manager is told: noise on response times, a wrong scale of CPU time. */
void truth_disturb(struct world *world, struct domain_list *list);
bool truth_belongs(const char *vm, const char *service);
void truth_event(struct world *world, const struct event_record *event);
void truth_finish(struct world *world);

#endif
