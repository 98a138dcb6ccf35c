// SPDX-License-Identifier: Apache-2.0
/*
 * The connection that a migrating VM goes through: TLS 1.3 with a key that both sides have from
 * the orchestrator and that is good for this one VM. One port, one peer, a time limit for
 * everything; who does not know the key gets nothing, not even a second try.
 *
 * What goes over: frames of the stream, an empty frame at its end, and then one byte back when
 * the receiver has made all of the VM.
 *
 * The library for TLS is large, and most hosts move a VM seldom: it comes with a module of its
 * own, node-agent/io/transfer/migration_stream.c. The functions of this name in the driver hand
 * on to it; those that begin something (key, listen, accept, connect) load it, and fail with
 * -ENOEXEC where it is missing.
 */
#ifndef NODE_AGENT_IO_XEN_MIGRATION_STREAM_H
#define NODE_AGENT_IO_XEN_MIGRATION_STREAM_H

#include <stdint.h>

#include "common/err.h"
#include "common/limits.h"

struct migration_stream;

/* Hexadecimal, fresh. -EIO: no randomness. */
int migration_stream_key(char key[NAME_SIZE], struct err *err);

/* A port of its own at this IPv4 address of the host: its descriptor; text: "address:port". */
int migration_stream_listen(const char *address, char text[ADDRESS_SIZE], struct err *err);

/* The one peer; the listener is the caller's. name: of the VM, its uuid. */
struct migration_stream *migration_stream_accept(int listener, const char *name,
                                                 const char *key, int64_t deadline_ms,
                                                 struct err *err);
struct migration_stream *migration_stream_connect(const char *peer, const char *name,
                                                  const char *key, int64_t deadline_ms,
                                                  struct err *err);
/* NULL is fine. */
void migration_stream_close(struct migration_stream *stream);

/* Wakes whoever waits inside of it, from another thread: it fails. */
void migration_stream_break(struct migration_stream *stream);

/* Until the end of from, which is a socket or pipe; then the end is told. */
int migration_stream_send(struct migration_stream *stream, int from, int64_t deadline_ms,
                          struct err *err);
/* Until the end was told; to is a socket. */
int migration_stream_receive(struct migration_stream *stream, int to, int64_t deadline_ms,
                             struct err *err);

/* The last word: the receiver has all of it. */
int migration_stream_confirm(struct migration_stream *stream, int64_t deadline_ms,
                             struct err *err);
int migration_stream_await(struct migration_stream *stream, int64_t deadline_ms,
                           struct err *err);

/* What the module shows; size is that of this struct, as a module of another version has not.
 */
#define MIGRATION_STREAM_ENTRY "migration_stream_entry"
struct migration_stream_module {
    uint32_t size;
    int (*key)(char key[NAME_SIZE], struct err *err);
    int (*listen)(const char *address, char text[ADDRESS_SIZE], struct err *err);
    struct migration_stream *(*accept)(int listener, const char *name, const char *key,
                                       int64_t deadline_ms, struct err *err);
    struct migration_stream *(*connect)(const char *peer, const char *name, const char *key,
                                        int64_t deadline_ms, struct err *err);
    void (*close)(struct migration_stream *stream);
    void (*break_off)(struct migration_stream *stream);
    int (*send)(struct migration_stream *stream, int from, int64_t deadline_ms,
                struct err *err);
    int (*receive)(struct migration_stream *stream, int to, int64_t deadline_ms,
                   struct err *err);
    int (*confirm)(struct migration_stream *stream, int64_t deadline_ms, struct err *err);
    int (*await)(struct migration_stream *stream, int64_t deadline_ms, struct err *err);
};

#endif
