// SPDX-License-Identifier: Apache-2.0
/* What passes a socket, what is thrown away, and what a sender learns about it. */
#include "bus_fixture.h"

#define ANY_PORT "tcp://127.0.0.1:*"

static void test_bus_dealer_and_router_talk_over_ipc(void)
{
    char folder[] = "/tmp/arbiter-bus-XXXXXX";
    REQUIRE(mkdtemp(folder) != NULL);
    char endpoint[128];
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/api", folder);
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_API, endpoint, 1024);
    struct key_pair key = enrolled_key("ipc-user", ROLE_PROVIDER);
    struct key_pair unknown;
    REQUIRE(key_pair_generate(&unknown, NULL) == 0);
    struct bus_socket *client = client_open(BUS_DEALER, server, &key);
    struct bus_socket *stranger = client_open(BUS_DEALER, server, &unknown);
    struct bus_message message;
    send_text(client, NULL, "question");
    REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
    REQUIRE(message_is(&message, "question"));
    REQUIRE(strcmp(message.sender->name, "ipc-user") == 0);
    REQUIRE(message.sender->role == ROLE_PROVIDER);
    const struct bus_route route = message.route;
    send_text(server, &route, "answer");
    REQUIRE(receive_within(client, &message, LIMIT_MS) == 0);
    REQUIRE(message_is(&message, "answer"));
    REQUIRE(message.sender == NULL);
    REQUIRE(link_becomes(stranger, BUS_LINK_REFUSED, 2000)); /* ipc is no way around the keys */
    bus_close(client);
    bus_close(stranger);
    bus_close(server);
    (void)unlink(endpoint + 6); /* the socket's file */
    REQUIRE(rmdir(folder) == 0);
}

static void test_bus_req_peer_gets_its_answer(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_API, ANY_PORT, 1024);
    struct key_pair key = enrolled_key("req", ROLE_OBSERVER);
    zsock_t *peer = raw_open(ZMQ_REQ, server, &key);
    void *handle = zsock_resolve(peer);
    struct bus_message message;
    for (int i = 0; i < 3; i++) {
        REQUIRE(zmq_send(handle, "question", 8, 0) == 8);
        REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
        REQUIRE(message_is(&message, "question"));
        REQUIRE(message.route.has_delimiter);
        const struct bus_route route = message.route;
        send_text(server, &route, "answer");
        char answer[16];
        REQUIRE(zmq_recv(handle, answer, sizeof answer, 0) == 6);
        REQUIRE(memcmp(answer, "answer", 6) == 0);
    }
    zsock_destroy(&peer);
    bus_close(server);
}

static void test_bus_unknown_route_is_unreachable(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct key_pair key = enrolled_key("gone", ROLE_AGENT);
    struct bus_socket *client = client_open(BUS_DEALER, server, &key);
    struct bus_message message;
    send_text(client, NULL, "hello");
    REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
    struct bus_route route = message.route;
    bus_close(client);
    /* The peer hangs up: within a moment its route is an error, not a black hole. */
    int64_t deadline_ms = clock_boot_ms() + LIMIT_MS;
    int rc = 0;
    while (rc == 0 && clock_boot_ms() < deadline_ms) {
        rc = bus_send(server, &route, "command", 7);
        REQUIRE(receive_within(server, &message, 1) == -EAGAIN);
    }
    REQUIRE(rc == -EHOSTUNREACH);
    route.bytes[1] ^= 0xff;
    REQUIRE(bus_send(server, &route, "command", 7) == -EHOSTUNREACH);
    struct bus_counters counters;
    bus_counters(server, &counters);
    REQUIRE(counters.send_unreachable == 2);
    bus_close(server);
}

static void test_bus_slow_peer_is_told_apart(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct key_pair key = enrolled_key("slow", ROLE_AGENT);
    struct bus_socket *client = client_open(BUS_DEALER, server, &key);
    struct bus_message message;
    send_text(client, NULL, "hello");
    REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
    const struct bus_route route = message.route;
    static const char block[65536];
    int rc = 0;
    for (int i = 0; i < 100000 && rc == 0; i++) {
        rc = bus_send(server, &route, block, sizeof block);
    }
    REQUIRE(rc == -EAGAIN);
    bus_close(client);
    bus_close(server);
}

/* Sends frames by hand: everything but the one good message must be dropped and counted. */
static void send_frames(void *handle, int frames)
{
    for (int i = 0; i < frames; i++) {
        REQUIRE(zmq_send(handle, "frame", 5, i + 1 < frames ? ZMQ_SNDMORE : 0) == 5);
    }
}

static void test_bus_too_many_frames_are_dropped_and_counted(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct key_pair key = enrolled_key("framer", ROLE_AGENT);
    zsock_t *peer = raw_open(ZMQ_DEALER, server, &key);
    void *handle = zsock_resolve(peer);
    send_frames(handle, 2);
    send_frames(handle, 1000);
    REQUIRE(zmq_send(handle, "", 0, 0) == 0);           /* empty */
    REQUIRE(zmq_send(handle, "", 0, ZMQ_SNDMORE) == 0); /* delimiter, then */
    REQUIRE(zmq_send(handle, "", 0, 0) == 0);           /* empty again */
    REQUIRE(zmq_send(handle, "", 0, ZMQ_SNDMORE) == 0); /* delimiter, then */
    send_frames(handle, 3);                             /* too many */
    REQUIRE(zmq_send(handle, "good", 4, 0) == 4);
    struct bus_message message;
    REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
    REQUIRE(message_is(&message, "good"));
    struct bus_counters counters;
    bus_counters(server, &counters);
    REQUIRE(counters.refused_frames == 5);
    REQUIRE(counters.received == 1);
    zsock_destroy(&peer);
    bus_close(server);
}

static void test_bus_self_given_route_is_refused(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct key_pair key = enrolled_key("impostor", ROLE_AGENT);
    char endpoint[256];
    REQUIRE(bus_endpoint(server, endpoint, sizeof endpoint) == 0);
    const struct secure_socket_options options = {
        .type = ZMQ_DEALER, .own = &key, .server_public = server_key.public_text};
    zsock_t *peer = secure_socket_new(&options, NULL);
    void *handle = zsock_resolve(peer);
    REQUIRE(zmq_setsockopt(handle, ZMQ_ROUTING_ID, "node-1", 6) == 0);
    REQUIRE(secure_socket_connect(peer, endpoint, NULL) == 0);
    REQUIRE(zmq_send(handle, "I am node-1", 11, 0) == 11);
    struct bus_message message;
    struct bus_counters counters = {0};
    int64_t deadline_ms = clock_boot_ms() + LIMIT_MS;
    while (counters.refused_frames == 0 && clock_boot_ms() < deadline_ms) {
        REQUIRE(receive_within(server, &message, 20) == -EAGAIN);
        bus_counters(server, &counters);
    }
    REQUIRE(counters.refused_frames == 1);
    zsock_destroy(&peer);
    bus_close(server);
}

static void test_bus_oversize_frame_cuts_the_sender_off(void)
{
    struct bus_socket *server =
        server_open(BUS_ROUTER, BUS_DOMAIN_API, ANY_PORT, BUS_API_FRAME_MAX);
    struct key_pair key = enrolled_key("large", ROLE_PROVIDER);
    struct bus_socket *client = client_open(BUS_DEALER, server, &key);
    static const char block[BUS_API_FRAME_MAX + 1024];
    struct bus_message message;
    REQUIRE(bus_send(client, NULL, block, BUS_API_FRAME_MAX) == 0);
    REQUIRE(receive_within(server, &message, LIMIT_MS) == 0); /* the limit itself passes */
    REQUIRE(message.size == BUS_API_FRAME_MAX);
    REQUIRE(link_becomes(client, BUS_LINK_UP, LIMIT_MS));
    REQUIRE(bus_send(client, NULL, block, sizeof block) == 0);
    REQUIRE(link_becomes(client, BUS_LINK_CONNECTING, LIMIT_MS)); /* cut off */
    REQUIRE(receive_within(server, &message, 50) == -EAGAIN);
    REQUIRE(link_becomes(client, BUS_LINK_UP, LIMIT_MS)); /* and may try to behave */
    send_text(client, NULL, "small");
    REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
    REQUIRE(message_is(&message, "small"));
    bus_close(client);
    bus_close(server);
}

static void test_bus_close_sends_what_is_unsent(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct key_pair key = enrolled_key("leaver", ROLE_AGENT);
    struct bus_socket *client = client_open(BUS_DEALER, server, &key);
    for (int i = 0; i < 200; i++) { /* not even connected yet */
        send_text(client, NULL, "last words");
    }
    bus_close(client);
    struct bus_message message;
    for (int i = 0; i < 200; i++) {
        REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
        REQUIRE(message_is(&message, "last words"));
    }
    bus_close(server);
}

/* What is lost between a publisher and a slow subscriber shows as gaps, to the last one. */
static void test_bus_dropped_publications_show_as_gaps(void)
{
    enum { BURST = 20000 };
    struct bus_socket *server = server_open(BUS_SUB, BUS_DOMAIN_TELEMETRY, ANY_PORT, 1024);
    struct key_pair key = enrolled_key("talker", ROLE_AGENT);
    struct bus_socket *client = client_open(BUS_PUB, server, &key);
    struct bus_message message;
    uint64_t sent = 0;
    uint64_t newest = 0;
    uint64_t received = 0;
    uint64_t lost = 0;
    while (received == 0 || sent < BURST || newest != sent) {
        int burst = received > 0 && sent < BURST ? BURST : 1;
        for (int i = 0; i < burst; i++) {
            sent++;
            REQUIRE(bus_send(client, NULL, &sent, sizeof sent) == 0);
        }
        while (receive_within(server, &message, 5) == 0) {
            uint64_t sequence = 0;
            REQUIRE(message.size == sizeof sequence);
            memcpy(&sequence, message.data, sizeof sequence);
            REQUIRE(sequence > newest);
            REQUIRE(strcmp(message.sender->name, "talker") == 0);
            lost += sequence - newest - 1;
            newest = sequence;
            received++;
        }
    }
    REQUIRE(lost > 0); /* a burst of 20 times the high-water mark cannot pass whole */
    REQUIRE(received + lost == sent);
    struct bus_counters counters;
    bus_counters(client, &counters);
    REQUIRE(counters.sent == sent); /* a publisher is never told */
    bus_close(client);
    bus_close(server);
}

static void test_poll_wait_ends_at_its_deadline(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    struct poll_item items[] = {{.socket = server}, {.fd = ends[0]}};
    int64_t deadline_ms = clock_boot_ms() + 30;
    REQUIRE(poll_wait(items, 2, deadline_ms) == 0);
    REQUIRE(clock_boot_ms() >= deadline_ms);
    REQUIRE(write(ends[1], "x", 1) == 1);
    REQUIRE(poll_wait(items, 2, clock_boot_ms() + LIMIT_MS) == 1);
    REQUIRE(!items[0].ready && items[1].ready);
    REQUIRE(poll_wait(items, POLL_ITEMS_MAX + 1, 0) == -EINVAL);
    REQUIRE(close(ends[0]) == 0);
    REQUIRE(close(ends[1]) == 0);
    bus_close(server);
}

int main(void)
{
    fixture_start();
    RUN(test_bus_dealer_and_router_talk_over_ipc);
    RUN(test_bus_req_peer_gets_its_answer);
    RUN(test_bus_unknown_route_is_unreachable);
    RUN(test_bus_slow_peer_is_told_apart);
    RUN(test_bus_too_many_frames_are_dropped_and_counted);
    RUN(test_bus_self_given_route_is_refused);
    RUN(test_bus_oversize_frame_cuts_the_sender_off);
    RUN(test_bus_close_sends_what_is_unsent);
    RUN(test_bus_dropped_publications_show_as_gaps);
    RUN(test_poll_wait_ends_at_its_deadline);
    fixture_stop();
    return 0;
}
