// SPDX-License-Identifier: Apache-2.0
/* Who may connect, who may go on talking, and what the one that is refused learns. */
#include "bus_fixture.h"
#include "common/io/domain.h"

#define ANY_PORT "tcp://127.0.0.1:*"

static void test_bus_unknown_key_is_refused(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct key_pair unknown;
    REQUIRE(key_pair_generate(&unknown, NULL) == 0);
    struct bus_socket *client = client_open(BUS_DEALER, server, &unknown);
    send_text(client, NULL, "let me in");
    REQUIRE(link_becomes(client, BUS_LINK_REFUSED, 2000));
    struct bus_message message;
    REQUIRE(receive_within(server, &message, 100) == -EAGAIN);
    bus_close(client);
    bus_close(server);
}

static void test_bus_peer_without_curve_is_refused(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_API, ANY_PORT, 1024);
    char endpoint[256];
    REQUIRE(bus_endpoint(server, endpoint, sizeof endpoint) == 0);
    void *plain = zmq_socket(secure_socket_context(), ZMQ_DEALER);
    void *null = zmq_socket(secure_socket_context(), ZMQ_DEALER);
    int linger_ms = 0;
    REQUIRE(plain != NULL && null != NULL);
    REQUIRE(zmq_setsockopt(plain, ZMQ_LINGER, &linger_ms, sizeof linger_ms) == 0);
    REQUIRE(zmq_setsockopt(null, ZMQ_LINGER, &linger_ms, sizeof linger_ms) == 0);
    REQUIRE(zmq_setsockopt(plain, ZMQ_PLAIN_USERNAME, "admin", 5) == 0);
    REQUIRE(zmq_setsockopt(plain, ZMQ_PLAIN_PASSWORD, "admin", 5) == 0);
    REQUIRE(zmq_connect(plain, endpoint) == 0);
    REQUIRE(zmq_connect(null, endpoint) == 0);
    REQUIRE(zmq_send(plain, "hello", 5, 0) == 5);
    REQUIRE(zmq_send(null, "hello", 5, 0) == 5);
    struct bus_message message;
    REQUIRE(receive_within(server, &message, 300) == -EAGAIN);
    REQUIRE(zmq_close(plain) == 0);
    REQUIRE(zmq_close(null) == 0);
    bus_close(server);
}

static void test_bus_key_for_another_server_hangs_up(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct key_pair other;
    struct key_pair agent = enrolled_key("other-cluster", ROLE_AGENT);
    REQUIRE(key_pair_generate(&other, NULL) == 0);
    char endpoint[256];
    REQUIRE(bus_endpoint(server, endpoint, sizeof endpoint) == 0);
    const struct bus_options options = {.kind = BUS_DEALER,
                                        .endpoint = endpoint,
                                        .own = &agent,
                                        .server_public = other.public_text};
    struct bus_socket *client = NULL;
    REQUIRE(bus_open(&client, &options, NULL) == 0);
    REQUIRE(link_becomes(client, BUS_LINK_BROKEN_OFF, 2000));
    bus_close(client);
    bus_close(server);
}

/* Every role at every domain: admitted where the table says so, refused everywhere else. */
static void test_bus_role_is_admitted_only_to_its_domains(void)
{
    for (int role = 1; role < ROLE_COUNT; role++) {
        char name[32];
        (void)snprintf(name, sizeof name, "matrix-%d", role);
        struct key_pair key = enrolled_key(name, (enum role)role);
        for (int domain = 1; domain < BUS_DOMAIN_COUNT; domain++) {
            struct bus_socket *server =
                server_open(BUS_ROUTER, (enum bus_domain)domain, ANY_PORT, 1024);
            struct bus_socket *client = client_open(BUS_DEALER, server, &key);
            bool is_admitted = domain_admits((enum bus_domain)domain, (enum role)role);
            REQUIRE(link_becomes(client, is_admitted ? BUS_LINK_UP : BUS_LINK_REFUSED, 2000));
            bus_close(client);
            bus_close(server);
        }
    }
    /* The table itself, once more in words. */
    REQUIRE(domain_admits(BUS_DOMAIN_CONTROL, ROLE_AGENT));
    REQUIRE(!domain_admits(BUS_DOMAIN_CONTROL, ROLE_ADMINISTRATOR));
    REQUIRE(!domain_admits(BUS_DOMAIN_TELEMETRY, ROLE_PROVIDER));
    REQUIRE(domain_admits(BUS_DOMAIN_API, ROLE_PROVIDER));
    REQUIRE(!domain_admits(BUS_DOMAIN_API, ROLE_AGENT));
    REQUIRE(domain_admits(BUS_DOMAIN_EVENTS, ROLE_OBSERVER));
    REQUIRE(!domain_admits(BUS_DOMAIN_EVENTS, ROLE_PROVIDER));
    REQUIRE(!domain_admits(BUS_DOMAIN_API, ROLE_UNSPECIFIED));
}

static void test_bus_two_keys_are_one_principal(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct key_pair keys[2];
    for (int i = 0; i < 2; i++) {
        keys[i] = enrolled_key("node-7", ROLE_AGENT);
        struct bus_socket *client = client_open(BUS_DEALER, server, &keys[i]);
        send_text(client, NULL, "hello");
        struct bus_message message;
        REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
        REQUIRE(strcmp(message.sender->name, "node-7") == 0);
        REQUIRE(message.sender->role == ROLE_AGENT);
        REQUIRE(strcmp(message.sender->public_text, keys[i].public_text) == 0);
        bus_close(client);
    }
    bus_close(server);
}

static void test_bus_same_key_twice_has_two_routes(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct key_pair key = enrolled_key("twins", ROLE_AGENT);
    struct bus_socket *clients[2];
    struct bus_route routes[2];
    struct bus_message message;
    for (int i = 0; i < 2; i++) {
        clients[i] = client_open(BUS_DEALER, server, &key);
        send_text(clients[i], NULL, "hello");
        REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
        routes[i] = message.route;
    }
    send_text(server, &routes[0], "first");
    send_text(server, &routes[1], "second");
    REQUIRE(receive_within(clients[0], &message, LIMIT_MS) == 0);
    REQUIRE(message_is(&message, "first"));
    REQUIRE(receive_within(clients[1], &message, LIMIT_MS) == 0);
    REQUIRE(message_is(&message, "second"));
    bus_close(clients[0]);
    bus_close(clients[1]);
    bus_close(server);
}

static void test_bus_revoked_key_is_cut_off_while_connected(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct key_pair key = enrolled_key("stolen", ROLE_AGENT);
    struct bus_socket *client = client_open(BUS_DEALER, server, &key);
    send_text(client, NULL, "before");
    struct bus_message message;
    REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
    const struct bus_route route = message.route;
    send_text(server, &route, "command");
    REQUIRE(receive_within(client, &message, LIMIT_MS) == 0);

    empty_the_keyring();
    /* Its connection is still there, but nothing passes in either direction. */
    send_text(client, NULL, "after");
    struct bus_counters counters = {0};
    int64_t deadline_ms = clock_boot_ms() + LIMIT_MS;
    while (counters.refused_key == 0 && clock_boot_ms() < deadline_ms) {
        REQUIRE(receive_within(server, &message, 20) == -EAGAIN);
        bus_counters(server, &counters);
    }
    REQUIRE(counters.refused_key == 1);
    REQUIRE(counters.received == 1);
    REQUIRE(bus_send(server, &route, "command", 7) == -EHOSTUNREACH);
    bus_close(client);
    bus_close(server);
}

static void test_bus_revoked_subscriber_hears_no_more(void)
{
    struct key_pair kept = enrolled_key("kept", ROLE_OBSERVER);
    const struct principal kept_principal = principal_make("kept", ROLE_OBSERVER, &kept);
    struct key_pair revoked = enrolled_key("revoked", ROLE_OBSERVER);
    struct bus_socket *publisher = server_open(BUS_PUB, BUS_DOMAIN_EVENTS, ANY_PORT, 0);
    struct bus_socket *good = client_open(BUS_SUB, publisher, &kept);
    struct bus_socket *bad = client_open(BUS_SUB, publisher, &revoked);
    struct bus_message message;
    bool is_heard[2] = {false, false};
    while (!is_heard[0] || !is_heard[1]) { /* subscriptions take a moment to arrive */
        send_text(publisher, NULL, "event");
        is_heard[0] |= receive_within(good, &message, 20) == 0;
        is_heard[1] |= receive_within(bad, &message, 20) == 0;
    }
    empty_the_keyring();
    REQUIRE(keyring_add(keyring, &kept_principal, NULL) == 0);
    /* The next event finds out; it may still be on its way to both. */
    send_text(publisher, NULL, "event");
    REQUIRE(link_becomes(bad, BUS_LINK_REFUSED, LIMIT_MS));
    while (bus_receive(bad, &message) == 0) {
        REQUIRE(message_is(&message, "event"));
    }
    /* The one that may still listen is back by itself. */
    bool is_back = false;
    int64_t deadline_ms = clock_boot_ms() + LIMIT_MS;
    while (!is_back && clock_boot_ms() < deadline_ms) {
        send_text(publisher, NULL, "later");
        is_back = receive_within(good, &message, 20) == 0 && message_is(&message, "later");
    }
    REQUIRE(is_back);
    REQUIRE(bus_receive(bad, &message) == -EAGAIN);
    send_text(publisher, NULL, "later");
    REQUIRE(receive_within(bad, &message, 100) == -EAGAIN);
    bus_close(good);
    bus_close(bad);
    bus_close(publisher);
}

static void test_bus_added_key_is_admitted_without_restart(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct key_pair key;
    REQUIRE(key_pair_generate(&key, NULL) == 0);
    struct bus_socket *client = client_open(BUS_DEALER, server, &key);
    send_text(client, NULL, "hello");
    REQUIRE(link_becomes(client, BUS_LINK_REFUSED, 2000));
    const struct principal principal = principal_make("late", ROLE_AGENT, &key);
    REQUIRE(keyring_add(keyring, &principal, NULL) == 0);
    REQUIRE(link_becomes(client, BUS_LINK_UP, LIMIT_MS));
    send_text(client, NULL, "again");
    struct bus_message message;
    REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
    bus_close(client);
    bus_close(server);
}

int main(void)
{
    fixture_start();
    RUN(test_bus_unknown_key_is_refused);
    RUN(test_bus_peer_without_curve_is_refused);
    RUN(test_bus_key_for_another_server_hangs_up);
    RUN(test_bus_role_is_admitted_only_to_its_domains);
    RUN(test_bus_two_keys_are_one_principal);
    RUN(test_bus_same_key_twice_has_two_routes);
    RUN(test_bus_revoked_key_is_cut_off_while_connected);
    RUN(test_bus_revoked_subscriber_hears_no_more);
    RUN(test_bus_added_key_is_admitted_without_restart);
    fixture_stop();
    return 0;
}
