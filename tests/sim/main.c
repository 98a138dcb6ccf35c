// SPDX-License-Identifier: Apache-2.0
/*
 * arbiter-sim SCENARIO [--seed N | --seeds A-B] [--scheduler NAME] [--period D]
 *             [--set FIELD=VALUE] [--trace FILE] [--series FILE] [-o table|csv|json]
 * Runs a scenario in virtual time and prints what came out, one line per run or, for many
 * seeds, their distribution. NAME is a scheduler for all services, a baseline in the place of
 * the optimizer, or default. The same seed gives the same trace, byte for byte.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "results.h"

#define SEEDS_MAX 100000

#define SETTINGS_MAX 64

struct options {
    const char *scheduler;
    const char *period;
    const char *settings[SETTINGS_MAX];
    size_t settings_count;
    uint64_t first_seed;
    uint64_t last_seed;
    const char *trace;
    const char *series;
    enum results_format format;
};

static int usage(const char *text)
{
    (void)fprintf(stderr,
                  "arbiter-sim: %s\n"
                  "usage: arbiter-sim SCENARIO [--seed N | --seeds A-B] [--scheduler NAME]\n"
                  "                   [--period DURATION] [--set FIELD=VALUE] [--trace FILE]\n"
                  "                   [--series FILE] [-o table|csv|json]\n",
                  text);
    return 2;
}

static int parse_seeds(const char *text, struct options *options)
{
    char *end = NULL;
    errno = 0;
    options->first_seed = strtoull(text, &end, 10);
    options->last_seed = options->first_seed;
    if (*end == '-') {
        options->last_seed = strtoull(end + 1, &end, 10);
    }
    return errno == 0 && *end == '\0' && end != text &&
                   options->last_seed >= options->first_seed &&
                   options->last_seed - options->first_seed < SEEDS_MAX
               ? 0
               : -EINVAL;
}

static int cannot_open(const char *path)
{
    (void)fprintf(stderr, "arbiter-sim: %s: %s\n", path, strerrordesc_np(errno));
    return 1;
}

/* The files that a run writes; NULL where none was asked for. */
struct outputs {
    FILE *trace;
    FILE *series;
};

static int open_outputs(const struct options *options, struct outputs *out)
{
    if (options->trace != NULL) {
        out->trace = fopen(options->trace, "we");
        if (out->trace == NULL) {
            return cannot_open(options->trace);
        }
    }
    if (options->series != NULL) {
        out->series = fopen(options->series, "we");
        if (out->series == NULL) {
            return cannot_open(options->series);
        }
        (void)fputs("time_s,service,level,cap_pct,used_pct,requests_per_s\n", out->series);
    }
    return 0;
}

static int close_outputs(const struct options *options, struct outputs *out)
{
    int status = 0;
    if (out->trace != NULL && fclose(out->trace) != 0) {
        status = cannot_open(options->trace);
    }
    if (out->series != NULL && fclose(out->series) != 0) {
        status = cannot_open(options->series);
    }
    return status;
}

static int run_seeds(const struct scenario *scenario, const struct options *options,
                     const struct outputs *out, struct result_line *lines, size_t count)
{
    if (options->format == RESULTS_CSV) {
        (void)puts("seed,deviation,cpu_s,off_target_share,decisions,caps_changed,hash");
    }
    for (size_t i = 0; i < count; i++) {
        const uint64_t seed = options->first_seed + i;
        struct err err = {0};
        struct world *world =
            world_run(scenario, seed, out->trace, i == 0 ? out->series : NULL, &err);
        if (world == NULL) {
            (void)fprintf(stderr, "arbiter-sim: seed %llu: %s\n", (unsigned long long)seed,
                          err.text);
            return 1;
        }
        lines[i] = results_of(world, seed);
        world_destroy(world);
        if (options->format != RESULTS_TABLE || count == 1) {
            results_print(&lines[i], options->format);
        }
    }
    return 0;
}

static int run_all(const struct scenario *scenario, const struct options *options)
{
    const size_t count = (size_t)(options->last_seed - options->first_seed + 1);
    struct result_line *lines = calloc(count, sizeof *lines);
    if (lines == NULL) {
        return cannot_open("memory");
    }
    struct outputs out = {0};
    int status = open_outputs(options, &out);
    if (status == 0) {
        status = run_seeds(scenario, options, &out, lines, count);
    }
    const int closed = close_outputs(options, &out);
    status = status != 0 ? status : closed;
    if (status == 0 && count > 1 && options->format == RESULTS_TABLE) {
        results_summary(lines, count);
    }
    free(lines);
    return status;
}

static int refuse(const char *option, const struct err *err)
{
    (void)fprintf(stderr, "arbiter-sim: %s%s\n", option, err->text);
    return 2;
}

/* What changes the scenario comes after it is read, settings in their order. */
static int prepare(const char *path, const struct options *options, struct scenario *scenario)
{
    struct err err = {0};
    if (scenario_read(path, scenario, &err) < 0) {
        return refuse("", &err);
    }
    char period[64] = "";
    if (options->period != NULL) {
        (void)snprintf(period, sizeof period, "world.period=%s", options->period);
        if (scenario_set(scenario, period, &err) < 0) {
            return refuse("--period: ", &err);
        }
    }
    if (options->scheduler != NULL && scenario_use(scenario, options->scheduler, &err) < 0) {
        return refuse("--scheduler: ", &err);
    }
    for (size_t i = 0; i < options->settings_count; i++) {
        if (scenario_set(scenario, options->settings[i], &err) < 0) {
            return refuse("--set: ", &err);
        }
    }
    return 0;
}

static int read_format(const char *word, enum results_format *out)
{
    const char *const words[] = {"table", "csv", "json"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(words[i], word) == 0) {
            *out = (enum results_format)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int read_option(int choice, const char *value, struct options *options)
{
    switch (choice) {
    case 's': return parse_seeds(value, options) < 0 ? usage("--seeds: expected N or A-B") : 0;
    case 'x':
        if (options->settings_count == SETTINGS_MAX) {
            return usage("too many --set");
        }
        options->settings[options->settings_count++] = value;
        return 0;
    case 'u': options->scheduler = value; return 0;
    case 'p': options->period = value; return 0;
    case 't': options->trace = value; return 0;
    case 'e': options->series = value; return 0;
    case 'o':
        return read_format(value, &options->format) < 0
                   ? usage("-o: expected table, csv or json")
                   : 0;
    default: return usage("unknown option");
    }
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"seed", required_argument, NULL, 's'},
        {"seeds", required_argument, NULL, 's'},
        {"set", required_argument, NULL, 'x'},
        {"scheduler", required_argument, NULL, 'u'},
        {"period", required_argument, NULL, 'p'},
        {"trace", required_argument, NULL, 't'},
        {"series", required_argument, NULL, 'e'},
        {"output", required_argument, NULL, 'o'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.first_seed = 1, .last_seed = 1};
    int choice = 0;
    while ((choice = getopt_long(argc, argv, "o:", long_options, NULL)) != -1) {
        const int status = read_option(choice, optarg, &options);
        if (status != 0) {
            return status;
        }
    }
    if (optind + 1 != argc) {
        return usage("expected one scenario");
    }
    static struct scenario scenario; /* large */
    const int status = prepare(argv[optind], &options, &scenario);
    return status == 0 ? run_all(&scenario, &options) : status;
}
