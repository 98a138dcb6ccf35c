// SPDX-License-Identifier: Apache-2.0
/*
 * Water-filling in whole percents. A price at which all real demands fill the node is found
 * first; from the rounded demands, percents are given, taken and exchanged one by one while
 * that gains. With concave values no exchange that gains is left only at the optimum (Fox), and
 * the price of the last percent proves it: the Lagrangian bound is the value itself.
 */
#include <math.h>

#include "schedulers/optimizer/optimizer.h"
#include "schedulers/optimizer/root.h"

#define LOG_PRICE_LEAST (-46.0)
#define LOG_PRICE_MOST  12.0
#define PRICE_STEPS     40
#define GAIN_LEAST      1e-13

static double demand_at(const struct optimizer *optimizer, const struct contest *contest,
                        double log_price)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < contest->count; i++) {
        const struct contender *it = &contest->all[i];
        const uint32_t range[2] = {it->least, it->most};
        sum += net_demand(optimizer, it->service, log_price, range);
    }
    return sum - contest->capacity;
}

/* log of the price at which the demands fill the node: a bracket, then false position with
 * the Illinois rule. */
static double find_price(const struct optimizer *optimizer, const struct contest *contest)
{
    double low = contest->price > 0.0 ? log(contest->price) - 0.1 : -8.0;
    double high = low + 0.2;
    double over = demand_at(optimizer, contest, low);
    double width = 0.2;
    while (over <= 0.0 && low > LOG_PRICE_LEAST) {
        high = low;
        low -= width;
        width *= 2.0;
        over = demand_at(optimizer, contest, low);
    }
    double under = demand_at(optimizer, contest, high);
    while (under > 0.0 && high < LOG_PRICE_MOST) {
        low = high;
        over = under;
        high += width;
        width *= 2.0;
        under = demand_at(optimizer, contest, high);
    }
    struct root root = {.low = low, .high = high, .over = over, .under = under};
    double middle = over > 0.0 ? high : low;
    for (int i = 0; i < PRICE_STEPS && over > 0.0 && under <= 0.0; i++) {
        middle = root_next(&root);
        const double at = demand_at(optimizer, contest, middle);
        if (fabs(at) < 0.25 || root.high - root.low < 1e-12) {
            break;
        }
        root_take(&root, middle, at);
    }
    return middle;
}

static void refresh(const struct optimizer *optimizer, struct contender *it)
{
    const double here = net_value(optimizer, it->service, it->n);
    it->up = it->n < it->most ? net_value(optimizer, it->service, it->n + 1) - here : -HUGE_VAL;
    it->down =
        it->n > it->least ? here - net_value(optimizer, it->service, it->n - 1) : HUGE_VAL;
}

/* Who gains most by one more; of equals the lower name. */
static struct contender *best_taker(const struct optimizer *optimizer, struct contest *contest)
{
    struct contender *best = &contest->all[0];
    for (uint32_t i = 1; i < contest->count; i++) {
        struct contender *it = &contest->all[i];
        if (it->up > best->up + GAIN_LEAST ||
            (it->up > best->up - GAIN_LEAST &&
             optimizer->services[it->service].rank < optimizer->services[best->service].rank)) {
            best = it;
        }
    }
    return best;
}

/* Who loses least by one less; of equals the higher name. */
static struct contender *best_giver(const struct optimizer *optimizer, struct contest *contest)
{
    struct contender *best = &contest->all[0];
    for (uint32_t i = 1; i < contest->count; i++) {
        struct contender *it = &contest->all[i];
        if (it->down < best->down - GAIN_LEAST ||
            (it->down < best->down + GAIN_LEAST &&
             optimizer->services[it->service].rank > optimizer->services[best->service].rank)) {
            best = it;
        }
    }
    return best;
}

static bool is_gain(const struct optimizer *optimizer, const struct contender *taker,
                    const struct contender *giver)
{
    if (taker == giver) {
        return false;
    }
    if (taker->up > giver->down + GAIN_LEAST) {
        return true;
    }
    return taker->up > giver->down - GAIN_LEAST &&
           optimizer->services[taker->service].rank < optimizer->services[giver->service].rank;
}

static void step(const struct optimizer *optimizer, struct contender *it, bool up)
{
    it->n = up ? it->n + 1 : it->n - 1;
    refresh(optimizer, it);
}

static void settle(const struct optimizer *optimizer, struct contest *contest, uint64_t used)
{
    while (used > contest->capacity) {
        struct contender *giver = best_giver(optimizer, contest);
        if (!isfinite(giver->down)) {
            break; /* all at their least */
        }
        step(optimizer, giver, false);
        used--;
    }
    while (used < contest->capacity) {
        struct contender *taker = best_taker(optimizer, contest);
        if (!(taker->up > 0.0)) {
            break;
        }
        step(optimizer, taker, true);
        used++;
    }
    for (uint64_t left = 16u * (uint64_t)contest->count + 1024u; left > 0; left--) {
        struct contender *taker = best_taker(optimizer, contest);
        struct contender *giver = best_giver(optimizer, contest);
        if (!is_gain(optimizer, taker, giver)) {
            break;
        }
        step(optimizer, giver, false);
        step(optimizer, taker, true);
    }
    const double last = best_taker(optimizer, contest)->up;
    contest->price = used >= contest->capacity && last > 0.0 ? last : 0.0;
}

void waterfill_solve(const struct optimizer *optimizer, struct contest *contest)
{
    contest->value = 0.0;
    contest->bound = 0.0;
    if (contest->count == 0) {
        contest->price = 0.0;
        return;
    }
    const double log_price = find_price(optimizer, contest);
    uint64_t used = 0;
    for (uint32_t i = 0; i < contest->count; i++) {
        struct contender *it = &contest->all[i];
        const uint32_t range[2] = {it->least, it->most};
        const double n = net_demand(optimizer, it->service, log_price, range);
        it->n = n <= it->least ? it->least : n >= it->most ? it->most : (uint32_t)n;
        refresh(optimizer, it);
        used += it->n;
    }
    settle(optimizer, contest, used);
    for (uint32_t i = 0; i < contest->count; i++) {
        contest->value += net_value(optimizer, contest->all[i].service, contest->all[i].n);
    }
    contest->bound = contest->value;
}
