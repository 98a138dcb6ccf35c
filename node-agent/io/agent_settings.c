// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/agent_settings.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/io/file.h"
#include "common/io/log.h"
#include "proto/settings_file.h"

#define CONFIG_BYTES_MAX (64u << 10)
#define CONFIG_DEFAULT   "/etc/arbiter/agent.yaml"
#define FLAGS_MAX        64

#define FIELD(name) offsetof(struct agent_settings, name)
#define TEXT_FIELD(name)                                                                       \
    offsetof(struct agent_settings, name), sizeof((struct agent_settings *)0)->name

static const struct setting table[] = {
    {"node", SETTING_TEXT, TEXT_FIELD(node), 0, 0, NULL,
     "name, as this agent's key is enrolled"},
    {"driver", SETTING_TEXT, TEXT_FIELD(driver), 0, 0, NULL,
     "of the hypervisor, e.g. libvirt:lxc:/// or none; there is no default"},
    {"driver_folder", SETTING_TEXT, TEXT_FIELD(driver_folder), 0, 0, NULL,
     "where driver_*.so are; empty: beside this program"},
    {"control", SETTING_TEXT, TEXT_FIELD(control), 0, 0, NULL, "the orchestrator's endpoint"},
    {"telemetry", SETTING_TEXT, TEXT_FIELD(telemetry), 0, 0, NULL,
     "the orchestrator's endpoint for measurements"},
    {"key", SETTING_TEXT, TEXT_FIELD(key), 0, 0, NULL, "file with our key pair"},
    {"server_key", SETTING_TEXT, TEXT_FIELD(server_key), 0, 0, NULL,
     "file with the orchestrator's public key"},
    {"state", SETTING_TEXT, TEXT_FIELD(state), 0, 0, NULL, "folder for what must survive"},
    {"bridge", SETTING_TEXT, TEXT_FIELD(bridge), 0, 0, NULL,
     "that guests are put on; empty: guests get no network"},
    {"addresses.first", SETTING_TEXT, TEXT_FIELD(address_first), 0, 0, NULL,
     "first IPv4 address for guests; empty: none"},
    {"addresses.last", SETTING_TEXT, TEXT_FIELD(address_last), 0, 0, NULL, "last of them"},
    {"addresses.prefix", SETTING_COUNT, FIELD(address_prefix), 0, 1, 32, NULL,
     "length of their network's prefix"},
    {"addresses.gateway", SETTING_TEXT, TEXT_FIELD(address_gateway), 0, 0, NULL,
     "default route of guests; empty: none"},
    {"migrate.address", SETTING_TEXT, TEXT_FIELD(migrate_address), 0, 0, NULL,
     "IPv4 address of this host at which it receives VMs that run; empty: it does not"},
    {"roles", SETTING_TEXT, TEXT_FIELD(roles), 0, 0, NULL, "gateway: runs entry points"},
    {"haproxy", SETTING_TEXT, TEXT_FIELD(haproxy), 0, 0, NULL, "program for entry points"},
    {"reserve.cpu", SETTING_CPU, FIELD(reserve_cpu_pct), 0, 0, 1000000, NULL,
     "kept for the host itself"},
    {"reserve.memory", SETTING_SIZE, FIELD(reserve_memory_kib), 0, 0, 0, NULL,
     "kept for the host itself"},
    {"cpu", SETTING_CPU, FIELD(cpu_pct), 0, 0, 1000000, NULL,
     "declared capacity; 0: the host's, minus the reserve"},
    {"memory", SETTING_SIZE, FIELD(memory_kib), 0, 0, 0, NULL,
     "declared capacity; 0: the host's, minus the reserve"},
    {"images", SETTING_SIZE, FIELD(images_kib), 0, 0, 0, NULL, "fetched images kept at most"},
    {"sample", SETTING_DURATION, FIELD(sample_ms), 0, 100, 60000, NULL,
     "how often the hypervisor is read"},
    {"log", SETTING_WORD, FIELD(log_level), 0, 0, 3, log_level_words,
     "error, warn, info or debug"},
};
#define TABLE_COUNT (sizeof table / sizeof *table)

static void set_defaults(struct agent_settings *settings)
{
    *settings = (struct agent_settings){.address_prefix = 24,
                                        .images_kib = 20u << 20,
                                        .sample_ms = 1000,
                                        .log_level = LOG_LEVEL_INFO};
    (void)snprintf(settings->control, URL_SIZE, "tcp://127.0.0.1:7701");
    (void)snprintf(settings->telemetry, URL_SIZE, "tcp://127.0.0.1:7702");
    (void)snprintf(settings->key, PATH_SIZE, "/etc/arbiter/agent.key");
    (void)snprintf(settings->server_key, PATH_SIZE, "/etc/arbiter/arbiterd.pub");
    (void)snprintf(settings->state, PATH_SIZE, "/var/lib/arbiter-agent");
    (void)snprintf(settings->haproxy, PATH_SIZE, "/usr/sbin/haproxy");
}

enum { OPTION_CHECK = 256, OPTION_PRINT, OPTION_FLAG };

/* Flags that are settings by another name: OPTION_FLAG + index. */
static const struct {
    const char *flag;
    const char *path;
} flags[] = {{"node", "node"},
             {"driver", "driver"},
             {"driver-folder", "driver_folder"},
             {"control", "control"},
             {"telemetry", "telemetry"},
             {"key", "key"},
             {"server-key", "server_key"},
             {"state", "state"},
             {"roles", "roles"},
             {"log", "log"}};
#define FLAGS_COUNT (sizeof flags / sizeof *flags)

struct command_line {
    const char *config;
    bool check;
    bool print;
    int count;
    struct {
        const char *path;
        char *value;
    } values[FLAGS_MAX]; /* applied after the file */
};

// NOLINTBEGIN(concurrency-mt-unsafe): argp may exit; there is one thread yet

static void take_value(struct argp_state *state, const char *path, char *value)
{
    struct command_line *line = state->input;
    if (line->count == FLAGS_MAX) {
        argp_error(state, "more than %d settings on the command line", FLAGS_MAX);
    }
    line->values[line->count].path = path;
    line->values[line->count].value = value;
    line->count++;
}

static error_t take_option(int key, char *value, struct argp_state *state)
{
    struct command_line *line = state->input;
    if (key >= OPTION_FLAG && key < OPTION_FLAG + (int)FLAGS_COUNT) {
        take_value(state, flags[key - OPTION_FLAG].path, value);
        return 0;
    }
    switch (key) {
    case 'c': line->config = value; return 0;
    case OPTION_CHECK: line->check = true; return 0;
    case OPTION_PRINT: line->print = true; return 0;
    case 's': {
        char *equals = strchr(value, '=');
        if (equals == NULL) {
            argp_error(state, "--set %s: expected NAME=VALUE", value);
            return EINVAL;
        }
        *equals = '\0';
        take_value(state, value, equals + 1);
        return 0;
    }
    case ARGP_KEY_ARG: argp_error(state, "unexpected argument \"%s\"", value); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

// NOLINTEND(concurrency-mt-unsafe)

static int apply_flags(struct agent_settings *settings, const struct command_line *line)
{
    int rc = 0;
    for (int i = 0; i < line->count; i++) {
        struct err err = {0};
        if (settings_set(table, TABLE_COUNT, settings, line->values[i].path,
                         line->values[i].value, &err) != 0) {
            (void)fprintf(stderr, "arbiter-agent: error: %s\n", err.text);
            rc = -EINVAL;
        }
    }
    bool known_role = settings->roles[0] == '\0' || strcmp(settings->roles, "gateway") == 0;
    if (!known_role) {
        (void)fprintf(stderr,
                      "arbiter-agent: error: roles: \"%s\" is unknown; there is gateway\n",
                      settings->roles);
        rc = -EINVAL;
    }
    return rc;
}

static int read_command_line(struct command_line *line, int argc, char **argv)
{
    struct argp_option options[FLAGS_COUNT + 5] = {
        {"config", 'c', "FILE", 0, "settings (default: " CONFIG_DEFAULT ")", 0},
        {"set", 's', "NAME=VALUE", 0, "one setting, over the file", 0},
        {"check-config", OPTION_CHECK, NULL, 0, "check the settings, then exit", 0},
        {"print-config", OPTION_PRINT, NULL, 0, "print the settings in effect, then exit", 0},
    };
    for (size_t i = 0; i < FLAGS_COUNT; i++) {
        options[4 + i] = (struct argp_option){
            flags[i].flag, OPTION_FLAG + (int)i, "VALUE", 0, "the setting of that name", 0};
    }
    const struct argp argp = {.options = options,
                              .parser = take_option,
                              .doc = "Runs VMs and entry points of this host for Arbiter.\v"
                                     "\"arbiter-agent check\" looks whether this host is fit; "
                                     "it has a --help of its own."};
    argp_err_exit_status = 2;
    /* There is one thread yet. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    return argp_parse(&argp, argc, argv, 0, NULL, line) == 0 ? 0 : -EINVAL;
}

int agent_settings_read(struct agent_settings *settings, int argc, char **argv)
{
    struct command_line line = {0};
    set_defaults(settings);
    if (read_command_line(&line, argc, argv) != 0) {
        return -EINVAL;
    }
    const struct settings_file file = {.program = "arbiter-agent",
                                       .table = table,
                                       .table_count = TABLE_COUNT,
                                       .target = settings,
                                       .bytes_max = CONFIG_BYTES_MAX,
                                       .read = file_read};
    const char *path = line.config != NULL ? line.config : CONFIG_DEFAULT;
    if (settings_file_read(&file, path, line.config != NULL) != 0 ||
        apply_flags(settings, &line) != 0) {
        return -EINVAL;
    }
    if (line.print) {
        settings_print(stdout, table, TABLE_COUNT, settings);
    }
    return line.print || line.check ? 1 : 0;
}

void agent_settings_capacity(const struct agent_settings *settings, struct node_status *status)
{
    uint32_t cpu = settings->reserve_cpu_pct;
    uint64_t memory = settings->reserve_memory_kib;
    status->cpu_pct = status->cpu_pct > cpu ? status->cpu_pct - cpu : 0;
    status->memory_kib = status->memory_kib > memory ? status->memory_kib - memory : 0;
    if (settings->cpu_pct != 0) {
        status->cpu_pct = settings->cpu_pct;
    }
    if (settings->memory_kib != 0) {
        status->memory_kib = settings->memory_kib;
    }
    (void)snprintf(status->agent_version, sizeof status->agent_version, "%s", ARBITER_VERSION);
}
