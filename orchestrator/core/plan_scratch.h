// SPDX-License-Identifier: Apache-2.0
/*
 * The numbers of one placement: nodes, needs and what keeps them apart. Memory of plan.c,
 * allocated once; used within one call and never read after it. plan_nodes.c fills the nodes.
 */
#ifndef ORCHESTRATOR_CORE_PLAN_SCRATCH_H
#define ORCHESTRATOR_CORE_PLAN_SCRATCH_H

#include "orchestrator/core/state.h"
#include "schedulers/placement_all.h"

#define PLAN_VMS_MAX    (VM_GROUPS_MAX * VMS_PER_GROUP_MAX)
#define PLAN_GROUPS_MAX PLACEMENT_ALL_MAX /* of one service, or of the VMs of a lost node */

struct plan {
    uint32_t
        *slots; /* of all nodes, by name: index here is the index of a node in a placement */
    uint32_t count;
    uint64_t sorted_changes; /* of the table of nodes, when slots was made */
    uint32_t *index_of_slot; /* back from a slot in nodes */
    int64_t *cpu_free;       /* may be negative where a node shrank */
    int64_t *memory_free;
    struct placement_node *nodes;
    uint32_t *vms_free;      /* how many more each may hold; of plan_all.c */
    unsigned char *closed;   /* a row of nodes per group: enum reason */
    unsigned char *occupied; /* a row of nodes per group that spreads */
    uint32_t needs_count;
    struct placement_need needs[PLAN_VMS_MAX];
    uint32_t group_of[PLAN_VMS_MAX]; /* index in the spec */
    uint32_t number_of[PLAN_VMS_MAX];
    uint32_t chosen[PLAN_VMS_MAX];
    uint32_t waiting_slot;      /* where plan_waiting() goes on */
    struct service_plan answer; /* of the newest PUT or PLAN, until the next step */
};

/* What of the capacity is for VMs: as declared by the administrator, else as reported. */
uint32_t plan_node_cpu_pct(const struct node_record *node);
uint64_t plan_node_memory_kib(const struct node_record *node);

/* All nodes with what is free now. */
void plan_gather(const struct cluster *cluster);
/* Row of a group in closed[] and in occupied[], from its spec and from the VMs of the service
 * that stay; leave_out (may be NULL) is not counted. */
void plan_close(const struct cluster *cluster, const struct service *spec, uint32_t group,
                const struct vm_record *leave_out);
/* The same into this row (< PLAN_GROUPS_MAX), where groups of several services come together.
 */
void plan_close_row(const struct cluster *cluster, const struct service *spec, uint32_t group,
                    const struct vm_record *leave_out, uint32_t row);
/* Turns what is free into the form of a placement. */
void plan_settle(struct plan *plan);

struct node_record *plan_node_at(const struct cluster *cluster, uint32_t index);

/* Why need does not fit on the node with this index, as a row for people. */
void plan_row(const struct cluster *cluster, const struct placement_need *need, uint32_t group,
              uint32_t index, struct placement *row);
/* "1024 MiB memory needed, 380 free (644 short)"; row.reason is not REASON_NONE. */
void plan_row_text(const struct placement *row, char *out, size_t size);

/* placement_choose() over the scratch memory. Returns how many needs found no node. */
uint32_t plan_choose(struct plan *plan);
/* The node that lacks least for this need, as a row. */
void plan_closest(const struct cluster *cluster, const struct placement_need *need,
                  uint32_t group, struct placement *best);
/* The VM waits for room, and why; stored, and told once per reason. */
void plan_wait(struct cluster *cluster, struct vm_record *vm, const struct placement *why,
               struct effects *out);
/* The same, with the node that lacks least; why: when one has room by now. */
void plan_wait_for_node(struct cluster *cluster, struct vm_record *vm, enum reason why,
                        struct effects *out);

#endif
