// SPDX-License-Identifier: Apache-2.0
/* The page against tests/golden/metrics/page.txt. After a change on purpose:
 * ARBITER_GOLDEN_WRITE=1 BUILD/tests/test_metrics_text, then read the difference. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/io/metrics_http.h"
#include "orchestrator/io/metrics_text.h"

#define GOLDEN "tests/golden/metrics/page.txt"

TestSuite(metrics_text, .timeout = 20);

static char *print(const struct metrics_page *page)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    metrics_text_print(out, page);
    (void)fclose(out);
    return text;
}

static void fill_counters(struct metrics_counters *counters)
{
    struct decision decision = {
        .id = 1, .scheduler = "response_time", .outcome = DECISION_OUTCOME_ORDERED};
    metrics_count_decision(counters, &decision);
    decision.id = 2;
    metrics_count_decision(counters, &decision);
    decision.outcome = DECISION_OUTCOME_APPLIED; /* what came of the same one */
    metrics_count_decision(counters, &decision);
    decision = (struct decision){.id = 3, .outcome = DECISION_OUTCOME_ADVISED};
    metrics_count_decision(counters, &decision);
    metrics_count_seconds(&counters->solve, 0.00005);
    metrics_count_seconds(&counters->solve, 0.02);
    metrics_count_seconds(&counters->solve, 99.0);
    metrics_count_seconds(&counters->commit, 0.003);
    struct result result = {.state = RESULT_STATE_ACCEPTED};
    metrics_count_result(counters, &result);
    result.state = RESULT_STATE_EFFECTIVE;
    metrics_count_result(counters, &result);
    result.state = RESULT_STATE_FAILED;
    metrics_count_result(counters, &result);
    counters->commit_writes = 5;
    counters->epoch = 3;
    counters->wall_ms = 1700000000500;
    counters->refused_count = 1;
    counters->refused[0].kind = "connection";
    counters->refused[0].count = 7;
    counters->bus[METRICS_CONTROL].received = 123456789012;
}

static struct metrics_page *make_page(void)
{
    const double unknown = (double)NAN;
    const struct metrics_rows rows = {.services = 2, .nodes = 2, .vms = 2};
    struct metrics_page *page = metrics_page_create(&rows);
    cr_assert_not_null(page);
    page->view.rows = rows;
    page->view.cluster = (struct cluster_status){.mode = MODE_ADVISE,
                                                 .services = 2,
                                                 .services_met = 1,
                                                 .vms = 2,
                                                 .nodes = 2,
                                                 .nodes_up = 1,
                                                 .revision = 42,
                                                 .sigma = 0.125,
                                                 .mean_level = 0.5};
    page->view.services[0] = (struct metrics_service){.service = "shop",
                                                      .kind = SERVICE_KIND_WEB,
                                                      .statistic = "p95",
                                                      .level = 0.61,
                                                      .level_predicted = 0.63,
                                                      .met = 1,
                                                      .missed_s = 12.5,
                                                      .response_s = 0.185,
                                                      .target_s = 0.2,
                                                      .request_rate = 118,
                                                      .age_s = 1.5,
                                                      .tasks_done = unknown,
                                                      .tasks_left = unknown,
                                                      .slack_s = unknown,
                                                      .speed = unknown,
                                                      .cap_cores = 2.5,
                                                      .vms_wanted = 2,
                                                      .vms_running = 1,
                                                      .profile_outdated = 1};
    page->view.services[1] = (struct metrics_service){.service = "render",
                                                      .kind = SERVICE_KIND_QUEUE,
                                                      .statistic = "",
                                                      .level = unknown,
                                                      .level_predicted = unknown,
                                                      .met = unknown,
                                                      .response_s = unknown,
                                                      .target_s = unknown,
                                                      .request_rate = unknown,
                                                      .age_s = unknown,
                                                      .tasks_done = 1200,
                                                      .tasks_left = 6000,
                                                      .slack_s = -60,
                                                      .speed = unknown};
    page->view.nodes[0] = (struct metrics_node){.node = "xen1",
                                                .state = NODE_STATE_UP,
                                                .cpu_cores = 7.75,
                                                .cpu_granted = 2.5,
                                                .cpu_used = 1.25,
                                                .memory_bytes = 17179869184.0,
                                                .memory_granted_bytes = 2147483648.0,
                                                .memory_free_bytes = unknown,
                                                .report_age_s = 0.5,
                                                .lease_s = 14.5,
                                                .vms = 2};
    page->view.nodes[1] = (struct metrics_node){.node = "xen2",
                                                .state = NODE_STATE_EXPIRED,
                                                .cpu_cores = unknown,
                                                .cpu_used = unknown,
                                                .memory_bytes = unknown,
                                                .memory_free_bytes = unknown,
                                                .report_age_s = unknown,
                                                .lease_s = -3};
    page->view.vms[0] = (struct metrics_vm){.vm = "shop-web-1",
                                            .service = "shop",
                                            .node = "xen1",
                                            .running = 1,
                                            .cap = 1.5,
                                            .cpu_used = 0.875,
                                            .memory_bytes = 1073741824.0};
    page->view.vms[1] = (struct metrics_vm){.vm = "shop-web-2",
                                            .service = "shop",
                                            .running = unknown,
                                            .cap = 1,
                                            .cpu_used = unknown,
                                            .memory_bytes = 1073741824.0};
    fill_counters(&page->counters);
    return page;
}

static void update(const char *text)
{
    FILE *out = fopen(GOLDEN, "w");
    cr_assert_not_null(out);
    (void)fputs(text, out);
    (void)fclose(out);
}

Test(metrics_text, is_what_the_golden_page_says)
{
    struct metrics_page *page = make_page();
    char *text = print(page);
    if (getenv("ARBITER_GOLDEN_WRITE") != NULL) {
        update(text);
    }
    static char golden[65536];
    FILE *in = fopen(GOLDEN, "r");
    cr_assert_not_null(in, "no " GOLDEN);
    golden[fread(golden, 1, sizeof golden - 1, in)] = '\0';
    (void)fclose(in);
    size_t same = 0;
    while (text[same] != '\0' && text[same] == golden[same]) {
        same++;
    }
    cr_assert_str_eq(text, golden, "from byte %zu: \"%.60s\" instead of \"%.60s\"", same,
                     text + same, golden + same);
    free(text);
    metrics_page_destroy(page);
}

Test(metrics_text, each_family_has_its_help_and_type_once_before_its_rows)
{
    struct metrics_page *page = make_page();
    char *text = print(page);
    char seen[128][64];
    int count = 0;
    char *rest = NULL;
    char family[64] = "";
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char name[64];
        if (sscanf(line, "# HELP %63s", name) == 1) {
            for (int i = 0; i < count; i++) {
                cr_assert_str_neq(seen[i], name);
            }
            cr_assert_lt(count, 128);
            (void)strcpy(seen[count++], name);
            (void)strcpy(family, name);
        } else if (line[0] != '#') {
            cr_assert_eq(strncmp(line, family, strlen(family)), 0, "%s below %s", line, family);
            cr_assert_null(strstr(line, "nan"));
        }
    }
    cr_assert_geq(count, 40);
    free(text);
    metrics_page_destroy(page);
}

Test(metrics_text, an_empty_cluster_has_a_page)
{
    const struct metrics_rows none = {0};
    struct metrics_page *page = metrics_page_create(&none);
    page->view.cluster.sigma = (double)NAN;
    page->view.cluster.mean_level = (double)NAN;
    char *text = print(page);
    cr_assert_not_null(strstr(text, "arbiter_nodes 0\n"));
    cr_assert_null(strstr(text, "\narbiter_sigma_ratio "), "unknown, so it is left out");
    free(text);
    metrics_page_destroy(page);
}

Test(metrics_text, schedulers_beyond_the_limit_are_counted_as_others)
{
    struct metrics_counters *counters = calloc(1, sizeof *counters);
    for (uint64_t i = 1; i <= 100; i++) {
        struct decision decision = {.id = i, .outcome = DECISION_OUTCOME_ORDERED};
        (void)snprintf(decision.scheduler, NAME_SIZE, "s%llu", (unsigned long long)i);
        metrics_count_decision(counters, &decision);
    }
    cr_assert_eq(counters->schedulers_count, METRICS_SCHEDULERS_MAX);
    const uint32_t last = METRICS_SCHEDULERS_MAX - 1;
    cr_assert_str_eq(counters->schedulers[last].scheduler, "other");
    cr_assert_eq(counters->schedulers[last].decisions[DECISION_OUTCOME_ORDERED], 100 - last);
    free(counters);
}

Test(metrics_text, where_it_listens_is_checked)
{
    static const char *const good[] = {"off", "127.0.0.1:7780", "0.0.0.0:0", "[::1]:7780"};
    static const char *const bad[] = {"",
                                      "7780",
                                      "127.0.0.1",
                                      "localhost:1",
                                      "127.0.0.1:",
                                      "127.0.0.1:70000",
                                      "::1:7780",
                                      "[::1]7780",
                                      "127.0.0.1:77x",
                                      "on",
                                      "[127.0.0.1]:1",
                                      "127.0.0.1:-1",
                                      ":7780",
                                      "http://1.2.3.4:5"};
    struct err err = {0};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert_eq(metrics_http_check(good[i], &err), 0, "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_lt(metrics_http_check(bad[i], &err), 0, "%s", bad[i]);
        cr_assert_not_null(strstr(err.text, "127.0.0.1:7780, or off"));
    }
}
