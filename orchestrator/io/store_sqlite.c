// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "orchestrator/io/store_sqlite_state.h"

#define KEEP_MS_DEFAULT         (INT64_C(30) * 24 * 3600 * 1000)
/* 24 h, also when the wall clock jumps by a day. */
#define KEEP_REPLIES_MS_DEFAULT (INT64_C(49) * 3600 * 1000)
#define KEEP_BYTES_DEFAULT      (UINT64_C(1) << 30)
#define FREE_BYTES_MIN_DEFAULT  (UINT64_C(24) << 20)

static int step_once(struct store *store, enum statement kind)
{
    int r = sqlite3_step(store->statements[kind]);
    (void)sqlite3_reset(store->statements[kind]);
    return store_sqlite_code(r);
}

static int commit_batch(struct store *store, struct batch *batch)
{
    uint64_t kept_bytes = store->kept_bytes;
    int rc = step_once(store, STATEMENT_BEGIN);
    for (uint32_t i = 0; rc == 0 && i < batch->writes_count; i++) {
        rc = store_sqlite_write(store, batch, &batch->writes[i]);
        if (batch->writes[i].wall_ms > atomic_load(&store->newest_wall_ms)) {
            atomic_store(&store->newest_wall_ms, batch->writes[i].wall_ms);
        }
    }
    if (rc == 0 && batch->changes_count > 0) {
        rc = store_sqlite_keep(store, batch->changes_count);
    }
    if (rc == 0) {
        rc = step_once(store, STATEMENT_COMMIT);
    }
    if (rc != 0) {
        store->kept_bytes = kept_bytes;
        if (sqlite3_get_autocommit(store->writer) == 0) {
            (void)step_once(store, STATEMENT_ROLLBACK);
        }
    }
    if (rc == -ENOSPC) {
        atomic_store(&store->space, false); /* until it is measured again */
        store_sqlite_ballast_give_up(store);
    }
    return rc;
}

static void *writer_main(void *context)
{
    struct store *store = context;
    (void)pthread_mutex_lock(&store->lock);
    while (!store->stop || store->to_commit != NULL) {
        if (store->to_commit == NULL) {
            (void)pthread_cond_wait(&store->wake, &store->lock);
            continue;
        }
        struct batch *batch = store->to_commit;
        (void)pthread_mutex_unlock(&store->lock);
        if (store_sqlite_measure_space(store)) {
            store_sqlite_ballast_make(store);
        }
        batch->code = commit_batch(store, batch);
        (void)pthread_mutex_lock(&store->lock);
        store->to_commit = NULL;
        store->committed = batch;
        uint64_t one = 1;
        (void)!write(store->event_fd, &one, sizeof one);
    }
    (void)pthread_mutex_unlock(&store->lock);
    return NULL;
}

static void close_files(struct store *store)
{
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        (void)sqlite3_finalize(store->statements[i]);
    }
    (void)sqlite3_finalize(store->find_reply);
    store_sqlite_end_reading(store);
    (void)sqlite3_close(store->reader);
    (void)sqlite3_close(store->writer);
    if (store->event_fd >= 0) {
        (void)close(store->event_fd);
    }
    free(store);
}

static int check_file(struct store *store, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = 0;
    if (sqlite3_prepare_v2(store->writer, "PRAGMA quick_check(1)", -1, &statement, NULL) !=
            SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW ||
        sqlite3_column_bytes(statement, 0) != 2) { /* "ok" */
        rc = err_set(err, -EBADMSG, "%s/arbiter.db is damaged: %s", store->folder,
                     sqlite3_errmsg(store->writer));
    }
    (void)sqlite3_finalize(statement);
    return rc;
}

static struct store *store_open(const struct store_settings *settings, struct err *err)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        (void)err_set(err, -ENOMEM, "no memory for the store");
        return NULL;
    }
    store->settings = *settings;
    struct store_settings *with = &store->settings;
    with->keep_ms = with->keep_ms > 0 ? with->keep_ms : KEEP_MS_DEFAULT;
    with->keep_bytes = with->keep_bytes > 0 ? with->keep_bytes : KEEP_BYTES_DEFAULT;
    with->keep_replies_ms =
        with->keep_replies_ms > 0 ? with->keep_replies_ms : KEEP_REPLIES_MS_DEFAULT;
    with->free_bytes_min =
        with->free_bytes_min > 0 ? with->free_bytes_min : FREE_BYTES_MIN_DEFAULT;
    (void)snprintf(store->folder, sizeof store->folder, "%s", settings->folder);
    (void)snprintf(store->ballast, sizeof store->ballast, "%s/ballast", store->folder);
    store_sqlite_ballast_begin(store);
    store->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (store->event_fd < 0 || store_sqlite_open_file(store, &store->writer, true, err) != 0 ||
        check_file(store, err) != 0 ||
        store_sqlite_open_file(store, &store->reader, false, err) != 0 ||
        store_sqlite_prepare(store, err) != 0 || store_sqlite_count_kept(store, err) != 0) {
        close_files(store);
        return NULL;
    }
    if (store_sqlite_measure_space(store)) {
        store_sqlite_ballast_make(store);
    }
    (void)pthread_mutex_init(&store->lock, NULL);
    (void)pthread_cond_init(&store->wake, NULL);
    int r = pthread_create(&store->thread, NULL, writer_main, store);
    if (r != 0) {
        (void)err_set(err, -r, "cannot start the store's thread");
        close_files(store);
        return NULL;
    }
    return store;
}

static void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&store->lock);
    store->stop = true;
    (void)pthread_cond_signal(&store->wake);
    (void)pthread_mutex_unlock(&store->lock);
    (void)pthread_join(store->thread, NULL);
    (void)pthread_mutex_destroy(&store->lock);
    (void)pthread_cond_destroy(&store->wake);
    close_files(store);
}

static int store_commit(struct store *store, struct batch *batch)
{
    (void)pthread_mutex_lock(&store->lock);
    int rc = store->to_commit != NULL || store->committed != NULL ? -EBUSY : 0;
    if (rc == 0) {
        store->to_commit = batch;
        (void)pthread_cond_signal(&store->wake);
    }
    (void)pthread_mutex_unlock(&store->lock);
    return rc;
}

static int store_fd(const struct store *store)
{
    return store->event_fd;
}

static struct batch *store_finished(struct store *store)
{
    uint64_t count = 0;
    (void)!read(store->event_fd, &count, sizeof count);
    store_sqlite_end_reading(store);
    (void)pthread_mutex_lock(&store->lock);
    struct batch *batch = store->committed;
    store->committed = NULL;
    (void)pthread_mutex_unlock(&store->lock);
    return batch;
}

static bool store_has_space(struct store *store)
{
    /* Nothing may be committed for a long time: look whether space came back. */
    return atomic_load(&store->space) || store_sqlite_measure_space(store);
}

const struct store_driver store_sqlite = {
    .name = "sqlite",
    .open = store_open,
    .close = store_close,
    .load = store_sqlite_load,
    .begin_epoch = store_sqlite_begin_epoch,
    .next_ids = store_sqlite_next_ids,
    .commit = store_commit,
    .fd = store_fd,
    .finished = store_finished,
    .find_reply = store_sqlite_find_reply,
    .has_space = store_has_space,
};
