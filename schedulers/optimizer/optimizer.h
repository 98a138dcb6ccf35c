// SPDX-License-Identifier: Apache-2.0
/*
 * The inside of allocation_solve(), shared by the files of this folder and by nobody else.
 *
 *   marginal, value   what CPU is worth to one service; the best amount at a price
 *   net               the same less what it costs to move the caps
 *   setup             limits and floors of the services
 *   component_find    which nodes hang together
 *   component         the order of the phases for one connected component of nodes
 *   exact             small components: dynamic program and enumeration
 *   single            one node whose services have one VM each; by way of:
 *   waterfill         equal marginal values, exactly, in whole percents
 *   branch, search    values that are not concave: branch and bound
 *   coupled           nodes that services couple; by way of:
 *   prices            prices at which all demands meet, by sweeps over tables of demand
 *   rounding, flow    whole percents, floors first
 *   settle            exchanges of the last percents, and the prices that follow from them
 *   rest              what the kept leave, for the others and for wishes
 *   knapsack, triage  who is kept when not every floor fits
 *   levels            VMs that can only stand at listed levels, and the memory of the nodes
 *   bound             what no allocation can exceed
 *   memory            what one solution leaves for the next
 *   arena             memory of one solution
 */
#ifndef SCHEDULERS_OPTIMIZER_OPTIMIZER_H
#define SCHEDULERS_OPTIMIZER_OPTIMIZER_H

#include <stddef.h>

#include "schedulers/optimizer/arena.h"
#include "schedulers/optimizer/value.h"

#define OPTIMIZER_NONE UINT32_MAX

struct optimizer_service {
    struct service_value value; /* over n: cap, common cap, or sum of caps */
    struct piece *pieces;       /* room for those of its value */
    enum coupling coupling;     /* single for everything that has one VM */
    uint32_t first_vm;
    uint32_t vms_count;
    uint32_t rank; /* by name: the lower keeps more */
    double stake;  /* what keeping it counts in the triage: its weight, more if it was kept */
    double need_r; /* the least r of its floor; INFINITY: there is none */
    double ceiling_r; /* more is not asked for */
    double most_r;    /* with all its caps at their maximum */
    bool reachable;   /* need_r <= most_r */
    bool counts;      /* its level is part of the sum */
    bool equal_speed; /* of its nodes: r depends on n alone */
    uint32_t floor_n; /* the least n with r >= need_r; hi when not reachable */
    /* of the present phase */
    bool kept;
    bool open;      /* more than its least is to be given */
    uint32_t least; /* n may be in [least, most] */
    uint32_t most;
    uint32_t n; /* chosen; for a sum: sum of its caps that are not fixed */
};

struct optimizer_node {
    uint32_t first; /* its VMs: node_vms[first .. first + count) */
    uint32_t count;
    uint32_t cpu_pct; /* without what fixed VMs and VMs of nobody take */
    uint32_t room;    /* of cpu_pct, that no cap takes */
    double price;     /* of a percent, nats */
    double speed;
};

/* Nodes that services connect, and these services. */
struct component {
    uint32_t *nodes;
    uint32_t nodes_count;
    uint32_t *services;
    uint32_t services_count;
    bool coupled; /* has a service with more than one VM that can move */
};

/* What came out for a component; sums of them are the answer. */
struct component_result {
    double value_bound; /* of sum w log S of those that count, given who is kept */
    double kept_weight_bound;
    double branch_bound; /* of the net value, where a search proved one; INFINITY: none */
    bool exact;          /* value_bound is the value */
    double guard;        /* of the floors that hold */
};

struct optimizer {
    const struct allocation_problem *problem;
    struct optimizer_service *services;
    struct optimizer_node *nodes;
    uint32_t *owners;    /* service of each VM; OPTIMIZER_NONE: none */
    uint32_t *caps;      /* of each VM */
    uint32_t *node_vms;  /* VMs that can move, ordered by node */
    uint32_t *best_caps; /* scratch: the best answer of a component so far */
    struct component *components;
    uint32_t components_count;
    uint32_t *component_nodes;
    uint32_t *component_services;
    struct piece *pieces;
    struct marginal **marginals; /* hash by the bits of ab */
    uint32_t marginals_size;
    double guard; /* of the floors of the present component */
    bool warm;    /* last_caps and the prices are those of the last solution */
    const uint32_t *last_caps;
    struct allocation_memory *memory; /* what else is known of it; memory.h */
    uint64_t exact_left;              /* work that may still go into small components */
    struct arena arena;
};

/* ---- setup.c ---- */
int optimizer_init(struct optimizer *optimizer, const struct allocation_problem *problem);
void optimizer_finish(struct optimizer *optimizer);
/* Pieces of the values of a component's services: before it is solved. */
void optimizer_cut(struct optimizer *optimizer, const struct component *component);
/* What a VM can have, whatever its service does. */
uint32_t optimizer_vm_least(const struct allocation_vm *vm);
uint32_t optimizer_vm_most(const struct allocation_vm *vm);
/* r from the caps of a service. */
double optimizer_r(const struct optimizer *optimizer, uint32_t service);
/* r that an open service may have in the present phase. */
void optimizer_r_range(const struct optimizer_service *service, double range[2]);
/* The r of a floor of 50 % plus guard, with the margin of who comes back; HUGE_VAL: none does.
 */
double optimizer_need(const struct optimizer *optimizer, uint32_t service, double guard);
/* Floors for levels of 50 % plus guard, for the services of a component. */
void optimizer_set_guard(struct optimizer *optimizer, const struct component *component,
                         double guard);

/* ---- net.c: values less what moving the caps costs ---- */
/* Of a service with one variable (not of a sum). */
double net_value(const struct optimizer *optimizer, uint32_t service, uint32_t n);
/* As value_best() and value_demand(). */
uint32_t net_best(const struct optimizer *optimizer, uint32_t service, double price,
                  const uint32_t range[2]);
double net_demand(const struct optimizer *optimizer, uint32_t service, double log_price,
                  const uint32_t range[2]);
/* Of any service at the caps that it has. */
double net_now(const struct optimizer *optimizer, uint32_t service);
/* Change of |cap - previous| when a VM goes up from this cap by a percent: -1, 0 or 1. */
double net_moved(const struct optimizer *optimizer, uint32_t vm, uint32_t cap_pct);

/* ---- levels.c: VMs with listed levels ---- */
/* The VM of a service of one VM that has levels; NULL: it has none. */
const struct allocation_vm *levels_vm(const struct optimizer *optimizer, uint32_t service);
/* The nearest level at or below a cap, or at or above it. */
uint32_t levels_snap(const struct allocation_vm *vm, uint32_t cap_pct, bool up);
/* The level with just this cap; NULL: none has it. */
const struct allocation_level *levels_at(const struct allocation_vm *vm, uint32_t cap_pct);
/* Every VM with levels stands at one, and the memory of the nodes is kept. */
void levels_apply(struct optimizer *optimizer, const struct component *component);

/* ---- waterfill.c, branch.c: services of one VM that share a node ---- */
struct contender {
    uint32_t service;
    uint32_t n;
    uint32_t least;
    uint32_t most;
    double up;   /* gain of the next percent; -INFINITY: there is none */
    double down; /* loss of the last one; INFINITY: it must not */
};

struct contest {
    struct contender *all;
    uint32_t count;
    uint32_t capacity; /* sum of n at most */
    double price;      /* in: a guess or 0; out: of a percent */
    double value;      /* out: sum of the net values */
    double bound;      /* out: no choice has more */
};

/* Exact where every value is concave between least and most. */
void waterfill_solve(const struct optimizer *optimizer, struct contest *contest);
/* Any values; honest about what is left between value and bound. -ENOMEM: nothing is chosen. */
int branch_solve(const struct optimizer *optimizer, struct contest *contest,
                 struct arena *arena);

/* ---- exact.c: small components ---- */
/* What counts first, second, third; compared in this order. */
struct score {
    double kept; /* weight */
    double value;
    double value_sacrificed;
};
/*
 * Solves a component exactly with the present floors, if that is little work: caps are set, the
 * score is told. False: it is too large, nothing is done.
 */
bool exact_solve(struct optimizer *optimizer, const struct component *component,
                 struct score *score);

/* ---- knapsack.c: who is kept on one node ---- */
struct knapsack_state {
    double weight;
    uint32_t cost;
    uint32_t parent; /* the state without the item; OPTIMIZER_NONE: nothing is taken */
    uint32_t item;   /* service taken last */
};

struct knapsack {
    struct knapsack_state *states;
    uint32_t states_count;
    uint32_t states_max;
    uint32_t *frontier; /* states that none is better than, by rising cost and weight */
    uint32_t frontier_count;
    uint32_t *scratch;
    uint32_t scratch_max;
};

/* All useful sets of these services within a capacity; the services are in falling rank. */
int knapsack_build(const struct optimizer *optimizer, struct knapsack *knapsack,
                   const uint32_t *services, uint32_t count, uint32_t capacity);
void knapsack_finish(struct knapsack *knapsack);
/* The best state within a capacity. */
uint32_t knapsack_best(const struct knapsack *knapsack, uint32_t capacity);
/* Marks the services of a state as kept. */
void knapsack_keep(struct optimizer *optimizer, const struct knapsack *knapsack,
                   uint32_t state);

/* ---- single.c: components of one node without coupled services ---- */
int single_solve(struct optimizer *optimizer, const struct component *component,
                 struct component_result *result);

/* ---- bound.c ---- */
/* At the prices of the nodes, with the caps as they are: for the services that count. */
double bound_of(const struct optimizer *optimizer, const struct component *component);

/* ---- component.c ---- */
int component_solve(struct optimizer *optimizer, const struct component *component,
                    struct component_result *result);
/* Domains of the phase that serves the kept, others at their least; product: all are free. */
void component_open_kept(struct optimizer *optimizer, const struct component *component);
/* Sum of the stakes of the kept. */
double component_kept_stake(const struct optimizer *optimizer,
                            const struct component *component);

/* ---- flow.c: floors of sums over several nodes ---- */
struct flow {
    struct optimizer *optimizer;
    const struct component *component;
    uint32_t *queue;  /* nodes */
    uint32_t *stamps; /* by node: reached in search number stamp */
    uint32_t stamp;
    uint32_t *from_vm; /* by node: the VM there that takes over ... */
    uint32_t *to_vm;   /* ... from this one; OPTIMIZER_NONE: of the service itself */
    uint32_t *journal; /* VM that took, VM that gave or OPTIMIZER_NONE, amount; in threes */
    uint32_t journal_count;
    uint32_t reach_most; /* nodes that a search looks at */
};

int flow_init(struct flow *flow, struct optimizer *optimizer, const struct component *component,
              struct arena *arena);
/* Raises a sum until r >= need, moving other sums aside; false: as far as it goes. */
bool flow_raise(struct flow *flow, uint32_t service, double need);
/* Everything that is raised after flow_remember() is taken back by flow_restore(). */
void flow_remember(struct flow *flow);
void flow_restore(struct flow *flow);
/* Sets all caps to what floors need: the kept at theirs, others at their least. False: they do
 * not fit. */
bool flow_place_floors(struct flow *flow);
/* Room of the nodes from the caps; false: a node has more than it can hold. */
bool flow_count_room(struct optimizer *optimizer, const struct component *component);

/* ---- settle.c ---- */
/* Improves whole percents by exchanges on nodes, shifts between nodes and steps of gangs, until
 * nothing gains. The services' n and the nodes' room are true before and after. loose, by node:
 * something has changed there since it was last settled; others are looked at only where that
 * leads to them. */
int settle_component(struct optimizer *optimizer, const struct component *component,
                     const bool *loose, struct arena *arena);

/* ---- coupled.c: components with services of several VMs ---- */
int coupled_solve(struct optimizer *optimizer, const struct component *component,
                  struct component_result *result);

/* ---- rounding.c ---- */
/* From the real caps of the coupled services to whole percents in which every floor holds.
 * loose, by node: something has changed there; where real caps have changed it is set, and on
 * nodes that are not loose the caps of the last solution stay. False: that failed, nothing is
 * usable. */
bool rounding_do(struct optimizer *optimizer, const struct component *component,
                 struct flow *flow, bool *loose);
/* Best amounts for the open single services of every node in what the others leave; where
 * neither they nor that have changed those of the last solution, and all other nodes become
 * loose. loose == NULL: nothing is taken over. */
int rounding_fill_singles(struct optimizer *optimizer, const struct component *component,
                          bool *loose, struct arena *arena);
/* n of all services from their caps. */
void rounding_count_amounts(struct optimizer *optimizer, const struct component *component);
/* Keeps the caps for the next solution. */
void rounding_remember(struct optimizer *optimizer, const struct component *component);

/* ---- rest.c ---- */
/* What the kept leave goes to the others, and to wishes that gain nothing. */
int rest_give(struct optimizer *optimizer, const struct component *component,
              struct arena *arena);

/* VMs of a sum share evenly where room is left for that. */
void rest_even_out(struct optimizer *optimizer, const struct component *component);

/* ---- triage.c ---- */
/* Chooses whom to keep in a coupled component where not every floor fits, and places their
 * floors. */
int triage_choose(struct optimizer *optimizer, const struct component *component,
                  struct flow *flow, struct component_result *result);

/* ---- component_find.c ---- */
int optimizer_find_components(struct optimizer *optimizer);

#endif
