// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/settings.h"

struct target {
    char name[16];
    char first[16];
    char last[32];
    uint32_t count;
    uint32_t period_ms;
    uint64_t memory_kib;
    uint32_t cpu_pct;
    bool on;
    int word;
};

static const char *const words[] = {"low", "middle", "high", NULL};

#define AT(field)   offsetof(struct target, field)
#define TEXT(field) offsetof(struct target, field), sizeof((struct target *)0)->field

static const struct setting table[] = {
    {"name", SETTING_TEXT, TEXT(name), 0, 0, NULL, "a name"},
    {"addresses.first", SETTING_TEXT, TEXT(first), 0, 0, NULL, "first address"},
    {"addresses.last", SETTING_TEXT, TEXT(last), 0, 0, NULL, "last address"},
    {"count", SETTING_COUNT, AT(count), 0, 1, 100, NULL, "how many"},
    {"period", SETTING_DURATION, AT(period_ms), 0, 100, 3600000, NULL, "how often"},
    {"memory", SETTING_SIZE, AT(memory_kib), 0, 0, 0, NULL, "how much"},
    {"cpu", SETTING_CPU, AT(cpu_pct), 0, 0, 800, NULL, "how many CPUs"},
    {"on", SETTING_SWITCH, AT(on), 0, 0, 1, NULL, "whether"},
    {"level", SETTING_WORD, AT(word), 0, 0, 2, words, "how loud"},
};
#define COUNT (sizeof table / sizeof *table)

static struct text_mistakes *mistakes;
static struct target target;

static void set_up(void)
{
    mistakes = calloc(1, sizeof *mistakes);
    memset(&target, 0, sizeof target);
}

static void tear_down(void)
{
    free(mistakes);
}

TestSuite(settings, .init = set_up, .fini = tear_down, .timeout = 30);

static int read_text(const char *text)
{
    mistakes->count = 0;
    return settings_read(text, strlen(text), table, COUNT, &target, mistakes);
}

static void expect_mistake(size_t index, int line, int column, const char *path,
                           const char *part)
{
    cr_assert_lt(index, mistakes->count);
    const struct text_mistake *mistake = &mistakes->items[index];
    cr_expect_eq(mistake->line, line, "%s is in line %d", path, mistake->line);
    cr_expect_eq(mistake->column, column, "%s is in column %d", path, mistake->column);
    cr_expect_str_eq(mistake->path, path);
    cr_expect_not_null(strstr(mistake->text, part), "%s: %s", path, mistake->text);
}

Test(settings, every_kind_is_read_and_what_is_not_named_stays)
{
    target.count = 7;
    cr_assert_eq(read_text("name: xen1\n"
                           "addresses: {first: 10.0.0.1, last: \"10.0.0.9\"}\n"
                           "period: 2m\nmemory: 3GiB\ncpu: 1.5\non: true\nlevel: high\n"),
                 0, "%s", mistakes->items[0].text);
    cr_assert_str_eq(target.name, "xen1");
    cr_assert_str_eq(target.first, "10.0.0.1");
    cr_assert_str_eq(target.last, "10.0.0.9");
    cr_assert_eq(target.count, 7);
    cr_assert_eq(target.period_ms, 120000);
    cr_assert_eq(target.memory_kib, 3u << 20);
    cr_assert_eq(target.cpu_pct, 150);
    cr_assert(target.on);
    cr_assert_eq(target.word, 2);
}

Test(settings, five_mistakes_are_five_messages_with_their_places)
{
    cr_assert_eq(read_text("nam: xen1\n"
                           "count: 101\n"
                           "period: 2\n"
                           "addresses:\n"
                           "  frist: 10.0.0.1\n"
                           "level: loud\n"),
                 -EINVAL);
    cr_assert_eq(mistakes->count, 5);
    expect_mistake(0, 1, 1, "nam", "name");
    expect_mistake(1, 2, 8, "count", "1 to 100");
    expect_mistake(2, 3, 9, "period", "2");
    expect_mistake(3, 5, 3, "addresses.frist", "addresses.first");
    expect_mistake(4, 6, 8, "level", "low, middle, high");
}

Test(settings, an_empty_file_changes_nothing)
{
    cr_assert_eq(read_text(""), 0);
    cr_assert_eq(read_text("# nothing\n"), 0);
    cr_assert_eq(read_text("---\n"), 0);
}

Test(settings, what_is_no_mapping_of_values_is_refused)
{
    static const char *const texts[] = {
        "xen1\n",
        "- name\n",
        "name: [a, b]\n",
        "name: {a: b}\n",
        "name: &a x\ncount: *a\n",
        "name: \"x\n",
        "addresses: x\n",
        "a: {b: {c: {d: {e: 1}}}}\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_expect_eq(read_text(texts[i]), -EINVAL, "%s", texts[i]);
        cr_expect_gt(mistakes->count, 0);
    }
}

Test(settings, numbers_are_strict)
{
    static const char *const texts[] = {
        "count: 1x\n",
        "count: -1\n",
        "count: +1\n",
        "count: ' 1'\n",
        "count: 0\n",
        "count:\n",
        "cpu: 900%\n",
        "memory: 12\n",
        "on: yes\n",
        "period: 1ms\n",
        "count: 99999999999999999999\n",
        "period: 2h\n",
        "name: longer_than_fifteen\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_expect_eq(read_text(texts[i]), -EINVAL, "%s", texts[i]);
        cr_expect_eq(mistakes->count, 1, "%s", texts[i]);
    }
}

Test(settings, a_key_that_comes_twice_is_a_mistake)
{
    cr_assert_eq(read_text("count: 1\nname: x\ncount: 2\n"), -EINVAL);
    cr_assert_eq(mistakes->count, 1);
    expect_mistake(0, 3, 1, "count", "twice");
}

Test(settings, one_field_is_set_by_its_path)
{
    struct err err = {0};
    cr_assert_eq(settings_set(table, COUNT, &target, "addresses.last", "10.0.0.7", &err), 0);
    cr_assert_str_eq(target.last, "10.0.0.7");
    cr_assert_neq(settings_set(table, COUNT, &target, "addresses.lats", "x", &err), 0);
    cr_assert_not_null(strstr(err.text, "addresses.last"), "%s", err.text);
    cr_assert_neq(settings_set(table, COUNT, &target, "count", "1000", &err), 0);
    cr_assert_not_null(strstr(err.text, "count"), "%s", err.text);
    cr_assert_neq(settings_set(table, COUNT, &target, "addresses", "x", &err), 0);
}

Test(settings, what_is_printed_is_read_again)
{
    target = (struct target){.name = "a \"b\" \\c",
                             .first = "x: #y",
                             .last = "",
                             .count = 42,
                             .period_ms = 90000,
                             .memory_kib = 24u << 10,
                             .cpu_pct = 250,
                             .on = true,
                             .word = 1};
    struct target written = target;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    settings_print(out, table, COUNT, &target);
    cr_assert_eq(fclose(out), 0);
    memset(&target, 0, sizeof target);
    cr_assert_eq(read_text(text), 0, "%s in:\n%s", mistakes->items[0].text, text);
    cr_assert_str_eq(target.name, written.name);
    cr_assert_str_eq(target.first, written.first);
    cr_assert_str_eq(target.last, written.last);
    cr_assert_eq(target.count, written.count);
    cr_assert_eq(target.period_ms, written.period_ms);
    cr_assert_eq(target.memory_kib, written.memory_kib);
    cr_assert_eq(target.cpu_pct, written.cpu_pct);
    cr_assert_eq(target.on, written.on);
    cr_assert_eq(target.word, written.word);
    free(text);
}
