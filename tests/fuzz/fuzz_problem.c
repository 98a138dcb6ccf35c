// SPDX-License-Identifier: Apache-2.0
// link: arbiter_client
/* A problem file: what is read without a mistake is solved, and its answer obeys its limits. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/client/problem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SMALL 16 /* larger ones are only read */

static struct problem_mistakes mistakes;

static void check_caps(const struct allocation_problem *problem,
                       const struct allocation_answer *answer)
{
    uint64_t used[SMALL] = {0};
    for (uint32_t v = 0; v < problem->vms_count; v++) {
        const struct allocation_vm *vm = &problem->vms[v];
        assert(answer->caps_pct[v] >= vm->min_cap_pct);
        assert(answer->caps_pct[v] <= vm->max_cap_pct);
        used[vm->node] += answer->caps_pct[v];
    }
    for (uint32_t j = 0; j < problem->nodes_count; j++) {
        assert(used[j] <= problem->nodes[j].cpu_pct);
    }
}

static void solve(const struct problem *problem)
{
    const struct allocation_problem *given = &problem->allocation;
    struct problem_need needs[SMALL];
    struct allocation_answer answer;
    struct err err = {0};
    bool small = given->nodes_count <= SMALL && given->vms_count <= SMALL;
    for (uint32_t j = 0; small && j < given->nodes_count; j++) {
        small = given->nodes[j].cpu_pct <= 1000;
    }
    if (!small) {
        return;
    }
    char text[TEXT_SIZE];
    bool is_short = false;
    problem_minimum(given, needs);
    for (uint32_t j = 0; j < given->nodes_count; j++) {
        is_short = problem_is_short(&given->nodes[j], &needs[j], text) || is_short;
    }
    if (is_short) {
        return;
    }
    assert(allocation_answer_init(&answer, given->services_count, given->vms_count) == 0);
    if (allocation_solve(given, &answer, &err) == 0) {
        check_caps(given, &answer);
        json_t *tree = problem_answer_tree(given, &answer, 0.0);
        assert(tree != NULL);
        json_decref(tree);
    }
    allocation_answer_finish(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problem problem;
    char *text = malloc(size + 1);
    assert(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    const int rc = problem_read(text, size, &problem, &mistakes);
    assert((rc == -EINVAL) == (mistakes.count > 0));
    if (rc == 0) {
        solve(&problem);
    }
    problem_finish(&problem);
    free(text);
    return 0;
}
