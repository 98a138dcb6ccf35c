// SPDX-License-Identifier: Apache-2.0
/* Without a working guard nobody gets in. */
#include <signal.h>

#include "bus_fixture.h"

#define ANY_PORT "tcp://127.0.0.1:*"

static void test_bus_nothing_listens_before_the_guard(void)
{
    struct key_pair key;
    REQUIRE(key_pair_generate(&key, NULL) == 0);
    const struct bus_options options = {.kind = BUS_ROUTER,
                                        .bind = true,
                                        .endpoint = ANY_PORT,
                                        .domain = BUS_DOMAIN_CONTROL,
                                        .own = &key};
    struct bus_socket *socket = NULL;
    struct err err = {0};
    REQUIRE(bus_open(&socket, &options, &err) == -EPERM);
    REQUIRE(socket == NULL);
    REQUIRE(strstr(err.text, "guard") != NULL);
}

static void test_guard_starts_once(void)
{
    struct err err = {0};
    REQUIRE(guard_start(keyring, &err) == -EALREADY);
    struct guard_counters counters;
    guard_counters(&counters);
    REQUIRE(counters.admitted == 0 && counters.refused == 0);
}

/* The place of the handler is taken by somebody else: the daemon must not start. */
static void test_guard_does_not_start_beside_another_handler(void)
{
    void *other = zmq_socket(secure_socket_context(), ZMQ_REP);
    REQUIRE(other != NULL);
    REQUIRE(zmq_bind(other, "inproc://zeromq.zap.01") == 0);
    struct keyring *unused = keyring_create();
    struct err err = {0};
    REQUIRE(guard_start(unused, &err) < 0);
    REQUIRE(guard_keyring() == NULL);
    REQUIRE(zmq_unbind(other, "inproc://zeromq.zap.01") == 0);
    REQUIRE(zmq_close(other) == 0);
    keyring_destroy(unused);
}

static void test_bus_guard_counts_verdicts(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct key_pair known = enrolled_key("counted", ROLE_AGENT);
    struct key_pair unknown;
    REQUIRE(key_pair_generate(&unknown, NULL) == 0);
    struct bus_socket *good = client_open(BUS_DEALER, server, &known);
    struct bus_socket *bad = client_open(BUS_DEALER, server, &unknown);
    REQUIRE(link_becomes(good, BUS_LINK_UP, LIMIT_MS));
    REQUIRE(link_becomes(bad, BUS_LINK_REFUSED, LIMIT_MS));
    struct guard_counters counters;
    guard_counters(&counters);
    REQUIRE(counters.admitted == 1);
    REQUIRE(counters.refused == 1);
    bus_close(good);
    bus_close(bad);
    bus_close(server);
}

static void test_bus_dead_guard_fails_closed(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct key_pair key = enrolled_key("valid", ROLE_AGENT);
    guard_stop();
    struct bus_socket *client = client_open(BUS_DEALER, server, &key);
    send_text(client, NULL, "hello");
    struct bus_message message;
    REQUIRE(receive_within(server, &message, 500) == -EAGAIN);
    REQUIRE(bus_link(client) != BUS_LINK_UP);
    bus_close(client);

    /* And it is the guard that was missing: with one, the same key gets in. */
    REQUIRE(guard_start(keyring, NULL) == 0);
    client = client_open(BUS_DEALER, server, &key);
    send_text(client, NULL, "hello");
    REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
    bus_close(client);
    bus_close(server);
}

static void test_bus_leaves_signals_to_the_daemon(void)
{
    const int signals[] = {SIGINT, SIGTERM, SIGCHLD};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction action;
        REQUIRE(sigaction(signals[i], NULL, &action) == 0);
        REQUIRE(action.sa_handler == SIG_DFL);
    }
}

int main(void)
{
    RUN(test_bus_nothing_listens_before_the_guard);
    RUN(test_guard_does_not_start_beside_another_handler);
    fixture_start();
    RUN(test_guard_starts_once);
    RUN(test_bus_guard_counts_verdicts);
    RUN(test_bus_dead_guard_fails_closed);
    RUN(test_bus_leaves_signals_to_the_daemon);
    fixture_stop();
    return 0;
}
