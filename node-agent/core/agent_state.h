// SPDX-License-Identifier: Apache-2.0
/*
 * Inside of the agent's core, shared by its files; nobody else includes it.
 *
 *   agent.c      create, step, deadlines           agent_lease.c    hello, lease, fence
 *   agent_leave.c    a clean stop
 *   agent_orders.c   what is ordered, results      agent_reach.c    which call comes next
 *   agent_calls.c    calls begun and ended         agent_readings.c what a list showed
 *   agent_report.c   snapshots, metrics            agent_addresses.c, agent_images.c,
 * agent_entries.c
 */
#ifndef NODE_AGENT_CORE_AGENT_STATE_H
#define NODE_AGENT_CORE_AGENT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "node-agent/core/agent.h"

#define EFFECTS_ROOM       24u /* one VM's turn in a step adds at most so many */
#define HELLO_EVERY_MS     1000
#define HEARTBEAT_EVERY_MS 1000
#define RENEWS_UNANSWERED  4u /* then the agent says hello again */
#define LEASE_MS_MAX       600000u
#define LEASE_TO_START_MS  5000 /* a protected VM is started only with so much lease left */
#define LEASE_UNKNOWN_MS   5000 /* for protected VMs adopted at start, until a grant comes */
#define FENCE_EARLY_MS     2000 /* protected VMs are ended so long before the lease ends */
#define SNAPSHOT_PAUSE_MS  200  /* changes closer than that go into one snapshot */
#define REMEMBER_AFTER_MS  5000 /* for changes that a new order would bring anyway */
#define SHORT_CALL_MS      10000
#define LIST_CALL_MS       10000
#define CREATE_CALL_MS     120000
#define SHUTDOWN_CALL_MS   60000
#define SAVE_CALL_MS       300000
#define MIGRATE_CALL_MS    540000
#define CALL_LOST_MS       30000 /* after its deadline a call without an end is given up */
#define RETRY_FIRST_MS     1000
#define RETRY_LAST_MS      60000
#define RETRY_BUSY_MS      200
#define RESTART_CALM_MS    60000 /* a guest that ran so long may be restarted at once */
#define EFFECT_WAIT_MS     30000 /* accepted and then not effective for so long: said */
#define LEAVE_WAIT_MS      5000  /* a clean stop waits so long for the answer to LEAVE */
#define LEAVE_EVERY_MS     500
#define IMAGES_MAX         64u
#define NO_VALUE           UINT64_MAX
#define CPU_SPAN_MS        5500 /* of the mean CPU use: five periods, and what they are late */
#define CPU_SAMPLES        8u   /* a step more often only shortens the span */

/* What can be set on a living VM, in the order in which it is done. */
enum setting {
    SETTING_CAP = 0,
    SETTING_MEMORY,
    SETTING_VCPUS,
    SETTING_WEIGHT,
    SETTING_NET_RATE,
    SETTING_DISK_RATE,
    SETTING_LOAD_SHARE,
    SETTING_COUNT
};

/* One order of the value that was tried and what reading back showed, so that a driver that
 * rounds is not asked again and again. */
struct setting_try {
    bool done;
    uint64_t asked;
    uint64_t shown;
    int64_t retry_at_ms; /* after a failure */
    uint32_t failures;
};

enum lane { LANE_SHORT = 0, LANE_LONG = 1, LANE_COUNT };

struct lane_state {
    uint64_t call; /* under way; 0: none */
    enum hypervisor_call_kind kind;
    enum setting setting; /* of a short call that sets something */
    uint64_t asked;
    uint64_t reboots;    /* of a REBOOT: those that it settles */
    uint64_t generation; /* that the call is about */
    int64_t give_up_ms;
    int64_t retry_at_ms;
    uint32_t failures; /* in a row */
};

struct cpu_sample {
    int64_t at_ms;
    uint64_t time_ns;
};

struct vm_record {
    bool used;
    bool ordered;     /* order is set */
    bool ordered_now; /* by an orchestrator since this agent started or fenced it: may be
                         created */
    struct vm_order order;
    uint64_t order_epoch; /* 0: from the memory */
    int64_t ordered_at_ms;
    char address[ADDRESS_SIZE]; /* from the pool, without prefix */
    bool seen;                  /* in the newest list */
    struct domain_reading reading;
    int64_t changed_at_ms; /* older readings are out of date */
    bool await_list;       /* something changed its state: look before doing more */
    bool ran;              /* was seen running in this generation and not stopped by us */
    bool gone;             /* ABSENT is ordered and its destroy went well */
    bool shutdown_failed;  /* of this order: destroy instead */
    bool fenced;
    int64_t running_since_ms;
    uint32_t restarts; /* by itself stopped, in a row without a calm time between */
    int64_t restart_at_ms;
    uint64_t reboots_done;
    uint64_t accepted[SETTING_COUNT]; /* NO_VALUE: unknown */
    struct setting_try tries[SETTING_COUNT];
    int64_t unsettled_since_ms; /* all calls done and not yet effective; 0: not waiting */
    struct lane_state lanes[LANE_COUNT];
    enum reason problem;
    char problem_text[TEXT_SIZE];
    bool went_over;              /* handed over and then ended here: its address went with it */
    bool handed_over;            /* migrate_to: the receiver has all of it */
    uint64_t migrated_operation; /* migrate_*: tried; only another order tries again */
    char peer[ADDRESS_SIZE];     /* migrate_from: open, for the MIGRATE_IN that follows */
    char peer_key[NAME_SIZE];
    uint64_t operation_done;
    uint64_t failed_operation; /* told as FAILED, with this reason */
    enum reason failed_reason;
    /* to derive rates */
    int64_t measured_at_ms;
    struct cpu_sample cpu_samples[CPU_SAMPLES]; /* ring; cpu_samples_count of them are valid */
    uint32_t cpu_samples_next, cpu_samples_count;
    uint64_t cpu_time_ns, net_rx_bytes, net_tx_bytes, disk_read_bytes, disk_write_bytes;
    double cpu_pct, net_rx_kib_s, net_tx_kib_s, disk_read_kib_s, disk_write_kib_s; /* NAN */
};

enum image_state { IMAGE_NONE = 0, IMAGE_FETCHING, IMAGE_READY, IMAGE_FAILED };

struct image_record {
    enum image_state state;
    char image[NAME_SIZE];
    char sha256[SHA256_SIZE];
    char path[PATH_SIZE];
    enum reason reason;
    char text[TEXT_SIZE];
    int64_t retry_at_ms;
};

struct entry_record {
    bool used;
    bool has_status;
    uint64_t order_epoch;
    struct entry_order order;
    struct entry_status status;
};

struct agent {
    struct agent_config config;
    struct node_status status;
    int64_t now_ms;
    uint64_t last_call;
    uint32_t address_first, address_last; /* host byte order; 0: no pool */

    /* lease */
    uint64_t epoch; /* newest accepted */
    uint64_t renew_sequence;
    uint64_t granted_epoch, granted_sequence;
    int64_t lease_until_ms; /* INT64_MIN: none */
    uint32_t lease_ms;      /* length of the newest grant */
    struct welcome welcome;
    uint32_t renews_open; /* sent since the newest grant */

    /* list */
    uint32_t foreign_vms;
    uint64_t list_call; /* under way */
    int64_t list_give_up_ms;

    /* timers */
    int64_t hello_at_ms, renew_at_ms, heartbeat_at_ms, snapshot_at_ms, metrics_at_ms,
        list_at_ms;
    int64_t remember_at_ms;
    int64_t snapshot_sent_ms;
    uint64_t snapshot_number;
    uint32_t late_ms; /* of the loop, worst since the newest heartbeat */
    uint32_t high;    /* records at or above were never used */

    bool started, stopped, has_status;
    bool welcomed; /* in this epoch */
    bool parked;
    bool armed;             /* or an earlier process may have armed it */
    int64_t leave_until_ms; /* a clean stop is under way; 0: none */
    int64_t leave_at_ms;    /* ask once more */
    bool list_again;        /* look once more after the list under way */
    bool listed;            /* one came */
    bool changed;           /* a snapshot is due */
    bool memory_changed;
    bool more; /* the effects were full: go on at once */

    struct vm_record vms[VMS_PER_NODE_MAX];
    /* Addresses of our pool that VMs took along: given out again only when no other is left. */
    uint32_t lent_next;
    char lent[VMS_PER_NODE_MAX][ADDRESS_SIZE];
    struct image_record images[IMAGES_MAX];
    struct entry_record entries[ENTRY_SERVERS_MAX];
    struct agent_memory memory; /* as last remembered */
};

/* agent_effect.c. Memory of a message is cut behind the member that its type uses. */
struct agent_effect *agent_effect_add(struct agent_effects *out, enum agent_effect_type type);
void *agent_effect_alloc(struct agent_effects *out, size_t size);
struct node_message *agent_message_add(struct agent *agent, struct agent_effects *out,
                                       enum agent_effect_type type,
                                       enum node_message_type message);
void agent_log(struct agent_effects *out, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool agent_effects_room(const struct agent_effects *out);

/* agent.c */
bool agent_can(const struct agent *agent, uint32_t capabilities);
struct vm_record *agent_find_vm(struct agent *agent, const char *uuid);
struct vm_record *agent_add_vm(struct agent *agent);
bool agent_vm_lives(const struct vm_record *vm); /* running or paused, in its generation */
void agent_text_copy(char *to, size_t size, const char *from);

/* agent_leave.c: a clean stop. */
void agent_leave(struct agent *agent, struct agent_effects *out);
void agent_leave_tick(struct agent *agent, struct agent_effects *out);
int64_t agent_leave_deadline_ms(const struct agent *agent);

/* agent_lease.c */
void agent_lease_start(struct agent *agent);
void agent_lease_tick(struct agent *agent, struct agent_effects *out);
void agent_lease_message(struct agent *agent, const struct node_message *message,
                         struct agent_effects *out);
/* Accepts or refuses the epoch of a message; false: it is older. */
bool agent_lease_epoch(struct agent *agent, uint64_t epoch, struct agent_effects *out);
int64_t agent_lease_left_ms(const struct agent *agent, int64_t now_ms); /* -1: none */
bool agent_lease_ended(const struct agent *agent); /* protected VMs must end now */
bool agent_lease_allows_start(const struct agent *agent, const struct vm_record *vm);
void agent_lease_arm(struct agent *agent, struct agent_effects *out);
int64_t agent_lease_deadline_ms(const struct agent *agent);
uint32_t agent_protected_vms(const struct agent *agent);

/* agent_orders.c */
void agent_orders_start(struct agent *agent, const struct agent_memory *memory);
void agent_orders_message(struct agent *agent, const struct node_message *message,
                          struct agent_effects *out);
void agent_result(struct agent *agent, const struct vm_record *vm, enum result_state state,
                  enum reason reason, const char *text, struct agent_effects *out);
/* FAILED, once per operation and reason, and into the status. */
void agent_problem(struct agent *agent, struct vm_record *vm, enum reason reason,
                   const char *text, struct agent_effects *out);
void agent_clear_problem(struct agent *agent, struct vm_record *vm);
void agent_remember(struct agent *agent, struct agent_effects *out);
void agent_remember_later(struct agent *agent);

/* agent_reach.c: the next needed calls of a VM are begun. */
void agent_reach(struct agent *agent, struct vm_record *vm, struct agent_effects *out);
/* The value that is ordered, and that which the newest reading shows. */
uint64_t agent_setting_ordered(const struct vm_record *vm, enum setting setting);
uint64_t agent_setting_shown(const struct vm_record *vm, enum setting setting);

/* agent_migrate.c: see there for who may run the VM when. */
bool agent_migrates(const struct vm_record *vm);
/* The call that the migration needs next; UNSPECIFIED: none. */
enum hypervisor_call_kind agent_migrate_next(struct agent *agent, struct vm_record *vm,
                                             struct agent_effects *out);
/* An order that is taken: does it go on with what was begun? */
void agent_migrate_order(struct vm_record *vm, const struct vm_order *order);
void agent_migrate_done(struct agent *agent, struct vm_record *vm,
                        const struct hypervisor_completion *done);
bool agent_migrate_reached(const struct vm_record *vm);

/* agent_calls.c */
struct call_request {
    enum hypervisor_call_kind kind;
    enum setting setting;
    bool discard_disk;
    const char *image_path;
};
void agent_call(struct agent *agent, struct vm_record *vm, const struct call_request *request,
                struct agent_effects *out);
void agent_call_list(struct agent *agent, struct agent_effects *out);
void agent_call_completed(struct agent *agent, const struct hypervisor_completion *done,
                          struct agent_effects *out);
void agent_call_refused(struct agent *agent, uint64_t id, int code, const char *text,
                        struct agent_effects *out);
void agent_call_tick(struct agent *agent, struct agent_effects *out);

/* agent_readings.c */
void agent_readings(struct agent *agent, const struct domain_list *list,
                    struct agent_effects *out);

/* agent_report.c */
void agent_report_tick(struct agent *agent, struct agent_effects *out);

/* agent_addresses.c */
void agent_address_lend(struct agent *agent, const char *address);
void agent_address_back(struct agent *agent, const char *address);
bool agent_address_parse(const char *text, uint32_t *out);
/* 0, or -ENOSPC; fills vm->address when there is a pool. */
int agent_address_take(struct agent *agent, struct vm_record *vm);

/* agent_images.c: READY with a path (may be empty), or what it waits for. */
enum image_state agent_image_need(struct agent *agent, const struct vm_record *vm,
                                  const struct image_record **image, struct agent_effects *out);
void agent_image_done(struct agent *agent, const struct agent_event *event);

/* agent_entries.c */
void agent_entries_start(struct agent *agent, const struct agent_memory *memory,
                         struct agent_effects *out);
void agent_entry_order(struct agent *agent, const struct node_message *message,
                       struct agent_effects *out);
void agent_entry_status(struct agent *agent, const struct entry_status *status,
                        struct agent_effects *out);

#endif
