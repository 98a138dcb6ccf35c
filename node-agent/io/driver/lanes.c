// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/driver/lanes.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/io/clock.h"

#define THREADS_END_MS 60000

/*
 *             start           a thread takes it          it is done
 *   (free) ───────────► QUEUED ───────────────► RUNNING ────────────► FINISHED ──► (free)
 *                         │ deadline               │ deadline             complete()
 *                         ▼                        ▼            it is done
 *                       (free)                 ABANDONED ────────────► (free)
 */
enum job_state {
    JOB_FREE = 0,
    JOB_QUEUED = 1,
    JOB_RUNNING = 2,
    JOB_FINISHED = 3,
    JOB_ABANDONED = 4, /* its time-out was reported, its thread is not back yet */
};

struct job {
    enum job_state state;
    enum lane_kind lane;
    uint64_t order; /* position in the queue: first come, first served */
    struct hypervisor_call call;
    struct hypervisor_completion done;
};

struct worker {
    struct lanes *lanes;
    enum lane_kind lane;
    pthread_t thread;
    bool started;
};

struct lanes {
    lane_work work;
    void *context;
    int fd; /* a semaphore: counts the jobs in state FINISHED */
    pthread_mutex_t mutex;
    pthread_cond_t queued[LANE_COUNT];
    int ended_fd; /* readable when a thread has ended */
    bool stopping;
    uint32_t threads_alive;
    uint64_t next_order;
    struct domain_list *handed_out; /* released at the next complete() */
    struct worker workers[LANE_COUNT * LANE_THREADS];
    struct job jobs[LANE_JOBS_MAX];
};

static void *worker_main(void *argument);

static enum lane_kind lane_of(enum hypervisor_call_kind kind)
{
    return hypervisor_call_is_long(kind) ? LANE_LONG : LANE_SHORT;
}

static int start_workers(struct lanes *lanes, struct err *err)
{
    /* Signals belong to the agent's loop; SIGPIPE of a lost daemon becomes EPIPE. */
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = 0;
    for (uint32_t i = 0; i < LANE_COUNT * LANE_THREADS && r == 0; i++) {
        struct worker *worker = &lanes->workers[i];
        worker->lanes = lanes;
        worker->lane = i < LANE_THREADS ? LANE_SHORT : LANE_LONG;
        (void)pthread_mutex_lock(&lanes->mutex);
        r = pthread_create(&worker->thread, NULL, worker_main, worker);
        if (r == 0) {
            worker->started = true;
            lanes->threads_alive++;
        }
        (void)pthread_mutex_unlock(&lanes->mutex);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r == 0 ? 0 : err_set(err, -r, "threads of the driver: %s", strerrordesc_np(r));
}

struct lanes *lanes_create(lane_work work, void *context, struct err *err)
{
    struct lanes *lanes = calloc(1, sizeof(*lanes));
    if (lanes == NULL) {
        (void)err_set(err, -ENOMEM, "no memory for the calls of the driver");
        return NULL;
    }
    lanes->work = work;
    lanes->context = context;
    lanes->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    lanes->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&lanes->mutex, NULL);
    (void)pthread_cond_init(&lanes->queued[LANE_SHORT], NULL);
    (void)pthread_cond_init(&lanes->queued[LANE_LONG], NULL);
    if (lanes->fd < 0 || lanes->ended_fd < 0) {
        (void)err_set(err, -errno, "eventfd: %s", strerrordesc_np(errno));
        (void)lanes_destroy(lanes, 0);
        return NULL;
    }
    if (start_workers(lanes, err) != 0) {
        (void)lanes_destroy(lanes, THREADS_END_MS); /* they have no work */
        return NULL;
    }
    return lanes;
}

/* With the mutex held, which it gives up while it waits. */
static void wait_for_threads(struct lanes *lanes, int64_t wait_ms)
{
    int64_t until_ms = clock_boot_ms() + wait_ms;
    int64_t left_ms = wait_ms;
    while (lanes->threads_alive > 0 && left_ms > 0) {
        (void)pthread_mutex_unlock(&lanes->mutex);
        struct pollfd ended = {.fd = lanes->ended_fd, .events = POLLIN};
        (void)poll(&ended, 1, left_ms < 1000 ? (int)left_ms : 1000);
        uint64_t count = 0;
        (void)!read(lanes->ended_fd, &count, sizeof(count)); /* the number alive decides */
        (void)pthread_mutex_lock(&lanes->mutex);
        left_ms = until_ms - clock_boot_ms();
    }
}

int lanes_destroy(struct lanes *lanes, int64_t wait_ms)
{
    if (lanes == NULL) {
        return 0;
    }
    (void)pthread_mutex_lock(&lanes->mutex);
    lanes->stopping = true;
    for (uint32_t i = 0; i < LANE_JOBS_MAX; i++) {
        if (lanes->jobs[i].state == JOB_QUEUED) {
            lanes->jobs[i].state = JOB_FREE;
        }
    }
    (void)pthread_cond_broadcast(&lanes->queued[LANE_SHORT]);
    (void)pthread_cond_broadcast(&lanes->queued[LANE_LONG]);
    wait_for_threads(lanes, wait_ms);
    uint32_t alive = lanes->threads_alive;
    (void)pthread_mutex_unlock(&lanes->mutex);
    for (uint32_t i = 0; i < LANE_COUNT * LANE_THREADS; i++) {
        if (lanes->workers[i].started) {
            (void)(alive == 0 ? pthread_join(lanes->workers[i].thread, NULL)
                              : pthread_detach(lanes->workers[i].thread));
        }
    }
    if (alive > 0) {
        return -EBUSY;
    }
    for (uint32_t i = 0; i < LANE_JOBS_MAX; i++) {
        free(lanes->jobs[i].done.list);
    }
    free(lanes->handed_out);
    (void)pthread_mutex_destroy(&lanes->mutex);
    (void)pthread_cond_destroy(&lanes->queued[LANE_SHORT]);
    (void)pthread_cond_destroy(&lanes->queued[LANE_LONG]);
    if (lanes->fd >= 0) {
        (void)close(lanes->fd);
    }
    if (lanes->ended_fd >= 0) {
        (void)close(lanes->ended_fd);
    }
    free(lanes);
    return 0;
}

int lanes_start(struct lanes *lanes, const struct hypervisor_call *call, struct err *err)
{
    /* uuid and name become parts of paths, of the names of interfaces and of values in
     * xenstore. */
    if (call->kind != HYPERVISOR_CALL_LIST &&
        (!hypervisor_is_uuid(call->order.uuid) || call->order.vm[0] == '\0')) {
        return err_set(err, -EINVAL, "%s: not a VM's name and uuid", call->order.uuid);
    }
    enum lane_kind lane = lane_of(call->kind);
    struct job *room = NULL;
    int rc = 0;
    (void)pthread_mutex_lock(&lanes->mutex);
    for (uint32_t i = 0; i < LANE_JOBS_MAX && rc == 0; i++) {
        struct job *job = &lanes->jobs[i];
        if (job->state == JOB_FREE) {
            room = room == NULL ? job : room;
        } else if (job->state != JOB_FINISHED && job->lane == lane &&
                   strcmp(job->call.order.uuid, call->order.uuid) == 0) {
            const char *vm = call->order.vm; /* empty for a list */
            rc = err_set(err, -EBUSY, "%s%s%s is still under way", vm,
                         vm[0] != '\0' ? ": " : "", hypervisor_call_word(job->call.kind));
        }
    }
    if (rc == 0 && room == NULL) {
        rc = err_set(err, -ENOSPC, "%d calls are under way", LANE_JOBS_MAX);
    }
    if (rc == 0) {
        room->state = JOB_QUEUED;
        room->lane = lane;
        room->order = lanes->next_order++;
        room->call = *call;
        (void)pthread_cond_signal(&lanes->queued[lane]);
    }
    (void)pthread_mutex_unlock(&lanes->mutex);
    return rc;
}

int lanes_fd(const struct lanes *lanes)
{
    return lanes->fd;
}

int64_t lanes_deadline_ms(struct lanes *lanes)
{
    int64_t deadline_ms = INT64_MAX;
    (void)pthread_mutex_lock(&lanes->mutex);
    for (uint32_t i = 0; i < LANE_JOBS_MAX; i++) {
        const struct job *job = &lanes->jobs[i];
        bool waits = job->state == JOB_QUEUED || job->state == JOB_RUNNING;
        if (waits && job->call.deadline_ms < deadline_ms) {
            deadline_ms = job->call.deadline_ms;
        }
    }
    (void)pthread_mutex_unlock(&lanes->mutex);
    return deadline_ms;
}

/* The job that complete() reports next: a finished one, or one whose time is up. */
static struct job *next_to_report(struct lanes *lanes, int64_t now_ms)
{
    struct job *found = NULL;
    for (uint32_t i = 0; i < LANE_JOBS_MAX; i++) {
        struct job *job = &lanes->jobs[i];
        bool late = (job->state == JOB_QUEUED || job->state == JOB_RUNNING) &&
                    job->call.deadline_ms <= now_ms;
        if ((job->state == JOB_FINISHED || late) &&
            (found == NULL || job->order < found->order)) {
            found = job;
        }
    }
    return found;
}

static void describe_late(const struct job *job, struct hypervisor_completion *out)
{
    *out = (struct hypervisor_completion){
        .id = job->call.id,
        .kind = job->call.kind,
        .code = -ETIMEDOUT,
        .reason = REASON_TIME_OUT,
    };
    (void)snprintf(out->text, sizeof(out->text), "%s: %s by the deadline",
                   hypervisor_call_word(job->call.kind),
                   job->state == JOB_QUEUED ? "could not be begun"
                                            : "no answer from the hypervisor");
}

int lanes_complete(struct lanes *lanes, int64_t now_ms, struct hypervisor_completion *out)
{
    (void)pthread_mutex_lock(&lanes->mutex);
    free(lanes->handed_out);
    lanes->handed_out = NULL;
    struct job *job = next_to_report(lanes, now_ms);
    if (job != NULL && job->state == JOB_FINISHED) {
        uint64_t count = 0;
        ssize_t r = read(lanes->fd, &count, sizeof(count));
        assert(r == (ssize_t)sizeof(count)); /* one per finished job */
        *out = job->done;
        lanes->handed_out = job->done.list;
        job->done.list = NULL;
        job->state = JOB_FREE;
    } else if (job != NULL) {
        describe_late(job, out);
        job->state = job->state == JOB_QUEUED ? JOB_FREE : JOB_ABANDONED;
    }
    (void)pthread_mutex_unlock(&lanes->mutex);
    return job == NULL ? 0 : 1;
}

static struct job *next_of_lane(struct lanes *lanes, enum lane_kind lane)
{
    struct job *found = NULL;
    for (uint32_t i = 0; i < LANE_JOBS_MAX; i++) {
        struct job *job = &lanes->jobs[i];
        if (job->state == JOB_QUEUED && job->lane == lane &&
            (found == NULL || job->order < found->order)) {
            found = job;
        }
    }
    return found;
}

static void wake(int fd)
{
    uint64_t one = 1;
    ssize_t r = write(fd, &one, sizeof(one));
    assert(r == (ssize_t)sizeof(one)); /* far from the counter's limit */
}

static void finish(struct lanes *lanes, struct job *job,
                   const struct hypervisor_completion *done)
{
    job->done = *done;
    job->state = JOB_FINISHED;
    wake(lanes->fd);
}

/* Without the mutex in between: a job that is running is changed by nobody but complete(),
 * which may abandon it, and its call by nobody at all. */
static void do_job(struct lanes *lanes, struct job *job)
{
    struct hypervisor_completion done = {
        .id = job->call.id,
        .kind = job->call.kind,
        .reason = REASON_NONE,
    };
    job->state = JOB_RUNNING;
    (void)pthread_mutex_unlock(&lanes->mutex);
    lanes->work(lanes->context, job->lane, &job->call, &done);
    (void)pthread_mutex_lock(&lanes->mutex);
    if (job->state == JOB_ABANDONED || lanes->stopping) {
        free(done.list);
        job->state = JOB_FREE;
    } else {
        finish(lanes, job, &done);
    }
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct lanes *lanes = worker->lanes;
    (void)pthread_mutex_lock(&lanes->mutex);
    while (!lanes->stopping) {
        struct job *job = next_of_lane(lanes, worker->lane);
        if (job == NULL) {
            (void)pthread_cond_wait(&lanes->queued[worker->lane], &lanes->mutex);
        } else if (job->call.deadline_ms <= clock_boot_ms()) {
            struct hypervisor_completion late;
            describe_late(job, &late);
            finish(lanes, job, &late);
        } else {
            do_job(lanes, job);
        }
    }
    lanes->threads_alive--;
    wake(lanes->ended_fd);
    (void)pthread_mutex_unlock(&lanes->mutex);
    return NULL;
}
