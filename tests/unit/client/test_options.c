// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/client/options.h"

#define WORDS_MAX 16

static struct client client;
static char *words[WORDS_MAX];
static int count;

/* The command line as one text, split at spaces. */
static int read_line(const char *line)
{
    static char text[256];
    static char *argv[WORDS_MAX];
    int argc = 0;
    (void)snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    memset(&client, 0, sizeof client);
    count = 0;
    return options_read(&client, argc, argv, words, &count);
}

TestSuite(options, .init = cr_redirect_stderr);

Test(options, stand_before_and_behind_the_verb)
{
    cr_assert_eq(read_line("arbiter -H tcp://a:1 get -o json svc --no-header shop"), 0);
    cr_assert_eq(count, 3);
    cr_assert_str_eq(words[0], "get");
    cr_assert_str_eq(words[2], "shop");
    cr_assert_str_eq(client.connection_settings.host, "tcp://a:1");
    cr_assert_eq(client.output.format, OUTPUT_JSON);
    cr_assert(client.output.no_header);
}

Test(options, values_may_be_joined)
{
    cr_assert_eq(read_line("arbiter top -n5 --timeout=2s --since=1h -ocsv -w0.5"), 0);
    cr_assert_eq(client.count, 5);
    cr_assert_eq(client.timeout_ms, 2000);
    cr_assert_eq(client.since_ms, 3600000);
    cr_assert_eq(client.output.format, OUTPUT_CSV);
    cr_assert_eq(client.watch_ms, 500);
    cr_assert_eq(read_line("arbiter get svc -w"), 0);
    cr_assert_eq(client.watch_ms, 2000);
}

Test(options, what_is_wrong_is_exit_2)
{
    static const char *const lines[] = {
        "-x",          "--nothing", "-o xml", "-o",   "--timeout 0s", "--timeout fast",
        "-n five",     "-n -1",     "-wfast", "-w0",  "--yes=1",      "-bq",
        "--color red", "--since",   "--key=", "-wait"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "arbiter get svc %s", lines[i]);
        cr_expect_eq(read_line(line), REPLY_INVALID, "%s", lines[i]);
    }
}

Test(options, too_long_a_path_is_refused_and_not_cut)
{
    char line[256 + 80];
    (void)snprintf(line, sizeof line, "arbiter -H %0200d get", 7);
    cr_assert_eq(read_line(line), REPLY_INVALID);
    cr_assert_str_eq(client.connection_settings.host, "");
}

Test(options, mistyped_one_is_suggested)
{
    cr_assert_eq(read_line("arbiter apply --at-revison 7"), REPLY_INVALID);
    (void)fflush(stderr);
    cr_assert_stderr_eq_str("arbiter: error: there is no option \"--at-revison\"; did you mean "
                            "\"--at-revision\"?\n  hint: arbiter help\n");
}

Test(options, two_dashes_end_them)
{
    cr_assert_eq(read_line("arbiter get svc -- -o"), 0);
    cr_assert_eq(count, 3);
    cr_assert_str_eq(words[2], "-o");
}

Test(options, minus_alone_is_a_value)
{
    cr_assert_eq(read_line("arbiter apply -f -"), 0);
    cr_assert_str_eq(client.file, "-");
}

Test(options, help_and_version_are_found_anywhere)
{
    cr_assert_eq(read_line("arbiter apply --help"), OPTIONS_HELP);
    cr_assert_eq(read_line("arbiter --version"), OPTIONS_VERSION);
}

Test(options, words_to_complete_stay_as_they_are)
{
    cr_assert_eq(read_line("arbiter -q __complete get -o js"), 0);
    cr_assert_eq(count, 4);
    cr_assert_str_eq(words[2], "-o");
    cr_assert_eq(client.output.format, OUTPUT_TABLE);
}

Test(options, objects_are_one_or_two_words)
{
    enum object_kind kind = OBJECT_KIND_UNSPECIFIED;
    char name[NAME_SIZE];
    char svc_shop[] = "svc/shop";
    char node[] = "node";
    char nodes_slash[] = "nodes/";
    char what[] = "wat/x";
    char *one[] = {svc_shop};
    char *two[] = {node, svc_shop + 4};
    cr_assert_eq(client_parse_object(&client, 1, one, &kind, name), 1);
    cr_assert_eq(kind, OBJECT_KIND_SERVICE);
    cr_assert_str_eq(name, "shop");
    cr_assert_eq(client_parse_object(&client, 2, two, &kind, name), 2);
    cr_assert_eq(kind, OBJECT_KIND_NODE);
    one[0] = svc_shop + 4;
    cr_assert_eq(client_parse_object(&client, 1, one, &kind, name), 1);
    cr_assert_eq(kind, OBJECT_KIND_UNSPECIFIED);
    one[0] = nodes_slash;
    cr_assert_eq(client_parse_object(&client, 1, one, &kind, name), 0);
    one[0] = what;
    cr_assert_eq(client_parse_object(&client, 1, one, &kind, name), 0);
    cr_assert_eq(client_parse_object(&client, 0, one, &kind, name), 0);
}
