// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "schedulers/optimizer/dive.h"

#define PRICE_LEAST 1e-12
#define PRICE_MOST  1e9
#define PRICE_WIDE  3.0  /* factor between prices while the root's is searched */
#define PRICE_FINE  1.25 /* between the prices of the bounds */
#define PRICES_LOW  4    /* of them, below the root's */
#define BISECTIONS  3

/* About what all contenders together want at a price. */
static double wanted_at(const struct search *search, double price)
{
    double wanted = 0.0;
    for (uint32_t i = 0; i < search->contest->count; i++) {
        const uint32_t service = search->contest->all[i].service;
        const struct service_value *value = &search->optimizer->services[service].value;
        double most = -HUGE_VAL;
        double most_n = 0.0;
        for (uint32_t s = search->firsts[i]; s < search->firsts[i + 1]; s++) {
            const struct segment *segment = &search->segments[s];
            double net = 0.0;
            double n = 0.0;
            if (segment->under) {
                continue;
            }
            if (segment->kind == SEGMENT_CONCAVE) {
                n = value_demand(value, log(price), segment->from, segment->to);
                net = value_at_r(value, value->base_r + value->unit * n) - price * n;
            } else {
                uint32_t whole = 0;
                net = segment_net(search, i, segment, price, &whole);
                n = whole;
            }
            most_n = net > most ? n : most_n;
            most = net > most ? net : most;
        }
        wanted += most_n;
    }
    return wanted;
}

double dive_guess_price(const struct search *search)
{
    const struct contest *contest = search->contest;
    if (contest->price > 0.0) {
        return contest->price;
    }
    double weight = 0.0;
    for (uint32_t i = 0; i < contest->count; i++) {
        weight += search->optimizer->services[contest->all[i].service].value.weight;
    }
    return weight > 0.0 ? weight / (contest->capacity + 1.0) : 1.0;
}

/* About the price at which the bound of everything is least. */
static double find_root(struct search *search)
{
    const double capacity = search->contest->capacity;
    double price = dive_guess_price(search);
    double wanted = wanted_at(search, price);
    const bool over = wanted > capacity;
    double low = price;
    double high = price;
    while ((wanted > capacity) == over && price > PRICE_LEAST && price < PRICE_MOST) {
        low = over ? price : price / PRICE_WIDE;
        high = over ? price * PRICE_WIDE : price;
        price = over ? high : low;
        wanted = wanted_at(search, price);
    }
    for (int i = 0; i < BISECTIONS; i++) {
        const double middle = sqrt(low * high);
        const bool above = wanted_at(search, middle) > capacity;
        low = above ? middle : low;
        high = above ? high : middle;
    }
    return sqrt(low * high);
}

/*
 * The most of a contender at every price, by falling price. What is no better than something
 * that takes more is so at every lower price too, and need not be looked at there.
 */
void dive_fill_most(const struct search *search, uint32_t contender, double *out)
{
    for (uint32_t k = SEARCH_PRICES; k-- > 0;) {
        double most = -HUGE_VAL;
        for (uint32_t s = search->firsts[contender + 1]; s-- > search->firsts[contender];) {
            struct segment *segment = &search->segments[s];
            if (segment->under || segment->behind) {
                continue;
            }
            const double net = dive_net_at(search, contender, segment, k);
            segment->behind = net <= most;
            most = net > most ? net : most;
        }
        out[k] = most;
    }
}

void dive_fill_prices(struct dive *dive)
{
    struct search *search = dive->search;
    dive->price_root = find_root(search);
    double price = dive->price_root / pow(PRICE_FINE, PRICES_LOW);
    search->prices[0] = 0.0;
    for (uint32_t k = 1; k < SEARCH_PRICES; k++) {
        search->prices[k] = price;
        price *= PRICE_FINE;
    }
}
