// SPDX-License-Identifier: Apache-2.0
// link: arbiter_client
/* The client's calls against a real API socket: answers, retries, and every way to get none. */
#include <pthread.h>
#include <stdatomic.h>

#include "bus_fixture.h"
#include "common/io/file.h"
#include "orchestrator/client/connection.h"
#include "proto/codec.h"

static char folder[] = "/tmp/arbiter-connection-XXXXXX";
static char endpoint[128];
static struct connection_settings settings;
static atomic_bool is_over;
static atomic_int requests;
static atomic_int same_id_requests;

/* What the test's orchestrator does depends on the name in the request. */
struct server {
    struct bus_socket *socket;
    uint8_t last_id[REQUEST_ID_BYTES];
    int times; /* that the same id came */
    struct bus_route late_route;
    struct request late;
    bool has_late;
};

static void answer(struct bus_socket *socket, const struct bus_route *route,
                   const struct request *request)
{
    struct reply reply = {.code = REPLY_CONFLICT, .reason = REASON_CONFLICT};
    struct bytes out = {0};
    reply.header = (struct header){.version = PROTOCOL_VERSION,
                                   .min_version = PROTOCOL_VERSION,
                                   .epoch = 1,
                                   .sequence = request->header.sequence};
    memcpy(reply.request_id, request->request_id, REQUEST_ID_BYTES);
    (void)snprintf(reply.text, sizeof reply.text, "answer to %s", request->name);
    REQUIRE(codec_encode_reply(&reply, &out, NULL) == 0);
    struct item item = {.kind = ITEM_KIND_CLUSTER_STATUS};
    item.cluster_status.mode = MODE_ACT;
    item.cluster_status.epoch = 7;
    REQUIRE(codec_append_item(&out, &item, NULL) == 0);
    (void)bus_send(socket, route, out.data, out.size); /* the client may have gone */
    bytes_finish(&out);
}

static void serve_one(struct server *server, const struct bus_message *message)
{
    struct request request;
    struct err err = {0};
    if (codec_decode_request(message->data, message->size, &request, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        _exit(1);
    }
    (void)atomic_fetch_add(&requests, 1);
    bool is_same = memcmp(server->last_id, request.request_id, REQUEST_ID_BYTES) == 0;
    server->times = is_same ? server->times + 1 : 1;
    memcpy(server->last_id, request.request_id, REQUEST_ID_BYTES);
    atomic_store(&same_id_requests, server->times);
    const struct bus_route route = message->route;
    if (strcmp(request.name, "silent") == 0) {
        return;
    }
    if (strcmp(request.name, "second-time") == 0 && server->times < 2) {
        return;
    }
    if (strcmp(request.name, "lost-link") == 0 && server->times < 2) {
        /* The orchestrator dies over this request and is back at once. */
        bus_close(server->socket);
        server->socket = NULL;
        return;
    }
    if (strcmp(request.name, "late") == 0) {
        server->late = request;
        server->late_route = route;
        server->has_late = true;
        return;
    }
    if (server->has_late) {
        answer(server->socket, &server->late_route, &server->late);
        server->has_late = false;
    }
    answer(server->socket, &route, &request);
}

static void *serve(void *argument)
{
    (void)argument;
    struct server server = {0};
    while (!atomic_load(&is_over)) {
        if (server.socket == NULL) {
            server.socket =
                server_open(BUS_ROUTER, BUS_DOMAIN_API, endpoint, BUS_API_FRAME_MAX);
        }
        struct poll_item item = {.socket = server.socket};
        (void)poll_wait(&item, 1, clock_boot_ms() + 20);
        struct bus_message message;
        while (server.socket != NULL && bus_receive(server.socket, &message) == 0) {
            serve_one(&server, &message);
        }
    }
    bus_close(server.socket);
    return NULL;
}

static void write_key(const char *name, const struct key_pair *pair, char *out, size_t size)
{
    (void)snprintf(out, size, "%s/%s", folder, name);
    REQUIRE(key_pair_write(out, pair, NULL) == 0);
}

static struct connection *connect_with(const struct connection_settings *with)
{
    struct connection *connection = NULL;
    struct err err = {0};
    if (connection_open(&connection, with, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        _exit(1);
    }
    return connection;
}

static struct request read_of(const char *name)
{
    struct request request = {.method = METHOD_GET, .kind = OBJECT_KIND_SERVICE};
    (void)snprintf(request.name, sizeof request.name, "%s", name);
    return request;
}

static struct request change_of(const char *name)
{
    struct request request = {.method = METHOD_CORDON, .kind = OBJECT_KIND_NODE};
    (void)snprintf(request.name, sizeof request.name, "%s", name);
    connection_new_request_id(request.request_id, clock_wall_ms());
    return request;
}

static void count_item(void *context, const struct item *item)
{
    int *count = context;
    REQUIRE(item->kind == ITEM_KIND_CLUSTER_STATUS);
    REQUIRE(item->cluster_status.epoch == 7);
    (*count)++;
}

static void test_connection_hands_over_the_answer_and_its_items(void)
{
    struct connection *connection = connect_with(&settings);
    struct reply reply;
    struct err err = {0};
    int items = 0;
    for (int i = 1; i <= 3; i++) {
        struct request request = read_of("shop");
        REQUIRE(connection_call(connection, &request, &reply, count_item, &items, LIMIT_MS,
                                &err) == REPLY_CONFLICT);
        REQUIRE(strcmp(reply.text, "answer to shop") == 0);
        REQUIRE(err.text[0] == '\0');
        REQUIRE(items == i);
    }
    connection_close(connection);
}

static void test_connection_repeats_a_change_under_the_same_id(void)
{
    struct connection *connection = connect_with(&settings);
    struct request request = change_of("second-time");
    struct reply reply;
    REQUIRE(connection_call(connection, &request, &reply, NULL, NULL, LIMIT_MS, NULL) ==
            REPLY_CONFLICT);
    REQUIRE(atomic_load(&same_id_requests) == 2);
    connection_close(connection);
}

static void test_connection_survives_a_restart_of_the_orchestrator(void)
{
    struct connection *connection = connect_with(&settings);
    struct reply reply;
    struct request read = read_of("lost-link");
    struct request change = change_of("lost-link");
    struct err err = {0};
    int64_t started_ms = clock_boot_ms();
    REQUIRE(connection_call(connection, &change, &reply, NULL, NULL, LIMIT_MS, &err) ==
            REPLY_CONFLICT);
    REQUIRE(connection_call(connection, &read, &reply, NULL, NULL, LIMIT_MS, &err) ==
            REPLY_CONFLICT);
    REQUIRE(clock_boot_ms() - started_ms < LIMIT_MS);
    connection_close(connection);
}

static void test_connection_tells_time_out_from_unreachable(void)
{
    struct connection *connection = connect_with(&settings);
    struct reply reply;
    struct err err = {0};
    struct request request = change_of("silent");
    REQUIRE(connection_call(connection, &request, &reply, NULL, NULL, 500, &err) ==
            REPLY_TIME_OUT);
    REQUIRE(strstr(err.text, "within 500 ms; it may still be carried out") != NULL);
    connection_close(connection);

    struct connection_settings nobody = settings;
    (void)snprintf(nobody.host, sizeof nobody.host, "ipc://%s/nobody", folder);
    connection = connect_with(&nobody);
    int64_t started_ms = clock_boot_ms();
    REQUIRE(connection_call(connection, &request, &reply, NULL, NULL, LIMIT_MS, &err) ==
            REPLY_UNREACHABLE);
    REQUIRE(clock_boot_ms() - started_ms < 5000);
    REQUIRE(strstr(err.text, "cannot reach") != NULL);
    connection_close(connection);
}

static void test_connection_late_answer_does_not_meet_the_next_call(void)
{
    struct connection *connection = connect_with(&settings);
    struct reply reply;
    struct request late = read_of("late");
    struct request next = read_of("next");
    REQUIRE(connection_call(connection, &late, &reply, NULL, NULL, 300, NULL) ==
            REPLY_TIME_OUT);
    REQUIRE(connection_call(connection, &next, &reply, NULL, NULL, LIMIT_MS, NULL) ==
            REPLY_CONFLICT);
    REQUIRE(strcmp(reply.text, "answer to next") == 0);
    connection_close(connection);
}

static void test_connection_wrong_key_is_denied_in_time(void)
{
    struct key_pair stranger;
    struct connection_settings wrong = settings;
    struct reply reply;
    struct err err = {0};
    struct request request = read_of("shop");
    REQUIRE(key_pair_generate(&stranger, NULL) == 0);
    write_key("stranger", &stranger, wrong.key, sizeof wrong.key);
    struct connection *connection = connect_with(&wrong);
    int64_t started_ms = clock_boot_ms();
    REQUIRE(connection_call(connection, &request, &reply, NULL, NULL, LIMIT_MS, &err) ==
            REPLY_DENIED);
    REQUIRE(clock_boot_ms() - started_ms < 2000);
    REQUIRE(strstr(err.text, wrong.key) != NULL);
    connection_close(connection);

    /* An agent's key is as wrong here. */
    struct key_pair agent = enrolled_key("node-1", ROLE_AGENT);
    write_key("agent", &agent, wrong.key, sizeof wrong.key);
    connection = connect_with(&wrong);
    REQUIRE(connection_call(connection, &request, &reply, NULL, NULL, LIMIT_MS, &err) ==
            REPLY_DENIED);
    connection_close(connection);
}

static void test_connection_wrong_server_key_is_denied_in_time(void)
{
    struct key_pair other;
    struct connection_settings wrong = settings;
    struct reply reply;
    struct err err = {0};
    struct request request = read_of("shop");
    REQUIRE(key_pair_generate(&other, NULL) == 0);
    write_key("other-server", &other, wrong.server_key, sizeof wrong.server_key);
    struct connection *connection = connect_with(&wrong);
    int64_t started_ms = clock_boot_ms();
    REQUIRE(connection_call(connection, &request, &reply, NULL, NULL, LIMIT_MS, &err) ==
            REPLY_DENIED);
    REQUIRE(clock_boot_ms() - started_ms < 2000);
    REQUIRE(strstr(err.text, wrong.server_key) != NULL);
    connection_close(connection);
}

static void test_connection_needs_its_keys(void)
{
    struct connection_settings wrong = settings;
    struct connection *connection = NULL;
    struct err err = {0};
    (void)snprintf(wrong.key, sizeof wrong.key, "%s/missing", folder);
    REQUIRE(connection_open(&connection, &wrong, &err) == -ENOENT);
    REQUIRE(connection == NULL);
    wrong = settings;
    (void)snprintf(wrong.server_key, sizeof wrong.server_key, "%s/missing", folder);
    REQUIRE(connection_open(&connection, &wrong, &err) == -ENOENT);
    wrong = settings;
    (void)snprintf(wrong.host, sizeof wrong.host, "nonsense");
    REQUIRE(connection_open(&connection, &wrong, &err) < 0);
    REQUIRE(strstr(err.text, "nonsense") != NULL);
}

static void remove_files(void)
{
    static const char *const names[] = {"key",   "server.pub",   "stranger",
                                        "agent", "other-server", "api"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[PATH_SIZE];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    REQUIRE(rmdir(folder) == 0);
}

int main(void)
{
    fixture_start();
    REQUIRE(mkdtemp(folder) != NULL);
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/api", folder);
    (void)snprintf(settings.host, sizeof settings.host, "%s", endpoint);
    struct key_pair key = enrolled_key("anna", ROLE_PROVIDER);
    write_key("key", &key, settings.key, sizeof settings.key);
    (void)snprintf(settings.server_key, sizeof settings.server_key, "%s/server.pub", folder);
    REQUIRE(key_public_write(settings.server_key, server_key.public_text, NULL) == 0);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, serve, NULL) == 0);
    RUN(test_connection_hands_over_the_answer_and_its_items);
    RUN(test_connection_repeats_a_change_under_the_same_id);
    RUN(test_connection_survives_a_restart_of_the_orchestrator);
    RUN(test_connection_tells_time_out_from_unreachable);
    RUN(test_connection_late_answer_does_not_meet_the_next_call);
    RUN(test_connection_wrong_key_is_denied_in_time);
    RUN(test_connection_wrong_server_key_is_denied_in_time);
    RUN(test_connection_needs_its_keys);
    atomic_store(&is_over, true);
    REQUIRE(pthread_join(thread, NULL) == 0);
    fixture_stop();
    remove_files();
    return 0;
}
