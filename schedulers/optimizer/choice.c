// SPDX-License-Identifier: Apache-2.0
/*
 * One level of each contender: the knapsack with multiple choice. At the price p at which the
 * relaxed problem is tight every level loses something against the best of its contender, and
 * every percent left loses p; the levels that lose least in all are wanted. All that lose no
 * more than some amount are listed, for each half of the contenders apart, without what another
 * beats, and both lists are merged. If the best sum loses no more than that amount, nothing
 * better exists; otherwise the amount was too small. Few levels ever get into a list (the
 * core; Pisinger).
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "schedulers/optimizer/search.h"

#define BISECTIONS   10
#define PRICE_MOST   1e9
#define STATES_FIRST 256u
#define STATES_MOST  65536u
#define LOSS_FIRST   1.0 /* percents at their price */
#define LOSS_MORE    3.0

struct state {
    double gain; /* price n - loss: what another with less n must not beat */
    uint32_t n;
    uint32_t parent;
    uint32_t level; /* index in the list of its contender */
};

struct half {
    uint32_t first; /* contenders */
    uint32_t end;
    uint32_t *starts; /* by contender - first, and the end: states */
};

/* Memory of all choices of a search. */
struct choice_room {
    double *most;
    uint32_t *starts;
    struct state *states;
    uint32_t states_max;
};

struct choice {
    struct search *search;
    const uint32_t *segments; /* by contender */
    double price;
    double bound; /* of every choice */
    double *most; /* by contender: value - price n of its best level */
    struct state *states;
    uint32_t states_count;
    uint32_t states_max;
    struct state *scratch[2]; /* for merging */
    uint32_t *starts;
    bool full; /* not all states had room */
};

/* ---- the price ---- */

static double dual_at(struct choice *choice, double price, uint64_t *used)
{
    const struct search *search = choice->search;
    double dual = price * search->contest->capacity;
    *used = 0;
    for (uint32_t i = 0; i < search->contest->count; i++) {
        uint32_t n = 0;
        choice->most[i] =
            segment_net(search, i, &search->segments[choice->segments[i]], price, &n);
        dual += choice->most[i];
        *used += n;
    }
    return dual;
}

/* The price of the least dual; 0 where everything fits. */
static void find_price(struct choice *choice, double guess)
{
    const uint32_t capacity = choice->search->contest->capacity;
    uint64_t used = 0;
    choice->price = 0.0;
    choice->bound = dual_at(choice, 0.0, &used);
    if (used <= capacity) {
        return;
    }
    double low = 0.0;
    double high = guess;
    double dual = dual_at(choice, high, &used);
    while (used > capacity && high < PRICE_MOST) {
        low = high;
        high *= 2.0;
        dual = dual_at(choice, high, &used);
    }
    for (int i = 0; i < BISECTIONS && used != capacity; i++) {
        if (dual < choice->bound) {
            choice->bound = dual;
            choice->price = used > capacity ? low : high;
        }
        const double middle = low > 0.0 ? 0.5 * (low + high) : 0.5 * high;
        dual = dual_at(choice, middle, &used);
        low = used > capacity ? middle : low;
        high = used > capacity ? high : middle;
    }
    if (dual < choice->bound) {
        choice->bound = dual;
        choice->price = used > capacity ? low : high;
    }
    choice->bound = dual_at(choice, choice->price, &used);
}

/* ---- lists of states ---- */

/* Merges by n what is there with what a further level of a contender makes of the states. */
static uint32_t merge(const struct state *a, uint32_t a_count, const struct state *b,
                      uint32_t b_count, struct state *out)
{
    uint32_t i = 0;
    uint32_t j = 0;
    uint32_t count = 0;
    double most = -HUGE_VAL;
    while (i < a_count || j < b_count) {
        const bool first =
            j == b_count ||
            (i < a_count && (a[i].n < b[j].n || (a[i].n == b[j].n && a[i].gain >= b[j].gain)));
        const struct state *next = first ? &a[i++] : &b[j++];
        if (next->gain > most) {
            most = next->gain;
            out[count++] = *next;
        }
    }
    return count;
}

/* States of one more contender: from those of the ones before, with every level that loses
 * little enough. */
static void add_contender(struct choice *choice, uint32_t contender, uint32_t start,
                          double loss_most)
{
    const struct search *search = choice->search;
    const struct level_list *list = &search->lists[contender];
    const struct segment *segment = &search->segments[choice->segments[contender]];
    const uint32_t end = choice->states_count;
    struct state *made = choice->scratch[0];
    struct state *shifted = choice->states + end;
    uint32_t count = 0;
    for (uint32_t k = segment->first; k < segment->first + segment->count; k++) {
        const double loss =
            choice->most[contender] - (list->value[k] - choice->price * list->n[k]);
        if (loss > loss_most) {
            continue;
        }
        uint32_t shifts = 0;
        for (uint32_t s = start; s < end && end + shifts < choice->states_max; s++) {
            const struct state *state = &choice->states[s];
            const uint32_t n = state->n + list->n[k];
            const double gain = state->gain + choice->price * list->n[k] - loss;
            if (choice->price * n - gain <= loss_most && n <= search->contest->capacity) {
                shifted[shifts++] =
                    (struct state){.gain = gain, .n = n, .parent = s, .level = k};
            }
        }
        if (end + shifts + count >= choice->states_max) {
            choice->full = true;
            return;
        }
        struct state *merged =
            made == choice->scratch[0] ? choice->scratch[1] : choice->scratch[0];
        count = merge(made, count, shifted, shifts, merged);
        made = merged;
    }
    memcpy(shifted, made, count * sizeof *made);
    choice->states_count = end + count;
}

static void list_half(struct choice *choice, struct half *half, double loss_most)
{
    uint32_t start = choice->states_count;
    choice->states[choice->states_count++] = (struct state){.parent = OPTIMIZER_NONE};
    half->starts[0] = start;
    for (uint32_t i = half->first; i < half->end && !choice->full; i++) {
        const uint32_t end = choice->states_count;
        add_contender(choice, i, start, loss_most);
        start = end;
        half->starts[i + 1 - half->first] = start;
    }
}

static void take_path(struct choice *choice, const struct half *half, uint32_t state)
{
    struct search *search = choice->search;
    for (uint32_t i = half->end; i-- > half->first;) {
        search->best[i] = search->lists[i].n[choice->states[state].level];
        state = choice->states[state].parent;
    }
}

/* The best sum of two states within the capacity; true: it is taken and loses no more than
 * loss_most, or everything better than the best so far does not exist. */
static bool join(struct choice *choice, struct half halves[2], uint32_t end, double loss_most)
{
    struct search *search = choice->search;
    const uint32_t capacity = search->contest->capacity;
    const uint32_t middle = halves[1].starts[0];
    const uint32_t a_start = halves[0].starts[halves[0].end - halves[0].first];
    const uint32_t b_start = halves[1].starts[halves[1].end - halves[1].first];
    double most = -HUGE_VAL;
    uint32_t best[2] = {0, 0};
    uint32_t b = end;
    for (uint32_t a = a_start; a < middle; a++) {
        while (b > b_start && choice->states[b - 1].n + choice->states[a].n > capacity) {
            b--;
        }
        if (b == b_start) {
            break;
        }
        const double gain = choice->states[a].gain + choice->states[b - 1].gain;
        if (gain > most) {
            most = gain;
            best[0] = a;
            best[1] = b - 1;
        }
    }
    const double loss = choice->price * capacity - most;
    const double value = choice->bound - loss;
    if (isfinite(most) && value > search->best_value) {
        take_path(choice, &halves[0], best[0]);
        take_path(choice, &halves[1], best[1]);
        double sum = 0.0; /* without the rounding of gains */
        for (uint32_t i = 0; i < search->contest->count; i++) {
            sum +=
                net_value(search->optimizer, search->contest->all[i].service, search->best[i]);
        }
        search->best_value = sum;
    }
    return choice->bound - loss_most <= search->best_value;
}

static int take_states(struct choice *choice, uint32_t states_max)
{
    struct choice_room *room = choice->search->room;
    if (room->states_max < states_max) {
        room->states =
            arena_take_raw(choice->search->arena, states_max, 3 * sizeof(struct state));
        room->states_max = states_max;
        if (room->states == NULL) {
            return -ENOMEM;
        }
    }
    choice->states_max = room->states_max;
    choice->states = room->states;
    choice->scratch[0] = choice->states + choice->states_max;
    choice->scratch[1] = choice->scratch[0] + choice->states_max;
    return 0;
}

static int take_room(struct choice *choice)
{
    struct search *search = choice->search;
    const uint32_t count = search->contest->count;
    if (search->room == NULL) {
        search->room = arena_take(search->arena, 1, sizeof *search->room);
        double *most = arena_take(search->arena, count + 1u, sizeof *most);
        uint32_t *starts = arena_take(search->arena, count + 2u, sizeof *starts);
        if (search->arena->failed) {
            return -ENOMEM;
        }
        search->room->most = most;
        search->room->starts = starts;
    }
    choice->most = search->room->most;
    choice->starts = search->room->starts;
    return take_states(choice, STATES_FIRST);
}

/* All choices that lose no more than loss_most; false: they are too many. */
static bool list_all(struct choice *choice, double loss_most, bool *found)
{
    const uint32_t count = choice->search->contest->count;
    struct half halves[] = {
        {.first = 0, .end = count / 2, .starts = choice->starts},
        {.first = count / 2, .end = count, .starts = choice->starts + count / 2 + 1},
    };
    choice->states_count = 0;
    choice->full = false;
    list_half(choice, &halves[0], loss_most);
    if (!choice->full) {
        list_half(choice, &halves[1], loss_most);
    }
    *found = !choice->full && join(choice, halves, choice->states_count, loss_most);
    return !choice->full;
}

int choice_solve(struct search *search, const uint32_t *segments, double price)
{
    struct choice choice = {.search = search, .segments = segments};
    if (take_room(&choice) < 0) {
        return -ENOMEM;
    }
    find_price(&choice, price);
    search->contest->price = choice.price;
    double listed = 0.0; /* everything that loses no more is looked through */
    double loss_most = LOSS_FIRST * choice.price + 1e-9;
    bool found = choice.bound <= search->best_value;
    while (!found) {
        const double rest = choice.bound - search->best_value;
        loss_most = loss_most < rest ? loss_most : rest;
        if (list_all(&choice, loss_most, &found)) {
            found = found || loss_most >= rest;
            listed = loss_most;
            loss_most *= LOSS_MORE;
        } else if (4 * choice.states_max > STATES_MOST) {
            break;
        } else if (take_states(&choice, 4 * choice.states_max) < 0) {
            return -ENOMEM;
        }
    }
    const double bound = choice.bound - listed;
    if (!found && bound > search->dropped) {
        search->dropped = bound;
    }
    return 0;
}
