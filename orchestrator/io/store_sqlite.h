// SPDX-License-Identifier: Apache-2.0
/*
 * The store in one SQLite file, arbiter.db: WAL, synchronous=FULL, one writer thread, one
 * transaction per batch. Beside it lies a ballast file that is given up when the disk is full,
 * so that deleting and checkpointing still work then.
 *
 *   store_sqlite.c          open, threads, commit
 *   store_sqlite_schema.c   tables, migrations, epoch
 *   store_sqlite_write.c    one statement per kind of write
 *   store_sqlite_read.c     loading, event log and ledger queries
 *   store_sqlite_keep.c     retention, free space
 */
#ifndef ORCHESTRATOR_IO_STORE_SQLITE_H
#define ORCHESTRATOR_IO_STORE_SQLITE_H

#include "orchestrator/io/store.h"

extern const struct store_driver store_sqlite;

#endif
