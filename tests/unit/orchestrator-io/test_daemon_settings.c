// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "orchestrator/io/settings.h"

static char folder[] = "/tmp/arbiter-settings-XXXXXX";
static struct daemon_settings settings;

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(folder));
}

static void tear_down(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(daemon_settings, .init = set_up, .fini = tear_down, .timeout = 30);

static void write_file(const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

static void make_drop_ins(void)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/arbiterd.yaml.d", folder);
    cr_assert_eq(mkdir(path, 0700), 0);
}

/* With the file of this folder, and up to two more words. */
static int read_settings(char *first, char *second)
{
    static char name[] = "arbiterd";
    static char config[] = "--config";
    char path[256];
    (void)snprintf(path, sizeof path, "%s/arbiterd.yaml", folder);
    char *words[] = {name, config, path, first, second, NULL};
    int count = first == NULL ? 3 : (second == NULL ? 4 : 5);
    return daemon_settings_read(&settings, count, words);
}

Test(daemon_settings, file_then_drop_ins_by_name_then_command_line)
{
    make_drop_ins();
    write_file("arbiterd.yaml", "mode: act\nlease: 20s\nrenew: 2s\ncontrol_period: 7s\n");
    write_file("arbiterd.yaml.d/20-later.yaml", "renew: 4s\ncontrol_period: 9s\n");
    write_file("arbiterd.yaml.d/10-first.yaml", "renew: 3s\n");
    write_file("arbiterd.yaml.d/30-ignored.txt", "renew: 5s\n");
    char set[] = "-scontrol_period=11s";
    cr_assert_eq(read_settings(set, NULL), 0);
    cr_assert_eq(settings.loop.cluster.mode, MODE_ACT);
    cr_assert_eq(settings.loop.cluster.lease_ms, 20000);
    cr_assert_eq(settings.loop.cluster.renew_ms, 4000);
    cr_assert_eq(settings.loop.cluster.control_period_ms, 11000);
    cr_assert_eq(settings.loop.cluster.lease_margin_ms, 5000, "a default");
}

Test(daemon_settings, mistakes_of_all_files_are_told_with_their_places)
{
    cr_redirect_stderr();
    make_drop_ins();
    write_file("arbiterd.yaml", "mdoe: act\nlease: 1s\n");
    write_file("arbiterd.yaml.d/10.yaml", "limits:\n  nodes: many\n");
    cr_assert_eq(read_settings(NULL, NULL), -EINVAL);
    char text[2048] = "";
    (void)fflush(stderr);
    FILE *told = cr_get_redirected_stderr();
    size_t size = fread(text, 1, sizeof text - 1, told);
    text[size] = '\0';
    cr_expect_not_null(strstr(text, "arbiterd.yaml:1:1: mdoe: unknown setting"), "%s", text);
    cr_expect_not_null(strstr(text, "\"mode\""), "%s", text);
    cr_expect_not_null(strstr(text, "arbiterd.yaml:2:8: lease:"), "%s", text);
    cr_expect_not_null(strstr(text, "10.yaml:2:10: limits.nodes:"), "%s", text);
}

Test(daemon_settings, a_file_that_was_named_must_exist)
{
    cr_assert_eq(read_settings(NULL, NULL), -EINVAL);
}

Test(daemon_settings, checking_ends_with_nothing_more_to_do)
{
    write_file("arbiterd.yaml", "mode: hold\n");
    char check[] = "--check-config";
    cr_assert_eq(read_settings(check, NULL), 1);
}
