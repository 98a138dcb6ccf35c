// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io/file.h"
#include "orchestrator/client/connection.h"

static char home[64];
static char config[128];

static void setup(void)
{
    (void)strcpy(home, "/tmp/arbiter-home-XXXXXX");
    cr_assert_not_null(mkdtemp(home));
    (void)snprintf(config, sizeof config, "%s/.config", home);
    cr_assert_eq(mkdir(config, 0755), 0);
    (void)strcat(config, "/arbiter");
    cr_assert_eq(mkdir(config, 0755), 0);
    (void)strcat(config, "/config.yaml");
    cr_assert_eq(setenv("HOME", home, 1), 0);
    cr_assert_eq(unsetenv("ARBITER_HOST"), 0);
    cr_assert_eq(unsetenv("ARBITER_KEY"), 0);
    cr_assert_eq(unsetenv("ARBITER_SERVER_KEY"), 0);
    cr_assert_eq(unsetenv("ARBITER_CONFIG"), 0);
}

static void teardown(void)
{
    char path[128];
    (void)unlink(config);
    (void)snprintf(path, sizeof path, "%s/.config/arbiter", home);
    (void)rmdir(path);
    (void)snprintf(path, sizeof path, "%s/.config", home);
    (void)rmdir(path);
    cr_assert_eq(rmdir(home), 0);
}

TestSuite(connection_settings, .init = setup, .fini = teardown);

static void write_config(const char *text)
{
    cr_assert_eq(file_replace(config, text, strlen(text), 0644, NULL), 0);
}

Test(connection_settings, nothing_given_means_the_defaults)
{
    struct connection_settings settings = {0};
    char key[128];
    (void)snprintf(key, sizeof key, "%s/.config/arbiter/key", home);
    cr_assert_eq(connection_settings_complete(&settings, NULL), 0);
    cr_assert_str_eq(settings.host, "ipc:///run/arbiter/api");
    cr_assert_str_eq(settings.key, key);
    cr_assert_str_eq(settings.server_key, "/etc/arbiter/arbiterd.pub");
}

Test(connection_settings, flag_beats_environment_beats_file_beats_default)
{
    struct connection_settings settings = {.host = "tcp://flag:1"};
    write_config("host: tcp://file:1\nkey: /file/key\nserver_key: ~/server.pub\n");
    cr_assert_eq(setenv("ARBITER_HOST", "tcp://environment:1", 1), 0);
    cr_assert_eq(setenv("ARBITER_KEY", "/environment/key", 1), 0);
    char server_key[128];
    (void)snprintf(server_key, sizeof server_key, "%s/server.pub", home);
    cr_assert_eq(connection_settings_complete(&settings, NULL), 0);
    cr_assert_str_eq(settings.host, "tcp://flag:1");
    cr_assert_str_eq(settings.key, "/environment/key");
    cr_assert_str_eq(settings.server_key, server_key);
}

Test(connection_settings, mistakes_of_the_file_are_told_with_their_place)
{
    struct connection_settings settings = {0};
    struct err err = {0};
    write_config("host: tcp://file:1\nkeey: /file/key\n");
    cr_assert_eq(connection_settings_complete(&settings, &err), -EINVAL);
    cr_assert_not_null(strstr(err.text, "config.yaml:2:"), "%s", err.text);
    cr_assert_str_eq(settings.host, "", "untouched on failure");
}

Test(connection_settings, named_file_must_exist)
{
    struct connection_settings settings = {0};
    struct err err = {0};
    cr_assert_eq(setenv("ARBITER_CONFIG", "/nonexistent/config.yaml", 1), 0);
    cr_assert_eq(connection_settings_complete(&settings, &err), -ENOENT);
    cr_assert_not_null(strstr(err.text, "/nonexistent/config.yaml"));
}

Test(connection_settings, too_long_a_value_is_an_error)
{
    struct connection_settings settings = {0};
    struct err err = {0};
    char host[CONNECTION_ENDPOINT_SIZE + 1];
    memset(host, 'x', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    cr_assert_eq(setenv("ARBITER_HOST", host, 1), 0);
    cr_assert_eq(connection_settings_complete(&settings, &err), -ENAMETOOLONG);
}

Test(connection_settings, request_ids_of_one_instant_differ)
{
    unsigned char ids[2][REQUEST_ID_BYTES] = {{0}};
    connection_new_request_id(ids[0], 1000);
    connection_new_request_id(ids[1], 1000);
    cr_assert_neq(memcmp(ids[0], ids[1], REQUEST_ID_BYTES), 0);
}

Test(connection_settings, later_request_ids_sort_later)
{
    unsigned char ids[2][REQUEST_ID_BYTES] = {{0}};
    connection_new_request_id(ids[0], 1795512303929);
    connection_new_request_id(ids[1], 1795512303930);
    cr_assert_lt(memcmp(ids[0], ids[1], REQUEST_ID_BYTES), 0);
}
