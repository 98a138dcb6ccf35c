// SPDX-License-Identifier: Apache-2.0
/*
 * Closed-form answers, K10 to K12: the secant on 1/x, the run lengths of the alarm of a
 * profile, and the laws of queues. K1 to K9 and K13 are in test_known_answers.c.
 */
#include "allocation_bench.h"
#include "schedulers/profile.h"
#include "schedulers/profile_probe.h"

/* K10: with x = A / (r - B), 1/x is a straight line over r; two points know it, and where it is
 * 1 / target is the answer. */
Test(known_answers, line_through_two_probes_of_a_queue_hits_its_target)
{
    struct rng rng;
    rng_init(&rng, 110);
    for (int round = 0; round < 1000; round++) {
        const double a = 10 + 500 * rng_unit(&rng);
        const double b = 500 * rng_unit(&rng);
        const double target = 0.3 + 2 * rng_unit(&rng);
        const double root = b + a / target;
        struct profile_probe probe;
        profile_probe_start(&probe, target, (const double[2]){1, 100000},
                            b + a * (0.3 + 3 * rng_unit(&rng)));
        probe.tolerance = 0; /* no probe is taken for near enough */
        while (probe.count < 2) {
            const double r = probe.next_pct;
            profile_probe_tell(&probe, r > b ? a / (r - b) : HUGE_VAL);
        }
        if (probe.speeds[0] > 0 && probe.speeds[1] > 0) {
            cr_expect(fabs(probe.next_pct / root - 1) < 1e-12, "round %d: %.17g, not %.17g",
                      round, probe.next_pct, root);
        }
    }
}

/* A normal number with true tails (Box and Muller 1958). */
static double normal(struct rng *rng)
{
    const double radius = sqrt(-2 * log(1 - rng_unit(rng)));
    return radius * cos(2 * acos(-1.0) * rng_unit(rng));
}

static double run_length(double h, double shift, int runs, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    uint64_t steps = 0;
    for (int run = 0; run < runs; run++) {
        struct profile_alarm alarm;
        profile_alarm_start(&alarm, 0.5, h);
        do {
            steps++;
        } while (!profile_alarm_update(&alarm, shift + normal(&rng)));
    }
    return (double)steps / runs;
}

/* K11: mean number of measurements to the alarm of a two-sided CUSUM with k = 1/2, from the
 * integral equation of its run length. */
Test(known_answers, alarm_comes_after_the_run_lengths_of_the_integral_equation)
{
    static const struct {
        double h;
        double shift; /* standard deviations */
        double length;
        int runs;
    } known[] = {{4, 0, 167.7, 6000}, {5, 0, 465.4, 3000}, {8, 0, 9483, 600},
                 {4, 1, 8.38, 10000}, {5, 1, 10.38, 8000}, {8, 1, 16.37, 5000},
                 {5, 2, 4.01, 10000}, {8, 2, 6.01, 10000}, {8, -2, 6.01, 10000}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const double length = run_length(known[i].h, known[i].shift, known[i].runs, 111 + i);
        /* A run length in control is about exponential: its mean over n runs has the relative
         * error 1 / sqrt(n). With a shift it is far less spread. */
        const double relative = 4 / sqrt(known[i].runs) * (known[i].shift == 0 ? 1 : .7);
        cr_expect(fabs(length / known[i].length - 1) < relative, "h %g, shift %g: %g, not %g",
                  known[i].h, known[i].shift, length, known[i].length);
    }
}

/* K12: throughput over N, N / (1 + s (N - 1) + k N (N - 1)), is largest at sqrt((1 - s) / k).
 */
Test(known_answers, scalability_law_peaks_where_its_derivative_is_zero)
{
    static const double laws[][2] = {{.05, .001}, {.3, .02}, {0, .25}, {.9, .0001}};
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        const double s = laws[i][0];
        const double k = laws[i][1];
        const double peak = profile_best_vcpus(s, k);
        cr_expect(fabs(peak - sqrt((1 - s) / k)) < 1e-12 * peak);
        const double at[] = {peak * .999, peak, peak * 1.001};
        double throughput[3];
        for (int j = 0; j < 3; j++) {
            throughput[j] = at[j] / (1 + s * (at[j] - 1) + k * at[j] * (at[j] - 1));
        }
        cr_expect(throughput[1] > throughput[0] && throughput[1] > throughput[2]);
    }
    cr_expect(isinf(profile_best_vcpus(.05, 0)), "without coherence more is never worse");
}

/* K12: one processor shared by all requests, utilization 0.8: a response takes 1 / (1 - 0.8) =
 * five times the service, whatever the size of a request. */
Test(known_answers, response_of_a_shared_processor_is_five_services_at_four_fifths)
{
    for (double service_s = .001; service_s < 2; service_s *= 3) {
        const double load = .8 / service_s;
        const double demand = profile_demand(80, load);
        const double response_s = profile_response_s(demand, load, 100);
        cr_expect(fabs(response_s / (5 * service_s) - 1) < 1e-12, "%g s: %g s", service_s,
                  response_s);
    }
}

/*
 * K12: shares between a minimum B and a most wanted B + A are fair when each has the same
 * fraction of what lies between. x = A / (r - B) with weights in the ratio of the A has its
 * optimum just there: the slopes w/A G'((r - B) / A) are equal when the fractions are.
 */
Test(known_answers, everybody_gets_the_same_fraction_between_minimum_and_wanted)
{
    static const double minimum[] = {10000, 40000, 5000, 90000};
    static const double between[] = {20000, 10000, 50000, 5000};
    for (double fraction = 1.001; fraction < 3; fraction += .333) {
        double sum = 0;
        start();
        add_node(0);
        for (uint32_t i = 0; i < 4; i++) {
            add_service(COUPLING_SINGLE, between[i] / 10000, ps(between[i], minimum[i]));
            add_vm(0, 1, 1000000, 0);
            sum += minimum[i] + fraction * between[i];
        }
        t.nodes[0].cpu_pct = (uint32_t)(sum + .5);
        solve();
        for (uint32_t i = 0; i < 4; i++) {
            const double part = (t.caps[i] - minimum[i]) / between[i];
            cr_expect(fabs(part - fraction) < 4e-4, "service %u: %g, not %g", i, part,
                      fraction);
        }
    }
}
