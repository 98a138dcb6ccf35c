// SPDX-License-Identifier: Apache-2.0
/* Enrolling and revoking: changes of a keyring file that keep its comments and order. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/io/file.h"
#include "common/io/keyring_file.h"
#include "common/io/scope.h"

#define KEYRING_MODE 0644 /* public keys only */
#define LINE_SIZE    (NAME_SIZE + KEY_TEXT_SIZE + 32)

static int check_new(const char *path, const struct principal *list, size_t count,
                     const struct principal *principal, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].public_text, principal->public_text) == 0) {
            return err_set(err, -EEXIST, "%s: this public key is enrolled already, as %s %s",
                           path, role_word(list[i].role), list[i].name);
        }
        if (strcmp(list[i].name, principal->name) == 0 && list[i].role != principal->role) {
            return err_set(err, -EINVAL, "%s: %s is enrolled as %s, not as %s", path,
                           principal->name, role_word(list[i].role),
                           role_word(principal->role));
        }
    }
    return count < KEYRING_PRINCIPALS_MAX
               ? 0
               : err_set(err, -ENOSPC, "%s: the keyring is full", path);
}

/* Writes the old text and a line more. */
static int append_line(const char *path, const char *text, size_t size,
                       const struct principal *principal, struct err *err)
{
    char *longer = malloc(size + LINE_SIZE);
    if (longer == NULL) {
        return err_set(err, -ENOMEM, "%s: out of memory", path);
    }
    memcpy(longer, text, size);
    bool needs_newline = size > 0 && text[size - 1] != '\n';
    int added = snprintf(longer + size, LINE_SIZE, "%s%s %s %s\n", needs_newline ? "\n" : "",
                         principal->name, role_word(principal->role), principal->public_text);
    int rc = file_replace(path, longer, size + (size_t)added, KEYRING_MODE, err);
    free(longer);
    return rc;
}

int keyring_file_enrol(const char *path, const struct principal *principal, struct err *err)
{
    int rc = principal_check(principal, err);
    if (rc != 0) {
        return rc;
    }
    SCOPE_CLOSE int lock = file_lock_folder(path, err);
    if (lock < 0) {
        return lock;
    }
    SCOPE_FREE char *text = NULL;
    SCOPE_FREE struct principal *list = NULL;
    size_t size = 0;
    size_t count = 0;
    rc = file_read(path, KEYRING_BYTES_MAX, &text, &size, err);
    if (rc == -ENOENT) {
        /* The first key makes the file. */
        return append_line(path, "", 0, principal, err);
    }
    if (rc == 0) {
        rc = keyring_file_read(path, &list, &count, err);
    }
    if (rc == 0) {
        rc = check_new(path, list, count, principal, err);
    }
    return rc == 0 ? append_line(path, text, size, principal, err) : rc;
}

/* Is this line, up to its newline, an entry of that name? */
static bool is_entry_of(const char *line, const char *name)
{
    line += strspn(line, " \t");
    size_t size = strlen(name);
    return strncmp(line, name, size) == 0 && (line[size] == ' ' || line[size] == '\t');
}

/* Takes the lines of a name out; returns the new size. */
static size_t remove_lines(char *text, size_t size, const char *name)
{
    size_t kept = 0;
    for (size_t at = 0; at < size;) {
        const char *newline = memchr(text + at, '\n', size - at);
        size_t line_size = newline != NULL ? (size_t)(newline - (text + at)) + 1 : size - at;
        if (!is_entry_of(text + at, name)) {
            memmove(text + kept, text + at, line_size);
            kept += line_size;
        }
        at += line_size;
    }
    return kept;
}

int keyring_file_revoke(const char *path, const char *name, struct err *err)
{
    SCOPE_CLOSE int lock = file_lock_folder(path, err);
    if (lock < 0) {
        return lock;
    }
    SCOPE_FREE char *text = NULL;
    size_t size = 0;
    int rc = file_read(path, KEYRING_BYTES_MAX, &text, &size, err);
    if (rc != 0) {
        return rc;
    }
    /* Not parsed first: a mistake elsewhere in the file must not keep a stolen key alive. */
    size_t kept = remove_lines(text, size, name);
    if (kept == size) {
        return err_set(err, -ENOENT, "%s: no key of %s", path, name);
    }
    return file_replace(path, text, kept, KEYRING_MODE, err);
}
