// SPDX-License-Identifier: Apache-2.0
/*
 * Retention and free space. The oldest events and decisions go in slices, in the transactions
 * of ordinary commits and in proportion to them, so that no commit waits for a large deletion.
 * When the disk is nearly full, requests are refused and as many old rows go as new ones come,
 * so that the orchestrator's own records find room in freed pages. The newest row always stays:
 * ids go on from there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "orchestrator/io/store_sqlite_state.h"

#define KEEP_EVERY_COMMITS 64
#define KEEP_ROWS_MIN      16
#define KEEP_ROWS_MAX      1024
#define REFS_PER_DECISION  8 /* more than most have */
#define BALLAST_BYTES      (8 << 20)

/* Runs one of the deletions; *more: there may be more to delete. */
static int delete_older(struct store *store, enum statement kind, int64_t before_ms,
                        uint32_t limit, bool *more)
{
    sqlite3_stmt *statement = store->statements[kind];
    (void)sqlite3_bind_int64(statement, 1, before_ms);
    (void)sqlite3_bind_int64(statement, 2, limit);
    bool is_counted = kind == STATEMENT_KEEP_EVENTS || kind == STATEMENT_KEEP_DECISIONS;
    uint32_t rows = 0;
    int r = SQLITE_ROW;
    while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
        uint64_t bytes = (uint64_t)sqlite3_column_int64(statement, 0);
        store->kept_bytes -= is_counted && bytes <= store->kept_bytes ? bytes : 0;
        rows++;
    }
    (void)sqlite3_reset(statement);
    *more = *more || rows == limit;
    return store_sqlite_code(r);
}

int store_sqlite_keep(struct store *store, uint32_t changes)
{
    bool is_tight = !atomic_load(&store->space);
    store->commits_since_keep++;
    if (store->commits_since_keep < KEEP_EVERY_COMMITS && !is_tight && !store->trimming) {
        return 0;
    }
    store->commits_since_keep = 0;
    int64_t now_ms = atomic_load(&store->newest_wall_ms);
    bool is_over = store->kept_bytes > store->settings.keep_bytes;
    int64_t before_ms = is_over || is_tight ? INT64_MAX : now_ms - store->settings.keep_ms;
    uint32_t limit = is_tight && !is_over ? changes : 2 * changes + KEEP_ROWS_MIN;
    limit = limit < KEEP_ROWS_MAX ? limit : KEEP_ROWS_MAX;
    bool more = false;
    int rc = delete_older(store, STATEMENT_KEEP_EVENTS, before_ms, limit, &more);
    if (rc == 0) {
        rc = delete_older(store, STATEMENT_KEEP_DECISIONS, before_ms, limit, &more);
    }
    if (rc == 0) {
        rc = delete_older(store, STATEMENT_KEEP_REFS, 0, limit * REFS_PER_DECISION, &more);
    }
    if (rc == 0) {
        rc = delete_older(store, STATEMENT_KEEP_REPLIES,
                          now_ms - store->settings.keep_replies_ms, limit, &more);
    }
    store->trimming = more;
    return rc;
}

static bool read_free(const struct store *store, uint64_t *out)
{
    struct statvfs disk;
    if (statvfs(store->folder, &disk) != 0) {
        return false;
    }
    *out = (uint64_t)disk.f_bavail * disk.f_frsize;
    return true;
}

bool store_sqlite_measure_space(struct store *store)
{
    uint64_t free_bytes = 0;
    if (read_free(store, &free_bytes)) { /* else the last judgement stays */
        uint64_t needed = store->settings.free_bytes_min;
        needed += atomic_load(&store->ballast_held) ? 0 : BALLAST_BYTES; /* to be made again */
        atomic_store(&store->space, free_bytes >= needed);
    }
    return atomic_load(&store->space);
}

void store_sqlite_ballast_begin(struct store *store)
{
    uint64_t free_bytes = 0;
    atomic_store(&store->ballast_held, access(store->ballast, F_OK) == 0);
    if (read_free(store, &free_bytes) && free_bytes < BALLAST_BYTES / 2) {
        store_sqlite_ballast_give_up(store); /* to start, the store must write */
    }
}

void store_sqlite_ballast_make(struct store *store)
{
    if (atomic_load(&store->ballast_held)) {
        return;
    }
    int fd = open(store->ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) {
        return; /* without it the margin of free space is all there is */
    }
    int rc = -posix_fallocate(fd, 0, BALLAST_BYTES);
    (void)close(fd);
    if (rc != 0) {
        (void)unlink(store->ballast);
    }
    atomic_store(&store->ballast_held, rc == 0);
}

void store_sqlite_ballast_give_up(struct store *store)
{
    if (atomic_load(&store->ballast_held)) {
        (void)unlink(store->ballast);
        atomic_store(&store->ballast_held, false);
    }
}
