// SPDX-License-Identifier: Apache-2.0
/* Peers that say nothing, too much, or fall silent: they cost themselves, not the others. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "bus_fixture.h"

#define ANY_PORT "tcp://127.0.0.1:*"

/* Sanitizers hold freed memory back, so that the resident size says little. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#define IS_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define IS_SANITIZED false
#endif

static int port_of(const struct bus_socket *socket)
{
    char endpoint[256];
    REQUIRE(bus_endpoint(socket, endpoint, sizeof endpoint) == 0);
    return atoi(strrchr(endpoint, ':') + 1);
}

static int tcp_connect(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    REQUIRE(fd >= 0);
    REQUIRE(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* ---- silent connections ---- */

enum { SILENT = 150, DESCRIPTORS = 96 };

struct invitation {
    int port;
    struct key_pair own;
    char server_public[KEY_TEXT_SIZE];
};

/* Runs in a process of its own, so that its descriptors are not the server's. */
static int crowd_and_client(int invitations)
{
    struct invitation invitation;
    REQUIRE(read(invitations, &invitation, sizeof invitation) == sizeof invitation);
    for (int i = 0; i < SILENT; i++) {
        (void)tcp_connect(invitation.port); /* stays open until this process ends */
    }
    char endpoint[64];
    (void)snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", invitation.port);
    const struct bus_options options = {.kind = BUS_DEALER,
                                        .endpoint = endpoint,
                                        .own = &invitation.own,
                                        .server_public = invitation.server_public};
    struct bus_socket *client = NULL;
    struct bus_message message;
    REQUIRE(bus_open(&client, &options, NULL) == 0);
    send_text(client, NULL, "let me through");
    REQUIRE(receive_within(client, &message, 30000) == 0);
    bus_close(client);
    return 0;
}

/* Children must be made before this process has threads. */
static pid_t child_start(int (*run)(int invitations), int *to_child)
{
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        REQUIRE(close(ends[1]) == 0);
        _exit(run(ends[0]));
    }
    REQUIRE(close(ends[0]) == 0);
    *to_child = ends[1];
    return pid;
}

static pid_t crowd_pid;
static int to_crowd;
static pid_t talker_pid;
static int to_talker;

static void test_bus_silent_connections_do_not_lock_out(void)
{
    struct rlimit before;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    const struct rlimit small = {.rlim_cur = DESCRIPTORS, .rlim_max = before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &small) == 0);
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct invitation invitation = {.port = port_of(server),
                                    .own = enrolled_key("patient", ROLE_AGENT)};
    memcpy(invitation.server_public, server_key.public_text, KEY_TEXT_SIZE);
    REQUIRE(write(to_crowd, &invitation, sizeof invitation) == sizeof invitation);
    struct bus_message message;
    REQUIRE(receive_within(server, &message, 30000) == 0);
    const struct bus_route route = message.route;
    send_text(server, &route, "come in");
    int status = 0;
    REQUIRE(waitpid(crowd_pid, &status, 0) == crowd_pid);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    bus_close(server);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

/* ---- a peer that falls silent without hanging up ---- */

struct proxy {
    int listener;
    int port; /* of the proxy */
    int server_port;
    atomic_bool is_frozen;
    atomic_bool is_over;
};

static bool forward(int from, int to)
{
    char buffer[4096];
    ssize_t got = read(from, buffer, sizeof buffer);
    return got > 0 && write(to, buffer, (size_t)got) == got;
}

/* One connection, both ways; frozen, it keeps the sockets open and moves nothing. */
static void *proxy_run(void *argument)
{
    struct proxy *proxy = argument;
    int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
    REQUIRE(client >= 0);
    int server = tcp_connect(proxy->server_port);
    bool is_open = true;
    while (!atomic_load(&proxy->is_over)) {
        struct pollfd items[] = {{.fd = client, .events = POLLIN},
                                 {.fd = server, .events = POLLIN}};
        bool is_moving = is_open && !atomic_load(&proxy->is_frozen);
        int ready = poll(items, is_moving ? 2 : 0, 10);
        if (ready > 0 && items[0].revents != 0) {
            is_open = forward(client, server);
        }
        if (ready > 0 && items[1].revents != 0) {
            is_open = is_open && forward(server, client);
        }
    }
    (void)close(client);
    (void)close(server);
    return NULL;
}

static void proxy_open(struct proxy *proxy, int server_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    proxy->server_port = server_port;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(proxy->listener >= 0);
    REQUIRE(bind(proxy->listener, (struct sockaddr *)&address, size) == 0);
    REQUIRE(listen(proxy->listener, 8) == 0);
    REQUIRE(getsockname(proxy->listener, (struct sockaddr *)&address, &size) == 0);
    proxy->port = ntohs(address.sin_port);
}

static void test_bus_half_open_peer_is_noticed(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_CONTROL, ANY_PORT, 1024);
    struct key_pair key = enrolled_key("half-open", ROLE_AGENT);
    static struct proxy proxy;
    proxy_open(&proxy, port_of(server));
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, proxy_run, &proxy) == 0);
    char endpoint[64];
    (void)snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", proxy.port);
    struct bus_socket *client = client_open_at(BUS_DEALER, endpoint, &key);
    struct bus_message message;
    send_text(client, NULL, "hello");
    REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
    const struct bus_route route = message.route;
    send_text(server, &route, "welcome");
    REQUIRE(receive_within(client, &message, LIMIT_MS) == 0);

    atomic_store(&proxy.is_frozen, true);
    int64_t frozen_ms = clock_boot_ms();
    int rc = 0;
    while (rc == 0 && clock_boot_ms() < frozen_ms + 12000) {
        rc = bus_send(server, &route, "command", 7);
        REQUIRE(receive_within(server, &message, 100) == -EAGAIN);
    }
    int64_t noticed_ms = clock_boot_ms() - frozen_ms;
    REQUIRE(rc == -EHOSTUNREACH);
    REQUIRE(noticed_ms < 9000); /* interval 2 s and time-out 6 s, and a second */
    REQUIRE(link_becomes(client, BUS_LINK_CONNECTING, 3000)); /* the other side, too */
    atomic_store(&proxy.is_over, true);
    REQUIRE(pthread_join(thread, NULL) == 0);
    REQUIRE(close(proxy.listener) == 0);
    bus_close(client);
    bus_close(server);
}

/* ---- a peer that never ends its message ---- */

static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    REQUIRE(file != NULL);
    REQUIRE(fscanf(file, "%*s %ld", &pages) == 1);
    REQUIRE(fclose(file) == 0);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* A stranger may send what it wants: nothing of it is kept, since its handshake never ends. */
static void test_bus_endless_message_of_a_stranger_is_not_kept(void)
{
    struct bus_socket *server = server_open(BUS_ROUTER, BUS_DOMAIN_API, ANY_PORT, 4096);
    static char garbage[65536];
    long before_kib = resident_kib();
    int connections = 0;
    size_t sent = 0;
    int64_t deadline_ms = clock_boot_ms() + 1000;
    struct bus_message message;
    while (clock_boot_ms() < deadline_ms) {
        /* A greeting of ZMTP 3.0 with NULL security, then frames that all say "more follows".
         */
        static const unsigned char greeting[64] = {0xff, 0,    0, 0, 0,   0,   0,   0,
                                                   1,    0x7f, 3, 0, 'N', 'U', 'L', 'L'};
        int fd = tcp_connect(port_of(server));
        connections++;
        memset(garbage, 1, sizeof garbage);
        ssize_t wrote = send(fd, greeting, sizeof greeting, MSG_NOSIGNAL);
        while (wrote > 0 && clock_boot_ms() < deadline_ms) {
            wrote = send(fd, garbage, sizeof garbage, MSG_NOSIGNAL);
            sent += wrote > 0 ? (size_t)wrote : 0;
        }
        REQUIRE(close(fd) == 0);
        REQUIRE(bus_receive(server, &message) == -EAGAIN);
    }
    REQUIRE(connections > 1); /* it is hung up on */
    REQUIRE(sent > sizeof garbage);
    REQUIRE(IS_SANITIZED || resident_kib() - before_kib < 32 * 1024);
    struct key_pair key = enrolled_key("calm", ROLE_PROVIDER);
    struct bus_socket *client = client_open(BUS_DEALER, server, &key);
    send_text(client, NULL, "good");
    REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
    REQUIRE(message_is(&message, "good"));
    bus_close(client);
    bus_close(server);
}

/* libzmq sends nothing of a message before its end, so the endless message is a very long one.
 */
enum { LONG_FRAMES = 2500, LONG_FRAME_BYTES = 65536 };

static int talker(int invitations)
{
    struct invitation invitation;
    REQUIRE(read(invitations, &invitation, sizeof invitation) == sizeof invitation);
    memcpy(server_key.public_text, invitation.server_public, KEY_TEXT_SIZE);
    const struct secure_socket_options options = {
        .type = ZMQ_DEALER, .own = &invitation.own, .server_public = invitation.server_public};
    char endpoint[64];
    (void)snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", invitation.port);
    zsock_t *socket = secure_socket_new(&options, NULL);
    REQUIRE(socket != NULL);
    REQUIRE(secure_socket_connect(socket, endpoint, NULL) == 0);
    void *handle = zsock_resolve(socket);
    static const char frame[LONG_FRAME_BYTES];
    for (int i = 0; i < LONG_FRAMES; i++) {
        REQUIRE(zmq_send(handle, frame, sizeof frame, i + 1 < LONG_FRAMES ? ZMQ_SNDMORE : 0) ==
                LONG_FRAME_BYTES);
    }
    /* Until the parent has seen enough and closes its end. */
    char rest;
    REQUIRE(read(invitations, &rest, 1) == 0);
    _exit(0);
}

static void test_bus_endless_message_of_a_known_peer_is_cut_off(void)
{
    struct bus_socket *server =
        server_open(BUS_ROUTER, BUS_DOMAIN_API, ANY_PORT, BUS_API_FRAME_MAX);
    struct key_pair neighbour_key = enrolled_key("neighbour", ROLE_PROVIDER);
    struct bus_socket *neighbour = client_open(BUS_DEALER, server, &neighbour_key);
    struct invitation invitation = {.port = port_of(server),
                                    .own = enrolled_key("talker", ROLE_PROVIDER)};
    memcpy(invitation.server_public, server_key.public_text, KEY_TEXT_SIZE);
    REQUIRE(write(to_talker, &invitation, sizeof invitation) == sizeof invitation);
    struct guard_counters counters = {0};
    struct bus_message message;
    long before_kib = resident_kib();
    long most_kib = 0;
    int served = 0;
    int64_t deadline_ms = clock_boot_ms() + 30000;
    while (counters.cut_off == 0 && clock_boot_ms() < deadline_ms) {
        send_text(neighbour, NULL, "good"); /* others go on as before */
        REQUIRE(receive_within(server, &message, LIMIT_MS) == 0);
        REQUIRE(message_is(&message, "good"));
        REQUIRE(strcmp(message.sender->name, "neighbour") == 0);
        served++;
        (void)receive_within(server, &message, 10); /* nothing else is there */
        guard_counters(&counters);
        long grown_kib = resident_kib() - before_kib;
        most_kib = grown_kib > most_kib ? grown_kib : most_kib;
    }
    REQUIRE(counters.cut_off == 1);
    (void)printf("   at most %ld KiB were held\n", most_kib);
    REQUIRE(IS_SANITIZED || most_kib < (long)LONG_FRAMES * LONG_FRAME_BYTES / 1024 * 3 / 4);
    REQUIRE(served > 0);
    REQUIRE(link_becomes(neighbour, BUS_LINK_UP, LIMIT_MS)); /* not the neighbour */
    struct bus_counters bus = {0};
    bus_counters(server, &bus);
    REQUIRE(bus.refused_frames == 0); /* it never got to be a message */
    REQUIRE(close(to_talker) == 0);
    int status = 0;
    REQUIRE(waitpid(talker_pid, &status, 0) == talker_pid);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    bus_close(neighbour);
    bus_close(server);
}

int main(void)
{
    talker_pid = child_start(talker, &to_talker);
    crowd_pid = child_start(crowd_and_client, &to_crowd);
    fixture_start();
    RUN(test_bus_silent_connections_do_not_lock_out);
    RUN(test_bus_half_open_peer_is_noticed);
    RUN(test_bus_endless_message_of_a_stranger_is_not_kept);
    RUN(test_bus_endless_message_of_a_known_peer_is_cut_off);
    fixture_stop();
    return 0;
}
