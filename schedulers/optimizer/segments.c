// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <math.h>

#include "schedulers/optimizer/search.h"

#define JUMP_LEAST 3u /* steps of the list in one of its hull that cut it there */

/* ---- whole percents ---- */

struct cut {
    const struct service_value *value;
    struct segment *out;
    uint32_t count;
    uint32_t next; /* the first n that no segment has */
    uint32_t most;
};

static void add_segment(struct cut *cut, enum segment_kind kind, uint32_t from, uint32_t to)
{
    struct segment *segment = &cut->out[cut->count++];
    *segment =
        (struct segment){.kind = from == to ? SEGMENT_POINT : kind, .from = from, .to = to};
    if (segment->kind != SEGMENT_CONCAVE) {
        segment->value_from = value_at(cut->value, from);
        segment->value_to = from == to ? segment->value_from : value_at(cut->value, to);
    }
}

/* All n up to r that have no segment yet; true: there were some. */
static bool take_up_to(struct cut *cut, double r, uint32_t range[2])
{
    const double n = floor((r - cut->value->base_r) / cut->value->unit + 1e-9);
    if (cut->next > cut->most || n < cut->next) {
        return false;
    }
    range[0] = cut->next;
    range[1] = n < cut->most ? (uint32_t)n : cut->most;
    cut->next = range[1] + 1;
    return true;
}

static void close_concave(struct cut *cut, double r)
{
    uint32_t range[2];
    if (take_up_to(cut, r, range)) {
        add_segment(cut, SEGMENT_CONCAVE, range[0], range[1]);
    }
}

/*
 * Of two convex values only one can be strictly inside at an optimum: between two, a percent
 * moved one way or the other loses nothing. So its ends are segments of their own.
 */
static void add_convex(struct cut *cut, double r)
{
    uint32_t range[2];
    if (!take_up_to(cut, r, range)) {
        return;
    }
    add_segment(cut, SEGMENT_POINT, range[0], range[0]);
    if (range[1] > range[0] + 1) {
        add_segment(cut, SEGMENT_CONVEX, range[0] + 1, range[1] - 1);
    }
    if (range[1] > range[0]) {
        add_segment(cut, SEGMENT_POINT, range[1], range[1]);
    }
}

/* Nothing is gained where a value starts flat: only its first n counts. */
static void skip_flat(struct cut *cut, double r)
{
    uint32_t range[2];
    if (take_up_to(cut, r, range)) {
        add_segment(cut, SEGMENT_POINT, range[0], range[0]);
    }
}

static uint32_t cut_percents(const struct service_value *value, uint32_t least, uint32_t most,
                             struct segment *out)
{
    struct cut cut = {.value = value, .out = out, .next = least, .most = most};
    bool open = false;
    double slope = 0.0; /* at the end of the open concave segment */
    for (uint32_t i = 0; i < value->pieces_count && cut.next <= most; i++) {
        const struct piece *piece = &value->pieces[i];
        if (piece->to < value_r(value, cut.next) - VALUE_TOLERANCE) {
            continue;
        }
        const bool flat = piece->kind == PIECE_ENDS && !(piece->beta > 0.0);
        const bool convex = piece->kind == PIECE_ENDS && !flat;
        const double from = flat ? 0.0 : piece->slope_from;
        if (open && (convex || from > slope * (1.0 + 1e-12))) {
            close_concave(&cut, piece->from);
            open = false;
        }
        if (convex) {
            add_convex(&cut, piece->to);
        } else if (flat && !open) {
            skip_flat(&cut, piece->to);
        } else {
            open = true;
            slope = flat ? 0.0 : piece->slope_to;
        }
    }
    if (cut.next <= most) {
        add_segment(&cut, SEGMENT_CONCAVE, cut.next, most);
    }
    return cut.count;
}

/* ---- listed levels ---- */

static void list_levels(const struct search *search, const struct contender *it, uint32_t most,
                        struct level_list *out)
{
    const struct allocation_vm *vm = levels_vm(search->optimizer, it->service);
    for (uint32_t k = 0; k < vm->levels_count; k++) {
        const uint32_t n = vm->levels[k].cap_pct;
        if (n >= it->least && n <= most && (out->count == 0 || n > out->n[out->count - 1])) {
            out->n[out->count] = n;
            out->value[out->count++] = net_value(search->optimizer, it->service, n);
        }
    }
    if (out->count == 0) {
        out->n[0] = it->least;
        out->value[0] = net_value(search->optimizer, it->service, it->least);
        out->count = 1;
    }
}

static void find_hull(struct level_list *list)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < list->count; k++) {
        double slope = 0.0;
        for (; count > 0; count--) {
            const uint32_t last = list->hull[count - 1];
            slope = (list->value[k] - list->value[last]) / (double)(list->n[k] - list->n[last]);
            if (count == 1 || slope < list->slope[count - 1]) {
                break;
            }
        }
        list->hull[count] = k;
        list->slope[count++] = slope;
    }
    list->hull_count = count;
}

static void add_listed(const struct level_list *list, uint32_t first, uint32_t count,
                       struct segment *out)
{
    *out = (struct segment){.kind = count > 1 ? SEGMENT_LISTED : SEGMENT_POINT,
                            .from = list->n[first],
                            .to = list->n[first + count - 1],
                            .first = first,
                            .count = count,
                            .value_from = list->value[first],
                            .value_to = list->value[first + count - 1]};
}

/* Where the hull jumps over some levels, each of these is a segment of its own. */
static uint32_t cut_list(const struct level_list *list, struct segment *out)
{
    uint32_t count = 0;
    uint32_t start = 0; /* on the hull */
    for (uint32_t h = 1; h <= list->hull_count; h++) {
        if (h < list->hull_count && list->hull[h] - list->hull[h - 1] <= JUMP_LEAST) {
            continue;
        }
        struct segment *run = &out[count++];
        add_listed(list, list->hull[start], list->hull[h - 1] - list->hull[start] + 1, run);
        run->hull_first = start;
        run->hull_end = h;
        for (uint32_t k = list->hull[h - 1] + 1; h < list->hull_count && k < list->hull[h];
             k++) {
            add_listed(list, k, 1, &out[count]);
            out[count++].under = true;
        }
        start = h;
    }
    return count;
}

static int cut_lists(struct search *search)
{
    const struct contest *contest = search->contest;
    uint64_t least = 0;
    size_t size = 1;
    for (uint32_t i = 0; i < contest->count; i++) {
        least += contest->all[i].least;
        size += levels_vm(search->optimizer, contest->all[i].service)->levels_count;
    }
    struct arena *arena = search->arena;
    search->lists = arena_take(arena, contest->count + 1u, sizeof *search->lists);
    uint32_t *n = arena_take_raw(arena, 2 * size, sizeof *n);
    double *value = arena_take_raw(arena, 2 * size, sizeof *value);
    search->segments = arena_take_raw(arena, size, sizeof *search->segments);
    if (arena->failed) {
        return -ENOMEM;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < contest->count; i++) {
        const struct contender *it = &contest->all[i];
        struct level_list *list = &search->lists[i];
        const uint64_t room = contest->capacity - (least - it->least);
        *list = (struct level_list){
            .n = n, .hull = n + size, .value = value, .slope = value + size};
        list_levels(search, it, room < it->most ? (uint32_t)room : it->most, list);
        find_hull(list);
        search->firsts[i] = count;
        count += cut_list(list, &search->segments[count]);
        n += list->count;
        value += list->count;
    }
    search->firsts[contest->count] = count;
    return 0;
}

int segments_cut(struct search *search)
{
    const struct contest *contest = search->contest;
    search->firsts = arena_take(search->arena, contest->count + 1u, sizeof(uint32_t));
    if (search->firsts == NULL) {
        return -ENOMEM;
    }
    if (search->listed) {
        return cut_lists(search);
    }
    size_t size = 1;
    for (uint32_t i = 0; i < contest->count; i++) {
        size +=
            3u * search->optimizer->services[contest->all[i].service].value.pieces_count + 1u;
    }
    search->segments = arena_take_raw(search->arena, size, sizeof *search->segments);
    if (search->segments == NULL) {
        return -ENOMEM;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < contest->count; i++) {
        const struct contender *it = &contest->all[i];
        search->firsts[i] = count;
        count += cut_percents(&search->optimizer->services[it->service].value, it->least,
                              it->most, &search->segments[count]);
    }
    search->firsts[contest->count] = count;
    return 0;
}

/* ---- what a segment is worth at a price ---- */

/* A concave value has its peak next to where its slope is the price. */
static double peak_net(const struct service_value *value, const struct segment *segment,
                       double price, uint32_t *at)
{
    uint32_t n = segment->to;
    if (price > 0.0) {
        const double real = value_demand(value, log(price), segment->from, segment->to);
        n = (uint32_t)real;
        n = n < segment->from ? segment->from : n > segment->to ? segment->to : n;
    }
    double here = value_at(value, n) - price * n;
    for (uint32_t step = 1; n < segment->to;) {
        const uint32_t next = step < segment->to - n ? n + step : segment->to;
        const double there = value_at(value, next) - price * next;
        if (there > here) {
            n = next;
            here = there;
            step *= 2;
        } else if (step == 1) {
            break;
        } else {
            step /= 2;
        }
    }
    for (uint32_t step = 1; n > segment->from;) {
        const uint32_t next = step < n - segment->from ? n - step : segment->from;
        const double there = value_at(value, next) - price * next;
        if (there > here) {
            n = next;
            here = there;
            step *= 2;
        } else if (step == 1) {
            break;
        } else {
            step /= 2;
        }
    }
    *at = n;
    return here;
}

double segment_net(const struct search *search, uint32_t contender,
                   const struct segment *segment, double price, uint32_t *n)
{
    if (segment->kind == SEGMENT_LISTED) {
        /* the last step of the hull that is steeper than the price */
        const struct level_list *list = &search->lists[contender];
        uint32_t low = segment->hull_first;
        uint32_t high = segment->hull_end;
        while (high - low > 1) {
            const uint32_t middle = (low + high) / 2;
            if (list->slope[middle] > price) {
                low = middle;
            } else {
                high = middle;
            }
        }
        *n = list->n[list->hull[low]];
        return list->value[list->hull[low]] - price * *n;
    }
    if (segment->kind == SEGMENT_CONCAVE) {
        const uint32_t service = search->contest->all[contender].service;
        return peak_net(&search->optimizer->services[service].value, segment, price, n);
    }
    const double from = segment->value_from - price * segment->from;
    const double to = segment->value_to - price * segment->to;
    *n = to > from ? segment->to : segment->from;
    return to > from ? to : from;
}
