// SPDX-License-Identifier: Apache-2.0
/* Where the client connects to and with which keys: flag, then environment, then file, then
 * default. */
#include <errno.h>
#include <string.h>

#include "common/io/file.h"
#include "common/io/scope.h"
#include "orchestrator/client/connection.h"
#include "proto/settings.h"

#define CONFIG_BYTES_MAX (64u << 10)

#define TEXT_SETTING(field, what)                                                              \
    {                                                                                          \
        .path = #field, .kind = SETTING_TEXT,                                                  \
        .offset = offsetof(struct connection_settings, field),                                 \
        .size = sizeof((struct connection_settings *)NULL)->field, .meaning = (what)           \
    }

static const struct setting table[] = {
    TEXT_SETTING(host, "endpoint of the orchestrator's API"),
    TEXT_SETTING(key, "file with your key pair"),
    TEXT_SETTING(server_key, "file with the orchestrator's public key"),
};

static const char *environment(const char *name)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the client has no other threads at this point
    const char *value = getenv(name);
    return value != NULL ? value : "";
}

/* Copies value to an empty field; "~/" is the home folder. -ENAMETOOLONG. */
static int fill(char *field, size_t size, const char *value, struct err *err)
{
    if (field[0] != '\0' || value[0] == '\0') {
        return 0;
    }
    bool is_home = strncmp(value, "~/", 2) == 0;
    const char *front = is_home ? environment("HOME") : "";
    int length = snprintf(field, size, "%s%s", front, is_home ? value + 1 : value);
    if (length < 0 || (size_t)length >= size) {
        field[0] = '\0';
        return err_set(err, -ENAMETOOLONG, "%s: longer than %zu characters", value, size - 1);
    }
    return 0;
}

static int fill_all(struct connection_settings *settings,
                    const struct connection_settings *from, struct err *err)
{
    int rc = fill(settings->host, sizeof settings->host, from->host, err);
    if (rc == 0) {
        rc = fill(settings->key, sizeof settings->key, from->key, err);
    }
    if (rc == 0) {
        rc = fill(settings->server_key, sizeof settings->server_key, from->server_key, err);
    }
    return rc;
}

static int fill_from_environment(struct connection_settings *settings, struct err *err)
{
    int rc = fill(settings->host, sizeof settings->host, environment("ARBITER_HOST"), err);
    if (rc == 0) {
        rc = fill(settings->key, sizeof settings->key, environment("ARBITER_KEY"), err);
    }
    if (rc == 0) {
        rc = fill(settings->server_key, sizeof settings->server_key,
                  environment("ARBITER_SERVER_KEY"), err);
    }
    return rc;
}

/* All mistakes, one line each, as far as they fit. */
static int tell_mistakes(const char *path, const struct text_mistakes *mistakes,
                         struct err *err)
{
    char text[ERR_TEXT_SIZE] = "";
    size_t used = 0;
    for (size_t i = 0; i < mistakes->count && i < TEXT_MISTAKES_MAX && used < sizeof text;
         i++) {
        const struct text_mistake *mistake = &mistakes->items[i];
        int length =
            snprintf(text + used, sizeof text - used, "%s%s:%d:%d: %s", i > 0 ? "\n" : "", path,
                     mistake->line, mistake->column, mistake->text);
        used += length > 0 ? (size_t)length : 0;
    }
    return err_set(err, -EINVAL, "%s", text);
}

static int parse_file(struct connection_settings *settings, const char *path, const char *text,
                      size_t size, struct err *err)
{
    struct text_mistakes *mistakes = calloc(1, sizeof *mistakes);
    if (mistakes == NULL) {
        return err_set(err, -ENOMEM, "%s: out of memory", path);
    }
    struct connection_settings from_file = {0};
    int rc =
        settings_read(text, size, table, sizeof table / sizeof *table, &from_file, mistakes);
    rc = rc == 0 ? fill_all(settings, &from_file, err) : tell_mistakes(path, mistakes, err);
    free(mistakes);
    return rc;
}

static int fill_from_file(struct connection_settings *settings, struct err *err)
{
    const char *named = environment("ARBITER_CONFIG");
    char path[PATH_SIZE] = "";
    int rc = fill(path, sizeof path, named[0] != '\0' ? named : "~/.config/arbiter/config.yaml",
                  err);
    if (rc != 0) {
        return rc;
    }
    SCOPE_FREE char *text = NULL;
    size_t size = 0;
    struct err problem = {0};
    rc = file_read(path, CONFIG_BYTES_MAX, &text, &size, &problem);
    if (rc == -ENOENT && named[0] == '\0') {
        return 0; /* nobody asked for one */
    }
    if (rc != 0) {
        return err_set(err, rc, "%s", problem.text);
    }
    return parse_file(settings, path, text, size, err);
}

int connection_settings_complete(struct connection_settings *settings, struct err *err)
{
    static const struct connection_settings defaults = {
        .host = "ipc:///run/arbiter/api",
        .key = "~/.config/arbiter/key",
        .server_key = "/etc/arbiter/arbiterd.pub",
    };
    struct connection_settings complete = *settings;
    int rc = fill_from_environment(&complete, err);
    if (rc == 0) {
        rc = fill_from_file(&complete, err);
    }
    if (rc == 0) {
        rc = fill_all(&complete, &defaults, err);
    }
    if (rc == 0) {
        *settings = complete;
    }
    return rc;
}
