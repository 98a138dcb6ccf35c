// SPDX-License-Identifier: Apache-2.0
#include "common/io/keyring_file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/io/file.h"
#include "common/io/scope.h"

#define BLANKS " \t\r"

/* One line that holds a key, and where it stands. */
struct key_line {
    struct principal principal;
    int line;
};

/* What is found while reading; mistakes are collected, so that one run shows all of them. */
struct reading {
    const char *path;
    struct key_line *entries;
    size_t count;
    size_t mistakes;
    size_t shown;
    struct err text;
};

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

/* [a-z0-9]([a-z0-9.-]*[a-z0-9])?, as names of objects. */
static bool is_name(const char *name)
{
    size_t size = strnlen(name, NAME_SIZE);
    if (size == 0 || size == NAME_SIZE) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        bool is_edge = i == 0 || i == size - 1;
        if (!is_name_character(name[i]) || (is_edge && (name[i] == '.' || name[i] == '-'))) {
            return false;
        }
    }
    return true;
}

int principal_check(const struct principal *principal, struct err *err)
{
    if (!is_name(principal->name)) {
        return err_set(
            err, -EINVAL,
            "a name has up to %d of a-z 0-9 . - and starts and ends with a letter or "
            "digit, got \"%.63s\"",
            NAME_SIZE - 1, principal->name);
    }
    if (principal->role <= ROLE_UNSPECIFIED || (int)principal->role >= ROLE_COUNT) {
        return err_set(err, -EINVAL, "a role is administrator, provider, observer or agent");
    }
    return key_public_check(principal->public_text, err);
}

static void add_mistake(struct reading *reading, int line, const struct err *mistake)
{
    reading->mistakes++;
    size_t used = strlen(reading->text.text);
    size_t space = sizeof reading->text.text - used;
    char row[ERR_TEXT_SIZE + 64];
    int length = snprintf(row, sizeof row, "%s%s:%d: %s", used > 0 ? "\n" : "", reading->path,
                          line, mistake->text);
    /* Whole lines only, and room for the sentence that counts the rest. */
    if (length > 0 && (size_t)length + 32 < space) {
        memcpy(reading->text.text + used, row, (size_t)length + 1);
        reading->shown++;
    }
}

/* Splits "name role key [# comment]"; returns false for what is no entry at all. */
static int parse_line(char *line, struct principal *out, struct err *err)
{
    char *rest = line;
    const char *fields[4] = {NULL};
    size_t count = 0;
    for (char *field = strsep(&rest, BLANKS); field != NULL; field = strsep(&rest, BLANKS)) {
        if (*field == '\0') {
            continue;
        }
        if (count == 3) {
            fields[count++] = field;
            break;
        }
        fields[count++] = field;
    }
    if (count < 3 || (count == 4 && fields[3][0] != '#')) {
        return err_set(err, -EINVAL, "expected \"name role public-key\"");
    }
    memset(out, 0, sizeof *out);
    if (strlen(fields[0]) >= sizeof out->name || strlen(fields[2]) != KEY_TEXT_SIZE - 1) {
        return err_set(err, -EINVAL,
                       "expected a name of up to %d characters and a public key of 40",
                       NAME_SIZE - 1);
    }
    memcpy(out->name, fields[0], strlen(fields[0]) + 1);
    memcpy(out->public_text, fields[2], KEY_TEXT_SIZE);
    out->role = role_from_word(fields[1]);
    if (out->role == ROLE_UNSPECIFIED) {
        return err_set(err, -EINVAL,
                       "\"%.32s\" is no role; there are administrator, provider, observer and "
                       "agent",
                       fields[1]);
    }
    return principal_check(out, err);
}

static void parse_all(struct reading *reading, char *text)
{
    char *rest = text;
    int number = 0;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        number++;
        const char *start = line + strspn(line, BLANKS);
        if (*start == '\0' || *start == '#') {
            continue;
        }
        struct err mistake = {0};
        if (reading->count == KEYRING_PRINCIPALS_MAX) {
            (void)err_set(&mistake, -EINVAL, "more than %d keys", KEYRING_PRINCIPALS_MAX);
            add_mistake(reading, number, &mistake);
            return;
        }
        struct key_line *entry = &reading->entries[reading->count];
        if (parse_line(line, &entry->principal, &mistake) != 0) {
            add_mistake(reading, number, &mistake);
        } else {
            entry->line = number;
            reading->count++;
        }
    }
}

static int by_key(const void *left, const void *right)
{
    const struct key_line *a = left;
    const struct key_line *b = right;
    int order = strcmp(a->principal.public_text, b->principal.public_text);
    return order != 0 ? order : a->line - b->line;
}

static int by_name(const void *left, const void *right)
{
    const struct key_line *a = left;
    const struct key_line *b = right;
    int order = strcmp(a->principal.name, b->principal.name);
    return order != 0 ? order : a->line - b->line;
}

static int by_line(const void *left, const void *right)
{
    const struct key_line *a = left;
    const struct key_line *b = right;
    return a->line - b->line;
}

/* A key belongs to one line; a name has one role, whatever number of keys. */
static void check_pairs(struct reading *reading)
{
    struct err mistake = {0};
    qsort(reading->entries, reading->count, sizeof *reading->entries, by_key);
    for (size_t i = 1; i < reading->count; i++) {
        const struct key_line *before = &reading->entries[i - 1];
        const struct key_line *entry = &reading->entries[i];
        if (strcmp(before->principal.public_text, entry->principal.public_text) == 0) {
            (void)err_set(&mistake, -EINVAL, "the same public key as in line %d", before->line);
            add_mistake(reading, entry->line, &mistake);
        }
    }
    qsort(reading->entries, reading->count, sizeof *reading->entries, by_name);
    for (size_t i = 1; i < reading->count; i++) {
        const struct key_line *before = &reading->entries[i - 1];
        const struct key_line *entry = &reading->entries[i];
        if (strcmp(before->principal.name, entry->principal.name) == 0 &&
            before->principal.role != entry->principal.role) {
            (void)err_set(&mistake, -EINVAL, "%s is %s here and %s in line %d",
                          entry->principal.name, role_word(entry->principal.role),
                          role_word(before->principal.role), before->line);
            add_mistake(reading, entry->line, &mistake);
        }
    }
    qsort(reading->entries, reading->count, sizeof *reading->entries, by_line);
}

static size_t count_lines(const char *text)
{
    size_t lines = 1;
    for (const char *p = strchr(text, '\n'); p != NULL; p = strchr(p + 1, '\n')) {
        lines++;
    }
    return lines;
}

/* Parses and checks; what was found goes to reading->entries. */
static int read_entries(struct reading *reading, char *text, struct err *err)
{
    parse_all(reading, text);
    check_pairs(reading);
    if (reading->mistakes == 0) {
        return 0;
    }
    size_t more = reading->mistakes - reading->shown;
    return more == 0 ? err_set(err, -EINVAL, "%s", reading->text.text)
                     : err_set(err, -EINVAL, "%s\nand %zu more", reading->text.text, more);
}

static int parse_text(struct reading *reading, char *text, struct principal **list,
                      struct err *err)
{
    size_t lines = count_lines(text);
    reading->entries = calloc(lines, sizeof *reading->entries);
    struct principal *principals = calloc(lines, sizeof *principals);
    int rc = -ENOMEM;
    if (reading->entries == NULL || principals == NULL) {
        (void)err_set(err, rc, "%s: out of memory", reading->path);
    } else {
        rc = read_entries(reading, text, err);
    }
    if (rc != 0) {
        free(principals);
        return rc;
    }
    for (size_t i = 0; i < reading->count; i++) {
        principals[i] = reading->entries[i].principal;
    }
    *list = principals;
    return 0;
}

int keyring_file_read(const char *path, struct principal **list, size_t *count, struct err *err)
{
    SCOPE_FREE char *text = NULL;
    size_t size = 0;
    int rc = file_read(path, KEYRING_BYTES_MAX, &text, &size, err);
    if (rc != 0) {
        return rc;
    }
    if (strlen(text) != size) {
        return err_set(err, -EINVAL, "%s: holds a NUL byte", path);
    }
    struct reading reading = {.path = path};
    rc = parse_text(&reading, text, list, err);
    free(reading.entries);
    if (rc == 0) {
        *count = reading.count;
    }
    return rc;
}
