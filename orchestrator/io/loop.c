// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/io/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/guard.h"
#include "common/io/log.h"
#include "common/io/poll.h"
#include "orchestrator/io/loop_state.h"

#define HOUSEKEEPING_MS 1000
#define LATE_MS         1000 /* longer asleep than asked for: judge nobody by what was missed */
#define STOP_DRAIN_MS   2000
#define STORE_RETRY_MS  1000

/* From so many messages of agents a second on they are taken in batches: waking for each would
 * cost more than the message does. Nothing that agents say is decided upon within milliseconds.
 */
#define AGENT_MESSAGES_MANY 2000
#define AGENTS_REST_MS      20

static void read_clocks(struct loop *loop)
{
    loop->now_ms = clock_boot_ms();
    loop->wall_ms = clock_wall_ms();
}

int loop_step(struct loop *loop, struct cluster_event *event, struct err *err)
{
    event->now_ms = loop->now_ms;
    event->wall_ms = loop->wall_ms;
    effects_clear(loop->effects);
    cluster_step(loop->cluster, event, loop->effects);
    return perform_effects(loop, err);
}

/* Messages of one connection that may wait here; what a frame may have bounds the memory. */
static int receive_high_water(enum bus_domain domain)
{
    switch (domain) {
    case BUS_DOMAIN_TELEMETRY: return 100000;
    case BUS_DOMAIN_CONTROL: return 1000;
    case BUS_DOMAIN_API:
    case BUS_DOMAIN_EVENTS: break;
    }
    return 100;
}

static int open_socket(struct loop *loop, struct bus_socket **out, enum bus_kind kind,
                       enum bus_domain domain, const char *endpoint, struct err *err)
{
    struct bus_options options = {
        .kind = kind,
        .bind = true,
        .endpoint = endpoint,
        .domain = domain,
        .own = &loop->own,
        .frame_bytes_max = domain == BUS_DOMAIN_API ? BUS_API_FRAME_MAX : BUS_CONTROL_FRAME_MAX,
        .send_high_water = 10000,
        .receive_high_water = receive_high_water(domain),
    };
    return bus_open(out, &options, err);
}

static int open_sockets(struct loop *loop, struct err *err)
{
    const struct loop_settings *with = &loop->settings;
    int rc = key_pair_read(with->key, &loop->own, err);
    loop->keyring = rc == 0 ? keyring_create() : NULL;
    if (rc == 0 && loop->keyring == NULL) {
        rc = err_set(err, -ENOMEM, "no memory for the keyring");
    }
    if (rc == 0) {
        rc = keyring_load(loop->keyring, with->keyring, err);
    }
    if (rc == 0) {
        rc = guard_start(loop->keyring, err);
    }
    if (rc == 0) {
        rc = open_socket(loop, &loop->control, BUS_ROUTER, BUS_DOMAIN_CONTROL, with->control,
                         err);
    }
    if (rc == 0) {
        rc = open_socket(loop, &loop->telemetry, BUS_SUB, BUS_DOMAIN_TELEMETRY, with->telemetry,
                         err);
    }
    if (rc == 0) {
        rc = open_socket(loop, &loop->api, BUS_ROUTER, BUS_DOMAIN_API, with->api, err);
    }
    if (rc == 0) {
        rc = open_socket(loop, &loop->events, BUS_PUB, BUS_DOMAIN_EVENTS, with->events, err);
    }
    return rc;
}

static int open_store(struct loop *loop, struct err *err)
{
    loop->store_driver = store_driver_find(loop->settings.store);
    if (loop->store_driver == NULL) {
        return err_set(err, -EINVAL, "there is no store \"%s\"; try \"sqlite\"",
                       loop->settings.store);
    }
    struct store_settings settings = {.folder = loop->settings.folder,
                                      .free_bytes_min = loop->settings.free_kib_min * 1024};
    loop->store = loop->store_driver->open(&settings, err);
    return loop->store == NULL ? err->code : 0;
}

static int open_signals(struct loop *loop, struct err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    int r = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (r != 0) {
        return err_set(err, -r, "signals cannot be blocked");
    }
    loop->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return loop->signal_fd < 0 ? err_set(err, -errno, "no descriptor for signals") : 0;
}

static int allocate(struct loop *loop, struct err *err)
{
    uint32_t peers = loop->settings.cluster.nodes_max;
    loop->open = batch_create();
    loop->spare = batch_create();
    loop->effects = effects_create();
    loop->incoming = calloc(1, sizeof *loop->incoming);
    loop->request = calloc(1, sizeof *loop->request);
    loop->previous = calloc(1, sizeof *loop->previous);
    loop->item = calloc(1, sizeof *loop->item);
    loop->mistakes = calloc(1, sizeof *loop->mistakes);
    if (loop->open == NULL || loop->spare == NULL || loop->effects == NULL ||
        loop->incoming == NULL || loop->request == NULL || loop->previous == NULL ||
        loop->item == NULL || loop->mistakes == NULL ||
        table_init(&loop->peers, peers > 0 ? peers : 4096, sizeof(struct peer),
                   offsetof(struct peer, node)) != 0) {
        return err_set(err, -ENOMEM, "no memory for the loop");
    }
    return 0;
}

struct loop *loop_create(const struct loop_settings *settings, struct err *err)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        (void)err_set(err, -ENOMEM, "no memory for the loop");
        return NULL;
    }
    loop->settings = *settings;
    loop->signal_fd = -1;
    read_clocks(loop);
    int rc =
        open_signals(loop, err); /* before any thread starts, so that all have them blocked */
    if (rc == 0) {
        rc = allocate(loop, err);
    }
    if (rc == 0) {
        loop->solver = solver_create(err);
        rc = loop->solver == NULL ? err->code : 0;
    }
    if (rc == 0) {
        rc = open_store(loop, err);
    }
    if (rc == 0) {
        rc = restore_start(loop, err);
    }
    if (rc == 0) {
        rc = open_sockets(loop, err);
    }
    if (rc == 0) {
        rc = metrics_open(loop, err);
    }
    if (rc != 0) {
        loop_destroy(loop);
        return NULL;
    }
    return loop;
}

void loop_destroy(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    metrics_http_stop(loop->metrics);
    bus_close(loop->control);
    bus_close(loop->telemetry);
    bus_close(loop->api);
    bus_close(loop->events);
    guard_stop();
    keyring_destroy(loop->keyring);
    solver_destroy(loop->solver);
    if (loop->store != NULL) {
        loop->store_driver->close(loop->store);
    }
    cluster_destroy(loop->cluster);
    effects_destroy(loop->effects);
    batch_destroy(loop->open);
    batch_destroy(loop->committing);
    batch_destroy(loop->spare);
    struct peer *peer = NULL;
    for (uint32_t slot = 0; (peer = table_next(&loop->peers, &slot)) != NULL;) {
        bytes_finish(&peer->hello);
    }
    table_finish(&loop->peers);
    bytes_finish(&loop->scratch);
    bytes_finish(&loop->head);
    free(loop->incoming);
    free(loop->request);
    free(loop->previous);
    free(loop->item);
    free(loop->mistakes);
    if (loop->signal_fd >= 0) {
        (void)close(loop->signal_fd);
    }
    free(loop);
}

static void start_commit(struct loop *loop)
{
    if (loop->retry && loop->now_ms >= loop->retry_at_ms) {
        loop->retry = loop->store_driver->commit(loop->store, loop->committing) != 0;
    }
    if (loop->committing != NULL ||
        (loop->open->writes_count == 0 && loop->open->messages_count == 0) ||
        loop->store_driver->commit(loop->store, loop->open) != 0) {
        return;
    }
    loop->committing = loop->open;
    loop->open = loop->spare;
    loop->spare = NULL;
    loop->commit_began_us = clock_boot_us();
}

static void end_batch(struct loop *loop, struct batch *batch)
{
    batch_clear(batch);
    loop->committing = NULL;
    loop->spare = batch;
}

/*
 * Clients learn that their requests were not stored. Where the core is ahead of the store by a
 * request, it starts anew from the store. What only the core itself wanted to store is tried
 * again instead, so that a failing disk does not make it forget again and again what nodes say;
 * what depends on it waits.
 */
static int commit_failed(struct loop *loop, struct batch *batch, struct err *err)
{
    log_line(LOG_LEVEL_ERROR, "a commit failed: %s", strerrordesc_np(-batch->code));
    if (batch->code == -EBADMSG) {
        end_batch(loop, batch);
        return err_set(err, -EBADMSG, "the store is damaged; nothing more is accepted");
    }
    bool is_ahead = batch->requests_count > 0 || loop->open->requests_count > 0 ||
                    batch->bodies.size + loop->open->bodies.size > BATCH_BYTES_MAX;
    /* The store gave up its ballast, so the first repetition may well succeed. */
    loop->retry_at_ms = loop->now_ms + (loop->failing != 0 ? STORE_RETRY_MS : 0);
    loop->failing = batch->code;
    perform_refuse(loop, batch, loop->failing);
    perform_refuse(loop, loop->open, loop->failing);
    if (!is_ahead) {
        loop->retry = true;
        return 0;
    }
    end_batch(loop, batch);
    batch_clear(loop->open);
    return restore_reload(loop, err);
}

static int finish_commit(struct loop *loop, struct err *err)
{
    struct batch *batch = loop->store_driver->finished(loop->store);
    if (batch == NULL) {
        return 0;
    }
    if (batch->code != 0) {
        loop->counters.commits_failed++;
        return commit_failed(loop, batch, err);
    }
    metrics_count_seconds(&loop->counters.commit,
                          (double)(clock_boot_us() - loop->commit_began_us) / 1e6);
    loop->counters.commit_writes += batch->changes_count;
    if (loop->failing != 0) {
        log_line(LOG_LEVEL_INFO, "commits succeed again");
    }
    loop->failing = 0;
    perform_release(loop, batch);
    end_batch(loop, batch);
    return 0;
}

static int take_solution(struct loop *loop, struct err *err)
{
    const struct solved *solved = solver_finished(loop->solver);
    if (solved == NULL) {
        return 0;
    }
    metrics_count_seconds(&loop->counters.solve, solved->took_us / 1e6);
    struct cluster_event event = {.type = CLUSTER_EVENT_SOLVED};
    event.solved.revision = solved->revision;
    event.solved.code = solved->code;
    event.solved.err = &solved->err;
    event.solved.answer = &solved->answer;
    event.solved.took_us = solved->took_us;
    event.solved.judgements = solved->judgements;
    event.solved.judgements_count = solved->judgements_count;
    return loop_step(loop, &event, err);
}

static void reload_keyring(struct loop *loop, bool always)
{
    struct stat info;
    if (stat(loop->settings.keyring, &info) != 0) {
        return;
    }
    int64_t changed = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
    if (!always && changed == loop->keyring_changed) {
        return;
    }
    bool first = loop->keyring_changed == 0;
    loop->keyring_changed = changed;
    struct err err = {0};
    if (keyring_load(loop->keyring, loop->settings.keyring, &err) != 0) {
        log_line(LOG_LEVEL_ERROR, "keyring not reloaded, the old one stays: %s", err.text);
    } else if (!first) {
        log_line(LOG_LEVEL_INFO, "keyring reloaded");
    }
}

static void housekeeping(struct loop *loop)
{
    if (loop->now_ms < loop->housekeeping_at_ms) {
        return;
    }
    loop->housekeeping_at_ms = loop->now_ms + HOUSEKEEPING_MS;
    reload_keyring(loop, false);
    refusals_of_bus(loop);
    loop->agents_are_many = loop->agent_messages > AGENT_MESSAGES_MANY * HOUSEKEEPING_MS / 1000;
    loop->agent_messages = 0;
    struct cluster_status status;
    cluster_summary(loop->cluster, &status);
    (void)sd_notifyf(
        0, "WATCHDOG=1\nSTATUS=%u of %u nodes up, %u services (%u met), mean level %.2f",
        status.nodes_up, status.nodes, status.services, status.services_met, status.mean_level);
}

static void take_signals(struct loop *loop)
{
    struct signalfd_siginfo info;
    while (read(loop->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            reload_keyring(loop, true);
        } else {
            loop->stopping = true;
        }
    }
}

static int tick_if_due(struct loop *loop, struct err *err)
{
    if (loop->now_ms < cluster_deadline_ms(loop->cluster)) {
        return 0;
    }
    struct cluster_event event = {.type = CLUSTER_EVENT_TICK};
    return loop_step(loop, &event, err);
}

static int step_late(struct loop *loop, int64_t late_ms, struct err *err)
{
    struct cluster_event event = {.type = CLUSTER_EVENT_LATE, .late_ms = (uint32_t)late_ms};
    log_line(LOG_LEVEL_WARN, "the loop was stopped for %lld ms", (long long)late_ms);
    return loop_step(loop, &event, err);
}

static bool agents_rest(const struct loop *loop)
{
    return loop->agents_are_many && loop->now_ms < loop->agents_rest_till_ms;
}

/* One turn of the loop. */
static int turn(struct loop *loop, int64_t deadline_ms, struct err *err)
{
    const bool rest = agents_rest(loop);
    enum { CONTROL, TELEMETRY, STORE, SOLVER, SIGNALS, METRICS, API, COUNT };
    struct poll_item items[COUNT] = {
        [CONTROL] = {.socket = rest ? NULL : loop->control, .fd = -1},
        [TELEMETRY] = {.socket = rest ? NULL : loop->telemetry, .fd = -1},
        [API] = {.socket = loop->api},
        [STORE] = {.fd = loop->store_driver->fd(loop->store)},
        [SOLVER] = {.fd = solver_fd(loop->solver)},
        [SIGNALS] = {.fd = loop->signal_fd},
        [METRICS] = {.fd = metrics_http_fd(loop->metrics)},
    };
    int64_t before_ms = loop->now_ms;
    /* Requests that cannot be taken before the commit under way ends must not wake us. */
    int count = receive_api_is_full(loop) ? COUNT - 1 : COUNT;
    int rc = poll_wait(items, count, deadline_ms);
    if (rc < 0 && rc != -EINTR) {
        return err_set(err, rc, "cannot wait for sockets: %s", strerrordesc_np(-rc));
    }
    read_clocks(loop);
    int64_t asked_ms = deadline_ms > before_ms ? deadline_ms : before_ms;
    rc = loop->now_ms - asked_ms > LATE_MS ? step_late(loop, loop->now_ms - asked_ms, err) : 0;
    take_signals(loop);
    if (rc == 0) {
        rc = finish_commit(loop, err);
    }
    if (rc == 0 && items[CONTROL].ready) {
        rc = receive_control(loop, err);
    }
    if (rc == 0 && items[TELEMETRY].ready) {
        rc = receive_telemetry(loop, err);
        loop->agents_rest_till_ms = loop->now_ms + AGENTS_REST_MS;
    }
    if (rc == 0) {
        rc = take_solution(loop, err);
    }
    if (rc == 0 && items[API].ready) {
        rc = receive_api(loop, err);
    }
    read_clocks(loop);
    if (rc == 0) {
        rc = tick_if_due(loop, err);
    }
    housekeeping(loop);
    if (items[METRICS].ready) {
        metrics_serve(loop);
    }
    start_commit(loop);
    return rc;
}

static int64_t next_deadline(const struct loop *loop)
{
    int64_t deadline_ms = cluster_deadline_ms(loop->cluster);
    if (loop->housekeeping_at_ms < deadline_ms) {
        deadline_ms = loop->housekeeping_at_ms;
    }
    if (loop->retry && loop->retry_at_ms < deadline_ms) {
        deadline_ms = loop->retry_at_ms;
    }
    if (agents_rest(loop) && loop->agents_rest_till_ms < deadline_ms) {
        deadline_ms = loop->agents_rest_till_ms;
    }
    return deadline_ms;
}

/* A clean stop: nodes are parked, and what is stored and said gets out. */
static int stop(struct loop *loop, struct err *err)
{
    struct cluster_event event = {.type = CLUSTER_EVENT_STOP};
    int64_t until_ms = clock_boot_ms() + STOP_DRAIN_MS;
    int rc = loop_step(loop, &event, err);
    while (rc == 0 && clock_boot_ms() < until_ms) {
        read_clocks(loop);
        start_commit(loop);
        if (loop->committing == NULL) {
            break;
        }
        struct poll_item item = {.fd = loop->store_driver->fd(loop->store)};
        (void)poll_wait(&item, 1, loop->retry ? loop->retry_at_ms : until_ms);
        rc = finish_commit(loop, err);
    }
    return rc;
}

int loop_run(struct loop *loop, struct err *err)
{
    reload_keyring(loop, false);
    (void)sd_notify(0, "READY=1");
    log_line(LOG_LEVEL_INFO, "arbiterd " ARBITER_VERSION " epoch=%llu control=%s api=%s",
             (unsigned long long)loop->epoch, loop->settings.control, loop->settings.api);
    int rc = 0;
    while (rc == 0 && !loop->stopping) {
        rc = turn(loop, next_deadline(loop), err);
    }
    if (rc == 0) {
        (void)sd_notify(0, "STOPPING=1");
        rc = stop(loop, err);
    }
    return rc;
}
