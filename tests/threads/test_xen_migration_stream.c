// SPDX-License-Identifier: Apache-2.0
// link: arbiter_common_io arbiter_common PkgConfig::SSL
/* The connection of a migrating VM: whole, with a wrong key, of another VM, broken in between.
 */
#include <pthread.h>
#include <signal.h>

#include "node-agent/io/transfer/migration_stream.c"
#include "tests/threads/require.h"

#define NAME  "0a0b0c0d-0000-4000-8000-000000000001"
#define BYTES (5u * 1024u * 1024u + 7u)
#define LIMIT 20000

struct receiver {
    int listener;
    const char *key;
    int code;
    bool confirms;
    size_t got;
    unsigned long sum;
    struct err err;
};

struct feed {
    int fd;
    size_t bytes;
};

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 31 + i / 251);
}

static void *drain(void *argument)
{
    struct receiver *own = argument;
    unsigned char block[8192];
    ssize_t size = 0;
    while ((size = read(own->listener, block, sizeof block)) > 0) {
        for (ssize_t i = 0; i < size; i++) {
            own->sum += block[i] == byte_at(own->got + (size_t)i) ? 1 : 0;
        }
        own->got += (size_t)size;
    }
    return NULL;
}

static void *receive(void *argument)
{
    struct receiver *own = argument;
    int64_t deadline_ms = clock_boot_ms() + LIMIT;
    int pair[2];
    struct migration_stream *stream =
        migration_stream_accept(own->listener, NAME, own->key, deadline_ms, &own->err);
    if (stream == NULL) {
        own->code = own->err.code;
        return NULL;
    }
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    struct receiver end = {.listener = pair[1]};
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, drain, &end) == 0);
    own->code = migration_stream_receive(stream, pair[0], deadline_ms, &own->err);
    (void)close(pair[0]);
    (void)pthread_join(thread, NULL);
    (void)close(pair[1]);
    own->got = end.got;
    own->sum = end.sum;
    if (own->code == 0 && own->confirms) {
        own->code = migration_stream_confirm(stream, deadline_ms, &own->err);
    }
    migration_stream_close(stream);
    return NULL;
}

static void *feed(void *argument)
{
    const struct feed *own = argument;
    unsigned char block[4096];
    for (size_t at = 0; at < own->bytes;) {
        size_t size = own->bytes - at < sizeof block ? own->bytes - at : sizeof block;
        for (size_t i = 0; i < size; i++) {
            block[i] = byte_at(at + i);
        }
        if (pass_on(own->fd, block, size, NULL) != 0) {
            break;
        }
        at += size;
    }
    (void)close(own->fd);
    return NULL;
}

/* What the sender got in the end. break_at: bytes after which the sender goes away; 0: never.
 */
static int go_over(const char *name, const char *key, struct receiver *receiver,
                   size_t break_at, struct err *err)
{
    char right_key[NAME_SIZE];
    char peer[ADDRESS_SIZE];
    pthread_t receiving;
    pthread_t feeding;
    int pair[2];
    int64_t deadline_ms = clock_boot_ms() + LIMIT;
    REQUIRE(migration_stream_key(right_key, err) == 0);
    receiver->key = right_key;
    receiver->listener = migration_stream_listen("127.0.0.1", peer, err);
    REQUIRE(receiver->listener >= 0);
    REQUIRE(pthread_create(&receiving, NULL, receive, receiver) == 0);
    struct migration_stream *stream =
        migration_stream_connect(peer, name, key == NULL ? right_key : key, deadline_ms, err);
    int rc = stream == NULL ? err->code : 0;
    if (stream != NULL) {
        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
        struct feed source = {.fd = pair[1], .bytes = break_at == 0 ? BYTES : break_at};
        REQUIRE(pthread_create(&feeding, NULL, feed, &source) == 0);
        if (break_at != 0) {
            unsigned char head[LENGTH_BYTES];
            put_length(head, 1000);
            REQUIRE(write_all(stream, head, sizeof head, deadline_ms, err) == 0);
            migration_stream_break(stream);
        }
        rc = migration_stream_send(stream, pair[0], deadline_ms, err);
        rc = rc == 0 ? migration_stream_await(stream, deadline_ms, err) : rc;
        (void)close(pair[0]);
        (void)pthread_join(feeding, NULL);
    }
    migration_stream_close(stream);
    (void)pthread_join(receiving, NULL);
    (void)close(receiver->listener);
    return rc;
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as the agent does: a broken stream is an answer */
    struct err err = {0};
    struct receiver receiver = {.confirms = true};
    int64_t start_ms = clock_boot_ms();
    REQUIRE(go_over(NAME, NULL, &receiver, 0, &err) == 0);
    REQUIRE(receiver.code == 0 && receiver.got == BYTES && receiver.sum == BYTES);
    (void)printf("%u bytes went over in %lld ms\n", BYTES,
                 (long long)(clock_boot_ms() - start_ms));

    receiver = (struct receiver){.confirms = false};
    REQUIRE(go_over(NAME, NULL, &receiver, 0, &err) != 0); /* all of it there, the word lost */
    REQUIRE(receiver.got == BYTES);

    const char *wrong = "000000000000000000000000000000000000000000000000000000000000";
    receiver = (struct receiver){.confirms = true};
    REQUIRE(go_over(NAME, wrong, &receiver, 0, &err) != 0);
    REQUIRE(receiver.code != 0 && receiver.got == 0);
    REQUIRE(go_over(NAME, "short", &receiver, 0, &err) == -EINVAL);

    receiver = (struct receiver){.confirms = true};
    REQUIRE(go_over("0a0b0c0d-0000-4000-8000-000000000002", NULL, &receiver, 0, &err) != 0);
    REQUIRE(receiver.code != 0 && receiver.got == 0);

    receiver = (struct receiver){.confirms = true};
    REQUIRE(go_over(NAME, NULL, &receiver, 3000, &err) != 0);
    REQUIRE(receiver.code != 0);

    char peer[ADDRESS_SIZE];
    char key[NAME_SIZE];
    REQUIRE(migration_stream_key(key, &err) == 0 && strlen(key) == 60);
    int listener = migration_stream_listen("127.0.0.1", peer, &err);
    REQUIRE(listener >= 0);
    REQUIRE(migration_stream_accept(listener, NAME, key, clock_boot_ms() + 50, &err) == NULL);
    REQUIRE(err.code == -ETIMEDOUT);
    (void)close(listener);
    REQUIRE(migration_stream_connect(peer, NAME, key, clock_boot_ms() + 1000, &err) == NULL);
    REQUIRE(migration_stream_listen("bridge0", peer, &err) == -EINVAL);
    (void)printf("a wrong key, another VM, a lost word and a broken stream are told\n");
    return EXIT_SUCCESS;
}
