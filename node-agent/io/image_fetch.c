// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/image_fetch.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node-agent/io/image_cache.h"
#include "node-agent/io/image_transfer.h"

#define WAITING_MAX    64u
#define FILE_PATH_SIZE (PATH_SIZE + SHA256_SIZE + 16)

struct request {
    char image[NAME_SIZE];
    char source[URL_SIZE];
    char sha256[SHA256_SIZE];
};

struct image_fetch {
    char folder[PATH_SIZE];
    char module[PATH_SIZE * 2 + 32]; /* file of the transfer module */
    uint64_t kib_max;
    int event;
    const struct image_transfer *transfer; /* of the thread; NULL: not loaded yet */
    bool running;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    /* under the mutex */
    bool ending;
    uint32_t requests_first, requests_count;
    uint32_t results_first, results_count;
    struct request requests[WAITING_MAX];
    struct image_result results[WAITING_MAX * 2];
};

static int make_folder(const char *folder, struct err *err)
{
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return err_set(err, -errno, "%s: %s", folder, strerrordesc_np(errno));
    }
    return 0;
}

struct image_fetch *image_fetch_create(const char *folder, const char *module_folder,
                                       uint64_t kib_max, struct err *err)
{
    if (strlen(folder) >= PATH_SIZE - SHA256_SIZE - 8) {
        err_set(err, -ENAMETOOLONG, "%s: too long a path for images", folder);
        return NULL;
    }
    if (make_folder(folder, err) != 0) {
        return NULL;
    }
    struct image_fetch *fetch = calloc(1, sizeof *fetch);
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fetch == NULL || event < 0) {
        err_set(err, -ENOMEM, "no memory to fetch images");
        if (event >= 0) {
            (void)close(event);
        }
        free(fetch);
        return NULL;
    }
    (void)snprintf(fetch->folder, sizeof fetch->folder, "%s", folder);
    (void)snprintf(fetch->module, sizeof fetch->module, "%.500s/%s", module_folder,
                   IMAGE_TRANSFER_FILE);
    fetch->kib_max = kib_max;
    fetch->event = event;
    (void)pthread_mutex_init(&fetch->mutex, NULL);
    (void)pthread_cond_init(&fetch->wake, NULL);
    return fetch;
}

static bool is_ending(void *context)
{
    struct image_fetch *fetch = context;
    (void)pthread_mutex_lock(&fetch->mutex);
    bool ending = fetch->ending;
    (void)pthread_mutex_unlock(&fetch->mutex);
    return ending;
}

/* The module stays loaded: its libraries keep state that cannot be taken out again. */
static int load(struct image_fetch *fetch, struct err *err)
{
    if (fetch->transfer != NULL) {
        return 0;
    }
    void *handle = dlopen(fetch->module, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        const char *why = dlerror(); // NOLINT(concurrency-mt-unsafe): glibc has one per thread
        return err_set(err, -ENOEXEC, "images cannot be fetched: %s", why);
    }
    const struct image_transfer *transfer = dlsym(handle, IMAGE_TRANSFER_ENTRY);
    if (transfer == NULL || transfer->abi != IMAGE_TRANSFER_ABI ||
        transfer->size != sizeof *transfer) {
        (void)dlclose(handle);
        return err_set(err, -ENOEXEC, "images cannot be fetched: %s is of another version",
                       fetch->module);
    }
    fetch->transfer = transfer;
    return 0;
}

static void work(struct image_fetch *fetch, const struct request *request,
                 struct image_result *out)
{
    char part[FILE_PATH_SIZE];
    char sum[SHA256_SIZE];
    struct err err = {0};
    *out = (struct image_result){.reason = REASON_NONE};
    (void)snprintf(out->image, sizeof out->image, "%s", request->image);
    (void)snprintf(out->path, sizeof out->path, "%.180s/%.64s", fetch->folder, request->sha256);
    (void)snprintf(part, sizeof part, "%s.part", out->path);
    out->reason = REASON_IMAGE_MISSING;
    out->code = load(fetch, &err);
    if (out->code == 0 && access(out->path, R_OK) == 0 &&
        fetch->transfer->sum(out->path, sum, NULL) == 0 && strcmp(sum, request->sha256) == 0) {
        (void)utimensat(AT_FDCWD, out->path, NULL, 0); /* used now */
        out->reason = REASON_NONE;
        return;
    }
    if (out->code == 0) {
        out->code =
            fetch->transfer->get(request->source, part, fetch->kib_max, is_ending, fetch, &err);
    }
    if (out->code == 0) {
        out->code = fetch->transfer->sum(part, sum, &err);
    }
    if (out->code == 0 && strcmp(sum, request->sha256) != 0) {
        out->reason = REASON_IMAGE_CHECKSUM;
        out->code = err_set(&err, -EBADMSG, "its sha256 is %.16s..., %.16s... is wanted", sum,
                            request->sha256);
    }
    if (out->code == 0 && rename(part, out->path) != 0) {
        out->code = err_set(&err, -errno, "%s: %s", out->path, strerrordesc_np(errno));
    }
    if (out->code == 0) {
        out->reason = REASON_NONE;
        image_cache_trim(fetch->folder, fetch->kib_max, request->sha256);
    } else {
        (void)unlink(part);
        out->path[0] = '\0';
        (void)snprintf(out->text, sizeof out->text, "image %s: %.180s", request->image,
                       err.text);
    }
}

/* With the mutex held. There is a place: the core waits for 64 images at most. */
static void add_result(struct image_fetch *fetch, const struct image_result *result)
{
    if (fetch->results_count < 2 * WAITING_MAX) {
        uint32_t at = (fetch->results_first + fetch->results_count) % (2 * WAITING_MAX);
        fetch->results[at] = *result;
        fetch->results_count++;
        (void)eventfd_write(fetch->event, 1);
    }
}

void image_fetch_refuse(struct image_fetch *fetch, const char *image, const struct err *why)
{
    struct image_result result = {.code = why->code, .reason = REASON_IMAGE_MISSING};
    (void)snprintf(result.image, sizeof result.image, "%s", image);
    (void)snprintf(result.text, sizeof result.text, "%.250s", why->text);
    (void)pthread_mutex_lock(&fetch->mutex);
    add_result(fetch, &result);
    (void)pthread_mutex_unlock(&fetch->mutex);
}

static void *run(void *context)
{
    struct image_fetch *fetch = context;
    (void)pthread_mutex_lock(&fetch->mutex);
    while (!fetch->ending) {
        if (fetch->requests_count == 0) {
            (void)pthread_cond_wait(&fetch->wake, &fetch->mutex);
            continue;
        }
        struct request request = fetch->requests[fetch->requests_first];
        fetch->requests_first = (fetch->requests_first + 1) % WAITING_MAX;
        fetch->requests_count--;
        (void)pthread_mutex_unlock(&fetch->mutex);
        struct image_result result;
        work(fetch, &request, &result);
        (void)pthread_mutex_lock(&fetch->mutex);
        add_result(fetch, &result);
    }
    (void)pthread_mutex_unlock(&fetch->mutex);
    return NULL;
}

void image_fetch_destroy(struct image_fetch *fetch)
{
    if (fetch == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&fetch->mutex);
    fetch->ending = true;
    (void)pthread_cond_signal(&fetch->wake);
    (void)pthread_mutex_unlock(&fetch->mutex);
    if (fetch->running) {
        (void)pthread_join(fetch->thread, NULL);
    }
    (void)pthread_mutex_destroy(&fetch->mutex);
    (void)pthread_cond_destroy(&fetch->wake);
    (void)close(fetch->event);
    free(fetch);
}

int image_fetch_request(struct image_fetch *fetch, const char *image, const char *source,
                        const char *sha256, struct err *err)
{
    if (!image_cache_is_name(sha256)) {
        return err_set(err, -EINVAL, "image %s: its sha256 is not 64 hexadecimal digits",
                       image);
    }
    (void)pthread_mutex_lock(&fetch->mutex);
    int rc = 0;
    if (fetch->requests_count == WAITING_MAX || fetch->results_count >= WAITING_MAX) {
        rc = err_set(err, -EAGAIN, "image %s: %u wait already", image, WAITING_MAX);
    } else {
        struct request *request =
            &fetch->requests[(fetch->requests_first + fetch->requests_count) % WAITING_MAX];
        (void)snprintf(request->image, sizeof request->image, "%s", image);
        (void)snprintf(request->source, sizeof request->source, "%s", source);
        (void)snprintf(request->sha256, sizeof request->sha256, "%s", sha256);
        fetch->requests_count++;
        (void)pthread_cond_signal(&fetch->wake);
    }
    (void)pthread_mutex_unlock(&fetch->mutex);
    if (rc == 0 && !fetch->running) {
        rc = -pthread_create(&fetch->thread, NULL, run, fetch);
        fetch->running = rc == 0;
        rc = rc == 0 ? 0 : err_set(err, rc, "no thread to fetch images");
    }
    return rc;
}

int image_fetch_fd(const struct image_fetch *fetch)
{
    return fetch->event;
}

int image_fetch_result(struct image_fetch *fetch, struct image_result *out)
{
    eventfd_t count = 0;
    (void)pthread_mutex_lock(&fetch->mutex);
    int got = fetch->results_count > 0 ? 1 : 0;
    if (got == 1) {
        *out = fetch->results[fetch->results_first];
        fetch->results_first = (fetch->results_first + 1) % (2 * WAITING_MAX);
        fetch->results_count--;
    } else {
        (void)eventfd_read(fetch->event, &count); /* -EAGAIN: it was not set */
    }
    (void)pthread_mutex_unlock(&fetch->mutex);
    return got;
}
