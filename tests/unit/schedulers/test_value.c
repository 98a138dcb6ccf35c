// SPDX-License-Identifier: Apache-2.0
/* value_best() against all amounts in turn. */
#include "allocation_bench.h"
#include "schedulers/optimizer/optimizer.h"

Test(value, best_amount_at_a_price_is_the_best_of_all)
{
    const double steep[] = {2, 5, 10, 20, 50};
    struct rng rng;
    rng_init(&rng, 7);
    uint32_t late = 0;
    for (int round = 0; round < 400; round++) {
        /* so many percents that the table of slopes alone is several of them off */
        const uint32_t hi = round % 2 == 0 ? 300 : 300000;
        const double demand = hi * (0.1 + 0.8 * rng_unit(&rng));
        start();
        add_node(hi);
        add_service(COUPLING_SINGLE, 1,
                    round % 3 == 0 ? ps(demand / 3, demand / 2) : reciprocal(demand));
        t.services[0].curve.a = steep[rng_below(&rng, 5)];
        add_vm(0, 1, hi, 0);
        struct optimizer optimizer;
        cr_assert_eq(optimizer_init(&optimizer, &t.problem), 0);
        optimizer_cut(&optimizer, &optimizer.components[0]);
        const struct service_value *value = &optimizer.services[0].value;
        const double price = 20 * rng_unit(&rng) * rng_unit(&rng) / demand;
        const uint32_t range[2] = {1 + (uint32_t)rng_below(&rng, hi / 8), hi};
        const uint32_t n = value_best(value, price, range[0], range[1]);
        double best = -HUGE_VAL;
        for (uint32_t i = range[0]; i <= range[1]; i++) {
            const double net = value_at(value, i) - price * i;
            best = net > best ? net : best;
        }
        const double net = value_at(value, n) - price * n;
        cr_expect(net >= best - 1e-14 * (1 + fabs(best)), "round %d: %u is %g short", round, n,
                  best - net);
        optimizer_finish(&optimizer);
        late += n > range[0] && n < range[1] ? 1 : 0;
    }
    cr_expect_gt(late, 100u, "only %u inside", late);
}
