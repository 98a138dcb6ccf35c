// SPDX-License-Identifier: Apache-2.0
/*
 * One event, one line. To the journal when run by systemd, else logfmt on standard error. The
 * message is readable without its fields.
 */
#ifndef COMMON_IO_LOG_H
#define COMMON_IO_LOG_H

enum log_level {
    LOG_LEVEL_ERROR = 0, /* someone must act */
    LOG_LEVEL_WARN = 1,  /* we coped */
    LOG_LEVEL_INFO = 2,  /* state changed */
    LOG_LEVEL_DEBUG = 3,
};

/* By level, ended by NULL. */
extern const char *const log_level_words[];

void log_init(const char *program, enum log_level level);
void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
