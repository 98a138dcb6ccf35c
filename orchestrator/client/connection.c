// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/client/connection.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/io/bus.h"
#include "common/io/clock.h"
#include "common/io/poll.h"
#include "proto/codec.h"

#define ID_TIME_BYTES 6

/* Who has not answered a connect by then is not there; a restart of the orchestrator is
 * shorter. */
#define CONNECT_MS 3000

/* A change is sent again after this silence: its request id makes that harmless. */
#define RESEND_MS 2000

/* How often a wait looks at the state of the link by itself. */
#define LOOK_MS 100

struct connection {
    struct connection_settings settings;
    struct key_pair own;
    char server_public[KEY_TEXT_SIZE];
    struct bus_socket *socket; /* NULL: to be opened anew by the next call */
    uint64_t sequence;
    struct bytes out;
};

/* One call under way. */
struct call {
    struct connection *connection;
    const struct request *request;
    int64_t started_ms;
    int64_t deadline_ms;
    int64_t resend_at_ms;
    int sends;
    uint64_t
        lost_from_ups; /* when the link has come up this often, what was sent may be lost */
};

static int open_socket(struct connection *connection, struct err *err)
{
    const struct bus_options options = {
        .kind = BUS_DEALER,
        .endpoint = connection->settings.host,
        .own = &connection->own,
        .server_public = connection->server_public,
        .frame_bytes_max = CODEC_MESSAGE_BYTES_MAX,
    };
    return bus_open(&connection->socket, &options, err);
}

static void close_socket(struct connection *connection)
{
    bus_close(connection->socket);
    connection->socket = NULL;
}

int connection_open(struct connection **out, const struct connection_settings *settings,
                    struct err *err)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        return err_set(err, -ENOMEM, "out of memory");
    }
    connection->settings = *settings;
    int rc = key_pair_read(settings->key, &connection->own, err);
    if (rc == 0) {
        rc = key_public_read(settings->server_key, connection->server_public, err);
    }
    if (rc == 0) {
        rc = open_socket(connection, err);
    }
    if (rc != 0) {
        connection_close(connection);
        return rc;
    }
    *out = connection;
    return 0;
}

void connection_close(struct connection *connection)
{
    if (connection == NULL) {
        return;
    }
    close_socket(connection);
    bytes_finish(&connection->out);
    explicit_bzero(&connection->own, sizeof connection->own);
    free(connection);
}

void connection_new_request_id(unsigned char out[REQUEST_ID_BYTES], int64_t wall_ms)
{
    size_t done = 0;
    while (done < REQUEST_ID_BYTES) {
        ssize_t got = getrandom(out + done, REQUEST_ID_BYTES - done, 0);
        done += got > 0 ? (size_t)got : 0; /* only a signal interrupts it */
    }
    uint64_t big_endian = htobe64((uint64_t)wall_ms << 16);
    memcpy(out, &big_endian, ID_TIME_BYTES);
}

static bool is_change(const struct request *request)
{
    static const uint8_t none[REQUEST_ID_BYTES];
    return memcmp(request->request_id, none, sizeof none) != 0;
}

static uint64_t link_ups(const struct connection *connection)
{
    struct bus_counters counters;
    bus_counters(connection->socket, &counters);
    return counters.link_ups;
}

/* Hands the request to the socket, which sends it now or when the link is up. */
static void send_request(struct call *call)
{
    struct connection *connection = call->connection;
    bool is_up = bus_link(connection->socket) == BUS_LINK_UP;
    if (bus_send(connection->socket, NULL, connection->out.data, connection->out.size) != 0) {
        return; /* no room or no link: again at the next look */
    }
    call->sends++;
    call->resend_at_ms = clock_boot_ms() + RESEND_MS;
    call->lost_from_ups = link_ups(connection) + (is_up ? 1 : 2);
}

static bool must_send(const struct call *call)
{
    if (call->sends == 0 || link_ups(call->connection) >= call->lost_from_ups) {
        return true;
    }
    return is_change(call->request) && clock_boot_ms() >= call->resend_at_ms;
}

/* Is it the answer to this call? An answer that comes late for an earlier one is not. */
static int read_reply(const struct call *call, const struct bus_message *message,
                      struct reply *reply, struct err *err)
{
    int rc = codec_decode_reply(message->data, message->size, reply, NULL, NULL, err);
    if (rc != 0) {
        return err_wrap(err, "the orchestrator's answer");
    }
    return memcmp(reply->request_id, call->request->request_id, REQUEST_ID_BYTES) == 0
               ? 0
               : -EAGAIN;
}

/* Ends a call that cannot go on; REPLY_DONE: it can. */
static enum reply_code judge_link(const struct call *call, struct err *err)
{
    const struct connection_settings *settings = &call->connection->settings;
    int64_t now_ms = clock_boot_ms();
    enum bus_link link = bus_link(call->connection->socket);
    switch (link) {
    case BUS_LINK_REFUSED:
        (void)err_set(err, -EACCES, "%s does not admit the key in %s", settings->host,
                      settings->key);
        return REPLY_DENIED;
    case BUS_LINK_BROKEN_OFF:
        (void)err_set(err, -EACCES,
                      "%s hung up during the handshake: is %s its public key, and is this "
                      "the API's address?",
                      settings->host, settings->server_key);
        return REPLY_DENIED;
    case BUS_LINK_CONNECTING:
        if (now_ms < call->deadline_ms &&
            (link_ups(call->connection) > 0 || now_ms < call->started_ms + CONNECT_MS)) {
            return REPLY_DONE;
        }
        (void)err_set(err, -ECONNREFUSED, "cannot reach the orchestrator at %s",
                      settings->host);
        return REPLY_UNREACHABLE;
    case BUS_LINK_UP:
        if (now_ms < call->deadline_ms) {
            return REPLY_DONE;
        }
        (void)err_set(err, -ETIMEDOUT, "no answer from %s within %d ms%s", settings->host,
                      (int)(call->deadline_ms - call->started_ms),
                      is_change(call->request) ? "; it may still be carried out" : "");
        return REPLY_TIME_OUT;
    }
    return REPLY_DONE;
}

static void wait_a_moment(const struct call *call)
{
    int64_t until_ms = clock_boot_ms() + LOOK_MS;
    struct poll_item item = {.socket = call->connection->socket};
    /* Interrupted or not: the caller looks again. */
    (void)poll_wait(&item, 1, until_ms < call->deadline_ms ? until_ms : call->deadline_ms);
}

/* Sends and waits; REPLY_DONE: *message holds the answer, which was read into *reply. */
static enum reply_code exchange(struct call *call, struct bus_message *message,
                                struct reply *reply, struct err *err)
{
    for (;;) {
        if (must_send(call)) {
            send_request(call);
        }
        while (bus_receive(call->connection->socket, message) == 0) {
            int rc = read_reply(call, message, reply, err);
            if (rc != -EAGAIN) {
                return rc == 0 ? REPLY_DONE : REPLY_INVALID;
            }
        }
        enum reply_code code = judge_link(call, err);
        if (code != REPLY_DONE) {
            return code;
        }
        wait_a_moment(call);
    }
}

static int prepare(struct connection *connection, struct request *request, struct err *err)
{
    request->header.version = PROTOCOL_VERSION;
    request->header.min_version = PROTOCOL_VERSION;
    request->header.sequence = ++connection->sequence;
    int rc = codec_encode_request(request, &connection->out, err);
    if (rc == 0 && connection->out.size > BUS_API_FRAME_MAX) {
        rc = err_set(err, -EMSGSIZE, "the request has %zu bytes, at most %u are allowed",
                     connection->out.size, BUS_API_FRAME_MAX);
    }
    if (rc == 0 && connection->socket == NULL) {
        rc = open_socket(connection, err);
    }
    return rc;
}

// NOLINTNEXTLINE(readability-function-size): take and context are one thing
enum reply_code connection_call(struct connection *connection, struct request *request,
                                struct reply *reply,
                                void (*take)(void *context, const struct item *item),
                                void *context, int timeout_ms, struct err *err)
{
    if (prepare(connection, request, err) != 0) {
        return REPLY_INVALID;
    }
    struct call call = {.connection = connection, .request = request};
    call.started_ms = clock_boot_ms();
    call.deadline_ms = call.started_ms + timeout_ms;
    struct bus_message message = {0};
    enum reply_code code = exchange(&call, &message, reply, err);
    if (code == REPLY_DONE) {
        code = codec_decode_reply(message.data, message.size, reply, take, context, err) == 0
                   ? reply->code
                   : REPLY_INVALID;
    } else {
        /* An answer that comes after all must not meet the next call. */
        close_socket(connection);
    }
    if (connection->socket != NULL && call.sends > 1 && !is_change(request)) {
        close_socket(connection); /* as must a second answer to the same question */
    }
    return code;
}
