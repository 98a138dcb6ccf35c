// SPDX-License-Identifier: Apache-2.0
#include "common/io/log.h"

#include "common/io/clock.h"

#define SD_JOURNAL_SUPPRESS_LOCATION /* every line would name this file */
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 2048

const char *const log_level_words[] = {"error", "warn", "info", "debug", NULL};

/*
 * A log is of the process, like its standard error. Written once by log_init(), before other
 * threads start; the level may change later.
 */
struct log_state {
    char program[32];
    atomic_int level;
    bool to_journal;
};
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
static struct log_state state = {.program = "arbiter", .level = LOG_LEVEL_INFO};

/* JOURNAL_STREAM is inherited by children; it counts only if standard error is that very
 * stream. */
static bool stderr_is_journal(void)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): called once, before threads start
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0) {
        return false;
    }
    char expected[64];
    (void)snprintf(expected, sizeof expected, "%" PRIuMAX ":%" PRIuMAX,
                   (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, expected) == 0;
}

void log_init(const char *program, enum log_level level)
{
    (void)snprintf(state.program, sizeof state.program, "%s", program);
    atomic_store(&state.level, (int)level);
    state.to_journal = stderr_is_journal();
}

static void format_time(char out[32])
{
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL) {
        (void)snprintf(out, 32, "-");
        return;
    }
    char date[24];
    (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(out, 32, "%s.%03dZ", date, (int)(now_ms % 1000));
}

/* A value of logfmt: in quotes, one line, whatever a peer may have put into it. */
static void quote(const char *text, char *out, size_t size)
{
    size_t used = 0;
    out[used++] = '"';
    for (const char *p = text; *p != '\0' && used + 4 < size; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\') {
            out[used++] = '\\';
            out[used++] = *p;
        } else if (c == '\n') {
            out[used++] = '\\';
            out[used++] = 'n';
        } else {
            out[used] = *p;
            if (c < 0x20 || c == 0x7f) {
                out[used] = '?';
            }
            used++;
        }
    }
    out[used++] = '"';
    out[used] = '\0';
}

void log_line(enum log_level level, const char *format, ...)
{
    static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

    int index = (int)level;
    if (index < 0 || index > LOG_LEVEL_DEBUG || index > atomic_load(&state.level)) {
        return;
    }
    char text[LINE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (state.to_journal) {
        (void)sd_journal_print(priorities[index], "%s", text); /* nowhere to complain to */
        return;
    }
    char time_text[32];
    char quoted[LINE_BYTES + LINE_BYTES / 2];
    char line[sizeof quoted + 128];
    format_time(time_text);
    quote(text, quoted, sizeof quoted);
    int length = snprintf(line, sizeof line, "time=%s level=%s program=%s msg=%s\n", time_text,
                          log_level_words[index], state.program, quoted);
    if (length > 0) {
        size_t size = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
        /* One write per line: lines of several threads do not mix. */
        ssize_t wrote = write(STDERR_FILENO, line, size);
        (void)wrote; /* nowhere to complain to */
    }
}
