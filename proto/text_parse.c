// SPDX-License-Identifier: Apache-2.0
/* Strict parsers of single values, and their inverse. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "proto/text.h"

#define MS_PER_S      1000
#define MS_PER_MINUTE 60000
#define MS_PER_DAY    86400000

struct unit {
    const char *word;
    uint64_t factor;
};

/* A decimal number without sign or exponent, times factor, exactly. Returns where it ended;
 * NULL when there was no number, it is not whole after the multiplication, or it is too large.
 */
static const char *parse_decimal(const char *text, uint64_t factor, uint64_t *out)
{
    uint64_t whole = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(whole, 10u, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(*at - '0'), &whole)) {
            return NULL;
        }
    }
    if (at == text || __builtin_mul_overflow(whole, factor, &whole)) {
        return NULL;
    }
    if (*at == '.') {
        uint64_t digits = 0;
        uint64_t scale = 1;
        const char *first = ++at;
        for (; *at >= '0' && *at <= '9' && at - first < 9; at++) {
            digits = digits * 10 + (uint64_t)(*at - '0');
            scale *= 10;
        }
        uint64_t part = 0;
        bool exact =
            at != first && !__builtin_mul_overflow(digits, factor, &part) && part % scale == 0;
        if (!exact || __builtin_add_overflow(whole, part / scale, &whole)) {
            return NULL;
        }
    }
    *out = whole;
    return at;
}

/* A number directly followed by one of the units. */
static bool parse_with_unit(const char *text, const struct unit *units, uint64_t *out)
{
    const char *suffix = text + strspn(text, "0123456789.");
    for (const struct unit *unit = units; unit->word != NULL; unit++) {
        if (strcmp(suffix, unit->word) == 0) {
            uint64_t value = 0;
            const char *end = parse_decimal(text, unit->factor, &value);
            if (end != suffix) {
                return false;
            }
            *out = value;
            return true;
        }
    }
    return false;
}

int text_parse_duration_ms(const char *text, int64_t *out, struct err *err)
{
    static const struct unit units[] = {{"ms", 1},      {"s", MS_PER_S},   {"m", MS_PER_MINUTE},
                                        {"h", 3600000}, {"d", MS_PER_DAY}, {NULL, 0}};
    uint64_t value = 0;
    if (!parse_with_unit(text, units, &value) || value > INT64_MAX) {
        return err_set(err, -EINVAL, "expected a time such as 200ms, 60s, 5m or 2h, got \"%s\"",
                       text);
    }
    *out = (int64_t)value;
    return 0;
}

int text_parse_size_kib(const char *text, uint64_t *out, struct err *err)
{
    static const struct unit units[] = {
        {"KiB", 1}, {"MiB", 1ull << 10}, {"GiB", 1ull << 20}, {"TiB", 1ull << 30}, {NULL, 0}};
    if (!parse_with_unit(text, units, out)) {
        return err_set(err, -EINVAL, "expected a size such as 512MiB or 1GiB, got \"%s\"",
                       text);
    }
    return 0;
}

int text_parse_cpu_pct(const char *text, uint32_t *out, struct err *err)
{
    static const struct unit units[] = {{"", 100}, {"%", 1}, {NULL, 0}};
    uint64_t value = 0;
    if (!parse_with_unit(text, units, &value) || value > UINT32_MAX) {
        return err_set(err, -EINVAL,
                       "expected CPUs such as 0.5 or 50%%, in steps of 1%%, got \"%s\"", text);
    }
    *out = (uint32_t)value;
    return 0;
}

int text_parse_permille(const char *text, uint32_t *out, struct err *err)
{
    static const struct unit units[] = {{"", 1000}, {"%", 10}, {NULL, 0}};
    uint64_t value = 0;
    if (!parse_with_unit(text, units, &value) || value > UINT32_MAX) {
        return err_set(err, -EINVAL,
                       "expected a share such as 95%% or 0.95, in steps of 0.1%%, got \"%s\"",
                       text);
    }
    *out = (uint32_t)value;
    return 0;
}

/* Exactly count digits. */
static bool parse_digits(const char **text, int count, int *out)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9') {
            return false;
        }
        value = value * 10 + (**text - '0');
    }
    *out = value;
    return true;
}

static bool parse_character(const char **text, char wanted)
{
    if (**text != wanted) {
        return false;
    }
    (*text)++;
    return true;
}

/* Days since 1970-01-01 of the Gregorian calendar; years begin in March, so that a leap day
 * comes last (algorithm of Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool parse_date(const char **text, int64_t *days)
{
    int year = 0;
    int month = 0;
    int day = 0;
    bool ok = parse_digits(text, 4, &year) && parse_character(text, '-') &&
              parse_digits(text, 2, &month) && parse_character(text, '-') &&
              parse_digits(text, 2, &day);
    if (!ok || year < 1970 || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month)) {
        return false;
    }
    *days = days_of(year, month, day);
    return true;
}

static bool parse_clock(const char **text, int64_t *ms)
{
    int hour = 0;
    int minute = 0;
    int second = 0;
    bool ok = parse_digits(text, 2, &hour) && parse_character(text, ':') &&
              parse_digits(text, 2, &minute) && parse_character(text, ':') &&
              parse_digits(text, 2, &second);
    if (!ok || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    *ms = (int64_t)((hour * 60 + minute) * 60 + second) * MS_PER_S;
    if (!parse_character(text, '.')) {
        return true;
    }
    int fraction = 0;
    if (!parse_digits(text, 3, &fraction)) {
        return false;
    }
    *ms += fraction;
    return true;
}

/* "Z", "+01:00": milliseconds east of Greenwich. */
static bool parse_zone(const char **text, int64_t *ms)
{
    *ms = 0;
    if (parse_character(text, 'Z')) {
        return true;
    }
    bool west = **text == '-';
    int hour = 0;
    int minute = 0;
    bool ok = (parse_character(text, '+') || parse_character(text, '-')) &&
              parse_digits(text, 2, &hour) && parse_character(text, ':') &&
              parse_digits(text, 2, &minute) && hour < 24 && minute < 60;
    *ms = (int64_t)(hour * 60 + minute) * 60 * MS_PER_S * (west ? -1 : 1);
    return ok;
}

int text_parse_time_ms(const char *text, int64_t *out, struct err *err)
{
    const char *at = text;
    int64_t days = 0;
    int64_t clock = 0;
    int64_t zone = 0;
    if (!parse_date(&at, &days) || !parse_character(&at, 'T') || !parse_clock(&at, &clock) ||
        !parse_zone(&at, &zone) || *at != '\0') {
        return err_set(
            err, -EINVAL,
            "expected a time with zone such as 2026-11-24T18:00:00+01:00, got \"%s\"", text);
    }
    *out = days * MS_PER_DAY + clock - zone;
    return 0;
}

void text_format_duration(int64_t ms, char out[32])
{
    static const struct unit units[] = {
        {"d", MS_PER_DAY}, {"h", 3600000}, {"m", MS_PER_MINUTE}, {"s", MS_PER_S}, {"ms", 1}};
    uint64_t amount = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    size_t i = 0;
    while (units[i].factor > 1 && (amount % units[i].factor != 0 || amount == 0)) {
        i++;
    }
    if (amount == MS_PER_MINUTE) {
        i++; /* "60s" is how people write a minute here */
    }
    const char *word = amount == 0 ? "s" : units[i].word;
    (void)snprintf(out, 32, "%s%" PRIu64 "%s", ms < 0 ? "-" : "", amount / units[i].factor,
                   word);
}

void text_format_size(uint64_t kib, char out[32])
{
    static const struct unit units[] = {
        {"TiB", 1ull << 30}, {"GiB", 1ull << 20}, {"MiB", 1ull << 10}, {"KiB", 1}};
    size_t i = 0;
    while (units[i].factor > 1 && (kib % units[i].factor != 0 || kib == 0)) {
        i++;
    }
    (void)snprintf(out, 32, "%" PRIu64 "%s", kib / units[i].factor, units[i].word);
}

void text_format_cpu(uint32_t pct, char out[32])
{
    uint32_t whole = pct / 100;
    uint32_t part = pct % 100;
    if (part == 0) {
        (void)snprintf(out, 32, "%u", whole);
    } else if (part % 10 == 0) {
        (void)snprintf(out, 32, "%u.%u", whole, part / 10);
    } else {
        (void)snprintf(out, 32, "%u.%02u", whole, part);
    }
}
