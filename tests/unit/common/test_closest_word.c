// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "common/closest_word.h"

static const char *closest(const char *wanted, const char *const *words)
{
    static struct closest_word found;
    closest_word_begin(&found, wanted);
    for (; *words != NULL; words++) {
        closest_word_offer(&found, *words);
    }
    return found.word;
}

static const char *const verbs[] = {"apply", "get", "set", "status", "stop", "start", NULL};

Test(closest_word, letter_left_out_added_or_wrong)
{
    cr_assert_str_eq(closest("aply", verbs), "apply");
    cr_assert_str_eq(closest("applyy", verbs), "apply");
    cr_assert_str_eq(closest("abply", verbs), "apply");
    cr_assert_str_eq(closest("status", verbs), "status");
}

Test(closest_word, swapped_neighbours_are_one_change)
{
    cr_assert_str_eq(closest("gte", verbs), "get");
    cr_assert_str_eq(closest("tsop", verbs), "stop");
}

Test(closest_word, beginning_of_a_word_is_close)
{
    cr_assert_str_eq(closest("stat", verbs), "start", "one letter is closer than two");
    cr_assert_str_eq(closest("app", verbs), "apply");
}

Test(closest_word, nothing_close_is_nothing)
{
    cr_assert_str_eq(closest("destroy", verbs), "");
    cr_assert_str_eq(closest("", verbs), "");
    cr_assert_str_eq(closest("xyz", verbs), "", "short words must be closer than long ones");
}

Test(closest_word, first_of_equals_stays)
{
    const char *const words[] = {"cat", "bat", NULL};
    cr_assert_str_eq(closest("rat", words), "cat");
}

Test(closest_word, words_over_the_limit_are_far_from_everything)
{
    const char *const words[] = {
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "short", NULL};
    cr_assert_str_eq(
        closest("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", words),
        "");
}

Test(closest_word, print_is_empty_or_a_question)
{
    char text[64];
    struct closest_word found;
    closest_word_begin(&found, "gett");
    closest_word_print(&found, text, sizeof text);
    cr_assert_str_eq(text, "");
    closest_word_offer(&found, "get");
    closest_word_print(&found, text, sizeof text);
    cr_assert_str_eq(text, "; did you mean \"get\"?");
}
