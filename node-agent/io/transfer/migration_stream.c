// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/migration_stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io/clock.h"

#define KEY_BYTES    30 /* in hexadecimal it fits a name */
#define FRAME_BYTES  65536u
#define LENGTH_BYTES 4
#define WAIT_MS_MAX  120000 /* a peer that says nothing for so long is gone */
#define CONFIRMED    0x57

struct migration_stream {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
    char name[UUID_SIZE];
    unsigned char key[KEY_BYTES];
    unsigned char frame[LENGTH_BYTES + FRAME_BYTES];
};

int migration_stream_key(char key[NAME_SIZE], struct err *err)
{
    unsigned char bytes[KEY_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return err_set(err, -EIO, "no randomness for a key");
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        (void)snprintf(key + 2 * i, 3, "%02x", bytes[i]);
    }
    OPENSSL_cleanse(bytes, sizeof bytes);
    return 0;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_key(const char *text, unsigned char out[KEY_BYTES], struct err *err)
{
    bool fine = strlen(text) == (size_t)2 * KEY_BYTES;
    for (size_t i = 0; fine && i < KEY_BYTES; i++) {
        int high = digit_of(text[2 * i]);
        int low = digit_of(text[2 * i + 1]);
        fine = high >= 0 && low >= 0;
        out[i] = fine ? (unsigned char)(high * 16 + low) : 0;
    }
    return fine ? 0 : err_set(err, -EINVAL, "the key of the migration is none");
}

/* ---- sockets ---- */

static int parse_address(const char *text, struct sockaddr_in *out, struct err *err)
{
    char host[ADDRESS_SIZE];
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    size_t length = colon == NULL ? strlen(text) : (size_t)(colon - text);
    unsigned long port = colon == NULL ? 0 : strtoul(colon + 1, &end, 10);
    *out = (struct sockaddr_in){.sin_family = AF_INET};
    bool fine = length < sizeof host && port <= 65535 && (end == NULL || *end == '\0');
    if (fine) {
        memcpy(host, text, length);
        host[length] = '\0';
        out->sin_port = htons((uint16_t)port);
        fine = inet_pton(AF_INET, host, &out->sin_addr) == 1;
    }
    return fine ? 0 : err_set(err, -EINVAL, "\"%.60s\" is no IPv4 address", text);
}

int migration_stream_listen(const char *address, char text[ADDRESS_SIZE], struct err *err)
{
    struct sockaddr_in own;
    char host[INET_ADDRSTRLEN];
    if (parse_address(address, &own, err) != 0) {
        return -EINVAL;
    }
    socklen_t size = sizeof own;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)&own, &size) != 0) {
        int code = -errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return err_set(err, code, "no port for a migration at %s: %s", address,
                       strerrordesc_np(-code));
    }
    (void)inet_ntop(AF_INET, &own.sin_addr, host, sizeof host);
    (void)snprintf(text, ADDRESS_SIZE, "%s:%u", host, (unsigned)ntohs(own.sin_port));
    return fd;
}

/* 0, or -ETIMEDOUT. */
static int wait_for(int fd, short events, int64_t deadline_ms)
{
    int64_t left_ms = deadline_ms - clock_boot_ms();
    struct pollfd item = {.fd = fd, .events = events};
    left_ms = left_ms > WAIT_MS_MAX ? WAIT_MS_MAX : left_ms;
    int r = left_ms <= 0 ? 0 : poll(&item, 1, (int)left_ms);
    return r > 0 || (r < 0 && errno == EINTR) ? 0 : -ETIMEDOUT;
}

/* ---- TLS ---- */

static unsigned int give_key(struct migration_stream *stream, unsigned char *out,
                             unsigned int size)
{
    if (size < KEY_BYTES) {
        return 0;
    }
    memcpy(out, stream->key, KEY_BYTES);
    return KEY_BYTES;
}

static unsigned int key_of_client(SSL *ssl, const char *hint, char *identity,
                                  unsigned int identity_size, unsigned char *key,
                                  unsigned int key_size)
{
    (void)hint;
    struct migration_stream *stream = SSL_get_app_data(ssl);
    (void)snprintf(identity, identity_size, "%s", stream->name);
    return give_key(stream, key, key_size);
}

static unsigned int key_of_server(SSL *ssl, const char *identity, unsigned char *key,
                                  unsigned int key_size)
{
    struct migration_stream *stream = SSL_get_app_data(ssl);
    bool known = identity != NULL && strcmp(identity, stream->name) == 0;
    return known ? give_key(stream, key, key_size) : 0;
}

static int tls_error(const char *what, struct err *err)
{
    unsigned long code = ERR_get_error();
    char text[160] = "the connection ended";
    if (code != 0) {
        ERR_error_string_n(code, text, sizeof text);
    }
    return err_set(err, -ECONNRESET, "%s: %s", what, text);
}

/* After an operation that did not end: waits for what it needs. 0: try again. */
static int again(struct migration_stream *stream, int r, int64_t deadline_ms, const char *what,
                 struct err *err)
{
    int reason = SSL_get_error(stream->ssl, r);
    if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE) {
        return tls_error(what, err);
    }
    short events = reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    int rc = wait_for(stream->fd, events, deadline_ms);
    return rc == 0 ? 0 : err_set(err, rc, "%s: the other side does not answer", what);
}

static int set_up(struct migration_stream *stream, bool server, struct err *err)
{
    stream->context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (stream->context == NULL ||
        SSL_CTX_set_min_proto_version(stream->context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(stream->context, "TLS_AES_128_GCM_SHA256") != 1) {
        return tls_error("TLS", err);
    }
    if (server) {
        SSL_CTX_set_psk_server_callback(stream->context, key_of_server);
        (void)SSL_CTX_set_num_tickets(stream->context, 0); /* nothing to come back with */
    } else {
        SSL_CTX_set_psk_client_callback(stream->context, key_of_client);
        SSL_CTX_set_verify(stream->context, SSL_VERIFY_PEER, NULL); /* only the key counts */
    }
    stream->ssl = SSL_new(stream->context);
    if (stream->ssl == NULL || SSL_set_fd(stream->ssl, stream->fd) != 1) {
        return tls_error("TLS", err);
    }
    SSL_set_app_data(stream->ssl, stream);
    return 0;
}

static int shake_hands(struct migration_stream *stream, bool server, int64_t deadline_ms,
                       struct err *err)
{
    int rc = set_up(stream, server, err);
    for (int r = 0; rc == 0;) {
        ERR_clear_error();
        r = server ? SSL_accept(stream->ssl) : SSL_connect(stream->ssl);
        if (r == 1) {
            return 0;
        }
        rc = again(stream, r, deadline_ms, "TLS handshake", err);
    }
    return rc;
}

/* Takes fd in every case. */
static struct migration_stream *open_stream(int fd, bool server, const char *name,
                                            const char *key, int64_t deadline_ms,
                                            struct err *err)
{
    struct migration_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        (void)close(fd);
        err_set(err, -ENOMEM, "no memory for a migration");
        return NULL;
    }
    stream->fd = fd;
    (void)snprintf(stream->name, sizeof stream->name, "%s", name);
    if (parse_key(key, stream->key, err) != 0 ||
        shake_hands(stream, server, deadline_ms, err) != 0) {
        migration_stream_close(stream);
        return NULL;
    }
    return stream;
}

struct migration_stream *migration_stream_accept(int listener, const char *name,
                                                 const char *key, int64_t deadline_ms,
                                                 struct err *err)
{
    int fd = -1;
    int rc = 0;
    while (rc == 0 && fd < 0) {
        rc = wait_for(listener, POLLIN, deadline_ms);
        fd = rc == 0 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
    }
    if (fd < 0) {
        err_set(err, rc, "nobody came to send the VM");
        return NULL;
    }
    return open_stream(fd, true, name, key, deadline_ms, err);
}

struct migration_stream *migration_stream_connect(const char *peer, const char *name,
                                                  const char *key, int64_t deadline_ms,
                                                  struct err *err)
{
    struct sockaddr_in address;
    int code = 0;
    socklen_t size = sizeof code;
    if (parse_address(peer, &address, err) != 0) {
        return NULL;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = fd < 0 ? -errno : 0;
    if (rc == 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        rc = errno == EINPROGRESS ? wait_for(fd, POLLOUT, deadline_ms) : -errno;
    }
    if (rc == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0) {
        rc = -code;
    }
    if (rc != 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        err_set(err, rc, "%s: %s", peer, strerrordesc_np(-rc));
        return NULL;
    }
    return open_stream(fd, false, name, key, deadline_ms, err);
}

void migration_stream_close(struct migration_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    SSL_free(stream->ssl);
    SSL_CTX_free(stream->context);
    (void)close(stream->fd);
    OPENSSL_cleanse(stream, sizeof *stream);
    free(stream);
}

void migration_stream_break(struct migration_stream *stream)
{
    (void)shutdown(stream->fd, SHUT_RDWR);
}

/* ---- bytes ---- */

static int write_all(struct migration_stream *stream, const unsigned char *data, size_t size,
                     int64_t deadline_ms, struct err *err)
{
    int rc = 0;
    while (rc == 0 && size > 0) {
        size_t done = 0;
        ERR_clear_error();
        int r = SSL_write_ex(stream->ssl, data, size, &done);
        if (r == 1) {
            data += done;
            size -= done;
        } else {
            rc = again(stream, r, deadline_ms, "sending the VM", err);
        }
    }
    return rc;
}

static int read_all(struct migration_stream *stream, unsigned char *data, size_t size,
                    int64_t deadline_ms, struct err *err)
{
    int rc = 0;
    while (rc == 0 && size > 0) {
        size_t done = 0;
        ERR_clear_error();
        int r = SSL_read_ex(stream->ssl, data, size, &done);
        if (r == 1) {
            data += done;
            size -= done;
        } else {
            rc = again(stream, r, deadline_ms, "receiving the VM", err);
        }
    }
    return rc;
}

static void put_length(unsigned char *out, size_t length)
{
    for (int i = 0; i < LENGTH_BYTES; i++) {
        out[i] = (unsigned char)(length >> (8 * (LENGTH_BYTES - 1 - i)));
    }
}

int migration_stream_send(struct migration_stream *stream, int from, int64_t deadline_ms,
                          struct err *err)
{
    for (;;) {
        ssize_t got = read(from, stream->frame + LENGTH_BYTES, FRAME_BYTES);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return err_set(err, -errno, "reading the VM: %s", strerrordesc_np(errno));
        }
        put_length(stream->frame, (size_t)got);
        int rc = write_all(stream, stream->frame, LENGTH_BYTES + (size_t)got, deadline_ms, err);
        if (rc != 0 || got == 0) {
            return rc;
        }
    }
}

static int pass_on(int to, const unsigned char *data, size_t size, struct err *err)
{
    while (size > 0) {
        ssize_t done = send(to, data, size, MSG_NOSIGNAL);
        if (done < 0 && errno != EINTR) {
            return err_set(err, -errno, "passing the VM on: %s", strerrordesc_np(errno));
        }
        data += done > 0 ? done : 0;
        size -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

int migration_stream_receive(struct migration_stream *stream, int to, int64_t deadline_ms,
                             struct err *err)
{
    for (;;) {
        const unsigned char *l = stream->frame;
        int rc = read_all(stream, stream->frame, LENGTH_BYTES, deadline_ms, err);
        if (rc != 0) {
            return rc;
        }
        size_t size = (size_t)l[0] << 24 | (size_t)l[1] << 16 | (size_t)l[2] << 8 | l[3];
        if (size == 0) {
            return 0;
        }
        if (size > FRAME_BYTES) {
            return err_set(err, -EBADMSG, "a frame of %zu bytes is none of ours", size);
        }
        rc = read_all(stream, stream->frame + LENGTH_BYTES, size, deadline_ms, err);
        rc = rc == 0 ? pass_on(to, stream->frame + LENGTH_BYTES, size, err) : rc;
        if (rc != 0) {
            return rc;
        }
    }
}

int migration_stream_confirm(struct migration_stream *stream, int64_t deadline_ms,
                             struct err *err)
{
    const unsigned char word = CONFIRMED;
    return write_all(stream, &word, 1, deadline_ms, err);
}

int migration_stream_await(struct migration_stream *stream, int64_t deadline_ms,
                           struct err *err)
{
    unsigned char word = 0;
    int rc = read_all(stream, &word, 1, deadline_ms, err);
    return rc != 0 || word == CONFIRMED ? rc : err_set(err, -EBADMSG, "an answer that is none");
}

extern const struct migration_stream_module migration_stream_entry;
const struct migration_stream_module migration_stream_entry = {
    .size = sizeof(struct migration_stream_module),
    .key = migration_stream_key,
    .listen = migration_stream_listen,
    .accept = migration_stream_accept,
    .connect = migration_stream_connect,
    .close = migration_stream_close,
    .break_off = migration_stream_break,
    .send = migration_stream_send,
    .receive = migration_stream_receive,
    .confirm = migration_stream_confirm,
    .await = migration_stream_await,
};
