// SPDX-License-Identifier: Apache-2.0
/* Hands on to the module beside this driver; loaded once, it stays: its library keeps state. */
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "node-agent/io/xen/migration_stream.h"

#define MODULE    "migration_stream.so"
#define PATH_HERE 512

static const char here; /* where this driver is */

/* The folder that this driver was loaded from, and the module's name. */
static void module_path(char out[PATH_HERE])
{
    Dl_info info = {0};
    const char *own = dladdr(&here, &info) != 0 ? info.dli_fname : "";
    const char *slash = strrchr(own, '/');
    (void)snprintf(out, PATH_HERE, "%.*s" MODULE, slash != NULL ? (int)(slash - own) + 1 : 0,
                   own);
}

static const struct migration_stream_module *load(struct err *err)
{
    char path[PATH_HERE];
    module_path(path);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        const char *why = dlerror(); // NOLINT(concurrency-mt-unsafe): glibc has one per thread
        (void)err_set(err, -ENOEXEC, "VMs cannot be moved: %s", why);
        return NULL;
    }
    const struct migration_stream_module *module = dlsym(handle, MIGRATION_STREAM_ENTRY);
    if (module == NULL || module->size != sizeof *module) {
        (void)dlclose(handle);
        (void)err_set(err, -ENOEXEC, "VMs cannot be moved: %s is of another version", path);
        return NULL;
    }
    return module;
}

static const struct migration_stream_module *get(struct err *err)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static const struct migration_stream_module *loaded;
    (void)pthread_mutex_lock(&mutex);
    loaded = loaded != NULL ? loaded : load(err);
    const struct migration_stream_module *module = loaded;
    (void)pthread_mutex_unlock(&mutex);
    return module;
}

/* Of who has a stream, and so the module. */
static const struct migration_stream_module *got(void)
{
    const struct migration_stream_module *module = get(NULL);
    assert(module != NULL);
    return module;
}

int migration_stream_key(char key[NAME_SIZE], struct err *err)
{
    const struct migration_stream_module *module = get(err);
    return module != NULL ? module->key(key, err) : -ENOEXEC;
}

int migration_stream_listen(const char *address, char text[ADDRESS_SIZE], struct err *err)
{
    const struct migration_stream_module *module = get(err);
    return module != NULL ? module->listen(address, text, err) : -ENOEXEC;
}

struct migration_stream *migration_stream_accept(int listener, const char *name,
                                                 const char *key, int64_t deadline_ms,
                                                 struct err *err)
{
    const struct migration_stream_module *module = get(err);
    return module != NULL ? module->accept(listener, name, key, deadline_ms, err) : NULL;
}

struct migration_stream *migration_stream_connect(const char *peer, const char *name,
                                                  const char *key, int64_t deadline_ms,
                                                  struct err *err)
{
    const struct migration_stream_module *module = get(err);
    return module != NULL ? module->connect(peer, name, key, deadline_ms, err) : NULL;
}

void migration_stream_close(struct migration_stream *stream)
{
    if (stream != NULL) {
        got()->close(stream);
    }
}

void migration_stream_break(struct migration_stream *stream)
{
    got()->break_off(stream);
}

int migration_stream_send(struct migration_stream *stream, int from, int64_t deadline_ms,
                          struct err *err)
{
    return got()->send(stream, from, deadline_ms, err);
}

int migration_stream_receive(struct migration_stream *stream, int to, int64_t deadline_ms,
                             struct err *err)
{
    return got()->receive(stream, to, deadline_ms, err);
}

int migration_stream_confirm(struct migration_stream *stream, int64_t deadline_ms,
                             struct err *err)
{
    return got()->confirm(stream, deadline_ms, err);
}

int migration_stream_await(struct migration_stream *stream, int64_t deadline_ms,
                           struct err *err)
{
    return got()->await(stream, deadline_ms, err);
}
