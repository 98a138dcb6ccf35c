// SPDX-License-Identifier: Apache-2.0
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *format, ...)
{
    if (err == NULL) {
        return code;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    err->code = code;
    return code;
}

int err_wrap(struct err *err, const char *format, ...)
{
    if (err == NULL) {
        return -EINVAL;
    }
    char old[ERR_TEXT_SIZE];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (used < 0 || (size_t)used >= sizeof err->text) {
        return err->code;
    }
    static const char between[] = ": ";
    size_t at = (size_t)used;
    for (size_t i = 0; i + 1 < sizeof between && at + 1 < sizeof err->text; i++) {
        err->text[at++] = between[i];
    }
    size_t room = sizeof err->text - 1 - at;
    size_t length = strnlen(old, sizeof old - 1);
    length = length < room ? length : room;
    memcpy(err->text + at, old, length);
    err->text[at + length] = '\0';
    return err->code;
}
