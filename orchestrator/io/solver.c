// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/io/solver.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/log.h"

enum solver_phase { SOLVER_IDLE, SOLVER_WAITING, SOLVER_SOLVING, SOLVER_FINISHED };

struct solver {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    enum solver_phase phase;
    bool stop;
    bool unwanted; /* the answer to what is under way */
    int event_fd;
    struct allocation_memory *memory; /* of the thread, from one problem to the next */
    /* the copy of the problem; the thread's while WAITING and SOLVING */
    struct allocation_problem problem;
    struct allocation_node *nodes;
    struct allocation_service *services;
    struct allocation_vm *vms;
    struct proposal *models;
    struct escalation_candidate candidates[ESCALATION_CANDIDATES_MAX];
    uint32_t candidates_count;
    struct solved solved;
};

static void free_copy(struct solver *solver)
{
    free(solver->nodes);
    free(solver->services);
    free(solver->vms);
    free(solver->models);
    allocation_answer_finish(&solver->solved.answer);
    solver->nodes = NULL;
    solver->services = NULL;
    solver->vms = NULL;
    solver->models = NULL;
}

/* calloc(0) may be NULL without being out of memory. */
static void *copy_array(const void *from, size_t count, size_t size)
{
    void *copy = calloc(count > 0 ? count : 1, size);
    if (copy != NULL && from != NULL && count > 0) {
        memcpy(copy, from, count * size);
    }
    return copy;
}

static int copy_problem(struct solver *solver, const struct allocation_problem *problem)
{
    free_copy(solver);
    uint32_t services = problem->services_count;
    solver->nodes = copy_array(problem->nodes, problem->nodes_count, sizeof *solver->nodes);
    solver->services = copy_array(problem->services, services, sizeof *solver->services);
    solver->vms = copy_array(problem->vms, problem->vms_count, sizeof *solver->vms);
    solver->models = copy_array(NULL, services, sizeof *solver->models);
    const int rc = allocation_answer_init(&solver->solved.answer, services, problem->vms_count);
    if (solver->nodes == NULL || solver->services == NULL || solver->vms == NULL ||
        solver->models == NULL || rc < 0) {
        free_copy(solver);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < services; i++) {
        solver->models[i] = *problem->services[i].model;
        solver->services[i].model = &solver->models[i];
    }
    solver->problem = *problem;
    solver->problem.nodes = solver->nodes;
    solver->problem.services = solver->services;
    solver->problem.vms = solver->vms;
    return 0;
}

static void solve(struct solver *solver)
{
    struct solved *solved = &solver->solved;
    int64_t before_us = clock_boot_us();
    memset(&solved->err, 0, sizeof solved->err);
    memset(&solved->judge_err, 0, sizeof solved->judge_err);
    solved->code =
        allocation_solve_again(&solver->problem, solver->memory, &solved->answer, &solved->err);
    solved->took_us = (uint32_t)(clock_boot_us() - before_us);
    solved->judge_code = 0;
    solved->judgements_count = 0;
    if (solved->code != 0 || solver->candidates_count == 0) {
        return;
    }
    /* Caps are decided whatever comes of this. */
    solved->judge_code =
        escalation_judge(&solver->problem, solver->candidates, solver->candidates_count,
                         solved->judgements, &solved->judge_err);
    solved->judgements_count = solved->judge_code == 0 ? solver->candidates_count : 0;
}

static void *solver_main(void *context)
{
    struct solver *solver = context;
    (void)pthread_mutex_lock(&solver->lock);
    while (!solver->stop) {
        if (solver->phase != SOLVER_WAITING) {
            (void)pthread_cond_wait(&solver->wake, &solver->lock);
            continue;
        }
        solver->phase = SOLVER_SOLVING;
        (void)pthread_mutex_unlock(&solver->lock);
        solve(solver);
        (void)pthread_mutex_lock(&solver->lock);
        solver->phase = solver->unwanted ? SOLVER_IDLE : SOLVER_FINISHED;
        solver->unwanted = false;
        uint64_t one = 1;
        (void)!write(solver->event_fd, &one, sizeof one);
    }
    (void)pthread_mutex_unlock(&solver->lock);
    return NULL;
}

struct solver *solver_create(struct err *err)
{
    struct solver *solver = calloc(1, sizeof *solver);
    if (solver == NULL) {
        (void)err_set(err, -ENOMEM, "no memory for the solver");
        return NULL;
    }
    solver->memory = allocation_memory_create(); /* without it every problem is solved anew */
    solver->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&solver->lock, NULL);
    (void)pthread_cond_init(&solver->wake, NULL);
    int r = solver->event_fd < 0 ? errno
                                 : pthread_create(&solver->thread, NULL, solver_main, solver);
    if (r != 0) {
        (void)err_set(err, -r, "cannot start the solver's thread");
        if (solver->event_fd >= 0) {
            (void)close(solver->event_fd);
        }
        allocation_memory_destroy(solver->memory);
        free(solver);
        return NULL;
    }
    return solver;
}

void solver_destroy(struct solver *solver)
{
    if (solver == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&solver->lock);
    solver->stop = true;
    (void)pthread_cond_signal(&solver->wake);
    (void)pthread_mutex_unlock(&solver->lock);
    (void)pthread_join(solver->thread, NULL);
    (void)pthread_mutex_destroy(&solver->lock);
    (void)pthread_cond_destroy(&solver->wake);
    (void)close(solver->event_fd);
    free_copy(solver);
    allocation_memory_destroy(solver->memory);
    free(solver);
}

int solver_start(struct solver *solver, uint64_t revision,
                 const struct allocation_problem *problem,
                 const struct escalation_candidate *candidates, uint32_t candidates_count)
{
    if (candidates_count > ESCALATION_CANDIDATES_MAX) {
        return -EINVAL;
    }
    (void)pthread_mutex_lock(&solver->lock);
    int rc = solver->phase == SOLVER_WAITING || solver->phase == SOLVER_SOLVING
                 ? -EBUSY
                 : copy_problem(solver, problem);
    if (rc == 0) {
        solver->candidates_count = candidates_count;
        for (uint32_t i = 0; i < candidates_count; i++) {
            solver->candidates[i] = candidates[i];
        }
        solver->solved.revision = revision;
        solver->phase = SOLVER_WAITING;
        (void)pthread_cond_signal(&solver->wake);
    }
    (void)pthread_mutex_unlock(&solver->lock);
    return rc;
}

void solver_forget(struct solver *solver)
{
    (void)pthread_mutex_lock(&solver->lock);
    solver->unwanted = solver->phase == SOLVER_SOLVING;
    if (solver->phase != SOLVER_SOLVING) {
        solver->phase = SOLVER_IDLE;
    }
    (void)pthread_mutex_unlock(&solver->lock);
}

int solver_fd(const struct solver *solver)
{
    return solver->event_fd;
}

const struct solved *solver_finished(struct solver *solver)
{
    uint64_t count = 0;
    (void)!read(solver->event_fd, &count, sizeof count);
    (void)pthread_mutex_lock(&solver->lock);
    bool finished = solver->phase == SOLVER_FINISHED;
    if (finished) {
        solver->phase = SOLVER_IDLE;
    }
    (void)pthread_mutex_unlock(&solver->lock);
    if (finished && solver->solved.judge_code != 0) {
        log_line(LOG_LEVEL_WARN, "steps beyond caps are not judged, so none is taken: %s",
                 solver->solved.judge_err.text);
    }
    return finished ? &solver->solved : NULL;
}
