// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/gateway_entry.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/poll.h>
#include <unistd.h>

#include "node-agent/io/gateway_files.h"
#include "node-agent/io/haproxy_log.h"

#define ADMIN_SOCKET  "admin.sock"
#define MASTER_SOCKET "master.sock"
#define MASTER_BIND   "unix@master.sock,mode,600"

#define POLL_MS         1000 /* while all is well */
#define POLL_QUICK_MS   100  /* while something is under way */
#define REST_MS         5000
#define RELOAD_LIMIT_MS 10000
#define RELOAD_AGAIN_MS 2000
#define MASTER_LIMIT_MS 5000 /* a master without a worker ends by itself */
#define STOP_SOFT_MS    5000 /* for requests under way when an entry point is removed */
#define STOP_HARD_MS    2000

static void text_set(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text);
}

static void move(struct gateway_entry *entry, enum entry_phase phase, int64_t next_ms)
{
    entry->phase = phase;
    entry->next_ms = next_ms;
}

/* The loop wakes when the descriptor is readable; closing it ends that. */
static void watch(const struct gateway_entry *entry, const struct entry_host *host, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = entry->slot};
    /* On failure (no memory) the entry's deadlines still get it done, later. */
    (void)epoll_ctl(host->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int entry_open(struct gateway_entry *entry, struct entry_host *host, const char *service,
               int64_t now_ms, struct err *err)
{
    entry->cli.fd = -1;
    entry->run.pidfd = -1;
    entry->process_fd = -1;
    entry->log_fd = -1;
    entry->folder_fd = gateway_folder_open(host->folder_fd, service, &host->limits, err);
    if (entry->folder_fd < 0) {
        return entry->folder_fd;
    }
    entry->log_fd = haproxy_log_open(entry->folder_fd, &host->limits, err);
    if (entry->log_fd < 0) {
        (void)close(entry->folder_fd);
        return entry->log_fd;
    }
    watch(entry, host, entry->log_fd);
    entry->log_ms = now_ms; /* arms it */
    text_set(entry->status.service, sizeof entry->status.service, service);
    request_window_start(&entry->window, WINDOW_MS_DEFAULT, now_ms);
    entry->publish_ms = now_ms + ENTRY_PUBLISH_MS;
    move(entry, ENTRY_PHASE_REST, INT64_MAX); /* until a valid order comes */
    return 0;
}

void entry_close(struct gateway_entry *entry)
{
    haproxy_cli_stop(&entry->cli);
    haproxy_run_stop(&entry->run);
    if (entry->process_fd >= 0) {
        (void)close(entry->process_fd);
    }
    (void)close(entry->log_fd);
    (void)close(entry->folder_fd);
}

void entry_apply(struct gateway_entry *entry, struct entry_host *host,
                 const struct entry_order *order, int64_t now_ms)
{
    struct err err = {0};
    struct entry_order checked = *order;
    entry->report = true;
    if (haproxy_order_check(&checked, &err) < 0) {
        text_set(entry->refusal, sizeof entry->refusal, err.text);
        text_set(entry->status.problem_text, sizeof entry->status.problem_text, err.text);
        return;
    }
    entry->refusal[0] = '\0';
    entry->rounds = 0;
    if (!checked.remove) {
        if (!entry->has_order || checked.window_ms != entry->order.window_ms) {
            request_window_start(&entry->window, checked.window_ms, now_ms);
        }
        (void)haproxy_config_write(&checked, &host->limits, host->text, entry->frame);
    }
    entry->order = checked;
    entry->has_order = true;
    if (entry->phase == ENTRY_PHASE_REST) {
        entry->phase = ENTRY_PHASE_PROBE;
        entry->phase_deadline_ms = now_ms + MASTER_LIMIT_MS;
    }
    entry->next_ms = now_ms;
}

static void fail(struct gateway_entry *entry, const char *text, int64_t now_ms)
{
    const bool runs = entry->frame_runs[0] != '\0';
    text_set(entry->status.problem_text, sizeof entry->status.problem_text, text);
    if (runs) {
        /* The older configuration serves on, with the order's servers. */
        text_set(entry->frame_refused, sizeof entry->frame_refused, entry->frame_checked);
        entry->refused_until_ms = now_ms + REST_MS;
        move(entry, ENTRY_PHASE_SERVE, now_ms);
    } else {
        entry->status.up = false;
        move(entry, ENTRY_PHASE_REST, now_ms + REST_MS);
    }
}

static void begin_check(struct gateway_entry *entry, struct entry_host *host, int64_t now_ms)
{
    struct err err = {0};
    const size_t size =
        haproxy_config_write(&entry->order, &host->limits, host->text, entry->frame_checked);
    const char *const argv[] = {host->haproxy, "-c", "-f", GATEWAY_CONFIG_NEW_NAME, NULL};
    if (gateway_file_write(entry->folder_fd, GATEWAY_CONFIG_NEW_NAME, host->text, size, &err) <
            0 ||
        haproxy_run_start(&entry->run, entry->folder_fd, argv, now_ms, &err) < 0) {
        fail(entry, err.text, now_ms);
        return;
    }
    watch(entry, host, entry->run.pidfd);
    entry->written_hash = 0;
    move(entry, ENTRY_PHASE_CHECK, INT64_MAX);
}

static void begin_start(struct gateway_entry *entry, struct entry_host *host, int64_t now_ms)
{
    struct err err = {0};
    const char *const argv[] = {host->haproxy,       "-W", "-D",          "-S",
                                MASTER_BIND,         "-p", "haproxy.pid", "-f",
                                GATEWAY_CONFIG_NAME, NULL};
    if (haproxy_run_start(&entry->run, entry->folder_fd, argv, now_ms, &err) < 0) {
        fail(entry, err.text, now_ms);
        return;
    }
    watch(entry, host, entry->run.pidfd);
    move(entry, ENTRY_PHASE_START, INT64_MAX);
}

static bool talk(struct gateway_entry *entry, struct entry_host *host, enum entry_talk what,
                 const char *commands, int64_t now_ms)
{
    const bool master = what == ENTRY_TALK_RELOAD || what == ENTRY_TALK_MASTER;
    if (haproxy_cli_start(&entry->cli, entry->folder_fd, master ? MASTER_SOCKET : ADMIN_SOCKET,
                          commands, now_ms) < 0) {
        return false;
    }
    entry->talk = what;
    watch(entry, host, entry->cli.fd);
    return true;
}

static void begin_reload(struct gateway_entry *entry, struct entry_host *host, int64_t now_ms)
{
    struct err err = {0};
    /* A master that cannot bind keeps its reasons to itself; so find out before. */
    if (strcmp(entry->listen_runs, entry->order.entry.listen) != 0 &&
        gateway_listen_try(entry->order.entry.listen, &err) < 0) {
        fail(entry, err.text, now_ms);
        return;
    }
    if (!talk(entry, host, ENTRY_TALK_RELOAD, "reload", now_ms)) {
        fail(entry, "HAProxy's master does not answer", now_ms);
        return;
    }
    entry->phase_deadline_ms = now_ms + RELOAD_LIMIT_MS;
    entry->reload_again_ms = now_ms + RELOAD_AGAIN_MS;
    move(entry, ENTRY_PHASE_RELOAD, now_ms + POLL_QUICK_MS);
}

/* A child of CHECK or START has ended, or not yet. */
static void run_child(struct gateway_entry *entry, struct entry_host *host, int64_t now_ms)
{
    const int rc = haproxy_run_poll(&entry->run, now_ms);
    if (rc == -EAGAIN) {
        return;
    }
    if (rc < 0) {
        char complaint[TEXT_SIZE];
        haproxy_run_complaint(entry->folder_fd, complaint, sizeof complaint);
        fail(entry, complaint[0] != '\0' ? complaint : "HAProxy failed without a word", now_ms);
        return;
    }
    if (entry->phase == ENTRY_PHASE_START) {
        entry->phase_deadline_ms = now_ms + MASTER_LIMIT_MS;
        move(entry, ENTRY_PHASE_PROBE, now_ms);
        return;
    }
    if (entry->order.remove) {
        move(entry, ENTRY_PHASE_PROBE, now_ms);
        return;
    }
    struct err err = {0};
    if (gateway_file_rename(entry->folder_fd, GATEWAY_CONFIG_NEW_NAME, GATEWAY_CONFIG_NAME,
                            &err) < 0) {
        fail(entry, err.text, now_ms);
    } else if (entry->frame_runs[0] != '\0') {
        begin_reload(entry, host, now_ms);
    } else {
        begin_start(entry, host, now_ms);
    }
}

static void take_line(void *context, const char *line)
{
    struct gateway_entry *entry = context;
    int pid = 0;
    switch (entry->talk) {
    case ENTRY_TALK_STATE:
        if (strncmp(line, "description: ", 13) == 0) {
            /* NOLINTNEXTLINE(cert-err34-c): words only */
            if (sscanf(line + 13, "%16s %63s", entry->frame_runs, entry->listen_runs) != 2) {
                entry->listen_runs[0] = '\0';
            }
        } else {
            server_table_line(&entry->table, line);
        }
        return;
    case ENTRY_TALK_COMMANDS:
        if (line[0] != '\0' && strcmp(line, "New server registered.") != 0 &&
            strcmp(line, "Server deleted.") != 0 && entry->complaint[0] == '\0') {
            text_set(entry->complaint, sizeof entry->complaint, line);
        }
        return;
    case ENTRY_TALK_MASTER:
        /* NOLINTNEXTLINE(cert-err34-c): the width bounds the number */
        if (sscanf(line, "%9d master", &pid) == 1 && strstr(line, " master ") != NULL &&
            entry->process_fd < 0) {
            entry->process_fd = pidfd_open(pid, 0);
        }
        return;
    case ENTRY_TALK_RELOAD: return;
    }
}

/* Keeps the file in step, so that a reload or a new start has the servers of now. */
static void keep_file(struct gateway_entry *entry, struct entry_host *host)
{
    struct err err = {0};
    char frame[FRAME_SIZE];
    const size_t size = haproxy_config_write(&entry->order, &host->limits, host->text, frame);
    const uint64_t hash = haproxy_text_hash(host->text);
    if (hash == entry->written_hash) {
        return;
    }
    if (gateway_file_write(entry->folder_fd, GATEWAY_CONFIG_NEW_NAME, host->text, size, &err) <
            0 ||
        gateway_file_rename(entry->folder_fd, GATEWAY_CONFIG_NEW_NAME, GATEWAY_CONFIG_NAME,
                            &err) < 0) {
        text_set(entry->status.problem_text, sizeof entry->status.problem_text, err.text);
        return;
    }
    entry->written_hash = hash;
}

/* It runs, and its state has just been read. */
static void serve(struct gateway_entry *entry, struct entry_host *host, int64_t now_ms)
{
    const bool frame_right = strcmp(entry->frame_runs, entry->frame) == 0;
    entry->status.servers_up = server_table_up(&entry->table);
    entry->status.up = strcmp(entry->listen_runs, entry->order.entry.listen) == 0;
    if (!frame_right && (strcmp(entry->frame, entry->frame_refused) != 0 ||
                         now_ms >= entry->refused_until_ms)) {
        begin_check(entry, host, now_ms);
        return;
    }
    char commands[SERVER_COMMANDS_SIZE];
    const bool done = server_plan(&entry->table, &entry->order, commands);
    if (done && frame_right) {
        entry->status.operation_done = entry->order.operation;
        text_set(entry->status.problem_text, sizeof entry->status.problem_text, entry->refusal);
        keep_file(entry, host);
    } else if (!done && entry->rounds > 3 && entry->complaint[0] != '\0') {
        text_set(entry->status.problem_text, sizeof entry->status.problem_text,
                 entry->complaint);
    }
    move(entry, ENTRY_PHASE_SERVE, now_ms + (done ? POLL_MS : POLL_QUICK_MS));
    if (commands[0] != '\0') {
        entry->complaint[0] = '\0';
        entry->rounds++;
        (void)talk(entry, host, ENTRY_TALK_COMMANDS, commands, now_ms);
        /* Read back what the first rounds did at once; after that, no faster than the clock. */
        entry->next_ms = !done && entry->rounds <= 3 ? now_ms : entry->next_ms;
    }
}

/* Nobody answers at the admin socket. */
static void absent(struct gateway_entry *entry, struct entry_host *host, int64_t now_ms)
{
    if (entry->phase == ENTRY_PHASE_RELOAD && now_ms < entry->phase_deadline_ms) {
        entry->next_ms = now_ms + POLL_QUICK_MS;
        return;
    }
    if (haproxy_cli_listens(entry->folder_fd, MASTER_SOCKET)) {
        if (now_ms >= entry->phase_deadline_ms) {
            text_set(entry->status.problem_text, sizeof entry->status.problem_text,
                     "HAProxy's master runs, but no worker answers");
        }
        entry->next_ms = now_ms + POLL_QUICK_MS;
        return;
    }
    entry->frame_runs[0] = '\0';
    entry->status.up = false;
    entry->status.servers_up = 0;
    if (entry->order.remove) {
        move(entry, ENTRY_PHASE_GONE, INT64_MAX);
        return;
    }
    begin_check(entry, host, now_ms);
}

/* A conversation came to its end. */
static void talked(struct gateway_entry *entry, struct entry_host *host, int rc, int64_t now_ms)
{
    if (entry->talk != ENTRY_TALK_STATE) {
        return; /* what it brought is seen in the next state */
    }
    if (rc < 0 || entry->frame_runs[0] == '\0' || entry->table.column_weight < 0) {
        text_set(entry->status.problem_text, sizeof entry->status.problem_text,
                 "HAProxy does not answer");
        entry->next_ms = now_ms + POLL_MS;
        return;
    }
    if (entry->order.remove) {
        move(entry, ENTRY_PHASE_SERVE, now_ms);
        return;
    }
    if (entry->phase == ENTRY_PHASE_RELOAD &&
        strcmp(entry->frame_runs, entry->frame_checked) != 0) {
        if (now_ms >= entry->phase_deadline_ms) {
            fail(entry, "HAProxy did not take the new configuration", now_ms);
            return;
        }
        entry->next_ms = now_ms + POLL_QUICK_MS;
        if (now_ms >= entry->reload_again_ms) {
            /* A master that was just starting itself anew has forgotten the first one. */
            entry->reload_again_ms = now_ms + RELOAD_AGAIN_MS;
            (void)talk(entry, host, ENTRY_TALK_RELOAD, "reload", now_ms);
        }
        return;
    }
    serve(entry, host, now_ms);
}

/* Ends the master, which ends its workers: first so that they finish what they have. */
static void run_stop(struct gateway_entry *entry, struct entry_host *host, int64_t now_ms)
{
    if (entry->process_fd < 0) {
        if (now_ms >= entry->next_ms) {
            entry->next_ms = now_ms + POLL_QUICK_MS;
            if (!talk(entry, host, ENTRY_TALK_MASTER, "show proc", now_ms)) {
                move(entry, ENTRY_PHASE_GONE, INT64_MAX);
            }
        }
        return;
    }
    struct pollfd ended = {.fd = entry->process_fd, .events = POLLIN};
    if (poll(&ended, 1, 0) == 1) {
        move(entry, ENTRY_PHASE_GONE, INT64_MAX);
        return;
    }
    if (entry->stop_signals > 0 && now_ms < entry->phase_deadline_ms) {
        return;
    }
    const int signals[] = {SIGUSR1, SIGTERM, SIGKILL};
    const int signal_number = signals[entry->stop_signals < 2 ? entry->stop_signals : 2];
    if (entry->stop_signals == 0) {
        watch(entry, host, entry->process_fd);
    }
    (void)pidfd_send_signal(entry->process_fd, signal_number, NULL, 0); /* gone: seen above */
    entry->phase_deadline_ms =
        now_ms + (entry->stop_signals == 0 ? STOP_SOFT_MS : STOP_HARD_MS);
    entry->next_ms = entry->phase_deadline_ms;
    entry->stop_signals++;
}

static void gone(struct gateway_entry *entry, struct entry_host *host, int64_t now_ms)
{
    if (entry->process_fd >= 0) {
        (void)close(entry->process_fd);
        entry->process_fd = -1;
    }
    entry->frame_runs[0] = '\0';
    entry->status.up = false;
    entry->status.servers_up = 0;
    if (!entry->order.remove) { /* wanted again meanwhile */
        move(entry, ENTRY_PHASE_PROBE, now_ms);
        return;
    }
    entry->status.problem_text[0] = '\0';
    entry->status.operation_done = entry->order.operation;
    entry->report = true;
    gateway_folder_remove(host->folder_fd, entry->folder_fd, entry->order.service);
}

static void run_phase(struct gateway_entry *entry, struct entry_host *host, int64_t now_ms)
{
    switch (entry->phase) {
    case ENTRY_PHASE_CHECK:
    case ENTRY_PHASE_START: run_child(entry, host, now_ms); return;
    case ENTRY_PHASE_STOP: run_stop(entry, host, now_ms); return;
    case ENTRY_PHASE_REST:
        if (now_ms >= entry->next_ms) {
            entry->phase_deadline_ms = now_ms + MASTER_LIMIT_MS;
            move(entry, ENTRY_PHASE_PROBE, now_ms);
        }
        return;
    case ENTRY_PHASE_PROBE:
    case ENTRY_PHASE_SERVE:
        if (entry->order.remove) {
            entry->stop_signals = 0;
            move(entry, ENTRY_PHASE_STOP, now_ms);
            return;
        }
        break;
    case ENTRY_PHASE_RELOAD: break;
    case ENTRY_PHASE_GONE: return;
    }
    if (now_ms < entry->next_ms) {
        return;
    }
    server_table_start(&entry->table);
    if (!talk(entry, host, ENTRY_TALK_STATE, "show info;show stat servers 4 -1", now_ms)) {
        absent(entry, host, now_ms);
    }
}

/* Wakes for the first line of a burst and then looks by the clock, not for each request. */
static void read_log(struct gateway_entry *entry, const struct entry_host *host, int64_t now_ms)
{
    if (haproxy_log_drain(entry->log_fd, &entry->window, now_ms) > 0) {
        entry->log_ms = now_ms + host->log_pause_ms;
    } else if (now_ms >= entry->log_ms) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u32 = entry->slot};
        (void)epoll_ctl(host->epoll_fd, EPOLL_CTL_MOD, entry->log_fd, &event); /* is there */
        entry->log_ms = INT64_MAX;
    }
}

void entry_run(struct gateway_entry *entry, struct entry_host *host, int64_t now_ms)
{
    read_log(entry, host, now_ms);
    if (entry->cli.fd >= 0) {
        const int rc = haproxy_cli_run(&entry->cli, now_ms, take_line, entry);
        if (rc == -EAGAIN) {
            return;
        }
        talked(entry, host, rc, now_ms);
        if (entry->cli.fd >= 0) {
            return;
        }
    }
    run_phase(entry, host, now_ms);
    if (entry->phase == ENTRY_PHASE_GONE) {
        gone(entry, host, now_ms);
    }
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t entry_deadline_ms(const struct gateway_entry *entry)
{
    int64_t deadline_ms = sooner(entry->publish_ms, entry->log_ms);
    if (entry->cli.fd >= 0) {
        return sooner(deadline_ms, entry->cli.deadline_ms);
    }
    if (entry->run.pidfd >= 0) {
        deadline_ms = sooner(deadline_ms, entry->run.deadline_ms);
    }
    return sooner(deadline_ms, entry->next_ms);
}
