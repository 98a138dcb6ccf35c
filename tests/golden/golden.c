// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/golden.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/file.h"
#include "proto/text.h"
#include "proto/text_plain.h"

#define FOLDER         "tests/golden"
#define CASE_BYTES_MAX (256u << 10)
#define PATH_BYTES     512

static const char *playing = ""; /* the case */

_Noreturn void golden_wrong(const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cr_assert_fail("%s: %s", playing, text);
    abort();
}

/* ---- values ---- */

void golden_keys(const json_t *mapping, const char *keys)
{
    const char *key = NULL;
    json_t *value = NULL;
    if (!json_is_object(mapping)) {
        golden_wrong("expected a mapping with some of: %s", keys);
    }
    // NOLINTNEXTLINE(clang-diagnostic-cast-qual): jansson's loop wants it writable
    json_object_foreach((json_t *)(uintptr_t)mapping, key, value)
    {
        char list[512];
        char word[128];
        (void)snprintf(list, sizeof list, " %s ", keys);
        (void)snprintf(word, sizeof word, " %s ", key);
        if (strstr(list, word) == NULL) {
            golden_wrong("%s: unknown, there are: %s", key, keys);
        }
    }
}

/* One of a few buffers in turn, so that several stand in one printf. */
static char *next_buffer(void)
{
    static char buffers[16][128];
    static unsigned used;
    return buffers[used++ % 16];
}

const char *golden_text(const json_t *mapping, const char *key, const char *fallback)
{
    const json_t *value = json_object_get(mapping, key);
    if (value == NULL) {
        return fallback;
    }
    if (json_is_string(value)) {
        return json_string_value(value);
    }
    char *buffer = next_buffer();
    if (json_is_integer(value)) {
        (void)snprintf(buffer, 128, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        (void)snprintf(buffer, 128, "%g", json_real_value(value));
    } else {
        golden_wrong("%s: expected one value", key);
    }
    return buffer;
}

uint32_t golden_parse_cpu_pct(const char *word)
{
    uint32_t pct = 0;
    struct err err = {0};
    if (text_parse_cpu_pct(word, &pct, &err) != 0) {
        golden_wrong("%s", err.text);
    }
    return pct;
}

uint64_t golden_parse_kib(const char *word)
{
    uint64_t kib = 0;
    struct err err = {0};
    if (text_parse_size_kib(word, &kib, &err) != 0) {
        golden_wrong("%s", err.text);
    }
    return kib;
}

int64_t golden_parse_ms(const char *word)
{
    int64_t ms = 0;
    struct err err = {0};
    if (text_parse_duration_ms(word, &ms, &err) != 0) {
        golden_wrong("%s", err.text);
    }
    return ms;
}

uint32_t golden_cpu_pct(const json_t *mapping, const char *key, uint32_t fallback_pct)
{
    const char *word = golden_text(mapping, key, NULL);
    return word == NULL ? fallback_pct : golden_parse_cpu_pct(word);
}

uint64_t golden_memory_kib(const json_t *mapping, const char *key, uint64_t fallback_kib)
{
    const char *word = golden_text(mapping, key, NULL);
    return word == NULL ? fallback_kib : golden_parse_kib(word);
}

uint64_t golden_number(const json_t *mapping, const char *key, uint64_t fallback)
{
    const json_t *value = json_object_get(mapping, key);
    if (value != NULL && (!json_is_integer(value) || json_integer_value(value) < 0)) {
        golden_wrong("%s: expected a whole number", key);
    }
    return value == NULL ? fallback : (uint64_t)json_integer_value(value);
}

const json_t *golden_list(const json_t *mapping, const char *key)
{
    const json_t *value = json_object_get(mapping, key);
    if (value != NULL && !json_is_array(value) && !json_is_object(value)) {
        golden_wrong("%s: expected a list or a mapping", key);
    }
    return value;
}

int golden_has(const json_t *list, const char *word)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *has = json_string_value(json_array_get(list, i));
        if (has != NULL && strcmp(has, word) == 0) {
            return 1;
        }
    }
    return 0;
}

const char *golden_cpu(uint32_t pct)
{
    char *buffer = next_buffer();
    text_format_cpu(pct, buffer);
    return buffer;
}

const char *golden_memory(uint64_t kib)
{
    char *buffer = next_buffer();
    text_format_size(kib, buffer);
    return buffer;
}

/* ---- cases ---- */

/* Cuts the text after its first document; what is behind it. */
static const char *cut_situation(char *text)
{
    char *mark = strstr(text, "\n---\n");
    if (mark == NULL) {
        return "";
    }
    mark[1] = '\0';
    return mark + 5;
}

/* The outcome, which the caller frees. */
static char *play(const char *path, const char *name, void (*outcome)(struct golden_case *))
{
    char *text = NULL;
    size_t size = 0;
    struct err err = {0};
    playing = path;
    if (file_read(path, CASE_BYTES_MAX, &text, &size, &err) != 0) {
        golden_wrong("%s", err.text);
    }
    const char *objects = cut_situation(text);
    json_t *situation = NULL;
    if (text_plain_read(text, strlen(text), &situation, &err) != 0) {
        golden_wrong("%s", err.text);
    }
    char *result = NULL;
    size_t result_size = 0;
    struct golden_case it = {.name = name,
                             .situation = situation,
                             .objects = objects,
                             .out = open_memstream(&result, &result_size)};
    cr_assert_not_null(it.out);
    (void)fprintf(it.out, "%s\n\n", golden_text(situation, "about", "(without a sentence)"));
    outcome(&it);
    cr_assert_eq(fclose(it.out), 0);
    json_decref(situation);
    free(text);
    return result;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file, "%s cannot be written", path);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

/* How the golden file and the outcome differ; empty: they do not. */
static void differ(const char *golden, const char *actual, char *out, size_t size)
{
    char command[2 * PATH_BYTES + 128];
    char path[] = "/tmp/arbiter-golden-XXXXXX";
    const int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    FILE *file = fdopen(fd, "w");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(actual, file), 0);
    cr_assert_eq(fclose(file), 0);
    (void)snprintf(command, sizeof command,
                   "diff -u -N --label %s --label 'what came out' %s %s", golden, golden, path);
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    out[fread(out, 1, size - 1, pipe)] = '\0';
    const int status = pclose(pipe);
    (void)remove(path);
    cr_assert(status == 0 || out[0] != '\0', "diff does not run");
}

static int is_case(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot != NULL && strcmp(dot, ".yaml") == 0;
}

void golden_check(const char *planner, void (*outcome)(struct golden_case *))
{
    static char difference[65536];
    const char *write = getenv("ARBITER_GOLDEN_WRITE");
    char folder[PATH_BYTES];
    (void)snprintf(folder, sizeof folder, "%s/%s", FOLDER, planner);
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, is_case, alphasort);
    cr_assert_gt(count, 0, "%s has no cases; run from the top folder", folder);
    for (int i = 0; i < count; i++) {
        char name[PATH_BYTES / 2];
        char path[PATH_BYTES];
        char golden[PATH_BYTES];
        (void)snprintf(name, sizeof name, "%.200s", entries[i]->d_name);
        *strrchr(name, '.') = '\0';
        (void)snprintf(path, sizeof path, "%.200s/%.200s.yaml", folder, name);
        (void)snprintf(golden, sizeof golden, "%.200s/%.200s.txt", folder, name);
        char *actual = play(path, name, outcome);
        if (write != NULL && strcmp(write, "1") == 0) {
            write_file(golden, actual);
        }
        differ(golden, actual, difference, sizeof difference);
        cr_expect_str_empty(difference, "%s/%s is not what it was:\n%s", planner, name,
                            difference);
        free(actual);
        free(entries[i]);
    }
    free(entries);
}
