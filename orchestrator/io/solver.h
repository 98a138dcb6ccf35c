// SPDX-License-Identifier: Apache-2.0
/*
 * The worker that solves allocation problems in a thread of its own, so that a long
 * optimization never holds up the loop. One problem at a time; the problem is copied, the
 * answer is the worker's until the next start. What it learnt of one problem it uses for the
 * next: only what has changed is solved again.
 */
#ifndef ORCHESTRATOR_IO_SOLVER_H
#define ORCHESTRATOR_IO_SOLVER_H

#include <stdint.h>

#include "schedulers/escalation.h"

struct solver;

struct solver *solver_create(struct err *err);
void solver_destroy(struct solver *solver); /* waits for the problem under way; NULL is fine */

/* 0, -EBUSY while one is under way, -ENOMEM. */
int solver_start(struct solver *solver, uint64_t revision,
                 const struct allocation_problem *problem,
                 const struct escalation_candidate *candidates, uint32_t candidates_count);

/* The answer to the problem under way, or to one just finished, is not wanted any more. */
void solver_forget(struct solver *solver);

/* Readable when solver_finished() has something. */
int solver_fd(const struct solver *solver);

struct solved {
    uint64_t revision;
    int code; /* of allocation_solve() */
    struct err err;
    struct allocation_answer answer;
    uint32_t took_us;
    struct escalation_judgement judgements[ESCALATION_CANDIDATES_MAX];
    uint32_t judgements_count; /* 0 when there were no candidates or they cannot be judged */
    int judge_code;            /* of escalation_judge(); 0 when there were no candidates */
    struct err judge_err;
};
/* NULL: nothing finished. Logs why steps cannot be judged. */
const struct solved *solver_finished(struct solver *solver);

#endif
