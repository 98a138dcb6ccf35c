// SPDX-License-Identifier: Apache-2.0
/* The model of a service: what it predicts for x at an allocation. */
#include <math.h>
#include <string.h>

#include "orchestrator/client/problem_fields.h"
#include "schedulers/model.h"

enum { KIND, DEMAND, A, B, CAPS, XS, FIELDS };

static const struct problem_field fields[FIELDS] = {
    [KIND] = {.key = "kind", .kind = PROBLEM_TEXT, .required = true},
    [DEMAND] = {.key = "demand_pct", .kind = PROBLEM_NUMBER, .most = 1e9},
    [A] = {.key = "a_pct", .kind = PROBLEM_NUMBER, .above = true, .most = 1e9},
    [B] = {.key = "b_pct", .kind = PROBLEM_NUMBER, .most = 1e9},
    [CAPS] = {.key = "cap_pct", .kind = PROBLEM_LIST},
    [XS] = {.key = "x", .kind = PROBLEM_LIST},
};

static const struct problem_field table_cap = {
    .kind = PROBLEM_WHOLE, .least = 1, .most = 100.0 * PROBLEM_CAP_PCT_MAX};
static const struct problem_field table_x = {
    .kind = PROBLEM_NUMBER, .above = true, .least = 0, .most = 1e12};

/* Which fields belong to a kind, as bits. */
static const struct {
    const char *word;
    enum model_kind kind;
    unsigned fields;
} kinds[] = {
    {"reciprocal", MODEL_KIND_RECIPROCAL, 1u << DEMAND},
    {"ps", MODEL_KIND_PS, 1u << A | 1u << B},
    {"table", MODEL_KIND_TABLE, 1u << CAPS | 1u << XS},
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* A point of the table; false: a mistake in it was told. */
static bool read_point(const struct problem_value *values, const struct problem_place *place,
                       size_t index, struct proposal *out, struct problem_mistakes *mistakes)
{
    const struct problem_place caps = {.above = place, .key = fields[CAPS].key};
    const struct problem_place xs = {.above = place, .key = fields[XS].key};
    const struct problem_place at_cap = {.above = &caps, .index = index};
    const struct problem_place at_x = {.above = &xs, .index = index};
    double cap = 0.0;
    double x = 0.0;
    bool ok = problem_number_read(json_array_get(values[CAPS].json, index), &at_cap, &table_cap,
                                  &cap, mistakes);
    ok = problem_number_read(json_array_get(values[XS].json, index), &at_x, &table_x, &x,
                             mistakes) &&
         ok;
    struct curve_point *point = &out->points[index];
    *point = (struct curve_point){.cap_pct = (uint32_t)cap, .x = x};
    if (!ok || index == 0 || point[-1].cap_pct == 0 || !(point[-1].x > 0.0)) {
        return ok; /* nothing before it to compare with */
    }
    if (point->cap_pct <= point[-1].cap_pct) {
        problem_mistake(mistakes, &at_cap, "%u does not follow %u: caps must rise",
                        point->cap_pct, point[-1].cap_pct);
        ok = false;
    }
    if (point->x > point[-1].x) {
        problem_mistake(mistakes, &at_x, "%.10g follows %.10g: x must not rise with the cap",
                        point->x, point[-1].x);
        ok = false;
    }
    return ok;
}

static void read_table(const struct problem_value *values, const struct problem_place *place,
                       struct proposal *out, struct problem_mistakes *mistakes)
{
    const size_t caps = json_array_size(values[CAPS].json);
    const size_t xs = json_array_size(values[XS].json);
    const struct problem_place own = {.above = place, .key = fields[CAPS].key};
    if (caps != xs) {
        problem_mistake(mistakes, &own, "has %zu elements and x has %zu: they go together",
                        caps, xs);
        return;
    }
    if (caps < 1 || caps > CURVE_POINTS_MAX) {
        problem_mistake(mistakes, &own, "expected 1 to %d points, got %zu", CURVE_POINTS_MAX,
                        caps);
        return;
    }
    for (size_t i = 0; i < caps; i++) {
        (void)read_point(values, place, i, out, mistakes);
    }
    out->points_count = (uint32_t)caps;
}

static void check_fields(const struct problem_value *values, size_t kind,
                         const struct problem_place *place, struct problem_mistakes *mistakes)
{
    for (unsigned i = KIND + 1; i < FIELDS; i++) {
        const bool belongs = (kinds[kind].fields & (1u << i)) != 0;
        const struct problem_place own = {.above = place, .key = fields[i].key};
        if (belongs && !values[i].given && !values[i].wrong) {
            problem_mistake(mistakes, &own, "is missing: kind %s needs it", kinds[kind].word);
        } else if (!belongs && (values[i].given || values[i].wrong)) {
            problem_mistake(mistakes, &own, "does not belong to kind %s", kinds[kind].word);
        }
    }
}

void problem_model_read(json_t *json, const struct problem_place *place, struct proposal *out,
                        struct problem_mistakes *mistakes)
{
    struct problem_value values[FIELDS];
    if (!problem_fields_read(json, place, fields, FIELDS, values, mistakes) ||
        !values[KIND].given) {
        return;
    }
    size_t kind = 0;
    while (kind < KINDS && strcmp(kinds[kind].word, values[KIND].text) != 0) {
        kind++;
    }
    if (kind == KINDS) {
        const struct problem_place own = {.above = place, .key = fields[KIND].key};
        problem_mistake(mistakes, &own, "expected reciprocal, ps or table, got \"%s\"",
                        values[KIND].text);
        return;
    }
    check_fields(values, kind, place, mistakes);
    out->model = kinds[kind].kind;
    out->demand_pct = values[DEMAND].number;
    out->a_pct = values[A].number;
    out->b_pct = values[B].number;
    if (out->model == MODEL_KIND_TABLE && values[CAPS].given && values[XS].given) {
        read_table(values, place, out, mistakes);
    }
}
