// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/agent_loop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/poll.h"
#include "node-agent/io/agent_loop_state.h"

#define MESSAGES_PER_TURN 64
#define RESULTS_PER_TURN  256
#define LATE_MS           50 /* less is what a scheduler may do */
#define NOTIFY_EVERY_MS   10000

enum wait_item {
    ITEM_CONTROL,
    ITEM_SIGNALS,
    ITEM_IMAGES,
    ITEM_DRIVER,
    ITEM_GATEWAY,
    ITEM_COUNT
};

struct agent_loop *agent_loop_create(const struct agent_settings *settings, struct err *err)
{
    struct agent_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        err_set(err, -ENOMEM, "no memory for the agent");
        return NULL;
    }
    loop->settings = *settings;
    if (agent_loop_open(loop, err) != 0) {
        agent_loop_destroy(loop);
        return NULL;
    }
    return loop;
}

void agent_loop_destroy(struct agent_loop *loop)
{
    if (loop != NULL) {
        agent_loop_close(loop);
        free(loop);
    }
}

static int take_messages(struct agent_loop *loop, struct err *err)
{
    struct bus_message frame;
    int rc = 0;
    for (int i = 0; i < MESSAGES_PER_TURN && rc == 0; i++) {
        if (bus_receive(loop->control, &frame) != 0) {
            break;
        }
        struct err why = {0};
        if (codec_decode_node_message(frame.data, frame.size, &loop->message, &why) != 0) {
            log_line(LOG_LEVEL_WARN, "a message of the orchestrator was dropped: %s", why.text);
            continue;
        }
        struct agent_event event = {
            .type = AGENT_EVENT_MESSAGE, .now_ms = clock_boot_ms(), .message = &loop->message};
        rc = agent_loop_step(loop, &event, err);
    }
    return rc;
}

static int take_completions(struct agent_loop *loop, struct err *err)
{
    int rc = 0;
    for (int i = 0; i < RESULTS_PER_TURN && rc == 0; i++) {
        int64_t now_ms = clock_boot_ms();
        if (loop->module.driver->complete(loop->module.hypervisor, now_ms, &loop->completion) !=
            1) {
            break;
        }
        struct agent_event event = {
            .type = AGENT_EVENT_COMPLETED, .now_ms = now_ms, .completed = &loop->completion};
        rc = agent_loop_step(loop, &event, err);
    }
    return rc;
}

static int take_images(struct agent_loop *loop, struct err *err)
{
    struct image_result result;
    int rc = 0;
    while (rc == 0 && image_fetch_result(loop->images, &result) == 1) {
        struct agent_event event = {.type = AGENT_EVENT_IMAGE, .now_ms = clock_boot_ms()};
        memcpy(event.image.image, result.image, sizeof event.image.image);
        event.image.code = result.code;
        event.image.reason = result.reason;
        event.image.path = result.path;
        event.image.text = result.text;
        rc = agent_loop_step(loop, &event, err);
    }
    return rc;
}

static int take_gateway(struct agent_loop *loop, struct err *err)
{
    if (loop->gateway == NULL) {
        return 0;
    }
    int64_t now_ms = clock_boot_ms();
    struct entry_status status;
    struct metrics metrics;
    int rc = 0;
    gateway_run(loop->gateway, now_ms);
    while (rc == 0 && gateway_next_status(loop->gateway, &status)) {
        struct agent_event event = {
            .type = AGENT_EVENT_ENTRY, .now_ms = now_ms, .entry = &status};
        rc = agent_loop_step(loop, &event, err);
    }
    while (rc == 0 && gateway_next_metrics(loop->gateway, now_ms, &metrics)) {
        struct agent_event event = {
            .type = AGENT_EVENT_METRICS, .now_ms = now_ms, .metrics = &metrics};
        rc = agent_loop_step(loop, &event, err);
    }
    return rc;
}

static int take_signals(struct agent_loop *loop, struct err *err)
{
    struct signalfd_siginfo signal;
    int rc = 0;
    while (rc == 0 && read(loop->signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        log_line(LOG_LEVEL_INFO, "signal %" PRIu32 ": the agent stops, guests go on",
                 signal.ssi_signo);
        struct agent_event event = {.type = AGENT_EVENT_STOP, .now_ms = clock_boot_ms()};
        rc = agent_loop_step(loop, &event, err);
        (void)sd_notify(0, "STOPPING=1");
    }
    return rc;
}

/* Tells systemd that we live, and what we do. */
static void notify(struct agent_loop *loop, int64_t now_ms)
{
    if (now_ms < loop->notify_at_ms) {
        return;
    }
    uint32_t running = 0;
    int64_t lease_ms = -1;
    agent_summary(loop->agent, now_ms, &running, &lease_ms);
    (void)sd_notifyf(0, "WATCHDOG=1\nSTATUS=%u VMs run, lease %s", running,
                     lease_ms >= 0 ? "held" : "not held");
    loop->notify_at_ms = now_ms + loop->notify_every_ms;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int wait_for_work(struct agent_loop *loop, struct err *err)
{
    struct poll_item items[ITEM_COUNT] = {[ITEM_CONTROL] = {.socket = loop->control, .fd = -1},
                                          [ITEM_SIGNALS] = {.fd = loop->signals},
                                          [ITEM_IMAGES] = {.fd = image_fetch_fd(loop->images)}};
    int count = ITEM_DRIVER;
    int driver_fd = loop->module.driver->fd(loop->module.hypervisor);
    if (driver_fd >= 0) {
        items[count++] = (struct poll_item){.fd = driver_fd};
    }
    if (loop->gateway != NULL) {
        items[count++] = (struct poll_item){.fd = gateway_fd(loop->gateway)};
    }
    int64_t deadline = agent_deadline_ms(loop->agent);
    deadline = earlier(deadline, loop->module.driver->deadline_ms(loop->module.hypervisor));
    deadline = earlier(deadline, loop->status_at_ms);
    deadline = earlier(deadline, loop->notify_at_ms);
    if (loop->gateway != NULL) {
        deadline = earlier(deadline, gateway_deadline_ms(loop->gateway));
    }
    int64_t before_ms = clock_boot_ms();
    loop->wanted_at_ms = deadline > before_ms ? deadline : before_ms;
    int rc = poll_wait(items, count, deadline);
    if (rc < 0 && rc != -EINTR) {
        return err_set(err, rc, "waiting failed");
    }
    return 0;
}

static int tell_lateness(struct agent_loop *loop, int64_t now_ms, struct err *err)
{
    int64_t late_ms = now_ms - loop->wanted_at_ms;
    if (late_ms < LATE_MS) {
        return 0;
    }
    struct agent_event event = {.type = AGENT_EVENT_LATE, .now_ms = now_ms};
    event.late_ms = late_ms < UINT32_MAX ? (uint32_t)late_ms : UINT32_MAX;
    return agent_loop_step(loop, &event, err);
}

static int turn(struct agent_loop *loop, struct err *err)
{
    int rc = wait_for_work(loop, err);
    int64_t now_ms = clock_boot_ms();
    rc = rc == 0 ? tell_lateness(loop, now_ms, err) : rc;
    rc = rc == 0 ? take_messages(loop, err) : rc;
    rc = rc == 0 ? take_completions(loop, err) : rc;
    rc = rc == 0 ? take_images(loop, err) : rc;
    rc = rc == 0 ? take_gateway(loop, err) : rc;
    if (rc == 0 && now_ms >= loop->status_at_ms) {
        rc = agent_loop_status(loop, err);
    }
    if (rc == 0 && clock_boot_ms() >= agent_deadline_ms(loop->agent)) {
        struct agent_event tick = {.type = AGENT_EVENT_TICK, .now_ms = clock_boot_ms()};
        rc = agent_loop_step(loop, &tick, err);
    }
    rc = rc == 0 ? take_signals(loop, err) : rc;
    notify(loop, now_ms);
    return rc;
}

int agent_loop_run(struct agent_loop *loop, struct err *err)
{
    uint64_t watchdog_us = 0;
    int64_t every_ms = NOTIFY_EVERY_MS;
    if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
        every_ms = earlier(every_ms, (int64_t)(watchdog_us / 2000));
    }
    loop->notify_every_ms = every_ms > 0 ? every_ms : 1;
    int rc = agent_loop_start(loop, err);
    if (rc == 0) {
        log_line(LOG_LEVEL_INFO, "node=%s driver=%s incarnation=%s ready, orchestrator at %s",
                 loop->settings.node, loop->settings.driver, loop->incarnation,
                 loop->settings.control);
        (void)sd_notify(0, "READY=1");
    }
    while (rc == 0 && !agent_has_stopped(loop->agent)) {
        rc = turn(loop, err);
    }
    return rc;
}
