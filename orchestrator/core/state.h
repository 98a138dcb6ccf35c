// SPDX-License-Identifier: Apache-2.0
/*
 * The inside of the orchestrator's core, shared by its files and by nobody else. Desired state
 * is what people wrote (specs and VMs, stored); observed state is what agents said (status,
 * never stored).
 *
 *   cluster.c      create, step (dispatch), deadline, start, stop
 *   load.c         records of the store -> state
 *   vms.c          VMs of a service, sums of nodes and agreements, the dirty queue
 *   emit.c         helpers that append effects: the only writers of the effect list
 *   requests.c     one function per method of the client API; authorize.c: who may do what
 *   plan.c         which VMs a service needs and where they go (schedulers/placement.h decides)
 *   plan_nodes.c   the nodes as a placement sees them
 *   plan_vm.c      one VM: assigned, waiting, taken away
 *   plan_all.c     nodes for the VMs of a lost node together
 *   views.c        cluster_items(): state as items for clients
 *   membership.c   hello, renew, snapshot, heartbeat; node states; leases
 *   judge.c        when a node is called silent, and when lost
 *   reconcile.c    desired against observed -> orders to agents
 *   observe.c      snapshots and results of agents -> observed state of VMs
 *   orders.c       the content of one VM's order
 *   recovery.c     what happens to the VMs of a node whose lease ran out
 *   moves.c        moves by hand and drains
 *   live.c         a VM that goes over as it is
 *   entries.c      entry points: which gateway, which servers, which weights
 *   metrics.c      newest values; the service's measured parameter from them
 *   control.c      the fast loop: scheduler proposals -> SOLVE -> grants -> ledger
 */
#ifndef ORCHESTRATOR_CORE_STATE_H
#define ORCHESTRATOR_CORE_STATE_H

#include "common/rng.h"
#include "common/table.h"
#include "orchestrator/core/cluster.h"
#include "orchestrator/core/live.h"
#include "orchestrator/core/plain_records.h"
#include "schedulers/scheduler.h"

struct service_record {
    struct service spec; /* spec.service is the table's key */
    struct record_meta meta;
    struct service_progress progress;
    bool deleting;     /* its VMs are being removed; the record goes with the last one */
    uint32_t first_vm; /* slot + 1 of its first VM by group and number; 0: none */
    /* control */
    struct scheduler_state scheduler;
    int64_t next_control_ms;
    double measured;       /* x, NAN: unknown */
    double measured_value; /* ms, ms of predicted finish, ratio; NAN */
    double load;           /* NAN */
    double cpu_used_pct;   /* NAN */
    double tasks_done;     /* of all generations; NAN */
    int64_t measured_at_ms;
    double level;           /* NAN: unknown */
    double level_predicted; /* with the caps of the newest answer; NAN: it was not in it */
    bool met_known;
    bool met;
    int64_t judged_at_ms; /* when met was last looked at; 0: never */
    int64_t missed_ms;    /* time under the objective, in this process */
    uint64_t last_decision;
    uint64_t
        awaiting_outcome; /* decision whose level_after is still to be filled in; 0: none */
    int64_t outcome_at_ms;
    /* entry point */
    char gateway[NAME_SIZE];  /* node that runs it; empty: none yet */
    uint64_t entry_operation; /* newest order */
    uint64_t entry_done;      /* newest order that its gateway reported done */
    int64_t entry_sent_at_ms;
    uint64_t entry_hash; /* of what was ordered: nothing is sent again without a change */
    char entry_problem[TEXT_SIZE];
    /* reconcile.c: what its serving VMs add up to, and a hash of who they are */
    uint32_t serving_cap_pct;
    uint32_t surveyed_cap_pct;
    uint64_t serving_hash;
    uint64_t surveyed_hash;
    uint64_t survey_round; /* of the cluster, when it was last summed up */
};

/* What cluster_count_vm() added for a VM, so that it can be taken back whatever changed since.
 */
struct vm_count {
    uint32_t node; /* slot + 1 in nodes; 0: none */
    uint32_t move_to;
    uint32_t cap_pct;
    uint32_t min_pct;
    uint64_t memory_kib;
    bool waiting;
};

struct vm_record {
    struct vm vm; /* vm.vm is the table's key */
    struct record_meta meta;
    uint32_t service_slot; /* in services */
    uint32_t next_vm;      /* slot + 1 of the next VM of the service; 0: the last */
    struct vm_count counted;
    /* order in flight */
    uint64_t operation;  /* newest order sent for this VM; 0: none in this epoch */
    uint64_t order_hash; /* of its content; another content is another operation */
    int64_t sent_at_ms;
    uint32_t attempts;   /* of the same content */
    int64_t retry_at_ms; /* after a failure: not before */
    uint64_t decision;   /* that caused the newest change; 0: none */
    bool dirty;          /* is in the dirty queue */
    /* observed */
    bool status_known; /* in the newest snapshot of its node, with its generation */
    struct vm_status status;
    uint32_t metrics_slot; /* in metrics; TABLE_NONE: never a metric */
    double tasks_done;     /* newest of this generation */
    enum reason problem;
    char problem_text[TEXT_SIZE];
    /* Until when its entry point may drain it before it is stopped; 0: not begun. */
    int64_t recover_at_ms;
    /*
     * What its node may hold of it. A generation up to inherited_generation may have been
     * ordered by an earlier epoch with whatever content; ordered, run and fenced: the newest
     * generation for which this epoch sent any order, sent one with isolation run, and knows
     * that every order that the node can still hold says isolation fence.
     */
    uint64_t inherited_generation;
    uint64_t ordered_generation;
    uint64_t run_generation;
    uint64_t fenced_generation;
    enum isolation ordered_isolation; /* of the newest order */
    enum run_state ordered_desired;
    uint64_t status_number; /* snapshot that last showed it */
    struct live_move live_move;
    bool live_failed; /* on this node: it is moved by a restart */
};

/* Model nodes and real ones never share a cluster. */
enum node_kind {
    NODE_KIND_UNKNOWN = 0,
    NODE_KIND_NONE = 1, /* no hypervisor: goes with both */
    NODE_KIND_REAL = 2,
    NODE_KIND_MODEL = 3,
};

struct node_record {
    struct node spec; /* spec.node is the table's key */
    struct record_meta meta;
    bool stored; /* an object written by the administrator; otherwise made by a hello */
    struct node_epoch life;
    struct node_status status; /* from hello and snapshots */
    bool seen;                 /* said hello in this epoch */
    char incarnation[NAME_SIZE];
    enum node_state state;
    int64_t heard_at_ms; /* newest heartbeat or control message */
    int64_t heartbeat_at_ms;
    uint32_t lateness_ms;
    bool snapshot_known;
    uint64_t snapshot_number;
    /* lease, counted here from the receipt of a renewal plus drift margin */
    uint64_t renew_sequence;
    int64_t lease_expires_ms; /* latest instant at which the node may still run protected VMs */
    bool lease_acknowledged;  /* in this epoch: the node said that it got a grant */
    uint32_t protected_vms;
    /* losses on the telemetry socket */
    uint64_t telemetry_sequence;
    uint64_t telemetry_lost;
    char previous_incarnation[NAME_SIZE]; /* late messages of it are dropped */
    enum node_kind kind;
    enum reason alarm;    /* newest alarm about it; not raised again before it changes */
    uint32_t unknown_vms; /* in its newest snapshot, marked ours, not in our state */
    uint32_t entries;     /* entries.c: entry points that it runs */
    bool mixed;           /* of the wrong kind: its capabilities count as none */
    /* It gets no lease yet: an order that was on the way to it when it was lost, or that an
     * earlier epoch sent, must show up in a snapshot first. probe_needed: after it was lost,
     * only one that follows an answered probe shows that. */
    bool returning;
    bool probe_needed;
    bool recovery_allowed; /* recovery.c: the brake let this loss pass */
    /* A grant whose arrival shows that what was sent before it has arrived or is lost. */
    uint64_t probe_sequence;
    int64_t probe_at_ms;
    int64_t answered_at_ms; /* everything sent before this instant is no longer on the way */
    int64_t returned_at_ms;
    uint64_t memory_kib_leaving; /* reconcile.c: shrinks that are not effective yet */
    /* granted, kept by plan.c and control.c */
    uint32_t cpu_pct_granted;  /* sum of caps of its VMs */
    uint32_t cpu_pct_reserved; /* sum of minimum caps */
    uint64_t memory_kib_granted;
    uint32_t vms;
};

/* Newest values of one subject as one node measured it. The key is "node/subject-letter/name".
 */
#define METRIC_KEY_SIZE (NAME_SIZE * 2 + 4)
struct metric_record {
    char key[METRIC_KEY_SIZE];
    char node[NAME_SIZE];
    enum metric_subject subject;
    char name[NAME_SIZE];
    uint32_t known; /* bit 1 << enum metric_kind */
    double value[METRIC_KIND_COUNT];
    int64_t at_ms[METRIC_KIND_COUNT]; /* of the measurement, on our clock */
};

struct cluster {
    struct cluster_config config; /* with defaults filled in */
    struct rng rng;
    bool started;
    bool stopping;
    bool inherited_marked; /* vm_record.inherited_generation is set */
    bool nodes_full_told;  /* the alarm that no more nodes fit was raised */
    uint64_t epoch;
    uint64_t revision;
    uint64_t next_event;
    uint64_t next_decision;
    uint64_t next_operation;
    int64_t now_ms; /* of the present step */
    int64_t wall_ms;
    int64_t started_at_ms;
    int64_t judge_after_ms; /* no node is called expired before this: fresh observation first */
    struct settings settings;
    struct record_meta settings_meta;
    bool settings_stored;
    enum mode mode_before;
    int64_t mode_until_ms; /* 0: for good; then back to mode_before */

    struct table services;   /* struct service_record */
    struct table vms;        /* struct vm_record */
    struct table nodes;      /* struct node_record */
    struct table images;     /* struct image_record */
    struct table storages;   /* struct storage_record */
    struct table networks;   /* struct network_record */
    struct table agreements; /* struct agreement_record */
    struct table profiles;   /* struct profile_record */
    struct table metrics;    /* struct metric_record */

    /* VMs whose desired or observed state changed: a ring of slots, each at most once */
    uint32_t *dirty;
    uint32_t dirty_head;
    uint32_t dirty_count;
    uint64_t survey_round; /* reconcile.c: number of the newest survey */
    uint32_t sweep_slot;   /* of vms, the slow round over all */
    int64_t sweep_at_ms;

    uint32_t load_refused; /* stored records that had no place */

    /* plan.c */
    struct plan *plan;     /* its scratch memory, allocated at the start */
    uint32_t vms_waiting;  /* in phase WAITING */
    int64_t waiting_at_ms; /* next try to place them */

    /* control.c */
    struct control *control; /* its scratch memory, allocated at the start */
    uint64_t solve_revision; /* of the SOLVE under way; 0: none */
    uint64_t decisions_without_change;

    /* for membership.c and recovery.c */
    int64_t failover_window_ms; /* mass-failure brake: start of the window ... */
    uint32_t failover_count;    /* ... and nodes recovered without confirmation in it */
    enum node_kind first_kind;  /* of the first node with a hypervisor */
    int64_t membership_at_ms;   /* next round of each */
    int64_t recovery_at_ms;
    int64_t entries_at_ms;
};

/* ---- load.c ---- */
/* Makes the table of a profile whose spec was written. Of one that is not right it is empty:
 * services learn as if they had none. */
void cluster_index_profile(struct profile_record *profile);
void load_record(struct cluster *cluster, const struct stored_record *record);
void load_finish(struct cluster *cluster, const struct cluster_event *event,
                 struct effects *out);

/* ---- vms.c ---- */
void cluster_mark_dirty(struct cluster *cluster, struct vm_record *vm);
struct service_record *cluster_service_of(const struct cluster *cluster,
                                          const struct vm_record *vm);
/* Next VM of the service at or after *slot; NULL at the end. */
struct vm_record *cluster_next_vm_of(const struct cluster *cluster,
                                     const struct service_record *service, uint32_t *slot);
/* The group of a VM in the present spec; NULL when the file no longer has it (phase REMOVING).
 */
const struct vm_group *cluster_group_of(const struct cluster *cluster,
                                        const struct vm_record *vm);
/* service-group-number; false when that is too long for a name. */
bool cluster_vm_name(const char *service, const char *group, uint32_t number,
                     char out[NAME_SIZE]);
/* A new VM of the service with vm.vm, vm.service, vm.group and vm.number set; not stored yet.
 * NULL when the name is taken or the table full. */
struct vm_record *cluster_add_vm(struct cluster *cluster, struct service_record *service,
                                 const char *group, uint32_t number);
/* The VM does not exist any more: forgets it, and its service when that is being deleted and
 * this was the last one. */
void cluster_vm_gone(struct cluster *cluster, struct vm_record *vm, struct effects *out);
/* Brings the sums of the nodes (granted, reserved, vms) up to date with this VM. emit_vm()
 * calls it, so whoever stores a VM after changing it need not. */
void cluster_count_vm(struct cluster *cluster, struct vm_record *vm);
/* What of its CPU nobody may take: the minimum of its group, or its cap when that is pinned. */
uint32_t cluster_min_cap_of(const struct cluster *cluster, const struct vm_record *vm);
/* Puts a VM into the list of its service, in order. */
void cluster_link_vm(struct cluster *cluster, struct service_record *service,
                     struct vm_record *vm);
/* A generation of the VM ends: what it had done counts for its service from now on. */
void cluster_bank_tasks(struct cluster *cluster, struct vm_record *vm, struct effects *out);
/* Measurements unknown, progress named. */
void cluster_init_service(struct service_record *service);
/* Forgets a service without VMs. */
void cluster_service_gone(struct cluster *cluster, struct service_record *service,
                          struct effects *out);
struct service_need cluster_need_of(const struct service *spec);
/* Keeps the sums of the owner's agreement; before or after may be NULL. */
void cluster_count_service(struct cluster *cluster, const char *owner,
                           const struct service *before, const struct service *after);
/* Weight of a service: its provider's agreement times its own. */
uint32_t cluster_weight_of(const struct cluster *cluster, const struct service_record *service);
enum mode cluster_mode(const struct cluster *cluster);
const char *cluster_mode_word(enum mode mode);

/* ---- emit.c: each bumps the cluster revision where it stores an object ---- */
void emit_service(struct cluster *cluster, struct service_record *service, struct effects *out);
void emit_vm(struct cluster *cluster, struct vm_record *vm, struct effects *out);
void emit_node(struct cluster *cluster, struct node_record *node, struct effects *out);
void emit_node_epoch(struct cluster *cluster, struct node_record *node, struct effects *out);
void emit_progress(struct cluster *cluster, struct service_record *service,
                   struct effects *out);
void emit_object(struct cluster *cluster, enum object_kind kind, const char *name,
                 struct record_meta *meta, const void *body, struct effects *out);
void emit_delete(struct cluster *cluster, enum object_kind kind, const char *name,
                 struct effects *out);
/* Names may be NULL. The event gets the next id; returned for filling in decision or operation.
 */
struct event_record *emit_event(struct cluster *cluster, enum event_kind kind,
                                enum reason reason, const struct service_record *service,
                                const char *vm, const char *node, struct effects *out,
                                const char *format, ...) __attribute__((format(printf, 8, 9)));
/* A zeroed decision with id, time and mode; the caller fills it, then calls emit_decision(). */
struct decision *emit_new_decision(struct cluster *cluster, struct effects *out);
/* Stores it (new or changed). */
void emit_decision(struct cluster *cluster, const struct decision *decision,
                   struct effects *out);
/* A zeroed message to a node with type and epoch set, already on the list. */
struct node_message *emit_message(struct cluster *cluster, const char *node,
                                  enum node_message_type type, struct effects *out);

/* ---- requests.c ---- */
void requests_step(struct cluster *cluster, const struct cluster_event *event,
                   struct effects *out);

/* ---- plan.c ---- */
int plan_init(struct cluster *cluster);
void plan_finish(struct cluster *cluster);
#define PLAN_ROWS_MAX 512
struct service_plan {
    bool feasible;
    uint32_t count; /* rows; VMs first, then the nodes that are short */
    struct placement rows[PLAN_ROWS_MAX];
};
/* What the service needs beside the VMs that it has, and where it would go. Changes nothing. */
void plan_service(const struct cluster *cluster, const struct service *spec,
                  struct service_plan *plan);
/* Makes and places the VMs that the service lacks, removes those it has too many. */
void plan_apply(struct cluster *cluster, struct service_record *service, struct effects *out);
/* One VM more than the least of a group, on this node. NULL: no place for its record. */
struct vm_record *plan_add_vm(struct cluster *cluster, struct service_record *service,
                              uint32_t group, struct node_record *node, struct effects *out);
/* Another node for one VM (not its present one); NULL with the reason in *why. */
struct node_record *plan_node_for(const struct cluster *cluster, const struct vm_record *vm,
                                  enum reason *why);
/* Nodes for many VMs together (slots in the table, at most VMS_PER_NODE_MAX), dearest need
 * first; NULL in to[i] where none is found. Changes nothing. */
void plan_nodes_for(const struct cluster *cluster, const uint32_t *slots, uint32_t count,
                    struct node_record **to);
/* Assigns: new generation, phase ASSIGNED, stored, counted, dirty. */
void plan_assign(struct cluster *cluster, struct vm_record *vm, struct node_record *node,
                 struct effects *out);
/* Tries again to place the VMs that wait. Called when room may have appeared and at each sweep.
 */
void plan_waiting(struct cluster *cluster, struct effects *out);
/* The VM is to go: phase REMOVING, or forgotten at once when nothing of it can run any more. */
void plan_remove(struct cluster *cluster, struct vm_record *vm, struct effects *out);
/* Recomputes what is granted on every node from the VMs. */
void plan_recount(struct cluster *cluster);

/* ---- membership.c ---- */
void membership_step(struct cluster *cluster, const struct cluster_event *event,
                     struct effects *out); /* NODE */
void membership_tick(struct cluster *cluster, struct effects *out);
int64_t membership_deadline_ms(const struct cluster *cluster);
/* After the store was loaded: what it knew belongs to earlier epochs. Once; repeats do nothing.
 */
void membership_start(struct cluster *cluster);
/* From the receipt of a renewal to the latest instant at which the node ends its protected VMs.
 */
int64_t membership_full_lease_ms(const struct cluster *cluster);
/* The only writer of node_record.state; returns false when it was in that state. */
bool membership_move(struct cluster *cluster, struct node_record *node, enum node_state to);
/* False while some node may still have to speak for the first time in this epoch (or to show
 * what it runs): what is unknown then is no change. */
bool membership_settled(const struct cluster *cluster);
/* Clean stop: PARK to every node that is up. */
void membership_stop(struct cluster *cluster, struct effects *out);

/* ---- reconcile.c ---- */
/* Visits the dirty VMs, then a slice of the others, while there is room for effects. */
void reconcile_tick(struct cluster *cluster, struct effects *out);
void reconcile_result(struct cluster *cluster, struct node_record *node,
                      const struct result *result, struct effects *out);
/* A newer snapshot of the node: its statuses go into the VM records, what it shows gone is
 * forgotten or moved on, and what runs there although a newer generation lives elsewhere is
 * ended. */
void reconcile_snapshot(struct cluster *cluster, struct node_record *node,
                        const struct snapshot *snapshot, struct effects *out);
int64_t reconcile_deadline_ms(const struct cluster *cluster);
/* True when the VM takes load: shown running by a node that is not lost, and wanted so. */
bool reconcile_is_serving(const struct cluster *cluster, const struct vm_record *vm);
/* Its present generation cannot run on its node: no epoch ever ordered it. */
bool reconcile_never_ordered(const struct vm_record *vm);

/* What an agent calls done fits what the newest order wanted. */
bool reconcile_is_shown(const struct vm_record *vm);
/* Nothing is known of it any more: it gets a new place or a new life. */
void reconcile_forget(struct vm_record *vm);
/* It is proven gone from its node: forgotten, or started on the node that it moves to. */
void reconcile_gone(struct cluster *cluster, struct vm_record *vm, struct effects *out);

/* It is to go from its node: everything but going over as it is. */
bool reconcile_leaves(const struct vm_record *vm);

/* ---- orders.c ---- */
/* Fills the order that the VM needs on its node now, without operation. False, with why and
 * what is missing, when it cannot be ordered. */
bool orders_fill(const struct cluster *cluster, const struct vm_record *vm,
                 struct vm_order *order, enum reason *why, const char **what);
/* Of everything but the operation; never 0. */
uint64_t orders_hash(const struct vm_order *order, const char *node);
/* FNV-1a, for contents that are compared with what was sent before. */
uint64_t orders_mix(uint64_t hash, uint64_t value);
uint64_t orders_mix_text(uint64_t hash, const char *text);
#define ORDERS_HASH_START 14695981039346656037u

/* ---- recovery.c ---- */
void recovery_node_expired(struct cluster *cluster, struct node_record *node,
                           struct effects *out);
void recovery_node_confirmed_dead(struct cluster *cluster, struct node_record *node,
                                  struct effects *out);
void recovery_node_back(struct cluster *cluster, struct node_record *node, struct effects *out);
void recovery_drain(struct cluster *cluster, struct node_record *node, struct effects *out);
/* 0, or a reply code with the reason; the VM goes MOVING. */
enum reply_code recovery_move(struct cluster *cluster, struct vm_record *vm,
                              struct node_record *to, enum reason *why, struct effects *out);
/* A VM in phase MOVING was shown gone from its node: it starts on its new one. */
void recovery_moved_out(struct cluster *cluster, struct vm_record *vm, struct effects *out);
void recovery_tick(struct cluster *cluster, struct effects *out);
int64_t recovery_deadline_ms(const struct cluster *cluster);

/* ---- entries.c ---- */
void entries_tick(struct cluster *cluster, struct effects *out);
/* Something that an entry point depends on changed: order it anew if its content differs. */
void entries_service(struct cluster *cluster, struct service_record *service,
                     struct effects *out);
void entries_remove(struct cluster *cluster, struct service_record *service,
                    struct effects *out);
void entries_snapshot(struct cluster *cluster, struct node_record *node,
                      const struct snapshot *snapshot, struct effects *out);

/* ---- metrics.c ---- */
void metrics_store(struct cluster *cluster, struct node_record *node,
                   const struct metrics *metrics);
/* Newest value of a subject; NAN and *age_ms = UINT32_MAX when unknown or stale. */
double metrics_value(const struct cluster *cluster, const char *node,
                     enum metric_subject subject, const char *name, enum metric_kind kind,
                     uint32_t *age_ms);
/* Fills measured, measured_value, load, cpu_used_pct, tasks_done, level of the service. */
void metrics_measure(struct cluster *cluster, struct service_record *service,
                     struct effects *out);

/* ---- control.c ---- */
int control_init(struct cluster *cluster);
void control_finish(struct cluster *cluster);
void control_tick(struct cluster *cluster, struct effects *out);
void control_solved(struct cluster *cluster, const struct cluster_event *event,
                    struct effects *out);
int64_t control_deadline_ms(const struct cluster *cluster);

#endif
