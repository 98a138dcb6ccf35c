// SPDX-License-Identifier: Apache-2.0
#include "schedulers/placement_all.h"

#include <stddef.h>
#include <string.h>

#define SHARE_ONE 10000 /* as in placement.c: shares of a node on integers */

/* Where a VM is. */
struct place {
    uint32_t node; /* PLACEMENT_NONE: nowhere */
    bool holds;    /* its floor; true where that is not known */
};

struct change {
    uint32_t need;
    struct place place;
};

struct search {
    struct placement_all *all;
    struct place at[PLACEMENT_ALL_MAX];
    int64_t lacking;
    uint32_t looks;
    /* The step that is tried: where those were whom it moved, and what their places cost. */
    struct change before[PLACEMENT_ALL_MAX];
    bool is_changed[PLACEMENT_ALL_MAX];
    uint32_t changes;
    uint64_t cost;
    /* The best step for the VM whose turn it is. */
    struct change best[PLACEMENT_ALL_MAX];
    uint32_t best_changes; /* 0: none gains */
    uint64_t best_cost;
    struct placement_worth best_worth;
};

/* ---- places ---- */

/* What of the CPU to spare a VM takes, in percent. */
static int64_t taken_pct(const struct placement_need *need, bool holds)
{
    return holds || need->floor_pct < need->cpu_pct ? need->floor_pct : need->cpu_pct;
}

static int64_t lack_of(const struct placement_node *node)
{
    return node->slack_pct < 0 ? -node->slack_pct : 0;
}

/* Of the occupied rows, the one of a need; NULL when it does not spread. */
static uint8_t *row_of(const struct placement_all *all, const struct placement_need *need)
{
    return need->spread_group == 0 || all->occupied == NULL
               ? NULL
               : all->occupied + (uint64_t)(need->spread_group - 1) * all->nodes_count;
}

/* What a percent is worth there, in units of 1/10000. */
static uint64_t price_of(const struct placement_node *node)
{
    const int64_t whole = node->cpu_pct;
    if (node->slack_pct <= 0 || whole == 0) {
        return SHARE_ONE;
    }
    return node->slack_pct >= whole
               ? 0
               : (uint64_t)(SHARE_ONE - node->slack_pct * SHARE_ONE / whole);
}

/* Gives (sign 1) or takes back (-1) what the VM has of its node. */
static void count(struct search *search, uint32_t need_index, int sign)
{
    struct placement_all *all = search->all;
    const struct placement_need *need = &all->needs[need_index];
    const struct place *place = &search->at[need_index];
    struct placement_node *node = &all->nodes[place->node];
    uint8_t *row = row_of(all, need);
    search->lacking -= lack_of(node);
    if (sign > 0) {
        node->cpu_pct_free -= need->cpu_pct;
        node->memory_kib_free -= need->memory_kib;
        node->slack_pct -= taken_pct(need, place->holds);
        all->vms_free[place->node]--;
    } else {
        node->cpu_pct_free += need->cpu_pct;
        node->memory_kib_free += need->memory_kib;
        node->slack_pct += taken_pct(need, place->holds);
        all->vms_free[place->node]++;
    }
    search->lacking += lack_of(node);
    if (row != NULL) {
        row[place->node] = sign > 0 ? 1 : 0;
    }
}

static void put(struct search *search, uint32_t need, struct place place)
{
    if (search->at[need].node != PLACEMENT_NONE) {
        count(search, need, -1);
    }
    search->at[need] = place;
    if (place.node != PLACEMENT_NONE) {
        count(search, need, 1);
    }
}

static const struct place nowhere = {.node = PLACEMENT_NONE, .holds = false};

/* The VM may go there beside all that is there; *holds: with its floor. */
static bool takes(struct search *search, uint32_t need_index, uint32_t node, bool *holds)
{
    const struct placement_all *all = search->all;
    const struct placement_need *need = &all->needs[need_index];
    uint64_t needed = 0;
    uint64_t available = 0;
    search->looks++;
    *holds = need->floor_pct == 0 || all->nodes[node].slack_pct >= (int64_t)need->floor_pct;
    return all->vms_free[node] > 0 &&
           placement_why_not(&all->nodes[node], node, need, row_of(all, need), &needed,
                             &available) == REASON_NONE;
}

/* The cheapest node that holds its floor, else the one with most to spare. */
static struct place place_for(struct search *search, uint32_t need)
{
    const struct placement_all *all = search->all;
    struct place best = nowhere;
    for (uint32_t i = 0; i < all->nodes_count; i++) {
        struct place here = {.node = i};
        if (!takes(search, need, i, &here.holds)) {
            continue;
        }
        const struct placement_node *node = &all->nodes[i];
        const struct placement_node *than =
            best.node == PLACEMENT_NONE ? NULL : &all->nodes[best.node];
        const bool is_better = than == NULL               ? true
                               : here.holds != best.holds ? here.holds
                               : here.holds               ? price_of(node) < price_of(than)
                                                          : node->slack_pct > than->slack_pct;
        if (is_better) {
            best = here;
        }
    }
    return best;
}

/* ---- worth ---- */

/* Its floor holds; not where all floors together lack CPU. */
static bool is_held(const struct search *search, uint32_t need)
{
    const struct place *place = &search->at[need];
    return place->node != PLACEMENT_NONE && place->holds &&
           (search->all->needs[need].floor_pct == 0 ||
            search->all->nodes[place->node].slack_pct >= 0);
}

static struct placement_worth worth_of(const struct search *search)
{
    const struct placement_all *all = search->all;
    struct placement_worth worth = {.lacking = search->lacking};
    bool is_short[PLACEMENT_ALL_MAX] = {false};
    for (uint32_t i = 0; i < all->needs_count; i++) {
        const double weight = all->weights[all->service_of[i]];
        const bool held = is_held(search, i);
        worth.placed += search->at[i].node != PLACEMENT_NONE ? weight : 0.0;
        worth.held += held ? weight : 0.0;
        is_short[all->service_of[i]] = is_short[all->service_of[i]] || !held;
    }
    for (uint32_t i = 0; i < all->services_count; i++) {
        worth.kept += is_short[i] ? 0.0 : all->weights[i];
    }
    return worth;
}

/* 1: a is better, -1: b, 0: neither. */
static int compare(const struct placement_worth *a, const struct placement_worth *b)
{
    if (a->kept != b->kept) {
        return a->kept > b->kept ? 1 : -1;
    }
    if (a->placed != b->placed) {
        return a->placed > b->placed ? 1 : -1;
    }
    if (a->held != b->held) {
        return a->held > b->held ? 1 : -1;
    }
    return a->lacking < b->lacking ? 1 : a->lacking > b->lacking ? -1 : 0;
}

/* ---- one step ---- */

static void move(struct search *search, uint32_t need, struct place to)
{
    if (!search->is_changed[need]) {
        search->is_changed[need] = true;
        search->before[search->changes++] =
            (struct change){.need = need, .place = search->at[need]};
    }
    put(search, need, to);
    if (to.node != PLACEMENT_NONE) {
        const struct placement_need *of = &search->all->needs[need];
        search->cost +=
            (uint64_t)taken_pct(of, to.holds) * price_of(&search->all->nodes[to.node]);
    }
}

/* All out before the first goes in: two that swap would be in each other's way. */
static void put_all(struct search *search, const struct change *changes, uint32_t changes_count)
{
    for (uint32_t i = 0; i < changes_count; i++) {
        put(search, changes[i].need, nowhere);
    }
    for (uint32_t i = 0; i < changes_count; i++) {
        put(search, changes[i].need, changes[i].place);
    }
}

static void take_back(struct search *search)
{
    put_all(search, search->before, search->changes);
    for (uint32_t i = 0; i < search->changes; i++) {
        search->is_changed[search->before[i].need] = false;
    }
    search->changes = 0;
    search->cost = 0;
}

/* Others that are short come to a node where something went away. */
static void fill(struct search *search, uint32_t node)
{
    for (uint32_t i = 0; node != PLACEMENT_NONE && i < search->all->needs_count; i++) {
        if (is_held(search, i)) {
            continue;
        }
        const struct place was = search->at[i];
        struct place here = {.node = node};
        put(search, i, nowhere);
        const bool fits = takes(search, i, node, &here.holds);
        put(search, i, was);
        if (fits && here.holds) {
            move(search, i, here);
        }
    }
}

/* Fills what the step left, and remembers it if it is the best; it is taken back then. */
static void end_step(struct search *search)
{
    const uint32_t moved = search->changes;
    for (uint32_t i = 0; i < moved; i++) {
        fill(search, search->before[i].place.node);
    }
    const struct placement_worth worth = worth_of(search);
    const int order = compare(&worth, &search->best_worth);
    if (order > 0 ||
        (order == 0 && search->best_changes > 0 && search->cost < search->best_cost)) {
        search->best_worth = worth;
        search->best_cost = search->cost;
        search->best_changes = search->changes;
        for (uint32_t i = 0; i < search->changes; i++) {
            const uint32_t need = search->before[i].need;
            search->best[i] = (struct change){.need = need, .place = search->at[need]};
        }
    }
    take_back(search);
}

/* Elsewhere, with nobody in the way. */
static void try_move(struct search *search, uint32_t need)
{
    move(search, need, nowhere);
    move(search, need, place_for(search, need));
    end_step(search);
}

/* To the node of the others, who leave it in this order until there is room. */
static void try_replace(struct search *search, uint32_t need, uint32_t node,
                        const uint32_t *others, uint32_t others_count)
{
    struct place here = {.node = node};
    bool fits = false;
    uint32_t out = 0;
    move(search, need, nowhere);
    while (out < others_count && !(fits && here.holds)) {
        move(search, others[out++], nowhere);
        fits = takes(search, need, node, &here.holds);
    }
    if (!fits) {
        take_back(search);
        return;
    }
    move(search, need, here);
    while (out > 0) { /* who left last is dearest, and chooses first */
        const uint32_t other = others[--out];
        move(search, other, place_for(search, other));
    }
    end_step(search);
}

/* ---- the search ---- */

/* The light first; of the same weight, those with the smallest floor. */
static bool leaves_before(const struct placement_all *all, uint32_t a, uint32_t b)
{
    const double weight_a = all->weights[all->service_of[a]];
    const double weight_b = all->weights[all->service_of[b]];
    return weight_a != weight_b ? weight_a < weight_b
                                : all->needs[a].floor_pct < all->needs[b].floor_pct;
}

/* Those on a node, in the order in which they leave it. */
static uint32_t list_others(const struct search *search, uint32_t node, uint32_t but,
                            uint32_t *others)
{
    uint32_t others_count = 0;
    for (uint32_t i = 0; i < search->all->needs_count; i++) {
        if (search->at[i].node != node || i == but) {
            continue;
        }
        uint32_t at = others_count++;
        for (; at > 0 && leaves_before(search->all, i, others[at - 1]); at--) {
            others[at] = others[at - 1];
        }
        others[at] = i;
    }
    return others_count;
}

/* Takes the best step for one that is short; false: there is none. */
static bool improve(struct search *search, uint32_t need)
{
    search->best_changes = 0;
    search->best_worth = worth_of(search);
    try_move(search, need);
    for (uint32_t i = 0; i < search->all->needs_count; i++) {
        if (search->looks >= PLACEMENT_LOOKS_MAX) {
            break;
        }
        const uint32_t node = search->at[i].node;
        if (i == need || node == PLACEMENT_NONE) {
            continue;
        }
        uint32_t others[PLACEMENT_ALL_MAX];
        try_replace(search, need, node, &i, 1);
        const uint32_t others_count = list_others(search, node, need, others);
        if (others_count > 1 && others[0] == i) { /* once per node */
            try_replace(search, need, node, others, others_count);
        }
    }
    if (search->best_changes == 0) {
        return false;
    }
    put_all(search, search->best, search->best_changes);
    return true;
}

/* Where it is: the greedy start counts whole floors also of those that do not hold. */
static void hold_if_possible(struct search *search, uint32_t need)
{
    struct place here = search->at[need];
    if (here.node == PLACEMENT_NONE || here.holds) {
        return;
    }
    put(search, need, nowhere);
    (void)takes(search, need, here.node, &here.holds);
    put(search, need, here);
}

/* As one call after the other would, and what the search needs to know of it. */
static void start(struct search *search, uint32_t *chosen)
{
    struct placement_all *all = search->all;
    for (uint32_t i = 0; i < all->needs_count; i++) {
        const struct placement_need *need = &all->needs[i];
        struct placement_need alone = *need;
        alone.spread_group = need->spread_group == 0 ? 0 : 1;
        (void)placement_choose(all->nodes, all->nodes_count, &alone, 1, row_of(all, need),
                               &chosen[i]);
        search->at[i] = (struct place){.node = chosen[i]};
        if (chosen[i] == PLACEMENT_NONE) {
            continue;
        }
        struct placement_node *node = &all->nodes[chosen[i]];
        search->at[i].holds = need->floor_pct == 0 || node->slack_pct >= 0;
        if (--all->vms_free[chosen[i]] == 0) {
            node->closed = REASON_LIMIT;
        }
    }
    for (uint32_t i = 0; i < all->needs_count; i++) {
        if (chosen[i] == PLACEMENT_NONE) {
            continue;
        }
        struct placement_node *node = &all->nodes[chosen[i]];
        node->closed = REASON_NONE; /* from here on the number says when it is full */
        node->slack_pct +=
            all->needs[i].floor_pct - taken_pct(&all->needs[i], search->at[i].holds);
    }
    for (uint32_t i = 0; i < all->nodes_count; i++) {
        search->lacking += lack_of(&all->nodes[i]);
    }
    for (uint32_t i = 0; i < all->needs_count; i++) {
        hold_if_possible(search, i);
    }
}

void placement_all(struct placement_all *all, uint32_t *chosen, struct placement_found *found)
{
    struct search search = {.all = all};
    start(&search, chosen);
    found->start = worth_of(&search);
    for (bool gained = true; gained;) {
        gained = false;
        for (uint32_t i = 0; i < all->needs_count; i++) {
            const bool is_short = !is_held(&search, i);
            if (is_short && search.looks < PLACEMENT_LOOKS_MAX) {
                gained = improve(&search, i) || gained;
            }
        }
    }
    for (uint32_t i = 0; i < all->needs_count; i++) {
        chosen[i] = search.at[i].node;
    }
    found->worth = worth_of(&search);
    found->looks = search.looks;
}
