// SPDX-License-Identifier: Apache-2.0
/*
 * What each kind of item shows in tables and CSV: a table of columns per kind. The titles and
 * the order are what scripts read with -o csv: add at the end.
 */
#ifndef ORCHESTRATOR_CLIENT_COLUMNS_H
#define ORCHESTRATOR_CLIENT_COLUMNS_H

#include <stdbool.h>

#include "common/message/client_message.h"

#define CELL_SIZE 256

enum column_shown {
    COLUMN_ALWAYS,
    COLUMN_WIDE,
    COLUMN_BARS /* drawings: of top, not in CSV */
};

struct column {
    const char *title;
    enum column_shown shown;
    int drop;  /* 0: always shown; higher is dropped earlier when the terminal is narrow */
    bool text; /* free text: may be cut */
    void (*format)(const struct item *item, const struct item *status, char out[CELL_SIZE]);
};

/* Columns of a kind of item; for objects, of a kind of object. Ended by a NULL title. */
const struct column *columns_of(enum item_kind kind, enum object_kind object);

/* The columns of events, decisions, metrics, plans and of the cluster (columns_record.c). */
const struct column *columns_of_record(enum item_kind kind);

/* ---- for the functions that fill cells ---- */

#define PUT(...) (void)snprintf(out, CELL_SIZE, __VA_ARGS__)
#define UNUSED   __attribute__((unused))
#define COLUMN(name)                                                                           \
    static void name(const struct item *item UNUSED, const struct item *status UNUSED,         \
                     char out[CELL_SIZE])
#define STRING_COLUMN(name, field)                                                             \
    COLUMN(name)                                                                               \
    {                                                                                          \
        PUT("%s", item->field);                                                                \
    }

void column_put_time(char out[CELL_SIZE], int64_t wall_ms);
void column_put_age(char out[CELL_SIZE], uint32_t age_ms); /* UINT32_MAX: never */
void column_put_cpu(char out[CELL_SIZE], uint32_t pct);
void column_put_size(char out[CELL_SIZE], uint64_t kib);
/* In the unit of its kind: response time, finish after the start, share of the full speed. */
void column_put_measure(char out[CELL_SIZE], enum service_kind kind, double value);
/* A bar of width cells with a mark at one half, for a share of 0 to 1. */
void column_put_bar(char out[CELL_SIZE], double share, int width);

const char *column_mode_word(enum mode mode);
const char *column_outcome_word(enum decision_outcome outcome);

#endif
