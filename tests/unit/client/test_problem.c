// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/client/problem.h"

static struct problem_mistakes mistakes;
static struct problem problem;

#define NODES    "nodes: [{name: n1, cpu_pct: 400, mem_mib: 1024, speed: 0.5}]\n"
#define MODEL    "model: {kind: reciprocal, demand_pct: 30}"
#define HEAD     "version: 1\n" NODES
#define SERVICES HEAD "services:\n"

static int read_text(const char *text)
{
    return problem_read(text, strlen(text), &problem, &mistakes);
}

/* The text has exactly one mistake, of this field. */
static void expect_mistake(const char *text, const char *path, const char *part)
{
    cr_assert_eq(read_text(text), -EINVAL, "no mistake in %s", text);
    cr_expect_eq(mistakes.count, 1, "%zu mistakes in %s", mistakes.count, text);
    cr_expect_str_eq(mistakes.items[0].path, path);
    cr_expect(strstr(mistakes.items[0].text, part) != NULL, "\"%s\" has no \"%s\"",
              mistakes.items[0].text, part);
    cr_expect_eq(problem.vms, NULL, "nothing half done");
}

Test(problem, fields_that_are_not_given_have_their_defaults)
{
    cr_assert_eq(read_text(SERVICES "- {name: s, " MODEL ", vms: [{node: n1}]}\n"), 0, "%s",
                 mistakes.items[0].text);
    const struct allocation_problem *given = &problem.allocation;
    cr_expect_eq(given->objective, ALLOCATION_FLOORS);
    cr_expect(given->guard == 0.0 && given->dead_band == 0.0 && given->switching_cost == 0.0);
    cr_expect_eq(given->nodes[0].memory_kib, 1024 * 1024);
    cr_expect(given->nodes[0].speed == 0.5);
    cr_expect(given->services[0].weight == 1.0 && given->services[0].curve.a == 10.0);
    cr_expect(given->sticky_weight == 0.0 && given->return_margin == 0.0);
    cr_expect_eq(given->services[0].past, ALLOCATION_PAST_UNKNOWN);
    cr_expect_eq(given->services[0].coupling, COUPLING_SINGLE);
    cr_expect(given->vms[0].min_cap_pct == 1 && given->vms[0].max_cap_pct == 400);
    cr_expect_eq(given->vms[0].previous_cap_pct, 0);
    problem_finish(&problem);
}

Test(problem, how_services_fared_before_is_read)
{
    cr_assert_eq(read_text("sticky_weight: 0.5\nreturn_margin: 0.05\n" SERVICES
                           "- {name: s, past: kept, " MODEL ", vms: [{node: n1}]}\n"
                           "- {name: t, past: sacrificed, " MODEL ", vms: [{node: n1}]}\n"),
                 0, "%s", mistakes.items[0].text);
    const struct allocation_problem *given = &problem.allocation;
    cr_expect(given->sticky_weight == 0.5 && given->return_margin == 0.05);
    cr_expect_eq(given->services[0].past, ALLOCATION_PAST_KEPT);
    cr_expect_eq(given->services[1].past, ALLOCATION_PAST_SACRIFICED);
    problem_finish(&problem);
    expect_mistake(SERVICES "- {name: s, past: lost, " MODEL ", vms: [{node: n1}]}\n",
                   "services[0].past", "expected kept or sacrificed");
}

Test(problem, levels_of_all_vms_follow_each_other)
{
    cr_assert_eq(
        read_text(SERVICES
                  "- {name: s, coupling: sum, " MODEL
                  ", vms: [{node: n1, levels: [{cap_pct: 5}, {cap_pct: 9, mem_mib: 2}]},"
                  " {node: n1}, {node: n1, levels: [{cap_pct: 7, vcpus: 3}]}]}\n"),
        0, "%s", mistakes.items[0].text);
    const struct allocation_vm *vms = problem.allocation.vms;
    cr_expect(vms[0].levels_count == 2 && vms[0].levels[1].memory_kib == 2048);
    cr_expect(vms[0].min_cap_pct == 5 && vms[0].max_cap_pct == 9);
    cr_expect_eq(vms[1].levels_count, 0);
    cr_expect(vms[2].levels_count == 1 && vms[2].levels[0].cap_pct == 7 &&
              vms[2].levels[0].vcpus == 3);
    problem_finish(&problem);
}

Test(problem, a_mistake_names_its_field)
{
    expect_mistake(HEAD "services: []\n", "services", "is empty");
    expect_mistake(SERVICES "- {name: s, " MODEL ", vms: [{node: n1, min_cap_pct: 0}]}\n",
                   "services[0].vms[0].min_cap_pct", "got 0");
    expect_mistake(SERVICES "- {name: s, " MODEL ", vms: [{node: n1, max_cap_pct: 1.5}]}\n",
                   "services[0].vms[0].max_cap_pct", "whole number");
    expect_mistake(SERVICES "- {name: s, curve: {w: 0.51}, " MODEL ", vms: [{node: n1}]}\n",
                   "services[0].curve.w", "at most 0.5");
    expect_mistake(SERVICES "- {name: s, " MODEL ", vms: [{node: n1}, {node: n1}]}\n",
                   "services[0].coupling", "single is one VM");
    expect_mistake(SERVICES "- {name: s, model: {kind: ps, b_pct: 3}, vms: [{node: n1}]}\n",
                   "services[0].model.a_pct", "is missing");
    expect_mistake("guard: .nan\n" SERVICES "- {name: s, " MODEL ", vms: [{node: n1}]}\n",
                   "guard", "\".nan\"");
    expect_mistake("[1, 2]", "", "expected fields");
}

Test(problem, text_that_is_neither_yaml_nor_json_has_a_place)
{
    cr_expect_eq(read_text("{\"version\": 1, \"version\": 1}"), -EINVAL);
    cr_expect(strstr(mistakes.items[0].text, "line 1") != NULL);
    cr_expect_eq(read_text("a: !!str b"), -EINVAL);
    cr_expect_str_eq(mistakes.items[0].text, "line 1, column 4: tags are not read");
    cr_expect_eq(read_text("a: 1\n---\nb: 1\n"), -EINVAL);
    cr_expect_eq(read_text("a: *b\n"), -EINVAL);
    cr_expect_eq(read_text("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["), -EINVAL);
}

Test(problem, minimums_of_a_gang_are_those_of_its_highest)
{
    cr_assert_eq(read_text(SERVICES "- {name: s, coupling: gang, " MODEL
                                    ", vms: [{node: n1, min_cap_pct: 250},"
                                    " {node: n1, mem_mib: 2000}]}\n"),
                 0);
    struct problem_need need;
    char text[TEXT_SIZE];
    problem_minimum(&problem.allocation, &need);
    cr_expect_eq(need.cpu_pct, 500);
    cr_expect(problem_is_short(&problem.nodes[0], &need, text));
    cr_expect_str_eq(text, "node n1: its VMs need at least 500 % of CPU, it has 400 %; its VMs "
                           "need at least 2000 MiB of memory, it has 1024 MiB");
    problem_finish(&problem);
}

/* How many more of a service with so many VMs fit on 4,200 %. */
static int how_many(const char *coupling, unsigned vms, unsigned min_cap_pct,
                    struct problem_room *room, struct err *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    (void)fprintf(out,
                  "version: 1\nnodes: [{name: n1, cpu_pct: 4200}]\n"
                  "services:\n- {name: s, coupling: %s, " MODEL ", vms: [",
                  coupling);
    for (unsigned i = 0; i < vms; i++) {
        (void)fprintf(out, "%s{node: n1, min_cap_pct: %u}", i > 0 ? ", " : "", min_cap_pct);
    }
    (void)fputs("]}\n", out);
    (void)fclose(out);
    cr_assert_eq(read_text(text), 0, "%s", mistakes.items[0].text);
    free(text);
    const int rc = problem_how_many(&problem.allocation, 0, room, err);
    problem_finish(&problem);
    return rc;
}

Test(problem, too_many_vms_whose_cpu_adds_up_are_an_error_and_a_gang_is_not)
{
    uint32_t placed[1] = {0};
    struct problem_room room = {.placed = placed};
    struct err err = {0};
    cr_expect_eq(how_many("sum", 1025, 1, &room, &err), -E2BIG);
    cr_expect(strstr(err.text, "1025 VMs") != NULL, "%s", err.text);
    cr_expect_eq(how_many("sum", 1024, 1, &room, &err), 0, "%s", err.text);
    cr_expect_eq(room.more, 3);
    cr_expect_eq(how_many("gang", 1025, 1, &room, &err), 0, "%s", err.text);
    cr_expect_eq(room.more, 3, "%u more", room.more);
    cr_expect_eq(placed[0], 3 * 1025);
}

Test(problem, minimums_that_do_not_fit_are_not_told_as_a_floor)
{
    uint32_t placed[1] = {0};
    struct problem_room room = {.placed = placed};
    struct err err = {0};
    cr_expect_eq(how_many("sum", 2, 2101, &room, &err), -ENOSPC);
    cr_expect(strstr(err.text, "minimum caps") != NULL, "%s", err.text);
    cr_expect_str_eq(room.why, "");
}
