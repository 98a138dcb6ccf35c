// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/client/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/closest_word.h"
#include "proto/text.h"

enum option_kind {
    OPTION_SWITCH,
    OPTION_TEXT,
    OPTION_DURATION,
    OPTION_NUMBER,
    OPTION_PATH,
    OPTION_FORMAT,
    OPTION_TIMEOUT,
    OPTION_COLOR,
    OPTION_WATCH
};

struct option_row {
    const char *name; /* long, without dashes; or one letter */
    enum option_kind kind;
    size_t offset;
    size_t size; /* of a PATH's buffer */
};

#define AT(member)     offsetof(struct client, member), 0
#define BUFFER(member) offsetof(struct client, member), sizeof((struct client *)NULL)->member

static const struct option_row rows[] = {
    {"f", OPTION_TEXT, AT(file)},
    {"file", OPTION_TEXT, AT(file)},
    {"service", OPTION_TEXT, AT(service)},
    {"node", OPTION_TEXT, AT(node)},
    {"kind", OPTION_TEXT, AT(kind)},
    {"role", OPTION_TEXT, AT(role)},
    {"out", OPTION_TEXT, AT(out_file)},
    {"keyring", OPTION_TEXT, AT(keyring)},
    {"how-many", OPTION_TEXT, AT(how_many)},
    {"scheduler", OPTION_TEXT, AT(schedulers)},
    {"seeds", OPTION_TEXT, AT(seeds)},
    {"plot", OPTION_TEXT, AT(plot)},
    {"set", OPTION_TEXT, AT(setting)},
    {"for", OPTION_TEXT, AT(condition)},
    {"since", OPTION_DURATION, AT(since_ms)},
    {"pin", OPTION_DURATION, AT(pin_ms)},
    {"after", OPTION_NUMBER, AT(after)},
    {"at-revision", OPTION_NUMBER, AT(at_revision)},
    {"n", OPTION_NUMBER, AT(count)},
    {"b", OPTION_SWITCH, AT(batch)},
    {"q", OPTION_SWITCH, AT(quiet)},
    {"quiet", OPTION_SWITCH, AT(quiet)},
    {"yes", OPTION_SWITCH, AT(yes)},
    {"follow", OPTION_SWITCH, AT(follow)},
    {"detach", OPTION_SWITCH, AT(detach)},
    {"wait", OPTION_SWITCH, AT(wait)},
    {"detailed-exitcode", OPTION_SWITCH, AT(detailed_exit_code)},
    {"no-header", OPTION_SWITCH, AT(output.no_header)},
    {"H", OPTION_PATH, BUFFER(connection_settings.host)},
    {"host", OPTION_PATH, BUFFER(connection_settings.host)},
    {"key", OPTION_PATH, BUFFER(connection_settings.key)},
    {"server-key", OPTION_PATH, BUFFER(connection_settings.server_key)},
    {"o", OPTION_FORMAT, 0, 0},
    {"output", OPTION_FORMAT, 0, 0},
    {"timeout", OPTION_TIMEOUT, 0, 0},
    {"color", OPTION_COLOR, 0, 0},
    {"w", OPTION_WATCH, 0, 0},
    {"watch", OPTION_WATCH, 0, 0},
};
#define ROWS (sizeof rows / sizeof *rows)

static const struct option_row *find_row(const char *name, size_t length)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strlen(rows[i].name) == length && strncmp(rows[i].name, name, length) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static int set_format(struct client *client, const char *value)
{
    static const char *const words[] = {"table", "wide", "json", "yaml", "csv", "name"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], value) == 0) {
            client->output.format = (enum output_format)i;
            return 0;
        }
    }
    return client_error(client, REPLY_INVALID,
                        "-o %s: expected table, wide, json, yaml, csv or name", value);
}

static int set_color(struct client *client, const char *value)
{
    if (strcmp(value, "always") == 0 || strcmp(value, "never") == 0) {
        client->output.color = value[0] == 'a';
        return 0;
    }
    return strcmp(value, "auto") == 0
               ? 0
               : client_error(client, REPLY_INVALID, "--color: expected auto, always or never");
}

static int set_path(struct client *client, const struct option_row *row, const char *value)
{
    char *field = (char *)client + row->offset;
    if (value[0] == '\0' || strlen(value) >= row->size) {
        return client_error(client, REPLY_INVALID, "--%s: expected 1 to %zu characters",
                            row->name, row->size - 1);
    }
    (void)snprintf(field, row->size, "%s", value);
    return 0;
}

static int set_timeout(struct client *client, const char *value)
{
    int64_t ms = 0;
    struct err err = {0};
    if (text_parse_duration_ms(value, &ms, &err) != 0) {
        return client_error(client, REPLY_INVALID, "--timeout: %s", err.text);
    }
    if (ms <= 0 || ms > INT32_MAX) {
        return client_error(client, REPLY_INVALID, "--timeout %s: expected 1ms to 24d", value);
    }
    client->timeout_ms = (int)ms;
    return 0;
}

/* Seconds; alone: 2. */
static int set_watch(struct client *client, const char *value)
{
    char *end = NULL;
    double seconds = value[0] != '\0' ? strtod(value, &end) : 2.0;
    if ((end != NULL && *end != '\0') || !(seconds >= 0.1 && seconds <= 3600)) {
        return client_error(client, REPLY_INVALID, "-w%s: expected 0.1 to 3600 seconds", value);
    }
    client->watch_ms = (int)(seconds * 1000);
    return 0;
}

static int set_number(struct client *client, const struct option_row *row, const char *value,
                      uint64_t *field)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (errno != 0 || value[0] < '0' || value[0] > '9' || *end != '\0') {
        return client_error(client, REPLY_INVALID, "%s%s: expected a number, got \"%s\"",
                            strlen(row->name) > 1 ? "--" : "-", row->name, value);
    }
    *field = number;
    return 0;
}

static int set_value(struct client *client, const struct option_row *row, const char *value)
{
    void *field = (unsigned char *)client + row->offset;
    struct err err = {0};
    switch (row->kind) {
    case OPTION_SWITCH: *(bool *)field = true; return 0;
    case OPTION_TEXT: *(const char **)field = value; return 0;
    case OPTION_DURATION:
        return text_parse_duration_ms(value, (int64_t *)field, &err) == 0
                   ? 0
                   : client_error(client, REPLY_INVALID, "--%s: %s", row->name, err.text);
    case OPTION_NUMBER: return set_number(client, row, value, field);
    case OPTION_PATH: return set_path(client, row, value);
    case OPTION_FORMAT: return set_format(client, value);
    case OPTION_TIMEOUT: return set_timeout(client, value);
    case OPTION_COLOR: return set_color(client, value);
    case OPTION_WATCH: return set_watch(client, value);
    }
    return 0;
}

static int unknown_option(const struct client *client, const char *word)
{
    struct closest_word closest;
    char suggestion[TEXT_SIZE];
    char name[TEXT_SIZE];
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    closest_word_begin(&closest, name);
    for (size_t i = 0; i < ROWS; i++) {
        char known[TEXT_SIZE];
        (void)snprintf(known, sizeof known, "--%s", rows[i].name);
        if (strlen(rows[i].name) > 1) {
            closest_word_offer(&closest, known);
        }
    }
    closest_word_print(&closest, suggestion, sizeof suggestion);
    int code =
        client_error(client, REPLY_INVALID, "there is no option \"%s\"%s", word, suggestion);
    client_hint("arbiter help");
    return code;
}

/* One word that begins with a dash; *at moves on when its value is the next word. */
static int take_option(struct client *client, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1);
    size_t length = is_long ? strcspn(name, "=") : 1;
    const struct option_row *row = find_row(name, length);
    if (row == NULL || is_long != (length > 1)) {
        return unknown_option(client, word);
    }
    /* Behind the name: --name=value, -nvalue */
    const char *joined = name + length;
    bool has_joined = *joined != '\0';
    joined += is_long && has_joined ? 1 : 0;
    if (row->kind == OPTION_SWITCH) {
        return has_joined ? client_error(client, REPLY_INVALID, "%s: -%s%s takes no value",
                                         word, is_long ? "-" : "", row->name)
                          : set_value(client, row, "");
    }
    if (has_joined || row->kind == OPTION_WATCH) {
        return set_value(client, row, joined);
    }
    if (*at + 1 >= argc) {
        return client_error(client, REPLY_INVALID, "%s needs a value", word);
    }
    return set_value(client, row, argv[++*at]);
}

static const char *environment(const char *name)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the client has no other threads at this point
    const char *value = getenv(name);
    return value != NULL ? value : "";
}

static void set_defaults(struct client *client)
{
    struct winsize size;
    bool terminal = isatty(STDOUT_FILENO) == 1;
    const char *term = environment("TERM");
    bool dumb = term[0] == '\0' || strcmp(term, "dumb") == 0;
    client->output.color = terminal && environment("NO_COLOR")[0] == '\0' && !dumb;
    client->output.is_screen = terminal && !dumb && isatty(STDIN_FILENO) == 1;
    if (terminal) {
        bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
        client->output.width = known ? size.ws_col : 80;
    }
}

int options_read(struct client *client, int argc, char **argv, char **words, int *count)
{
    int special = 0;
    bool only_words = false; /* behind "--" */
    set_defaults(client);
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        bool completing = *count > 0 && strcmp(words[0], "__complete") == 0;
        if (word[0] != '-' || word[1] == '\0' || completing || only_words) {
            words[(*count)++] = argv[i];
        } else if (strcmp(word, "--") == 0) {
            only_words = true;
        } else if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
            special = OPTIONS_HELP;
        } else if (strcmp(word, "--version") == 0) {
            special = OPTIONS_VERSION;
        } else {
            int code = take_option(client, argc, argv, &i);
            if (code != 0) {
                return code;
            }
        }
    }
    return special;
}
