// SPDX-License-Identifier: Apache-2.0
/*
 * The error of a fallible function: a negative errno value as return, and here the text that a
 * person reads. Whoever knows more adds it in front with err_wrap(). A function that takes a
 * struct err * accepts NULL; the text is unchanged on success.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#define ERR_TEXT_SIZE 512

struct err {
    int code; /* negative errno value */
    char text[ERR_TEXT_SIZE];
};

/* Stores code and text, cut at the end of the buffer. Returns code. */
int err_set(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the text. Returns the code that err holds (-EINVAL for NULL). */
int err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
