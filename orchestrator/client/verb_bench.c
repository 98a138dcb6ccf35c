// SPDX-License-Identifier: Apache-2.0
/*
 * bench: schedulers and baselines against each other in one simulated scenario, over many
 * seeds. Runs arbiter-sim once for each of them and reads a line of JSON per seed.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "orchestrator/client/bench.h"
#include "orchestrator/client/verb.h"

#define SEEDS_DEFAULT   "1-10"
#define PROGRESS_MS     2000 /* nothing is said of what is over sooner */
#define ARGUMENTS_MAX   16
#define SIM             "arbiter-sim"
#define SCENARIO_FOLDER "share/arbiter/scenarios"

static const struct {
    const char *json;
    const char *heading;
    double scale; /* from JSON to table */
    int digits;
} metrics[BENCH_METRICS] = {
    [BENCH_UNDER_50] = {"under_50", "under 50 %", 100.0, 3},
    [BENCH_MEAN_LEVEL] = {"mean_level", "mean level", 1.0, 4},
    [BENCH_LOWEST_LEVEL] = {"lowest_level", "lowest", 1.0, 4},
    [BENCH_CHANGES] = {"changes", "changes", 1.0, 3},
    [BENCH_MIGRATIONS] = {"migrations", "moves", 1.0, 1},
    [BENCH_CPU_S] = {"cpu_s", "CPU min", 1.0 / 60.0, 1},
    [BENCH_DECISION_MS] = {"decision_ms", "decide ms", 1.0, 3},
    [BENCH_DEVIATION] = {"deviation", "deadline %", 100.0, 3},
};

struct bench {
    struct client *client;
    char sim[BENCH_PATH_SIZE];
    char scenario[BENCH_PATH_SIZE];
    char folder[BENCH_PATH_SIZE]; /* of series, ours; empty: none */
    const char *seeds;
    unsigned rows_count;
    struct bench_row rows[BENCH_SCHEDULERS_MAX];
    int64_t started_ms;
};

double bench_mean(const struct bench_sum *sum)
{
    return sum->count > 0 ? sum->sum / sum->count : (double)NAN;
}

double bench_deviation(const struct bench_sum *sum)
{
    if (sum->count < 2) {
        return sum->count == 1 ? 0.0 : (double)NAN;
    }
    const double spread = sum->squares - sum->sum * sum->sum / sum->count;
    return sqrt(fmax(spread, 0.0) / (sum->count - 1));
}

/* ---- one scheduler ---- */

static int take_run(struct bench *bench, struct bench_row *row, const char *line)
{
    json_error_t problem;
    json_t *run = json_loads(line, 0, &problem);
    if (!json_is_object(run)) {
        json_decref(run);
        return client_error(bench->client, REPLY_FAILED, SIM " said: %s", line);
    }
    row->runs++;
    for (int i = 0; i < BENCH_METRICS; i++) {
        const json_t *value = json_object_get(run, metrics[i].json);
        if (json_is_number(value)) {
            struct bench_sum *sum = &row->sums[i];
            sum->count++;
            sum->sum += json_number_value(value);
            sum->squares += json_number_value(value) * json_number_value(value);
        }
    }
    json_decref(run);
    return 0;
}

static void show_progress(const struct bench *bench, const struct bench_row *row)
{
    if (!bench->client->quiet && clock_boot_ms() - bench->started_ms >= PROGRESS_MS) {
        (void)fprintf(stderr, isatty(STDERR_FILENO) ? "\r\033[K%s: %u runs" : "%s: %u runs\n",
                      row->scheduler, row->runs);
        (void)fflush(stderr);
    }
}

static int start_sim(struct bench *bench, const struct bench_row *row, pid_t *pid, FILE **out)
{
    const char *arguments[ARGUMENTS_MAX] = {SIM,          bench->scenario, "--seeds",
                                            bench->seeds, "--scheduler",   row->scheduler,
                                            "-o",         "json"};
    size_t count = 8;
    if (row->series[0] != '\0') {
        arguments[count++] = "--series";
        arguments[count++] = row->series;
    }
    if (bench->client->setting != NULL) {
        arguments[count++] = "--set";
        arguments[count++] = bench->client->setting;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return client_error(bench->client, REPLY_FAILED, "pipe: %s", strerrordesc_np(errno));
    }
    posix_spawn_file_actions_t actions;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    /* It does not change them, whatever its type says. */
    const union {
        const char *const *ours;
        char *const *theirs;
    } words = {.ours = arguments};
    // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): it does not follow the union
    const int code = posix_spawnp(pid, bench->sim, &actions, NULL, words.theirs, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    *out = code == 0 ? fdopen(ends[0], "r") : NULL;
    if (*out == NULL) {
        (void)close(ends[0]);
        if (code == ENOENT) {
            return client_error(bench->client, REPLY_FAILED,
                                SIM " is neither beside arbiter nor in the PATH: it comes with "
                                    "a build tree and is in no package");
        }
        return client_error(bench->client, REPLY_FAILED, "%s: %s", bench->sim,
                            strerrordesc_np(code == 0 ? errno : code));
    }
    return 0;
}

static int run_scheduler(struct bench *bench, struct bench_row *row)
{
    pid_t pid = 0;
    FILE *out = NULL;
    int code = start_sim(bench, row, &pid, &out);
    if (code != 0) {
        return code;
    }
    char *line = NULL;
    size_t size = 0;
    while (code == 0 && getline(&line, &size, out) > 0) {
        code = take_run(bench, row, line);
        show_progress(bench, row);
    }
    free(line);
    (void)fclose(out); /* only read; a simulator that still writes ends by that */
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (code == 0 && status != 0) {
        /* It has said why on stderr. */
        code = WIFEXITED(status) && WEXITSTATUS(status) == 2 ? REPLY_INVALID : REPLY_FAILED;
    }
    return code;
}

/* ---- words and files ---- */

/* Beside this program; else wherever the shell finds it. */
static void find_sim(struct bench *bench)
{
    char self[BENCH_PATH_SIZE];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = NULL;
    if (length > 0) {
        self[length] = '\0';
        slash = strrchr(self, '/');
    }
    (void)snprintf(bench->sim, sizeof bench->sim, SIM);
    if (slash == NULL) {
        return;
    }
    *slash = '\0';
    char beside[BENCH_PATH_SIZE + sizeof SIM + 1];
    (void)snprintf(beside, sizeof beside, "%s/" SIM, self);
    if (access(beside, X_OK) == 0 && strlen(beside) < sizeof bench->sim) {
        (void)snprintf(bench->sim, sizeof bench->sim, "%.*s", (int)sizeof bench->sim - 1,
                       beside);
    }
    /* A bare name is one of the scenarios that come with Arbiter. */
    char shipped[2 * BENCH_PATH_SIZE];
    (void)snprintf(shipped, sizeof shipped, "%s/../" SCENARIO_FOLDER "/%s.yaml", self,
                   bench->scenario);
    if (strchr(bench->scenario, '/') == NULL && access(bench->scenario, R_OK) != 0 &&
        access(shipped, R_OK) == 0 && strlen(shipped) < sizeof bench->scenario) {
        (void)snprintf(bench->scenario, sizeof bench->scenario, "%.*s",
                       (int)sizeof bench->scenario - 1, shipped);
    }
}

static int read_schedulers(struct bench *bench, const char *list)
{
    while (*list != '\0') {
        const size_t length = strcspn(list, ",");
        if (length == 0 || length >= NAME_SIZE || bench->rows_count == BENCH_SCHEDULERS_MAX) {
            return client_error(bench->client, REPLY_INVALID,
                                "--scheduler: expected at most %d names with commas between",
                                BENCH_SCHEDULERS_MAX);
        }
        struct bench_row *row = &bench->rows[bench->rows_count++];
        (void)snprintf(row->scheduler, sizeof row->scheduler, "%.*s", (int)length, list);
        list += length;
        list += *list == ',';
    }
    return 0;
}

static int make_folder(struct bench *bench)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the client has no other threads at this point
    const char *parent = getenv("TMPDIR");
    (void)snprintf(bench->folder, sizeof bench->folder - NAME_SIZE - 8,
                   "%s/arbiter-bench-XXXXXX", parent == NULL ? "/tmp" : parent);
    if (mkdtemp(bench->folder) == NULL) {
        const int code = errno;
        bench->folder[0] = '\0';
        return client_error(bench->client, REPLY_FAILED, "temporary folder: %s",
                            strerrordesc_np(code));
    }
    for (unsigned i = 0; i < bench->rows_count; i++) {
        (void)snprintf(bench->rows[i].series, sizeof bench->rows[i].series, "%.*s/%u.csv",
                       (int)(sizeof bench->rows[i].series - 16), bench->folder, i);
    }
    return 0;
}

static void remove_folder(const struct bench *bench)
{
    if (bench->folder[0] == '\0') {
        return;
    }
    for (unsigned i = 0; i < bench->rows_count; i++) {
        (void)unlink(bench->rows[i].series);
    }
    (void)rmdir(bench->folder);
}

/* ---- what came out ---- */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static int print_tree(const struct bench *bench)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < bench->rows_count; i++) {
        const struct bench_row *row = &bench->rows[i];
        json_t *entry =
            json_pack("{s:s,s:i}", "scheduler", row->scheduler, "runs", (int)row->runs);
        for (int m = 0; m < BENCH_METRICS; m++) {
            (void)json_object_set_new(entry, metrics[m].json,
                                      json_pack("{s:o,s:o}", "mean",
                                                number(bench_mean(&row->sums[m])), "sd",
                                                number(bench_deviation(&row->sums[m]))));
        }
        (void)json_array_append_new(list, entry);
    }
    json_t *tree = json_pack("{s:s,s:s,s:o}", "scenario", bench->scenario, "seeds",
                             bench->seeds, "schedulers", list);
    return output_tree(stdout, &bench->client->output, tree) < 0 ? REPLY_FAILED : 0;
}

/* A metric that no run has, as the deadline of a scenario without a job, has no column. */
static bool is_measured(const struct bench *bench, int metric)
{
    for (unsigned i = 0; i < bench->rows_count; i++) {
        if (bench->rows[i].sums[metric].count > 0) {
            return true;
        }
    }
    return false;
}

static void print_cell(const struct bench_row *row, int metric)
{
    char cell[64] = "-";
    const struct bench_sum *sum = &row->sums[metric];
    if (sum->count > 0) {
        const double scale = metrics[metric].scale;
        (void)snprintf(cell, sizeof cell, "%.*f ± %.*f", metrics[metric].digits,
                       scale * bench_mean(sum), metrics[metric].digits,
                       scale * bench_deviation(sum));
    }
    /* The sign between the numbers is one column and two bytes. */
    const int width = sum->count > 0 ? 19 : 18;
    (void)printf(" %*s", width, cell);
}

static void print_table(const struct bench *bench)
{
    if (!bench->client->output.no_header) {
        (void)printf("%-14s %5s", "SCHEDULER", "RUNS");
        for (int m = 0; m < BENCH_METRICS; m++) {
            if (is_measured(bench, m)) {
                (void)printf(" %18s", metrics[m].heading);
            }
        }
        (void)putchar('\n');
    }
    for (unsigned i = 0; i < bench->rows_count; i++) {
        (void)printf("%-14s %5u", bench->rows[i].scheduler, bench->rows[i].runs);
        for (int m = 0; m < BENCH_METRICS; m++) {
            if (is_measured(bench, m)) {
                print_cell(&bench->rows[i], m);
            }
        }
        (void)putchar('\n');
    }
}

static int compare(struct bench *bench)
{
    const char *plot = bench->client->plot;
    int code = plot == NULL ? 0 : make_folder(bench);
    for (unsigned i = 0; code == 0 && i < bench->rows_count; i++) {
        code = run_scheduler(bench, &bench->rows[i]);
    }
    if (isatty(STDERR_FILENO) && clock_boot_ms() - bench->started_ms >= PROGRESS_MS) {
        (void)fputs("\r\033[K", stderr);
    }
    if (code == 0 && output_is_tree(&bench->client->output)) {
        code = print_tree(bench);
    } else if (code == 0) {
        print_table(bench);
    }
    struct err err = {0};
    if (code == 0 && plot != NULL &&
        bench_plot(plot, bench->rows, bench->rows_count, &err) < 0) {
        code = client_error(bench->client, REPLY_FAILED, "--plot: %s", err.text);
    }
    remove_folder(bench);
    return code;
}

int verb_bench(struct client *client, int count, char **words)
{
    static struct bench bench; /* large, and a program has one verb */
    if (count != 1 || strlen(words[0]) >= sizeof bench.scenario) {
        const int code =
            client_error(client, REPLY_INVALID, "bench takes one scenario, a file or a name");
        client_hint("arbiter help bench");
        return code;
    }
    bench = (struct bench){.client = client, .started_ms = clock_boot_ms()};
    bench.seeds = client->seeds != NULL ? client->seeds : SEEDS_DEFAULT;
    (void)snprintf(bench.scenario, sizeof bench.scenario, "%s", words[0]);
    find_sim(&bench);
    const char *list = client->schedulers != NULL ? client->schedulers : "default,usage,search";
    const int code = read_schedulers(&bench, list);
    return code != 0 ? code : compare(&bench);
}
