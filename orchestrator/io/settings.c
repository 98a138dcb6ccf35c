// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/io/settings.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/io/file.h"
#include "common/io/log.h"
#include "orchestrator/io/metrics_http.h"
#include "proto/settings_file.h"

#define CONFIG_BYTES_MAX (256u << 10)
#define SETS_MAX         64

#define FIELD(name) offsetof(struct daemon_settings, name)
#define TEXT_FIELD(name)                                                                       \
    offsetof(struct daemon_settings, name), sizeof((struct daemon_settings *)0)->name

static const char *const mode_words[] = {"advise", "act", "hold", NULL};

static const struct setting table[] = {
    {"listen.control", SETTING_TEXT, TEXT_FIELD(loop.control), 0, 0, NULL,
     "where agents connect"},
    {"listen.telemetry", SETTING_TEXT, TEXT_FIELD(loop.telemetry), 0, 0, NULL,
     "where agents publish"},
    {"listen.api", SETTING_TEXT, TEXT_FIELD(loop.api), 0, 0, NULL, "where clients connect"},
    {"listen.events", SETTING_TEXT, TEXT_FIELD(loop.events), 0, 0, NULL,
     "live events for administrators and observers"},
    {"listen.metrics", SETTING_TEXT, TEXT_FIELD(loop.metrics), 0, 0, NULL,
     "HTTP for Prometheus: GET /metrics, without a password; off: not served"},
    {"key", SETTING_TEXT, TEXT_FIELD(loop.key), 0, 0, NULL, "our key pair"},
    {"keyring", SETTING_TEXT, TEXT_FIELD(loop.keyring), 0, 0, NULL, "who may connect"},
    {"state", SETTING_TEXT, TEXT_FIELD(loop.folder), 0, 0, NULL, "folder of the store"},
    {"store", SETTING_TEXT, TEXT_FIELD(loop.store), 0, 0, NULL, "kind of store"},
    {"free_space", SETTING_SIZE, FIELD(loop.free_kib_min), 0, 0, 0, NULL,
     "below this, new requests are refused"},
    {"mode", SETTING_WORD, FIELD(mode), 0, 0, 2, mode_words,
     "of a new cluster: advise, act or hold"},
    {"control_period", SETTING_DURATION, FIELD(loop.cluster.control_period_ms), 0, 100, 3600000,
     NULL, "of the fast loop"},
    {"stale_after", SETTING_DURATION, FIELD(loop.cluster.stale_after_ms), 0, 0, 3600000, NULL,
     "older measurements are unknown; 0s: three periods"},
    {"lease", SETTING_DURATION, FIELD(loop.cluster.lease_ms), 0, 2000, 120000, NULL,
     "for which a node may run protected VMs unheard"},
    {"lease_margin", SETTING_DURATION, FIELD(loop.cluster.lease_margin_ms), 0, 500, 120000,
     NULL, "added before VMs start elsewhere"},
    {"renew", SETTING_DURATION, FIELD(loop.cluster.renew_ms), 0, 100, 60000, NULL,
     "how often agents renew"},
    {"snapshot", SETTING_DURATION, FIELD(loop.cluster.snapshot_ms), 0, 500, 600000, NULL,
     "how often agents send their whole state"},
    {"metrics", SETTING_DURATION, FIELD(loop.cluster.metrics_ms), 0, 100, 600000, NULL,
     "how often agents publish metrics"},
    {"suspect_after", SETTING_DURATION, FIELD(loop.cluster.suspect_after_ms), 0, 500, 600000,
     NULL, "without a heartbeat a node gets no new VMs"},
    {"limits.services", SETTING_COUNT, FIELD(loop.cluster.services_max), 0, 1, 1000000, NULL,
     "services at most"},
    {"limits.vms", SETTING_COUNT, FIELD(loop.cluster.vms_max), 0, 1, 1000000, NULL,
     "VMs at most"},
    {"limits.nodes", SETTING_COUNT, FIELD(loop.cluster.nodes_max), 0, 1, 100000, NULL,
     "nodes at most"},
    {"limits.metrics", SETTING_COUNT, FIELD(loop.cluster.metrics_max), 0, 1, 10000000, NULL,
     "subjects with metrics at most"},
    {"log", SETTING_WORD, FIELD(log_level), 0, 0, 3, log_level_words,
     "error, warn, info or debug"},
};
#define TABLE_COUNT (sizeof table / sizeof *table)

static void set_defaults(struct daemon_settings *settings)
{
    memset(settings, 0, sizeof *settings);
    struct loop_settings *loop = &settings->loop;
    (void)snprintf(loop->control, sizeof loop->control, "tcp://0.0.0.0:7701");
    (void)snprintf(loop->telemetry, sizeof loop->telemetry, "tcp://0.0.0.0:7702");
    (void)snprintf(loop->api, sizeof loop->api, "ipc:///run/arbiter/api");
    (void)snprintf(loop->events, sizeof loop->events, "ipc:///run/arbiter/events");
    (void)snprintf(loop->metrics, sizeof loop->metrics, "127.0.0.1:7780");
    (void)snprintf(loop->key, sizeof loop->key, "/etc/arbiter/arbiterd.key");
    (void)snprintf(loop->keyring, sizeof loop->keyring, "/etc/arbiter/keyring");
    (void)snprintf(loop->folder, sizeof loop->folder, "/var/lib/arbiter");
    (void)snprintf(loop->store, sizeof loop->store, "sqlite");
    loop->free_kib_min = 24u << 10;
    loop->cluster = (struct cluster_config){
        .services_max = 20000,
        .vms_max = 65536,
        .nodes_max = 2048,
        .metrics_max = 65536,
        .lease_ms = 15000,
        .lease_margin_ms = 5000,
        .renew_ms = 1000,
        .snapshot_ms = 10000,
        .metrics_ms = 1000,
        .suspect_after_ms = 3000,
        .control_period_ms = 5000,
    };
    settings->log_level = LOG_LEVEL_INFO;
}

enum { OPTION_CHECK = 256, OPTION_PRINT };

struct command_line {
    const char *config;
    bool check;
    bool print;
    int sets_count;
    char *sets[SETS_MAX]; /* "path=value", applied after the file */
};

// NOLINTBEGIN(concurrency-mt-unsafe): argp may exit; there is one thread yet
static error_t take_option(int key, char *value, struct argp_state *state)
{
    struct command_line *line = state->input;
    switch (key) {
    case 'c': line->config = value; return 0;
    case OPTION_CHECK: line->check = true; return 0;
    case OPTION_PRINT: line->print = true; return 0;
    case 's':
        if (line->sets_count == SETS_MAX) {
            argp_error(state, "more than %d times --set", SETS_MAX);
        }
        line->sets[line->sets_count++] = value;
        return 0;
    case ARGP_KEY_ARG: argp_error(state, "unexpected argument \"%s\"", value); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}
// NOLINTEND(concurrency-mt-unsafe)

static int apply_sets(struct daemon_settings *settings, struct command_line *line)
{
    int rc = 0;
    for (int i = 0; i < line->sets_count; i++) {
        struct err err = {0};
        char *equals = strchr(line->sets[i], '=');
        if (equals == NULL) {
            (void)fprintf(stderr, "arbiterd: error: --set %s: expected NAME=VALUE\n",
                          line->sets[i]);
            rc = -EINVAL;
            continue;
        }
        *equals = '\0';
        if (settings_set(table, TABLE_COUNT, settings, line->sets[i], equals + 1, &err) != 0) {
            (void)fprintf(stderr, "arbiterd: error: --set: %s\n", err.text);
            rc = -EINVAL;
        }
    }
    return rc;
}

int daemon_settings_read(struct daemon_settings *settings, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"config", 'c', "FILE", 0, "Settings file, default /etc/arbiter/arbiterd.yaml", 0},
        {"set", 's', "NAME=VALUE", 0, "One setting, e.g. -s listen.api=tcp://127.0.0.1:7703",
         0},
        {"check-config", OPTION_CHECK, NULL, 0, "Check the settings and exit", 0},
        {"print-config", OPTION_PRINT, NULL, 0, "Print the effective settings and exit", 0},
        {0}};
    static const struct argp parser = {
        options,
        take_option,
        NULL,
        "The orchestrator of Arbiter: keeps services on a Xen cluster at their agreed level.",
        NULL,
        NULL,
        NULL};
    struct command_line line = {0};
    argp_program_version = "arbiterd " ARBITER_VERSION;
    /* There is one thread yet. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    if (argp_parse(&parser, argc, argv, 0, NULL, &line) != 0) {
        return -EINVAL;
    }
    set_defaults(settings);
    const char *path = line.config != NULL ? line.config : "/etc/arbiter/arbiterd.yaml";
    const struct settings_file file = {.program = "arbiterd",
                                       .table = table,
                                       .table_count = TABLE_COUNT,
                                       .target = settings,
                                       .bytes_max = CONFIG_BYTES_MAX,
                                       .read = file_read};
    int file_rc = settings_file_read(&file, path, line.config != NULL);
    int drop_rc = settings_file_read_drop_ins(&file, path);
    int set_rc = apply_sets(settings, &line);
    if (file_rc != 0 || drop_rc != 0 || set_rc != 0) {
        return -EINVAL;
    }
    struct err err = {0};
    if (metrics_http_check(settings->loop.metrics, &err) != 0) {
        (void)fprintf(stderr, "arbiterd: error: %s\n", err.text);
        return -EINVAL;
    }
    settings->loop.cluster.mode = (enum mode)(settings->mode + 1);
    if (line.print) {
        settings_print(stdout, table, TABLE_COUNT, settings);
    }
    return line.print || line.check ? 1 : 0;
}
