// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/watchdog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/file.h"
#include "common/io/scope.h"
#include "common/limits.h"
#include "node-agent/core/watchdog_plan.h"

#define SLOT_PATH_SIZE 512
#define SLOT_FILE_MAX  128
#define SLOTS_MAX      64 /* Xen has 2; more than that in a file is nonsense */
#define TRIES_MAX      4

struct watchdog {
    int (*call)(void *context, uint32_t slot, uint32_t seconds);
    void *context;
    char boot_id[UUID_SIZE];
    char path[SLOT_PATH_SIZE];
    struct watchdog_state state;
};

/* The slot that an earlier process of this boot left; 0: none. */
static uint32_t kept_slot(const struct watchdog *watchdog)
{
    SCOPE_FREE char *text = NULL;
    size_t size = 0;
    char boot_id[UUID_SIZE] = "";
    uint32_t slot = 0;
    if (file_read(watchdog->path, SLOT_FILE_MAX, &text, &size, NULL) != 0) {
        return 0;
    }
    // NOLINTNEXTLINE(cert-err34-c): a number out of range is refused below
    bool whole = sscanf(text, "%36s %" SCNu32, boot_id, &slot) == 2;
    bool ours = whole && strcmp(boot_id, watchdog->boot_id) == 0;
    return ours && slot <= SLOTS_MAX ? slot : 0;
}

static int keep_slot(const struct watchdog *watchdog, uint32_t slot, struct err *err)
{
    char text[SLOT_FILE_MAX];
    int length = snprintf(text, sizeof text, "%.36s %" PRIu32 "\n", watchdog->boot_id, slot);
    return file_replace(watchdog->path, text, (size_t)length, 0600, err);
}

struct watchdog *watchdog_create(const struct watchdog_options *options, struct err *err)
{
    if (!options->look_only && mkdir(options->folder, 0700) != 0 && errno != EEXIST) {
        err_set(err, -errno, "%s: %s", options->folder, strerrordesc_np(errno));
        return NULL;
    }
    struct watchdog *watchdog = calloc(1, sizeof *watchdog);
    if (watchdog == NULL) {
        err_set(err, -ENOMEM, "no memory for the watchdog");
        return NULL;
    }
    watchdog->call = options->call;
    watchdog->context = options->context;
    (void)snprintf(watchdog->boot_id, sizeof watchdog->boot_id, "%s", options->boot_id);
    (void)snprintf(watchdog->path, sizeof watchdog->path, "%s/%s", options->folder,
                   options->name);
    watchdog->state.slot = kept_slot(watchdog);
    return watchdog;
}

void watchdog_destroy(struct watchdog *watchdog)
{
    free(watchdog);
}

static int take_slot(struct watchdog *watchdog, uint32_t seconds, struct err *err)
{
    int slot = watchdog->call(watchdog->context, 0, seconds);
    if (slot == -ENOSPC) {
        return err_set(err, -ENOSPC,
                       "every watchdog slot of dom0 is in use: is xenwatchdogd running? Stop "
                       "and disable it");
    }
    if (slot <= 0) {
        int code = slot < 0 ? -slot : EIO;
        return err_set(err, -code, "Xen's watchdog: %s", strerrordesc_np(code));
    }
    int rc = keep_slot(watchdog, (uint32_t)slot, err);
    if (rc != 0) {
        /* Nobody would know the slot after a restart: rather none. */
        (void)watchdog->call(watchdog->context, (uint32_t)slot, 0);
        return rc;
    }
    return slot;
}

/* The slot that is set now, or a negative errno. */
static int set_slot(struct watchdog *watchdog, uint32_t seconds, struct err *err)
{
    uint32_t slot = watchdog->state.slot;
    if (slot == 0) {
        return take_slot(watchdog, seconds, err);
    }
    int rc = watchdog->call(watchdog->context, slot, seconds);
    if (rc == -EINVAL) {
        watchdog->state = (struct watchdog_state){0}; /* somebody gave it back */
        return take_slot(watchdog, seconds, err);
    }
    if (rc != 0) {
        return err_set(err, rc, "Xen's watchdog: %s", strerrordesc_np(-rc));
    }
    return (int)slot;
}

static int release_slot(struct watchdog *watchdog, struct err *err)
{
    int rc = watchdog->call(watchdog->context, watchdog->state.slot, 0);
    if (rc != 0 && rc != -EINVAL) {
        return err_set(err, rc, "Xen's watchdog: %s", strerrordesc_np(-rc));
    }
    watchdog->state = (struct watchdog_state){0};
    (void)unlink(watchdog->path);
    return 0;
}

/* 1: the call was held up, so plan once more; 0; or a negative errno. */
static int set(struct watchdog *watchdog, uint32_t seconds, int64_t before_ms, int64_t until_ms,
               struct err *err)
{
    int slot = set_slot(watchdog, seconds, err);
    if (slot < 0) {
        return slot;
    }
    const struct watchdog_span span = {
        .before_ms = before_ms, .after_ms = clock_boot_ms(), .until_ms = until_ms};
    return watchdog_was_set(&watchdog->state, (uint32_t)slot, seconds, &span) ? 1 : 0;
}

int watchdog_arm(struct watchdog *watchdog, int64_t until_ms, struct err *err)
{
    int rc = 1;
    for (int i = 0; rc > 0 && i < TRIES_MAX; i++) {
        int64_t now_ms = clock_boot_ms();
        struct watchdog_step step = watchdog_plan(&watchdog->state, now_ms, until_ms);
        switch (step.act) {
        case WATCHDOG_KEEP: return 0;
        case WATCHDOG_RELEASE: return release_slot(watchdog, err);
        case WATCHDOG_SET: rc = set(watchdog, step.seconds, now_ms, until_ms, err); break;
        case WATCHDOG_TOO_LATE: return err_set(err, -ETIME, "the lease ends within a second");
        }
    }
    if (rc <= 0) {
        return rc;
    }
    return watchdog_is_in_time(&watchdog->state, until_ms)
               ? 0
               : err_set(err, -ETIME, "Xen's watchdog was held up %d times: it may fire late",
                         TRIES_MAX);
}
