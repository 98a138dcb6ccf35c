// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/io/store_sqlite_state.h"

static int decode_column(sqlite3_stmt *statement, int column, struct stored_record *record,
                         struct err *err)
{
    const void *body = sqlite3_column_blob(statement, column);
    int size = sqlite3_column_bytes(statement, column);
    return codec_decode_record(body, size < 0 ? 0 : (size_t)size, record, err);
}

static bool event_matches(const struct event_record *event, const struct request *filter)
{
    return (filter->service[0] == '\0' || strcmp(event->service, filter->service) == 0) &&
           (filter->node[0] == '\0' || strcmp(event->node, filter->node) == 0) &&
           (filter->name[0] == '\0' || strcmp(event->vm, filter->name) == 0);
}

/* The statement with its parameters bound, as the filters ask. */
static sqlite3_stmt *bind_query(struct store *store, const struct write *write)
{
    const struct request *filter = write->request;
    sqlite3_stmt *statement = NULL;
    if (write->kind == WRITE_READ_EVENTS) {
        statement = store->statements[STATEMENT_READ_EVENTS];
        (void)sqlite3_bind_text(statement, 3, write->owner, -1, SQLITE_STATIC);
    } else if (filter->id != 0) {
        statement = store->statements[STATEMENT_READ_DECISION];
        (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)filter->id);
        return statement;
    } else if (write->name[0] != '\0') {
        statement = store->statements[STATEMENT_READ_DECISIONS_OF];
        (void)sqlite3_bind_text(statement, 3, write->name, -1, SQLITE_STATIC);
    } else {
        statement = store->statements[STATEMENT_READ_DECISIONS];
    }
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)filter->after);
    (void)sqlite3_bind_int64(statement, 2, filter->since_wall_ms);
    return statement;
}

/*
 * Adds the items to the message of the write. Its head says "next" already: the cursor is only
 * known at the end, and a field that comes twice counts with its last value, so it is added
 * again behind the items by encoding a reply that has nothing else.
 */
static int read_items(struct store *store, const struct write *write,
                      struct held_message *message, struct stored_record *record,
                      struct item *item)
{
    uint32_t limit = write->request->limit == 0 || write->request->limit > REPLY_ITEMS_MAX
                         ? REPLY_ITEMS_MAX
                         : write->request->limit;
    struct bytes items = {0};
    sqlite3_stmt *statement = bind_query(store, write);
    uint32_t count = 0;
    uint64_t last = 0;
    bool more = false;
    int rc = 0;
    int r = SQLITE_ROW;
    while (rc == 0 && (r = sqlite3_step(statement)) == SQLITE_ROW) {
        struct err err = {0};
        rc = decode_column(statement, 1, record, &err);
        if (rc != 0 || (write->kind == WRITE_READ_EVENTS &&
                        !event_matches(&record->event, write->request))) {
            continue;
        }
        if (count == limit || items.size > CODEC_MESSAGE_BYTES_MAX / 2) {
            more = true;
            break;
        }
        if (write->kind == WRITE_READ_EVENTS) {
            item->kind = ITEM_KIND_EVENT;
            item->event = record->event;
        } else {
            item->kind = ITEM_KIND_DECISION;
            item->decision = record->decision;
        }
        rc = codec_append_item(&items, item, &err);
        last = (uint64_t)sqlite3_column_int64(statement, 0);
        count++;
    }
    (void)sqlite3_reset(statement);
    if (rc == 0) {
        rc = store_sqlite_code(r);
    }
    message->reply->next = more ? last : 0;
    if (rc == 0) {
        rc = codec_encode_reply(message->reply, &message->own, NULL);
    }
    if (rc == 0) {
        rc = bytes_append(&message->own, items.data, items.size);
    }
    bytes_finish(&items);
    return rc;
}

int store_sqlite_read(struct store *store, struct batch *batch, struct write *write)
{
    struct stored_record *record = malloc(sizeof *record);
    struct item *item = malloc(sizeof *item);
    int rc = -ENOMEM;
    if (record != NULL && item != NULL) {
        rc = read_items(store, write, &batch->messages[write->message], record, item);
    }
    free(record);
    free(item);
    return rc;
}

static int load_query(struct store *store, const char *sql, struct stored_record *record,
                      void (*take)(void *context, const struct stored_record *record),
                      void *context, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int r = sqlite3_prepare_v2(store->reader, sql, -1, &statement, NULL);
    int rc = store_sqlite_code(r);
    if (rc != 0) {
        return err_set(err, rc, "%s", sqlite3_errmsg(store->reader));
    }
    while (rc == 0 && (r = sqlite3_step(statement)) == SQLITE_ROW) {
        rc = decode_column(statement, 1, record, err);
        if (rc == 0) {
            take(context, record);
        } else {
            (void)err_wrap(err, "record \"%s\" cannot be read",
                           (const char *)sqlite3_column_text(statement, 0));
        }
    }
    if (rc == 0 && store_sqlite_code(r) != 0) {
        rc = err_set(err, store_sqlite_code(r), "%s", sqlite3_errmsg(store->reader));
    }
    (void)sqlite3_finalize(statement);
    return rc;
}

int store_sqlite_load(struct store *store, int64_t wall_ms,
                      void (*take)(void *context, const struct stored_record *record),
                      void *context, struct err *err)
{
    store_sqlite_end_reading(store);
    atomic_store(&store->newest_wall_ms, wall_ms);
    struct stored_record *record = malloc(sizeof *record);
    if (record == NULL) {
        return err_set(err, -ENOMEM, "no memory to load the store");
    }
    /* Services before VMs: object kinds are numbered in that order. */
    int rc = load_query(store, "SELECT name, body FROM objects ORDER BY kind, name", record,
                        take, context, err);
    if (rc == 0) {
        rc = load_query(store, "SELECT name, body FROM small ORDER BY kind, name", record, take,
                        context, err);
    }
    free(record);
    return rc;
}

/* One snapshot serves all look-ups between two commits: taking the locks costs more than
 * looking. */
static void begin_reading(struct store *store)
{
    if (!store->reading) {
        store->reading = sqlite3_exec(store->reader, "BEGIN", NULL, NULL, NULL) == SQLITE_OK;
    }
}

void store_sqlite_end_reading(struct store *store)
{
    if (store->reading) {
        (void)sqlite3_exec(store->reader, "COMMIT", NULL, NULL, NULL);
        store->reading = false;
    }
}

int store_sqlite_find_reply(struct store *store, const char *principal,
                            const uint8_t request_id[REQUEST_ID_BYTES],
                            struct stored_reply *out)
{
    begin_reading(store);
    (void)sqlite3_bind_text(store->find_reply, 1, principal, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob(store->find_reply, 2, request_id, REQUEST_ID_BYTES, SQLITE_STATIC);
    int r = sqlite3_step(store->find_reply);
    int rc = store_sqlite_code(r);
    if (r == SQLITE_ROW) {
        struct stored_record *record = malloc(sizeof *record);
        struct err err = {0};
        rc = record == NULL ? -ENOMEM : decode_column(store->find_reply, 0, record, &err);
        if (rc == 0 && record->kind != STORED_KIND_REPLY) {
            rc = -EBADMSG;
        }
        if (rc == 0) {
            *out = record->reply;
            rc = 1;
        }
        free(record);
    }
    (void)sqlite3_reset(store->find_reply);
    return rc;
}
