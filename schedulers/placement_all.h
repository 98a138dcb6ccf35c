// SPDX-License-Identifier: Apache-2.0
/*
 * Nodes for many VMs at once, as those of a lost node: placement_choose() for one after the
 * other, then a bounded local search that repairs what this order lost. A VM without its floor
 * (or without a node) tries another node, and the places of the others: of one of them, or of
 * as many on a node as it takes; those look for another place or go without. What fits then
 * comes back. The best such step is taken for each VM in turn, until no step gains any more.
 *
 * Better is, in this order: more weight of services of which all these VMs have a node that
 * holds their floor; more weight of VMs that have a node; more weight of VMs whose floor holds;
 * less CPU that floors lack on the nodes. Where two steps gain the same, that which takes
 * cheaper CPU: the price of a percent is 1 where a node has nothing to spare and 0 where it is
 * all to spare. No price alone moves a VM: without a gain the answer is that of the greedy
 * start. Deterministic; no clock, no random numbers.
 */
#ifndef SCHEDULERS_PLACEMENT_ALL_H
#define SCHEDULERS_PLACEMENT_ALL_H

#include "common/limits.h"
#include "schedulers/placement.h"

#define PLACEMENT_ALL_MAX   VMS_PER_NODE_MAX
#define PLACEMENT_LOOKS_MAX 500000u /* pairs of VM and node that are looked at; some ms */

/* Lists belong to the caller. */
struct placement_all {
    struct placement_node *nodes; /* scratch, as for placement_choose() */
    uint32_t nodes_count;
    uint32_t *vms_free; /* by node: how many VMs more it may hold; scratch */
    uint8_t *occupied;  /* as for placement_choose(); updated; NULL: no need spreads */
    const struct placement_need *needs; /* the greedy start takes them in this order */
    const uint32_t *service_of;         /* by need: index of its service */
    const double *weights;              /* by service, > 0 */
    uint32_t needs_count;               /* <= PLACEMENT_ALL_MAX; of services likewise */
    uint32_t services_count;
};

/* How good an answer is, most important first. */
struct placement_worth {
    double kept;   /* weight of services all of whose VMs have a node that holds their floor */
    double placed; /* weight of VMs with a node */
    double held;   /* weight of VMs with a node that holds their floor */
    int64_t lacking; /* what floors lack on all nodes together, in percent of a CPU; least */
};

struct placement_found {
    struct placement_worth start; /* of the greedy answer */
    struct placement_worth worth; /* of what is returned; never less */
    uint32_t looks; /* of the search; the step that reaches the limit is ended, no other begins
                     */
};

/*
 * Fills chosen[i] with the node of needs[i], PLACEMENT_NONE where it has none. A VM with a node
 * that does not hold its floor is counted there with the least that it gets: its minimum cap.
 */
void placement_all(struct placement_all *all, uint32_t *chosen, struct placement_found *found);

#endif
