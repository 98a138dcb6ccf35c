// SPDX-License-Identifier: Apache-2.0
/*
 * Which node for which VM: vector first fit by dot product (VMs in decreasing size; each to the
 * node where the product of its need and what is free is largest among those that fit;
 * Panigrahy et al. 2011). Where it is known what the floor of a VM's service needs of it, nodes
 * that can spare so much come first, and where none can, the one that can spare most.
 * Deterministic: ties go to the lower index. Nothing is changed; what does not fit comes back
 * with the number that was short on each node.
 */
#ifndef SCHEDULERS_PLACEMENT_H
#define SCHEDULERS_PLACEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/model/reason.h"

struct placement_node {
    uint32_t cpu_pct_free; /* capacity minus minimum caps of what is there */
    uint64_t memory_kib_free;
    enum reason closed; /* REASON_NONE: open; else why nothing may go here */
    uint32_t cpu_pct;   /* whole capacity, to make the two resources comparable */
    uint64_t memory_kib;
    int64_t slack_pct; /* that no floor of what is there needs; negative where floors lack it */
};

struct placement_need {
    uint32_t cpu_pct;
    uint32_t floor_pct; /* what the floor of its service needs of it; 0: not known */
    uint64_t memory_kib;
    uint32_t spread_group; /* VMs with the same number > 0 go to different nodes */
    /* Why this VM may not go to a node; NULL: everywhere. one entry per node, REASON_NONE: may.
     */
    const uint8_t *closed;
};

#define PLACEMENT_NONE UINT32_MAX

/*
 * Fills chosen[i] with the node of needs[i], PLACEMENT_NONE where none fits. occupied: one row
 * of nodes_count bytes per spread group (1-based, may be NULL), non-zero where a VM of the
 * group already is; updated. nodes is scratch: what is free shrinks as VMs are placed. Returns
 * how many found none.
 */
uint32_t placement_choose(struct placement_node *nodes, uint32_t nodes_count,
                          const struct placement_need *needs, uint32_t needs_count,
                          uint8_t *occupied, uint32_t *chosen);

/* Why a need does not fit on a node, and the numbers. REASON_NONE: it fits. */
enum reason placement_why_not(const struct placement_node *node, uint32_t index,
                              const struct placement_need *need, const uint8_t *occupied,
                              uint64_t *needed, uint64_t *available);

#endif
