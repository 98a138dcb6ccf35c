// SPDX-License-Identifier: Apache-2.0
/* Start and end of the agent's loop. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/file.h"
#include "common/io/log.h"
#include "common/io/scope.h"
#include "node-agent/io/agent_loop_state.h"
#include "node-agent/io/memory_file.h"

#define STATUS_EVERY_MS 10000
#define PATH_MAX_HERE   (2 * PATH_SIZE)

static int make_folder(const char *path, struct err *err)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return err_set(err, -errno, "%s: %s", path, strerrordesc_np(errno));
    }
    return 0;
}

/* Boot id and a count of the agent's starts: a node that came back is another incarnation. */
static int make_incarnation(struct agent_loop *loop, struct err *err)
{
    char path[PATH_MAX_HERE];
    char text[32];
    SCOPE_FREE char *boot = NULL;
    SCOPE_FREE char *starts = NULL;
    size_t size = 0;
    uint64_t count = 0;
    (void)snprintf(path, sizeof path, "%s/starts", loop->settings.state);
    int rc = file_read(path, sizeof text, &starts, &size, err);
    if (rc == 0) {
        count = strtoull(starts, NULL, 10);
    } else if (rc != -ENOENT) {
        return rc;
    }
    int length = snprintf(text, sizeof text, "%" PRIu64 "\n", ++count);
    rc = file_replace(path, text, (size_t)length, 0600, err);
    if (rc != 0) {
        return rc;
    }
    SCOPE_FCLOSE FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    char id[UUID_SIZE] = "";
    if (file == NULL || fgets(id, sizeof id, file) == NULL) {
        return err_set(err, -EIO, "the boot id of this host cannot be read");
    }
    id[strcspn(id, "\n")] = '\0';
    (void)snprintf(loop->incarnation, sizeof loop->incarnation, "%.36s-%" PRIu64, id,
                   count % 1000000000);
    return 0; // cppcheck-suppress resourceLeak ; closed by its scope
}

static int open_state(struct agent_loop *loop, struct err *err)
{
    char path[PATH_MAX_HERE];
    int rc = make_folder(loop->settings.state, err);
    if (rc != 0) {
        return rc;
    }
    (void)snprintf(path, sizeof path, "%s/lock", loop->settings.state);
    loop->state_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (loop->state_lock < 0) {
        return err_set(err, -errno, "%s: %s", path, strerrordesc_np(errno));
    }
    if (flock(loop->state_lock, LOCK_EX | LOCK_NB) != 0) {
        return err_set(err, -EBUSY, "%s is used by another agent that runs",
                       loop->settings.state);
    }
    (void)snprintf(loop->memory_path, sizeof loop->memory_path, "%s/memory",
                   loop->settings.state);
    return make_incarnation(loop, err);
}

static int open_sockets(struct agent_loop *loop, struct err *err)
{
    struct key_pair own;
    char server[KEY_TEXT_SIZE];
    int rc = key_pair_read(loop->settings.key, &own, err);
    rc = rc == 0 ? key_public_read(loop->settings.server_key, server, err) : rc;
    if (rc != 0) {
        return rc;
    }
    struct bus_options options = {.kind = BUS_DEALER,
                                  .endpoint = loop->settings.control,
                                  .own = &own,
                                  .server_public = server,
                                  .frame_bytes_max = BUS_CONTROL_FRAME_MAX};
    rc = bus_open(&loop->control, &options, err);
    if (rc == 0) {
        options.kind = BUS_PUB;
        options.endpoint = loop->settings.telemetry;
        rc = bus_open(&loop->telemetry, &options, err);
    }
    explicit_bzero(&own, sizeof own);
    return rc;
}

static uint64_t seed_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    }
    return hash >> 16;
}

static int open_gateway(struct agent_loop *loop, struct err *err)
{
    char folder[PATH_MAX_HERE];
    if (strcmp(loop->settings.roles, "gateway") != 0) {
        return 0;
    }
    (void)snprintf(folder, sizeof folder, "%s/entries", loop->settings.state);
    const struct gateway_settings settings = {.folder = folder,
                                              .haproxy = loop->settings.haproxy};
    int rc = gateway_open(&loop->gateway, &settings, err);
    return rc == 0 ? 0 : err_wrap(err, "role gateway");
}

/* SIGTERM and SIGINT become readable here. */
static int open_signals(struct agent_loop *loop, struct err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    loop->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return loop->signals >= 0 ? 0 : err_set(err, -errno, "no descriptor for signals");
}

static int open_agent(struct agent_loop *loop, struct err *err)
{
    const struct agent_settings *settings = &loop->settings;
    struct agent_config config = {.address_prefix = settings->address_prefix,
                                  .sample_ms = settings->sample_ms,
                                  .list_at_start = true,
                                  .fence_outlives = loop->module.driver->arm != NULL,
                                  .capabilities =
                                      loop->gateway != NULL ? CAPABILITY_GATEWAY : 0};
    (void)snprintf(config.node, sizeof config.node, "%s", settings->node);
    (void)snprintf(config.incarnation, sizeof config.incarnation, "%s", loop->incarnation);
    (void)snprintf(config.bridge, sizeof config.bridge, "%s", settings->bridge);
    (void)snprintf(config.address_first, ADDRESS_SIZE, "%s", settings->address_first);
    (void)snprintf(config.address_last, ADDRESS_SIZE, "%s", settings->address_last);
    (void)snprintf(config.address_gateway, ADDRESS_SIZE, "%s", settings->address_gateway);
    (void)snprintf(config.migrate_address, ADDRESS_SIZE, "%s", settings->migrate_address);
    loop->agent = agent_create(&config, err);
    loop->effects = agent_effects_create();
    if (loop->agent == NULL) {
        return -EINVAL;
    }
    return loop->effects != NULL ? 0 : err_set(err, -ENOMEM, "no memory for the agent");
}

int agent_loop_open(struct agent_loop *loop, struct err *err)
{
    struct agent_settings *settings = &loop->settings;
    char images[PATH_MAX_HERE];
    loop->state_lock = -1;
    loop->signals = -1;
    if (settings->node[0] == '\0') {
        return err_set(err, -EINVAL, "this node has no name: set node, as its key is enrolled");
    }
    int rc = open_signals(loop, err);
    rc = rc == 0 ? open_state(loop, err) : rc;
    if (rc == 0) {
        const struct hypervisor_settings own = {.uri = "",
                                                .state_folder = settings->state,
                                                .node = settings->node,
                                                .seed = seed_of(settings->node)};
        rc = driver_module_open(&loop->module, settings->driver, settings->driver_folder, &own,
                                err);
    }
    rc = rc == 0 ? open_gateway(loop, err) : rc;
    rc = rc == 0 ? open_agent(loop, err) : rc;
    rc = rc == 0 ? open_sockets(loop, err) : rc;
    if (rc == 0) {
        (void)snprintf(images, sizeof images, "%s/images", settings->state);
        char modules[DRIVER_FOLDER_SIZE];
        driver_module_folder(settings->driver_folder, modules);
        loop->images = image_fetch_create(images, modules, settings->images_kib, err);
        rc = loop->images != NULL ? 0 : -EIO;
    }
    return rc;
}

void agent_loop_close(struct agent_loop *loop)
{
    image_fetch_destroy(loop->images);
    bus_close(loop->control);
    bus_close(loop->telemetry);
    gateway_close(loop->gateway);
    driver_module_close(&loop->module);
    agent_destroy(loop->agent);
    agent_effects_destroy(loop->effects);
    bytes_finish(&loop->bytes);
    if (loop->signals >= 0) {
        (void)close(loop->signals);
    }
    if (loop->state_lock >= 0) {
        (void)close(loop->state_lock);
    }
}

int agent_loop_status(struct agent_loop *loop, struct err *err)
{
    struct node_status status = {0};
    struct err why = {0};
    int64_t now_ms = clock_boot_ms();
    loop->status_at_ms = now_ms + STATUS_EVERY_MS;
    int rc = loop->module.driver->status(loop->module.hypervisor, &status, &why);
    if (rc != 0) {
        /* What was known stands until the hypervisor answers again. */
        log_line(LOG_LEVEL_WARN, "the driver's capacity cannot be read: %s", why.text);
        return 0;
    }
    agent_settings_capacity(&loop->settings, &status);
    struct agent_event event = {
        .type = AGENT_EVENT_STATUS, .now_ms = now_ms, .status = &status};
    return agent_loop_step(loop, &event, err);
}

int agent_loop_start(struct agent_loop *loop, struct err *err)
{
    SCOPE_FREE struct agent_memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL) {
        return err_set(err, -ENOMEM, "no memory for the agent");
    }
    int rc = memory_file_read(loop->memory_path, memory, err);
    if (rc != 0 && rc != -ENOENT) {
        return rc;
    }
    struct agent_event event = {.type = AGENT_EVENT_START, .now_ms = clock_boot_ms()};
    event.start = rc == 0 ? memory : NULL;
    rc = agent_loop_status(loop, err);
    return rc == 0 ? agent_loop_step(loop, &event, err) : rc;
}
