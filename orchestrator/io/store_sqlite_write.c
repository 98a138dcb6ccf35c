// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "orchestrator/io/store_sqlite_state.h"

/* Runs a bound statement that returns no rows, and makes it ready for the next use. */
static int finish(sqlite3_stmt *statement)
{
    int r = sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    return store_sqlite_code(r);
}

static int put_decision(struct store *store, const struct batch *batch,
                        const struct write *write)
{
    /* One that is there is replaced: its effect was measured. */
    sqlite3_stmt *size = store->statements[STATEMENT_DECISION_BYTES];
    (void)sqlite3_bind_int64(size, 1, (sqlite3_int64)write->id);
    uint64_t before =
        sqlite3_step(size) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(size, 0) : 0;
    (void)sqlite3_reset(size);
    store->kept_bytes += write->body_size;
    store->kept_bytes -= before <= store->kept_bytes ? before : 0;
    sqlite3_stmt *put = store->statements[STATEMENT_PUT_DECISION];
    (void)sqlite3_bind_int64(put, 1, (sqlite3_int64)write->id);
    (void)sqlite3_bind_int64(put, 2, write->wall_ms);
    (void)sqlite3_bind_blob64(put, 3, batch->bodies.data + write->body, write->body_size,
                              SQLITE_STATIC);
    int rc = finish(put);
    sqlite3_stmt *ref = store->statements[STATEMENT_PUT_DECISION_REF];
    for (uint32_t i = 0; rc == 0 && i < write->refs_count; i++) {
        (void)sqlite3_bind_text(ref, 1, batch->refs[write->refs + i], -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(ref, 2, (sqlite3_int64)write->id);
        rc = finish(ref);
    }
    return rc;
}

int store_sqlite_write(struct store *store, struct batch *batch, struct write *write)
{
    const unsigned char *body = batch->bodies.data + write->body;
    sqlite3_stmt *statement = NULL;
    switch (write->kind) {
    case WRITE_PUT_OBJECT:
    case WRITE_PUT_SMALL:
        statement = store->statements[write->kind == WRITE_PUT_OBJECT ? STATEMENT_PUT_OBJECT
                                                                      : STATEMENT_PUT_SMALL];
        (void)sqlite3_bind_int(statement, 1,
                               write->kind == WRITE_PUT_OBJECT ? (int)write->object_kind
                                                               : (int)write->stored_kind);
        (void)sqlite3_bind_text(statement, 2, write->name, -1, SQLITE_STATIC);
        (void)sqlite3_bind_blob64(statement, 3, body, write->body_size, SQLITE_STATIC);
        return finish(statement);
    case WRITE_DELETE_OBJECT:
        statement = store->statements[STATEMENT_DELETE_OBJECT];
        (void)sqlite3_bind_int(statement, 1, (int)write->object_kind);
        (void)sqlite3_bind_text(statement, 2, write->name, -1, SQLITE_STATIC);
        return finish(statement);
    case WRITE_PUT_DECISION: return put_decision(store, batch, write);
    case WRITE_PUT_EVENT:
        statement = store->statements[STATEMENT_PUT_EVENT];
        store->kept_bytes += write->body_size;
        (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)write->id);
        (void)sqlite3_bind_int64(statement, 2, write->wall_ms);
        (void)sqlite3_bind_text(statement, 3, write->owner, -1, SQLITE_STATIC);
        (void)sqlite3_bind_blob64(statement, 4, body, write->body_size, SQLITE_STATIC);
        return finish(statement);
    case WRITE_PUT_REPLY:
        statement = store->statements[STATEMENT_PUT_REPLY];
        (void)sqlite3_bind_text(statement, 1, write->name, -1, SQLITE_STATIC);
        (void)sqlite3_bind_blob(statement, 2, write->request_id, REQUEST_ID_BYTES,
                                SQLITE_STATIC);
        (void)sqlite3_bind_int64(statement, 3, write->wall_ms);
        (void)sqlite3_bind_blob64(statement, 4, body, write->body_size, SQLITE_STATIC);
        return finish(statement);
    case WRITE_READ_EVENTS:
    case WRITE_READ_DECISIONS: return store_sqlite_read(store, batch, write);
    }
    return -EINVAL;
}
