// SPDX-License-Identifier: Apache-2.0
/*
 * Where the orchestrator keeps what must not be lost. The loop collects writes in a batch
 * together with the messages that may leave only when these writes are durable; the store
 * commits a batch as one transaction in a thread of its own and hands it back. Reads of the
 * event log and the ledger are part of a batch too, so that they see what was written before
 * them.
 *
 * One interface, one implementation per kind of store (store_sqlite.c). Adding one: a file with
 * a struct store_driver, and a line in the table of store.c.
 */
#ifndef ORCHESTRATOR_IO_STORE_H
#define ORCHESTRATOR_IO_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "orchestrator/io/batch.h"

struct store;

struct store_settings {
    const char *folder;      /* exists, writable */
    int64_t keep_ms;         /* of events and decisions; 0: 30 days */
    uint64_t keep_bytes;     /* of events and decisions; 0: 1 GiB */
    int64_t keep_replies_ms; /* answers to request ids; 0: 24 h */
    uint64_t free_bytes_min; /* less, beside 8 MiB that it holds in reserve: new requests are
                              * refused; 0: 24 MiB */
};

struct store_driver {
    const char *name;
    struct store *(*open)(const struct store_settings *settings, struct err *err);
    /* Finishes the batch under way first. NULL is fine. */
    void (*close)(struct store *store);

    /* Calls take() for every object, then the small records; called again after a failed
     * commit. */
    int (*load)(struct store *store, int64_t wall_ms,
                void (*take)(void *context, const struct stored_record *record), void *context,
                struct err *err);
    /* Raises the epoch by one, durably, and returns the first free ids of events and decisions.
     */
    int (*begin_epoch)(struct store *store, uint64_t *epoch, uint64_t *next_event,
                       uint64_t *next_decision, struct err *err);
    /* The same ids without a new epoch, after a reload. */
    int (*next_ids)(struct store *store, uint64_t *next_event, uint64_t *next_decision,
                    struct err *err);

    /* Starts committing. Takes the batch until finished() returns it; one at a time (-EBUSY).
     */
    int (*commit)(struct store *store, struct batch *batch);
    /* Readable when finished() has something. */
    int (*fd)(const struct store *store);
    /* The batch that ended, with batch->code set; NULL: none yet. */
    struct batch *(*finished)(struct store *store);

    /* The answer stored under a request id: 1 found, 0 not, or negative errno: not known. Sees
     * committed batches only. */
    int (*find_reply)(struct store *store, const char *principal,
                      const uint8_t request_id[REQUEST_ID_BYTES], struct stored_reply *out);
    /* False when the disk is nearly full: refuse requests that change something. */
    bool (*has_space)(struct store *store);
};

/* By name ("sqlite"); NULL when there is none. */
const struct store_driver *store_driver_find(const char *name);

#endif
