// SPDX-License-Identifier: Apache-2.0
/*
 * The part of an allocation problem that one step can touch: nodes that services tie together
 * with its node or with its target, and all that is there. The rest has the same answer with
 * and without the step, so that leaving it out changes no difference, and small parts of large
 * clusters are solved in a moment. Used by escalation.c.
 */
#ifndef SCHEDULERS_ESCALATION_PART_H
#define SCHEDULERS_ESCALATION_PART_H

#include "schedulers/escalation.h"

struct escalation_part {
    struct allocation_problem problem; /* the part; its arrays are below */
    struct allocation_node *nodes;
    struct allocation_service *services;
    struct allocation_vm *vms;
    uint32_t *roots;      /* by node of the whole: the same number for nodes tied together */
    uint32_t *node_index; /* by node of the whole: index in the part */
    uint32_t *service_index;
    unsigned char *owned;  /* by VM of the whole: it belongs to a service */
    uint32_t taken_for[2]; /* roots of the part that is in it; UINT32_MAX: none yet */
};

/* 0 or -ENOMEM; then nothing is held. The problem is borrowed until the end. */
int escalation_part_init(struct escalation_part *part, const struct allocation_problem *whole);
void escalation_part_finish(struct escalation_part *part);

/* Takes the part for a valid candidate, who comes out with the part's indices. False: it is the
 * part that was taken last time. */
bool escalation_part_take(struct escalation_part *part, const struct allocation_problem *whole,
                          struct escalation_candidate *candidate);

#endif
