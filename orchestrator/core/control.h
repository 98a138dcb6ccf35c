// SPDX-License-Identifier: Apache-2.0
/*
 * The fast loop's own memory, shared by the files that make it up and by nobody else.
 *
 *   control.c          when: periods, proposals, one SOLVE at a time
 *   control_view.c     what a scheduler sees of a service
 *   control_problem.c  the cluster as an allocation problem
 *   control_ledger.c   ... and a decision with its reasons
 *   control_outcome.c  what came out of it
 *   control_profile.c  profiles for schedulers; when one is out of date
 *   control_loss.c     a lost node as a decision: its VMs start elsewhere, others make room
 *   control_room.c     what nodes can spare beside floors
 *   control_vcpus.c    more VCPUs or fewer
 *   control_memory.c   more memory where it is lacked, free first
 *   control_pause.c    a light service lets all its CPU go, and gets it back
 *   control_candidates.c  what may come after caps: a VM more or less, a move
 *   control_escalate.c    the best of these steps, when it is worth what it costs
 *   metrics.c, measure.c  what is measured
 */
#ifndef ORCHESTRATOR_CORE_CONTROL_H
#define ORCHESTRATOR_CORE_CONTROL_H

#include "orchestrator/core/state.h"
#include "schedulers/profile_points.h"

#define CONTROL_OUTCOMES_MAX 16 /* decisions that wait for their measured effect */

/* Of one service, by its slot; another name in the slot means: start afresh. */
struct control_service {
    char service[NAME_SIZE];
    struct proposal proposal;
    bool proposed;
    bool sacrificed; /* by the newest answer */
    bool kept;       /* likewise: it has its floor */
    int64_t next_measure_ms;
    /* of a queue: from where its rate is taken (the last control), and its end */
    double speed; /* of its tasks, per ms and percent of a CPU; 0: not seen yet */
    double rate_tasks;
    int64_t rate_ms;     /* 0: no point yet */
    int64_t finished_ms; /* 0: not yet */
    /* control_candidates.c: since when every answer left it short, or with a VM to spare; 0:
     * not
     */
    int64_t short_since_ms;
    int64_t short_at_ms; /* newest answer that left it short; 0: none */
    int64_t spare_since_ms;
    int64_t vcpus_spare_since_ms[VM_GROUPS_MAX]; /* control_vcpus.c: likewise, by group */
    /* control_pause.c: since when it is paused, could be taken back; when it was; 0: not */
    int64_t paused_at_ms;
    int64_t room_since_ms;
    int64_t taken_back_at_ms;
    bool return_advised;
    /* control_memory.c: since when more CPU would not help it; when it was given memory; until
     * when more of it, or less, is not tried again; 0: not */
    int64_t starved_since_ms;
    double starved_x; /* that its CPU would give */
    int64_t memory_grown_ms;
    int64_t no_more_until_ms;
    int64_t no_less_until_ms;
    /* control_profile.c: the newest alarm */
    uint64_t outdated_revision; /* of the profile; 0: none, or of what was learnt */
    double deviation;           /* CPU that it takes over what was said, as a factor */
    bool outdated_untold;
    struct profile_points points; /* that were measured in quiet times */
};

/* One VM of the problem under way and what it looked like then. */
struct control_vm {
    uint32_t slot;
    uint64_t revision;
};

/* VMs of lost nodes that start elsewhere. The decision about them is stored at once and goes on
 * with the caps of the next answer to a problem that has them in it. */
struct control_loss {
    bool open;             /* waits for that answer */
    uint64_t asked_for_by; /* revision of the first SOLVE with them; 0: none yet */
    char node[NAME_SIZE];  /* that was lost, the newest one */
    uint32_t nodes;        /* lost together */
    bool *counted;         /* by slot of the node: among these */
    uint32_t restarts;
    bool grown; /* since it was last stored */
    struct decision decision;
};

/* What has to come before a decision's effect can be measured. */
enum control_wait {
    CONTROL_WAIT_NONE,   /* caps: two periods will do */
    CONTROL_WAIT_STARTS, /* every VM that the decision starts serves */
    CONTROL_WAIT_MOVE,   /* a VM serves from its other node */
    CONTROL_WAIT_GONE,   /* a VM is no more */
    CONTROL_WAIT_MEMORY, /* the VM holds what it is to hold */
    CONTROL_WAIT_STATE,  /* the VMs that it changed are paused, suspended or running */
    CONTROL_WAIT_VCPUS,  /* they are online, or offline, in the VMs that it changed */
};

/* The newest step of memory, until what came out of it is seen. */
struct control_memory {
    uint64_t decision; /* 0: none is under way */
    int64_t until_ms;  /* it is given up then */
    char vm[NAME_SIZE];
    uint64_t before_kib;
    double x_before; /* of the VM's service */
};

/* A decision whose effect is still to be measured. */
struct control_outcome {
    int64_t at_ms; /* next look; 0: free */
    enum control_wait wait;
    char vm[NAME_SIZE];   /* MOVE, GONE */
    char node[NAME_SIZE]; /* MOVE: where to */
    int64_t give_up_ms;
    struct decision decision;
};

struct control {
    struct control_service *services; /* by slot */
    struct allocation_problem problem;
    struct allocation_node *nodes;
    uint32_t *node_index; /* by slot of a node: index + 1 in nodes; 0: not there */
    uint64_t *node_least; /* by index: sum of least caps */
    struct allocation_service *problem_services;
    uint32_t *service_slots;     /* by index in the problem */
    uint64_t *service_revisions; /* likewise: of its file, when the problem was made */
    struct allocation_vm *vms;
    struct control_vm *vm_marks; /* by index in the problem */
    uint32_t *cap_before;        /* by index in problem_services: sum of caps */
    int64_t next_due_ms;
    int64_t solve_until_ms; /* the worker is given up after this */
    uint64_t newest_solve;
    double *node_slack; /* by slot of a node, of the newest answer; NAN: it was not in it */
    double *slack;      /* by index in nodes */
    struct escalation_candidate candidates[ESCALATION_CANDIDATES_MAX];
    uint32_t candidate_group[ESCALATION_CANDIDATES_MAX]; /* ADD: index in the spec */
    uint32_t candidates_count;
    int64_t next_escalation_ms;
    uint64_t escalation_advice; /* hash of the newest advice */
    bool wanted;                /* proposals changed since the last SOLVE */
    uint64_t advice_hash;       /* of the newest advice */
    struct control_loss loss;
    struct control_memory memory;
    int64_t next_take_back_ms; /* control_pause.c */
    struct control_outcome outcomes[CONTROL_OUTCOMES_MAX];
};

/* ---- control_view.c ---- */
struct control_service *control_service_of(struct cluster *cluster,
                                           struct service_record *service);
uint32_t control_period_ms(const struct cluster *cluster);
/* The VM is there to be given CPU: assigned, wanted running, on a node that is known. */
bool control_has_cap(const struct cluster *cluster, const struct vm_record *vm);
/* The range in which the manager may move its cap. */
struct cap_range control_range_of(const struct cluster *cluster, const struct vm_record *vm);
/* False while nothing of it runs. */
bool control_view(const struct cluster *cluster, const struct service_record *service,
                  struct service_view *view);

/* ---- control_problem.c ---- */
/* Index of a node in the problem, added when it is new; UINT32_MAX: there is no such node. */
uint32_t control_node_for(struct cluster *cluster, const char *name);
void control_problem(struct cluster *cluster, struct effects *out);

/* ---- control_loss.c ---- */
/* The VM was given a place on another node because its own is lost; cause: how that is known.
 */
void control_loss_restart(struct cluster *cluster, struct vm_record *vm,
                          const struct node_record *lost, enum reason cause,
                          struct effects *out);
/* Its VMs were looked at: stores the decision about those that start elsewhere, and asks at
 * once for the caps with which the others make room. */
void control_loss_decide(struct cluster *cluster, struct effects *out);
/* The decision that goes on with this answer; NULL: there is none. Its restarts and the start
 * of its text stand. */
struct decision *control_loss_resume(struct cluster *cluster, uint64_t revision);
/* No caps come: what is stored stands. */
void control_loss_close(struct cluster *cluster);

/* ---- control_room.c ---- */
/* Remembers what every node has to spare by this answer. */
void control_note_room(struct cluster *cluster, const struct allocation_answer *answer);
/* CPU that no floor on the node needs, in percent of a CPU; negative where floors lack it. */
double control_room_of(const struct cluster *cluster, const struct node_record *node);
/* What the floor of its service needs of a VM, in percent of a CPU; 0: not known. */
uint32_t control_floor_of(const struct cluster *cluster, const struct vm_record *vm);
/* The VM is given to the node: its floor is taken from what that can spare, until the next
 * answer counts it. */
void control_take_room(struct cluster *cluster, const struct node_record *node,
                       const struct vm_record *vm);

/* ---- control_candidates.c ---- */
/* Lists the steps to be judged together with the problem; none while it is not their time. */
void control_candidates(struct cluster *cluster);
/* A step to be judged, to be filled; NULL: enough of them. */
struct escalation_candidate *control_add_candidate(struct cluster *cluster,
                                                   enum escalation_kind kind, uint32_t service);
/* The node may take one VM more of this group now. */
bool control_may_add(const struct cluster *cluster, const struct service_record *service,
                     uint32_t group, const struct node_record *node);
/* Remembers who is short and who has a VM to spare after a fresh answer. */
void control_note_answer(struct cluster *cluster, const struct allocation_answer *answer);

/* ---- control_vcpus.c ---- */
/* Steps for a service of the problem, by its index. */
void control_propose_more_vcpus(struct cluster *cluster, uint32_t index);
void control_propose_fewer_vcpus(struct cluster *cluster, uint32_t index);
/* Remembers since when its caps do with fewer. */
void control_note_vcpus(struct cluster *cluster, uint32_t index);
/* Carries out such a step. */
void control_set_vcpus(struct cluster *cluster, const struct escalation_candidate *candidate,
                       uint64_t decision, struct effects *out);

/* ---- control_memory.c ---- */
/* Remembers since when a service of the problem lacks something else than CPU. */
void control_note_memory(struct cluster *cluster, uint32_t index);
/* Steps for the services that lack memory. */
void control_propose_memory(struct cluster *cluster);
/* Carries out such a step; false when it cannot be done by now. */
bool control_set_memory(struct cluster *cluster, const struct escalation_candidate *candidate,
                        uint64_t decision, struct effects *out);
/* What is read back is what was ordered, as far as a balloon is exact. */
bool control_memory_is_there(const struct vm_record *vm);
/* What came out of a decision about memory is seen, or it was given up (came: false). */
void control_memory_told(struct cluster *cluster, const struct decision *decision, bool came,
                         struct effects *out);

/* ---- control_pause.c ---- */
/* The manager paused or suspended it, and nobody gave it another state since. */
bool control_is_paused(const struct vm_record *vm);
/* Steps that help a service of the problem, by its index. */
void control_propose_pauses(struct cluster *cluster, uint32_t index);
/* Carries out such a step; false when a VM of it cannot be paused by now. */
bool control_pause(struct cluster *cluster, const struct escalation_candidate *candidate,
                   uint64_t decision, struct effects *out);
/* The word for what the service's file allows: "pause" or "suspend". */
const char *control_pause_word(const struct service_record *service);
/* Takes services back whose least CPU has been to spare for long enough. */
void control_take_back(struct cluster *cluster, struct effects *out);

/* ---- control_escalate.c ---- */
/* Carries out the best step that is worthwhile, or writes it down as advice. */
void control_escalate(struct cluster *cluster, const struct cluster_event *event,
                      struct effects *out);

/* ---- control_ledger.c ---- */
void control_name_scheduler(const struct service_record *service, struct decision *decision);
/* The change as a decision; NULL when it was the same advice as the last one. */
const struct decision *control_decide(struct cluster *cluster,
                                      const struct cluster_event *event, struct effects *out);
/* The service as the decision finds it, with the level that is predicted for it (NAN: not yet).
 * One that is in the decision already gets the prediction. */
void control_put_level(const struct cluster *cluster, const struct service_record *service,
                       double predicted, enum reason reason, struct decision *decision);

/* ---- control_outcome.c ---- */
/* When its effect can be measured, it is added and the decision stored again. */
void control_remember_outcome(struct cluster *cluster, const struct decision *decision);
/* The same for one that waits for something else than starts. */
void control_remember_step(struct cluster *cluster, const struct decision *decision,
                           enum control_wait wait, const char *vm, const char *node);
void control_outcomes(struct cluster *cluster, struct effects *out);
int64_t control_outcomes_deadline_ms(const struct cluster *cluster);

/* ---- control_profile.c ---- */
/* NULL: it names none. */
const struct profile_record *control_profile_record(const struct cluster *cluster,
                                                    const struct service_record *service);
/* For its scheduler: fills *use and returns it; NULL: it has none that can be used. */
const struct profile_use *control_profile(const struct cluster *cluster,
                                          const struct service_record *service,
                                          struct profile_use *use);
/* CPU that the service takes over what its profile says, as a factor, when that was found to be
 * out of date; NAN: it is right as far as is known. */
double control_profile_outdated(const struct cluster *cluster,
                                const struct service_record *service);
/* Keeps what was measured of it, where its newest proposal says that this was in quiet. */
void control_note_point(struct cluster *cluster, struct service_record *service,
                        const struct service_view *view);
/* What was measured of it while it ran, as a profile; false: nothing. */
bool control_learnt_profile(const struct cluster *cluster, const struct service_record *service,
                            struct profile *out);
/* What is foreseen of it rests on. */
enum model_basis control_basis(const struct cluster *cluster,
                               const struct service_record *service);
/* The event about what the newest proposal says of that. */
void control_tell_outdated(struct cluster *cluster, struct service_record *service,
                           struct effects *out);

/* ---- measure.c ---- */
/* Start and end of a queue's time on our clock; false: no deadline. */
bool measure_deadline(const struct cluster *cluster, const struct service_record *service,
                      int64_t *started_ms, int64_t *deadline_ms);
/* At a control, before its caps change: what was done since the last one tells its speed. */
void measure_rate_from_here(struct cluster *cluster, struct service_record *service);

#endif
