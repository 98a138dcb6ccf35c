// SPDX-License-Identifier: Apache-2.0
/*
 * The client's connection to the orchestrator: one request at a time, retried under the same
 * request id until the time-out, so that it is carried out once. Also a library for other C
 * programs.
 */
#ifndef ORCHESTRATOR_CLIENT_CONNECTION_H
#define ORCHESTRATOR_CLIENT_CONNECTION_H

#include "common/err.h"
#include "common/limits.h"
#include "common/message/client_message.h"

#define CONNECTION_ENDPOINT_SIZE 128

struct connection_settings {
    char host[CONNECTION_ENDPOINT_SIZE]; /* endpoint of the API */
    char key[PATH_SIZE];                 /* own key file */
    char server_key[PATH_SIZE];          /* file with the orchestrator's public key */
};

/*
 * Fills what is empty: from ARBITER_HOST, ARBITER_KEY, ARBITER_SERVER_KEY, then from the file
 * (host:, key:, server_key:) at ARBITER_CONFIG or ~/.config/arbiter/config.yaml, then the
 * defaults (ipc:///run/arbiter/api, ~/.config/arbiter/key, /etc/arbiter/arbiterd.pub).
 */
int connection_settings_complete(struct connection_settings *settings, struct err *err);

struct connection;

/* Reads the keys and starts connecting; an orchestrator that is not there shows at the first
 * call. */
int connection_open(struct connection **out, const struct connection_settings *settings,
                    struct err *err);
void connection_close(struct connection *connection); /* NULL is fine */

/* 6 bytes of the time and 10 random ones, as UUID version 7 has it: later ids sort later, so
 * that the store appends them instead of scattering them over its index. */
void connection_new_request_id(unsigned char out[REQUEST_ID_BYTES], int64_t wall_ms);

/*
 * Sends and waits. Items are handed to take() (may be NULL). The result is reply->code as the
 * orchestrator said it, or, with err: REPLY_DENIED when it refuses our key (in under 2 s),
 * REPLY_UNREACHABLE when nothing answers there, REPLY_TIME_OUT when it is there and says
 * nothing within timeout_ms, REPLY_INVALID when request or reply cannot be encoded or decoded.
 */
enum reply_code connection_call(struct connection *connection, struct request *request,
                                struct reply *reply,
                                void (*take)(void *context, const struct item *item),
                                void *context, int timeout_ms, struct err *err);

#endif
