// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/io/store_sqlite_state.h"

#define SCHEMA_VERSION 1

int store_sqlite_code(int sqlite_rc)
{
    switch (sqlite_rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return 0;
    case SQLITE_FULL: return -ENOSPC;
    case SQLITE_NOMEM: return -ENOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return -EBADMSG;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return -EBUSY;
    default: return -EIO;
    }
}

static int run(sqlite3 *db, const char *sql, struct err *err)
{
    char *text = NULL;
    int r = sqlite3_exec(db, sql, NULL, NULL, &text);
    if (r != SQLITE_OK) {
        int rc =
            err_set(err, store_sqlite_code(r), "%s", text != NULL ? text : sqlite3_errstr(r));
        sqlite3_free(text);
        return rc;
    }
    return 0;
}

/* The first column of the first row, or fallback when there is no row or it is NULL. */
static int read_number(sqlite3 *db, const char *sql, int64_t fallback, int64_t *out,
                       struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int r = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (r == SQLITE_OK) {
        r = sqlite3_step(statement);
    }
    if (r == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL) {
        *out = sqlite3_column_int64(statement, 0);
    } else {
        *out = fallback;
    }
    int rc = store_sqlite_code(r);
    if (rc != 0) {
        (void)err_set(err, rc, "%s", sqlite3_errmsg(db));
    }
    (void)sqlite3_finalize(statement);
    return rc;
}

int store_sqlite_schema(sqlite3 *db, struct err *err)
{
    int64_t version = 0;
    int rc = read_number(db, "PRAGMA user_version", 0, &version, err);
    if (rc != 0) {
        return rc;
    }
    if (version > SCHEMA_VERSION) {
        return err_set(err, -EPROTONOSUPPORT,
                       "made by a newer version (schema %lld, this program knows %d)",
                       (long long)version, SCHEMA_VERSION);
    }
    if (version == SCHEMA_VERSION) {
        return 0;
    }
    return run(db,
               "BEGIN IMMEDIATE;"
               "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
               "CREATE TABLE objects(kind INTEGER NOT NULL, name TEXT NOT NULL,"
               " body BLOB NOT NULL, PRIMARY KEY(kind, name)) WITHOUT ROWID;"
               "CREATE TABLE small(kind INTEGER NOT NULL, name TEXT NOT NULL,"
               " body BLOB NOT NULL, PRIMARY KEY(kind, name)) WITHOUT ROWID;"
               "CREATE TABLE events(id INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL,"
               " owner TEXT NOT NULL, body BLOB NOT NULL);"
               "CREATE TABLE decisions(id INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL,"
               " body BLOB NOT NULL);"
               "CREATE TABLE decision_refs(name TEXT NOT NULL, id INTEGER NOT NULL,"
               " PRIMARY KEY(name, id)) WITHOUT ROWID;"
               "CREATE INDEX decision_refs_by_id ON decision_refs(id);"
               "CREATE TABLE replies(principal TEXT NOT NULL, request_id BLOB NOT NULL,"
               " wall_ms INTEGER NOT NULL, body BLOB NOT NULL,"
               " PRIMARY KEY(principal, request_id)) WITHOUT ROWID;"
               "CREATE INDEX replies_by_age ON replies(wall_ms);"
               "INSERT INTO meta VALUES('epoch', 0);"
               "PRAGMA user_version = 1;"
               "COMMIT;",
               err);
}

int store_sqlite_open_file(struct store *store, sqlite3 **out, bool create, struct err *err)
{
    char path[PATH_SIZE + 16];
    (void)snprintf(path, sizeof path, "%s/arbiter.db", store->folder);
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    int r = sqlite3_open_v2(path, out, flags, NULL);
    if (r != SQLITE_OK) {
        int rc = err_set(err, store_sqlite_code(r), "%s: %s", path,
                         *out != NULL ? sqlite3_errmsg(*out) : sqlite3_errstr(r));
        (void)sqlite3_close(*out);
        *out = NULL;
        return rc;
    }
    (void)sqlite3_extended_result_codes(*out, 1);
    (void)sqlite3_busy_timeout(*out, 5000);
    int rc = run(*out,
                 "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-4096;"
                 "PRAGMA journal_size_limit=8388608; PRAGMA cell_size_check=ON;",
                 err);
    if (rc == 0 && create) {
        rc = store_sqlite_schema(*out, err);
    }
    if (rc != 0) {
        (void)err_wrap(err, "%s", path);
        (void)sqlite3_close(*out);
        *out = NULL;
    }
    return rc;
}

int store_sqlite_prepare(struct store *store, struct err *err)
{
    static const char *const sql[STATEMENT_COUNT] = {
        [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
        [STATEMENT_COMMIT] = "COMMIT",
        [STATEMENT_ROLLBACK] = "ROLLBACK",
        [STATEMENT_PUT_OBJECT] = "INSERT OR REPLACE INTO objects VALUES(?1, ?2, ?3)",
        [STATEMENT_DELETE_OBJECT] = "DELETE FROM objects WHERE kind = ?1 AND name = ?2",
        [STATEMENT_PUT_DECISION] = "INSERT OR REPLACE INTO decisions VALUES(?1, ?2, ?3)",
        [STATEMENT_PUT_DECISION_REF] = "INSERT OR IGNORE INTO decision_refs VALUES(?1, ?2)",
        [STATEMENT_DECISION_BYTES] = "SELECT length(body) FROM decisions WHERE id = ?1",
        [STATEMENT_PUT_EVENT] = "INSERT INTO events VALUES(?1, ?2, ?3, ?4)",
        [STATEMENT_PUT_SMALL] = "INSERT OR REPLACE INTO small VALUES(?1, ?2, ?3)",
        [STATEMENT_PUT_REPLY] = "INSERT INTO replies VALUES(?1, ?2, ?3, ?4)",
        [STATEMENT_READ_EVENTS] = "SELECT id, body FROM events WHERE id > ?1 AND wall_ms >= ?2"
                                  " AND (?3 = '' OR owner = ?3) ORDER BY id",
        [STATEMENT_READ_DECISIONS] =
            "SELECT id, body FROM decisions WHERE id > ?1 AND wall_ms >= ?2 ORDER BY id",
        [STATEMENT_READ_DECISIONS_OF] =
            "SELECT d.id, d.body FROM decision_refs r JOIN decisions d ON d.id = r.id"
            " WHERE r.name = ?3 AND r.id > ?1 AND d.wall_ms >= ?2 ORDER BY r.id",
        [STATEMENT_READ_DECISION] = "SELECT id, body FROM decisions WHERE id = ?1",
        [STATEMENT_KEEP_EVENTS] =
            "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE id <"
            " (SELECT max(id) FROM events) ORDER BY id LIMIT ?2) AND wall_ms < ?1"
            " RETURNING length(body)",
        [STATEMENT_KEEP_DECISIONS] =
            "DELETE FROM decisions WHERE id IN (SELECT id FROM decisions WHERE id <"
            " (SELECT max(id) FROM decisions) ORDER BY id LIMIT ?2) AND wall_ms < ?1"
            " RETURNING length(body)",
        [STATEMENT_KEEP_REFS] =
            "DELETE FROM decision_refs WHERE (name, id) IN (SELECT name, id FROM decision_refs"
            " WHERE id < (SELECT coalesce(min(id), 0) FROM decisions) AND id > ?1 LIMIT ?2)"
            " RETURNING 0",
        [STATEMENT_KEEP_REPLIES] =
            "DELETE FROM replies WHERE (principal, request_id) IN (SELECT principal, request_id"
            " FROM replies WHERE wall_ms < ?1 ORDER BY wall_ms LIMIT ?2) RETURNING 0",
    };
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        int r = sqlite3_prepare_v3(store->writer, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                   &store->statements[i], NULL);
        if (r != SQLITE_OK) {
            return err_set(err, store_sqlite_code(r), "%s: %s", sql[i],
                           sqlite3_errmsg(store->writer));
        }
    }
    static const char find[] =
        "SELECT body FROM replies WHERE principal = ?1 AND request_id = ?2";
    int r = sqlite3_prepare_v3(store->reader, find, -1, SQLITE_PREPARE_PERSISTENT,
                               &store->find_reply, NULL);
    return r == SQLITE_OK
               ? 0
               : err_set(err, store_sqlite_code(r), "%s", sqlite3_errmsg(store->reader));
}

int store_sqlite_count_kept(struct store *store, struct err *err)
{
    int64_t bytes = 0;
    int rc = read_number(store->writer,
                         "SELECT (SELECT total(length(body)) FROM events) +"
                         " (SELECT total(length(body)) FROM decisions)",
                         0, &bytes, err);
    store->kept_bytes = (uint64_t)bytes;
    return rc;
}

int store_sqlite_next_ids(struct store *store, uint64_t *next_event, uint64_t *next_decision,
                          struct err *err)
{
    int64_t event = 0;
    int64_t decision = 0;
    int rc = read_number(store->reader, "SELECT max(id) FROM events", 0, &event, err);
    if (rc == 0) {
        rc = read_number(store->reader, "SELECT max(id) FROM decisions", 0, &decision, err);
    }
    if (rc == 0) {
        *next_event = (uint64_t)event + 1;
        *next_decision = (uint64_t)decision + 1;
    }
    return rc;
}

int store_sqlite_begin_epoch(struct store *store, uint64_t *epoch, uint64_t *next_event,
                             uint64_t *next_decision, struct err *err)
{
    int64_t value = 0;
    int rc = run(store->reader, "UPDATE meta SET value = value + 1 WHERE name = 'epoch'", err);
    if (rc == 0) {
        rc = read_number(store->reader, "SELECT value FROM meta WHERE name = 'epoch'", 0,
                         &value, err);
    }
    if (rc == 0) {
        rc = store_sqlite_next_ids(store, next_event, next_decision, err);
    }
    if (rc == 0) {
        *epoch = (uint64_t)value;
    }
    return rc;
}
