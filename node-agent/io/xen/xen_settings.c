// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/xen_settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_SIZE          64
#define RESERVE_CPU_MAX    100000  /* percent of one CPU */
#define RESERVE_MEMORY_MAX 1048576 /* MiB */
#define BALLOON_STILL_MAX  3600    /* s */

static bool parse_number(const char *text, uint32_t max, uint32_t *out)
{
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || value > max) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

static bool parse_tsc_mode(const char *text, enum xen_tsc_mode *out)
{
    static const char *const words[] = {"default", "native", "emulate"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = (enum xen_tsc_mode)i;
            return true;
        }
    }
    return false;
}

/* What is wrong with one "key=value"; NULL: nothing. */
static const char *take(char *pair, struct xen_settings *out)
{
    char *value = strchr(pair, '=');
    if (value == NULL) {
        return "is no KEY=VALUE";
    }
    *value++ = '\0';
    uint32_t number = 0;
    if (strcmp(pair, "tsc_mode") == 0) {
        return parse_tsc_mode(value, &out->tsc_mode) ? NULL
                                                     : "is one of default, native, emulate";
    }
    if (strcmp(pair, "reserve_cpu") == 0) {
        bool fine = parse_number(value, RESERVE_CPU_MAX, &out->reserve_cpu_pct);
        return fine ? NULL : "is a number of percent of one CPU";
    }
    if (strcmp(pair, "reserve_memory") == 0) {
        bool fine = parse_number(value, RESERVE_MEMORY_MAX, &number);
        out->reserve_memory_kib = UINT64_C(1024) * number;
        return fine ? NULL : "is a number of MiB";
    }
    if (strcmp(pair, "balloon_still") == 0) {
        bool fine = parse_number(value, BALLOON_STILL_MAX, &number) && number > 0;
        out->balloon_still_ms = (int64_t)number * 1000;
        return fine ? NULL : "is a number of seconds";
    }
    if (strcmp(pair, "migrate") == 0) {
        out->migrates = strcmp(value, "yes") == 0;
        return out->migrates || strcmp(value, "no") == 0 ? NULL : "is yes or no";
    }
    return "is none of tsc_mode, reserve_cpu, reserve_memory, balloon_still, migrate";
}

int xen_settings_parse(const char *text, struct xen_settings *out, struct err *err)
{
    struct xen_settings settings = {
        .reserve_cpu_pct = 25,
        .reserve_memory_kib = UINT64_C(64) * 1024,
        .balloon_still_ms = 15000,
    };
    char mistakes[ERR_TEXT_SIZE] = "";
    size_t length = 0;
    const char *at = text;
    while (*at != '\0') {
        char pair[WORD_SIZE];
        size_t size = strcspn(at, ",");
        (void)snprintf(pair, sizeof pair, "%.*s", (int)(size < WORD_SIZE ? size : WORD_SIZE),
                       at);
        at += size + (at[size] == ',' ? 1 : 0);
        const char *wrong = take(pair, &settings);
        if (wrong != NULL && length < sizeof mistakes) {
            int r = snprintf(mistakes + length, sizeof mistakes - length, "%s\"%s\" %s",
                             length > 0 ? "; " : "", pair, wrong);
            length += r > 0 ? (size_t)r : 0;
        }
    }
    if (length > 0) {
        return err_set(err, -EINVAL, "settings of the xen driver: %s", mistakes);
    }
    *out = settings;
    return 0;
}
