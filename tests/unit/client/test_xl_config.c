// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/client/xl_config.h"

static struct xl_config *config;
static struct xl_messages *messages;

static void begin(void)
{
    config = calloc(1, sizeof *config);
    messages = calloc(1, sizeof *messages);
}
static void end(void)
{
    free(config);
    free(messages);
}
TestSuite(xl_config, .init = begin, .fini = end, .timeout = 20);

static int parse(const char *text)
{
    return xl_config_parse(text, strlen(text), config, messages);
}

static const char *text_of(const char *name)
{
    const struct xl_setting *setting = xl_config_find(config, name);
    cr_assert_not_null(setting, "%s", name);
    const struct xl_value *value = xl_config_value(config, setting);
    cr_assert_eq(value->kind, XL_STRING);
    return xl_config_text(config, value);
}

static bool told(int line, const char *part)
{
    for (uint32_t i = 0; i < messages->count; i++) {
        if (messages->items[i].line == line && strstr(messages->items[i].text, part) != NULL) {
            return true;
        }
    }
    return false;
}

Test(xl_config, strings_numbers_and_comments_are_read)
{
    cr_assert_eq(parse("# a guest\nname = \"web\" # inside\nmemory=512;vcpus = 0x2\n"
                       "extra = 'a \"b\" # no comment'"),
                 0);
    cr_assert_str_eq(text_of("name"), "web");
    cr_assert_str_eq(text_of("memory"), "512");
    cr_assert_str_eq(text_of("vcpus"), "0x2");
    cr_assert_str_eq(text_of("extra"), "a \"b\" # no comment");
    cr_assert_eq(xl_config_find(config, "name")->line, 2);
    cr_assert_eq(xl_config_find(config, "vcpus")->line, 3);
}

Test(xl_config, escapes_are_those_of_c)
{
    cr_assert_eq(parse("a = 'x\\\\y\\'z\\x41\\102\\t'"), 0);
    cr_assert_str_eq(text_of("a"), "x\\y'zAB\t");
}

Test(xl_config, lists_go_over_lines_and_into_lists)
{
    cr_assert_eq(parse("disk = [\n 'one', # first\n\n [ 'two', [] ,3, ],\n]\nname='n'"), 0);
    const struct xl_value *list = xl_config_value(config, xl_config_find(config, "disk"));
    cr_assert_eq(list->kind, XL_LIST);
    const struct xl_value *one = xl_config_first(config, list);
    cr_assert_str_eq(xl_config_text(config, one), "one");
    cr_assert_eq(one->line, 2);
    const struct xl_value *two = xl_config_next(config, one);
    cr_assert_eq(two->kind, XL_LIST);
    cr_assert_eq(two->line, 4);
    cr_assert_null(xl_config_next(config, two));
    const struct xl_value *inner = xl_config_first(config, two);
    cr_assert_str_eq(xl_config_text(config, inner), "two");
    inner = xl_config_next(config, inner);
    cr_assert_eq(inner->kind, XL_LIST);
    cr_assert_null(xl_config_first(config, inner));
    inner = xl_config_next(config, inner);
    cr_assert_str_eq(xl_config_text(config, inner), "3");
    cr_assert_str_eq(text_of("name"), "n");
}

Test(xl_config, an_empty_file_has_no_settings)
{
    cr_assert_eq(parse(""), 0);
    cr_assert_eq(parse("\n\n# nothing\n;;\n"), 0);
    cr_assert_eq(config->settings_count, 0);
}

Test(xl_config, plus_equals_adds_strings_and_lists)
{
    cr_assert_eq(parse("extra='a'\nextra += ' b'\nvif=['x']\nvif+=['y']\nvif+=[]\nnew+='n'"),
                 0);
    cr_assert_str_eq(text_of("extra"), "a b");
    cr_assert_str_eq(text_of("new"), "n");
    const struct xl_value *value =
        xl_config_first(config, xl_config_value(config, xl_config_find(config, "vif")));
    cr_assert_str_eq(xl_config_text(config, value), "x");
    value = xl_config_next(config, value);
    cr_assert_str_eq(xl_config_text(config, value), "y");
    cr_assert_null(xl_config_next(config, value));
}

Test(xl_config, the_later_of_two_counts_and_that_is_told)
{
    cr_assert_eq(parse("memory=1\nmemory=2"), 0);
    cr_assert_str_eq(text_of("memory"), "2");
    cr_assert(told(2, "line 1"));
    cr_assert_eq(messages->mistakes, 0);
}

Test(xl_config, every_mistake_is_told_with_its_line)
{
    cr_assert_lt(parse("name = web\n"         /* 1: no quotes */
                       "memory = \n"          /* 2: no value */
                       "vcpus 2\n"            /* 3: no = */
                       "Name = 'x'\n"         /* 4: capital */
                       "extra = 'no end\n"    /* 5 */
                       "disk = [ 'a' 'b' ]\n" /* 6: no comma */
                       "good = 1\n"           /* 7 */
                       "cap = 1 2\n"          /* 8: more behind */
                       "root = '\\q'\n"       /* 9: escape */
                       "vif = [ 'a',\n"),     /* 10: no end */
                 0);
    cr_assert_eq(messages->mistakes, 9, "%u", messages->mistakes);
    cr_assert(told(1, "quotes"));
    cr_assert(told(2, "missing"));
    cr_assert(told(3, "\"=\""));
    cr_assert(told(4, "small letters"));
    cr_assert(told(5, "no end"));
    cr_assert(told(6, "\",\""));
    cr_assert(told(8, "behind"));
    cr_assert(told(9, "escape"));
    cr_assert_str_eq(text_of("good"), "1");
}

Test(xl_config, python_of_xm_is_named)
{
    cr_assert_lt(parse("import os\narch = os.uname()[4]\nname = 'x'\n"), 0);
    cr_assert(told(2, "Python"));
    cr_assert_str_eq(text_of("name"), "x");
}

Test(xl_config, lists_too_deep_and_values_too_many_are_mistakes)
{
    cr_assert_lt(parse("a = [[[[[[[[[ 1 ]]]]]]]]]\nb = 2"), 0);
    cr_assert(told(1, "deep"));
    cr_assert_str_eq(text_of("b"), "2");
    char *many = malloc(3 * (XL_VALUES_MAX + 10) + 16);
    char *at = many + sprintf(many, "a = [");
    for (unsigned i = 0; i < XL_VALUES_MAX + 5; i++) {
        at += sprintf(at, "1,");
    }
    (void)sprintf(at, "]");
    memset(messages, 0, sizeof *messages);
    cr_assert_lt(parse(many), 0);
    cr_assert(told(1, "more values"));
    free(many);
}

Test(xl_config, more_text_than_fits_is_a_mistake)
{
    char *large = malloc(XL_TEXT_MAX + 32);
    memset(large, 'x', XL_TEXT_MAX + 31);
    memcpy(large, "a = '", 5);
    large[XL_TEXT_MAX + 10] = '\'';
    large[XL_TEXT_MAX + 11] = '\0';
    cr_assert_lt(parse(large), 0);
    cr_assert(told(1, "bytes of text"));
    free(large);
    cr_assert_lt(xl_config_parse("", XL_BYTES_MAX + 1, config, messages), 0);
}
