// SPDX-License-Identifier: Apache-2.0
/*
 * What every verb of the command line shares: the global options, the connection (opened at the
 * first call), the request under way, and the one way to tell an error. Exit codes are enum
 * reply_code.
 */
#ifndef ORCHESTRATOR_CLIENT_CLIENT_H
#define ORCHESTRATOR_CLIENT_CLIENT_H

#include <stdbool.h>

#include "common/err.h"
#include "common/message/client_message.h"
#include "orchestrator/client/connection.h"
#include "orchestrator/client/output.h"

#define EXIT_CHANGES     10  /* only with --detailed-exitcode */
#define EXIT_INTERRUPTED 130 /* Ctrl-C while following */

struct client {
    struct connection_settings connection_settings;
    struct connection *connection;
    struct request *request; /* the one under way: large, so it is allocated once */
    bool answered;           /* the orchestrator was there in this run */
    bool away_told;          /* and it was said that it is away now */
    int interrupt_fd;        /* readable after Ctrl-C; 0: Ctrl-C ends the program */
    struct output_options output;
    int timeout_ms; /* 0: not given; then 5 s for a call, 5 min for what waits */
    bool quiet;
    bool yes;
    /* options that several verbs have; each verb says in its help which it takes */
    const char *file;        /* -f */
    const char *service;     /* --service */
    const char *node;        /* --node */
    const char *kind;        /* --kind */
    const char *condition;   /* --for of wait; of mode: a duration */
    const char *role;        /* --role */
    const char *out_file;    /* --out */
    const char *keyring;     /* --keyring */
    const char *how_many;    /* --how-many of optimize: a service */
    const char *schedulers;  /* --scheduler of bench: names with commas */
    const char *seeds;       /* --seeds of bench: A-B */
    const char *plot;        /* --plot of bench: a file */
    const char *setting;     /* --set of bench: FIELD=VALUE */
    int64_t since_ms;        /* --since */
    int64_t pin_ms;          /* --pin of move */
    uint64_t after;          /* --after */
    uint64_t at_revision;    /* --at-revision */
    int watch_ms;            /* -w; 0: not */
    uint64_t count;          /* -n; 0: not given */
    bool batch;              /* -b */
    bool follow;             /* --follow */
    bool detach;             /* --detach */
    bool wait;               /* --wait */
    bool detailed_exit_code; /* --detailed-exitcode */
};

#define CLIENT_CALL_MS 5000
#define CLIENT_WAIT_MS (5 * 60 * 1000)
/* How long a verb that waits goes on. */
int client_wait_ms(const struct client *client);

/* ---- calls ---- */

/* Begins a request with this method, version and, for a change, a new request id. */
struct request *client_request(struct client *client, enum method method);

/* Sends the request; errors are told. Returns the exit code; *reply is filled when it is 0. */
int client_call(struct client *client, struct reply *reply, take_item_fn take, void *context);

/* The same for every page of a reading request. */
int client_read_all(struct client *client, take_item_fn take, void *context);

/* Calls without telling; the reply tells what went wrong. */
int client_try(struct client *client, struct reply *reply, take_item_fn take, void *context);

/* client_read_all() for a verb that may ask again and again. After client_follow(), an
 * orchestrator that was there and is not for a while (a restart) is CLIENT_AWAY: try again. */
#define CLIENT_AWAY (-1)
int client_poll(struct client *client, take_item_fn take, void *context);

/* ---- going on until Ctrl-C ---- */

/* From now on Ctrl-C ends client_pause() early instead of the program. Before the first call:
 * the threads of the connection must not take the signal. */
void client_follow(struct client *client);
/* Waits; true: Ctrl-C was pressed. */
bool client_pause(struct client *client, int ms);
/* Says that the work goes on and how to follow it again. Returns EXIT_INTERRUPTED. */
int client_interrupted(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- telling ---- */

/* "arbiter: error: ..." on stderr, and the error object on stdout with -o json. Returns code.
 */
int client_error(const struct client *client, enum reply_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int client_tell_reply(const struct client *client, const struct reply *reply);
void client_hint(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What a change did; nothing with -q. */
void client_tell_done(const struct client *client, const struct reply *reply);
/* "no services" on stderr, so that an empty list is not mistaken for a failure. */
void client_tell_none(const struct client *client, const char *what);

/* ---- words ---- */

/* "svc/shop", "service shop", "shop": kind and name from one or two words; kind 0: not said.
 * Returns the number of words used, 0 after telling an error. */
int client_parse_object(struct client *client, int count, char **words, enum object_kind *kind,
                        char name[NAME_SIZE]);
enum object_kind client_parse_kind(const char *word); /* singular, plural, short; 0: none */
/* "services", "agreements", "settings" */
const char *client_plural(enum object_kind kind);
int client_unknown_type(struct client *client, const char *word);

#endif
