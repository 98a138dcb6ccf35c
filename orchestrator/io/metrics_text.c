// SPDX-License-Identifier: Apache-2.0
/*
 * Names: arbiter_, base units, _total on counters only. Labels are names that stay (service,
 * node, domain), never uuids or domain numbers, which would make new series with every move.
 * An unknown value is left out, never zero.
 */
#include "orchestrator/io/metrics_text.h"

#include <inttypes.h>
#include <math.h>

#include "orchestrator/io/metrics_text_parts.h"

void metrics_family(FILE *out, const char *name, const char *type, const char *help)
{
    (void)fprintf(out, "# HELP arbiter_%s %s\n# TYPE arbiter_%s %s\n", name, help, name, type);
}

void metrics_value_line(FILE *out, const char *name, const char *labels, double value)
{
    if (isnan(value)) {
        return;
    }
    if (isinf(value)) {
        (void)fprintf(out, "arbiter_%s%s %sInf\n", name, labels, value > 0 ? "+" : "-");
    } else {
        (void)fprintf(out, "arbiter_%s%s %.15g\n", name, labels, value);
    }
}

void metrics_one(FILE *out, const struct metrics_family_name *family, double value)
{
    metrics_family(out, family->name, family->type, family->help);
    metrics_value_line(out, family->name, "", value);
}

/* ---- cluster ---- */

static void print_cluster(FILE *out, const struct metrics_page *page)
{
    static const char *const modes[] = {"", "advise", "act", "hold"};
    const struct cluster_status *cluster = &page->view.cluster;
    metrics_family(out, "build_info", "gauge", "Version of this arbiterd; always 1.");
    metrics_value_line(out, "build_info", "{version=\"" ARBITER_VERSION "\"}", 1);
    metrics_family(out, "mode", "gauge", "1 for the mode in which the manager is.");
    for (int mode = MODE_ADVISE; mode <= MODE_HOLD; mode++) {
        char label[32];
        (void)snprintf(label, sizeof label, "{mode=\"%s\"}", modes[mode]);
        metrics_value_line(out, "mode", label, (int)cluster->mode == mode ? 1 : 0);
    }
    const struct {
        struct metrics_family_name family;
        double value;
    } rows[] = {
        {{"sigma_ratio", "gauge", "Product of all levels raised to their weights."},
         cluster->sigma},
        {{"sigma_geomean_ratio", "gauge", "Weighted geometric mean of all levels."},
         cluster->mean_level},
        {{"services", "gauge", "Services that are described."}, cluster->services},
        {{"services_met", "gauge", "Services at or over their objective."},
         cluster->services_met},
        {{"services_unknown", "gauge", "Services whose level is not known."},
         cluster->services_unknown},
        {{"domains", "gauge", "VMs that are described."}, cluster->vms},
        {{"domains_waiting", "gauge", "VMs that no node has room for."},
         page->view.vms_waiting},
        {{"nodes", "gauge", "Nodes that are known."}, cluster->nodes},
        {{"nodes_up", "gauge", "Nodes that report in time."}, cluster->nodes_up},
        {{"epoch_number", "gauge", "Term of this orchestrator; rises at every start."},
         (double)page->counters.epoch},
        {{"revision_number", "gauge", "Revision of the cluster's objects."},
         (double)cluster->revision},
        {{"decisions_without_change_total", "counter",
          "Solutions after which every cap stayed as it was."},
         (double)cluster->decisions_without_change},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        metrics_one(out, &rows[i].family, rows[i].value);
    }
}

/* ---- what the loop counted ---- */

static void print_histogram(FILE *out, const struct metrics_family_name *family,
                            const struct metrics_histogram *histogram)
{
    uint64_t below = 0;
    metrics_family(out, family->name, family->type, family->help);
    for (int i = 0; i < METRICS_BUCKETS; i++) {
        below += histogram->buckets[i];
        (void)fprintf(out, "arbiter_%s_bucket{le=\"%g\"} %" PRIu64 "\n", family->name,
                      metrics_bucket_ends[i], below);
    }
    (void)fprintf(out,
                  "arbiter_%s_bucket{le=\"+Inf\"} %" PRIu64 "\narbiter_%s_sum %.9g\n"
                  "arbiter_%s_count %" PRIu64 "\n",
                  family->name, histogram->count, family->name, histogram->sum_s, family->name,
                  histogram->count);
}

static void print_decisions(FILE *out, const struct metrics_counters *counters)
{
    static const char *const outcomes[METRICS_OUTCOMES] = {"", "advised", "ordered", "applied",
                                                           "failed"};
    metrics_family(out, "decisions_total", "counter",
                   "Decisions that change something, by who proposed them and whether they "
                   "were ordered or advised.");
    for (uint32_t i = 0; i < counters->schedulers_count; i++) {
        for (int outcome = 1; outcome < METRICS_OUTCOMES; outcome++) {
            uint64_t count = counters->schedulers[i].decisions[outcome];
            if (count > 0) {
                (void)fprintf(
                    out,
                    "arbiter_decisions_total{scheduler=\"%s\",outcome=\"%s\"} %" PRIu64 "\n",
                    counters->schedulers[i].scheduler, outcomes[outcome], count);
            }
        }
    }
    metrics_family(out, "actions_total", "counter",
                   "Results of orders as agents sent them, repeated ones too.");
    metrics_value_line(out, "actions_total", "{result=\"effective\"}",
                       (double)counters->orders_effective);
    metrics_value_line(out, "actions_total", "{result=\"refused\"}",
                       (double)counters->orders_refused);
    metrics_value_line(out, "actions_total", "{result=\"failed\"}",
                       (double)counters->orders_failed);
}

static void print_store(FILE *out, const struct metrics_counters *counters)
{
    const struct metrics_family_name writes = {"store_writes_total", "counter",
                                               "Records written to the store."};
    const struct metrics_family_name commit = {"store_commit_duration_seconds", "histogram",
                                               "Time until a commit was durable."};
    const struct metrics_family_name failed = {"store_commits_failed_total", "counter",
                                               "Commits that the store could not make."};
    const struct metrics_family_name solve = {"decision_duration_seconds", "histogram",
                                              "Time to solve the whole cluster once."};
    print_histogram(out, &solve, &counters->solve);
    print_histogram(out, &commit, &counters->commit);
    metrics_one(out, &failed, (double)counters->commits_failed);
    metrics_one(out, &writes, (double)counters->commit_writes);
}

static void print_bus(FILE *out, const struct metrics_counters *counters)
{
    static const char *const sockets[METRICS_SOCKETS] = {"control", "telemetry", "api",
                                                         "events"};
    static const struct {
        struct metrics_family_name family;
        size_t offset;
    } rows[] = {
        {{"bus_messages_received_total", "counter", "Messages that were taken."},
         offsetof(struct bus_counters, received)},
        {{"bus_messages_sent_total", "counter", "Messages that were given to the socket."},
         offsetof(struct bus_counters, sent)},
        {{"bus_refused_keys_total", "counter",
          "Messages of unknown or revoked keys, or of a role that has no business there."},
         offsetof(struct bus_counters, refused_key)},
        {{"bus_refused_frames_total", "counter", "Messages of a wrong form."},
         offsetof(struct bus_counters, refused_frames)},
        {{"bus_send_slow_total", "counter", "Messages whose receiver was too slow."},
         offsetof(struct bus_counters, send_again)},
        {{"bus_send_unreachable_total", "counter", "Messages whose receiver was gone."},
         offsetof(struct bus_counters, send_unreachable)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct metrics_family_name *family = &rows[i].family;
        metrics_family(out, family->name, family->type, family->help);
        for (int s = 0; s < METRICS_SOCKETS; s++) {
            const uint64_t *value =
                (const void *)((const unsigned char *)&counters->bus[s] + rows[i].offset);
            (void)fprintf(out, "arbiter_%s{socket=\"%s\"} %" PRIu64 "\n", family->name,
                          sockets[s], *value);
        }
    }
}

static void print_refused(FILE *out, const struct metrics_counters *counters)
{
    const struct metrics_family_name unsent = {"messages_unsent_total", "counter",
                                               "Messages that found no way to their receiver."};
    metrics_family(out, "refused_total", "counter",
                   "What was dropped or answered without being looked at, by kind.");
    for (uint32_t i = 0; i < counters->refused_count; i++) {
        (void)fprintf(out, "arbiter_refused_total{kind=\"%s\"} %" PRIu64 "\n",
                      counters->refused[i].kind, counters->refused[i].count);
    }
    metrics_one(out, &unsent, (double)counters->unsent);
}

void metrics_text_print(FILE *out, const struct metrics_page *page)
{
    print_cluster(out, page);
    metrics_print_services(out, &page->view);
    metrics_print_nodes(out, page);
    metrics_print_vms(out, &page->view);
    print_decisions(out, &page->counters);
    print_store(out, &page->counters);
    print_bus(out, &page->counters);
    print_refused(out, &page->counters);
}
