// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REACH_LIMIT_MS 2500

static const char help[] =
    "Usage: arbiter-agent check [-o text|json] [--color auto|always|never] [OPTION...]\n"
    "\n"
    "Looks whether this host is fit to run VMs for Arbiter. Every line says ok, note or\n"
    "problem, and what to do. Nothing is changed on the host.\n"
    "\n"
    "  -o, --output=FORMAT    text (default) or json\n"
    "      --color=WHEN       auto (default: on a terminal), always or never\n"
    "  -?, -h, --help         this text\n"
    "\n"
    "All other options are those of arbiter-agent, e.g. --config FILE, --set NAME=VALUE,\n"
    "--driver NAME: the settings with which it would start.\n"
    "\n"
    "Exit status: 0 fit, 1 at least one problem, 2 wrong use or settings.\n";

struct check_options {
    bool json;
    bool color;
    bool help;
};

/* --NAME=VALUE, --NAME VALUE, -L VALUE, -LVALUE. Moves *at on when the value is the next word.
 */
static const char *option_value(int argc, char **argv, int *at, char letter, const char *name)
{
    const char *word = argv[*at];
    size_t length = strlen(name);
    if (letter != '\0' && word[0] == '-' && word[1] == letter) {
        return word[2] != '\0' ? word + 2 : *at + 1 < argc ? argv[++*at] : "";
    }
    // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): no word before argc is NULL
    if (strncmp(word, "--", 2) == 0 && strncmp(word + 2, name, length) == 0) {
        if (word[2 + length] == '=') {
            return word + 3 + length;
        }
        if (word[2 + length] == '\0') {
            return *at + 1 < argc ? argv[++*at] : "";
        }
    }
    return NULL;
}

static bool wants_color(const char *when)
{
    // NOLINTBEGIN(concurrency-mt-unsafe): there is one thread yet
    const char *term = getenv("TERM");
    const char *plain = getenv("NO_COLOR");
    // NOLINTEND(concurrency-mt-unsafe)
    if (strcmp(when, "auto") != 0) {
        return strcmp(when, "always") == 0;
    }
    return isatty(STDOUT_FILENO) == 1 && (plain == NULL || plain[0] == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0;
}

/* Takes our own options; the others go on to the settings. 0 or -1 with a text on stderr. */
static int take_options(struct check_options *options, int argc, char **argv, char **others,
                        int *others_count)
{
    const char *format = "text";
    const char *color = "auto";
    for (int i = 2; i < argc; i++) {
        const char *value = NULL;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 ||
            strcmp(argv[i], "-?") == 0) {
            options->help = true;
        } else if ((value = option_value(argc, argv, &i, 'o', "output")) != NULL) {
            format = value;
        } else if ((value = option_value(argc, argv, &i, '\0', "color")) != NULL) {
            color = value;
        } else {
            others[(*others_count)++] = argv[i];
        }
    }
    options->json = strcmp(format, "json") == 0;
    options->color = wants_color(color);
    if (!options->json && strcmp(format, "text") != 0) {
        (void)fprintf(stderr, "arbiter-agent: error: -o %s: expected text or json\n", format);
        return -1;
    }
    if (strcmp(color, "auto") != 0 && strcmp(color, "always") != 0 &&
        strcmp(color, "never") != 0) {
        (void)fprintf(stderr,
                      "arbiter-agent: error: --color %s: expected auto, always or never\n",
                      color);
        return -1;
    }
    return 0;
}

static int look(const struct agent_settings *settings, const struct check_options *options)
{
    struct host_facts *facts = calloc(1, sizeof *facts);
    struct host_report *report = calloc(1, sizeof *report);
    int code = EXIT_FAILURE;
    if (facts != NULL && report != NULL) {
        check_facts_host(facts, settings, "");
        if (facts->runs_xen) {
            check_facts_xen(&facts->xen, "");
            check_facts_xl(&facts->xen);
        }
        check_facts_driver(facts, settings);
        check_facts_reach(facts, settings, REACH_LIMIT_MS);
        host_check(facts, report);
        if (options->json) {
            check_print_json(stdout, facts->node, report);
        } else {
            check_print_text(stdout, report, options->color);
        }
        code = report->problems == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    free(facts);
    free(report);
    return code;
}

int check_run(int argc, char **argv)
{
    struct check_options options = {0};
    struct agent_settings settings;
    char **others = calloc((size_t)argc + 1, sizeof *others);
    int count = 1;
    int code = 2;
    if (others == NULL) {
        return EXIT_FAILURE;
    }
    others[0] = argv[0];
    if (take_options(&options, argc, argv, others, &count) != 0) {
        code = 2;
    } else if (options.help) {
        code = fputs(help, stdout) >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    } else {
        int rc = agent_settings_read(&settings, count, others);
        code = rc < 0 ? 2 : rc > 0 ? EXIT_SUCCESS : look(&settings, &options);
    }
    free(others);
    return code;
}
