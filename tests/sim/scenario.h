// SPDX-License-Identifier: Apache-2.0
/*
 * What a simulation is about, read from one YAML file: a document `world` (machines, network,
 * load, faults) and, behind it, the objects that an administrator would apply.
 */
#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include "common/err.h"
#include "common/model/object.h"
#include "policy.h"
#include "users.h"

#define SCENARIO_NODES_MAX   64
#define SCENARIO_OBJECTS_MAX 32
#define SCENARIO_STEPS_MAX   256
#define SCENARIO_USERS_MAX   32

enum fault_kind {
    FAULT_UNSPECIFIED = 0,
    FAULT_POWER_OFF = 1,  /* a node and its guests are gone */
    FAULT_POWER_ON = 2,   /* it comes back, empty */
    FAULT_AGENT_STOP = 3, /* its agent dies, guests go on */
    FAULT_AGENT_START = 4,
    FAULT_CUT = 5, /* no message between it and the orchestrator */
    FAULT_HEAL = 6,
    FAULT_RESTART = 7, /* of the orchestrator, from its store */
};

struct load_step {
    int64_t at_ms;
    char service[NAME_SIZE];
    double requests_per_s;
};

struct fault_step {
    int64_t at_ms;
    enum fault_kind kind;
    uint32_t node; /* index */
};

struct scenario {
    uint32_t nodes;
    uint32_t cpus;
    uint64_t memory_kib;
    uint32_t boot_ms;
    uint32_t call_ms;
    double request_cpu_ms;
    double request_cpu_step; /* factor of that, from this instant on; 0: none */
    int64_t request_cpu_step_at_ms;
    double speed_sigma;
    uint32_t speed_every_ms;
    uint32_t period_ms;
    uint32_t lease_ms;
    uint32_t latency_ms;
    uint32_t jitter_ms;
    uint32_t loss_permille; /* of telemetry */
    uint32_t solve_ms;      /* virtual time that the worker needs */
    int64_t apply_at_ms;
    int64_t duration_ms;
    enum mode mode;
    double load;             /* as a number: every pattern's rate times this; default 1 */
    double noise;            /* relative deviation of the response times that agents report */
    double model_error;      /* the CPU time that agents report is off by up to this part */
    uint32_t users_every_ms; /* patterns change this often */
    enum policy policy;
    uint32_t users_count;
    struct user_pattern users[SCENARIO_USERS_MAX];
    uint32_t loads_count;
    struct load_step loads[SCENARIO_STEPS_MAX];
    uint32_t faults_count;
    struct fault_step faults[SCENARIO_STEPS_MAX];
    uint32_t objects_count;
    struct object objects[SCENARIO_OBJECTS_MAX];
};

/* -errno of reading, -EINVAL with file, line and what was expected. */
int scenario_read(const char *path, struct scenario *out, struct err *err);

/* "world.FIELD=VALUE", or a field of every service: "scheduler=search". */
int scenario_set(struct scenario *scenario, const char *assignment, struct err *err);

/* By whom the run is controlled: "default" as the files say; a policy's name; or a scheduler's,
 * for all services of the kind that it is for. */
int scenario_use(struct scenario *scenario, const char *name, struct err *err);

const char *fault_word(enum fault_kind kind);

#endif
