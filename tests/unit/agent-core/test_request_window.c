// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/core/request_window.h"

static void add(struct request_window *window, enum request_outcome outcome,
                uint32_t response_ms, int64_t now_ms)
{
    request_window_add(window, &(struct request_sample){outcome, response_ms}, now_ms);
}

static struct request_statistics read_at(const struct request_window *window, int64_t now_ms)
{
    struct request_statistics statistics;
    request_window_read(window, now_ms, &statistics);
    return statistics;
}

static int by_value(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a;
    const uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

Test(request_window, percentiles_are_within_one_percent_of_the_exact_ones)
{
    static struct request_window window;
    static uint32_t all[20000];
    const uint32_t spans[] = {10, 130, 1000, 5000, 70000, 4000000};
    for (size_t s = 0; s < sizeof spans / sizeof spans[0]; s++) {
        uint64_t seed = 42 + s;
        double sum = 0;
        request_window_start(&window, 10000, 0);
        for (size_t i = 0; i < 20000; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            const double u = (double)(seed >> 40) / (double)(1u << 24);
            all[i] = (uint32_t)((double)spans[s] * u * u * u); /* a long tail */
            sum += all[i];
            add(&window, REQUEST_ANSWERED, all[i], (int64_t)(i / 3));
        }
        qsort(all, 20000, sizeof all[0], by_value);
        const struct request_statistics got = read_at(&window, 9000);
        const double p50 = all[9999];
        const double p95 = all[18999];
        cr_assert_eq(got.requests, 20000);
        cr_assert_float_eq(got.mean_ms, sum / 20000, 1e-6, "mean of span %u", spans[s]);
        cr_assert(fabs(got.p50_ms - p50) <= p50 / 128, "p50 %g is not %g", got.p50_ms, p50);
        cr_assert(fabs(got.p95_ms - p95) <= p95 / 128, "p95 %g is not %g", got.p95_ms, p95);
    }
}

Test(request_window, percentile_is_the_nearest_rank)
{
    static struct request_window window;
    request_window_start(&window, 10000, 0);
    for (uint32_t i = 1; i <= 100; i++) {
        add(&window, REQUEST_ANSWERED, i, 50);
    }
    cr_assert_eq(read_at(&window, 100).p50_ms, 50.0);
    cr_assert_eq(read_at(&window, 100).p95_ms, 95.0);
}

Test(request_window, one_request_is_every_percentile)
{
    static struct request_window window;
    request_window_start(&window, 10000, 0);
    add(&window, REQUEST_ANSWERED, 77, 50);
    cr_assert_eq(read_at(&window, 100).p50_ms, 77.0);
    cr_assert_eq(read_at(&window, 100).p95_ms, 77.0);
}

Test(request_window, no_request_is_rate_zero_and_an_unknown_response_time)
{
    static struct request_window window;
    request_window_start(&window, 10000, 500);
    const struct request_statistics got = read_at(&window, 1500);
    cr_assert_eq(got.rate, 0.0);
    cr_assert(isnan(got.mean_ms) && isnan(got.p50_ms) && isnan(got.p95_ms));
    cr_assert(isnan(got.error_share));
}

Test(request_window, rate_is_unknown_in_the_first_second)
{
    static struct request_window window;
    request_window_start(&window, 10000, 500);
    add(&window, REQUEST_ANSWERED, 5, 600);
    cr_assert(isnan(read_at(&window, 1499).rate));
    cr_assert_eq(read_at(&window, 1500).rate, 1.0);
}

Test(request_window, rate_counts_only_the_time_that_was_watched)
{
    static struct request_window window;
    request_window_start(&window, 10000, 0);
    for (int64_t ms = 0; ms < 60000; ms += 20) { /* 50 per second */
        add(&window, REQUEST_ANSWERED, 5, ms);
        if (ms >= 1000) {
            cr_assert_float_eq(read_at(&window, ms + 20).rate, 50.0, 0.2, "at %d ms", (int)ms);
        }
    }
}

Test(request_window, what_is_older_than_the_window_is_forgotten)
{
    static struct request_window window;
    request_window_start(&window, 10000, 0);
    add(&window, REQUEST_ANSWERED, 9000, 100);
    add(&window, REQUEST_ANSWERED, 5, 5000);
    cr_assert_gt(read_at(&window, 9999).p95_ms, 8900.0);
    cr_assert_eq(read_at(&window, 10000).p95_ms, 5.0);
    cr_assert_eq(read_at(&window, 10000).age_ms, 5000);
    cr_assert(isnan(read_at(&window, 15000).p95_ms));
    cr_assert_eq(read_at(&window, 15000).rate, 0.0);
    add(&window, REQUEST_ANSWERED, 7, 1000000); /* long after */
    cr_assert_eq(read_at(&window, 1000000).requests, 1);
}

Test(request_window, quick_refusals_are_errors_and_make_no_percentile_better)
{
    static struct request_window window;
    request_window_start(&window, 10000, 0);
    for (int i = 0; i < 10; i++) {
        add(&window, REQUEST_ANSWERED, 100, 100);
        add(&window, REQUEST_FAILED, 0, 100);
    }
    cr_assert_eq(read_at(&window, 200).p50_ms, 100.0);
    cr_assert_eq(read_at(&window, 200).error_share, 0.5);
}

Test(request_window, who_gave_up_waiting_counts_with_the_time_that_he_waited)
{
    static struct request_window window;
    request_window_start(&window, 10000, 0);
    add(&window, REQUEST_GAVE_UP, 5000, 100);
    cr_assert_float_eq(read_at(&window, 200).p95_ms, 5000.0, 40.0);
    cr_assert_eq(read_at(&window, 200).error_share, 1.0);
}

Test(request_window, endless_times_land_in_the_last_bucket)
{
    static struct request_window window;
    request_window_start(&window, 10000, 0);
    add(&window, REQUEST_ANSWERED, UINT32_MAX, 100);
    cr_assert_gt(read_at(&window, 200).p95_ms, 8.3e6);
}

Test(request_window, log_lines_are_classified)
{
    const struct {
        const char *line;
        enum request_outcome outcome;
        uint32_t response_ms;
    } cases[] = {
        {"R 12 200 -- web-1_10.0.0.5:80", REQUEST_ANSWERED, 12},
        {"R 3 404 -- web-1_10.0.0.5:80", REQUEST_ANSWERED, 3},
        {"R 3 500 -- web-1_10.0.0.5:80", REQUEST_FAILED, 3},
        {"R 0 503 SC <NOSRV>", REQUEST_FAILED, 0},
        {"R 30001 503 sQ <NOSRV>", REQUEST_GAVE_UP, 30001},
        {"R 60000 504 sH web-1_10.0.0.5:80", REQUEST_GAVE_UP, 60000},
        {"R 10 502 SH web-1_10.0.0.5:80", REQUEST_FAILED, 10},
        {"R 10 200 SD web-1_10.0.0.5:80", REQUEST_FAILED, 10},
        {"R 4000 -1 CH web-1_10.0.0.5:80", REQUEST_GAVE_UP, 4000},
        {"R 40 200 CD web-1_10.0.0.5:80", REQUEST_ANSWERED, 40},
        {"R -1 -1 CR <NOSRV>", REQUEST_IGNORED, 0},
        {"R 10000 408 cR <NOSRV>", REQUEST_IGNORED, 10000},
        {"R -1 400 PR <NOSRV>", REQUEST_IGNORED, 0},
        {"R 5 502 PH web-1_10.0.0.5:80", REQUEST_FAILED, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request_sample sample = {0};
        cr_assert(request_line_parse(cases[i].line, &sample), "%s", cases[i].line);
        cr_assert_eq(sample.outcome, cases[i].outcome, "%s", cases[i].line);
        cr_assert_eq(sample.response_ms, cases[i].response_ms, "%s", cases[i].line);
    }
}

Test(request_window, other_lines_are_no_requests)
{
    const char *const lines[] = {
        "", "R", "R 1 200", "R x 200 -- s", "R 1 200 - s", "Server servers/a is DOWN", "R  "};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct request_sample sample = {REQUEST_ANSWERED, 7};
        cr_assert_not(request_line_parse(lines[i], &sample), "\"%s\"", lines[i]);
    }
}
