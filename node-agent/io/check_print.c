// SPDX-License-Identifier: Apache-2.0
/* The report of "arbiter-agent check" for people and for scripts. */
#include <inttypes.h>
#include <string.h>

#include "node-agent/io/check.h"

static const char *sign(enum check_state state, bool color)
{
    switch (state) {
    case CHECK_OK: return color ? "\033[32mok     \033[0m" : "ok     ";
    case CHECK_NOTE: return color ? "\033[33mnote   \033[0m" : "note   ";
    case CHECK_PROBLEM: return color ? "\033[1;31mproblem\033[0m" : "problem";
    }
    return "";
}

void check_print_text(FILE *out, const struct host_report *report, bool color)
{
    for (uint32_t i = 0; i < report->count; i++) {
        const struct check_line *line = &report->lines[i];
        (void)fprintf(out, "%s  %-12s  %s\n", sign(line->state, color), line->name, line->text);
        if (line->action[0] != '\0') {
            (void)fprintf(out, "%23s  -> %s\n", "", line->action);
        }
    }
    if (report->problems == 0) {
        (void)fprintf(out, "This host is fit for Arbiter.\n");
    } else {
        (void)fprintf(out, "%" PRIu32 " problem%s.\n", report->problems,
                      report->problems == 1 ? "" : "s");
    }
}

/* Texts may hold what a hypervisor or a file said: control characters are escaped, bytes that
 * are not ASCII pass, as JSON is UTF-8. */
static void print_string(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\') {
            (void)fprintf(out, "\\%c", byte);
        } else if (byte < 0x20) {
            (void)fprintf(out, "\\u%04x", byte);
        } else {
            (void)fputc(byte, out);
        }
    }
    (void)fputc('"', out);
}

void check_print_json(FILE *out, const char *node, const struct host_report *report)
{
    (void)fprintf(out, "{\"node\": ");
    print_string(out, node);
    (void)fprintf(out, ", \"fit\": %s, \"problems\": %" PRIu32 ", \"checks\": [",
                  report->problems == 0 ? "true" : "false", report->problems);
    for (uint32_t i = 0; i < report->count; i++) {
        const struct check_line *line = &report->lines[i];
        (void)fprintf(out, "%s\n  {\"name\": ", i == 0 ? "" : ",");
        print_string(out, line->name);
        (void)fprintf(out, ", \"state\": \"%s\", \"text\": ", check_state_word(line->state));
        print_string(out, line->text);
        if (line->action[0] != '\0') {
            (void)fprintf(out, ", \"action\": ");
            print_string(out, line->action);
        }
        (void)fputc('}', out);
    }
    (void)fprintf(out, "\n]}\n");
}
