// SPDX-License-Identifier: Apache-2.0
/*
 * Items for people and scripts: a table that never cuts a name and drops columns when the
 * terminal is narrow, or JSON, YAML, CSV, names. One set of columns per kind of item
 * (columns.c). A list is printed at its end, so that a call that fails in the middle leaves
 * nothing on stdout that looks whole; only YAML documents and lines of JSON go out at once.
 */
#ifndef ORCHESTRATOR_CLIENT_OUTPUT_H
#define ORCHESTRATOR_CLIENT_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "common/message/client_message.h"

enum output_format {
    OUTPUT_TABLE = 0,
    OUTPUT_WIDE,
    OUTPUT_JSON,
    OUTPUT_YAML,
    OUTPUT_CSV,
    OUTPUT_NAME,
};

struct output_options {
    enum output_format format;
    bool no_header;
    bool json_lines; /* one object per line instead of a list */
    bool bars;       /* tables have the columns that are drawings */
    bool color;
    int width;      /* columns of the terminal; 0: no limit */
    bool is_screen; /* it can be drawn on and has a keyboard */
};

/* A document (status, plan) rather than rows. */
bool output_is_tree(const struct output_options *options); /* JSON or YAML */
bool output_is_table(const struct output_options *options);

typedef void (*take_item_fn)(void *context, const struct item *item);

struct output;

/* Starts a list; the columns come from the first item. NULL on no memory, told. */
struct output *output_begin(FILE *out, const struct output_options *options);
/* Names the columns before, so that CSV has its header without an item too. */
void output_expect(struct output *output, enum item_kind kind, enum object_kind object);
void output_item(void *output, const struct item *item); /* a take_item_fn */
/* An object and, in JSON and some columns, its status beside it. */
void output_pair(struct output *output, const struct item *item, const struct item *status);
/* An element that the caller made, for JSON; takes it. */
void output_take_tree(struct output *output, json_t *tree);
/* Prints the list. Returns how many items there were; negative when it ran out of memory. */
int output_end(struct output *output);
/* Forgets it: something failed and was told. */
void output_drop(struct output *output);

/* One JSON or YAML document; takes the tree. 0 or a negative errno. */
int output_tree(FILE *out, const struct output_options *options, json_t *tree);
/* Text as one cell of CSV (RFC 4180): in quotes where it needs them. */
void output_csv_cell(FILE *out, const char *text);
/* A take_item_fn that appends to an array. */
void output_append(void *array, const struct item *item);

/* Around text on a terminal with colours; "" elsewhere. */
enum output_color { OUTPUT_PLAIN, OUTPUT_RED, OUTPUT_GREEN, OUTPUT_YELLOW };
const char *output_color(const struct output_options *options, enum output_color color);

#endif
