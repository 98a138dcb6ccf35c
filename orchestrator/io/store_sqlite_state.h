// SPDX-License-Identifier: Apache-2.0
/* Shared by the store_sqlite_*.c files only. */
#ifndef ORCHESTRATOR_IO_STORE_SQLITE_STATE_H
#define ORCHESTRATOR_IO_STORE_SQLITE_STATE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "orchestrator/io/store_sqlite.h"

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_PUT_OBJECT,
    STATEMENT_DELETE_OBJECT,
    STATEMENT_PUT_DECISION,
    STATEMENT_PUT_DECISION_REF,
    STATEMENT_DECISION_BYTES,
    STATEMENT_PUT_EVENT,
    STATEMENT_PUT_SMALL,
    STATEMENT_PUT_REPLY,
    STATEMENT_READ_EVENTS,
    STATEMENT_READ_DECISIONS,
    STATEMENT_READ_DECISIONS_OF,
    STATEMENT_READ_DECISION,
    STATEMENT_KEEP_EVENTS,
    STATEMENT_KEEP_DECISIONS,
    STATEMENT_KEEP_REFS,
    STATEMENT_KEEP_REPLIES,
    STATEMENT_COUNT,
};

struct store {
    char folder[PATH_SIZE];
    char ballast[PATH_SIZE + 16];
    struct store_settings settings;
    /* the writer thread's */
    sqlite3 *writer;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    uint32_t commits_since_keep;
    bool trimming;       /* old rows are left to delete */
    uint64_t kept_bytes; /* bodies of events and decisions */
    /* the loop's */
    sqlite3 *reader;
    sqlite3_stmt *find_reply;
    bool reading; /* the reader holds a snapshot, until the next commit ends */
    /* between them */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct batch *to_commit;
    struct batch *committed;
    bool stop;
    int event_fd;
    _Atomic bool ballast_held;
    _Atomic bool space; /* enough free space for new requests */
    _Atomic int64_t newest_wall_ms;
};

/* schema */
int store_sqlite_open_file(struct store *store, sqlite3 **out, bool create, struct err *err);
int store_sqlite_prepare(struct store *store, struct err *err);
int store_sqlite_schema(sqlite3 *db, struct err *err);
int store_sqlite_begin_epoch(struct store *store, uint64_t *epoch, uint64_t *next_event,
                             uint64_t *next_decision, struct err *err);
int store_sqlite_count_kept(struct store *store, struct err *err);
int store_sqlite_next_ids(struct store *store, uint64_t *next_event, uint64_t *next_decision,
                          struct err *err);
/* -ENOSPC, -EIO or -EBADMSG (corrupt) from an SQLite result code. */
int store_sqlite_code(int sqlite_rc);

/* write: inside the transaction; a negative errno ends it. */
int store_sqlite_write(struct store *store, struct batch *batch, struct write *write);

/* read */
int store_sqlite_read(struct store *store, struct batch *batch, struct write *write);
int store_sqlite_load(struct store *store, int64_t wall_ms,
                      void (*take)(void *context, const struct stored_record *record),
                      void *context, struct err *err);
void store_sqlite_end_reading(struct store *store);
int store_sqlite_find_reply(struct store *store, const char *principal,
                            const uint8_t request_id[REQUEST_ID_BYTES],
                            struct stored_reply *out);

/* keep */
/* Inside the transaction of a batch with this many changes. */
int store_sqlite_keep(struct store *store, uint32_t changes);
/* Any thread. True: enough free space for new requests. */
bool store_sqlite_measure_space(struct store *store);
void store_sqlite_ballast_begin(struct store *store);
void store_sqlite_ballast_make(struct store *store);
void store_sqlite_ballast_give_up(struct store *store);

#endif
