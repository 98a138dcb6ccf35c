// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>

#include "proto/text.h"

static void duration(const char *text, int rc, int64_t expected)
{
    struct err err = {0};
    int64_t value = -1;
    cr_assert_eq(text_parse_duration_ms(text, &value, &err), rc, "\"%s\"", text);
    cr_assert_eq(value, rc == 0 ? expected : -1, "\"%s\": %ld", text, value);
    cr_assert((rc == 0) == (err.text[0] == '\0'));
}

Test(text_parse, durations_need_a_unit_and_are_whole_milliseconds)
{
    duration("200ms", 0, 200);
    duration("60s", 0, 60000);
    duration("1.5s", 0, 1500);
    duration("5m", 0, 300000);
    duration("2h", 0, 7200000);
    duration("1d", 0, 86400000);
    duration("0s", 0, 0);
    const char *const refused[] = {"",
                                   "5",
                                   "s",
                                   "-5s",
                                   "5 s",
                                   "1.0001s",
                                   "5sec",
                                   "5s ",
                                   "1..5s",
                                   "0x10ms",
                                   "1e3ms",
                                   ".5s",
                                   "5.s",
                                   "1,5s",
                                   "99999999999999999999s",
                                   "9223372036854775808ms"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        duration(refused[i], -EINVAL, 0);
    }
}

static void size(const char *text, int rc, uint64_t expected)
{
    uint64_t value = 1;
    cr_assert_eq(text_parse_size_kib(text, &value, NULL), rc, "\"%s\"", text);
    cr_assert_eq(value, rc == 0 ? expected : 1, "\"%s\": %lu", text, value);
}

Test(text_parse, sizes_are_binary_and_whole_kib)
{
    size("512MiB", 0, 512 << 10);
    size("1GiB", 0, 1 << 20);
    size("1.5GiB", 0, 1536 << 10);
    size("4KiB", 0, 4);
    size("2TiB", 0, 2ull << 30);
    const char *const refused[] = {"1",     "1GB",   "1G",     "lots",
                                   "-1GiB", "1 GiB", "1gib",   "0.1KiB",
                                   "GiB",   "",      "1e3KiB", "18014398509481984TiB"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        size(refused[i], -EINVAL, 0);
    }
}

Test(text_parse, cpu_is_cores_or_percent)
{
    uint32_t pct = 0;
    cr_assert_eq(text_parse_cpu_pct("0.5", &pct, NULL), 0);
    cr_assert_eq(pct, 50);
    cr_assert_eq(text_parse_cpu_pct("50%", &pct, NULL), 0);
    cr_assert_eq(pct, 50);
    cr_assert_eq(text_parse_cpu_pct("2", &pct, NULL), 0);
    cr_assert_eq(pct, 200);
    cr_assert_eq(text_parse_cpu_pct("1.25", &pct, NULL), 0);
    cr_assert_eq(pct, 125);
    cr_assert_eq(text_parse_cpu_pct("0.555", &pct, NULL), -EINVAL);
    cr_assert_eq(text_parse_cpu_pct("50.5%", &pct, NULL), -EINVAL);
    cr_assert_eq(text_parse_cpu_pct("50 %", &pct, NULL), -EINVAL);
    cr_assert_eq(text_parse_cpu_pct("99999999", &pct, NULL), -EINVAL);
    cr_assert_eq(pct, 125);
}

Test(text_parse, shares_are_percent_or_a_fraction)
{
    uint32_t permille = 0;
    cr_assert_eq(text_parse_permille("95%", &permille, NULL), 0);
    cr_assert_eq(permille, 950);
    cr_assert_eq(text_parse_permille("0.95", &permille, NULL), 0);
    cr_assert_eq(permille, 950);
    cr_assert_eq(text_parse_permille("0.1%", &permille, NULL), 0);
    cr_assert_eq(permille, 1);
    cr_assert_eq(text_parse_permille("0.05%", &permille, NULL), -EINVAL);
}

static void instant(const char *text, int rc, int64_t expected)
{
    int64_t value = -1;
    cr_assert_eq(text_parse_time_ms(text, &value, NULL), rc, "\"%s\"", text);
    cr_assert_eq(value, rc == 0 ? expected : -1, "\"%s\": %ld", text, value);
}

Test(text_parse, instants_have_a_zone)
{
    instant("1970-01-01T00:00:00Z", 0, 0);
    instant("2026-11-24T18:00:00+01:00", 0, 1795539600000);
    instant("2026-11-24T17:00:00Z", 0, 1795539600000);
    instant("2026-11-24T12:30:00-04:30", 0, 1795539600000);
    instant("2024-02-29T00:00:00.250Z", 0, 1709164800250);
    instant("2000-03-01T00:00:00Z", 0, 951868800000);
    const char *const refused[] = {"2026-11-24T18:00:00",       "18:00:00",
                                   "2026-11-24 18:00:00Z",      "2026-02-29T00:00:00Z",
                                   "2026-13-01T00:00:00Z",      "2026-11-24T24:00:00Z",
                                   "2026-11-24T18:00:00+0100",  "2026-11-24T18:00:00Z ",
                                   "2026-11-24T18:00:00+24:00", "1969-12-31T23:59:59Z",
                                   "2026-11-31T00:00:00Z",      "2026-11-24T18:00:00.5Z"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        instant(refused[i], -EINVAL, 0);
    }
}

Test(text_parse, what_is_formatted_parses_to_the_same_value)
{
    static const int64_t durations[] = {0,     1,      999,     1000,    1500,     60000,
                                        90000, 120000, 3600000, 5400000, 86400000, 90000000};
    char text[32];
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        text_format_duration(durations[i], text);
        duration(text, 0, durations[i]);
    }
    for (uint64_t kib = 1; kib < 1ull << 40; kib = kib * 3 + 1) {
        text_format_size(kib, text);
        size(text, 0, kib);
        text_format_size(kib * 1024, text);
        size(text, 0, kib * 1024);
    }
    for (uint32_t pct = 0; pct < 1000; pct++) {
        uint32_t value = UINT32_MAX;
        text_format_cpu(pct, text);
        cr_assert_eq(text_parse_cpu_pct(text, &value, NULL), 0, "%s", text);
        cr_assert_eq(value, pct);
    }
}

Test(text_parse, short_forms_are_those_that_people_write)
{
    char text[32];
    text_format_duration(60000, text);
    cr_assert_str_eq(text, "60s");
    text_format_duration(7200000, text);
    cr_assert_str_eq(text, "2h");
    text_format_duration(-1500, text);
    cr_assert_str_eq(text, "-1500ms");
    text_format_size(1048576, text);
    cr_assert_str_eq(text, "1GiB");
    text_format_cpu(150, text);
    cr_assert_str_eq(text, "1.5");
    text_format_cpu(45, text);
    cr_assert_str_eq(text, "0.45");
}
