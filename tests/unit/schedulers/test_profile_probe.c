// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <math.h>

#include "common/rng.h"
#include "schedulers/profile_probe.h"

enum shape { RECIPROCAL, SHARING, AMDAHL, SERVERS, SHAPES };

/* x at r; x = 1 at root. */
static double truth(enum shape shape, double root, double part, double r)
{
    const double rho = part * root / r;
    const double power = sqrt(2.0 * (fmax(1.0, r / 100.0) + 1.0)) - 1.0;
    switch (shape) {
    case RECIPROCAL: return root / r;
    case SHARING: return r > part * root ? (1.0 - part) * root / (r - part * root) : HUGE_VAL;
    case AMDAHL: return part + (1.0 - part) * root / r;
    case SERVERS: return rho < 1.0 ? 1.0 + pow(rho, power) / (1.0 - rho) : HUGE_VAL;
    case SHAPES: break;
    }
    return NAN;
}

/* Scaled so that x = 1 at root for every shape. */
static double measure(enum shape shape, double root, double part, double r)
{
    return truth(shape, root, part, r) / truth(shape, root, part, root);
}

static const double limits[2] = {1, 6400};

Test(profile_probe, hits_the_root_of_a_queue_with_the_third_probe)
{
    struct rng rng;
    rng_init(&rng, 1);
    for (int round = 0; round < 1000; round++) {
        const double root = 20 + 1000 * rng_unit(&rng);
        const double part = 0.9 * rng_unit(&rng);
        struct profile_probe probe;
        /* not saturated at the start */
        profile_probe_start(&probe, 1.0, limits, root * (part + 0.1 + rng_unit(&rng)));
        profile_probe_tell(&probe, measure(SHARING, root, part, probe.next_pct));
        if (probe.done) {
            continue;
        }
        profile_probe_tell(&probe, measure(SHARING, root, part, probe.next_pct));
        if (!probe.done && probe.speeds[1] > 0.0) {
            cr_assert(fabs(probe.next_pct / root - 1.0) < 1e-12, "%.17g, not %.17g",
                      probe.next_pct, root);
        }
    }
}

Test(profile_probe, needs_at_most_four_probes_to_a_hundredth_and_eight_before_many_servers)
{
    struct rng rng;
    rng_init(&rng, 2);
    for (int round = 0; round < 4000; round++) {
        const enum shape shape = (enum shape)(round % SHAPES);
        const double root = 20 + 1000 * rng_unit(&rng);
        /* Several servers are well loaded where they are at their target. */
        const double part =
            shape == SERVERS ? 0.75 + 0.2 * rng_unit(&rng) : 0.1 + 0.6 * rng_unit(&rng);
        struct profile_probe probe;
        /* anywhere where it keeps up, to twice its need */
        profile_probe_start(&probe, 1.0, limits,
                            root * (part + 0.1 + (1.9 - part) * rng_unit(&rng)));
        probe.tolerance = 0.01;
        uint32_t probes = 0;
        double x = HUGE_VAL;
        while (fabs(x - 1.0) > 0.01 && probes < PROFILE_PROBES_MAX) {
            x = measure(shape, root, part, probe.next_pct);
            profile_probe_tell(&probe, x);
            probes++;
        }
        /* a queue before several servers close to saturation bends more than any of the models
         */
        cr_assert(probes <= (shape == SERVERS ? 8 : 4), "%u probes: shape %d, root %g, part %g",
                  probes, shape, root, part);
    }
}

Test(profile_probe, gets_from_the_papers_start_to_its_end_in_three_probes)
{
    /* 0.40 to 3.25 CPUs; doubling and bisection need 12 */
    struct profile_probe probe;
    profile_probe_start(&probe, 1.0, limits, 40);
    while (!probe.done) {
        profile_probe_tell(&probe, 325.0 / probe.next_pct);
    }
    cr_expect_eq(probe.count, 3);
    cr_expect_float_eq(probe.next_pct, 325.0, 1e-9);
}

Test(profile_probe, is_near_after_six_noisy_probes)
{
    struct rng rng;
    rng_init(&rng, 3);
    int near = 0;
    for (int round = 0; round < 1000; round++) {
        const double root = 20 + 1000 * rng_unit(&rng);
        struct profile_probe probe;
        profile_probe_start(&probe, 1.0, limits, root * (0.5 + 1.5 * rng_unit(&rng)));
        probe.noise = 0.05;
        probe.tolerance = 0.0;
        for (int i = 0; i < 6; i++) {
            profile_probe_tell(&probe, root / probe.next_pct * (1 + 0.05 * rng_normal(&rng)));
        }
        near += fabs(probe.next_pct / root - 1.0) < 0.1 ? 1 : 0;
    }
    cr_expect_gt(near, 900, "only %d of 1000 within two deviations", near);
}

Test(profile_probe, doubles_while_nothing_is_done_and_stops_at_its_limits)
{
    struct profile_probe probe;
    profile_probe_start(&probe, 1.0, (const double[2]){10, 100}, 20);
    profile_probe_tell(&probe, HUGE_VAL);
    cr_expect_float_eq(probe.next_pct, 40, 1e-12);
    profile_probe_tell(&probe, NAN);
    cr_expect_float_eq(probe.next_pct, 40, 1e-12, "unknown: the same again");
    profile_probe_tell(&probe, HUGE_VAL);
    profile_probe_tell(&probe, HUGE_VAL);
    profile_probe_tell(&probe, HUGE_VAL);
    cr_expect(probe.done);
    cr_expect_float_eq(probe.next_pct, 100, 1e-12);
}
