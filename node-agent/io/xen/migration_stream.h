// SPDX-License-Identifier: Apache-2.0
/*
 * The connection that a migrating VM goes through: TLS 1.3 with a key that both sides have from
 * the orchestrator and that is good for this one VM. One port, one peer, a time limit for
 * everything; who does not know the key gets nothing, not even a second try.
 *
 * What goes over: frames of the stream, an empty frame at its end, and then one byte back when
 * the receiver has made all of the VM.
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

#endif
